//! The series index of the heads: label set -> slot, and postings by (name, value).
//!
//! It outlives a generation: slots keep their numbers while most series go on, so that a new generation costs no look-up.
//! When less than half of it was in use at a seal, the next generation starts a fresh one (churn does not pile up).
//! Only the writer adds, under a short write lock; queries hold the read lock for at most [`VALUES_A_LOCK`] values.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use parking_lot::{Mutex, RwLock};

use crate::postings::Postings;
use crate::table::TableSeries;

/// Values that a query copies in one hold of the lock: about 50 us.
const VALUES_A_LOCK: usize = 4_096;

/// Walking the known order pays for selections of at least this part of all series.
const ORDER_FROM_SHARE: usize = 16;

/// Label sets with their slots. Numbers are unique in the process, so that tables know whose slots they remember.
pub(crate) struct SeriesIndex {
    number: u64,
    inner: RwLock<Inner>,
    ordered: Mutex<Ordered>,
}

/// Slots in the order of their label sets, as far as was asked for.
#[derive(Default)]
struct Ordered {
    slots: Arc<Vec<u32>>,
    /// Slots below this are in it.
    covered: usize,
}

#[derive(Default)]
struct Inner {
    /// Low half of the series id (or the next free number after it, where two label sets share an id) -> slot.
    ids: HashMap<u64, u32, BuildHasherDefault<IdHasher>>,
    /// By slot; `None` only where a reopened inbox file left numbers out.
    series: Vec<Option<Indexed>>,
    count: usize,
    names: Vec<NameLists>,
    name_numbers: HashMap<Arc<str>, u32, BuildHasherDefault<TextHasher>>,
}

#[derive(Clone)]
pub(crate) struct Indexed {
    pub(crate) labels: Arc<LabelSet>,
    pub(crate) kind: MetricKind,
}

struct NameLists {
    name: Arc<str>,
    numbers: HashMap<Arc<str>, u32, BuildHasherDefault<TextHasher>>,
    values: Vec<ValueList>,
}

struct ValueList {
    value: Arc<str>,
    slots: Vec<u32>,
}

/// Ids are hashes already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// xxh3 in one call: label texts are short and SipHash would be half of the index's cost.
#[derive(Default)]
struct TextHasher(u64);

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u8(&mut self, _end: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl SeriesIndex {
    pub(crate) fn new() -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), inner: RwLock::default(), ordered: Mutex::default() }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Series known.
    pub(crate) fn len(&self) -> usize {
        self.inner.read().count
    }

    /// The slots of these series, new ones where there were none. `changed` is told each slot whose kind became known.
    pub(crate) fn assign(&self, series: &[TableSeries], changed: &mut dyn FnMut(u32)) -> Arc<[u32]> {
        let mut inner = self.inner.write();
        series.iter().map(|one| inner.assign(one, changed)).collect()
    }

    /// Puts a series at the slot that an inbox file gave it.
    pub(crate) fn restore(&self, slot: u32, series: &TableSeries) {
        let mut inner = self.inner.write();
        match inner.find(series) {
            Ok(known) if known == slot => inner.learn(slot, series.kind),
            _ => inner.insert(slot, series),
        }
    }

    /// Gives out no slot below this: an inbox file has samples there whose series it has lost.
    pub(crate) fn reserve(&self, slots: usize) {
        let mut inner = self.inner.write();
        if inner.series.len() < slots {
            inner.series.resize(slots, None);
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<Indexed> {
        self.inner.read().series.get(slot as usize).cloned().flatten()
    }

    /// What stands at these slots; absent slots are left out.
    pub(crate) fn get_all(&self, slots: &[u32]) -> Vec<(u32, Indexed)> {
        let mut out = Vec::with_capacity(slots.len());
        for part in slots.chunks(VALUES_A_LOCK) {
            let inner = self.inner.read();
            out.extend(part.iter().filter_map(|&slot| Some((slot, inner.series.get(slot as usize)?.clone()?))));
        }
        out
    }

    /// All slots in the order of their label sets. Only what came since the last call is sorted.
    pub(crate) fn in_label_order(&self) -> Arc<Vec<u32>> {
        let mut ordered = self.ordered.lock();
        let known = self.inner.read().series.len();
        if ordered.covered < known {
            let fresh: Vec<u32> = (ordered.covered as u32..known as u32).collect();
            let mut keyed: Vec<(Arc<LabelSet>, u32)> = Vec::with_capacity(ordered.slots.len() + fresh.len());
            let fresh = self.get_all(&fresh);
            keyed.extend(self.get_all(&ordered.slots).into_iter().map(|(slot, one)| (one.labels, slot)));
            keyed.extend(fresh.into_iter().map(|(slot, one)| (one.labels, slot)));
            // A stable sort takes the run that is sorted already as it is.
            keyed.sort_by(|a, b| a.0.cmp(&b.0));
            *ordered = Ordered { slots: Arc::new(keyed.into_iter().map(|(_, slot)| slot).collect()), covered: known };
        }
        ordered.slots.clone()
    }

    /// Rising slots, put in the order of label sets as far as that is known already: what is sorted afterwards is sorted sooner.
    pub(crate) fn roughly_ordered(&self, slots: Vec<u32>) -> Vec<u32> {
        let (known, covered) = {
            let ordered = self.ordered.lock();
            (ordered.slots.clone(), ordered.covered as u32)
        };
        if slots.len() * ORDER_FROM_SHARE < known.len() || slots.is_empty() {
            return slots;
        }
        let mut wanted = vec![false; covered as usize];
        let (old, new) = slots.split_at(slots.partition_point(|&slot| slot < covered));
        old.iter().for_each(|&slot| wanted[slot as usize] = true);
        let old = known.iter().copied().filter(|&slot| wanted[slot as usize]);
        old.chain(new.iter().copied()).collect()
    }

    /// Label names, in no order.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.inner.read().names.iter().map(|lists| lists.name.clone()).collect()
    }

    /// Calls `each` with every value of a label name and its slots; the lock is not held meanwhile.
    pub(crate) fn values(&self, name: &str, each: &mut dyn FnMut(&Arc<str>, Vec<u32>)) {
        let mut from = 0;
        loop {
            let part: Vec<_> = {
                let inner = self.inner.read();
                let Some(lists) = inner.name(name) else { return };
                lists.values.iter().skip(from).take(256).map(|list| (list.value.clone(), list.slots.clone())).collect()
            };
            if part.is_empty() {
                return;
            }
            from += part.len();
            for (value, slots) in part {
                each(&value, slots);
            }
        }
    }
}

