//! What is written: appends, where they come from, and what became of them.

use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, GapReason, Lane};

use crate::logs::record::{LogBlock, LogLossRecord, PositionRow, RangeRecord};
use crate::table::SeriesTable;

/// The host under which the collector's own batches keep their marks. No certificate can carry it.
pub const OWN_HOST: HostId = HostId([0; 16]);

/// The order of arrival: generation, then the number of the append in it, from 1. Also the version of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    pub generation: u64,
    pub entry: u64,
}

/// Records that become durable together, and the mark or hash that makes them so once.
#[derive(Clone, Debug)]
pub struct Append {
    pub source: Source,
    pub records: Vec<Record>,
    /// When it reached the collector: the only clock that projections see.
    pub arrived: Timestamp,
    /// Not backlog.
    pub live: bool,
}

/// Where an append comes from, which decides what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Taken only as mark + 1.
    Batch { host: HostId, epoch: Epoch, lane: Lane, seq: u64 },
    /// Seqs that will never come. `from` must be mark + 1, or at or below the mark with `to` above it: then it is cut.
    Gap { host: HostId, epoch: Epoch, lane: Lane, from: u64, to: u64 },
    /// An HTTP body by its hash; compared for 15 min, and only when every entry of it is `stamped`.
    Http { body: u128, stamped: bool },
    /// The collector's own: any tick above the mark of its run.
    Own { run: Epoch, tick: u64 },
}

/// One thing that an append says.
#[derive(Clone, Debug)]
pub enum Record {
    Samples(SampleBlock),
    Gap(GapRecord),
    Logs(LogBlock),
    /// Only in a batch: its host and the source are whose position it moves.
    Range(RangeRecord),
    Report(ReportRecord),
}

/// What a host says of a check, for the projection alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRecord {
    pub host: HostId,
    /// `muster_common::wire::record`; the store does not look into it.
    pub report: Arc<[u8]>,
}

/// Samples of one table of series.
#[derive(Clone, Debug)]
pub enum SampleBlock {
    /// Scrapes: each one time and the values of the table's series.
    Rows { table: Arc<SeriesTable>, rows: Vec<Row> },
    /// Single samples in any order.
    Points { table: Arc<SeriesTable>, points: Vec<Point> },
}

/// One scrape.
#[derive(Clone, Debug)]
pub struct Row {
    pub at_ms: i64,
    /// Bit i mod 8 of byte i div 8: series i of the table has a value. `None`: all have.
    pub present: Option<Vec<u8>>,
    /// Of the present series, in the table's order.
    pub values: Vec<f64>,
}

/// One sample. `series` is its place in the table.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub series: u32,
    pub at_ms: i64,
    pub value: f64,
}

/// Seqs that are missing for good, and why (rule 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRecord {
    pub host: HostId,
    pub epoch: Epoch,
    pub lane: Lane,
    /// The first missing seq; `to` is the last.
    pub from: u64,
    pub to: u64,
    pub reason: GapReason,
    /// When the missing batches were made, as far as is known; 0: unknown.
    pub from_ms: i64,
    pub to_ms: i64,
    pub arrived_ms: i64,
}

/// What became of one append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable, at this place of the order of arrival.
    Committed { position: Position },
    /// Was committed before; everything up to `mark` is durable and may be acknowledged.
    Repeat { mark: u64 },
    /// Another seq is due: mark + 1. Nothing was taken.
    NotNext { mark: u64 },
    /// Its epoch is unknown and not younger than what was forgotten: commit a [`Source::Gap`] for it (rule 8).
    Expired { floor_ms: i64 },
    /// The same body was committed within the last 15 min.
    RepeatedBody,
    /// A range does not continue what is committed of its source (rule 11). Nothing of the append was taken, its mark stays;
    /// these are the committed positions of its sources, those that have one.
    Misplaced { mark: u64, positions: Vec<PositionRow> },
}

/// How far one lane of one epoch is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRow {
    pub epoch: Epoch,
    pub lane: Lane,
    pub seq: u64,
    /// When its last batch was committed, by the collector's clock.
    pub arrived_ms: i64,
}

/// One inbox entry's records of small state, for the projection in state.redb.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayEntry {
    pub position: Position,
    pub arrived: Timestamp,
    pub live: bool,
    pub records: Vec<StateRecord>,
}

/// A record that state.redb projects. Samples are none.
#[derive(Clone, Debug, PartialEq)]
pub enum StateRecord {
    Gap(GapRecord),
    LogLoss(LogLossRecord),
    Report(ReportRecord),
}

impl Source {
    /// The host whose batch or gap it is.
    pub(crate) const fn host(&self) -> Option<HostId> {
        match *self {
            Self::Batch { host, .. } | Self::Gap { host, .. } => Some(host),
            Self::Http { .. } | Self::Own { .. } => None,
        }
    }
}

impl Append {
    /// Why this append cannot be, if it cannot.
    pub(crate) fn malformed(&self) -> Option<&'static str> {
        self.records.iter().find_map(|record| match record {
            Record::Gap(_) | Record::Report(_) => None,
            Record::Samples(block) => block.malformed(),
            Record::Logs(block) => block.malformed(),
            Record::Range(range) => range.malformed(matches!(self.source, Source::Batch { .. })),
        })
    }
}

impl SampleBlock {
    /// Samples in the block.
    pub fn samples(&self) -> usize {
        match self {
            Self::Rows { rows, .. } => rows.iter().map(|row| row.values.len()).sum(),
            Self::Points { points, .. } => points.len(),
        }
    }

    pub(crate) fn table(&self) -> &Arc<SeriesTable> {
        match self {
            Self::Rows { table, .. } | Self::Points { table, .. } => table,
        }
    }

    fn malformed(&self) -> Option<&'static str> {
        match self {
            Self::Rows { table, rows } => rows.iter().find_map(|row| row.malformed(table.len())),
            Self::Points { table, points } => points
                .iter()
                .any(|point| point.series as usize >= table.len())
                .then_some("a point names a series outside its table"),
        }
    }
}

impl Row {
    fn malformed(&self, series: usize) -> Option<&'static str> {
        let present = match &self.present {
            None => series,
            Some(bits) if bits.len() != series.div_ceil(8) => return Some("a row's bitmap has not one bit a series"),
            Some(bits) => {
                let spare = bits.len() * 8 - series;
                if spare > 0 && bits.last().is_some_and(|last| last.leading_zeros() < spare as u32) {
                    return Some("a row's bitmap names series outside its table");
                }
                bits.iter().map(|byte| byte.count_ones() as usize).sum()
            }
        };
        (present != self.values.len()).then_some("a row has not one value for each present series")
    }
}
