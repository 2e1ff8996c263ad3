//! What a profile says of log files and checks: the keys of `[[logs]]` and `[[checks]]` of agent.toml, without those that bring a command.
//!
//! The agent judges a document before it takes it, with its own table of kinds; this one is here so that a mistake is told where it is made. A
//! test that has both crates can compare them by [`check_kinds`].

use std::time::Duration;

use muster_common::check::{ATTEMPTS_MAX, NAME_REMEDY, RESERVED_LABELS, is_check_name};
use muster_common::limits::{LABELS_MAX, TEXT_BYTES_MAX};
use muster_common::time::{Span, parse_span};
use muster_yaml::{Key, Node, Plain, Yaml};
use serde_json::{Map, Value};

use super::bounds::{PATTERN_BYTES_MAX, PROFILE_CHECKS_MAX, PROFILE_LOGS_MAX};
use super::reader::{Reader, joined, nearest, shown};

/// What a key's value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// An absolute path, with wildcards or without.
    Path,
    Paths,
    /// A regular expression.
    Pattern,
    /// `java`, `python`, `go`, `rust`, or a regular expression.
    Multiline,
    /// `start` or `end`.
    From,
    /// A threshold as plugins have it; its text is judged by the agent.
    Range,
    Port,
    Flag,
    /// One text, or a list.
    Texts,
    /// From the first to the second, in milliseconds.
    Span(u64, u64),
    Attempts,
    LogLabels,
    CheckLabels,
}

type Keys = &'static [(&'static str, Form)];

const LOG_KEYS: Keys = &[
    ("paths", Form::Paths),
    ("exclude", Form::Paths),
    ("labels", Form::LogLabels),
    ("from", Form::From),
    ("multiline", Form::Multiline),
];

/// Below a second a check is a load, beyond a week its result says nothing: the agent's own bounds.
const EVERY: Form = Form::Span(1_000, 7 * 86_400_000);
const CHECK_KEYS: Keys = &[
    ("interval", EVERY),
    ("retry", EVERY),
    ("timeout", Form::Span(100, 3_600_000)),
    ("max_check_attempts", Form::Attempts),
    ("volatile", Form::Flag),
    ("parents", Form::Texts),
    ("labels", Form::CheckLabels),
    ("remedy", Form::Text),
];

const WARN: (&str, Form) = ("warn", Form::Range);
const CRIT: (&str, Form) = ("crit", Form::Range);
const EXCLUDE: (&str, Form) = ("exclude", Form::Texts);

/// The kinds that agents of this version have, and the keys of each.
#[rustfmt::skip]
pub(super) const KINDS: &[(&str, Keys)] = &[
    ("disk", &[WARN, CRIT, ("path", Form::Texts), EXCLUDE, ("measure", Form::Text)]),
    ("inode", &[WARN, CRIT, ("path", Form::Texts), EXCLUDE]),
    ("load", &[WARN, CRIT, ("per_core", Form::Flag), ("minutes", Form::Text)]),
    ("memory", &[WARN, CRIT]),
    ("swap", &[WARN, CRIT]),
    ("process", &[WARN, CRIT, ("process", Form::Text), ("pattern", Form::Pattern)]),
    ("unit", &[("unit", Form::Text)]),
    ("units", &[EXCLUDE]),
    ("raid", &[]),
    ("tcp", &[WARN, CRIT, ("host", Form::Text), ("port", Form::Port)]),
    ("http", &[
        WARN, CRIT, ("url", Form::Text), ("status", Form::Texts), ("body", Form::Text), ("verify", Form::Flag), ("ca_file", Form::Path),
        ("certificate_warn", Form::Range), ("certificate_crit", Form::Range),
    ]),
    ("file_age", &[WARN, CRIT, ("path", Form::Path)]),
    ("port", &[("port", Form::Port), ("protocol", Form::Text)]),
    ("time", &[WARN, CRIT, ("server", Form::Text)]),
];

/// The kinds of checks that profiles may have, and the keys that each has beside those of all.
pub fn check_kinds() -> Vec<(&'static str, Vec<&'static str>)> {
    KINDS.iter().map(|(kind, keys)| (*kind, keys.iter().map(|(name, _)| *name).collect())).collect()
}

