//! Lines on their way out, with the ranges that they are.
//!
//! A [`Batch`] is made of pieces: an entry and the ends of the ranges that go with it, or ends alone. It can be cut between any two pieces,
//! and every part says exactly which bytes it stands for.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::limits::{BATCH_LINES_MAX, BATCH_STREAMS_MAX, LOG_LINE_BYTES_MAX};
use muster_common::wire::message::{LogBatch, LogLine, LogStream, SourceId, SourceRange, WireLabel};

/// Plain bytes of one batch: a quarter of a frame's limit, so that labels and fields have room.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// What a line costs beside its bytes: time, count, fields.
const LINE_BYTES: usize = 24;
/// A line that no frame takes, since it does not compress, keeps this much.
const SHORT_LINE_BYTES: usize = LOG_LINE_BYTES_MAX / 2;

/// One step of a source: the bytes from `from` to `to` are dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub source: Arc<SourceId>,
    pub from: u64,
    pub to: u64,
    pub tail_hash: u64,
    /// Why bytes before `from` are given up; empty: none are.
    pub skipped: &'static str,
    pub gone: bool,
}

/// The labels of a stream; streams are told apart by address.
pub type Labels = Arc<Vec<WireLabel>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub labels: Labels,
    pub line: LogLine,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub entry: Option<Entry>,
    pub end: End,
    /// Ends of further sources: a record that goes on over a rotation.
    pub more: Vec<End>,
}

/// Pieces in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pieces: Vec<Piece>,
    bytes: usize,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Estimated plain bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lines in it.
    pub fn lines(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.entry.is_some()).count()
    }

    /// Whether the next piece belongs into another batch. Pieces bound streams and ranges too.
    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES_MAX || self.pieces.len() >= BATCH_STREAMS_MAX.min(BATCH_LINES_MAX) * 16
    }

    pub fn push(&mut self, piece: Piece) {
        self.bytes += cost(&piece);
        self.pieces.push(piece);
    }

    /// The wire's form. Ranges of one source that follow each other are one.
    pub fn to_wire(&self) -> LogBatch {
        let mut ranges: Vec<SourceRange> = Vec::new();
        let mut streams: Vec<LogStream> = Vec::new();
        let mut range_of: HashMap<*const SourceId, usize> = HashMap::new();
        let mut stream_of: HashMap<*const Vec<WireLabel>, usize> = HashMap::new();
        for piece in &self.pieces {
            if let Some(Entry { labels, line }) = &piece.entry {
                let index = *stream_of.entry(Arc::as_ptr(labels)).or_insert_with(|| {
                    streams.push(LogStream { labels: labels.to_vec(), lines: Vec::new() });
                    streams.len() - 1
                });
                streams[index].lines.push(line.clone());
            }
            for end in std::iter::once(&piece.end).chain(&piece.more) {
                let key = Arc::as_ptr(&end.source);
                match range_of.get(&key) {
                    Some(index) if end.skipped.is_empty() && ranges[*index].to == end.from => {
                        let range: &mut SourceRange = &mut ranges[*index];
                        range.to = end.to;
                        range.tail_hash = end.tail_hash;
                        range.gone |= end.gone;
                    }
                    _ => {
                        range_of.insert(key, ranges.len());
                        ranges.push(SourceRange {
                            source: (*end.source).clone(),
                            from: end.from,
                            to: end.to,
                            skipped: end.skipped.to_owned(),
                            tail_hash: end.tail_hash,
                            gone: end.gone,
                        });
                    }
                }
            }
        }
        LogBatch { ranges, streams, extensions: Vec::new() }
    }

    /// As many wire batches as it takes for each to fit, in order. A single line that fits nowhere is shortened and flagged.
    pub fn split(self, fits: &mut dyn FnMut(&LogBatch) -> bool) -> Vec<LogBatch> {
        let mut out = Vec::new();
        // Halves, the later one below the earlier one: the depth is the logarithm of the pieces.
        let mut open = vec![self];
        while let Some(batch) = open.pop() {
            let wire = batch.to_wire();
            let is_small =
                wire.streams.len() <= BATCH_STREAMS_MAX && wire.ranges.len() <= BATCH_STREAMS_MAX && fits(&wire);
            if is_small || batch.pieces.is_empty() {
                out.push(wire);
            } else if batch.pieces.len() > 1 {
                let (first, second) = batch.halve();
                open.push(second);
                open.push(first);
            } else {
                out.push(batch.shortened());
            }
        }
        out
    }

    fn halve(mut self) -> (Self, Self) {
        let (half, mut sum, mut cut) = (self.bytes / 2, 0, 0);
        while cut + 1 < self.pieces.len() && (cut == 0 || sum + cost(&self.pieces[cut]) <= half) {
            sum += cost(&self.pieces[cut]);
            cut += 1;
        }
        let rest = self.pieces.split_off(cut.max(1));
        let bytes = self.bytes - self.pieces.iter().map(cost).sum::<usize>();
        self.bytes -= bytes;
        (self, Self { pieces: rest, bytes })
    }

    fn shortened(mut self) -> LogBatch {
        for entry in self.pieces.iter_mut().filter_map(|piece| piece.entry.as_mut()) {
            entry.line.line.truncate(SHORT_LINE_BYTES);
            flag_truncated(&mut entry.line.fields);
        }
        self.to_wire()
    }
}

