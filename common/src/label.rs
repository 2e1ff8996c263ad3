//! Label sets and series ids.

use std::fmt;

use crate::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX};

/// The label that holds a series' metric name.
pub const NAME: &str = "__name__";

/// A sorted set of name=value pairs, kept as its canonical bytes: for each pair, by name in byte order,
/// `u16 LE length, name, u16 LE length, value`. Equal sets have equal bytes, so the bytes are compared, hashed and stored.
/// Names are unique and never empty; a pair with an empty value is not in the set (Prometheus: empty means absent).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LabelSet {
    bytes: Box<[u8]>,
}

/// The id of a series: xxh3-128 of its label set's canonical bytes. Never allocated, so every store agrees on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub u128);

/// Why labels are refused. Every text names the label and the limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("{count} labels, but a series may have at most {LABELS_MAX}: drop some before sending")]
    TooMany { count: usize },
    #[error("a label has an empty name: give it one or drop it")]
    EmptyName,
    #[error("label name `{start}...` has {bytes} bytes, but at most {LABEL_NAME_BYTES_MAX} are allowed: shorten it")]
    NameTooLong { start: String, bytes: usize },
    #[error(
        "the value of label `{name}` has {bytes} bytes, but at most {LABEL_VALUE_BYTES_MAX} are allowed: shorten it"
    )]
    ValueTooLong { name: String, bytes: usize },
    #[error("label `{name}` stands twice: send each name once")]
    Twice { name: String },
    #[error("the stored label bytes are damaged")]
    Damaged,
}

impl LabelSet {
    /// The canonical set of these pairs, in any order. Pairs with an empty value are left out.
    ///
    /// # Errors
    /// [`LabelError`] names the label that is over a limit, empty or doubled.
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, LabelError> {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().filter(|(_, value)| !value.as_ref().is_empty()).collect();
        if pairs.len() > LABELS_MAX {
            return Err(LabelError::TooMany { count: pairs.len() });
        }
        if !pairs.is_sorted_by(|a, b| a.0.as_ref() <= b.0.as_ref()) {
            pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        }
        let size = pairs.iter().map(|(n, v)| 4 + n.as_ref().len() + v.as_ref().len()).sum();
        let mut bytes = Vec::with_capacity(size);
        let mut last: Option<&str> = None;
        for (name, value) in &pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            if name.is_empty() {
                return Err(LabelError::EmptyName);
            }
            if name.len() > LABEL_NAME_BYTES_MAX {
                return Err(LabelError::NameTooLong { start: name.chars().take(40).collect(), bytes: name.len() });
            }
            if value.len() > LABEL_VALUE_BYTES_MAX {
                return Err(LabelError::ValueTooLong { name: name.to_owned(), bytes: value.len() });
            }
            if last == Some(name) {
                return Err(LabelError::Twice { name: name.to_owned() });
            }
            last = Some(name);
            push(&mut bytes, name);
            push(&mut bytes, value);
        }
        Ok(Self { bytes: bytes.into_boxed_slice() })
    }

    /// The set whose canonical bytes these are; checks them whole, so damaged or foreign bytes cannot pass.
    ///
    /// # Errors
    /// [`LabelError::Damaged`], or the limit that is broken.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, LabelError> {
        let (mut rest, mut count, mut last) = (bytes, 0usize, None::<&[u8]>);
        while !rest.is_empty() {
            let (name, after) = take(rest).ok_or(LabelError::Damaged)?;
            let (value, after) = take(after).ok_or(LabelError::Damaged)?;
            let text = std::str::from_utf8(name).is_ok() && std::str::from_utf8(value).is_ok();
            let ordered = last.is_none_or(|last| last < name);
            if !text || !ordered || name.is_empty() || value.is_empty() {
                return Err(LabelError::Damaged);
            }
            if name.len() > LABEL_NAME_BYTES_MAX || value.len() > LABEL_VALUE_BYTES_MAX {
                return Err(LabelError::Damaged);
            }
            last = Some(name);
            count += 1;
            rest = after;
        }
        if count > LABELS_MAX { Err(LabelError::TooMany { count }) } else { Ok(Self { bytes: bytes.into() }) }
    }

    pub fn canonical(&self) -> &[u8] {
        &self.bytes
    }

    pub fn id(&self) -> SeriesId {
        SeriesId(xxhash_rust::xxh3::xxh3_128(&self.bytes))
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The pairs, by name.
    pub fn iter(&self) -> Labels<'_> {
        Labels { rest: &self.bytes }
    }

    /// The value of this label; absent is `None`, never an empty text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The metric name, or an empty text.
    pub fn name(&self) -> &str {
        self.get(NAME).unwrap_or("")
    }

    /// This set with these labels set (or, by an empty value, removed).
    ///
    /// # Errors
    /// [`LabelError`] as [`LabelSet::new`].
    pub fn with(&self, changes: &[(&str, &str)]) -> Result<Self, LabelError> {
        let kept = self.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        Self::new(kept.chain(changes.iter().copied()))
    }
}

