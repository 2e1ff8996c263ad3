//! From streams and entries, as they are read one by one, to blocks of lines: what is refused and why.
//!
//! A broken stream is refused with all its entries, a broken entry alone; the others are taken. The answer names the first refusal.

use std::borrow::Cow;
use std::sync::Arc;

use muster_common::label::{LabelError, LabelSet};
use muster_common::limits::{LABELS_MAX, LOG_LINE_BYTES_MAX};
use muster_store::{LogBlock, LogClass, LogEntry, Record};

use crate::admit::{TimeBounds, TimeRefusal};
use crate::counters::{Count, Counters};
use crate::host_labels::SeriesRefusal;
use crate::http::speaker::Speaker;

/// Streams of one request: Loki's own limit for all streams of a tenant is 5,000.
pub const REQUEST_STREAMS_MAX: usize = 10_000;
/// Entries of one request. Senders send some thousands; these cost 20 MB beside their lines.
pub const REQUEST_ENTRIES_MAX: usize = 200_000;

/// Names and values as they were sent; of more than [`LABELS_MAX`] only the number is told.
#[derive(Clone, Debug, Default)]
pub struct Pairs<'a> {
    pub list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub count: usize,
}

/// Why a stream is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    #[error("its labels are no selector: at byte {at} of them {what}: write {{name=\"value\", ...}}")]
    Selector { at: usize, what: &'static str },
    #[error("its labels are not UTF-8")]
    NotText,
    #[error("it has no label: give it at least one")]
    NoLabel,
    #[error("label name `{name}` is not of the form [a-zA-Z_][a-zA-Z0-9_]*: rename it")]
    Name { name: String },
    #[error(transparent)]
    Labels(#[from] SeriesRefusal),
}

/// A request that is longer than any sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    #[error("more than {REQUEST_STREAMS_MAX} streams in one request: send less per request")]
    Streams,
    #[error("more than {REQUEST_ENTRIES_MAX} entries in one request: send less per request")]
    Entries,
}

/// What a request comes to.
#[derive(Debug, Default)]
pub struct Admitted {
    pub records: Vec<Record>,
    pub lines: u64,
    /// Memory until it is committed.
    pub bytes: usize,
    /// Entries that were not taken.
    pub refused: u64,
    /// The first refusal, with its place, for the answer.
    pub first_refusal: Option<String>,
}

/// Takes one request.
pub struct Intake<'a> {
    speaker: &'a Speaker,
    bounds: TimeBounds,
    counters: &'a Counters,
    admitted: Admitted,
    streams: usize,
    entries: usize,
    /// Of the stream under way.
    taken: Vec<LogEntry>,
    stream_entries: u64,
    stream_refused: u64,
    stream_first: Option<String>,
}

impl<'a> Intake<'a> {
    pub fn new(speaker: &'a Speaker, bounds: TimeBounds, counters: &'a Counters) -> Self {
        Self {
            speaker,
            bounds,
            counters,
            admitted: Admitted::default(),
            streams: 0,
            entries: 0,
            taken: Vec::new(),
            stream_entries: 0,
            stream_refused: 0,
            stream_first: None,
        }
    }

    /// Where the reading is, counted from 1: for the errors of a body that cannot be read.
    pub fn place(&self) -> String {
        match (self.streams, self.stream_entries) {
            (0, _) => String::new(),
            (stream, 0) => format!("stream {stream}, "),
            (stream, entry) => format!("stream {stream}, entry {entry}, "),
        }
    }

