//! From the text of rule files to rules. Every mistake of every file is told, with its place and what to do; nothing is taken of files that
//! have any, so that the old ones stay in force.

use std::collections::HashSet;
use std::sync::Arc;

use muster_yaml::{Node, Place, Yaml};

use super::file::{RuleFile, RuleGroup};
use super::load_rule;
use super::mistake::Mistake;
use super::reader::{Reader, read_yaml};

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
        let mut reader = Reader::new(path, text);
        if files.iter().any(|own| own.path == *path) {
            reader.mistake(Place::START, "the file is named twice", "name it once");
        }
        let groups = reader.file(defaults);
        reader.mistakes.sort_by_key(|mistake| mistake.place);
        mistakes.append(&mut reader.mistakes);
        files.push(RuleFile { path: path.clone(), groups });
    }
    mistakes.extend(checks_named_twice(&files));
    let count: usize = files.iter().flat_map(|file| &file.groups).map(|group| group.rules.len()).sum();
    if count > RULES_MAX {
        let path = sources.first().map_or("", |(path, _)| path);
        let what = format!("there are {count} rules, but at most {RULES_MAX} are taken");
        mistakes.push(Mistake::new(path, Place::START, what, "leave some out"));
    }
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

/// A check is known by its name alone: two rules of one name would contradict each other at every round.
fn checks_named_twice(files: &[RuleFile]) -> Vec<Mistake> {
    let mut seen = HashSet::new();
    let checks = files
        .iter()
        .flat_map(|file| file.groups.iter().flat_map(move |group| group.rules.iter().map(move |rule| (file, rule))));
    let twice = checks.filter(|(_, rule)| rule.check().is_some() && !seen.insert(rule.name.as_str()));
    let told = twice.map(|(file, rule)| {
        let what = format!("check {:?} stands twice in the rule files", rule.name);
        Mistake::new(&file.path, rule.place, what, "give each check a name of its own")
    });
    told.collect()
}

const FILE_KEYS: &[&str] = &["groups"];
const GROUP_KEYS: &[&str] = &["name", "interval", "query_offset", "limit", "labels", "rules", "type"];

impl Reader<'_> {
    fn file(&mut self, defaults: RuleDefaults) -> Vec<Arc<RuleGroup>> {
        let root = match read_yaml(self.path, self.text) {
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
                    groups.extend(list.iter().filter_map(|one| Some((one.place, self.group(one, defaults)?))));
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

    fn group(&mut self, yaml: &Yaml, defaults: RuleDefaults) -> Option<RuleGroup> {
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
            interval_ms: interval_ms.unwrap_or(defaults.interval_ms),
            query_offset_ms: query_offset_ms.unwrap_or(defaults.query_offset_ms),
            limit,
            rules,
        })
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