impl Inner {
    /// The slot of this series, or the key under which it is to be entered.
    fn find(&self, series: &TableSeries) -> Result<u32, u64> {
        let mut key = series.id.0 as u64;
        loop {
            match self.ids.get(&key) {
                None => return Err(key),
                Some(&slot) => match &self.series[slot as usize] {
                    Some(known) if Arc::ptr_eq(&known.labels, &series.labels) || known.labels == series.labels => {
                        return Ok(slot);
                    }
                    _ => key = key.wrapping_add(1),
                },
            }
        }
    }

    fn assign(&mut self, series: &TableSeries, changed: &mut dyn FnMut(u32)) -> u32 {
        match self.find(series) {
            Ok(slot) => {
                let known = self.series[slot as usize].as_ref().map(|known| known.kind);
                if series.kind != MetricKind::Untyped && known != Some(series.kind) {
                    self.learn(slot, series.kind);
                    changed(slot);
                }
                slot
            }
            Err(_) => {
                let slot = self.series.len() as u32;
                self.insert(slot, series);
                slot
            }
        }
    }

    fn learn(&mut self, slot: u32, kind: MetricKind) {
        if let Some(Some(known)) = self.series.get_mut(slot as usize) {
            known.kind = kind;
        }
    }

    fn insert(&mut self, slot: u32, series: &TableSeries) {
        let Err(key) = self.find(series) else { return };
        if self.series.len() <= slot as usize {
            self.series.resize(slot as usize + 1, None);
        }
        self.ids.insert(key, slot);
        self.series[slot as usize] = Some(Indexed { labels: series.labels.clone(), kind: series.kind });
        self.count += 1;
        for (place, (name, value)) in series.labels.iter().enumerate() {
            // The n-th label of one series is mostly the n-th name ever seen.
            let lists = match self.names.get(place) {
                Some(lists) if &*lists.name == name => place,
                _ => self.name_number(name),
            };
            self.names[lists].push(value, slot);
        }
    }

    fn name_number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.name_numbers.get(name) {
            return number as usize;
        }
        let name: Arc<str> = name.into();
        self.name_numbers.insert(name.clone(), self.names.len() as u32);
        self.names.push(NameLists { name, numbers: HashMap::default(), values: Vec::new() });
        self.names.len() - 1
    }

    fn name(&self, name: &str) -> Option<&NameLists> {
        self.name_numbers.get(name).map(|&number| &self.names[number as usize])
    }
}

