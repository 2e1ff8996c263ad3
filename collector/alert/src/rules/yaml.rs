//! YAML as a tree whose every node knows its place, so that all mistakes of a file can be told at once.
//!
//! Scalars are kept as they were written: Prometheus reads `severity: 1` as a text, and so do we.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::mistake::{Mistake, Place};

/// Bytes of one file. The largest public rule set has 1 MB.
pub(crate) const FILE_BYTES_MAX: usize = 4 << 20;
/// Nodes of one file: some 50 a rule.
const NODES_MAX: usize = 500_000;
/// How deep it may nest; rule files need six levels.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Yaml {
    pub(crate) place: Place,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Null,
    Scalar(String),
    List(Vec<Yaml>),
    Map(Vec<(Key, Yaml)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) name: String,
}

impl Yaml {
    /// Reads a file.
    pub(crate) fn read(path: &str, text: &str) -> Result<Self, Mistake> {
        let wrong = |place, what: String, remedy: &str| Mistake::new(path, place, what, remedy);
        if text.len() > FILE_BYTES_MAX {
            let what = format!("the file has {} bytes, but at most {FILE_BYTES_MAX} are read", text.len());
            return Err(wrong(Place::START, what, "split it"));
        }
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_nodes: NODES_MAX,
                max_depth: DEPTH_MAX,
                max_total_scalar_bytes: 2 * FILE_BYTES_MAX,
                max_documents: 1,
            },
        };
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(raw) => Ok(tree(text, raw)),
            Err(error) => {
                let place = error.location().map_or(Place::START, |own| of_location(&own));
                Err(wrong(place, format!("the file is no YAML: {}", error.without_snippet()), "correct it there"))
            }
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.node {
            Node::Null => "nothing",
            Node::Scalar(_) => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }
}

/// What YAML's types make of a node; of scalars only whether they are null counts.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value, whose text stands in the file.
    Plain(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn of_location(location: &serde_saphyr::Location) -> Place {
    let number = |own: u64| usize::try_from(own).unwrap_or(usize::MAX).max(1);
    let at = location.span().byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
    Place { at, line: number(location.line()), column: number(location.column()) }
}

fn tree(text: &str, raw: Spanned<Raw>) -> Yaml {
    let span = raw.defined.span();
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Text(own) => Node::Scalar(own),
        Raw::Plain(own) => {
            let end = |from: u64| from.checked_add(span.byte_len()?);
            let bounds = span.byte_offset().and_then(|from| Some((from, end(from)?)));
            let written =
                bounds.and_then(|(from, to)| text.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?));
            Node::Scalar(written.map(str::trim).filter(|own| !own.is_empty()).map_or(own, str::to_owned))
        }
        Raw::List(list) => Node::List(list.into_iter().map(|one| tree(text, one)).collect()),
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                (Key { place: of_location(&key.referenced), name: key.value }, tree(text, value))
            };
            Node::Map(entries.into_iter().map(entry).collect())
        }
    };
    Yaml { place: of_location(&raw.referenced), node }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(one) = access.next_element()? {
            list.push(one);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_place_and_its_text() {
        let text = "a: 1.0\nb:\n  - true\n  - |\n    x +\n    y\n  - ~\nc: \"q\\n\"\na: 0x10\n";
        let Node::Map(entries) = Yaml::read("f", text).unwrap().node else { panic!("a map") };
        let shown: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("{} {}:{} {:?}", key.name, key.place.line, key.place.column, short(value)))
            .collect();
        assert_eq!(shown, ["a 1:1 \"1.0\"", "b 2:1 \"[true,x +\\ny\\n,~]\"", "c 8:1 \"q\\n\"", "a 9:1 \"0x10\""]);
    }

    fn short(value: &Yaml) -> String {
        match &value.node {
            Node::Null => "~".into(),
            Node::Scalar(text) => text.clone(),
            Node::List(list) => format!("[{}]", list.iter().map(short).collect::<Vec<_>>().join(",")),
            Node::Map(_) => "{}".into(),
        }
    }

    #[test]
    fn what_is_no_yaml_or_too_large_is_refused() {
        let mistake = Yaml::read("f.yml", "a: [1\nb: 2").unwrap_err();
        assert!(mistake.what.contains("no YAML") && mistake.place.line >= 1, "{mistake}");
        assert!(Yaml::read("f.yml", &"[".repeat(1_000)).is_err());
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                    g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(Yaml::read("f.yml", bomb).is_err());
    }
}
