//! From the text of rule files to rules. Every mistake of every file is told, with its place and what to do; nothing is taken of files that
//! have any, so that the old ones stay in force.

use std::sync::Arc;

use muster_common::time::parse_span;
use muster_query::nearest;

use super::file::{RuleFile, RuleGroup};
use super::load_rule;
use super::mistake::{Mistake, Place};
use super::yaml::{Key, Node, Yaml};

/// Rules of all files together. The figure to reach is 5,000.
const RULES_MAX: usize = 100_000;

/// What holds where a group does not say it.
#[derive(Clone, Copy, Debug)]
pub struct RuleDefaults {
    pub interval_ms: i64,
    pub query_offset_ms: i64,
}

impl Default for RuleDefaults {
    /// Prometheus' interval, and 5 s for samples to arrive.
    fn default() -> Self {
        Self { interval_ms: 60_000, query_offset_ms: 5_000 }
    }
}

/// Reads rule files: `(path, text)`.
///
/// # Errors
/// All mistakes of all files, in their order.
pub fn load_rules(sources: &[(String, String)], defaults: RuleDefaults) -> Result<Vec<RuleFile>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut files: Vec<RuleFile> = Vec::new();
    for (path, text) in sources {
        let mut reader = Reader { path, text, defaults, mistakes: Vec::new() };
        if files.iter().any(|own| own.path == *path) {
            reader.mistake(Place::START, "the file is named twice", "name it once");
        }
        let groups = reader.file();
        reader.mistakes.sort_by_key(|mistake| mistake.place);
        mistakes.append(&mut reader.mistakes);
        files.push(RuleFile { path: path.clone(), groups });
    }
    let count: usize = files.iter().flat_map(|file| &file.groups).map(|group| group.rules.len()).sum();
    if count > RULES_MAX {
        let path = sources.first().map_or("", |(path, _)| path);
        let what = format!("there are {count} rules, but at most {RULES_MAX} are taken");
        mistakes.push(Mistake::new(path, Place::START, what, "leave some out"));
    }
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

/// One file in reading.
pub(super) struct Reader<'a> {
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    pub(super) defaults: RuleDefaults,
    pub(super) mistakes: Vec<Mistake>,
}

const FILE_KEYS: &[&str] = &["groups"];
const GROUP_KEYS: &[&str] = &["name", "interval", "query_offset", "limit", "labels", "rules", "type"];

