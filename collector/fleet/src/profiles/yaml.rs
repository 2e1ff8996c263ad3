//! YAML as a tree whose every node knows its line, so that all mistakes of a document can be told at once.
//!
//! A document is one profile. Files are cut into documents here, since each is kept by itself, comments and all.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::bounds::DOCUMENT_BYTES_MAX;

/// Nodes of one document: a check has some twenty.
const NODES_MAX: usize = 20_000;
/// How deep it may nest: rules need eight levels.
const DEPTH_MAX: usize = 32;

/// A node and the line it begins at, from 1.
#[derive(Clone, Debug)]
pub(super) struct Yaml {
    pub(super) line: usize,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    /// As it was written, and what YAML takes it for.
    Scalar(String, Plain),
    List(Vec<Yaml>),
    /// Keys with their lines.
    Map(Vec<(usize, String, Yaml)>),
}

/// What a scalar is to YAML.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plain {
    Text,
    Flag(bool),
    Integer(i64),
    /// A fraction, or an integer that is too large.
    Number,
}

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoYaml {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Yaml {
    /// Reads one document.
    pub(super) fn read(text: &str) -> Result<Self, NoYaml> {
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_nodes: NODES_MAX,
                max_depth: DEPTH_MAX,
                max_total_scalar_bytes: 2 * DOCUMENT_BYTES_MAX,
                max_documents: 1,
            },
        };
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(raw) => Ok(tree(text, raw)),
            Err(error) => {
                let line = error.location().map_or(1, |own| line_of(&own));
                Err(NoYaml { line, what: error.without_snippet().to_string() })
            }
        }
    }

    /// In a word, to people.
    pub(super) fn kind(&self) -> &'static str {
        match &self.node {
            Node::Null => "nothing",
            Node::Scalar(_, Plain::Text) => "a text",
            Node::Scalar(_, Plain::Flag(_)) => "true or false",
            Node::Scalar(..) => "a number",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }

    /// Whether both say the same, wherever they stand.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Node::Null, Node::Null) => true,
            (Node::Scalar(one, _), Node::Scalar(two, _)) => one == two,
            (Node::List(one), Node::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.is_like(two))
            }
            (Node::Map(one), Node::Map(two)) => {
                one.len() == two.len()
                    && one.iter().zip(two).all(|((_, name, one), (_, other, two))| name == other && one.is_like(two))
            }
            _ => false,
        }
    }
}

/// The documents of a file, each with the number of lines before it. Those without a word are left out.
pub(super) fn documents(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = vec![(0, String::new())];
    for (at, line) in text.lines().enumerate() {
        let is_mark =
            |mark: &str| line.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if is_mark("---") || is_mark("...") {
            // What stands behind the mark belongs to the document; the line keeps its number.
            all.push((at, format!("   {}\n", &line[3..])));
        } else if let Some((_, document)) = all.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let has_words =
        |document: &str| document.lines().map(str::trim_start).any(|line| !line.is_empty() && !line.starts_with('#'));
    all.retain(|(_, document)| has_words(document));
    all
}

/// A document as it is kept: without blank lines around it.
pub(super) fn trimmed(document: &str) -> String {
    let mut lines: Vec<&str> = document.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    lines[blank..].iter().flat_map(|line| [*line, "\n"]).collect()
}

/// What YAML's types make of a node.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value, whose text stands in the document.
    Plain(String, Plain),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn line_of(location: &serde_saphyr::Location) -> usize {
    usize::try_from(location.line()).unwrap_or(usize::MAX).max(1)
}

fn tree(text: &str, raw: Spanned<Raw>) -> Yaml {
    let span = raw.defined.span();
    let node = match raw.value {
        Raw::Null => Node::Null,
        Raw::Text(own) => Node::Scalar(own, Plain::Text),
        Raw::Plain(own, plain) => {
            let end = |from: u64| from.checked_add(span.byte_len()?);
            let bounds = span.byte_offset().and_then(|from| Some((from, end(from)?)));
            let written =
                bounds.and_then(|(from, to)| text.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?));
            let written = written.map(str::trim).filter(|own| !own.is_empty()).map_or(own, str::to_owned);
            Node::Scalar(written, plain)
        }
        Raw::List(list) => Node::List(list.into_iter().map(|one| tree(text, one)).collect()),
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                (line_of(&key.referenced), key.value, tree(text, value))
            };
            Node::Map(entries.into_iter().map(entry).collect())
        }
    };
    Yaml { line: line_of(&raw.referenced), node }
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
        Ok(Raw::Plain(value.to_string(), Plain::Flag(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string(), Plain::Integer(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string(), i64::try_from(value).map_or(Plain::Number, Plain::Integer)))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string(), Plain::Number))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string(), Plain::Number))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(value.to_string(), Plain::Number))
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
    fn files_are_cut_at_their_marks_and_lines_keep_their_numbers() {
        let text = "# head\na: 1\n---\n\nb: |\n  ---x\n--- # next\nc: 1\n...\n# only a word\n---\n";
        let found = documents(text);
        let shown: Vec<(usize, String)> = found.into_iter().map(|(before, text)| (before, trimmed(&text))).collect();
        let expect = [(0, "# head\na: 1\n"), (2, "b: |\n  ---x\n"), (6, "    # next\nc: 1\n")];
        assert_eq!(shown, expect.map(|(before, text)| (before, text.to_owned())));
        assert_eq!(documents(""), []);
    }

    #[test]
    fn scalars_are_kept_as_written_with_their_kind_and_bombs_are_refused() {
        let yaml = Yaml::read("a: 1.0\nb: 0x10\nc: yes\nd: true\ne: '7'\nf: ~\na: 2\n").unwrap();
        let Node::Map(entries) = yaml.node else { panic!("a map") };
        let shown: Vec<String> =
            entries.iter().map(|(line, name, value)| format!("{line} {name} {:?}", value.node)).collect();
        assert_eq!(
            shown,
            [
                "1 a Scalar(\"1.0\", Number)",
                "2 b Scalar(\"0x10\", Integer(16))",
                "3 c Scalar(\"yes\", Flag(true))",
                "4 d Scalar(\"true\", Flag(true))",
                "5 e Scalar(\"7\", Text)",
                "6 f Null",
                "7 a Scalar(\"2\", Integer(2))",
            ]
        );
        assert!(Yaml::read("a: [1\nb: 2").is_err() && Yaml::read(&"[".repeat(1_000)).is_err());
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        assert!(Yaml::read(bomb).is_err());
    }
}
