//! What one query may cost, and how it is stopped. Every bound is named in the error that it causes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster_common::time::monotonic;

use crate::error::QueryError;

/// Bytes of one expression. Generated dashboards stay far below; what is longer is a mistake or an attack.
pub const QUERY_BYTES_MAX: usize = 64 << 10;
/// How deep brackets, calls and signs may nest. Bounds the recursion of parser, printer and evaluator alike.
pub const NESTING_MAX: usize = 128;
/// Binary operators in a row on one level. They are walked by loops, not by recursion, but dropping the tree recurses.
pub const CHAIN_MAX: usize = 1_000;

/// Limits of the engine, the same for every query.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A query that runs longer ends with [`QueryError::Timeout`].
    pub timeout: Duration,
    /// Series that one selector may touch.
    pub series_max: usize,
    /// Samples read and result points held at one time: 16 bytes each, so the default is at most 800 MB.
    pub samples_max: usize,
    /// Steps of a range query: Prometheus' own bound, since clients choose their step by it.
    pub points_max: usize,
    /// How old a sample may be to count as a series' present value.
    pub lookback: Duration,
    /// Bytes of log lines that one selector may read: what the timeout allows at 1 GB/s, twice the speed measured.
    pub log_bytes_max: u64,
    /// Bytes of the lines of one answer: 5,000 lines of 25 KiB; it is held whole, and again as JSON.
    pub log_answer_bytes_max: usize,
    /// The step of a subquery that names none (`[1h:]`).
    pub subquery_step: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(120),
            series_max: 500_000,
            samples_max: 50_000_000,
            points_max: 11_000,
            lookback: Duration::from_secs(300),
            log_bytes_max: 120_000_000_000,
            log_answer_bytes_max: 128 << 20,
            subquery_step: Duration::from_secs(60),
        }
    }
}

/// How the caller stops one query: by a flag (the client has gone) or by time.
#[derive(Clone, Debug)]
pub struct Control {
    /// Set to end the query with [`QueryError::Cancelled`].
    pub cancelled: Arc<AtomicBool>,
    /// On [`monotonic`]'s clock; passing it ends the query with [`QueryError::Timeout`].
    pub deadline: Duration,
}

impl Control {
    /// A query that starts now and may take this long.
    pub fn new(timeout: Duration) -> Self {
        Self { cancelled: Arc::new(AtomicBool::new(false)), deadline: monotonic().saturating_add(timeout) }
    }

    /// The same flag, with an earlier deadline if this one is earlier.
    pub(crate) fn within(&self, timeout: Duration) -> Self {
        let latest = monotonic().saturating_add(timeout);
        Self { cancelled: Arc::clone(&self.cancelled), deadline: self.deadline.min(latest) }
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if monotonic() >= self.deadline { Err(QueryError::Timeout) } else { Ok(()) }
    }
}
