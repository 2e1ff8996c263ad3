//! A profile as its document says it.

use muster_yaml::{Bounds, Node, Yaml};
use serde_json::Value;

use super::bounds::{DESCRIPTION_BYTES_MAX, DOCUMENT_BYTES_MAX, INCLUDES_MAX, PATTERN_BYTES_MAX};
use super::cut::{documents, trimmed};
use super::mistake::ProfileMistakes;
use super::reader::{Reader, shown};
use super::selector::Selector;

/// Bytes of a profile's name.
const NAME_BYTES_MAX: usize = 63;
/// Nodes: a check has some twenty. Depth: rules need eight levels.
const BOUNDS: Bounds = Bounds { nodes: 20_000, depth: 32, scalar_bytes: 2 * DOCUMENT_BYTES_MAX };
const KEYS: [&str; 8] = ["profile", "description", "include", "selector", "accept", "logs", "checks", "rules"];

/// How a profile comes into force on a host that it fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// By itself.
    #[default]
    Auto,
    /// Where somebody assigns it; that it fits is only told.
    Propose,
}

impl Accept {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Propose => "propose",
        }
    }
}

/// A profile that was read.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) include: Vec<String>,
    /// `None`: it is only included or assigned.
    pub(super) selector: Option<Selector>,
    pub(super) accept: Accept,
    /// The keys of `[[logs]]`.
    pub(super) logs: Vec<Value>,
    /// The keys of `[[checks]]`, each with a `name`.
    pub(super) checks: Vec<Value>,
    /// A Prometheus rule file; lines are those of the document. Crate alert judges it.
    pub(super) rules: Option<String>,
}

/// A document and the profile that it is.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) profile: Profile,
    /// As it is kept.
    pub(super) text: String,
    /// Lines of the file before its text.
    pub(super) lines_before: usize,
}

/// Whether this is a profile's name: `[a-z0-9][a-z0-9_.-]{0,62}`.
pub fn is_profile_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(is_first)
        && name.bytes().all(|byte| is_first(byte) || b"_.-".contains(&byte))
}

/// Reads all documents of a file. `path`: what mistakes call it.
pub(super) fn read_file(path: &str, text: &str, mistakes: &mut ProfileMistakes) -> Vec<Read> {
    let mut all = Vec::new();
    for (lines_before, document) in documents(text) {
        let kept = trimmed(&document);
        let mut reader = Reader::new(path, lines_before, mistakes);
        if kept.len() > DOCUMENT_BYTES_MAX {
            let what = format!("the document has {} bytes, but at most {DOCUMENT_BYTES_MAX} are taken", kept.len());
            reader.mistake(1, "", what, "make two profiles of it, one of which includes the other");
            continue;
        }
        let profile = reader.document(&document);
        let blank = document.lines().take_while(|line| line.trim().is_empty()).count();
        let lines_before = lines_before + blank;
        all.extend(profile.map(|profile| Read { profile, text: kept, lines_before }));
    }
    all
}

impl Reader<'_> {
    /// The profile of a document, as far as it can be read; `None`: it has no name.
    fn document(&mut self, text: &str) -> Option<Profile> {
        let root = match Yaml::read(text, BOUNDS) {
            Ok(root) => root,
            Err(error) => {
                self.mistake(
                    error.place.line,
                    "",
                    format!("the document is no YAML: {}", error.what),
                    "correct it there",
                );
                return None;
            }
        };
        let name = self.name(&root);
        if let Some(name) = &name {
            self.profile.clone_from(name);
        }
        let (mut description, mut include, mut selector) = (String::new(), Vec::new(), None);
        let (mut accept, mut logs, mut checks, mut rules) = (Accept::default(), Vec::new(), Vec::new(), None);
        for (key, value) in self.keys(&root, &KEYS, "") {
            match key {
                "description" => {
                    description = self.text(value, key, DESCRIPTION_BYTES_MAX).unwrap_or_default().trim().to_owned();
                }
                "include" => include = self.includes(value),
                "selector" => selector = Some(self.selector(value)),
                "accept" => accept = self.accept(value),
                "logs" => logs = self.logs(value),
                "checks" => checks = self.checks(value),
                "rules" => rules = self.rules(value, &root, text),
                _ => {}
            }
        }
        Some(Profile { name: name?, description, include, selector, accept, logs, checks, rules })
    }

    fn name(&mut self, root: &Yaml) -> Option<String> {
        let Node::Map(entries) = &root.node else { return None };
        let Some((_, value)) = entries.iter().find(|(key, _)| key.name == "profile") else {
            self.mistake(root.place.line, "profile", "is missing", "write `profile: NAME` first");
            return None;
        };
        let name = self.text(value, "profile", PATTERN_BYTES_MAX)?;
        if is_profile_name(name) {
            return Some(name.to_owned());
        }
        let remedy = "use 1 to 63 lower-case letters, digits, `_`, `.` and `-`, the first being a letter or digit";
        self.mistake(value.place.line, "profile", format!("`{}` is no name of a profile", shown(name)), remedy);
        None
    }

    fn includes(&mut self, yaml: &Yaml) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for item in self.list(yaml, "include", "a list of names, such as `[base]`", INCLUDES_MAX) {
            let Some(name) = self.text(item, "include", PATTERN_BYTES_MAX) else { continue };
            if !is_profile_name(name) {
                self.mistake(
                    item.place.line,
                    "include",
                    format!("`{}` is no name of a profile", shown(name)),
                    "write its name",
                );
            } else if !all.iter().any(|other| other == name) {
                all.push(name.to_owned());
            }
        }
        all
    }

    fn accept(&mut self, yaml: &Yaml) -> Accept {
        match self.text(yaml, "accept", PATTERN_BYTES_MAX) {
            Some("auto") => Accept::Auto,
            Some("propose") => Accept::Propose,
            Some(_) => {
                let remedy = "write `auto` for all hosts that it fits, `propose` for those that it is assigned to";
                self.mistake(yaml.place.line, "accept", "is neither `auto` nor `propose`", remedy);
                Accept::default()
            }
            None => Accept::default(),
        }
    }

    /// The text of the rules alone, every line where it stands in the document, so that crate alert names the same lines.
    fn rules(&mut self, rules: &Yaml, root: &Yaml, text: &str) -> Option<String> {
        let is_file = matches!(&rules.node, Node::Map(keys) if matches!(&keys[..], [(key, _)] if key.name == "groups"));
        if !is_file {
            self.mistake(
                rules.place.line,
                "rules",
                "is no rule file",
                "write `rules:` and under it `groups:`, as in a Prometheus rule file",
            );
            return None;
        }
        let Node::Map(entries) = &root.node else { return None };
        let from = entries.iter().find(|(key, _)| key.name == "rules")?.0.place.line;
        let to = entries.iter().map(|(key, _)| key.place.line).filter(|line| *line > from).min().unwrap_or(usize::MAX);
        let line = |(at, line): (usize, &str)| {
            let own = if at + 1 == from {
                line.replacen("rules:", "      ", 1)
            } else if at + 1 > from && at + 1 < to {
                line.to_owned()
            } else {
                String::new()
            };
            own + "\n"
        };
        let alone: String = text.lines().enumerate().map(line).collect();
        if Yaml::read(&alone, BOUNDS).is_ok_and(|read| read.is_like(rules)) {
            return Some(alone);
        }
        let remedy = "let them stand in lines of their own under `rules:`, without anchors of other keys";
        self.mistake(rules.place.line, "rules", "cannot be taken out of the document", remedy);
        None
    }
}
