//! The reader of files: which are followed, what is handed out, what the collector has.
//!
//! It owns no thread and reads no clock. [`LogReader::turn`] does what is due and gives at most one batch; [`LogReader::next_due`] says
//! when to come again. Before the first [`LogReader::seek`] nothing is handed out: files are found and held open meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::message::{Position, Problem, SourceId};

use super::batch::{Batch, End, Piece};
use super::content::Content;
use super::counters::SkipReason;
use super::files::Files;
use super::hints::Hints;
use super::log_spool::LogSpool;
use super::settings::LogGroup;
use super::source::{At, Key, Source, Stream};
use crate::fence::Fence;
use crate::own::Own;
use crate::uplink::Moment;
use muster_common::redact::Redactor;

/// A busy file is read again after this: small reads and wake-ups cost, not bytes.
pub const BUSY_PAUSE: Duration = Duration::from_millis(75);
/// The net under the watch: what it missed is found by looking.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// For folders that cannot be watched.
pub const SWEEP_UNWATCHED: Duration = Duration::from_secs(1);
/// Names that change are looked at together.
pub(super) const SCAN_PAUSE: Duration = Duration::from_millis(100);
/// A file without news is closed.
const IDLE_CLOSE: Duration = Duration::from_secs(60);
/// A rotated file may get late lines for this long after its last byte.
pub(super) const LATE: Duration = Duration::from_secs(30);
/// The last line of a rotated file waits this long for its newline.
pub(super) const PARTIAL_WAIT: Duration = Duration::from_secs(5);
/// A file that is in no folder is given up after this: a rename seen halfway is over by then.
const MISSING_WAIT: Duration = Duration::from_secs(8);

/// What may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files open at once.
    pub open_max: usize,
    /// Deleted files held open, so that they do not fill the disk unseen.
    pub held_max: usize,
    pub held_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_max: 256, held_max: 64, held_for: Duration::from_secs(3_600) }
    }
}

/// Which sources a seek is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The answer to hello: every position that the collector has of this host.
    All,
    /// The same, by a collector that may lack what the one before had: what this process remembers of acks says nothing any more.
    Anew,
    /// The answer to a misplaced batch: these; all others go back to what is acknowledged.
    Some,
}

/// A file name that is followed, with everything rotated away from it.
pub(super) struct Family {
    pub(super) group: usize,
    pub(super) stream: Arc<Stream>,
    /// Files found to be old news, by device, inode, size and time of last writing.
    pub(super) judged: BTreeSet<((u64, u64), u64, i64)>,
}

/// Where a file was begun, and which it was if that is known: its inode may be another file's by now.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) offset: u64,
    pub(super) id: Option<SourceId>,
}

pub struct LogReader<F: Files> {
    pub(super) files: F,
    pub(super) groups: Vec<LogGroup>,
    /// The first group of a remote configuration, and what such groups may read.
    pub(super) fence: Option<(usize, Fence)>,
    pub(super) redactor: Redactor,
    pub(super) own: Arc<Own>,
    pub(super) limits: Limits,
    pub(super) sources: BTreeMap<Key, Source<F>>,
    pub(super) by_place: HashMap<(u64, u64), Key>,
    pub(super) by_path: HashMap<PathBuf, Key>,
    pub(super) by_id: HashMap<Arc<SourceId>, Key>,
    pub(super) families: BTreeMap<PathBuf, Family>,
    /// The next incarnation of an inode that has had one.
    pub(super) incarnations: HashMap<(u64, u64), u32>,
    pub(super) folders: BTreeSet<PathBuf>,
    pub(super) hints: Hints,
    pub(super) problems: BTreeMap<String, Problem>,
    pub(super) seen_patterns: BTreeSet<String>,
    /// Where files were to be begun that the collector knows nothing of; only while its first answer is worked in.
    pub(super) starts: HashMap<(u64, u64), Start>,
    pub(super) is_first_look: bool,
    pub(super) open: usize,
    pub(super) next_key: Key,
    pub(super) buffer: Vec<u8>,
    pub(super) is_answered: bool,
    pub(super) spool: Option<LogSpool>,
    /// Bytes in memory of what is not acknowledged.
    pub(super) unacked_bytes: usize,
    /// Ranges that name what was given up at the last seek, and go out first.
    pub(super) skips: Vec<Piece>,
    pub(super) is_held: bool,
    /// Since when nothing may be handed out.
    pub(super) rests_since: Option<Duration>,
    sweep_every: Duration,
    scan_at: Duration,
    scanned_at: Option<Duration>,
    cursor: Key,
}