    /// A stream begins.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn begin_stream(&mut self) -> Result<(), TooMany> {
        if self.streams >= REQUEST_STREAMS_MAX {
            return Err(TooMany::Streams);
        }
        self.streams += 1;
        (self.stream_entries, self.stream_refused, self.stream_first) = (0, 0, None);
        Ok(())
    }

    /// An entry of the stream begins.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn begin_entry(&mut self) -> Result<(), TooMany> {
        if self.entries >= REQUEST_ENTRIES_MAX {
            return Err(TooMany::Entries);
        }
        self.entries += 1;
        self.stream_entries += 1;
        Ok(())
    }

    /// The entry that has begun, whole. `at_ns` beyond 64 bits lies out of all bounds.
    pub fn entry(&mut self, at_ns: i128, line: Cow<'_, [u8]>, fields: &Pairs<'_>) {
        // In milliseconds every time that 64 bits of nanoseconds cannot hold is out of bounds as well.
        let at_ms = at_ns.div_euclid(1_000_000).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let found = i64::try_from(at_ns);
        let time = self.bounds.admit(at_ms).err().or(found.is_err().then_some(TimeRefusal::Future));
        if let Some(refusal) = time {
            let (count, why) = match refusal {
                TimeRefusal::Future => {
                    (Count::LinesFuture, "is more than 10 min ahead of the collector's clock: set the sender's clock")
                }
                TimeRefusal::TooOld => {
                    (Count::LinesTooOld, "is older than the retention: raise [retention] logs, or do not send it")
                }
            };
            return self.refuse_entry(count, || format!("its time {at_ns} ns {why}"));
        }
        if line.len() > LOG_LINE_BYTES_MAX {
            let bytes = line.len();
            return self.refuse_entry(Count::LinesTooLong, || {
                format!("the line has {bytes} bytes, but at most {LOG_LINE_BYTES_MAX} are allowed: split it")
            });
        }
        match set_of(fields) {
            Ok(fields) => {
                let at_ns = found.unwrap_or_default();
                self.taken.push(LogEntry { at_ns, line: line.into_owned(), fields });
            }
            Err(error) => self.refuse_entry(Count::LinesLabels, || format!("its structured metadata: {error}")),
        }
    }

    /// The stream that has begun ends: its labels decide whether any of it is taken.
    pub fn end_stream(&mut self, labels: Result<Pairs<'_>, StreamFault>) {
        let entries = std::mem::take(&mut self.taken);
        let stream = self.streams;
        match labels.and_then(|pairs| Ok((self.labels(&pairs)?, pairs))) {
            Ok((labels, pairs)) => {
                self.admitted.refused += self.stream_refused;
                if let Some(first) = self.stream_first.take() {
                    let place = format!("stream {stream} {}, {first}", shown(&pairs));
                    self.admitted.first_refusal.get_or_insert(place);
                }
                if !entries.is_empty() {
                    let block = LogBlock { class: LogClass::Logs, labels: Arc::new(labels), entries };
                    self.admitted.lines += block.entries.len() as u64;
                    self.admitted.records.push(Record::Logs(block));
                }
            }
            Err(fault) => {
                let reserved = matches!(fault, StreamFault::Labels(SeriesRefusal::Reserved));
                let count = if reserved { Count::LinesReserved } else { Count::LinesLabels };
                // Those that were refused one by one are counted already.
                self.counters.add(count, entries.len() as u64);
                self.admitted.refused += self.stream_entries;
                self.admitted.first_refusal.get_or_insert_with(|| format!("stream {stream}: {fault}"));
            }
        }
    }

    /// Everything that was taken.
    pub fn finish(mut self) -> Admitted {
        let of = |record: &Record| match record {
            Record::Logs(block) => 256 + block.bytes() + 64 * block.entries.len(),
            _ => 0,
        };
        self.admitted.bytes = 256 + self.admitted.records.iter().map(of).sum::<usize>();
        self.admitted
    }

    fn labels(&self, pairs: &Pairs<'_>) -> Result<LabelSet, StreamFault> {
        if pairs.count > LABELS_MAX {
            return Err(SeriesRefusal::Labels(LabelError::TooMany { count: pairs.count }).into());
        }
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if let Some((name, _)) = pairs.list.iter().find(|(name, _)| !is_name(name)) {
            return Err(StreamFault::Name { name: name.chars().take(40).collect() });
        }
        let mut list: Vec<(&str, &str)> = pairs.list.iter().map(|(name, value)| (&**name, &**value)).collect();
        let renamed = self.speaker.renamed(&list)?;
        if let Some((place, exported)) = &renamed {
            list[*place].0 = exported;
        }
        let labels = LabelSet::new(list).map_err(SeriesRefusal::from)?;
        if labels.is_empty() { Err(StreamFault::NoLabel) } else { Ok(labels) }
    }

    fn refuse_entry(&mut self, count: Count, text: impl FnOnce() -> String) {
        self.counters.one(count);
        self.stream_refused += 1;
        let entry = self.stream_entries;
        self.stream_first.get_or_insert_with(|| format!("entry {entry}: {}", text()));
    }
}

fn set_of(pairs: &Pairs<'_>) -> Result<LabelSet, LabelError> {
    if pairs.count > LABELS_MAX {
        return Err(LabelError::TooMany { count: pairs.count });
    }
    LabelSet::new(pairs.list.iter().map(|(name, value)| (&**name, &**value)))
}

/// The labels as their sender would know them, shortened.
fn shown(pairs: &Pairs<'_>) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    let mut text = String::from("{");
    for (place, (name, value)) in pairs.list.iter().enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        text.push_str(&format!("{comma}{name}={value:?}"));
        if text.len() > SHOWN_CHARS_MAX {
            break;
        }
    }
    let mut text: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    text.push('}');
    text
}
