//! Contexts of one session, resolved: the coding that batches need, and the series that they mean.
//!
//! A context is immutable and no data; it is sent in each session before the first batch that names it, so nothing here
//! outlives the session. The cache is bounded by bytes, its own and all sessions' together; the least recently used goes
//! first, and a batch that names a missing one makes the session ask for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Context, Epoch, Scrape, SeriesEntry};
use muster_common::wire::metrics::{RowCoder, RowError};
use muster_store::{Row, SeriesTable};
use xxhash_rust::xxh3::Xxh3;

use crate::admit::SeriesBudget;
use crate::counters::{Count, Counters};
use crate::host_labels::{HostLabels, SeriesRefusal};

/// What becomes of a series of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Labels,
    Reserved,
    Twice,
    Limit,
}

impl Fate {
    const REFUSED: [Self; 4] = [Self::Labels, Self::Reserved, Self::Twice, Self::Limit];

    /// What counts the series, and what counts its samples.
    fn counts(self) -> Option<(Count, Count)> {
        match self {
            Self::Taken => None,
            Self::Labels => Some((Count::SeriesLabels, Count::SamplesLabels)),
            Self::Reserved => Some((Count::SeriesReserved, Count::SamplesReserved)),
            Self::Twice => Some((Count::SeriesTwice, Count::SamplesTwice)),
            Self::Limit => Some((Count::SeriesLimit, Count::SamplesSeriesLimit)),
        }
    }
}

/// A context as batches use it.
#[derive(Debug)]
pub struct Resolved {
    coder: RowCoder,
    /// The series that are taken, in the context's order.
    table: Arc<SeriesTable>,
    /// One a series of the context; empty when all are taken.
    fates: Vec<Fate>,
    /// Hash of names, labels and kinds, so that the next context of the same dictionary reuses the table.
    dictionary: u128,
}

impl Resolved {
    pub fn table(&self) -> &Arc<SeriesTable> {
        &self.table
    }

    /// The scrape's values as a row of the table. Samples of series that are not taken are counted.
    ///
    /// # Errors
    /// [`RowError`]: the scrape does not fit the context.
    pub fn row(&self, scrape: &Scrape, counters: &Counters) -> Result<Row, RowError> {
        let mut values = Vec::new();
        self.coder.decode(scrape, &mut values)?;
        let all = values.len() == self.coder.series();
        if self.fates.is_empty() {
            let present = (!all).then(|| scrape.present.clone());
            return Ok(Row { at_ms: scrape.at_ms, present, values });
        }
        let mut kept = Vec::with_capacity(values.len());
        let mut present = Vec::with_capacity(self.fates.len().div_ceil(8));
        let mut refused = [0u64; Fate::REFUSED.len()];
        let (mut position, mut next) = (0usize, values.iter());
        for (series, fate) in self.fates.iter().enumerate() {
            let value = if bit(&scrape.present, series) { next.next() } else { None };
            if *fate == Fate::Taken {
                if position.is_multiple_of(8) {
                    present.push(0);
                }
                if let (Some(value), Some(last)) = (value, present.last_mut()) {
                    *last |= 1 << (position % 8);
                    kept.push(*value);
                }
                position += 1;
            } else if value.is_some()
                && let Some(at) = Fate::REFUSED.iter().position(|refused| refused == fate)
            {
                refused[at] += 1;
            }
        }
        for (fate, number) in Fate::REFUSED.iter().zip(refused) {
            if let Some((_, samples)) = fate.counts() {
                counters.add(samples, number);
            }
        }
        let present = (kept.len() != position).then_some(present);
        Ok(Row { at_ms: scrape.at_ms, present, values: kept })
    }

    fn bytes(&self) -> usize {
        // The coder's 17 bytes, a label set of a host's series (about 150), its place and slot in the table.
        256 + self.coder.series() * (17 + 220)
    }
}

fn bit(bitmap: &[u8], at: usize) -> bool {
    bitmap.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0)
}

/// What a context id stands for.
#[derive(Clone, Debug)]
pub enum Known {
    Usable(Arc<Resolved>),
    /// Its content is refused, so is each batch that names it.
    Refused(Arc<str>),
}

/// Memory for the contexts of all sessions together.
#[derive(Debug)]
pub struct ContextPool {
    used: AtomicUsize,
    bytes_max: usize,
}

