//! The account of every line.
//!
//! A line says which it is, so that the account needs no memory of what was sent: of each file the store must have every number once, in
//! order where clocks are true, without a hole, whatever the file was called meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use muster_common::host::HostId;
use muster_common::matcher::Matcher;
use muster_common::wire::message::{Epoch, LogBatch, Message, SourceId};
use muster_store::{LogOrder as Order, LogSelect, View};

use super::files::{FILES, LogFiles, Tailer};
use super::ledger::Violation;

/// A file of a world: the node that writes it, and which of its files it is.
pub(super) type FileKey = (usize, usize);

/// The line of this number.
pub(super) fn text((node, file): FileKey, number: u64) -> String {
    format!("n{node:02} f{file} l{number:08}")
}

/// What the file is called while it is written.
pub(super) fn path_of(file: usize) -> String {
    format!("/log/{file}.log")
}

fn file_of(path: &str) -> Option<usize> {
    path.strip_prefix("/log/")?.strip_suffix(".log")?.parse().ok()
}

/// Lines that a delete hides from a file's beginning.
#[derive(Clone, Copy, Debug)]
struct Deleted {
    at_ms: i64,
    through: u64,
    /// Whether the store said so; else it may be.
    is_known: bool,
}

/// What a seq of lane p2 carried.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    ranges: Vec<(SourceId, u64, u64)>,
    /// One past the highest line of each file.
    ends: BTreeMap<FileKey, u64>,
}

/// The account of lines.
#[derive(Default)]
pub(super) struct LineLedger {
    written: BTreeMap<FileKey, u64>,
    sent: HashMap<(HostId, Epoch), BTreeMap<u64, Sent>>,
    /// How many lines of each file were acknowledged.
    promised: BTreeMap<FileKey, u64>,
    /// When the first line of each file was acknowledged.
    known_since_ms: BTreeMap<FileKey, i64>,
    /// Files of which a restored collector may never have heard. What was rotated away of them is then from before the agent's time: the
    /// event of the restore says that something may be missing.
    unheard_of: BTreeSet<FileKey>,
    deleted: BTreeMap<FileKey, Vec<Deleted>>,
}

/// How a host's lines are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judging<'a> {
    /// Nodes of the host that still run.
    pub(super) nodes: &'a [usize],
    /// Every line that they wrote must be there.
    pub(super) all: bool,
    /// Clocks are true, so that lines have the order of their file.
    pub(super) in_order: bool,
}

impl LineLedger {
    pub(super) fn note_written(&mut self, node: usize, files: &LogFiles) {
        self.written.extend(files.written.iter().enumerate().map(|(file, lines)| ((node, file), *lines)));
    }

    /// Whether a line of the file was acknowledged.
    pub(super) fn is_known(&self, key: FileKey) -> bool {
        self.known_since_ms.contains_key(&key)
    }

