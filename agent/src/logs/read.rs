//! One read of one source: bytes to lines, lines to pieces.

use std::io;
use std::sync::Arc;

use muster_common::limits::LOG_LINE_BYTES_MAX;
use muster_common::wire::message::{LogLine, Problem, SourceId, WireLabel};

use super::batch::{Batch, Entry, Piece, flag_truncated};
use super::content::{Content, FINGERPRINT_BYTES, TAIL_BYTES, fingerprint, tail_hash};
use super::counters::SkipReason;
use super::fenced::told_unopened;
use super::files::Files;
use super::level::level_of;
use super::lines::{Step, last_line, next_step};
use super::multiline::LINES_MAX;
use super::problems::unreadable;
use super::reader::{BUSY_PAUSE, LogReader, PARTIAL_WAIT};
use super::source::{At, Key, Overlong, Pending, Source};
use crate::uplink::Moment;
use muster_common::redact::key_state_after;

/// Bytes of one read: two lines of the largest size, so that a whole one is always seen.
const CHUNK_BYTES: usize = 512 << 10;
/// How far back the beginning of a private key is looked for when a source is read on from the middle.
const KEY_LOOK_BYTES: u64 = 8 << 10;

/// What a read found.
enum Found {
    /// Something, or nothing new.
    Read,
    /// Shorter than what was read of it.
    Shorter,
    /// The bytes before are not those that were read: cut off, or another file.
    Replaced,
    /// Nothing could be read now.
    Failed,
}

impl<F: Files + Clone> LogReader<F> {
    /// Reads on in one source. `false`: it was cut off or replaced, and its family has to be looked at.
    pub(super) fn read(&mut self, key: Key, now: Moment, batch: &mut Batch) -> bool {
        let Some(mut source) = self.sources.remove(&key) else { return true };
        if source.at.offset == 0
            && source.pending.is_none()
            && let Some(older) = source.after.and_then(|older| self.sources.get_mut(&older))
        {
            // A record goes on over the rotation.
            source.pending = older.pending.take();
        }
        let is_there = source.content.is_some() || self.open(&mut source, now);
        let found = if is_there { self.read_open(&mut source, now, batch) } else { Found::Failed };
        source.last_read = now.steady;
        if let Some(id) = &source.id {
            self.by_id.insert(Arc::clone(id), key);
        }
        let is_replaced = matches!(found, Found::Replaced | Found::Shorter);
        if is_replaced {
            self.own.logs.restarts.add(1);
            self.close(&mut source);
            if !source.is_copy {
                let next = self.incarnations.entry(source.place).or_insert(0);
                *next = (*next).max(source.incarnation.saturating_add(1));
                if self.by_place.get(&source.place) == Some(&key) {
                    self.by_place.remove(&source.place);
                }
            }
            source.is_cut = true;
            if matches!(found, Found::Replaced) {
                // It has grown beyond, so what was seen of its size since may be the other file's.
                source.size = source.read_size.max(source.at.offset);
            }
            // Nothing will bring it back but a copy, which is there by now.
            source.missing = Some(now.steady);
            source.rotated.get_or_insert(now.steady);
        }
        self.sources.insert(key, source);
        !is_replaced
    }

    /// Opens a source by its name, if that is still its own.
    pub(super) fn open(&mut self, source: &mut Source<F>, now: Moment) -> bool {
        self.make_room();
        if let Some(number) = source.spooled {
            let read = self.spool.as_ref().and_then(|spool| spool.read(number).ok().flatten());
            source.content = read.map(|(_, kept)| Content::Kept(Box::new(kept)));
            self.open += usize::from(source.content.is_some());
            if source.content.is_none() {
                source.next_read = now.steady + super::reader::SWEEP_EVERY;
            }
            return source.content.is_some();
        }
        let place = source.path.display().to_string();
        let handle = match self.open_file(&source.path, &source.head) {
            Ok(handle) => handle,
            Err(error) => {
                source.next_read = now.steady + BUSY_PAUSE * 10;
                if error.kind() == io::ErrorKind::NotFound {
                    self.look_soon(now);
                } else if let Ok(stat) = self.files.stat(&source.path) {
                    source.next_read = now.steady + super::reader::SWEEP_EVERY;
                    self.problems.insert(place, told_unopened(&source.path, &stat, &error));
                }
                return false;
            }
        };
        self.problems.remove(&place);
        let is_own = self.files.stat_of(&handle).is_ok_and(|stat| {
            // A copy is known by more than its inode: the name may be another copy's by now.
            let print = (stat.place(), stat.size, stat.mtime_ns);
            stat.is_file && source.copy.map_or(stat.place() == source.place, |copy| copy == print)
        });
        if !is_own {
            source.next_read = now.steady + BUSY_PAUSE;
            self.look_soon(now);
            return false;
        }
        let is_gz = source.path.extension().is_some_and(|ending| ending == "gz");
        source.content = Some(Content::new(&self.files, handle, is_gz));
        self.open += 1;
        true
    }

