//! What is written of logs: lines of one label set, and the ranges of the sources that they were read from.

use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::wire::message::SourceId;

use crate::append::StateRecord;

/// Lines of one label set. Events are the collector's own streams: they have segments, a folder and a retention of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogBlock {
    pub class: LogClass,
    pub labels: Arc<LabelSet>,
    pub entries: Vec<LogEntry>,
}

/// What kind of lines, which decides where they lie and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogClass {
    Logs = 0,
    Events = 1,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Nanoseconds since 1970.
    pub at_ns: i64,
    /// Any bytes.
    pub line: Vec<u8>,
    /// Structured metadata.
    pub fields: LabelSet,
}

/// One range of one source of a p2 batch (rule 11): the batch is taken only if it continues what is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeRecord {
    pub source: SourceId,
    pub from: u64,
    /// Becomes the source's position.
    pub to: u64,
    /// Why bytes before `from` are given up; empty: none are.
    pub skipped: String,
    /// xxh3-64 of up to 64 bytes before `to`.
    pub tail_hash: u64,
    /// The source is no more: its position goes after 7 days.
    pub gone: bool,
}

/// Bytes of a source that will never come: a range named that it skips them, and they lay after what was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLossRecord {
    pub host: HostId,
    pub path: String,
    pub bytes: u64,
    /// Why, in the agent's words.
    pub reason: String,
    /// When the source was committed last, by the collector's clock: what is lost was written after what came then. 0: never.
    pub from_ms: i64,
    pub arrived_ms: i64,
}

/// How far a source of a host is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PositionRow {
    pub source: SourceId,
    pub offset: u64,
    pub tail_hash: u64,
    /// When it last moved, by the collector's clock.
    pub arrived_ms: i64,
}

/// Bytes of lines and fields of one block at most: places in a block are 32 bits wide. A batch has 4 MiB.
const BLOCK_BYTES_MAX: usize = 1 << 30;
/// Bytes of a source's path: a path's own limit. It is part of a table's key.
const PATH_BYTES_MAX: usize = 4 << 10;

impl LogClass {
    pub(crate) const ALL: [Self; 2] = [Self::Logs, Self::Events];

    pub(crate) const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Logs),
            1 => Some(Self::Events),
            _ => None,
        }
    }

    /// The folder's name in `segments/`.
    pub(crate) const fn folder(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Events => "events",
        }
    }
}

impl LogBlock {
    /// Bytes of lines and fields.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(LogEntry::bytes).sum()
    }

    pub(crate) fn malformed(&self) -> Option<&'static str> {
        (self.bytes() > BLOCK_BYTES_MAX).then_some("a block of lines has over 1 GiB")
    }
}

impl LogEntry {
    pub(crate) fn bytes(&self) -> usize {
        self.line.len() + self.fields.canonical().len()
    }
}

impl RangeRecord {
    /// What this range of a host's batch loses.
    pub(crate) fn loss(&self, host: HostId, bytes: u64, from_ms: i64, arrived_ms: i64) -> StateRecord {
        let (path, reason) = (self.source.path.clone(), self.skipped.clone());
        StateRecord::LogLoss(LogLossRecord { host, path, bytes, reason, from_ms, arrived_ms })
    }

    pub(crate) fn malformed(&self, of_batch: bool) -> Option<&'static str> {
        if !of_batch {
            Some("a range stands outside a batch: it has no host")
        } else if self.to < self.from {
            Some("a range ends before it begins")
        } else if self.source.path.len() > PATH_BYTES_MAX {
            Some("the path of a source has over 4 KiB")
        } else {
            None
        }
    }
}