    /// Bytes that a node wrote to lane p2.
    pub(super) fn on_wire(&mut self, tailer: &mut Tailer, host: HostId, bytes: &[u8]) -> Result<(), Violation> {
        tailer.tap.push(bytes);
        loop {
            let frame = match tailer.tap.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Violation(format!("an agent sent lines that are no frame: {error}"))),
            };
            let Message::Logs(batch) = frame.message else {
                return Err(Violation(format!("{:?} on lane p2", frame.message)));
            };
            let mut ranges = Vec::new();
            for range in &batch.ranges {
                let expected = tailer.expected.insert(range.source.clone(), range.to);
                if expected.is_some_and(|expected| expected != range.from) {
                    return Err(Violation(format!(
                        "{:?} goes on at {} on a connection on which {expected:?} is next (rule 13)",
                        range.source, range.from
                    )));
                }
                if !range.skipped.is_empty() {
                    return Err(Violation(format!("{range:?} is given up, though every file is there")));
                }
                ranges.push((range.source.clone(), range.from, range.to));
            }
            let sent = Sent { ranges, ends: ends_of(&batch)? };
            let run = self.sent.entry((host, frame.epoch)).or_default();
            if let Some(before) = run.insert(frame.seq, sent.clone())
                && before != sent
            {
                return Err(Violation(format!(
                    "seq {} of epoch {:?} on p2 was sent as {before:?} and again as {sent:?} (rule 2)",
                    frame.seq, frame.epoch
                )));
            }
        }
    }

    /// The collector said that everything of the epoch up to there is committed.
    pub(super) fn on_ack(&mut self, host: HostId, epoch: Epoch, seq: u64, now_ms: i64) {
        let Some(run) = self.sent.get(&(host, epoch)) else { return };
        for (key, end) in run.range(..=seq).flat_map(|(_, sent)| &sent.ends) {
            let promised = self.promised.entry(*key).or_default();
            *promised = (*promised).max(*end);
            self.known_since_ms.entry(*key).or_insert(now_ms);
        }
    }

    /// The collector knows no more than what it knew then of where files stand.
    pub(super) fn forget_positions(&mut self, image_ms: i64) {
        let forgotten = self.known_since_ms.extract_if(.., |_, since| *since > image_ms);
        self.unheard_of.extend(forgotten.map(|(key, _)| key));
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

    /// How many lines of the file the store has or had: what a delete now hides.
    pub(super) fn arrived(&self, host: HostId, key: FileKey, view: &View) -> Result<u64, Violation> {
        let seen =
            stored(host, view)?.get(&key).and_then(|lines| lines.iter().max().copied()).map_or(0, |last| last + 1);
        let deleted = self.deleted.get(&key).into_iter().flatten().map(|delete| delete.through).max();
        Ok(seen.max(deleted.unwrap_or(0)))
    }

    /// Judges what the store has of one host's lines, and gives how many.
    pub(super) fn judge(&self, host: HostId, view: &View, how: Judging<'_>) -> Result<u64, Violation> {
        let mut stored = stored(host, view)?;
        if let Some(key) = stored.keys().find(|key| !self.written.contains_key(key)) {
            return Err(Violation(format!("lines of {key:?} are stored, which nobody wrote")));
        }
        let of_nodes = self.written.keys().filter(|(node, _)| how.nodes.contains(node));
        let keys: BTreeSet<FileKey> = stored.keys().chain(of_nodes).copied().collect();
        let mut count = 0;
        for key in keys {
            let mut lines = stored.remove(&key).unwrap_or_default();
            if !how.in_order {
                lines.sort_unstable();
            }
            let deletes = self.deleted.get(&key).map_or(&[][..], Vec::as_slice);
            let known = deletes.iter().filter(|delete| delete.is_known).map(|delete| delete.through).max().unwrap_or(0);
            let is_hidden = |through: u64| {
                through == known || deletes.iter().any(|one| !one.is_known && one.through == through && through > known)
            };
            let first = lines.first().copied();
            let is_run = first.is_none_or(|first| (first..first + lines.len() as u64).eq(lines.iter().copied()));
            if !is_run || !(first.is_none_or(is_hidden) || self.unheard_of.contains(&key)) {
                let (start, end) = (lines.iter().take(5), lines.iter().rev().take(5));
                return Err(Violation(format!(
                    "with {deletes:?} {} lines of {key:?} are there: {:?} to {:?}, first break at {:?}",
                    lines.len(),
                    start.collect::<Vec<_>>(),
                    end.collect::<Vec<_>>(),
                    lines.windows(2).find(|pair| pair[0] + 1 != pair[1]),
                )));
            }
            let hidden = deletes.iter().map(|delete| delete.through).max().unwrap_or(0);
            let arrived = first.map_or(hidden, |first| first + lines.len() as u64);
            let (promised, written) =
                (self.promised.get(&key).copied().unwrap_or(0), self.written.get(&key).copied().unwrap_or(0));
            if arrived < promised {
                return Err(Violation(format!("of {key:?} {promised} lines were acknowledged and {arrived} arrived")));
            }
            let may_miss_all = first.is_none() && self.unheard_of.contains(&key);
            if how.all && how.nodes.contains(&key.0) && arrived != written && !may_miss_all {
                return Err(Violation(format!("of {written} lines of {key:?} {arrived} arrived")));
            }
            count += arrived;
        }
        Ok(count)
    }
}

/// One past the highest line of each file in a batch.
fn ends_of(batch: &LogBatch) -> Result<BTreeMap<FileKey, u64>, Violation> {
    let mut ends: BTreeMap<FileKey, u64> = BTreeMap::new();
    for stream in &batch.streams {
        let label = |name: &str| stream.labels.iter().find(|one| one.name == name).map(|one| one.value.as_str());
        for line in &stream.lines {
            let (key, number) = key_of(label("machine"), label("filename"), &line.line)?;
            let end = ends.entry(key).or_default();
            *end = (*end).max(number + 1);
        }
    }
    Ok(ends)
}

/// Which line this is.
fn key_of(machine: Option<&str>, path: Option<&str>, line: &[u8]) -> Result<(FileKey, u64), Violation> {
    let read = || {
        let key = (machine?.parse().ok()?, file_of(path?)?);
        let number = std::str::from_utf8(line).ok()?.get(8..)?.parse().ok()?;
        (text(key, number).as_bytes() == line).then_some((key, number))
    };
    let text = || format!("the line `{}` of {path:?} on {machine:?} is none", String::from_utf8_lossy(line));
    read().ok_or_else(|| Violation(text()))
}

/// The numbers of the lines that can be asked for, by file, in the store's order.
fn stored(host: HostId, view: &View) -> Result<BTreeMap<FileKey, Vec<u64>>, Violation> {
    let matchers = [Matcher::equal("host", host.to_string())];
    let select = LogSelect { order: Order::ByStream, ..LogSelect::all_times(&matchers) };
    let mut found: BTreeMap<FileKey, Vec<u64>> = BTreeMap::new();
    let mut strange = None;
    let asked = view.logs(&select, &mut |labels, entry| {
        match key_of(labels.get("machine"), labels.get("filename"), entry.line) {
            Ok((key, number)) => found.entry(key).or_default().push(number),
            Err(violation) => {
                strange = Some(violation);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    asked.map_err(|error| Violation(format!("lines cannot be asked for: {error:?}")))?;
    strange.map_or(Ok(found), Err)
}

/// The matchers of one file's stream.
pub(super) fn matchers(host: HostId, (node, file): FileKey) -> Vec<Matcher> {
    vec![
        Matcher::equal("host", host.to_string()),
        Matcher::equal("machine", node.to_string()),
        Matcher::equal("filename", path_of(file)),
    ]
}

/// One of a node's files.
pub(super) fn any_file(node: usize, rng: &mut fastrand::Rng) -> FileKey {
    (node, rng.usize(..FILES))
}
