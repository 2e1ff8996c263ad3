//! Routes and inhibit rules of a configuration.

use muster_common::matcher::Matcher;
use muster_yaml::{Place, Yaml};

use super::config::{GROUP_INTERVAL_MS, GROUP_WAIT_MS, REPEAT_INTERVAL_MS};
use super::inhibit::InhibitRule;
use super::load::{Entries, Loading};
use super::route::{GroupBy, Route};
use muster_common::matcher_text::{make_matcher, read_matchers};

const ROUTE_KEYS: &[&str] = &[
    "receiver",
    "group_by",
    "continue",
    "match",
    "match_re",
    "matchers",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "mute_time_intervals",
    "active_time_intervals",
    "routes",
];
const INHIBIT_KEYS: &[&str] = &[
    "name",
    "source_match",
    "source_match_re",
    "source_matchers",
    "target_match",
    "target_match_re",
    "target_matchers",
    "equal",
];

/// The root: it must name a receiver, and takes every alert at every time.
pub(super) fn root(loading: &mut Loading<'_>, yaml: &Yaml) -> Option<Route> {
    let entries = loading.entries(yaml, ROUTE_KEYS, "a route");
    for name in ["match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"] {
        if let Some((key, _)) = entries.entry(name) {
            let remedy = "put it into a route below `routes:`";
            loading.mistake(key.place, format!("the first route takes all alerts, so it cannot have {name}"), remedy);
        }
    }
    if let Some((key, _)) = entries.entry("continue") {
        loading.mistake(key.place, "the first route has none beside it to continue with", "leave it out");
    }
    if entries.get("receiver").is_none() {
        loading.mistake(yaml.place, "the first route has no receiver", "write `receiver: ...`");
        return None;
    }
    let nothing = Route {
        id: String::new(),
        receiver: String::new(),
        group_by: GroupBy::Labels(Vec::new()),
        group_wait_ms: GROUP_WAIT_MS,
        group_interval_ms: GROUP_INTERVAL_MS,
        repeat_interval_ms: REPEAT_INTERVAL_MS,
        mute: Vec::new(),
        active: Vec::new(),
        is_continued: false,
        matchers: Vec::new(),
        children: Vec::new(),
    };
    Some(of_entries(loading, &entries, &nothing))
}

/// A route below another one, whose options it has where it says none.
fn of_entries(loading: &mut Loading<'_>, entries: &Entries<'_>, parent: &Route) -> Route {
    let receiver = loading.text(entries, "receiver").filter(|name| !name.is_empty());
    if let (Some(name), Some(yaml)) = (&receiver, entries.get("receiver")) {
        loading.receivers_named.push((yaml.place, name.clone()));
    }
    let mut matchers = named_matchers(loading, entries, "match", "=");
    matchers.extend(named_matchers(loading, entries, "match_re", "=~"));
    matchers.extend(listed_matchers(loading, entries, "matchers"));
    let mut route = Route {
        id: String::new(),
        receiver: receiver.unwrap_or_else(|| parent.receiver.clone()),
        group_by: group_by(loading, entries).unwrap_or_else(|| parent.group_by.clone()),
        group_wait_ms: loading.span(entries, "group_wait").unwrap_or(parent.group_wait_ms),
        group_interval_ms: some_span(loading, entries, "group_interval").unwrap_or(parent.group_interval_ms),
        repeat_interval_ms: some_span(loading, entries, "repeat_interval").unwrap_or(parent.repeat_interval_ms),
        mute: interval_names(loading, entries, "mute_time_intervals"),
        active: interval_names(loading, entries, "active_time_intervals"),
        is_continued: loading.truth(entries, "continue").unwrap_or(false),
        matchers,
        children: Vec::new(),
    };
    // YAML nests at most 32 deep, and so do routes.
    let list = loading.list(entries.get("routes"), "routes");
    let children = list.iter().map(|yaml| {
        let entries = loading.entries(yaml, ROUTE_KEYS, "a route");
        of_entries(loading, &entries, &route)
    });
    route.children = children.collect();
    route
}

