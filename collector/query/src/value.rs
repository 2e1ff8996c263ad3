//! What a query answers.

use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

/// The answer of one query, with what Prometheus calls annotations.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub value: Value,
    /// The answer is probably not what was meant; each text ends with the place in the query.
    pub warnings: Vec<String>,
    /// Hints, such as a rate of what may be no counter.
    pub infos: Vec<String>,
    /// The first and last millisecond of the samples that it may stand on, windows, offsets and the lookback included; `None` when
    /// it needs no sample. What was lost in this time may be missing in the answer.
    pub read: Option<(i64, i64)>,
}

/// Prometheus' four result types. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Scalar {
        at_ms: i64,
        value: f64,
    },
    String {
        at_ms: i64,
        value: String,
    },
    /// By labels, unless the expression sets the order (`sort`, `topk`).
    Vector(Vec<Point>),
    /// By labels; within a series by time.
    Matrix(Vec<Series>),
}

/// One series' value at the time asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub labels: Arc<LabelSet>,
    pub at_ms: i64,
    pub value: f64,
}

/// One series of a range answer: as many times as values.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Arc<LabelSet>,
    pub millis: Vec<i64>,
    pub values: Vec<f64>,
}

impl Value {
    /// Prometheus' `resultType`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar { .. } => "scalar",
            Self::String { .. } => "string",
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
        }
    }
}

/// The answer of one LogQL query.
#[derive(Clone, Debug)]
pub struct LogAnswer {
    pub value: LogValue,
    /// What the answer lacks, and why.
    pub warnings: Vec<String>,
    pub stats: LogStats,
    /// Where the next page begins; none where the limit cut nothing off.
    pub next: Option<LogMark>,
    /// What was looked at for it, one for each selector of the query.
    pub reads: Vec<LogRead>,
}

/// What one selector looked at: lines of these labels and of this time are in the answer, or missing in it.
#[derive(Clone, Debug)]
pub struct LogRead {
    pub matchers: Vec<Matcher>,
    /// Milliseconds, both ends included.
    pub from_ms: i64,
    pub to_ms: i64,
}

/// Loki's result types. Times of vectors and matrices are milliseconds since 1970, those of lines nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum LogValue {
    /// By labels; within a stream in the direction asked for.
    Streams(Vec<StreamAnswer>),
    Vector(Vec<Point>),
    Matrix(Vec<Series>),
    Scalar {
        at_ms: i64,
        value: f64,
    },
}

/// The lines that ended with these labels.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamAnswer {
    /// Those of the stream, of structured metadata, and what the pipeline made of them; only the stream's where the page is
    /// [`LogPage::categorized`].
    pub labels: LabelSet,
    pub entries: Vec<AnswerEntry>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AnswerEntry {
    pub at_ns: i64,
    pub line: Vec<u8>,
    /// Structured metadata as it was stored; of a categorized page, as the pipeline left it.
    pub fields: Vec<(String, String)>,
    /// Labels that the pipeline made, by name; only of a categorized page.
    pub parsed: Vec<(String, String)>,
}

/// Which of a query's lines are wanted, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPage {
    pub limit: usize,
    pub direction: Direction,
    /// Lines at least so far apart; 0: all.
    pub interval_ns: i64,
    /// Go on where another page ended.
    pub after: Option<LogMark>,
    /// Labels are told apart by where they come from.
    pub categorized: bool,
}

/// A place between two lines of an answer, in its direction. Lines of one nanosecond are told apart by their number, so it holds
/// as long as none comes to this very nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogMark {
    pub at_ns: i64,
    /// Lines of this nanosecond that were given.
    pub count: u64,
}

impl LogPage {
    /// The first so many lines.
    pub fn new(limit: usize, direction: Direction) -> Self {
        Self { limit, direction, interval_ns: 0, after: None, categorized: false }
    }

    /// What of these times, the end excluded, is not before the mark.
    pub(crate) fn times(&self, (from_ns, to_ns): (i64, i64)) -> (i64, i64) {
        match (self.after, self.direction) {
            (None, _) => (from_ns, to_ns),
            (Some(mark), Direction::Forward) => (from_ns.max(mark.at_ns), to_ns),
            (Some(mark), Direction::Backward) => (from_ns, to_ns.min(mark.at_ns.saturating_add(1))),
        }
    }
}

impl std::fmt::Display for LogMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.at_ns, self.count)
    }
}

impl std::str::FromStr for LogMark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at_ns, count) = text.split_once('.').ok_or(())?;
        Ok(Self { at_ns: at_ns.parse().map_err(drop)?, count: count.parse().map_err(drop)? })
    }
}

/// Which lines come first, and which the limit cuts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// What a query read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStats {
    pub lines: u64,
    pub bytes: u64,
    /// Lines that passed the pipeline.
    pub kept: u64,
    /// How often a line was of another stream than the line before.
    pub changes: u64,
}

impl LogValue {
    /// Loki's `resultType`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Streams(_) => "streams",
            Self::Vector(_) => "vector",
            Self::Matrix(_) => "matrix",
            Self::Scalar { .. } => "scalar",
        }
    }
}
