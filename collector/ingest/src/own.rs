//! What the collector itself writes: its batches' runs, and its own numbers as ordinary series of host `muster`.
//!
//! Each writer has a run of its own, made of the store's identity, so that a tick repeated after a crash is dropped whole
//! and a restored store begins anew. Series carry `source="muster"`, which nobody else may send.

use std::collections::HashSet;
use std::sync::Arc;

use muster_common::label::{LabelSet, NAME};
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use muster_store::{Append, Record, Row, SampleBlock, SeriesTable, Source};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::host_labels::{HOST, HOST_MUSTER, SOURCE, SOURCE_MUSTER};

/// Who writes a batch of the collector's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// `up`, by the ticker.
    Up,
    /// The collector's own numbers.
    Numbers,
    /// Stale markers of changed hosts.
    Markers,
}

impl Run {
    /// The run's name in the store. `store` and `incarnation`: the data folder's.
    pub fn epoch(self, store: [u8; 16], incarnation: u64) -> Epoch {
        let name: &[u8] = match self {
            Self::Up => b"up",
            Self::Numbers => b"numbers",
            Self::Markers => b"markers",
        };
        // The first half sorts as a creation time; the incarnation stands for it.
        let created = i64::try_from(incarnation).unwrap_or(i64::MAX).max(1);
        Epoch::new(created, xxh3_64(&[store.as_slice(), name].concat()))
    }
}

/// One batch of the collector's own.
pub fn append(run: Epoch, tick: u64, blocks: Vec<SampleBlock>, now: Timestamp) -> Append {
    let records = blocks.into_iter().map(Record::Samples).collect();
    Append { source: Source::Own { run, tick }, records, arrived: now, live: true }
}

/// The collector's own numbers as samples: keeps the table while the numbers' names do not change.
#[derive(Debug, Default)]
pub struct Numbers {
    names: u64,
    table: Option<Arc<SeriesTable>>,
    /// Which stats have a place in the table: a second of the same labels is left out.
    taken: Vec<bool>,
}

impl Numbers {
    /// One row at `at`; `None` without numbers.
    pub fn row(&mut self, stats: &[Stat], at: Timestamp) -> Option<SampleBlock> {
        let names = names_hash(stats);
        let table = match &self.table {
            Some(table) if self.names == names => table.clone(),
            _ => self.rebuild(stats, names),
        };
        let taken = stats.iter().zip(&self.taken).filter(|(_, taken)| **taken);
        let values: Vec<f64> = taken.map(|(stat, _)| stat.value).collect();
        let row = Row { at_ms: at.millis(), present: None, values };
        (!row.values.is_empty()).then(|| SampleBlock::Rows { table, rows: vec![row] })
    }

    fn rebuild(&mut self, stats: &[Stat], names: u64) -> Arc<SeriesTable> {
        let mut seen = HashSet::new();
        let mut series = Vec::with_capacity(stats.len());
        self.taken = Vec::with_capacity(stats.len());
        for stat in stats {
            let labels = labels_of(stat).filter(|labels| seen.insert(labels.id()));
            self.taken.push(labels.is_some());
            series.extend(labels.map(|labels| (labels, stat.kind)));
        }
        let table = Arc::new(SeriesTable::new(series));
        self.names = names;
        self.table = Some(table.clone());
        table
    }
}

fn labels_of(stat: &Stat) -> Option<LabelSet> {
    let fixed = [
        (NAME, stat.name),
        (HOST, HOST_MUSTER),
        (SOURCE, SOURCE_MUSTER),
        ("instance", HOST_MUSTER),
        ("job", "muster-collector"),
    ];
    let own = stat.labels.iter().map(|(name, value)| (*name, value.as_str()));
    LabelSet::new(fixed.into_iter().chain(own)).ok()
}

fn names_hash(stats: &[Stat]) -> u64 {
    let mut hash = Xxh3::new();
    for stat in stats {
        hash.update(stat.name.as_bytes());
        for (name, value) in &stat.labels {
            hash.update(&[0]);
            hash.update(name.as_bytes());
            hash.update(&[1]);
            hash.update(value.as_bytes());
        }
        hash.update(&[2]);
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_series_of_host_muster_and_keep_their_table() {
        let stats = |value| {
            vec![
                Stat::counter("muster_collector_x_total", "x", value).with("reason", "a"),
                Stat::counter("muster_collector_x_total", "x", value + 1).with("reason", "b"),
                Stat::counter("muster_collector_x_total", "x", 99).with("reason", "a"),
            ]
        };
        let mut numbers = Numbers::default();
        let at = Timestamp::from_millis(15_000);
        let row = |block: Option<SampleBlock>| match block {
            Some(SampleBlock::Rows { table, rows }) => (table, rows),
            _ => panic!("numbers are rows"),
        };
        let (table, rows) = row(numbers.row(&stats(1), at));
        assert_eq!((rows[0].values.as_slice(), rows[0].at_ms), ([1.0, 2.0].as_slice(), 15_000));
        let expect = r#"muster_collector_x_total{host="muster", instance="muster", job="muster-collector", reason="a", source="muster"}"#;
        assert_eq!(table.series()[0].labels.to_string(), expect);
        let (again, _) = row(numbers.row(&stats(5), at));
        assert!(Arc::ptr_eq(&table, &again));
        let (other, _) = row(numbers.row(&stats(5)[..1], at));
        assert!(!Arc::ptr_eq(&table, &other));
        assert!(numbers.row(&[], at).is_none());
    }

    #[test]
    fn runs_differ_by_writer_store_and_incarnation() {
        let runs = [
            Run::Up.epoch([1; 16], 1),
            Run::Numbers.epoch([1; 16], 1),
            Run::Markers.epoch([1; 16], 1),
            Run::Up.epoch([2; 16], 1),
            Run::Up.epoch([1; 16], 2),
        ];
        for (at, run) in runs.iter().enumerate() {
            assert!(!runs[..at].contains(run));
            assert!(run.created_ms() > 0);
        }
    }
}
