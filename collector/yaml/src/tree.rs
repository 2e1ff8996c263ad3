//! The tree and how a text becomes one.

use serde_saphyr::Spanned;

use crate::place::Place;
use crate::raw::Raw;

/// A node and where it begins.
#[derive(Clone, Debug)]
pub struct Yaml {
    pub place: Place,
    pub node: Node,
}

#[derive(Clone, Debug)]
pub enum Node {
    Null,
    /// As it was written, and what YAML takes it for.
    Scalar(String, Plain),
    List(Vec<Yaml>),
    /// In the order of the file; a key that stands twice is here twice.
    Map(Vec<(Key, Yaml)>),
}

#[derive(Clone, Debug)]
pub struct Key {
    pub place: Place,
    pub name: String,
}

/// What a scalar is to YAML.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plain {
    Text,
    Flag(bool),
    Integer(i64),
    /// A fraction, or an integer that is too large.
    Number,
}

/// How much of a text is read: what aliases make of it counts as if it were written.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub nodes: usize,
    /// How deep it may nest.
    pub depth: usize,
    /// Of all scalars together.
    pub scalar_bytes: usize,
}

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {what}", place.line, place.column)]
pub struct NoYaml {
    pub place: Place,
    pub what: String,
}

impl Yaml {
    /// Reads one document.
    ///
    /// # Errors
    /// [`NoYaml`]: where it is none, or beyond the bounds.
    pub fn read(text: &str, bounds: Bounds) -> Result<Self, NoYaml> {
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::PassThrough,
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_nodes: bounds.nodes,
                max_depth: bounds.depth,
                max_total_scalar_bytes: bounds.scalar_bytes,
                max_documents: 1,
            },
        };
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(raw) => Ok(tree(text, raw)),
            Err(error) => {
                let place = error.location().map_or(Place::START, |own| of_location(&own));
                Err(NoYaml { place, what: error.without_snippet().to_string() })
            }
        }
    }

    /// In a word, to people.
    pub fn kind(&self) -> &'static str {
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
    pub fn is_like(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Node::Null, Node::Null) => true,
            (Node::Scalar(one, _), Node::Scalar(two, _)) => one == two,
            (Node::List(one), Node::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.is_like(two))
            }
            (Node::Map(one), Node::Map(two)) => {
                one.len() == two.len()
                    && one.iter().zip(two).all(|((key, one), (other, two))| key.name == other.name && one.is_like(two))
            }
            _ => false,
        }
    }
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
                (Key { place: of_location(&key.referenced), name: key.value }, tree(text, value))
            };
            Node::Map(entries.into_iter().map(entry).collect())
        }
    };
    Yaml { place: of_location(&raw.referenced), node }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { nodes: 20_000, depth: 32, scalar_bytes: 1 << 20 };

    fn short(value: &Yaml) -> String {
        match &value.node {
            Node::Null => "~".into(),
            Node::Scalar(text, plain) => format!("{text:?} {plain:?}"),
            Node::List(list) => format!("[{}]", list.iter().map(short).collect::<Vec<_>>().join(", ")),
            Node::Map(_) => "{}".into(),
        }
    }

    #[test]
    fn every_node_knows_its_place_its_text_and_its_kind() {
        let text = "a: 1.0\nb:\n  - true\n  - |\n    x +\n    y\n  - ~\nc: \"q\\n\"\nd: '7'\na: 0x10\ne: yes\n";
        let Node::Map(entries) = Yaml::read(text, BOUNDS).unwrap().node else { panic!("a map") };
        let shown: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("{} {}:{} {}", key.name, key.place.line, key.place.column, short(value)))
            .collect();
        assert_eq!(
            shown,
            [
                "a 1:1 \"1.0\" Number",
                "b 2:1 [\"true\" Flag(true), \"x +\\ny\\n\" Text, ~]",
                "c 8:1 \"q\\n\" Text",
                "d 9:1 \"7\" Text",
                "a 10:1 \"0x10\" Integer(16)",
                "e 11:1 \"yes\" Flag(true)",
            ]
        );
    }

    #[test]
    fn what_is_no_yaml_or_too_much_of_it_is_refused_at_its_place() {
        let error = Yaml::read("a: [1\nb: 2", BOUNDS).unwrap_err();
        assert!(error.place.line >= 1 && error.to_string().starts_with("line "), "{error}");
        assert!(Yaml::read(&"[".repeat(1_000), BOUNDS).is_err());
        let tens = |of: &str| [of; 10].join(",");
        let mut bomb = format!("a: &a [{}]\n", tens("x"));
        for (name, of) in [("b", "*a"), ("c", "*b"), ("d", "*c"), ("e", "*d")] {
            bomb += &format!("{name}: &{name} [{}]\n", tens(of));
        }
        assert!(Yaml::read(&bomb, BOUNDS).is_err());
    }
}
