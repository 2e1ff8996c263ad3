//! The lines of one generation in memory, by stream. Blocks are numbered as they arrive: a view sees those below a number.
//!
//! One writer appends what is durable already. Readers take shares of a stream's chunks under a short lock and walk them
//! without one; a chunk never changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::sample::MetricKind;
use parking_lot::RwLock;

use super::record::{LogBlock, LogClass};
use super::select::is_before;
use crate::head::index::SeriesIndex;
use crate::postings::resolve;
use crate::table::TableSeries;

/// Open chunks of a stream that become one: a line or two comes at a time, and a chunk costs over 100 B.
const OPEN_CHUNKS: usize = 32;
/// Chunks above this are not copied into a larger one.
const JOIN_BYTES_MAX: usize = 256 << 10;
/// What a line costs beside its bytes, and a chunk beside its lines.
const ENTRY_BYTES: u64 = 24;
const CHUNK_BYTES: u64 = 128;

/// Lines of one generation, by class.
#[derive(Default)]
pub(crate) struct LogHead {
    classes: [ClassHead; 2],
    blocks: AtomicU32,
    bytes: AtomicU64,
}

/// Lines of one class.
pub(crate) struct ClassHead {
    index: SeriesIndex,
    /// By slot of the index.
    streams: RwLock<Vec<Arc<Stream>>>,
    entries: AtomicU64,
    min_ns: AtomicI64,
    max_ns: AtomicI64,
}

struct Stream {
    labels: Arc<LabelSet>,
    chunks: RwLock<Chunks>,
}

#[derive(Default)]
struct Chunks {
    joined: Vec<Arc<Chunk>>,
    open: Vec<Arc<Chunk>>,
}

/// Lines of one stream in the order of arrival.
pub(crate) struct Chunk {
    rows: Box<[Row]>,
    /// Line, fields, line, fields.
    bytes: Box<[u8]>,
    min_ns: i64,
    max_ns: i64,
}

#[derive(Clone, Copy)]
struct Row {
    at_ns: i64,
    block: u32,
    /// Where line and fields end in `bytes`; the line begins where the row before ends.
    line_end: u32,
    end: u32,
}

/// A stream's lines up to one arrival.
pub(crate) struct HeadStream {
    pub(crate) labels: Arc<LabelSet>,
    chunks: Vec<Arc<Chunk>>,
    visible: u32,
}

/// A line of a chunk: time, line, canonical bytes of its fields.
pub(crate) type RowRef<'a> = (i64, &'a [u8], &'a [u8]);

impl Default for ClassHead {
    fn default() -> Self {
        Self {
            index: SeriesIndex::new(),
            streams: RwLock::default(),
            entries: AtomicU64::new(0),
            min_ns: AtomicI64::new(i64::MAX),
            max_ns: AtomicI64::new(i64::MIN),
        }
    }
}

impl LogHead {
    pub(crate) fn append(&self, block: &LogBlock) {
        if block.entries.is_empty() {
            return;
        }
        let number = self.blocks.load(Ordering::Relaxed);
        let added = self.class(block.class).append(block, number);
        self.bytes.fetch_add(added, Ordering::Relaxed);
        self.blocks.store(number + 1, Ordering::Release);
    }

    /// The arrival up to which everything appended so far counts.
    pub(crate) fn arrived(&self) -> u32 {
        self.blocks.load(Ordering::Acquire)
    }

    /// About what it occupies, label sets aside.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn class(&self, class: LogClass) -> &ClassHead {
        &self.classes[class as usize]
    }

    pub(crate) fn entries(&self) -> u64 {
        self.classes.iter().map(ClassHead::entries).sum()
    }

    pub(crate) fn streams(&self) -> usize {
        self.classes.iter().map(|class| class.streams.read().len()).sum()
    }
}

impl ClassHead {
    /// Answers what it costs.
    fn append(&self, block: &LogBlock, number: u32) -> u64 {
        let series = TableSeries { id: block.labels.id(), labels: block.labels.clone(), kind: MetricKind::Untyped };
        let slot = self.index.assign(std::slice::from_ref(&series), &mut |_| {})[0] as usize;
        let chunk = Arc::new(Chunk::of(block, number));
        let stream = {
            let known = self.streams.read().get(slot).cloned();
            known.unwrap_or_else(|| {
                // Slots are given out in order, so this is the next one.
                let stream = Arc::new(Stream { labels: block.labels.clone(), chunks: RwLock::default() });
                self.streams.write().push(stream.clone());
                stream
            })
        };
        self.min_ns.fetch_min(chunk.min_ns, Ordering::Relaxed);
        self.max_ns.fetch_max(chunk.max_ns, Ordering::Relaxed);
        self.entries.fetch_add(chunk.rows.len() as u64, Ordering::Relaxed);
        let added = chunk.bytes.len() as u64 + chunk.rows.len() as u64 * ENTRY_BYTES + CHUNK_BYTES;
        stream.push(chunk);
        added
    }

    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// The times between which all its lines lie, both included; none: it has no line.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let (min, max) = (self.min_ns.load(Ordering::Relaxed), self.max_ns.load(Ordering::Relaxed));
        (min <= max).then_some((min, max))
    }

    /// The streams that pass, in no order, up to this arrival.
    pub(crate) fn find(&self, matchers: &[Matcher], visible: u32) -> Vec<HeadStream> {
        let Ok(candidates) = resolve(&self.index, matchers);
        let passes = |labels: &LabelSet| {
            candidates.unchecked.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name).unwrap_or("")))
        };
        let mut found = Vec::new();
        for part in candidates.series.chunks(1_024) {
            let streams = self.streams.read();
            let part = part.iter().filter_map(|&slot| streams.get(slot as usize).cloned());
            let part: Vec<Arc<Stream>> = part.collect();
            drop(streams);
            found.extend(part.iter().filter(|stream| passes(&stream.labels)).map(|stream| stream.at(visible)));
        }
        found
    }
}