/// Keys that a host's own file alone may have.
const LOCAL_KEYS: [&str; 3] = ["command", "env", "memory"];
const LOCAL_REMEDY: &str =
    "a profile brings no command: allow it in the host's own file under [remote.commands], and name it with `use`";
/// Labels that the agent or the collector writes on lines.
const LOG_RESERVED: [&str; 5] = ["host", "instance", "filename", "level", "source"];
/// Labels of one group of log files or of one check: the agent's own bound.
const OWN_LABELS_MAX: usize = 16;
const PRESETS: [&str; 4] = ["java", "python", "go", "rust"];
const PATH_REMEDY: &str =
    "write absolute paths without `..`, with * ? [a-z] or ** as wildcards, such as [/var/log/app/*.log]";

impl Reader<'_> {
    /// Groups of log files: each the keys of one `[[logs]]`.
    pub(super) fn logs(&mut self, yaml: &Yaml) -> Vec<Value> {
        let known: Vec<&str> = LOG_KEYS.iter().map(|(name, _)| *name).collect();
        let items = self.list(yaml, "logs", "a list such as `- paths: [/var/log/app/*.log]`", PROFILE_LOGS_MAX);
        let group = |item: &Yaml| {
            let keys = self.keys(item, &known, "logs");
            if !keys.iter().any(|(name, _)| *name == "paths") && matches!(item.node, Node::Map(_)) {
                self.mistake(item.place.line, "logs.paths", "is missing", "write `paths: [/var/log/app/*.log]`");
            }
            Value::Object(self.values(&keys, "logs", &[LOG_KEYS]))
        };
        items.iter().map(group).collect()
    }

    /// Checks: each the keys of one `[[checks]]`, its name the first.
    pub(super) fn checks(&mut self, yaml: &Yaml) -> Vec<Value> {
        let wanted = "a list such as `- {name: web, kind: port, port: 443}`";
        let items = self.list(yaml, "checks", wanted, PROFILE_CHECKS_MAX);
        let mut all: Vec<Value> = Vec::new();
        for item in items {
            let Some(check) = self.check(item) else { continue };
            if all.iter().any(|other| other.get("name") == check.get("name")) {
                let name = check.get("name").and_then(Value::as_str).unwrap_or_default();
                self.mistake(
                    item.place.line,
                    "checks.name",
                    format!("`{name}` stands twice"),
                    "give each check a name of its own",
                );
            }
            all.push(check);
        }
        all
    }

    fn check(&mut self, item: &Yaml) -> Option<Value> {
        let Node::Map(written) = &item.node else {
            self.wrong(item, "checks", "a map such as `{name: web, kind: port, port: 443}`");
            return None;
        };
        let find = |name: &str| written.iter().find(|(key, _)| key.name == name).map(|(_, value)| value);
        let kind = match (find("kind"), find("use")) {
            (Some(kind), None) => self.kind(kind),
            (None, Some(_)) => Some(&[("use", Form::Text)][..]),
            (Some(kind), Some(_)) => {
                self.mistake(kind.place.line, "checks.kind", "stands beside `use`", "keep one of the two");
                None
            }
            (None, None) => {
                let what = "has neither `kind` nor `use`";
                self.mistake(
                    item.place.line,
                    "checks",
                    what,
                    "write `kind: port`, or `use: NAME` for a command that the host's own file allows",
                );
                None
            }
        };
        let local = written.iter().filter(|(key, _)| LOCAL_KEYS.contains(&key.name.as_str()));
        for (Key { place, name }, _) in local {
            self.mistake(place.line, &joined("checks", name), "is for the host's own file alone", LOCAL_REMEDY);
        }
        let Some(name) = find("name") else {
            self.mistake(item.place.line, "checks.name", "is missing", "write `name: web`");
            return None;
        };
        let name = self.text(name, "checks.name", TEXT_BYTES_MAX)?;
        if !is_check_name(name) {
            self.mistake(
                item.place.line,
                "checks.name",
                format!("`{}` is no name of a check", shown(name)),
                NAME_REMEDY,
            );
            return None;
        }
        let own = kind?;
        let mut known = vec!["name", "kind", "use"];
        known.extend(CHECK_KEYS.iter().chain(own).map(|(name, _)| *name));
        let keys = self.keys_but(item, &known, &LOCAL_KEYS, "checks");
        let mut check = self.values(&keys, "checks", &[CHECK_KEYS, own]);
        check.insert("name".to_owned(), Value::String(name.to_owned()));
        if let Some(Node::Scalar(kind, _)) = find("kind").map(|kind| &kind.node) {
            check.insert("kind".to_owned(), Value::String(kind.clone()));
        }
        Some(Value::Object(check))
    }

    fn kind(&mut self, yaml: &Yaml) -> Option<Keys> {
        let name = self.text(yaml, "checks.kind", TEXT_BYTES_MAX)?;
        if let Some((_, keys)) = KINDS.iter().find(|(kind, _)| *kind == name) {
            return Some(keys);
        }
        let names = || KINDS.iter().map(|(kind, _)| *kind);
        let remedy = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", names().collect::<Vec<_>>().join(", ")),
        };
        self.mistake(yaml.place.line, "checks.kind", format!("`{}` is none of this version", shown(name)), remedy);
        None
    }

    /// The values of those keys that are in one of the tables and have its form.
    fn values(&mut self, keys: &[(&str, &Yaml)], of: &str, tables: &[Keys]) -> Map<String, Value> {
        let mut all = Map::new();
        for (name, yaml) in keys {
            let form = tables.iter().copied().flatten().find(|(key, _)| key == name);
            let Some((_, form)) = form else { continue };
            if let Some(value) = self.value(yaml, &joined(of, name), *form) {
                all.insert((*name).to_owned(), value);
            }
        }
        all
    }

    fn value(&mut self, yaml: &Yaml, key: &str, form: Form) -> Option<Value> {
        match form {
            Form::Text | Form::Range => self.filled(yaml, key).map(Value::from),
            Form::Flag => self.flag(yaml, key).map(Value::from),
            Form::Path => self.path(yaml, key).map(Value::from),
            Form::Paths => match &yaml.node {
                Node::List(items) if !items.is_empty() => items
                    .iter()
                    .map(|item| self.path(item, key).map(Value::from))
                    .collect::<Option<Vec<_>>>()
                    .map(Value::from),
                _ => {
                    self.mistake(yaml.place.line, key, format!("is {}, not a list of paths", yaml.kind()), PATH_REMEDY);
                    None
                }
            },
            Form::Texts => match &yaml.node {
                Node::List(items) => items
                    .iter()
                    .map(|item| self.filled(item, key).map(Value::from))
                    .collect::<Option<Vec<_>>>()
                    .map(Value::from),
                _ => self.filled(yaml, key).map(|text| Value::from(vec![text])),
            },
            Form::Pattern | Form::Multiline => self.pattern(yaml, key, form).map(Value::from),
            Form::From => match self.text(yaml, key, TEXT_BYTES_MAX)? {
                from @ ("start" | "end") => Some(Value::from(from)),
                _ => {
                    self.mistake(
                        yaml.place.line,
                        key,
                        "is neither `start` nor `end`",
                        "write `start` to read what is there, `end` for what comes",
                    );
                    None
                }
            },
            Form::Port => self.number(yaml, key, (1, 65_535), "a port, such as 443"),
            Form::Attempts => self.number(
                yaml,
                key,
                (1, i64::from(ATTEMPTS_MAX)),
                "how many bad results in a row make a problem, such as 3",
            ),
            Form::Span(least, most) => self.span(yaml, key, (least, most)).map(Value::from),
            Form::LogLabels => self.labels(yaml, key, &LOG_RESERVED),
            Form::CheckLabels => self.labels(yaml, key, &RESERVED_LABELS),
        }
    }

    fn filled<'y>(&mut self, yaml: &'y Yaml, key: &str) -> Option<&'y str> {
        let text = self.text(yaml, key, TEXT_BYTES_MAX)?;
        if text.is_empty() || text.contains('\0') {
            self.mistake(yaml.place.line, key, "is empty, or has a zero byte", "write a text");
            return None;
        }
        Some(text)
    }

    fn path<'y>(&mut self, yaml: &'y Yaml, key: &str) -> Option<&'y str> {
        let path = self.filled(yaml, key)?;
        let is_good = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.matches('[').count() == part.matches(']').count()
        };
        if path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_good)) && !path.contains(char::is_control) {
            return Some(path);
        }
        self.mistake(yaml.place.line, key, format!("`{}` is no absolute path", shown(path)), PATH_REMEDY);
        None
    }

    fn pattern<'y>(&mut self, yaml: &'y Yaml, key: &str, form: Form) -> Option<&'y str> {
        let text = self.text(yaml, key, PATTERN_BYTES_MAX)?;
        if form == Form::Multiline && PRESETS.contains(&text) {
            return Some(text);
        }
        let error = match regex::bytes::Regex::new(text) {
            Ok(_) if !text.is_empty() => return Some(text),
            Ok(_) => "it is empty".to_owned(),
            // The last of its lines says what is wrong, the others draw the pattern.
            Err(error) => {
                error.to_string().lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
            }
        };
        let presets =
            if form == Form::Multiline { format!("a preset ({}) or ", PRESETS.join(", ")) } else { String::new() };
        self.mistake(
            yaml.place.line,
            key,
            format!("is no pattern: {error}"),
            format!("write {presets}a regular expression"),
        );
        None
    }

    fn number(&mut self, yaml: &Yaml, key: &str, (least, most): (i64, i64), wanted: &str) -> Option<Value> {
        if let Node::Scalar(_, Plain::Integer(number)) = yaml.node
            && (least..=most).contains(&number)
        {
            return Some(Value::from(number));
        }
        self.mistake(yaml.place.line, key, format!("is no integer from {least} to {most}"), format!("write {wanted}"));
        None
    }

    fn span<'y>(&mut self, yaml: &'y Yaml, key: &str, (least, most): (u64, u64)) -> Option<&'y str> {
        let text = self.text(yaml, key, TEXT_BYTES_MAX)?;
        let (least, most) = (Duration::from_millis(least), Duration::from_millis(most));
        match parse_span(text) {
            Ok(span) if (least..=most).contains(&span) => return Some(text),
            Ok(_) => {
                let what = format!("`{text}` lies outside {} to {}", Span(least), Span(most));
                self.mistake(yaml.place.line, key, what, "write a duration between the two, such as 60s");
            }
            Err(_) => {
                let what = format!("`{}` is no duration", shown(text));
                self.mistake(yaml.place.line, key, what, "write a number and a unit, such as 10s, 1m or 1m30s");
            }
        }
        None
    }

    fn labels(&mut self, yaml: &Yaml, key: &str, reserved: &[&str]) -> Option<Value> {
        const { assert!(OWN_LABELS_MAX < LABELS_MAX) };
        let Node::Map(pairs) = &yaml.node else {
            self.wrong(yaml, key, "a map such as `{app: shop}`");
            return None;
        };
        if pairs.len() > OWN_LABELS_MAX {
            let what = format!("has {} labels, but at most {OWN_LABELS_MAX} are taken", pairs.len());
            self.mistake(yaml.place.line, key, what, "keep those that tell things apart");
            return None;
        }
        let mut labels = Map::new();
        for (Key { place, name }, value) in pairs {
            let own = joined(key, name);
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
            if reserved.contains(&name.as_str()) || name.starts_with("__") {
                self.mistake(place.line, &own, "is written by Muster itself", "choose another name");
            } else if !is_name {
                self.mistake(place.line, &own, "is no label name", "use letters, digits and underscores");
            } else if labels.contains_key(name) {
                self.mistake(place.line, &own, "stands twice", "write it once");
            } else if let Some(text) = self.text(value, &own, TEXT_BYTES_MAX) {
                labels.insert(name.clone(), Value::from(text));
            }
        }
        Some(Value::Object(labels))
    }
}
