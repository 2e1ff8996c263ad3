//! The configuration in force as text: routes and names of receivers, without addresses and secrets, which no reader of alerts needs.

use std::fmt::Write;

use muster_alert::routing::{AlertingConfig, GroupBy, Route};
use muster_common::matcher_text::written_matchers;
use serde_json::Value;

/// YAML that amtool reads as a configuration.
pub(super) fn written(config: &AlertingConfig) -> String {
    let mut out = String::from("# As it is in force; how receivers are reached is left out.\nroute:\n");
    push_route(&mut out, config.route.root(), 1);
    out.push_str("receivers:\n");
    for receiver in &config.receivers {
        // A String takes every write.
        let _ = writeln!(out, "- name: {}", quoted(&receiver.name));
    }
    out
}

fn push_route(out: &mut String, route: &Route, depth: usize) {
    let indent = "  ".repeat(depth);
    let mut say = |key: &str, value: String| {
        let _ = writeln!(out, "{indent}{key}: {value}");
    };
    say("receiver", quoted(&route.receiver));
    say(
        "group_by",
        match &route.group_by {
            GroupBy::All => "['...']".to_owned(),
            GroupBy::Labels(names) => {
                format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
            }
        },
    );
    if !route.matchers.is_empty() {
        let each = route.matchers.iter().map(|matcher| {
            let text = written_matchers(std::slice::from_ref(matcher));
            quoted(text.trim_start_matches('{').trim_end_matches('}'))
        });
        say("matchers", format!("[{}]", each.collect::<Vec<_>>().join(", ")));
    }
    say("group_wait", span(route.group_wait_ms));
    say("group_interval", span(route.group_interval_ms));
    say("repeat_interval", span(route.repeat_interval_ms));
    if route.is_continued {
        say("continue", "true".to_owned());
    }
    if !route.children.is_empty() {
        let _ = writeln!(out, "{indent}routes:");
    }
    for child in &route.children {
        let _ = writeln!(out, "{indent}-");
        push_route(out, child, depth + 1);
    }
}

/// JSON's strings are YAML's in double quotes.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn span(millis: i64) -> String {
    format!("{millis}ms")
}
