//! What a query asks of a view, and what it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::sample::MetricKind;

use crate::error::SelectError;

/// A selection: series by matchers (all must pass; none: every series) that have samples within the times, both included.
#[derive(Clone, Copy, Debug)]
pub struct Select<'a> {
    pub matchers: &'a [Matcher],
    pub from_ms: i64,
    pub to_ms: i64,
    pub limits: SelectLimits,
    /// Looked at between series.
    pub cancelled: Option<&'a AtomicBool>,
}

/// What one selection may come to before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectLimits {
    pub series_max: usize,
    pub samples_max: usize,
}

impl Default for SelectLimits {
    fn default() -> Self {
        Self { series_max: 1_000_000, samples_max: 50_000_000 }
    }
}

/// One series' samples: times rise strictly, values stand at the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesColumns {
    pub labels: Arc<LabelSet>,
    pub kind: MetricKind,
    /// Milliseconds since 1970.
    pub millis: Vec<i64>,
    pub values: Vec<f64>,
}

impl<'a> Select<'a> {
    /// These matchers over all times, with the default limits.
    pub fn all_times(matchers: &'a [Matcher]) -> Self {
        let limits = SelectLimits::default();
        Self { matchers, from_ms: i64::MIN, to_ms: i64::MAX, limits, cancelled: None }
    }

    pub(crate) fn check_cancelled(&self) -> Result<(), SelectError> {
        let cancelled = self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed));
        if cancelled { Err(SelectError::Cancelled) } else { Ok(()) }
    }

    /// Whether samples between these times may be asked for.
    pub(crate) fn overlaps(&self, min_ms: i64, max_ms: i64) -> bool {
        min_ms <= self.to_ms && max_ms >= self.from_ms
    }

    /// Whether all samples between these times are asked for.
    pub(crate) fn covers(&self, min_ms: i64, max_ms: i64) -> bool {
        min_ms >= self.from_ms && max_ms <= self.to_ms
    }
}