    /// Gives a source that may not be read yet its identity.
    pub(super) fn identify_waiting(&mut self, key: Key, now: Moment, batch: &mut Batch) {
        if self.sources.get(&key).is_none_or(|source| source.id.is_some()) {
            return;
        }
        let Some(mut source) = self.sources.remove(&key) else { return };
        if source.content.is_some() || self.open(&mut source, now) {
            self.identify(&mut source, batch);
        }
        if let Some(id) = &source.id {
            self.by_id.insert(Arc::clone(id), key);
        }
        self.sources.insert(key, source);
    }

    fn read_open(&mut self, source: &mut Source<F>, now: Moment, batch: &mut Batch) -> Found {
        if !self.identify(source, batch) {
            source.is_dirty = false;
            source.is_at_end = true;
            source.next_read = now.steady + BUSY_PAUSE;
            return Found::Read;
        }
        let Some(content) = &mut source.content else { return Found::Failed };
        let is_kept = content.is_kept();
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(TAIL_BYTES + CHUNK_BYTES, 0);
        let mut look = source.look;
        if look.offset > source.at.offset && source.overlong.is_none() {
            // Zeros that a writer had set aside may be written over by now.
            let mut first = [0];
            if content.read_at(&self.files, &mut first, source.at.offset).is_ok_and(|count| count == 1) && first[0] != 0
            {
                look = source.at;
            }
        }
        if source.trusts_next && !is_kept {
            let mut beginning = [0; FINGERPRINT_BYTES];
            let is_same = content
                .read_at(&self.files, &mut beginning, 0)
                .is_ok_and(|count| has_beginning(source.id.as_deref(), &beginning[..count]));
            if !is_same {
                self.buffer = buffer;
                return Found::Replaced;
            }
        }
        let lead = usize::try_from(look.offset).unwrap_or(usize::MAX).min(TAIL_BYTES);
        let read = content.read_at(&self.files, &mut buffer[..lead + CHUNK_BYTES], look.offset - lead as u64);
        let found = match read {
            // The collector's position is not of these bytes: there is nothing to go on with.
            Ok(count)
                if is_kept && (count < lead || (!source.trusts_next && tail_hash(&buffer[..lead]) != look.hash)) =>
            {
                source.read_to(true, now.steady);
                Found::Read
            }
            Ok(count) if count < lead => Found::Shorter,
            Ok(_) if !source.trusts_next && tail_hash(&buffer[..lead]) != look.hash => Found::Replaced,
            // Of what was kept the beginning may be all there is.
            Ok(count) if look.offset == 0 && !is_kept && !has_beginning(source.id.as_deref(), &buffer[..count]) => {
                Found::Replaced
            }
            Ok(count) => {
                if std::mem::take(&mut source.trusts_next) {
                    look.hash = tail_hash(&buffer[..lead]);
                    source.at = look;
                }
                source.look = look;
                let is_end = count < lead + CHUNK_BYTES;
                self.take(source, &buffer[..count], lead, is_end, now, batch);
                Found::Read
            }
            Err(error) => {
                let place = source.path.display().to_string();
                if let Ok(stat) = self.files.stat(&source.path) {
                    self.problems.insert(place, unreadable(&source.path, &stat, error.kind()));
                }
                source.next_read = now.steady + super::reader::SWEEP_EVERY;
                Found::Failed
            }
        };
        self.buffer = buffer;
        found
    }

