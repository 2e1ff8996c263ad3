//! One source: a file from its first byte to its last, under whatever name it has.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use muster_common::wire::message::{LogLine, SourceId};

use super::batch::{End, Labels};
use super::content::Content;
use super::counters::SkipReason;
use super::files::Files;
use super::kept::Unacked;
use super::multiline::Starts;
use muster_common::redact::KeyState;

/// Number of a source within this process.
pub(super) type Key = u64;

/// What all files of one name share: the stream that their lines go to.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) labels: Labels,
    pub(super) starts: Option<Starts>,
    /// Time of the last line, so that the next one is later. Kept over rotations.
    pub(super) last_ns: AtomicI64,
}

/// A place in a source, with the hash of what stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    pub(super) offset: u64,
    pub(super) hash: u64,
}

/// A record of several lines that may go on.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) line: LogLine,
    pub(super) lines: u32,
    pub(super) is_cut: bool,
    pub(super) ends: Vec<End>,
    pub(super) since: Duration,
}

/// A line longer than a line may be, of which the end is looked for.
#[derive(Debug)]
pub(super) struct Overlong {
    pub(super) head: Vec<u8>,
}

pub(super) struct Source<F: Files> {
    /// Given with its first bytes, and then for good.
    pub(super) id: Option<Arc<SourceId>>,
    pub(super) place: (u64, u64),
    pub(super) incarnation: u32,
    /// Where its name is now.
    pub(super) path: PathBuf,
    /// Where that leads when links are followed.
    pub(super) target: PathBuf,
    /// The name that is followed, which is its label.
    pub(super) head: PathBuf,
    pub(super) stream: Arc<Stream>,
    pub(super) content: Option<Content<F>>,
    /// Whether the bytes come from a copy, since its own were cut off.
    pub(super) is_copy: bool,
    /// Device and inode, size and last writing of that copy: its inode may come back as another file's.
    pub(super) copy: Option<((u64, u64), u64, i64)>,
    /// The file of the spool that has what is left of it.
    pub(super) spooled: Option<u64>,
    /// The spool did not take it.
    pub(super) is_unspoolable: bool,
    /// Bytes handed out and not acknowledged.
    pub(super) unacked: Unacked,
    /// Why what its content lacks will not come, where that is what was kept of it.
    pub(super) rest: SkipReason,
    /// Where the first range of this process begins.
    pub(super) opened: At,
    /// Where it was begun for good: a collector that lost its position gets it from here.
    pub(super) began: u64,
    /// Up to here everything was handed out, or waits in `pending`.
    pub(super) at: At,
    /// Up to here ranges were handed out.
    pub(super) sent: u64,
    pub(super) acked: Option<u64>,
    /// The collector cannot take what is before this: the next seek goes there.
    pub(super) gives_up: Option<At>,
    /// Where the next read begins: behind `at` while the end of a long line or of zeros is looked for.
    pub(super) look: At,
    pub(super) overlong: Option<Overlong>,
    pub(super) pending: Option<Pending>,
    pub(super) key_state: KeyState,
    /// The largest size seen.
    pub(super) size: u64,
    /// Its size when its bytes were last found to be its own.
    pub(super) read_size: u64,
    pub(super) mtime_ns: i64,
    /// When its size last changed.
    pub(super) last_byte: Duration,
    pub(super) last_read: Duration,
    pub(super) next_read: Duration,
    pub(super) is_dirty: bool,
    /// It was cut off, or another file has its inode.
    pub(super) is_cut: bool,
    /// Read on from a place whose bytes were not looked at yet.
    pub(super) is_fresh: bool,
    /// The hash before the place is not known: what stands there is taken for it.
    pub(super) trusts_next: bool,
    /// Its position was told by the collector, and whether its name still has that content is to be seen.
    pub(super) is_unverified: bool,
    /// Since when its name is another, or gone.
    pub(super) rotated: Option<Duration>,
    /// Its name is in no folder that is watched.
    pub(super) is_unlinked: bool,
    pub(super) missing: Option<Duration>,
    /// The end was reached since the last change.
    pub(super) is_at_end: bool,
    /// Read only after this one has reached its end.
    pub(super) after: Option<Key>,
    pub(super) is_ordered: bool,
    /// Everything is handed out and its end was told.
    pub(super) is_done: bool,
}

