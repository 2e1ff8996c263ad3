//! The seam to the store: what the evaluator asks for and what it is given. Only `engine.rs` knows who answers,
//! so that the evaluator is tested without a store.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::sample::MetricKind;

/// One selector's reading. Both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) matchers: &'a [Matcher],
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) series_max: usize,
    pub(crate) samples_max: usize,
}

/// One series' samples: times strictly rising, as many as values, stale markers included.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) labels: Arc<LabelSet>,
    pub(crate) kind: MetricKind,
    pub(crate) millis: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// Why there are no columns.
#[derive(Clone, Debug)]
pub(crate) enum SourceError {
    /// The text names the limit.
    TooMuch(String),
    Cancelled,
    Failed(String),
}

/// Whoever answers requests.
pub(crate) type Fetch<'a> = dyn Fn(&Request<'_>) -> Result<Vec<Columns>, SourceError> + 'a;