fn some_span(loading: &mut Loading<'_>, entries: &Entries<'_>, name: &str) -> Option<i64> {
    let ms = loading.span(entries, name)?;
    if let Some(yaml) = entries.get(name).filter(|_| ms == 0) {
        loading.mistake(yaml.place, format!("{name} is 0"), "write a longer one, such as 5m");
    }
    Some(ms)
}

fn group_by(loading: &mut Loading<'_>, entries: &Entries<'_>) -> Option<GroupBy> {
    let yaml = entries.get("group_by")?;
    let names = loading.texts(entries, "group_by");
    for (index, (place, name)) in names.iter().enumerate() {
        if name.is_empty() {
            loading.mistake(*place, "group_by has an empty label name", "write a label's name");
        } else if names[..index].iter().any(|(_, other)| other == name) {
            loading.mistake(*place, format!("label {name:?} stands twice in group_by"), "write it once");
        }
    }
    if names.iter().any(|(_, name)| name == "...") {
        if names.len() > 1 {
            let what = "group_by has `...` and labels beside it";
            loading.mistake(yaml.place, what, "write ['...'] for a group an alert, or labels only");
        }
        return Some(GroupBy::All);
    }
    Some(GroupBy::Labels(names.into_iter().map(|(_, name)| name).collect()))
}

fn interval_names(loading: &mut Loading<'_>, entries: &Entries<'_>, key: &str) -> Vec<String> {
    let names = loading.texts(entries, key);
    loading.intervals_named.extend(names.iter().cloned());
    names.into_iter().map(|(_, name)| name).collect()
}

/// `match: {name: value}`.
fn named_matchers(loading: &mut Loading<'_>, entries: &Entries<'_>, key: &str, operator: &str) -> Vec<Matcher> {
    let Some(yaml) = entries.get(key) else { return Vec::new() };
    let mut matchers = Vec::new();
    for (name, value) in loading.free_entries(yaml, key) {
        let Some(text) = loading.reader.scalar(value, &name.name) else { continue };
        match make_matcher(&name.name, operator, &text) {
            Ok(matcher) => matchers.push(matcher),
            Err(error) => wrong_matcher(loading, value.place, key, &error.what),
        }
    }
    matchers
}

/// `matchers: [...]`, each a text of one or more.
fn listed_matchers(loading: &mut Loading<'_>, entries: &Entries<'_>, key: &str) -> Vec<Matcher> {
    let mut matchers = Vec::new();
    for (place, text) in loading.texts(entries, key) {
        match read_matchers(&text) {
            Ok(own) => matchers.extend(own),
            Err(error) => wrong_matcher(loading, place, key, &error.what),
        }
    }
    matchers
}

fn wrong_matcher(loading: &mut Loading<'_>, place: Place, key: &str, what: &str) {
    loading.mistake(place, format!("{key}: {what}"), "write such as severity=\"critical\" or host=~\"db.*\"");
}

pub(super) fn inhibit_rule(loading: &mut Loading<'_>, yaml: &Yaml) -> InhibitRule {
    let entries = loading.entries(yaml, INHIBIT_KEYS, "an inhibit rule");
    let mut side = |equal: &str, regex: &str, listed: &str| {
        let mut matchers = named_matchers(loading, &entries, equal, "=");
        matchers.extend(named_matchers(loading, &entries, regex, "=~"));
        matchers.extend(listed_matchers(loading, &entries, listed));
        matchers
    };
    let source = side("source_match", "source_match_re", "source_matchers");
    let target = side("target_match", "target_match_re", "target_matchers");
    if source.is_empty() || target.is_empty() {
        let which = if target.is_empty() { "target" } else { "source" };
        loading.warn(
            yaml.place,
            format!("the inhibit rule has no {which} matchers"),
            format!("every alert is its {which}"),
        );
    }
    let equal = loading.texts(&entries, "equal").into_iter().map(|(_, name)| name).collect();
    InhibitRule { source, target, equal }
}
