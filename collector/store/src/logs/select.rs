//! What is asked of the lines of a view, and what comes back.

use std::sync::atomic::{AtomicBool, Ordering};

use muster_common::matcher::Matcher;

use crate::error::SelectError;

/// In which order lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOrder {
    /// Stream by stream in the order of label sets, each by (time, arrival).
    ByStream,
    /// All streams by (time, label set, arrival), oldest first.
    Forward,
    /// The exact reverse of `Forward`.
    Backward,
}

/// A selection of lines: streams by matchers (all must pass; none: every stream) and times.
#[derive(Clone, Copy, Debug)]
pub struct LogSelect<'a> {
    pub matchers: &'a [Matcher],
    /// Included.
    pub from_ns: i64,
    /// Excluded; `i64::MAX`: there is no end.
    pub to_ns: i64,
    pub order: LogOrder,
    /// Texts that every wanted line contains, so that what lacks one is skipped. Lines given may still lack them.
    pub needles: &'a [Vec<u8>],
    pub limits: LogLimits,
    /// Looked at between row groups.
    pub cancelled: Option<&'a AtomicBool>,
}

/// What one selection may come to before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    pub streams_max: usize,
    /// Bytes of lines and fields that are looked at.
    pub bytes_max: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { streams_max: 100_000, bytes_max: 64 << 30 }
    }
}

/// One line. Lines of one (time, label set) come in the order of arrival.
#[derive(Clone, Copy, Debug)]
pub struct LogEntryRef<'a> {
    pub at_ns: i64,
    pub line: &'a [u8],
    pub fields: LabelsRef<'a>,
}

/// A label set as its canonical bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelsRef<'a> {
    canonical: &'a [u8],
}

/// What a selection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogVolume {
    pub streams: u64,
    /// Row groups and heads' streams that hold the lines.
    pub chunks: u64,
    pub entries: u64,
    /// Bytes of lines and fields.
    pub bytes: u64,
}

/// Whether a time lies before an end; the largest is no end.
pub(crate) const fn is_before(at_ns: i64, to_ns: i64) -> bool {
    at_ns < to_ns || to_ns == i64::MAX
}

impl<'a> LogSelect<'a> {
    /// These matchers over all times, oldest first, with the default limits.
    pub fn all_times(matchers: &'a [Matcher]) -> Self {
        Self {
            matchers,
            from_ns: i64::MIN,
            to_ns: i64::MAX,
            order: LogOrder::Forward,
            needles: &[],
            limits: LogLimits::default(),
            cancelled: None,
        }
    }

    pub(crate) fn check_cancelled(&self) -> Result<(), SelectError> {
        let cancelled = self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed));
        if cancelled { Err(SelectError::Cancelled) } else { Ok(()) }
    }
}

impl<'a> LabelsRef<'a> {
    /// The bytes come from label sets or from behind a checksum; foreign ones make wrong pairs, nothing worse.
    pub(crate) const fn new(canonical: &'a [u8]) -> Self {
        Self { canonical }
    }

    pub const fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    pub const fn canonical(&self) -> &'a [u8] {
        self.canonical
    }

    /// The pairs, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut rest = self.canonical;
        std::iter::from_fn(move || Some((take(&mut rest)?, take(&mut rest)?)))
    }
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (text, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    *rest = after;
    Some(std::str::from_utf8(text).unwrap_or_default())
}