impl<F: Files + Clone> LogReader<F> {
    pub fn new(files: F, groups: Vec<LogGroup>, redactor: Redactor, own: Arc<Own>, hints: Hints) -> Self {
        Self {
            files,
            groups,
            fence: None,
            redactor,
            own,
            limits: Limits::default(),
            sources: BTreeMap::new(),
            by_place: HashMap::new(),
            by_path: HashMap::new(),
            by_id: HashMap::new(),
            families: BTreeMap::new(),
            incarnations: HashMap::new(),
            folders: BTreeSet::new(),
            seen_patterns: hints.patterns.iter().cloned().collect(),
            hints,
            problems: BTreeMap::new(),
            starts: HashMap::new(),
            is_first_look: false,
            open: 0,
            next_key: 1,
            buffer: Vec::new(),
            is_answered: false,
            spool: None,
            unacked_bytes: 0,
            skips: Vec::new(),
            is_held: false,
            rests_since: None,
            sweep_every: SWEEP_EVERY,
            scan_at: Duration::ZERO,
            scanned_at: None,
            cursor: 0,
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Stops reading, or goes on. The files wait meanwhile.
    pub fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Something about this path changed; a hint, never the only way to learn of it.
    pub fn changed(&mut self, path: &Path, is_name: bool, now: Moment) {
        if is_name {
            self.look_soon(now);
        } else if let Some(source) = self.by_path.get(path).and_then(|key| self.sources.get_mut(key)) {
            source.is_dirty = true;
        }
        // Bytes of a file that is not followed are nothing to us: what becomes followed does so by its name.
    }

    /// Names changed, or something was missed: look at all folders soon.
    pub fn look_soon(&mut self, now: Moment) {
        let earliest = self.scanned_at.map_or(Duration::ZERO, |at| at + SCAN_PAUSE);
        self.scan_at = self.scan_at.min(earliest.max(now.steady));
    }

    /// How often to look, by whether every folder is watched.
    pub fn set_watched(&mut self, is_watched: bool) {
        self.sweep_every = if is_watched { SWEEP_EVERY } else { SWEEP_UNWATCHED };
        self.scan_at = self.scan_at.min(self.scanned_at.unwrap_or_default() + self.sweep_every);
    }

    /// Folders to watch.
    pub fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.folders
    }

    /// What keeps files from being read, now.
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.values().cloned().collect()
    }

    /// Whether nothing is followed.
    pub fn is_idle(&self) -> bool {
        self.groups.is_empty()
    }

    /// The collector has this source up to `to`.
    pub fn acked(&mut self, source: &SourceId, to: u64) {
        if let Some(source) = self.by_id.get(source).and_then(|key| self.sources.get_mut(key)) {
            source.acked = Some(to.max(source.acked.unwrap_or(0)));
            source.unacked.acked(to);
        }
    }

    /// The collector cannot take this source's lines up to here: the next seek, which makes all that is unacknowledged go again, leaves them
    /// out and names them.
    pub fn give_up(&mut self, id: &SourceId, to: u64, now: Moment) {
        let Some(key) = self.by_id.get(id).copied() else { return };
        let Some(mut source) = self.sources.remove(&key) else { return };
        let mut hash = (source.at.offset == to).then_some(source.at.hash);
        if hash.is_none() && (source.content.is_some() || self.open(&mut source, now)) {
            let content = source.content.as_mut();
            hash = content.and_then(|one| one.hash_before(&self.files, to).ok().flatten());
        }
        // Where its bytes are gone nothing is read on from there.
        source.gives_up = Some(At { offset: to, hash: hash.unwrap_or(0) });
        self.sources.insert(key, source);
    }

