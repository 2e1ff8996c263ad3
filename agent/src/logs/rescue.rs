//! What is about to vanish goes into the spool (rule 14), and comes back from there as the content of its source.
//!
//! The files are the buffer, so this is for what no file will give again: a deleted file that is held open, and bytes handed out of a file that
//! was cut off since. While the collector acknowledges nothing of it comes to pass.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::message::{SourceId, WireLabel};

use super::batch::{End, Piece};
use super::content::{Content, FINGERPRINT_BYTES, Mark, TAIL_BYTES};
use super::counters::SkipReason;
use super::files::Files;
use super::log_spool::{Header, LogSpool};
use super::reader::{LATE, LogReader};
use super::source::{At, Key, Source, Stream};
use crate::uplink::Moment;

/// When nothing could be handed out for so long, what only memory has is written down, as metrics are.
const RESCUE_AFTER: Duration = Duration::from_secs(10);
/// Bytes kept in memory for all sources: beyond it those of the busiest one go, which only a file that is cut off while it is read at full
/// speed makes a loss.
const UNACKED_BYTES_MAX: usize = 4 << 20;

impl<F: Files + Clone> LogReader<F> {
    /// Gives the reader its spool: what lies in it becomes sources, as deleted files are that are still open.
    pub fn set_spool(&mut self, mut spool: LogSpool) {
        let mut found = Vec::new();
        for number in spool.numbers() {
            match spool.read(number) {
                Ok(Some((header, kept))) => found.push((number, header, kept)),
                Ok(None) => {
                    tracing::warn!(number, "a file of the spool with log lines is damaged and removed");
                    self.own.logs.spool_errors.add(1);
                    spool.remove(number);
                }
                // It stays for the next start.
                Err(error) => {
                    tracing::warn!(number, %error, "a file of the spool with log lines cannot be read");
                    self.own.logs.spool_errors.add(1);
                }
            }
        }
        self.spool = Some(spool);
        // Of one name the older ones are read first.
        found.sort_by_key(|(_, header, _)| header.mtime_ns);
        for (number, header, kept) in found {
            let source = self.spooled_source(number, &header, Content::Kept(Box::new(kept)));
            self.insert(source);
            self.open += 1;
        }
    }

    fn spooled_source(&mut self, number: u64, header: &Header, content: Content<F>) -> Source<F> {
        let id = &header.source;
        let head = PathBuf::from(&id.path);
        let stream = match self.group_of(&head) {
            Some(group) => self.stream_of(group, &head),
            // It is not followed any more; what was promised is sent all the same.
            None => Arc::new(Stream {
                labels: Arc::new(vec![WireLabel { name: "filename".to_owned(), value: id.path.clone() }]),
                starts: None,
                last_ns: std::sync::atomic::AtomicI64::new(i64::MIN),
            }),
        };
        let mut source = Source::new((id.device, id.inode), head.clone(), head, stream);
        source.content = Some(content);
        if header.is_known {
            source.id = Some(Arc::new(id.clone()));
            source.incarnation = id.incarnation;
            let next = self.incarnations.entry(source.place).or_insert(0);
            *next = (*next).max(id.incarnation.saturating_add(1));
        } else {
            source.opened.offset = header.from;
        }
        source.size = header.size;
        source.mtime_ns = header.mtime_ns;
        becomes_kept(&mut source, number, SkipReason::SpoolFull);
        source.rotated = Some(Duration::ZERO);
        source
    }

    /// What was just handed out may be asked for once more when its file is cut: `bytes` begin at `base`, and those from `from` on are new.
    pub(super) fn keep(&mut self, source: &mut Source<F>, base: u64, bytes: &[u8], from: u64) {
        if !matches!(source.content, Some(Content::Plain(_))) {
            return;
        }
        let before = source.unacked.len();
        source.unacked.took(base, bytes, from, source.at.offset);
        self.unacked_bytes += source.unacked.len().saturating_sub(before);
        if self.unacked_bytes > UNACKED_BYTES_MAX {
            source.unacked.let_go();
        }
    }