    /// Gives a source its identity with its first bytes. `false`: there are none yet.
    pub(super) fn identify(&mut self, source: &mut Source<F>, batch: &mut Batch) -> bool {
        if source.id.is_some() {
            return true;
        }
        let Some(content) = &mut source.content else { return false };
        let mut beginning = [0; FINGERPRINT_BYTES];
        let Ok(count) = content.read_at(&self.files, &mut beginning, 0) else { return false };
        let is_short = count < FINGERPRINT_BYTES && memchr::memchr(b'\n', &beginning[..count]).is_none();
        if is_short && source.rotated.is_none() {
            // Half a line says little, and there is nothing to hand out yet.
            return false;
        }
        let Some((fingerprint, fingerprint_bytes)) = fingerprint(&beginning[..count]) else { return false };
        source.incarnation = self.incarnations.get(&source.place).copied().unwrap_or(0);
        let id = Arc::new(SourceId {
            device: source.place.0,
            inode: source.place.1,
            fingerprint,
            fingerprint_bytes,
            incarnation: source.incarnation,
            path: source.head.display().to_string(),
        });
        source.id = Some(Arc::clone(&id));
        if source.opened.offset > 0 {
            // Begun at its end: the collector has to know, or everything before would count as unread after a restart.
            match content.hash_before(&self.files, source.opened.offset) {
                Ok(Some(hash)) => source.opened.hash = hash,
                _ => {
                    source.opened = At { offset: 0, hash: tail_hash(&[]) };
                    source.began = 0;
                }
            }
            source.seek(source.opened);
            let end = source.end(&id, source.opened);
            batch.push(Piece { entry: None, end, more: Vec::new() });
        }
        true
    }

    /// Turns what was read into pieces. `bytes[lead..]` begin where the source looks.
    fn take(
        &mut self,
        source: &mut Source<F>,
        bytes: &[u8],
        lead: usize,
        is_end: bool,
        now: Moment,
        batch: &mut Batch,
    ) {
        let base = source.look.offset - lead as u64;
        let at_of = |index: usize| At { offset: base + index as u64, hash: tail_hash(&bytes[..index]) };
        let is_kept = source.content.as_ref().is_some_and(Content::is_kept);
        source.saw(base + bytes.len() as u64, is_end && !is_kept, now.steady);
        let from = source.at.offset;
        if std::mem::take(&mut source.is_fresh) && source.at.offset > 0 {
            source.key_state = self.key_state(source);
        }
        let is_closed = source.is_copy || source.content.as_ref().is_some_and(Content::is_packed);
        let is_quiet = now.steady.saturating_sub(source.last_byte) >= PARTIAL_WAIT;
        let is_last = is_end && source.rotated.is_some() && (is_quiet || is_closed);
        let mut index = lead;
        let mut is_stuck = false;
        while index < bytes.len() && !batch.is_full() {
            if let Some(overlong) = source.overlong.take() {
                match memchr::memchr(b'\n', &bytes[index..]) {
                    Some(end) => {
                        index += end + 1;
                        self.put_overlong(source, overlong, at_of(index), now, batch);
                    }
                    None => {
                        index = bytes.len();
                        if is_last {
                            self.put_overlong(source, overlong, at_of(index), now, batch);
                        } else {
                            source.overlong = Some(overlong);
                        }
                    }
                }
                continue;
            }
            match next_step(&bytes[index..]) {
                Step::Line { line, length } => {
                    index += length;
                    self.put(source, line, false, at_of(index), now, batch);
                }
                Step::Zeros { length } => {
                    index += length;
                    self.skip_zeros(source, at_of(index), batch);
                }
                Step::MaybeZeros if is_last => {
                    index = bytes.len();
                    self.skip_zeros(source, at_of(index), batch);
                }
                Step::MaybeZeros if !is_end => {
                    // Looked over, not dealt with: whether they are skipped depends on what follows.
                    index = bytes.len();
                    source.look = at_of(index);
                    is_stuck = true;
                }
                Step::Partial if is_last => {
                    let line = last_line(&bytes[index..]);
                    index = bytes.len();
                    self.put(source, line, false, at_of(index), now, batch);
                }
                Step::Overlong => {
                    source.overlong = Some(Overlong { head: bytes[index..index + LOG_LINE_BYTES_MAX].to_vec() });
                }
                Step::Partial | Step::MaybeZeros => {
                    is_stuck = true;
                    break;
                }
            }
        }
        self.keep(source, base, bytes, from);
        if source.overlong.is_some() {
            source.look = at_of(index);
        } else if !is_stuck || source.look.offset <= source.at.offset {
            source.look = source.at;
        }
        source.read_to(is_end && (index >= bytes.len() || is_stuck), now.steady);
    }

