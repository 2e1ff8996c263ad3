//! Labels as the evaluator sees them: shared, with the metric name dropped by a flag, and cut down to the subsets by
//! which series are grouped and matched. All of it happens once per series.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use muster_common::label::{LabelSet, NAME};
use muster_common::matcher::{Matcher, Test};

use crate::error::QueryError;

/// The labels of a series in the making.
#[derive(Clone, Debug)]
pub(crate) struct SeriesLabels {
    set: Arc<LabelSet>,
    /// The name in `set` no longer counts. Most results are grouped before anyone looks, so it is not rebuilt.
    nameless: bool,
}

/// The pairs of canonical bytes, unread: `(name, value)`.
struct RawPairs<'a>(&'a [u8]);

impl<'a> Iterator for RawPairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = take(self.0)?;
        let (value, rest) = take(rest)?;
        self.0 = rest;
        Some((name, value))
    }
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}

/// The pairs of canonical bytes as texts.
pub(crate) fn pairs_of(bytes: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    RawPairs(bytes).map(move |(name, value)| (text(name), text(value)))
}

/// Appends a pair's canonical bytes; its lengths were read from canonical bytes, so they fit.
fn push(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text);
}

impl SeriesLabels {
    pub(crate) fn new(set: Arc<LabelSet>) -> Self {
        Self { set, nameless: false }
    }

    pub(crate) fn none() -> Self {
        Self::new(Arc::new(LabelSet::default()))
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let nameless = self.nameless;
        RawPairs(self.set.canonical()).filter(move |(name, _)| !nameless || *name != NAME.as_bytes())
    }

    /// The value of a label; an empty text where it is absent.
    pub(crate) fn get(&self, label: &str) -> &str {
        let value = self.pairs().find(|(name, _)| *name == label.as_bytes()).map_or(&b""[..], |(_, value)| value);
        std::str::from_utf8(value).unwrap_or_default()
    }

    pub(crate) fn drop_name(&mut self) {
        self.nameless = true;
    }

    /// The canonical bytes of the labels that are kept; `out` is emptied first.
    pub(crate) fn subset(&self, mut keep: impl FnMut(&[u8]) -> bool, out: &mut Vec<u8>) {
        out.clear();
        for (name, value) in self.pairs().filter(|(name, _)| keep(name)) {
            push(out, name);
            push(out, value);
        }
    }

    /// All of them as a set of their own.
    pub(crate) fn to_set(&self) -> Arc<LabelSet> {
        if !self.nameless {
            return Arc::clone(&self.set);
        }
        let mut bytes = Vec::with_capacity(self.set.canonical().len());
        self.subset(|_| true, &mut bytes);
        Arc::new(LabelSet::from_canonical(&bytes).unwrap_or_default())
    }

    /// With these labels set, or removed by an empty value.
    pub(crate) fn with(&self, changes: &[(&str, &str)]) -> Result<Self, QueryError> {
        let set = self.to_set().with(changes).map_err(|error| QueryError::execution(error.to_string()))?;
        Ok(Self::new(Arc::new(set)))
    }

    /// Of canonical bytes that [`SeriesLabels::subset`] wrote.
    pub(crate) fn of_subset(bytes: &[u8]) -> Self {
        Self::new(Arc::new(LabelSet::from_canonical(bytes).unwrap_or_default()))
    }
}

impl std::fmt::Display for SeriesLabels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&*self.to_set(), f)
    }
}

/// Prometheus' order of label sets: pair by pair, name before value, the shorter set first.
pub(crate) fn compare(a: &LabelSet, b: &LabelSet) -> Ordering {
    RawPairs(a.canonical()).cmp(RawPairs(b.canonical()))
}

/// Which labels make series belong together. The labels are sorted.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    /// All but these (and but the name), rather than only these.
    pub(crate) without: bool,
    pub(crate) labels: &'a [String],
}

impl Group<'_> {
    pub(crate) fn key(&self, labels: &SeriesLabels, out: &mut Vec<u8>) {
        let listed = |name: &[u8]| self.labels.binary_search_by(|own| own.as_bytes().cmp(name)).is_ok();
        if self.without {
            labels.subset(|name| name != NAME.as_bytes() && !listed(name), out);
        } else {
            labels.subset(listed, out);
        }
    }
}

/// Numbers for keys, in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Keys {
    numbers: HashMap<Box<[u8]>, usize>,
}

impl Keys {
    /// The key's number, and whether it is new.
    pub(crate) fn number(&mut self, key: &[u8]) -> (usize, bool) {
        if let Some(number) = self.numbers.get(key) {
            return (*number, false);
        }
        let number = self.numbers.len();
        self.numbers.insert(key.into(), number);
        (number, true)
    }
}

/// The labels that the missing series would have: what is matched to be equal, and by one matcher only. (As in
/// Prometheus, only matchers after the equal one make it doubtful.)
pub(crate) fn labels_sought(matchers: &[Matcher]) -> Vec<(&str, &str)> {
    let mut labels: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != NAME) {
        match (&matcher.test, labels.get_mut(matcher.name.as_str())) {
            (_, Some(known)) => *known = None,
            (Test::Equal(value), None) => drop(labels.insert(&matcher.name, Some(value))),
            _ => {}
        }
    }
    labels.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> SeriesLabels {
        SeriesLabels::new(Arc::new(LabelSet::new(pairs.iter().copied()).unwrap()))
    }

    #[test]
    fn subsets_are_label_sets_again() {
        let mut own = labels(&[("__name__", "m"), ("a", "1"), ("b", "2"), ("c", "3")]);
        let mut key = Vec::new();
        let names = ["b".to_owned(), "x".to_owned()];
        Group { without: false, labels: &names }.key(&own, &mut key);
        assert_eq!(SeriesLabels::of_subset(&key).to_string(), "{b=\"2\"}");
        Group { without: true, labels: &names }.key(&own, &mut key);
        assert_eq!(SeriesLabels::of_subset(&key).to_string(), "{a=\"1\", c=\"3\"}");
        own.drop_name();
        assert_eq!((own.get("__name__"), own.get("c"), own.get("d")), ("", "3", ""));
        assert_eq!(own.to_set().to_string(), "{a=\"1\", b=\"2\", c=\"3\"}");
    }

    #[test]
    fn the_order_is_by_text_not_by_length() {
        let (short, long) = (labels(&[("a", "z")]), labels(&[("a", "aaa")]));
        assert_eq!(compare(&long.to_set(), &short.to_set()), Ordering::Less);
        assert_eq!(compare(&short.to_set(), &labels(&[("a", "z"), ("b", "1")]).to_set()), Ordering::Less);
    }
}
