//! The keys of a native check: what each kind has, and their values once checked.

use std::collections::BTreeMap;

use muster_common::range::Range;
use muster_common::time::parse_span;

/// What a key's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    /// An absolute path.
    Path,
    /// A threshold as plugins have it; sizes such as `10GiB` and spans such as `26h` may stand in it.
    Range,
    Port,
    Flag,
    /// One text, or a list of them.
    Texts,
}

/// A key that a kind has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
}

/// For a kind's table of keys.
pub(crate) const fn key(name: &'static str, form: Form) -> Key {
    Key { name, form }
}

/// A value as the configuration has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Text(String),
    Integer(i64),
    Flag(bool),
    Texts(Vec<String>),
    /// Something else, by its kind's word.
    Other(&'static str),
}

/// A value that has been checked.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Range(Range),
    Port(u16),
    Flag(bool),
    Texts(Vec<String>),
}

/// Why a key's value, or its absence, will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyError {
    pub(crate) key: &'static str,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl KeyError {
    pub(crate) fn new(key: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { key, message: message.into(), remedy: remedy.into() }
    }
}

/// The keys of one check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keys(BTreeMap<&'static str, Value>);

impl Keys {
    /// Takes a value in.
    ///
    /// # Errors
    /// [`KeyError`] when it has not the key's form.
    pub(crate) fn set(&mut self, key: Key, raw: Raw) -> Result<(), KeyError> {
        let value = match (key.form, raw) {
            (Form::Text, Raw::Text(text)) if !text.is_empty() => Some(Value::Text(text)),
            (Form::Path, Raw::Text(text)) if text.starts_with('/') => Some(Value::Text(text)),
            (Form::Range, Raw::Text(text)) => return self.set_range(key.name, &text),
            (Form::Range, Raw::Integer(number)) => return self.set_range(key.name, &number.to_string()),
            (Form::Port, Raw::Integer(number)) => u16::try_from(number).ok().filter(|port| *port > 0).map(Value::Port),
            (Form::Flag, Raw::Flag(flag)) => Some(Value::Flag(flag)),
            (Form::Texts, Raw::Text(text)) if !text.is_empty() => Some(Value::Texts(vec![text])),
            (Form::Texts, Raw::Texts(texts)) if !texts.is_empty() => Some(Value::Texts(texts)),
            (_, Raw::Other(kind)) => {
                return Err(KeyError::new(key.name, format!("is {kind}, not {}", key.form.what()), key.form.example()));
            }
            _ => None,
        };
        let wrong = || KeyError::new(key.name, format!("is not {}", key.form.what()), key.form.example());
        self.0.insert(key.name, value.ok_or_else(wrong)?);
        Ok(())
    }

    fn set_range(&mut self, key: &'static str, text: &str) -> Result<(), KeyError> {
        let error = |error: muster_common::range::RangeError| {
            KeyError::new(key, error.to_string(), "write what is good, such as \"90\", \"10:\" or \"10GiB:\"")
        };
        let range = expand(text).parse().map_err(error)?;
        self.0.insert(key, Value::Range(range));
        Ok(())
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        if let Some(Value::Text(text)) = self.0.get(key) { Some(text) } else { None }
    }

    pub(crate) fn range(&self, key: &str) -> Option<Range> {
        if let Some(Value::Range(range)) = self.0.get(key) { Some(*range) } else { None }
    }

    pub(crate) fn port(&self, key: &str) -> Option<u16> {
        if let Some(Value::Port(port)) = self.0.get(key) { Some(*port) } else { None }
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        if let Some(Value::Flag(flag)) = self.0.get(key) { Some(*flag) } else { None }
    }

    pub(crate) fn texts(&self, key: &str) -> &[String] {
        if let Some(Value::Texts(texts)) = self.0.get(key) { texts } else { &[] }
    }

    /// A text that must be there.
    pub(crate) fn required(&self, key: &'static str, example: &str) -> Result<&str, KeyError> {
        self.text(key).ok_or_else(|| KeyError::new(key, "is missing", format!("write `{key} = \"{example}\"`")))
    }
}

impl Form {
    const fn what(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Path => "an absolute path",
            Self::Range => "a range",
            Self::Port => "a port from 1 to 65535",
            Self::Flag => "true or false",
            Self::Texts => "a text or a list of texts",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Text => "write \"a text\" that is not empty",
            Self::Path => "write a path, such as \"/var\"",
            Self::Range => "write what is good, such as \"90\" or \"10:\"",
            Self::Port => "write a number, such as 443",
            Self::Flag => "write true or false",
            Self::Texts => "write a list, such as [\"/\", \"/var\"]",
        }
    }
}

/// `10GiB:` becomes `10737418240:` (bytes) and `26h` becomes `93600` (seconds); anything else stays as it is.
fn expand(text: &str) -> String {
    const UNITS: [(&str, f64); 4] =
        [("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("TiB", 1_099_511_627_776.0)];
    let (inside, ends) = text.strip_prefix('@').map_or(("", text), |ends| ("@", ends));
    let expand_end = |end: &str| {
        let sized = UNITS.iter().find_map(|(unit, bytes)| {
            let number: f64 = end.trim().strip_suffix(unit)?.trim_end().parse().ok()?;
            Some((number * bytes).to_string())
        });
        let span = || parse_span(end.trim()).ok().map(|span| span.as_secs_f64().to_string());
        sized.or_else(span).unwrap_or_else(|| end.to_owned())
    };
    let ends: Vec<String> = ends.split(':').map(expand_end).collect();
    format!("{inside}{}", ends.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_form_of_their_key_or_are_told() {
        let mut keys = Keys::default();
        for (form, raw) in [
            (Form::Text, Raw::Text("x".into())),
            (Form::Path, Raw::Text("/x".into())),
            (Form::Port, Raw::Integer(443)),
            (Form::Flag, Raw::Flag(true)),
            (Form::Texts, Raw::Text("/".into())),
        ] {
            keys.set(key("k", form), raw).unwrap();
        }
        assert_eq!(keys.texts("k"), ["/"]);
        for (form, raw) in [
            (Form::Text, Raw::Text(String::new())),
            (Form::Path, Raw::Text("x".into())),
            (Form::Port, Raw::Integer(0)),
            (Form::Port, Raw::Integer(65_536)),
            (Form::Flag, Raw::Text("yes".into())),
            (Form::Texts, Raw::Texts(Vec::new())),
            (Form::Range, Raw::Text("20:10".into())),
            (Form::Text, Raw::Other("a date")),
        ] {
            let error = keys.set(key("k", form), raw.clone()).unwrap_err();
            assert!(!error.message.is_empty() && error.remedy.starts_with("write"), "{raw:?}: {error:?}");
        }
        assert_eq!(keys.texts("k"), ["/"], "a wrong value changes nothing");
    }

    #[test]
    fn ranges_may_be_integers_and_hold_sizes() {
        let mut keys = Keys::default();
        keys.set(key("warn", Form::Range), Raw::Integer(90)).unwrap();
        keys.set(key("crit", Form::Range), Raw::Text("@1.5GiB:2GiB".into())).unwrap();
        assert_eq!(keys.range("warn").map(|range| range.to_string()).as_deref(), Some("90"));
        assert_eq!(keys.range("crit").map(|range| range.to_string()).as_deref(), Some("@1610612736:2147483648"));
        keys.set(key("crit", Form::Range), Raw::Text("1m:26h".into())).unwrap();
        assert_eq!(keys.range("crit").map(|range| range.to_string()).as_deref(), Some("60:93600"));
    }
}
