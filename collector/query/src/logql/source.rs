//! The seam to the store: what a log query asks for and what it is given.

use std::ops::ControlFlow;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

use crate::vector::labels::pairs_of;

/// The order of lines that a query needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogOrder {
    /// Stream by stream, each by time.
    ByStream,
    /// All streams by time, oldest first.
    Forward,
    /// All streams by time, newest first.
    Backward,
}

/// One selector's reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogRequest<'a> {
    pub(crate) matchers: &'a [Matcher],
    /// Included.
    pub(crate) from_ns: i64,
    /// Excluded.
    pub(crate) to_ns: i64,
    pub(crate) order: LogOrder,
    /// Texts that every wanted line contains. Lines given may still lack them.
    pub(crate) needles: &'a [Vec<u8>],
    pub(crate) streams_max: usize,
    pub(crate) bytes_max: u64,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLine<'a> {
    pub(crate) at_ns: i64,
    pub(crate) line: &'a [u8],
    pub(crate) fields: LogFields<'a>,
}

/// The structured metadata of a line: the canonical bytes of a label set.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFields<'a>(&'a [u8]);

impl<'a> LogFields<'a> {
    /// Of canonical bytes; of damaged ones, what can be read.
    pub fn canonical(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        pairs_of(self.0)
    }

    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Why there are no more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogSourceError {
    /// The text names the limit.
    TooMuch(String),
    Cancelled,
    Failed(String),
}

/// Whoever answers requests: shows each line with its stream's labels until it is told to break.
pub(crate) type FetchLogs<'a> = dyn Fn(&LogRequest<'_>, &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>) -> Result<(), LogSourceError>
    + 'a;
