//! Reads what a metric check has beside its expression: `- check: NAME`, with the ranges that are good.

use muster_common::check::{ATTEMPTS_MAX, NAME_REMEDY, RESERVED_LABELS, is_check_name};
use muster_common::range::Range;
use muster_yaml::{Node, Yaml};

use super::file::CheckSpec;
use super::reader::Reader;
use crate::template::Template;

/// Keys that mean something only for checks.
pub(super) const CHECK_KEYS: &[&str] = &["warn", "crit", "unit", "max_attempts", "remedy", "parents", "ttl"];
const REMEDY_BYTES_MAX: usize = 4_096;
const UNIT_BYTES_MAX: usize = 20;
const PARENTS_MAX: usize = 16;

/// The name is as an agent's configuration has it.
pub(super) fn check_name(reader: &mut Reader<'_>, value: &Yaml, name: &str) {
    if !is_check_name(name) {
        let shown: String = name.chars().take(40).collect();
        reader.mistake(value.place, format!("{shown:?} is no name of a check"), NAME_REMEDY);
    }
}

/// Labels of a check are texts, for it is known by them whatever its values are.
pub(super) fn check_labels(reader: &mut Reader<'_>, yaml: &Yaml, labels: &[(String, Template)]) {
    for (name, template) in labels {
        if RESERVED_LABELS.contains(&name.as_str()) {
            let what = format!("label {name:?} of a check is the collector's own");
            reader.mistake(yaml.place, what, "take another name");
        } else if template.text().contains("{{") {
            let what = format!("label {name:?} of a check is a template");
            reader.mistake(yaml.place, what, "write a text, or make an alerting rule of it");
        }
    }
}

/// The rest; what is wrong with it has been told.
pub(super) fn check_spec<'y>(
    reader: &mut Reader<'_>,
    yaml: &Yaml,
    name: &str,
    find: &impl Fn(&str) -> Option<&'y Yaml>,
) -> CheckSpec {
    if find("warn").or(find("crit")).is_none() {
        let remedy = "write what is good, such as `warn: \"80\"` and `crit: \"90\"`";
        reader.mistake(yaml.place, format!("check {name:?} has neither warn nor crit"), remedy);
    }
    let (warn, crit) = (range(reader, "warn", find), range(reader, "crit", find));
    let unit = text(reader, "unit", find, UNIT_BYTES_MAX);
    let remedy = text(reader, "remedy", find, REMEDY_BYTES_MAX);
    let max_attempts = find("max_attempts").map_or(1, |value| attempts(reader, value));
    let parents = find("parents").map_or_else(Vec::new, |value| parents(reader, value));
    let ttl_ms = find("ttl").and_then(|value| reader.span(value, "ttl")).and_then(|ms| u64::try_from(ms).ok());
    CheckSpec { warn, crit, unit, max_attempts, remedy, parents, ttl_ms: ttl_ms.unwrap_or(0) }
}

fn range<'y>(reader: &mut Reader<'_>, key: &str, find: &impl Fn(&str) -> Option<&'y Yaml>) -> Option<Range> {
    let value = find(key)?;
    let text = reader.scalar(value, key)?;
    let read = text.parse::<Range>();
    if let Err(error) = &read {
        // Its words end in what to do.
        let error = error.to_string();
        let (what, remedy) = error.split_once(": ").unwrap_or((&error, "write the values that are good"));
        reader.mistake(value.place, format!("{key}: {what}"), remedy);
    }
    read.ok()
}

fn text<'y>(reader: &mut Reader<'_>, key: &str, find: &impl Fn(&str) -> Option<&'y Yaml>, bytes: usize) -> String {
    let Some(value) = find(key) else { return String::new() };
    let text = reader.scalar(value, key).unwrap_or_default();
    if text.len() > bytes {
        reader.mistake(value.place, format!("{key} has {} bytes", text.len()), format!("{bytes} at most: shorten it"));
    }
    text
}

fn attempts(reader: &mut Reader<'_>, value: &Yaml) -> u16 {
    let text = reader.scalar(value, "max_attempts").unwrap_or_default();
    let number = text.parse().ok().filter(|number| (1..=ATTEMPTS_MAX).contains(number));
    if number.is_none() {
        let remedy = format!("write how many bad results in a row make a problem, from 1 to {ATTEMPTS_MAX}");
        reader.mistake(value.place, format!("max_attempts {text:?} is no such number"), remedy);
    }
    number.unwrap_or(1)
}

fn parents(reader: &mut Reader<'_>, value: &Yaml) -> Vec<String> {
    let remedy = "write hosts and checks that this one needs, such as `[router1, db1/postgres]`";
    let Node::List(items) = &value.node else {
        reader.wrong_kind(value, "parents", "a list of hosts and checks");
        return Vec::new();
    };
    if items.len() > PARENTS_MAX {
        reader.mistake(value.place, format!("{} parents", items.len()), format!("{PARENTS_MAX} at most"));
    }
    let mut all = Vec::new();
    for item in items {
        let Some(text) = reader.scalar(item, "a parent") else { continue };
        let parts = text.split('/').count();
        if text.split('/').any(str::is_empty) || parts > 2 {
            reader.mistake(item.place, format!("{text:?} is neither a host nor host/check"), remedy);
        } else {
            all.push(text);
        }
    }
    all
}