/// Says that a line has only its head.
pub fn flag_truncated(fields: &mut Vec<WireLabel>) {
    if fields.iter().all(|field| field.name != "truncated") {
        fields.push(WireLabel { name: "truncated".to_owned(), value: "true".to_owned() });
    }
}

fn cost(piece: &Piece) -> usize {
    let entry = piece.entry.as_ref().map_or(0, |entry| {
        let fields: usize = entry.line.fields.iter().map(|field| field.name.len() + field.value.len() + 4).sum();
        entry.line.line.len() + fields + LINE_BYTES
    });
    // A range is some 60 bytes and a path, once a batch.
    entry + 8 + piece.more.len() * 64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(inode: u64) -> Arc<SourceId> {
        Arc::new(SourceId {
            device: 1,
            inode,
            fingerprint: 5,
            fingerprint_bytes: 9,
            incarnation: 0,
            path: "/a".to_owned(),
        })
    }

    fn batch(lines: u64) -> Batch {
        let (source, labels) = (source(1), Arc::new(vec![WireLabel { name: "filename".into(), value: "/a".into() }]));
        let mut batch = Batch::default();
        for n in 0..lines {
            let line = LogLine { at_ns: n as i64, line: format!("line {n}").into_bytes(), fields: Vec::new() };
            let end = End {
                source: Arc::clone(&source),
                from: n * 10,
                to: n * 10 + 10,
                tail_hash: n,
                skipped: "",
                gone: n + 1 == lines,
            };
            batch.push(Piece { entry: Some(Entry { labels: Arc::clone(&labels), line }), end, more: Vec::new() });
        }
        batch
    }

    #[test]
    fn a_batch_is_cut_into_parts_that_go_on_from_each_other() {
        for most in [1, 2, 3, 7, 100] {
            let parts =
                batch(50).split(&mut |part| part.streams.iter().map(|one| one.lines.len()).sum::<usize>() <= most);
            let (mut next, mut lines) = (0, 0);
            for part in &parts {
                let [range] = part.ranges.as_slice() else { panic!("one source") };
                assert_eq!((range.from, range.to), (next, next + 10 * part.streams[0].lines.len() as u64));
                next = range.to;
                lines += part.streams[0].lines.len();
                assert_eq!(range.gone, next == 500);
            }
            assert_eq!((next, lines), (500, 50), "at most {most}");
        }
    }

    #[test]
    fn a_skip_is_a_range_of_its_own_and_a_line_that_fits_nowhere_is_shortened() {
        let mut skipping = batch(2);
        skipping.pieces[1].end = End { from: 50, to: 60, skipped: "rotated away", ..skipping.pieces[1].end.clone() };
        let wire = skipping.to_wire();
        assert_eq!(wire.ranges.iter().map(|one| (one.from, one.to)).collect::<Vec<_>>(), [(0, 10), (50, 60)]);
        let mut long = batch(1);
        if let Some(entry) = &mut long.pieces[0].entry {
            entry.line.line = vec![b'x'; LOG_LINE_BYTES_MAX];
        }
        let parts = long.split(&mut |part| part.streams[0].lines[0].line.len() < 200_000);
        assert_eq!((parts[0].streams[0].lines[0].line.len(), parts[0].ranges[0].to), (SHORT_LINE_BYTES, 10));
        assert_eq!(parts[0].streams[0].lines[0].fields[0].name, "truncated");
    }
}
