//! The settings as written: every leaf of the file and of the overrides by its key path, with its place.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Place, Problem};

/// A value as written. Kinds that no setting has are told apart only for the message.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A date, a time of day or both, with or without an offset, as written.
    Moment(String),
    List(Vec<Entry>),
    /// A table inside a list or a value: its keys in order.
    Group(Vec<(String, Entry)>),
    /// A table where a value was expected, or an empty one.
    Table,
    Other(&'static str),
}

impl Value {
    /// The word for this kind of value in messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "true or false",
            Self::Moment(_) => "a date",
            Self::List(_) => "a list",
            Self::Table | Self::Group(_) => "a section",
            Self::Other(kind) => kind,
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub value: Value,
    pub place: Place,
}

/// All leaves by key path (`section.key`), and the mistakes found so far.
#[derive(Debug, Default)]
pub struct Document {
    pub entries: BTreeMap<String, Entry>,
    pub problems: Vec<Problem>,
}

impl Document {
    /// Reads a file's text. Syntax errors become problems; what can be read beside them is read.
    pub fn read_file(&mut self, file: &str, text: &str) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let at = |offset: usize| place_of(file, text, offset);
        for error in errors {
            let place = error.span().map_or_else(|| Place::Whole { file: file.to_owned() }, |span| at(span.start));
            self.problems.push(Problem {
                place,
                key: String::new(),
                message: format!("no valid TOML: {}", error.message().trim().replace('\n', ", ")),
                remedy: "write `key = value` lines under `[section]` heads".to_owned(),
            });
        }
        self.read_table("", table.get_ref(), &at);
    }

    /// Reads `--set section.key=value`. What is no TOML value is taken as a text, so that nothing needs quotes.
    pub fn read_set(&mut self, argument: &str) {
        let place = Place::Set { argument: argument.to_owned() };
        let Some((key, written)) = argument.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            return self.wrong_set(place, "has no `=`");
        };
        let parts: Vec<&str> = key.split('.').map(str::trim).collect();
        if parts.len() < 2 || parts.iter().any(|part| part.is_empty()) {
            return self.wrong_set(place, "names no `section.key`");
        }
        let key = parts.join(".");
        let value = match DeValue::parse(written) {
            Ok(value) => convert(value.get_ref(), &place, &|_| place.clone()),
            Err(_) => Value::Text(written.to_owned()),
        };
        self.entries.insert(key, Entry { value, place });
    }

    fn wrong_set(&mut self, place: Place, what: &str) {
        self.problems.push(Problem {
            place,
            key: String::new(),
            message: format!("this argument {what}"),
            remedy: "write --set section.key=value, such as --set metrics.interval=15s".to_owned(),
        });
    }

    fn read_table(&mut self, above: &str, table: &DeTable<'_>, at: &dyn Fn(usize) -> Place) {
        for (key, value) in table {
            let name = key.get_ref();
            let path = if above.is_empty() { name.to_string() } else { format!("{above}.{name}") };
            match value.get_ref() {
                DeValue::Table(inner) if !inner.is_empty() => self.read_table(&path, inner, at),
                leaf => {
                    let place = at(key.span().start);
                    let value_place = at(value.span().start);
                    let value = convert(leaf, &value_place, at);
                    // A value's mistakes point at the value, an unknown key's at the key: both start on the same line,
                    // so the key's place serves both.
                    self.entries.insert(path, Entry { value, place });
                }
            }
        }
    }
}

fn convert(value: &DeValue<'_>, place: &Place, at: &dyn Fn(usize) -> Place) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("an integer beyond 64 bits"), Value::Integer),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
        DeValue::Array(items) => {
            let item = |item: &Spanned<DeValue<'_>>| {
                let place = if matches!(place, Place::Set { .. }) { place.clone() } else { at(item.span().start) };
                Entry { value: convert(item.get_ref(), &place, at), place }
            };
            Value::List(items.iter().map(item).collect())
        }
        DeValue::Table(table) if table.is_empty() => Value::Table,
        DeValue::Table(table) => {
            let mut keys: Vec<(String, Entry)> = table
                .iter()
                .map(|(key, value)| {
                    let place = if matches!(place, Place::Set { .. }) { place.clone() } else { at(key.span().start) };
                    (key.get_ref().to_string(), Entry { value: convert(value.get_ref(), &place, at), place })
                })
                .collect();
            keys.sort_unstable_by(|a, b| a.1.place.cmp(&b.1.place));
            Value::Group(keys)
        }
    }
}

fn place_of(file: &str, text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place::File { file: file.to_owned(), line, column }
}

/// The known word nearest to this one, if any is near enough to be what was meant.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let near =
        known.into_iter().map(|candidate| (distance(word, candidate), candidate)).min_by_key(|(steps, _)| *steps)?;
    (near.0 <= (word.chars().count() / 3).max(2)).then_some(near.1)
}

/// Letters to insert, delete or change to come from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let changed = corner + usize::from(letter != *other);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_found_by_path_with_their_places() {
        let mut document = Document::default();
        document.read_file("a.toml", "[metrics]\ninterval = \"10s\"\n\n[sources.cpu]\nenabled = false\n");
        let entry = &document.entries["sources.cpu.enabled"];
        assert_eq!(entry.value, Value::Boolean(false));
        assert_eq!(entry.place.to_string(), "a.toml:5:1");
        assert!(document.problems.is_empty());
    }

    #[test]
    fn overrides_need_no_quotes_and_replace_what_the_file_says() {
        let mut document = Document::default();
        document.read_file("a.toml", "[metrics]\ninterval = \"10s\"\n");
        document.read_set("metrics.interval=15s");
        document.read_set("collector.addresses = [\"a:1\"]");
        document.read_set("spool.max_bytes=5");
        assert_eq!(document.entries["metrics.interval"].value, Value::Text("15s".into()));
        assert_eq!(document.entries["spool.max_bytes"].value, Value::Integer(5));
        assert!(matches!(&document.entries["collector.addresses"].value, Value::List(items) if items.len() == 1));
        document.read_set("interval=5");
        document.read_set("metrics.interval");
        assert_eq!(document.problems.len(), 2);
    }

    #[test]
    fn several_syntax_errors_are_told_at_once() {
        let mut document = Document::default();
        document.read_file("a.toml", "[metrics\ninterval = \n[agent]\nname = \"x\"\nname = \"y\"\n");
        assert!(document.problems.len() >= 2, "{:?}", document.problems);
    }

    #[test]
    fn the_nearest_word_is_suggested_only_when_near() {
        let known = ["interval", "instance", "job"];
        assert_eq!(nearest("intervall", known), Some("interval"));
        assert_eq!(nearest("jobs", known), Some("job"));
        assert_eq!(nearest("retention", known), None);
    }
}