impl Reader<'_> {
    pub(super) fn mistake(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.path, place, what, remedy));
    }

    fn file(&mut self) -> Vec<Arc<RuleGroup>> {
        let root = match Yaml::read(self.path, self.text) {
            Ok(root) => root,
            Err(mistake) => {
                self.mistakes.push(mistake);
                return Vec::new();
            }
        };
        if matches!(root.node, Node::Null) {
            return Vec::new();
        }
        let Some(keys) = self.keys(&root, FILE_KEYS, "a rule file") else { return Vec::new() };
        let mut groups: Vec<(Place, RuleGroup)> = Vec::new();
        for (key, value) in keys {
            match (&*key.name, &value.node) {
                ("groups", Node::List(list)) => {
                    groups.extend(list.iter().filter_map(|one| Some((one.place, self.group(one)?))));
                }
                ("groups", Node::Null) => {}
                _ => self.wrong_kind(value, "groups", "a list: `groups:` and below it `- name: ...`"),
            }
        }
        for (index, (place, group)) in groups.iter().enumerate() {
            if groups[..index].iter().any(|(_, other)| other.name == group.name) {
                let what = format!("group {:?} stands twice in this file", group.name);
                self.mistake(*place, what, "give each group of a file its own name");
            }
        }
        groups.into_iter().map(|(_, group)| Arc::new(group)).collect()
    }

    fn group(&mut self, yaml: &Yaml) -> Option<RuleGroup> {
        let keys = self.keys(yaml, GROUP_KEYS, "a group")?;
        let find = |name: &str| keys.iter().find(|(key, _)| key.name == name).map(|(_, value)| value);
        let name = find("name").and_then(|value| self.scalar(value, "name")).unwrap_or_default();
        if name.is_empty() {
            self.mistake(yaml.place, "the group has no name", "write `name: ...`");
        }
        let interval_ms = find("interval").and_then(|value| self.span(value, "interval")).filter(|ms| *ms > 0);
        let query_offset_ms = find("query_offset").and_then(|value| self.span(value, "query_offset"));
        let limit = find("limit").and_then(|value| self.limit(value)).unwrap_or(0);
        let labels = find("labels").map_or_else(Vec::new, |value| load_rule::labels(self, value));
        let language = find("type").and_then(|value| load_rule::language(self, value));
        let mut rules = Vec::new();
        match find("rules").map(|value| (value, &value.node)) {
            Some((_, Node::List(list))) => {
                rules.extend(list.iter().filter_map(|one| load_rule::rule(self, one, &labels, language)));
            }
            None | Some((_, Node::Null)) => {}
            Some((value, _)) => self.wrong_kind(value, "rules", "a list: `rules:` and below it `- alert: ...`"),
        }
        Some(RuleGroup {
            file: self.path.to_owned(),
            name,
            interval_ms: interval_ms.unwrap_or(self.defaults.interval_ms),
            query_offset_ms: query_offset_ms.unwrap_or(self.defaults.query_offset_ms),
            limit,
            rules,
        })
    }

    /// The entries of a map, unknown and doubled keys told and left out.
    pub(super) fn keys<'y>(&mut self, yaml: &'y Yaml, known: &[&str], what: &str) -> Option<Vec<&'y (Key, Yaml)>> {
        let Node::Map(entries) = &yaml.node else {
            self.wrong_kind(yaml, what, &format!("a map with the keys {}", known.join(", ")));
            return None;
        };
        let mut kept: Vec<&(Key, Yaml)> = Vec::new();
        for entry in entries {
            let (key, _) = entry;
            if !known.contains(&&*key.name) {
                let remedy = match nearest(&key.name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("known are {}", known.join(", ")),
                };
                self.mistake(key.place, format!("unknown key {:?} of {what}", key.name), remedy);
            } else if kept.iter().any(|(other, _)| other.name == key.name) {
                self.mistake(key.place, format!("key {:?} stands twice", key.name), "write it once");
            } else {
                kept.push(entry);
            }
        }
        Some(kept)
    }

    pub(super) fn wrong_kind(&mut self, yaml: &Yaml, what: &str, wanted: &str) {
        self.mistake(yaml.place, format!("{what} is {}", yaml.kind()), format!("write {wanted}"));
    }

    /// A text, number or truth value as it was written; nothing is an empty text.
    pub(super) fn scalar(&mut self, yaml: &Yaml, what: &str) -> Option<String> {
        match &yaml.node {
            Node::Scalar(text) => Some(text.clone()),
            Node::Null => Some(String::new()),
            _ => {
                self.wrong_kind(yaml, what, "a text");
                None
            }
        }
    }

    /// A span of time in milliseconds.
    pub(super) fn span(&mut self, yaml: &Yaml, what: &str) -> Option<i64> {
        let text = self.scalar(yaml, what)?;
        match parse_span(&text) {
            Ok(span) => Some(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
            Err(_) => {
                let shown: String = text.chars().take(40).collect();
                self.mistake(
                    yaml.place,
                    format!("{what} {shown:?} is no duration"),
                    "write a number and a unit, such as 30s, 5m or 1h30m",
                );
                None
            }
        }
    }

    fn limit(&mut self, yaml: &Yaml) -> Option<usize> {
        let text = self.scalar(yaml, "limit")?;
        let limit = text.parse().ok();
        if limit.is_none() {
            self.mistake(yaml.place, format!("limit {text:?} is no count"), "write a whole number, 0 for no limit");
        }
        limit
    }
}

#[cfg(test)]
mod tests;