    /// Puts into the spool what is due; at an orderly end (`is_last`) everything that could not be read again.
    pub fn rescue(&mut self, now: Moment, is_last: bool) {
        let rests = self.is_held || !self.is_answered;
        self.rests_since = rests.then(|| self.rests_since.unwrap_or(now.steady));
        if self.spool.is_none() {
            return;
        }
        let is_overdue = is_last || self.rests_since.is_some_and(|since| now.steady >= since + RESCUE_AFTER);
        let over: BTreeSet<Key> = self.over_held(now).into_iter().collect();
        let mut due = Vec::new();
        for (key, source) in &mut self.sources {
            let is_due = if let Some(content) = source.content.as_ref().filter(|one| !one.is_kept()) {
                // A process may still write into it: then it is not over.
                source.is_unlinked && source.copy.is_none() && {
                    if let Some(size) = content.size(&self.files).filter(|size| *size > source.size) {
                        (source.size, source.last_byte) = (size, now.steady);
                    }
                    let is_quiet = now.steady >= source.last_byte + LATE;
                    is_last || over.contains(key) || (is_overdue && is_quiet)
                }
            } else {
                is_overdue && source.spooled.is_none() && has_only_memory(source)
            };
            let acked = source.acked.unwrap_or(0);
            let is_packed = source.content.as_ref().is_some_and(Content::is_packed);
            if is_due && !source.is_unspoolable && (source.acked.is_none() || acked < source.size || is_packed) {
                due.push(*key);
            }
        }
        if due.is_empty() {
            return;
        }
        for key in due {
            let Some(mut source) = self.sources.remove(&key) else { continue };
            match self.spool_source(&mut source) {
                // Everything of it is acknowledged, as far as the host remembers.
                Ok(0) => source.is_unspoolable = true,
                Ok(bytes) => {
                    self.own.logs.spooled_bytes.add(bytes);
                    tracing::info!(file = %source.head.display(), bytes, "bytes of a log that is gone are in the spool");
                }
                Err(error) => {
                    source.is_unspoolable = true;
                    self.own.logs.spool_errors.add(1);
                    tracing::warn!(file = %source.head.display(), %error, "bytes of a log that is gone cannot be put into the spool");
                }
            }
            self.sources.insert(key, source);
        }
        if let Some(Err(error)) = self.spool.as_ref().map(LogSpool::settle) {
            self.own.logs.spool_errors.add(1);
            tracing::warn!(%error, "the folder of the spool cannot be synced");
        }
    }

    /// Gives the unacknowledged bytes.
    fn spool_source(&mut self, source: &mut Source<F>) -> io::Result<u64> {
        source.keep_in_memory();
        let hint = self.hint_of(source);
        let Some(mut content) = source.content.take() else { return Err(io::ErrorKind::NotFound.into()) };
        let known = source.id.as_deref().cloned();
        let from = match (&known, &hint) {
            (Some(_), _) => source.acked.unwrap_or(source.opened.offset),
            (None, Some((_, acked))) => *acked,
            (None, None) => source.opened.offset,
        };
        let first = content.kept().map_or(0, |kept| kept.first());
        let from = from.max(first);
        if from >= source.size && !content.is_packed() {
            source.content = Some(content);
            return Ok(0);
        }
        let (is_known, id) = match known.or(hint.map(|(id, _)| id)) {
            Some(id) => (true, id),
            None => (false, unknown(source)),
        };
        if is_known && source.id.is_none() {
            source.incarnation = id.incarnation;
            source.id = Some(Arc::new(id.clone()));
        }
        let mut beginning = vec![0; FINGERPRINT_BYTES];
        let count = content.read_at(&self.files, &mut beginning, 0).unwrap_or(0);
        beginning.truncate(count);
        let header = Header {
            source: id,
            is_known,
            from,
            start: from - from.min(TAIL_BYTES as u64),
            // How much a packed file holds shows when it is unpacked.
            end: if content.is_packed() { u64::MAX } else { content.kept().map_or(source.size, |kept| kept.end()) },
            size: source.size,
            mtime_ns: source.mtime_ns,
            beginning,
        };
        let files = &self.files;
        let spool = self.spool.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let written = spool.write(header, &mut |buffer, offset| content.read_at(files, buffer, offset));
        match written {
            Ok((number, header, kept)) => {
                let reason = if source.is_cut { SkipReason::Truncated } else { SkipReason::SpoolFull };
                source.content = Some(Content::Kept(Box::new(kept)));
                source.size = header.size;
                becomes_kept(source, number, reason);
                Ok(header.end - header.from)
            }
            Err(error) => {
                source.content = Some(content);
                Err(error)
            }
        }
    }

