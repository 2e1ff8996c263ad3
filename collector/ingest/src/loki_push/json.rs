//! Loki's JSON: `{"streams": [{"stream": {"app": "x"}, "values": [["NANOSECONDS", "line", {"field": "value"}]]}]}`, read entry by entry:
//! what a hostile body costs is its bytes.

use std::borrow::Cow;
use std::fmt;

use muster_common::limits::LABELS_MAX;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::intake::{Intake, Pairs};

/// Why a body is no push. `at` is the byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct JsonError {
    pub at: usize,
    pub what: String,
}

/// Reads a whole request into the intake.
///
/// # Errors
/// [`JsonError`]; [`Intake::place`] tells how far it came.
pub fn read(body: &[u8], intake: &mut Intake<'_>) -> Result<(), JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = Push(intake).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| {
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).to_owned();
        JsonError { at: before + error.column(), what }
    })
}

/// A key of the request or of a stream.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Streams,
    Stream,
    Values,
    #[serde(other)]
    Other,
}

/// Implements a seed by its visitor's own form, and lets `null` stand for nothing, as Go writes empty lists.
macro_rules! seed {
    ($name:ident, $value:ty, $expects:literal, $empty:expr, $method:ident, $access:ident, |$seed:ident, $parts:ident| $body:block) => {
        impl<'de> DeserializeSeed<'de> for $name<'_, '_> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $name<'_, '_> {
            type Value = $value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expects)
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok($empty)
            }

            fn $method<A: $access<'de>>(self, mut $parts: A) -> Result<Self::Value, A::Error> {
                let $seed = self;
                $body
            }
        }
    };
}

struct Push<'a, 'i>(&'a mut Intake<'i>);
struct Streams<'a, 'i>(&'a mut Intake<'i>);
struct Stream<'a, 'i>(&'a mut Intake<'i>);
struct Values<'a, 'i>(&'a mut Intake<'i>);
struct Entry<'a, 'i>(&'a mut Intake<'i>);

seed!(Push, (), "an object with `streams`", (), visit_map, MapAccess, |seed, map| {
    while let Some(key) = map.next_key()? {
        match key {
            Key::Streams => map.next_value_seed(Streams(&mut *seed.0))?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    Ok(())
});

seed!(Streams, (), "a list of streams", (), visit_seq, SeqAccess, |seed, list| {
    while list.next_element_seed(Stream(&mut *seed.0))?.is_some() {}
    Ok(())
});

seed!(Stream, (), "a stream: an object with `stream` and `values`", (), visit_map, MapAccess, |seed, map| {
    seed.0.begin_stream().map_err(A::Error::custom)?;
    let mut labels = Pairs::default();
    while let Some(key) = map.next_key()? {
        match key {
            Key::Stream => labels = map.next_value_seed(Texts)?,
            Key::Values => map.next_value_seed(Values(&mut *seed.0))?,
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    seed.0.end_stream(Ok(labels));
    Ok(())
});

seed!(Values, (), "a list of entries", (), visit_seq, SeqAccess, |seed, list| {
    while list.next_element_seed(Entry(&mut *seed.0))?.is_some() {}
    Ok(())
});

seed!(Entry, (), "an entry: [\"NANOSECONDS\", \"line\"]", (), visit_seq, SeqAccess, |seed, list| {
    seed.0.begin_entry().map_err(A::Error::custom)?;
    let short = || A::Error::custom("an entry has a time and a line: [\"NANOSECONDS\", \"line\"]");
    let Text(time) = list.next_element()?.ok_or_else(short)?;
    let at_ns = time.parse::<i128>().map_err(|_| {
        let time: String = time.chars().take(40).collect();
        A::Error::custom(format!("`{time}` is no time: write nanoseconds since 1970 as a text"))
    })?;
    let Line(line) = list.next_element()?.ok_or_else(short)?;
    let fields = list.next_element_seed(Texts)?.unwrap_or_default();
    if list.next_element::<IgnoredAny>()?.is_some() {
        return Err(A::Error::custom("an entry has a time, a line and structured metadata, nothing more"));
    }
    seed.0.entry(at_ns, line, &fields);
    Ok(())
});

/// An object of texts. Beyond what a set may have they are only counted.
struct Texts;

impl<'de> DeserializeSeed<'de> for Texts {
    type Value = Pairs<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Texts {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Pairs::default();
        loop {
            if pairs.count >= LABELS_MAX {
                match map.next_entry::<IgnoredAny, IgnoredAny>()? {
                    Some(_) => pairs.count += 1,
                    None => return Ok(pairs),
                }
            } else {
                let Some(Text(name)) = map.next_key()? else { return Ok(pairs) };
                let Text(value) = map.next_value()?;
                pairs.count += 1;
                pairs.list.push((name, value));
            }
        }
    }
}

/// A text, borrowed where it has no escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Of)
    }
}

/// A line: whatever stands between the quotes, UTF-8 or not.
struct Line<'de>(Cow<'de, [u8]>);

impl<'de> Deserialize<'de> for Line<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Of;
        impl<'de> Visitor<'de> for Of {
            type Value = Line<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a line in quotes")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Line(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Line(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Of)
    }
}