    /// What the collector has committed. Everything that was handed out and is not in it is handed out again.
    pub fn seek(&mut self, positions: &[Position], scope: Scope, now: Moment) {
        for position in positions {
            let place = (position.source.device, position.source.inode);
            let next = self.incarnations.entry(place).or_insert(0);
            *next = (*next).max(position.source.incarnation.saturating_add(1));
        }
        if scope == Scope::Anew || (!self.is_answered && scope == Scope::All) {
            if self.is_answered {
                self.hints = self.hints("");
                self.skips.clear();
                let kept = self.sources.values_mut().map(|source| usize::from(source.keep_in_memory()));
                self.open += kept.sum::<usize>();
            }
            self.first_answer(positions, now);
            return;
        }
        self.skips.clear();
        let positions: HashMap<&SourceId, &Position> = positions.iter().map(|one| (&one.source, one)).collect();
        for (key, mut source) in std::mem::take(&mut self.sources) {
            let position = source.id.as_deref().and_then(|id| positions.get(id));
            let mut trusts_next = false;
            let gives_up = source.gives_up.take();
            if position.is_some() || scope == Scope::All {
                source.acked = position.map(|position| position.offset);
                source.unacked.acked(source.acked.unwrap_or(0));
            }
            self.open += usize::from(source.keep_in_memory());
            let at = match (position, scope) {
                (Some(position), _) => At { offset: position.offset, hash: position.tail_hash },
                (None, Scope::All | Scope::Anew) => source.opened,
                (None, Scope::Some) if gives_up.is_some() => {
                    let (Some(to), Some(id)) = (gives_up, source.id.clone()) else {
                        self.sources.insert(key, source);
                        continue;
                    };
                    let from = source.acked.unwrap_or(source.opened.offset);
                    self.own.logs.skip(SkipReason::Refused, to.offset.saturating_sub(from));
                    tracing::warn!(file = %source.head.display(), from, to = to.offset, "{}", SkipReason::Refused.text());
                    let (tail_hash, skipped) = (to.hash, SkipReason::Refused.text());
                    let gone = source.is_done && source.sent == to.offset;
                    let end = End { source: id, from: to.offset, to: to.offset, tail_hash, skipped, gone };
                    self.skips.push(Piece { entry: None, end, more: Vec::new() });
                    to
                }
                (None, Scope::Some) => match source.acked {
                    Some(acked) if acked == source.sent && source.pending.is_none() => {
                        self.sources.insert(key, source);
                        continue;
                    }
                    Some(acked) => {
                        let content = source.content.as_mut();
                        let hash = content.and_then(|one| one.hash_before(&self.files, acked).ok().flatten());
                        trusts_next = hash.is_none();
                        At { offset: acked, hash: hash.unwrap_or(0) }
                    }
                    None => source.opened,
                },
            };
            let is_complete = source.is_done && at.offset == source.sent;
            let at = self.within_kept(&mut source, at);
            source.seek(at);
            // What is read to its end and known there needs no second look; a done source that is not is looked for again.
            source.is_done = is_complete;
            source.trusts_next = trusts_next;
            self.sources.insert(key, source);
        }
        self.look_soon(now);
    }

    /// Does what is due and gives what was read, at most one batch.
    pub fn turn(&mut self, now: Moment) -> Option<Batch> {
        let mut batch = Batch::default();
        if self.is_answered && !self.is_held {
            self.skips.drain(..).for_each(|skip| batch.push(skip));
        }
        if self.scan_at <= now.steady {
            self.look(now);
        }
        self.rescue(now, false);
        if !self.is_answered || self.is_held {
            self.hold_open(now);
        } else {
            self.read_round(now, &mut batch);
            self.finish(now, &mut batch);
        }
        self.close_idle(now);
        self.count();
        (!batch.is_empty()).then_some(batch)
    }

    pub(super) fn look(&mut self, now: Moment) {
        self.scanned_at = Some(now.steady);
        self.scan_at = now.steady + self.sweep_every;
        self.scan(now);
    }

    /// When to call [`LogReader::turn`] again if nothing happens before.
    pub fn next_due(&self, now: Moment) -> Duration {
        let mut due = self.scan_at;
        if !self.is_answered || self.is_held {
            return due;
        }
        for source in self.sources.values().filter(|source| !source.is_done) {
            if source.is_dirty && !self.waits(source) && source.missing.is_none() {
                due = due.min(source.next_read);
            }
            if let Some(pending) = &source.pending {
                due = due.min(pending.since + super::multiline::WAIT);
            }
            if source.rotated.is_some() && source.is_at_end {
                let wait = if source.size > source.at.offset { PARTIAL_WAIT } else { LATE };
                due = due.min((source.last_byte + wait).max(now.steady + BUSY_PAUSE));
            }
        }
        due
    }