impl ContextPool {
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), bytes_max })
    }

    pub fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.bytes_max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }

    fn release(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The contexts of one session.
#[derive(Debug)]
pub struct Contexts {
    pool: Arc<ContextPool>,
    bytes_max: usize,
    bytes: usize,
    uses: u64,
    entries: HashMap<(Epoch, u32), Entry>,
}

#[derive(Debug)]
struct Entry {
    known: Known,
    bytes: usize,
    used: u64,
}

/// The collector has no memory for this context now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the collector's memory for contexts is full: send fewer series, or give this collector fewer hosts")]
pub struct PoolFull;

/// What a refused context is charged: its reason's text and a place in the map.
const REFUSED_BYTES: usize = 512;

impl Contexts {
    pub fn new(pool: Arc<ContextPool>, bytes_max: usize) -> Self {
        Self { pool, bytes_max, bytes: 0, uses: 0, entries: HashMap::new() }
    }

    pub fn find(&mut self, epoch: Epoch, id: u32) -> Option<Known> {
        self.uses += 1;
        let entry = self.entries.get_mut(&(epoch, id))?;
        entry.used = self.uses;
        Some(entry.known.clone())
    }

    /// Resolves and keeps a context. It replaces one of the same id: in this session the agent's word is the newest.
    ///
    /// # Errors
    /// [`PoolFull`] when all sessions together leave no room even without this session's others.
    pub fn insert(
        &mut self,
        epoch: Epoch,
        context: Context,
        host: &HostLabels,
        budget: &mut SeriesBudget,
        now: Timestamp,
        counters: &Counters,
    ) -> Result<(), PoolFull> {
        counters.one(Count::Contexts);
        let id = context.id;
        let known = match RowCoder::new(&context) {
            Ok(coder) => Known::Usable(Arc::new(self.resolve(coder, &context.series, host, budget, now, counters))),
            Err(error) => Known::Refused(error.to_string().into()),
        };
        let bytes = match &known {
            Known::Usable(resolved) => resolved.bytes(),
            Known::Refused(_) => REFUSED_BYTES,
        };
        self.remove((epoch, id));
        let (known, bytes) = if bytes > self.bytes_max {
            let text =
                format!("context {id} needs {bytes} bytes of {}: send fewer series in one context", self.bytes_max);
            (Known::Refused(text.into()), REFUSED_BYTES)
        } else {
            (known, bytes)
        };
        while self.bytes + bytes > self.bytes_max || !self.pool.reserve(bytes) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            self.remove(oldest.ok_or(PoolFull)?);
            counters.one(Count::ContextsEvicted);
        }
        self.bytes += bytes;
        self.uses += 1;
        self.entries.insert((epoch, id), Entry { known, bytes, used: self.uses });
        Ok(())
    }

    /// Forgets all: the host has another name or other labels, and what comes next is resolved anew.
    pub fn clear(&mut self) {
        self.pool.release(self.bytes);
        self.bytes = 0;
        self.entries.clear();
    }

    fn remove(&mut self, key: (Epoch, u32)) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.bytes;
            self.pool.release(entry.bytes);
        }
    }

    fn resolve(
        &self,
        coder: RowCoder,
        series: &[SeriesEntry],
        host: &HostLabels,
        budget: &mut SeriesBudget,
        now: Timestamp,
        counters: &Counters,
    ) -> Resolved {
        let dictionary = dictionary_hash(series);
        let same = self.entries.values().find_map(|entry| match &entry.known {
            Known::Usable(resolved) if resolved.dictionary == dictionary => Some(resolved),
            _ => None,
        });
        let (table, fates) = match same {
            Some(same) => (same.table.clone(), same.fates.clone()),
            None => resolve_series(series, host, budget, now, counters),
        };
        Resolved { coder, table, fates, dictionary }
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        self.pool.release(self.bytes);
    }
}

fn resolve_series(
    series: &[SeriesEntry],
    host: &HostLabels,
    budget: &mut SeriesBudget,
    now: Timestamp,
    counters: &Counters,
) -> (Arc<SeriesTable>, Vec<Fate>) {
    let mut fates = vec![Fate::Taken; series.len()];
    let mut sets: Vec<Option<LabelSet>> = Vec::with_capacity(series.len());
    for (entry, fate) in series.iter().zip(&mut fates) {
        let resolved = host.resolve(&entry.name, &entry.labels);
        *fate = match &resolved {
            Ok(_) => Fate::Taken,
            Err(SeriesRefusal::Reserved) => Fate::Reserved,
            Err(SeriesRefusal::NoName | SeriesRefusal::Labels(_)) => Fate::Labels,
        };
        sets.push(resolved.ok());
    }
    let ids: Vec<_> = sets.iter().map(|set| set.as_ref().map(LabelSet::id)).collect();
    let mut seen = std::collections::HashSet::with_capacity(ids.len());
    for (id, fate) in ids.iter().zip(&mut fates) {
        if id.is_some_and(|id| !seen.insert(id)) {
            *fate = Fate::Twice;
        }
    }
    let taken: Vec<usize> = (0..fates.len()).filter(|at| fates[*at] == Fate::Taken).collect();
    let taken_ids: Vec<_> = taken.iter().filter_map(|at| ids[*at]).collect();
    for (at, admitted) in taken.iter().zip(budget.admit(&taken_ids, now)) {
        if !admitted {
            fates[*at] = Fate::Limit;
        }
    }
    for fate in &fates {
        if let Some((count, _)) = fate.counts() {
            counters.one(count);
        }
    }
    let pairs = series.iter().zip(sets).zip(&fates).filter(|(_, fate)| **fate == Fate::Taken);
    let pairs = pairs.filter_map(|((entry, set), _)| Some((set?, MetricKind::from_u8(entry.kind))));
    let table = Arc::new(SeriesTable::new(pairs.collect()));
    if fates.iter().all(|fate| *fate == Fate::Taken) {
        fates = Vec::new();
    }
    (table, fates)
}

fn dictionary_hash(series: &[SeriesEntry]) -> u128 {
    let mut hash = Xxh3::new();
    let text = |hash: &mut Xxh3, text: &str| {
        hash.update(&text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    for entry in series {
        text(&mut hash, &entry.name);
        hash.update(&entry.labels.len().to_le_bytes());
        for label in &entry.labels {
            text(&mut hash, &label.name);
            text(&mut hash, &label.value);
        }
        hash.update(&[entry.kind]);
    }
    hash.digest128()
}

#[cfg(test)]
mod tests;