impl<F: Files> Source<F> {
    pub(super) fn new(place: (u64, u64), head: PathBuf, path: PathBuf, stream: Arc<Stream>) -> Self {
        let empty = At { offset: 0, hash: super::content::tail_hash(&[]) };
        Self {
            id: None,
            place,
            incarnation: 0,
            target: path.clone(),
            path,
            head,
            stream,
            content: None,
            is_copy: false,
            copy: None,
            spooled: None,
            is_unspoolable: false,
            unacked: Unacked::default(),
            rest: SkipReason::RotatedAway,
            opened: empty,
            began: 0,
            at: empty,
            sent: 0,
            acked: None,
            gives_up: None,
            look: empty,
            overlong: None,
            pending: None,
            key_state: KeyState::default(),
            size: 0,
            read_size: 0,
            mtime_ns: 0,
            last_byte: Duration::ZERO,
            last_read: Duration::ZERO,
            next_read: Duration::ZERO,
            is_dirty: true,
            is_cut: false,
            is_fresh: true,
            trusts_next: false,
            is_unverified: false,
            rotated: None,
            is_unlinked: false,
            missing: None,
            is_at_end: false,
            after: None,
            is_ordered: false,
            is_done: false,
        }
    }

    /// The hash that the collector has with its position, if the bytes before it are at hand.
    pub(super) fn hash_before_acked(&self) -> Option<u64> {
        let acked = self.acked?;
        if acked == self.at.offset { Some(self.at.hash) } else { self.unacked.hash_before(acked) }
    }

    /// Goes on from here, whatever was read before.
    pub(super) fn seek(&mut self, at: At) {
        self.at = at;
        self.sent = at.offset;
        self.look = at;
        self.overlong = None;
        self.pending = None;
        self.key_state = KeyState::default();
        self.is_dirty = true;
        self.is_fresh = true;
        self.trusts_next = false;
        self.is_at_end = false;
        self.is_done = false;
        self.next_read = Duration::ZERO;
    }

    /// Its bytes reach up to here, and end here if `is_end`.
    pub(super) fn saw(&mut self, reached: u64, is_end: bool, now: Duration) {
        if reached > self.size {
            self.last_byte = now;
        }
        if reached > self.size || is_end {
            self.size = reached;
        }
        self.read_size = reached;
    }

    /// After a read: at its end it rests for a while.
    pub(super) fn read_to(&mut self, is_end: bool, now: Duration) {
        self.is_at_end = is_end;
        self.is_dirty = !is_end;
        self.next_read = if is_end { now + super::reader::BUSY_PAUSE } else { now };
    }

    /// The range from what was handed out to here.
    pub(super) fn end(&mut self, id: &Arc<SourceId>, to: At) -> End {
        let end = End {
            source: Arc::clone(id),
            from: self.sent,
            to: to.offset,
            tail_hash: to.hash,
            skipped: "",
            gone: false,
        };
        self.sent = to.offset;
        end
    }
}

impl Stream {
    /// The time of the next line: now, but later than the one before. A clock that was set back by more than this is followed.
    pub(super) fn stamp(&self, now_ns: i64) -> i64 {
        const FOLLOW_NS: i64 = 10_000_000_000;
        let last = self.last_ns.load(Ordering::Relaxed);
        let at = if last >= now_ns && last.saturating_sub(now_ns) < FOLLOW_NS { last + 1 } else { now_ns };
        self.last_ns.store(at, Ordering::Relaxed);
        at
    }
}
