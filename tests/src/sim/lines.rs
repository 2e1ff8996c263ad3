//! Log files of a simulated host, their reader, and the account of every line.
//!
//! Files live beside the agent's disk: a crash, a cut, a reverted or wiped state folder takes nothing of them. The reader's state dies with the
//! agent; it goes where the session sends it. A line says which it is, so that the account needs no memory of what was sent.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use muster_agent::uplink::session::{LogFrame, LogOrder};
use muster_common::host::HostId;
use muster_common::matcher::Matcher;
use muster_common::wire::frame::{self, Frame, FrameReader};
use muster_common::wire::message::{
    Epoch, Lane, LogBatch, LogLine, LogStream, Message, SourceId, SourceRange, WireLabel,
};
use muster_store::{LogOrder as Order, LogSelect, PositionRow, View};

use super::ledger::Violation;
use super::world::START_MS;

/// Files of a host.
const FILES: usize = 2;
/// Bytes of a line: positions are bytes.
const LINE_BYTES: u64 = 16;
/// Lines of one batch at most.
const BATCH_LINES: u64 = 20;

/// A file of a world: the node that writes it, and which of its files it is.
pub(super) type FileKey = (usize, usize);

/// The files of one host and how many lines each has.
#[derive(Clone, Debug, Default)]
pub(super) struct Files([u64; FILES]);

impl Files {
    /// Some more lines in one of them.
    pub(super) fn write(&mut self, rng: &mut fastrand::Rng) {
        self.0[rng.usize(..FILES)] += rng.u64(1..6);
    }
}

fn text((node, file): FileKey, number: u64) -> String {
    format!("n{node:02} f{file} l{number:08}")
}

/// Several lines have one time, so that their order is that of their arrival.
fn at_ns(number: u64) -> i64 {
    START_MS * 1_000_000 + i64::try_from(number / 7).unwrap_or(0)
}

fn source((node, file): FileKey) -> SourceId {
    let path = format!("/log/{file}");
    SourceId { device: node as u64, inode: file as u64, fingerprint: 3, fingerprint_bytes: 16, incarnation: 0, path }
}

fn key_of(source: &SourceId) -> FileKey {
    (source.device as usize, source.inode as usize)
}

/// A process' reader of its host's files: how far each is handed out, and acknowledged.
#[derive(Debug, Default)]
pub(super) struct Reader {
    sent: [u64; FILES],
    acked: [u64; FILES],
    turn: usize,
    /// Where the next range of each file must begin on this connection; `None`: where the reader thinks that it is acknowledged.
    expected: [Option<u64>; FILES],
    frames: FrameReader,
}

impl Reader {
    /// A new connection: what is sent on it is watched anew.
    pub(super) fn connected(&mut self) {
        self.frames = FrameReader::new();
        self.expected = [None; FILES];
    }

    pub(super) fn obey(&mut self, node: usize, order: &LogOrder) {
        let own = |source: &SourceId| Some(key_of(source)).filter(|(of, _)| *of == node).map(|(_, file)| file);
        match order {
            LogOrder::SeekAll(positions) => {
                self.acked = [0; FILES];
                for position in positions {
                    if let Some(file) = own(&position.source) {
                        self.acked[file] = position.offset;
                    }
                }
                self.sent = self.acked;
                self.expected = self.acked.map(Some);
            }
            LogOrder::SeekSome(positions) => {
                self.sent = self.acked;
                self.expected = [None; FILES];
                for position in positions {
                    if let Some(file) = own(&position.source) {
                        (self.acked[file], self.sent[file]) = (position.offset, position.offset);
                        self.expected[file] = Some(position.offset);
                    }
                }
            }
            LogOrder::Acked(ends) => {
                for (source, to) in ends {
                    if let Some(file) = own(source) {
                        self.acked[file] = *to;
                    }
                }
            }
        }
    }

    /// Whether everything in the files is acknowledged.
    pub(super) fn has_all(&self, files: &Files) -> bool {
        self.acked.iter().zip(&files.0).all(|(acked, lines)| *acked == lines * LINE_BYTES)
    }