    fn key_state(&mut self, source: &mut Source<F>) -> muster_common::redact::KeyState {
        let length = source.at.offset.min(KEY_LOOK_BYTES);
        let mut before = vec![0; usize::try_from(length).unwrap_or(0)];
        let Some(content) = &mut source.content else { return muster_common::redact::KeyState::default() };
        // Going back in a packed file would unpack it again from its beginning.
        if content.is_packed() {
            return muster_common::redact::KeyState::default();
        }
        match content.read_at(&self.files, &mut before, source.at.offset - length) {
            Ok(count) => key_state_after(&before[..count]),
            Err(_) => muster_common::redact::KeyState::default(),
        }
    }

    fn skip_zeros(&mut self, source: &mut Source<F>, to: At, batch: &mut Batch) {
        self.flush(source, batch);
        let Some(id) = source.id.clone() else { return };
        self.own.logs.skip(SkipReason::Zeros, to.offset - source.at.offset);
        source.at = to;
        let end = source.end(&id, to);
        batch.push(Piece { entry: None, end, more: Vec::new() });
    }

    fn put_overlong(&mut self, source: &mut Source<F>, overlong: Overlong, to: At, now: Moment, batch: &mut Batch) {
        let left_out = (to.offset - source.at.offset).saturating_sub(overlong.head.len() as u64);
        self.own.logs.skip(SkipReason::Overlong, left_out);
        self.put(source, &overlong.head, true, to, now, batch);
    }

    /// One line, to be joined where lines are joined.
    fn put(&mut self, source: &mut Source<F>, line: &[u8], is_cut: bool, to: At, now: Moment, batch: &mut Batch) {
        let Some(id) = source.id.clone() else { return };
        source.at = to;
        let stream = Arc::clone(&source.stream);
        let joins = match (&stream.starts, &source.pending) {
            (Some(starts), Some(pending)) => {
                let is_room = pending.lines < LINES_MAX && pending.line.line.len() + line.len() < LOG_LINE_BYTES_MAX;
                is_room && !pending.is_cut && !starts.is_start(line)
            }
            _ => false,
        };
        if !joins {
            self.flush(source, batch);
        }
        let end = source.end(&id, to);
        match &mut source.pending {
            Some(pending) => {
                pending.line.line.push(b'\n');
                pending.line.line.extend_from_slice(line);
                pending.lines += 1;
                pending.is_cut |= is_cut;
                pending.since = now.steady;
                match pending.ends.last_mut() {
                    Some(last) if last.source == end.source && last.to == end.from => {
                        last.to = end.to;
                        last.tail_hash = end.tail_hash;
                    }
                    _ => pending.ends.push(end),
                }
            }
            None => {
                let line = LogLine { at_ns: stream.stamp(now.wall.nanos()), line: line.to_vec(), fields: Vec::new() };
                let pending = Pending { line, lines: 1, is_cut, ends: vec![end], since: now.steady };
                source.pending = Some(pending);
            }
        }
        if stream.starts.is_none() {
            self.flush(source, batch);
        }
    }

    /// Hands out the record that waits.
    pub(super) fn flush(&mut self, source: &mut Source<F>, batch: &mut Batch) {
        let Some(mut pending) = source.pending.take() else { return };
        let line = &mut pending.line;
        let redacted = self.redactor.redact(&mut line.line, &mut source.key_state);
        // A mark may be longer than what it stands for.
        let is_cut = pending.is_cut || line.line.len() > LOG_LINE_BYTES_MAX;
        line.line.truncate(LOG_LINE_BYTES_MAX);
        if let Some(level) = level_of(&line.line) {
            line.fields.push(WireLabel { name: "level".to_owned(), value: level.to_owned() });
        }
        let logs = &self.own.logs;
        if is_cut {
            flag_truncated(&mut line.fields);
            logs.truncated.add(1);
        }
        logs.redacted.add(redacted);
        logs.lines.add(1);
        logs.bytes.add(line.line.len() as u64);
        let mut ends = pending.ends.into_iter();
        let Some(end) = ends.next() else { return };
        let entry = Entry { labels: Arc::clone(&source.stream.labels), line: pending.line };
        batch.push(Piece { entry: Some(entry), end, more: ends.collect() });
    }

    pub(super) fn put_problem(&mut self, problem: Problem) {
        self.problems.insert(problem.place.clone(), problem);
    }
}

/// Whether these first bytes are still those of the source.
fn has_beginning(id: Option<&SourceId>, bytes: &[u8]) -> bool {
    let Some(id) = id else { return true };
    let length = usize::from(id.fingerprint_bytes);
    bytes.len() >= length && xxhash_rust::xxh3::xxh3_64(&bytes[..length]) == id.fingerprint
}