    /// Whether an older file of its family must be read first.
    pub(super) fn waits(&self, source: &Source<F>) -> bool {
        let older = source.after.and_then(|key| self.sources.get(&key));
        older.is_some_and(|older| !older.is_at_end && !older.is_done && older.missing.is_none())
    }

    /// Each file in turn, from where the last round ended, so that none has to wait for another for ever.
    fn read_round(&mut self, now: Moment, batch: &mut Batch) {
        let due = |source: &Source<F>| {
            !source.is_done && source.is_dirty && source.next_read <= now.steady && source.missing.is_none()
        };
        let keys: Vec<Key> = self
            .sources
            .range(self.cursor..)
            .chain(self.sources.range(..self.cursor))
            .filter(|(_, source)| due(source))
            .map(|(key, _)| *key)
            .collect();
        let mut is_any_replaced = false;
        let mut waiting = keys;
        self.cursor = 0;
        // Files of one rotation wait for each other: each pass reads at least the oldest of those left.
        while !waiting.is_empty() && !batch.is_full() {
            let mut still = Vec::new();
            let count = waiting.len();
            for key in waiting {
                if batch.is_full() {
                    self.cursor = key;
                    break;
                }
                if self.sources.get(&key).is_some_and(|source| self.waits(source)) {
                    // What it is has to be known meanwhile, or its copy could not be told from another file.
                    self.identify_waiting(key, now, batch);
                    still.push(key);
                } else {
                    is_any_replaced |= !self.read(key, now, batch);
                }
            }
            if still.len() == count {
                break;
            }
            waiting = still;
        }
        if is_any_replaced {
            // Cut off or replaced: what is there now is another file, and a copy may have the rest.
            self.look(now);
        }
    }

    /// What time brings: records that waited long enough, files that are over, files that are gone.
    fn finish(&mut self, now: Moment, batch: &mut Batch) {
        let is_due = |one: &Source<F>| one.pending.is_some() || one.rotated.is_some() || one.missing.is_some();
        let open = self.sources.iter().filter(|(_, source)| !source.is_done && is_due(source));
        let keys: Vec<Key> = open.map(|(key, _)| *key).collect();
        for key in keys {
            let Some(mut source) = self.sources.remove(&key) else { continue };
            if source.pending.as_ref().is_some_and(|one| one.since + super::multiline::WAIT <= now.steady) {
                self.flush(&mut source, batch);
            }
            let is_over = source.rotated.is_some() && source.is_at_end && !source.is_dirty;
            let quiet = now.steady.saturating_sub(source.last_byte);
            let is_closed = source.is_copy || source.content.as_ref().is_some_and(Content::is_packed);
            let is_kept = source.content.as_ref().is_some_and(Content::is_kept);
            let is_acked = source.id.is_none() || source.acked.is_some_and(|acked| acked >= source.at.offset);
            if is_over && is_kept {
                let reason = source.rest;
                self.end(&mut source, Some(reason), batch);
            } else if is_over && source.size > source.at.offset && (quiet >= PARTIAL_WAIT || is_closed) {
                source.is_dirty = true;
            } else if is_over
                && source.size <= source.at.offset
                && (quiet >= LATE || is_closed)
                && (is_acked || !source.is_unlinked)
            {
                self.end(&mut source, None, batch);
            }
            let is_missing = source.missing.is_some_and(|since| source.is_cut || now.steady >= since + MISSING_WAIT);
            if is_missing && source.content.is_none() && !source.is_done {
                let reason = if source.is_cut { SkipReason::Truncated } else { SkipReason::RotatedAway };
                self.end(&mut source, Some(reason), batch);
            }
            self.sources.insert(key, source);
        }
        self.give_up_held(now, batch);
    }

    /// Tells the end of a source, with what is lost of it if anything is.
    pub(super) fn end(&mut self, source: &mut Source<F>, reason: Option<SkipReason>, batch: &mut Batch) {
        self.flush(source, batch);
        source.is_done = true;
        self.close(source);
        let Some(id) = source.id.clone() else { return };
        let lost = source.size.saturating_sub(source.sent);
        let (from, tail_hash, skipped) = match reason {
            Some(reason) if lost > 0 => {
                self.own.logs.skip(reason, lost);
                tracing::warn!(file = %source.head.display(), bytes = lost, "{}", reason.text());
                (source.size, 0, reason.text())
            }
            _ => (source.sent, source.at.hash, ""),
        };
        source.sent = from;
        source.at = At { offset: from, hash: tail_hash };
        batch.push(Piece {
            entry: None,
            end: End { source: id, from, to: from, tail_hash, skipped, gone: true },
            more: Vec::new(),
        });
    }