    /// The next lines: of one file after the other, now and then of both.
    pub(super) fn next(
        &mut self,
        node: usize,
        files: &Files,
        rng: &mut fastrand::Rng,
    ) -> Result<Option<LogFrame>, Violation> {
        self.turn += 1;
        let (mut batch, mut ends, mut lines) = (empty(), Vec::new(), 0);
        for file in (0..FILES).map(|file| (file + self.turn) % FILES) {
            let (from, written) = (self.sent[file] / LINE_BYTES, files.0[file]);
            if from > written {
                return Err(Violation(format!("node {node} is sent to line {from} of a file of {written}")));
            }
            let to = written.min(from + rng.u64(1..=BATCH_LINES));
            if from == to || (lines > 0 && rng.bool()) {
                continue;
            }
            let key = (node, file);
            let label = |name: &str, value: String| WireLabel { name: name.to_owned(), value };
            batch.ranges.push(SourceRange {
                source: source(key),
                from: from * LINE_BYTES,
                to: to * LINE_BYTES,
                skipped: String::new(),
                tail_hash: to,
                gone: false,
            });
            batch.streams.push(LogStream {
                labels: vec![label("filename", format!("/log/{file}")), label("machine", node.to_string())],
                lines: (from..to)
                    .map(|n| LogLine { at_ns: at_ns(n), line: text(key, n).into(), fields: Vec::new() })
                    .collect(),
            });
            ends.push((source(key), to * LINE_BYTES));
            self.sent[file] = to * LINE_BYTES;
            lines += to - from;
        }
        if ends.is_empty() {
            return Ok(None);
        }
        let frame = Frame::batch(Lane::P2, Epoch::new(1, 1), 1, Message::Logs(batch));
        let bytes = frame::encode(&frame).map_err(|error| Violation(format!("lines do not fit a frame: {error}")))?;
        Ok(Some(LogFrame { frame: bytes.into(), ends, lines }))
    }
}

fn empty() -> LogBatch {
    LogBatch { ranges: Vec::new(), streams: Vec::new(), extensions: Vec::new() }
}

/// Lines that a delete hides from a file's beginning.
#[derive(Clone, Copy, Debug)]
struct Deleted {
    at_ms: i64,
    through: u64,
    /// Whether the store said so; else it may be.
    is_known: bool,
}

/// Of a batch: which bytes of which files.
type Ranges = Vec<(FileKey, u64, u64)>;

/// The account of lines.
#[derive(Default)]
pub(super) struct LineLedger {
    written: BTreeMap<FileKey, u64>,
    /// What each seq of lane p2 carried.
    sent: HashMap<(HostId, Epoch), BTreeMap<u64, Ranges>>,
    /// How far each file was acknowledged, bytes.
    promised: BTreeMap<FileKey, u64>,
    deleted: BTreeMap<FileKey, Vec<Deleted>>,
}

impl LineLedger {
    pub(super) fn note_written(&mut self, node: usize, files: &Files) {
        self.written.extend(files.0.iter().enumerate().map(|(file, lines)| ((node, file), *lines)));
    }

