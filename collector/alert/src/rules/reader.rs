//! Reading a file of settings part by part, with all mistakes kept: for rule files and for Alertmanager's configuration.

use muster_common::time::parse_span;
use muster_query::nearest;
use muster_yaml::{Bounds, Key, Node, Place, Yaml};

use super::mistake::Mistake;

/// Bytes of one file. The largest public rule set has 1 MB.
const FILE_BYTES_MAX: usize = 4 << 20;
/// Nodes: some 50 a rule. Depth: rule files need six levels.
const BOUNDS: Bounds = Bounds { nodes: 500_000, depth: 32, scalar_bytes: 2 * FILE_BYTES_MAX };

/// The tree of a file.
pub(crate) fn read_yaml(path: &str, text: &str) -> Result<Yaml, Mistake> {
    if text.len() > FILE_BYTES_MAX {
        let what = format!("the file has {} bytes, but at most {FILE_BYTES_MAX} are read", text.len());
        return Err(Mistake::new(path, Place::START, what, "split it"));
    }
    Yaml::read(text, BOUNDS).map_err(|error| {
        Mistake::new(path, error.place, format!("the file is no YAML: {}", error.what), "correct it there")
    })
}

/// One file in reading.
pub(crate) struct Reader<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    pub(crate) mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        Self { path, text, mistakes: Vec::new() }
    }

    pub(crate) fn mistake(&mut self, place: Place, what: impl Into<String>, remedy: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.path, place, what, remedy));
    }

    /// The entries of a map, unknown and doubled keys told and left out.
    pub(crate) fn keys<'y>(&mut self, yaml: &'y Yaml, known: &[&str], what: &str) -> Option<Vec<&'y (Key, Yaml)>> {
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

    pub(crate) fn wrong_kind(&mut self, yaml: &Yaml, what: &str, wanted: &str) {
        self.mistake(yaml.place, format!("{what} is {}", yaml.kind()), format!("write {wanted}"));
    }

    /// A text, number or truth value as it was written; nothing is an empty text.
    pub(crate) fn scalar(&mut self, yaml: &Yaml, what: &str) -> Option<String> {
        match &yaml.node {
            Node::Scalar(text, _) => Some(text.clone()),
            Node::Null => Some(String::new()),
            _ => {
                self.wrong_kind(yaml, what, "a text");
                None
            }
        }
    }

    /// A span of time in milliseconds.
    pub(crate) fn span(&mut self, yaml: &Yaml, what: &str) -> Option<i64> {
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
}