    /// Deleted files cost disk as long as they are open.
    fn give_up_held(&mut self, now: Moment, batch: &mut Batch) {
        for key in self.over_held(now) {
            if let Some(mut source) = self.sources.remove(&key) {
                self.end(&mut source, Some(SkipReason::Held), batch);
                self.sources.insert(key, source);
            }
        }
    }

    /// Deleted files beyond what may be held, in number or in time.
    pub(super) fn over_held(&self, now: Moment) -> Vec<Key> {
        let too_many = self.held().count().saturating_sub(self.limits.held_max);
        let is_late = |one: &Source<F>| one.rotated.is_some_and(|since| now.steady >= since + self.limits.held_for);
        let held = self.held().enumerate();
        held.filter(|(index, (_, source))| *index < too_many || is_late(source)).map(|(_, (key, _))| key).collect()
    }

    /// Files that are open and have no name, the oldest first.
    fn held(&self) -> impl Iterator<Item = (Key, &Source<F>)> {
        let is_held = |one: &Source<F>| one.is_unlinked && one.content.as_ref().is_some_and(|one| !one.is_kept());
        self.sources.iter().filter(move |(_, one)| is_held(one)).map(|(key, one)| (*key, one))
    }

    /// While nothing may be read, files with news are opened, so that they can still be read when they lose their names.
    fn hold_open(&mut self, now: Moment) {
        let keys: Vec<Key> = self
            .sources
            .iter()
            .filter(|(_, one)| one.is_dirty && one.content.is_none() && !one.is_done && one.missing.is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            if self.open >= self.limits.open_max {
                return;
            }
            if let Some(mut source) = self.sources.remove(&key) {
                self.open(&mut source, now);
                self.sources.insert(key, source);
            }
        }
        // What is deleted is bounded here too; nothing can be told of it yet, so the youngest ones go untold and are named later.
        let held: Vec<Key> = self.held().map(|(key, _)| key).skip(self.limits.held_max).collect();
        for key in held {
            if let Some(mut source) = self.sources.remove(&key) {
                self.close(&mut source);
                source.missing = Some(now.steady);
                self.sources.insert(key, source);
            }
        }
    }

    fn close_idle(&mut self, now: Moment) {
        let idle: Vec<Key> = self
            .sources
            .iter()
            .filter(|(_, one)| one.content.is_some() && !one.is_dirty && can_close(one))
            .filter(|(_, one)| now.steady >= one.last_read + IDLE_CLOSE)
            .map(|(key, _)| *key)
            .collect();
        for key in idle {
            if let Some(mut source) = self.sources.remove(&key) {
                self.close(&mut source);
                self.sources.insert(key, source);
            }
        }
    }

    /// Makes room for one more open file.
    pub(super) fn make_room(&mut self) {
        while self.open >= self.limits.open_max {
            let oldest = self
                .sources
                .iter()
                .filter(|(_, one)| one.content.is_some() && can_close(one))
                .min_by_key(|(_, one)| one.last_read)
                .map(|(key, _)| *key);
            let Some(mut source) = oldest.and_then(|key| Some((key, self.sources.remove(&key)?))) else { return };
            self.close(&mut source.1);
            self.sources.insert(source.0, source.1);
        }
    }

    pub(super) fn close(&mut self, source: &mut Source<F>) {
        let Some(content) = source.content.take() else { return };
        self.open = self.open.saturating_sub(1);
        if let Content::Kept(kept) = content {
            source.unacked = kept.into_unacked();
        }
    }

    fn count(&mut self) {
        self.unacked_bytes = self.sources.values().map(|source| source.unacked.len()).sum();
        let logs = &self.own.logs;
        logs.spool_bytes.set_size(self.spool.as_ref().map_or(0, LogSpool::bytes));
        logs.files_followed.set_size(self.sources.values().filter(|one| !one.is_done).count() as u64);
        logs.files_open.set_size(self.open as u64);
        logs.files_held.set_size(self.held().count() as u64);
        logs.problems.set_size(self.problems.len() as u64);
    }
}

/// A file with a name can be opened again.
fn can_close<F: Files>(source: &Source<F>) -> bool {
    !source.is_unlinked
}