    /// What the host remembers of a source that has no identity yet: its id and how far it is acknowledged.
    fn hint_of(&self, source: &mut Source<F>) -> Option<(SourceId, u64)> {
        if source.id.is_some() {
            return None;
        }
        let content = source.content.as_mut()?;
        let hints = self.hints.sources.iter().filter(|hint| (hint.device, hint.inode) == source.place);
        let mut hints: Vec<_> = hints.collect();
        hints.sort_by_key(|hint| std::cmp::Reverse(hint.incarnation));
        let hint = hints.into_iter().find(|hint| {
            // A short beginning may be another file's too.
            let Some(tail_hash) = hint.tail_hash else { return false };
            let mark = Mark { source: hint.source(), offset: hint.acked, tail_hash };
            content.matches(&self.files, &mark).unwrap_or(false)
        })?;
        Some((hint.source(), hint.acked))
    }

    /// Where to go on, if the content does not reach back as far: what lies between is gone, and named.
    pub(super) fn within_kept(&mut self, source: &mut Source<F>, at: At) -> At {
        let Some(first) = source.content.as_ref().and_then(Content::kept).map(|kept| kept.first()) else { return at };
        let (Some(id), true) = (source.id.clone(), at.offset < first) else { return at };
        let hash = source.content.as_mut().and_then(|one| one.hash_before(&self.files, first).ok().flatten());
        let to = At { offset: first, hash: hash.unwrap_or(0) };
        let reason = source.rest;
        self.own.logs.skip(reason, first - at.offset);
        tracing::warn!(file = %source.head.display(), bytes = first - at.offset, "{}", reason.text());
        let end = End { source: id, from: first, to: first, tail_hash: to.hash, skipped: reason.text(), gone: false };
        self.skips.push(Piece { entry: None, end, more: Vec::new() });
        to
    }
}

impl<F: Files> Source<F> {
    /// Where its file cannot give any more what was handed out, memory does.
    pub(super) fn keep_in_memory(&mut self) -> bool {
        if !has_only_memory(self) {
            return false;
        }
        self.content = Some(Content::Kept(Box::new(std::mem::take(&mut self.unacked).into_kept())));
        self.rest = if self.is_cut { SkipReason::Truncated } else { SkipReason::RotatedAway };
        (self.is_copy, self.is_unlinked, self.missing) = (true, true, None);
        true
    }
}

/// Whether its file is gone, and some of what was handed out of it is not acknowledged.
fn has_only_memory<F: Files>(source: &Source<F>) -> bool {
    source.content.is_none()
        && source.spooled.is_none()
        && source.copy.is_none()
        && (source.is_cut || source.is_unlinked)
        && source.id.is_some()
        && source.unacked.reaches_beyond(source.acked.unwrap_or(source.opened.offset))
}

/// Its bytes are in a file of the spool from now on.
fn becomes_kept<F: Files>(source: &mut Source<F>, number: u64, rest: SkipReason) {
    source.spooled = Some(number);
    source.rest = rest;
    (source.is_copy, source.is_unlinked, source.missing) = (true, true, None);
    source.is_dirty = true;
    source.is_at_end = false;
}

fn unknown<F: Files>(source: &Source<F>) -> SourceId {
    SourceId {
        device: source.place.0,
        inode: source.place.1,
        fingerprint: 0,
        fingerprint_bytes: 0,
        incarnation: 0,
        path: source.head.display().to_string(),
    }
}
