//! What a session has handed to the store and not heard back of, in order.

use std::collections::VecDeque;
use std::time::Duration;

use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, Lane};
use muster_store::Append;

/// What a commit is, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Batch {
        samples: u64,
    },
    /// Reports, and the samples made of them.
    Reports {
        samples: u64,
        reports: u64,
    },
    /// Lines of files: how many, and how many of its ranges skip something.
    Lines {
        lines: u64,
        skips: u64,
    },
    /// A gap that the agent named.
    Gap,
    /// A gap that stands for a batch refused for its content.
    Refusal,
    /// Refused lines whose ranges, so many, are known and move.
    RefusedLines {
        ranges: u64,
    },
    /// A gap that stands for refused lines of ranges that are not known.
    UnreadLines,
    /// A gap that stands for a batch of an epoch that the store has forgotten.
    Expired,
}

/// Seqs `from` to `to` of one lane on their way to the disk.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) token: u64,
    pub(super) epoch: Epoch,
    pub(super) lane: Lane,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) bytes: usize,
    pub(super) kind: Kind,
    /// The append itself while it waits to be tried again; `None`: the store has it.
    pub(super) waiting: Option<Append>,
}

/// The queue of [`Pending`], and when failed ones are tried again.
#[derive(Debug)]
pub(super) struct Outstanding {
    queue: VecDeque<Pending>,
    bytes: usize,
    next_token: u64,
    hold: Duration,
    hold_bounds: (Duration, Duration),
    retry_at: Option<Timestamp>,
    /// The shortest pause that the store asks for.
    asked: Duration,
}

impl Outstanding {
    pub(super) fn new(hold_min: Duration, hold_max: Duration) -> Self {
        let hold_bounds = (hold_min, hold_max);
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            next_token: 1,
            hold: hold_min,
            hold_bounds,
            retry_at: None,
            asked: Duration::ZERO,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the store has something of this session now.
    pub(super) fn is_under_way(&self) -> bool {
        self.queue.iter().any(|pending| pending.waiting.is_none())
    }

    /// Whether something waits to be tried again. New commits must then wait behind it, since only mark + 1 is taken.
    pub(super) fn is_stalled(&self) -> bool {
        self.queue.iter().any(|pending| pending.waiting.is_some())
    }

    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        self.retry_at
    }

    pub(super) fn next_token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token - 1
    }

    pub(super) fn push(&mut self, pending: Pending) {
        self.bytes += pending.bytes;
        self.queue.push_back(pending);
    }

    pub(super) fn take(&mut self, token: u64) -> Option<Pending> {
        let at = self.queue.iter().position(|pending| pending.token == token)?;
        let pending = self.queue.remove(at)?;
        self.bytes -= pending.bytes;
        Some(pending)
    }

    /// Forgets what waits and is already known to be durable.
    pub(super) fn drop_waiting_up_to(&mut self, epoch: Epoch, lane: Lane, mark: u64) {
        let durable = |pending: &Pending| {
            pending.waiting.is_some() && pending.epoch == epoch && pending.lane == lane && pending.to <= mark
        };
        self.queue.retain(|pending| !durable(pending));
        self.bytes = self.queue.iter().map(|pending| pending.bytes).sum();
    }

    /// Keeps an append that the store gave back.
    pub(super) fn keep(&mut self, token: u64, append: Append, retry_after: Option<Duration>) {
        self.asked = self.asked.max(retry_after.unwrap_or_default());
        if let Some(pending) = self.queue.iter_mut().find(|pending| pending.token == token) {
            pending.waiting = Some(append);
        }
    }

    /// Whether an earlier commit of this one's lane waits to be tried again, so that this one could not be taken.
    pub(super) fn stands_behind_failure(&self, token: u64) -> bool {
        let Some(at) = self.queue.iter().position(|pending| pending.token == token) else { return false };
        let (epoch, lane) = (self.queue[at].epoch, self.queue[at].lane);
        self.queue
            .iter()
            .take(at)
            .any(|earlier| earlier.waiting.is_some() && earlier.epoch == epoch && earlier.lane == lane)
    }

    /// Sets the time of the next try once the store has answered everything; the pause, the first time it is set.
    pub(super) fn plan_retry(&mut self, now: Timestamp) -> Option<Duration> {
        if self.is_under_way() || !self.is_stalled() || self.retry_at.is_some() {
            return None;
        }
        let hold = self.hold.max(std::mem::take(&mut self.asked));
        self.hold = (self.hold * 2).min(self.hold_bounds.1);
        self.retry_at = Some(now.plus(hold));
        Some(hold)
    }

    /// A commit succeeded: the next failure pauses shortly again. Whether there had been a failure.
    pub(super) fn succeeded(&mut self) -> bool {
        let failed = self.hold != self.hold_bounds.0 && !self.is_stalled();
        if failed {
            self.hold = self.hold_bounds.0;
        }
        failed
    }

    /// Everything that waits, in order, when its time has come.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<(u64, Append)> {
        if self.retry_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.retry_at = None;
        let waiting = self.queue.iter_mut();
        waiting.filter_map(|pending| Some((pending.token, pending.waiting.take()?))).collect()
    }

    /// Gives up what waits (not what the store has): the session ends, and the agent still holds it all.
    pub(super) fn abandon_waiting(&mut self) -> usize {
        let before = self.queue.len();
        self.queue.retain(|pending| pending.waiting.is_none());
        self.bytes = self.queue.iter().map(|pending| pending.bytes).sum();
        self.retry_at = None;
        before - self.queue.len()
    }
}