    /// Bytes that a node wrote to lane p2.
    pub(super) fn on_wire(&mut self, reader: &mut Reader, host: HostId, bytes: &[u8]) -> Result<(), Violation> {
        reader.frames.push(bytes);
        loop {
            let frame = match reader.frames.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Violation(format!("an agent sent lines that are no frame: {error}"))),
            };
            let Message::Logs(batch) = frame.message else {
                return Err(Violation(format!("{:?} on lane p2", frame.message)));
            };
            let mut ranges = Vec::new();
            for range in &batch.ranges {
                let key = key_of(&range.source);
                let expected = &mut reader.expected[key.1];
                if expected.is_some_and(|expected| expected != range.from) {
                    return Err(Violation(format!(
                        "{key:?} goes on at {} on a connection on which {expected:?} is next (rule 13)",
                        range.from
                    )));
                }
                *expected = Some(range.to);
                ranges.push((key, range.from, range.to));
            }
            let run = self.sent.entry((host, frame.epoch)).or_default();
            if let Some(before) = run.insert(frame.seq, ranges.clone())
                && before != ranges
            {
                return Err(Violation(format!(
                    "seq {} of epoch {:?} on p2 was sent as {before:?} and again as {ranges:?} (rule 2)",
                    frame.seq, frame.epoch
                )));
            }
        }
    }

    /// The collector said that everything of the epoch up to there is committed.
    pub(super) fn on_ack(&mut self, host: HostId, epoch: Epoch, seq: u64) {
        let Some(run) = self.sent.get(&(host, epoch)) else { return };
        for (key, _, to) in run.range(..=seq).flat_map(|(_, ranges)| ranges) {
            let promised = self.promised.entry(*key).or_default();
            *promised = (*promised).max(*to);
        }
    }

    /// The collector is as it was then: lines that it lacks come again, and deletes that it lacks are undone.
    pub(super) fn restore(&mut self, image_ms: i64) {
        self.promised.clear();
        // What was acknowledged before is promised no more by an epoch of then.
        self.sent.clear();
        for deletes in self.deleted.values_mut() {
            // An image of the same step was taken before its delete.
            deletes.retain(|delete| delete.at_ms < image_ms);
        }
    }

    /// A delete of a file's lines was asked for while the store had so many.
    pub(super) fn delete(&mut self, key: FileKey, at_ms: i64, through: u64, is_known: bool) {
        self.deleted.entry(key).or_default().push(Deleted { at_ms, through, is_known });
    }

    /// Judges what the store has of one host's lines: each once, in order, without a hole, as far as its position says; with `all`,
    /// every line that was written by a node that still runs (`nodes`).
    pub(super) fn judge(
        &self,
        host: HostId,
        view: &View,
        positions: &[PositionRow],
        nodes: &[usize],
        all: bool,
    ) -> Result<u64, Violation> {
        let stored = stored(host, view)?;
        for key in stored.keys() {
            if !self.written.contains_key(key) {
                return Err(Violation(format!("lines of {key:?} are stored, which nobody wrote")));
            }
        }
        let mut count = 0;
        for position in positions {
            let key = key_of(&position.source);
            let lines = stored.get(&key).map_or(&[][..], Vec::as_slice);
            let committed = position.offset / LINE_BYTES;
            let first = committed.checked_sub(lines.len() as u64);
            let is_run = first.is_some_and(|first| (first..committed).eq(lines.iter().copied()));
            let deletes = self.deleted.get(&key).map_or(&[][..], Vec::as_slice);
            let known = deletes.iter().filter(|delete| delete.is_known).map(|delete| delete.through).max().unwrap_or(0);
            let is_hidden = |through: u64| {
                through == known || deletes.iter().any(|one| !one.is_known && one.through == through && through > known)
            };
            if !is_run || !first.is_some_and(is_hidden) {
                let (start, end) = (lines.iter().take(5), lines.iter().rev().take(5));
                return Err(Violation(format!(
                    "{key:?} is committed through line {committed} with {deletes:?}, but {} lines are there: {:?} to {:?}, first break at {:?}",
                    lines.len(),
                    start.collect::<Vec<_>>(),
                    end.collect::<Vec<_>>(),
                    lines.windows(2).find(|pair| pair[0] + 1 != pair[1]),
                )));
            }
            if position.tail_hash != committed {
                return Err(Violation(format!("the position of {key:?} has the hash of another one")));
            }
            count += committed;
        }
        let place =
            |key: &FileKey| positions.iter().find(|one| key_of(&one.source) == *key).map_or(0, |one| one.offset);
        if let Some(key) = stored.keys().find(|key| place(key) == 0) {
            return Err(Violation(format!("lines of {key:?} are stored without a position")));
        }
        for (key, written) in self.written.iter().filter(|((node, _), _)| nodes.contains(node)) {
            let (place, promised) = (place(key), self.promised.get(key).copied().unwrap_or(0));
            if place < promised {
                return Err(Violation(format!("{key:?} was acknowledged through {promised} and stands at {place}")));
            }
            if all && place != written * LINE_BYTES {
                return Err(Violation(format!("of {written} lines of {key:?} {} arrived", place / LINE_BYTES)));
            }
        }
        Ok(count)
    }
}

/// The numbers of the lines that can be asked for, by file, in the store's order.
fn stored(host: HostId, view: &View) -> Result<BTreeMap<FileKey, Vec<u64>>, Violation> {
    let matchers = [Matcher::equal("host", host.to_string())];
    let select = LogSelect { order: Order::ByStream, ..LogSelect::all_times(&matchers) };
    let mut found: BTreeMap<FileKey, Vec<u64>> = BTreeMap::new();
    let mut strange = None;
    let asked = view.logs(&select, &mut |labels, entry| {
        let line = String::from_utf8_lossy(entry.line);
        let number = line.get(8..).and_then(|number| number.parse().ok());
        let node = labels.get("machine").and_then(|node| node.parse().ok());
        let file = labels.get("filename").and_then(|file| file.strip_prefix("/log/")?.parse().ok());
        match (node, file, number) {
            (Some(node), Some(file), Some(number))
                if line == text((node, file), number) && entry.at_ns == at_ns(number) =>
            {
                found.entry((node, file)).or_default().push(number);
                ControlFlow::Continue(())
            }
            _ => {
                strange = Some(format!("{labels} has the line `{line}` at {}", entry.at_ns));
                ControlFlow::Break(())
            }
        }
    });
    asked.map_err(|error| Violation(format!("lines cannot be asked for: {error:?}")))?;
    strange.map_or(Ok(found), |strange| Err(Violation(strange)))
}

/// The matchers of one file's stream.
pub(super) fn matchers(host: HostId, (node, file): FileKey) -> Vec<Matcher> {
    vec![
        Matcher::equal("host", host.to_string()),
        Matcher::equal("machine", node.to_string()),
        Matcher::equal("filename", format!("/log/{file}")),
    ]
}

/// One of a node's files.
pub(super) fn any_file(node: usize, rng: &mut fastrand::Rng) -> FileKey {
    (node, rng.usize(..FILES))
}

/// How far a file is committed, in lines.
pub(super) fn committed(positions: &[PositionRow], key: FileKey) -> u64 {
    positions.iter().find(|one| key_of(&one.source) == key).map_or(0, |one| one.offset / LINE_BYTES)
}
