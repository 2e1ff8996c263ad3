//! From raw label bytes to resolved series, through a bounded cache, so that a steady request looks at no label.
//!
//! A place is a table and a number in it. Series seen together for the first time share a table, so a steady sender's
//! requests are a few blocks of few tables; a request whose series lie in many tables gets one of its own and they move
//! there. The cache is two generations: when the young one is full it becomes the old one, and what is used moves up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use muster_common::label::{LabelError, LabelSet, NAME, SeriesId};
use muster_common::sample::MetricKind;
use muster_store::SeriesTable;

use super::walker::{WalkError, walk_labels};
use crate::host_labels::SeriesRefusal;
use crate::http::speaker::Speaker;

/// The key of a series: a seeded hash of its label fields as they lie in the body.
pub type RawKey = u128;

/// Series that one request may have in tables of others before it gets a table of its own.
pub const TABLES_MAX: usize = 16;

/// Why a series of a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Series(#[from] SeriesRefusal),
    #[error("a label's name or value is not UTF-8")]
    NotText,
    #[error("its labels cannot be read: {0}")]
    Labels(WalkError),
}

/// Where a series stands.
#[derive(Clone, Debug)]
pub enum Place {
    In { table: Arc<SeriesTable>, series: u32 },
    Refused(Arc<Refusal>),
}

/// The label set of these raw labels, with the rules of identity applied.
///
/// # Errors
/// [`Refusal`] names the label and the limit.
pub fn resolve(labels: &[u8], speaker: &Speaker) -> Result<LabelSet, Refusal> {
    let raw = walk_labels(labels).map_err(Refusal::Labels)?;
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(raw.len());
    for (name, value) in raw {
        let pair = (std::str::from_utf8(name), std::str::from_utf8(value));
        let (Ok(name), Ok(value)) = pair else { return Err(Refusal::NotText) };
        if !value.is_empty() {
            pairs.push((name, value));
        }
    }
    if !pairs.iter().any(|(name, _)| *name == NAME) {
        return Err(SeriesRefusal::NoName.into());
    }
    let renamed = speaker.renamed(&pairs)?;
    if let Some((place, exported)) = &renamed {
        pairs[*place].0 = exported;
    }
    LabelSet::new(pairs).map_err(|error: LabelError| Refusal::Series(error.into()))
}

/// Passes the key on: it is a hash already.
#[derive(Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        // The low half of a hash is a hash.
        self.0 = key as u64;
    }
}

type Places = HashMap<RawKey, Place, BuildHasherDefault<KeyHasher>>;

/// The bounded cache.
#[derive(Debug)]
pub struct SeriesCache {
    young: Places,
    old: Places,
    generation_max: usize,
    kinds: HashMap<String, MetricKind>,
}

/// Metric families whose kind is kept.
const KINDS_MAX: usize = 100_000;

impl SeriesCache {
    /// `series_max`: series kept in both generations together.
    pub fn new(series_max: usize) -> Self {
        let generation_max = (series_max / 2).max(1);
        Self { young: Places::default(), old: Places::default(), generation_max, kinds: HashMap::new() }
    }

    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn find(&self, key: RawKey) -> Option<&Place> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// Whether this key is about to be forgotten: it should be put in again.
    pub fn is_aging(&self, key: RawKey) -> bool {
        !self.old.is_empty() && !self.young.contains_key(&key)
    }

    pub fn insert(&mut self, key: RawKey, place: Place) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, place);
    }

    /// Puts new series into one table and remembers them. Those that are refused are remembered as such.
    pub fn add(&mut self, found: Vec<(RawKey, Result<LabelSet, Refusal>)>) {
        let mut places: Vec<(RawKey, u32)> = Vec::with_capacity(found.len());
        let mut series = Vec::with_capacity(found.len());
        // Label sets may be written in several ways, under as many keys.
        let mut seen: HashMap<SeriesId, u32> = HashMap::with_capacity(found.len());
        for (key, result) in found {
            match result {
                Ok(labels) => {
                    let id = labels.id();
                    // Bounded by the series of one request, far below u32.
                    let next = series.len() as u32;
                    let place = *seen.entry(id).or_insert(next);
                    if place == next {
                        let kind = self.kind_of(labels.name());
                        series.push((id, Arc::new(labels), kind));
                    }
                    places.push((key, place));
                }
                Err(refusal) => self.insert(key, Place::Refused(Arc::new(refusal))),
            }
        }
        if !places.is_empty() {
            self.settle(&places, &Arc::new(SeriesTable::shared(series)));
        }
    }

    /// Lets these series stand in this table from now on.
    pub fn settle(&mut self, places: &[(RawKey, u32)], table: &Arc<SeriesTable>) {
        for (key, series) in places {
            self.insert(*key, Place::In { table: table.clone(), series: *series });
        }
    }

    /// Forgets all places: hosts were enrolled, renamed or retired, so label sets may resolve to others.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    /// Notes the kind of a metric family. A kind that changes makes the places resolve anew.
    pub fn note_kind(&mut self, family: &str, kind: MetricKind) {
        let known = self.kinds.get(family);
        if kind == MetricKind::Untyped || known == Some(&kind) || (known.is_none() && self.kinds.len() >= KINDS_MAX) {
            return;
        }
        self.kinds.insert(family.to_owned(), kind);
        self.clear();
    }

    fn kind_of(&self, name: &str) -> MetricKind {
        let family = ["_bucket", "_count", "_sum", "_total"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
        let kinds = [Some(name), family].into_iter().flatten();
        kinds.filter_map(|name| self.kinds.get(name)).next().copied().unwrap_or(MetricKind::Untyped)
    }
}