fn push(bytes: &mut Vec<u8>, text: &str) {
    // The limits above keep every length below u16::MAX.
    bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// Iterator over the pairs of a [`LabelSet`], by name.
pub struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Labels<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = take(self.rest)?;
        let (value, rest) = take(rest)?;
        self.rest = rest;
        // Canonical bytes come only from `new` and `from_canonical`, both of which saw UTF-8.
        Some((std::str::from_utf8(name).unwrap_or_default(), std::str::from_utf8(value).unwrap_or_default()))
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = (&'a str, &'a str);
    type IntoIter = Labels<'a>;

    fn into_iter(self) -> Labels<'a> {
        self.iter()
    }
}

impl fmt::Display for LabelSet {
    /// Prometheus' form: `name{a="b", c="d"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut first = true;
        for (name, value) in self.iter().filter(|(name, _)| *name != NAME) {
            write!(f, "{}{name}={value:?}", if first { "{" } else { ", " })?;
            first = false;
        }
        if !first {
            f.write_str("}")
        } else if self.name().is_empty() {
            f.write_str("{}")
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_pairs_does_not_matter_and_empty_means_absent() {
        let a = LabelSet::new([("b", "2"), ("__name__", "up"), ("z", "")]).unwrap();
        let b = LabelSet::new([("__name__", "up"), ("b", "2")]).unwrap();
        assert_eq!((a.id(), a.to_string()), (b.id(), "up{b=\"2\"}".to_owned()));
        assert_eq!(LabelSet::from_canonical(a.canonical()), Ok(b));
    }

    #[test]
    fn wrong_labels_are_named() {
        assert_eq!(LabelSet::new([("a", "1"), ("a", "2")]), Err(LabelError::Twice { name: "a".into() }));
        assert_eq!(LabelSet::new([("", "1")]), Err(LabelError::EmptyName));
        let long = "x".repeat(LABEL_VALUE_BYTES_MAX + 1);
        assert!(matches!(LabelSet::new([("a", &long)]), Err(LabelError::ValueTooLong { .. })));
        let many: Vec<_> = (0..65).map(|i| (format!("l{i}"), "v")).collect();
        assert_eq!(LabelSet::new(many), Err(LabelError::TooMany { count: 65 }));
    }

    #[test]
    fn damaged_canonical_bytes_never_pass() {
        let good = LabelSet::new([("a", "1"), ("b", "2")]).unwrap();
        for cut in 1..good.canonical().len() {
            let part = LabelSet::from_canonical(&good.canonical()[..cut]);
            assert!(part.is_err() || part.unwrap().canonical().len() == 6, "cut at {cut}");
        }
        assert!(LabelSet::from_canonical(&[1, 0, b'b', 1, 0, b'1', 1, 0, b'a', 1, 0, b'1']).is_err());
        assert!(LabelSet::from_canonical(&[1, 0, 0xff, 1, 0, b'1']).is_err());
    }
}