impl Stream {
    fn push(&self, chunk: Arc<Chunk>) {
        let mut chunks = self.chunks.write();
        chunks.open.push(chunk);
        if chunks.open.len() == OPEN_CHUNKS {
            let open = std::mem::take(&mut chunks.open);
            if open.iter().map(|chunk| chunk.bytes.len()).sum::<usize>() <= JOIN_BYTES_MAX {
                chunks.joined.push(Arc::new(Chunk::join(&open)));
            } else {
                chunks.joined.extend(open);
            }
        }
    }

    fn at(&self, visible: u32) -> HeadStream {
        let chunks = self.chunks.read();
        let chunks = chunks.joined.iter().chain(&chunks.open).cloned().collect();
        HeadStream { labels: self.labels.clone(), chunks, visible }
    }
}

impl Chunk {
    fn of(block: &LogBlock, number: u32) -> Self {
        let (mut rows, mut bytes) = (Vec::with_capacity(block.entries.len()), Vec::with_capacity(block.bytes()));
        for entry in &block.entries {
            bytes.extend_from_slice(&entry.line);
            let line_end = bytes.len() as u32;
            bytes.extend_from_slice(entry.fields.canonical());
            rows.push(Row { at_ns: entry.at_ns, block: number, line_end, end: bytes.len() as u32 });
        }
        Self::new(rows, bytes)
    }

    fn join(chunks: &[Arc<Self>]) -> Self {
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
        for chunk in chunks {
            let start = bytes.len() as u32;
            bytes.extend_from_slice(&chunk.bytes);
            let moved = |row: &Row| Row { line_end: row.line_end + start, end: row.end + start, ..*row };
            rows.extend(chunk.rows.iter().map(moved));
        }
        Self::new(rows, bytes)
    }

    fn new(rows: Vec<Row>, bytes: Vec<u8>) -> Self {
        let min_ns = rows.iter().map(|row| row.at_ns).min().unwrap_or(i64::MAX);
        let max_ns = rows.iter().map(|row| row.at_ns).max().unwrap_or(i64::MIN);
        Self { rows: rows.into(), bytes: bytes.into(), min_ns, max_ns }
    }
}

impl HeadStream {
    /// Calls `each` with the lines at or after `from_ns` and before `to_ns`, in the order of arrival, until it answers `false`.
    pub(crate) fn each(&self, from_ns: i64, to_ns: i64, each: &mut dyn FnMut(RowRef<'_>) -> bool) {
        for chunk in self.chunks.iter().filter(|chunk| is_before(chunk.min_ns, to_ns) && chunk.max_ns >= from_ns) {
            let mut start = 0;
            for row in &chunk.rows {
                if row.block >= self.visible {
                    return;
                }
                if row.at_ns >= from_ns && is_before(row.at_ns, to_ns) {
                    let line = &chunk.bytes[start..row.line_end as usize];
                    if !each((row.at_ns, line, &chunk.bytes[row.line_end as usize..row.end as usize])) {
                        return;
                    }
                }
                start = row.end as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::record::LogEntry;

    #[test]
    fn a_reader_sees_what_had_arrived_in_order_however_chunks_were_joined() {
        let head = LogHead::default();
        let labels = Arc::new(LabelSet::new([("job", "a")]).unwrap());
        let fields = LabelSet::new([("k", "v")]).unwrap();
        for number in 0..100i64 {
            let line = format!("line {number}").into_bytes();
            let entries = vec![LogEntry { at_ns: 1_000 - number, line, fields: fields.clone() }];
            head.append(&LogBlock { class: LogClass::Logs, labels: labels.clone(), entries });
        }
        let read = |visible, from_ns, to_ns| {
            let mut lines = Vec::new();
            let found = head.class(LogClass::Logs).find(&[Matcher::equal("job", "a")], visible);
            found[0].each(from_ns, to_ns, &mut |(_, line, canonical)| {
                assert_eq!(canonical, fields.canonical());
                lines.push(String::from_utf8(line.to_vec()).unwrap());
                true
            });
            lines
        };
        let expected = |range: std::ops::Range<i64>| range.map(|i| format!("line {i}")).collect::<Vec<_>>();
        assert_eq!(read(100, i64::MIN, i64::MAX), expected(0..100));
        assert_eq!(read(40, i64::MIN, i64::MAX), expected(0..40));
        assert_eq!(read(100, 990, 996), expected(5..11));
        assert!(head.class(LogClass::Events).find(&[], 100).is_empty());
        assert_eq!((head.entries(), head.streams(), head.class(LogClass::Logs).times()), (100, 1, Some((901, 1_000))));
    }
}
