//! Reading a document part by part, with all mistakes kept.

use muster_yaml::{Key, Node, Plain, Yaml};

use super::mistake::{ProfileMistake, ProfileMistakes};

/// One document in reading.
pub(super) struct Reader<'a> {
    file: &'a str,
    /// Lines of the file before the document.
    lines_before: usize,
    pub(super) profile: String,
    pub(super) mistakes: &'a mut ProfileMistakes,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, lines_before: usize, mistakes: &'a mut ProfileMistakes) -> Self {
        Self { file, lines_before, profile: String::new(), mistakes }
    }

    pub(super) fn mistake(&mut self, line: usize, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.mistakes.push(ProfileMistake {
            file: self.file.to_owned(),
            line: self.lines_before + line,
            profile: self.profile.clone(),
            key: shown(key),
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    pub(super) fn wrong(&mut self, yaml: &Yaml, key: &str, wanted: &str) {
        self.mistake(yaml.place.line, key, format!("is {}", yaml.kind()), format!("write {wanted}"));
    }

    /// The entries of a map, each key once, unknown ones told and left out. `of` is the key that the map stands under.
    pub(super) fn keys<'y>(&mut self, yaml: &'y Yaml, known: &[&str], of: &str) -> Vec<(&'y str, &'y Yaml)> {
        self.keys_but(yaml, known, &[], of)
    }

    /// As [`Self::keys`], without those that were judged elsewhere.
    pub(super) fn keys_but<'y>(
        &mut self,
        yaml: &'y Yaml,
        known: &[&str],
        judged: &[&str],
        of: &str,
    ) -> Vec<(&'y str, &'y Yaml)> {
        let Node::Map(entries) = &yaml.node else {
            self.wrong(yaml, of, &format!("a map with the keys {}", known.join(", ")));
            return Vec::new();
        };
        let mut kept: Vec<(&str, &Yaml)> = Vec::new();
        for (Key { place, name }, value) in entries.iter().filter(|(key, _)| !judged.contains(&key.name.as_str())) {
            let key = joined(of, name);
            if kept.iter().any(|(other, _)| other == name) {
                self.mistake(place.line, &key, "stands twice", "write it once");
            } else if known.contains(&name.as_str()) {
                kept.push((name, value));
            } else {
                let remedy = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("remove it; known are {}", known.join(", ")),
                };
                self.mistake(place.line, &key, "is no key of this version", remedy);
            }
        }
        kept
    }

    /// The items of a list, none of nothing.
    pub(super) fn list<'y>(&mut self, yaml: &'y Yaml, key: &str, wanted: &str, max: usize) -> &'y [Yaml] {
        match &yaml.node {
            Node::List(items) if items.len() > max => {
                let what = format!("has {} entries, but at most {max} are taken", items.len());
                self.mistake(yaml.place.line, key, what, "leave some out, or make two profiles of one");
                &items[..max]
            }
            Node::List(items) => items,
            Node::Null => &[],
            _ => {
                self.wrong(yaml, key, wanted);
                &[]
            }
        }
    }

    /// A scalar as it was written, of at most so many bytes.
    pub(super) fn text<'y>(&mut self, yaml: &'y Yaml, key: &str, max: usize) -> Option<&'y str> {
        match &yaml.node {
            Node::Scalar(text, _) if text.len() > max => {
                let what = format!("has {} bytes, but at most {max} are taken", text.len());
                self.mistake(yaml.place.line, key, what, "shorten it");
                None
            }
            Node::Scalar(text, _) => Some(text),
            _ => {
                self.wrong(yaml, key, "a text");
                None
            }
        }
    }

    pub(super) fn flag(&mut self, yaml: &Yaml, key: &str) -> Option<bool> {
        if let Node::Scalar(_, Plain::Flag(flag)) = yaml.node {
            return Some(flag);
        }
        self.wrong(yaml, key, "true or false");
        None
    }
}

/// `of.name`.
pub(super) fn joined(of: &str, name: &str) -> String {
    if of.is_empty() { name.to_owned() } else { format!("{of}.{name}") }
}

/// Foreign words in a message: short, and nothing in them that a terminal acts upon.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    short.chars().flat_map(|one| if one.is_control() { one.escape_default().collect() } else { vec![one] }).collect()
}

/// The known word that somebody may have meant: at most a third of the letters differ.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let close = known.into_iter().map(|name| (distance(word, name), name)).min()?;
    (close.0 * 3 <= close.1.len()).then_some(close.1)
}

/// Letters to insert, drop or change.
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (at, letter) in one.chars().take(80).enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (place, other) in two.iter().enumerate() {
            let change = before + usize::from(letter != *other);
            before = row[place + 1];
            row[place + 1] = change.min(row[place] + 1).min(before + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