impl NameLists {
    fn push(&mut self, value: &str, slot: u32) {
        match self.numbers.get(value) {
            Some(&number) => {
                let slots = &mut self.values[number as usize].slots;
                match slots.last() {
                    // Only a reopened file enters slots out of order, and only before anything else is entered.
                    Some(&last) if last >= slot => {
                        if let Err(place) = slots.binary_search(&slot) {
                            slots.insert(place, slot);
                        }
                    }
                    _ => slots.push(slot),
                }
            }
            None => {
                let value: Arc<str> = value.into();
                self.numbers.insert(value.clone(), self.values.len() as u32);
                self.values.push(ValueList { value, slots: vec![slot] });
            }
        }
    }
}

impl Postings for SeriesIndex {
    type Error = Infallible;

    fn all(&self) -> Result<Vec<u32>, Infallible> {
        let inner = self.inner.read();
        Ok((0..inner.series.len() as u32).filter(|&slot| inner.series[slot as usize].is_some()).collect())
    }

    fn equal(&self, name: &str, value: &str) -> Result<Vec<u32>, Infallible> {
        let inner = self.inner.read();
        let found = inner.name(name).and_then(|lists| Some(&lists.values[*lists.numbers.get(value)? as usize]));
        Ok(found.map(|list| list.slots.clone()).unwrap_or_default())
    }

    fn passing(&self, name: &str, test: &dyn Fn(&str) -> bool) -> Result<Vec<u32>, Infallible> {
        let (mut from, mut passed) = (0, Vec::new());
        loop {
            let part: Vec<Arc<str>> = {
                let inner = self.inner.read();
                let Some(lists) = inner.name(name) else { return Ok(Vec::new()) };
                lists.values.iter().skip(from).take(VALUES_A_LOCK).map(|list| list.value.clone()).collect()
            };
            if part.is_empty() {
                break;
            }
            passed.extend(part.iter().enumerate().filter(|(_, value)| test(value)).map(|(place, _)| from + place));
            from += part.len();
        }
        let mut all = Vec::new();
        for part in passed.chunks(VALUES_A_LOCK) {
            let inner = self.inner.read();
            let Some(lists) = inner.name(name) else { break };
            part.iter().for_each(|&number| all.extend_from_slice(&lists.values[number].slots));
        }
        // A series has one value of a name: no repeats.
        all.sort_unstable();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use muster_common::label::SeriesId;

    use super::*;

    fn series(id: u128, value: &str, kind: MetricKind) -> TableSeries {
        let labels = LabelSet::new([("__name__", "up"), ("host", value)]).unwrap();
        TableSeries { id: SeriesId(id), labels: Arc::new(labels), kind }
    }

    #[test]
    fn equal_ids_of_different_labels_get_different_slots() {
        let index = SeriesIndex::new();
        let two = [series(7, "a", MetricKind::Untyped), series(7, "b", MetricKind::Untyped)];
        assert_eq!(&*index.assign(&two, &mut |_| {}), [0, 1]);
        assert_eq!(&*index.assign(&two, &mut |_| {}), [0, 1]);
        assert_eq!(index.equal("host", "b"), Ok(vec![1]));
        assert_eq!(index.equal("__name__", "up"), Ok(vec![0, 1]));
        assert_eq!(index.passing("host", &|value| value != "b"), Ok(vec![0]));
    }

    #[test]
    fn a_kind_that_becomes_known_is_told() {
        let index = SeriesIndex::new();
        index.assign(&[series(1, "a", MetricKind::Untyped)], &mut |_| panic!("new is not changed"));
        let mut told = Vec::new();
        index.assign(&[series(1, "a", MetricKind::Gauge)], &mut |slot| told.push(slot));
        index.assign(&[series(1, "a", MetricKind::Untyped)], &mut |slot| told.push(slot));
        assert_eq!((told, index.get(0).unwrap().kind), (vec![0], MetricKind::Gauge));
    }

    #[test]
    fn restored_slots_keep_their_numbers_and_gaps_are_none() {
        let index = SeriesIndex::new();
        index.restore(5, &series(1, "a", MetricKind::Gauge));
        index.restore(2, &series(2, "b", MetricKind::Gauge));
        assert_eq!(&*index.assign(&[series(3, "c", MetricKind::Gauge)], &mut |_| {}), [6]);
        assert_eq!((index.all(), index.len()), (Ok(vec![2, 5, 6]), 3));
        assert_eq!(index.equal("__name__", "up"), Ok(vec![2, 5, 6]));
    }
}
