//! TOML from the file and from `--set`, merged key by key, each value with its place.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{ConfigErrors, Mistake, Place, line_and_column};

/// A value as the settings take it: the collector has no others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Whole(i64),
    Float(f64),
    Truth(bool),
    /// A kind of value that no setting takes; its name for the message.
    Other(&'static str),
}

impl Scalar {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Whole(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Truth(_) => "true or false",
            Self::Other(kind) => kind,
        }
    }
}

/// One key's value. A later one of the same key replaces it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    pub(crate) value: Scalar,
    pub(crate) value_place: Place,
    pub(crate) key_place: Place,
}

/// Settings by section and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) keys: BTreeMap<(String, String), Setting>,
}

/// A file's text and the name to show for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

/// Reads the file and then each `section.key=value` over it. What cannot be read is in the mistakes; the rest is kept, so
/// that all mistakes of a file are told together.
pub(crate) fn merge(file: Option<Source<'_>>, sets: &[String]) -> (Settings, Vec<Mistake>) {
    let (mut settings, mut mistakes) = (Settings::default(), Vec::new());
    if let Some(source) = file {
        read_file(source, &mut settings, &mut mistakes);
    }
    for set in sets {
        match read_set(set) {
            Ok((key, setting)) => {
                settings.keys.insert(key, setting);
            }
            Err(message) => mistakes.push(Mistake { place: Place::Flag(format!("--set {set}")), message }),
        }
    }
    (settings, mistakes)
}

fn read_file(source: Source<'_>, settings: &mut Settings, mistakes: &mut Vec<Mistake>) {
    let at = |byte: usize| {
        let (line, column) = line_and_column(source.text, byte);
        Place::File { path: source.path.to_owned(), line, column }
    };
    let (table, errors) = DeTable::parse_recoverable(source.text);
    for error in errors {
        let place = at(error.span().map_or(0, |span| span.start));
        mistakes.push(Mistake { place, message: format!("this is not TOML: {}", error.message().replace('\n', ", ")) });
    }
    for (section, value) in table.into_inner() {
        let section_place = at(section.span().start);
        let section = section.into_inner().into_owned();
        let DeValue::Table(keys) = value.into_inner() else {
            let message =
                format!("`{section}` must be a section: write `[{section}]` on a line of its own and its keys below");
            mistakes.push(Mistake { place: section_place, message });
            continue;
        };
        // An empty section sets nothing, but its name must be right all the same.
        let marker =
            Setting { value: Scalar::Other("nothing"), value_place: section_place.clone(), key_place: section_place };
        settings.keys.entry((section.clone(), String::new())).or_insert(marker);
        for (key, value) in keys {
            let setting = Setting {
                key_place: at(key.span().start),
                value_place: at(value.span().start),
                value: scalar(value.into_inner()),
            };
            settings.keys.insert((section.clone(), key.into_inner().into_owned()), setting);
        }
    }
}

fn scalar(value: DeValue<'_>) -> Scalar {
    match value {
        DeValue::String(text) => Scalar::Text(text.into_owned()),
        DeValue::Boolean(truth) => Scalar::Truth(truth),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Scalar::Other("a number that is too large"), Scalar::Whole),
        DeValue::Float(number) => number.as_str().parse().map_or(Scalar::Other("an unreadable number"), Scalar::Float),
        DeValue::Datetime(_) => Scalar::Other("a date"),
        DeValue::Array(_) => Scalar::Other("a list"),
        DeValue::Table(_) => Scalar::Other("a section"),
    }
}

fn read_set(set: &str) -> Result<((String, String), Setting), String> {
    const FORM: &str = "write `--set section.key=value`, such as `--set retention.metrics=90d`";
    let (name, value) = set.split_once('=').ok_or_else(|| format!("there is no `=`: {FORM}"))?;
    let (section, key) = name.trim().split_once('.').ok_or_else(|| format!("there is no section: {FORM}"))?;
    if section.is_empty() || key.is_empty() || key.contains('.') {
        return Err(format!("`{name}` is no `section.key`: {FORM}"));
    }
    // As TOML where it is TOML (10, true, "text"), else as the text that it is: nobody wants to quote twice in a shell.
    let value = DeValue::parse(value.trim()).map_or_else(
        |_| Scalar::Text(value.trim().to_owned()),
        |parsed: Spanned<DeValue<'_>>| match scalar(parsed.into_inner()) {
            Scalar::Other("a date") => Scalar::Text(value.trim().to_owned()),
            read => read,
        },
    );
    let place = Place::Flag(format!("--set {set}"));
    Ok(((section.to_owned(), key.to_owned()), Setting { value, value_place: place.clone(), key_place: place }))
}

/// Puts the mistakes in the order in which a reader meets them: the file from its top, then the flags.
pub(crate) fn ordered(mut mistakes: Vec<Mistake>) -> Option<ConfigErrors> {
    mistakes.sort_by_key(|mistake| match &mistake.place {
        Place::File { line, column, .. } => (0, *line, *column),
        Place::Flag(_) => (1, 0, 0),
    });
    (!mistakes.is_empty()).then_some(ConfigErrors(mistakes))
}
