//! The series that a block of samples names by number.

use std::sync::Arc;

use muster_common::label::{LabelSet, SeriesId};
use muster_common::sample::MetricKind;
use parking_lot::Mutex;

/// A fixed list of series. Build it once per context and share it: it remembers which slots its series have in the store's
/// series index, so that a steady batch looks nothing up.
#[derive(Debug)]
pub struct SeriesTable {
    series: Box<[TableSeries]>,
    cached: Mutex<Cached>,
}

/// One series of a table.
#[derive(Clone, Debug)]
pub struct TableSeries {
    pub id: SeriesId,
    pub labels: Arc<LabelSet>,
    pub kind: MetricKind,
}

/// What the table knows of the index and of the inbox file that saw it last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cached {
    /// Number of the series index that `slots` are of; 0: none.
    pub(crate) index: u64,
    pub(crate) slots: Arc<[u32]>,
    /// Number of the inbox registration in which all of them are written down; 0: none.
    pub(crate) registered: u64,
}

impl SeriesTable {
    /// Hashes every label set once.
    pub fn new(series: Vec<(LabelSet, MetricKind)>) -> Self {
        Self::shared(series.into_iter().map(|(labels, kind)| (labels.id(), Arc::new(labels), kind)))
    }

    /// From label sets that are shared already, with their ids.
    pub fn shared(series: impl IntoIterator<Item = (SeriesId, Arc<LabelSet>, MetricKind)>) -> Self {
        let series = series.into_iter().map(|(id, labels, kind)| TableSeries { id, labels, kind }).collect();
        Self { series, cached: Mutex::new(Cached::default()) }
    }

    pub fn len(&self) -> usize {
        self.series.len()
    }

    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub fn series(&self) -> &[TableSeries] {
        &self.series
    }

    pub(crate) fn cached(&self) -> Cached {
        self.cached.lock().clone()
    }

    pub(crate) fn remember(&self, cached: Cached) {
        *self.cached.lock() = cached;
    }
}