/// Prometheus' numbers of metric types.
pub const fn kind_of_number(number: u64) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 | 6 | 7 => MetricKind::Gauge,
        3 | 4 => MetricKind::Histogram,
        5 => MetricKind::Summary,
        _ => MetricKind::Untyped,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::remote_write::tests::label_fields;

    fn speaker() -> Speaker {
        Speaker { enrolled: Arc::new(HashSet::from(["web1".to_owned()])), speaks_for_hosts: false }
    }

    fn resolved(labels: &[(&str, &str)], speaker: &Speaker) -> Result<String, Refusal> {
        resolve(&label_fields(labels), speaker).map(|labels| labels.to_string())
    }

    #[test]
    fn a_push_cannot_pass_for_an_enrolled_host() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("__name__", "m"), ("host", "other")], r#"m{host="other"}"#),
            (&[("__name__", "m"), ("host", "web1")], r#"m{exported_host="web1"}"#),
            (
                &[("__name__", "m"), ("host", "web1"), ("exported_host", "x")],
                r#"m{exported_exported_host="web1", exported_host="x"}"#,
            ),
            (&[("job", "j"), ("__name__", "m"), ("empty", "")], r#"m{job="j"}"#),
        ];
        for (labels, expect) in cases {
            assert_eq!(resolved(labels, &speaker()).as_deref(), Ok(expect));
        }
        let trusted = Speaker { speaks_for_hosts: true, ..speaker() };
        assert_eq!(resolved(&[("__name__", "m"), ("host", "web1")], &trusted).as_deref(), Ok(r#"m{host="web1"}"#));
    }

    #[test]
    fn reserved_labels_and_broken_ones_are_named() {
        for labels in [[("__name__", "m"), ("source", "muster")], [("__name__", "m"), ("host", "muster")]] {
            assert_eq!(resolved(&labels, &speaker()), Err(SeriesRefusal::Reserved.into()));
        }
        assert_eq!(resolved(&[("job", "a")], &speaker()), Err(SeriesRefusal::NoName.into()));
        let names: Vec<String> = (0..1000).map(|number| format!("l{number:04}")).collect();
        let mut many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        many.push(("__name__", "m"));
        let too_many = LabelError::TooMany { count: 1001 };
        assert_eq!(resolved(&many, &speaker()), Err(Refusal::Series(too_many.into())));
        let mut bytes = label_fields(&[("__name__", "m")]);
        let at = bytes.len() - 1;
        bytes[at] = 0xff;
        assert_eq!(resolve(&bytes, &speaker()), Err(Refusal::NotText));
        assert!(matches!(resolve(&bytes[..at], &speaker()), Err(Refusal::Labels(_))));
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut cache = SeriesCache::new(20);
        let refused = || Place::Refused(Arc::new(Refusal::NotText));
        for key in 0..100 {
            if cache.is_aging(7) && cache.find(7).is_some() {
                cache.insert(7, refused());
            }
            cache.insert(key, refused());
            assert!(cache.len() <= 20, "{} after {key}", cache.len());
        }
        assert!(cache.find(7).is_some() && cache.find(99).is_some() && cache.find(50).is_none());
    }

    #[test]
    fn kinds_come_from_metadata_and_make_series_resolve_anew() {
        let mut cache = SeriesCache::new(100);
        let labels = |name: &str| Ok(LabelSet::new([(NAME, name)]).unwrap());
        cache.add(vec![(1, labels("a_total"))]);
        cache.note_kind("a", kind_of_number(1));
        assert!(cache.find(1).is_none());
        cache.add(vec![(1, labels("a_total")), (2, labels("b"))]);
        let kind = |key| match cache.find(key) {
            Some(Place::In { table, series }) => table.series()[*series as usize].kind,
            _ => panic!("it was added"),
        };
        assert_eq!((kind(1), kind(2)), (MetricKind::Counter, MetricKind::Untyped));
    }
}
