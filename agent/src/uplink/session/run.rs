//! One lane of one epoch as the session sees it: what was given out, what is committed, what is on its way, what is still in memory.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::message::{Epoch, GapReason, Lane};

use crate::spool::{EpochRow, EpochState};

/// A batch in memory: framed, numbered, not yet acked, not yet in the spool.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) seq: u64,
    pub(super) context: u32,
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) made_at: Duration,
    pub(super) frame: Arc<[u8]>,
    /// The spool was asked to take it.
    pub(super) spooling: bool,
    /// The handed report that it is: durable in a file of its own, so that no spool has to take it.
    pub(super) claim: Option<Claim>,
}

impl Held {
    /// Whether only memory has it and nobody was asked to take it.
    pub(super) fn waits_for_spool(&self) -> bool {
        !self.spooling && self.claim.is_none()
    }
}

/// A report that another process handed over, under the place that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) id: u64,
    /// The place is durable: it may be sent.
    pub(super) kept: bool,
    /// It is asked to go back among those without a place.
    pub(super) freeing: bool,
}

/// Seqs up to `to` on their way.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) to: u64,
    pub(super) bytes: u64,
    pub(super) batch: bool,
}

/// A lane of an epoch: reports or rows.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) epoch: Epoch,
    pub(super) lane: Lane,
    /// Everything up to here is committed, as far as the collector has said.
    pub(super) acked: u64,
    /// What goes out next in this session.
    pub(super) next: u64,
    /// The highest seq known to have been given out.
    pub(super) last: u64,
    /// No seq beyond it was ever given out: exact where `exact`, else the reservation of a process that ended without a word.
    pub(super) bound: u64,
    pub(super) exact: bool,
    /// A store that was restored since had acked up to here: what is missing up to there is told as a gap `closed` (rule 10).
    pub(super) gone_to: u64,
    /// Set aside while its content moves to another epoch.
    pub(super) blocked: bool,
    pub(super) joined_from_ms: i64,
    pub(super) ram: VecDeque<Held>,
    /// Frames of the contexts that batches in memory name.
    pub(super) contexts: Vec<(u32, Arc<[u8]>)>,
    /// The spool may hold seqs up to here; 0: it holds nothing.
    pub(super) spooled_last: u64,
    /// A read of the spool is under way.
    pub(super) reading: bool,
    /// The disk failed the last read: the next one comes no earlier.
    pub(super) read_at: Option<Duration>,
    pub(super) in_flight: VecDeque<InFlight>,
    /// The context that the collector got last in this session; 0: none.
    pub(super) told_context: u32,
    /// The collector has answered for this epoch since the process began.
    pub(super) heard: bool,
    /// The collector repeated the ack of this seq: a sign that it waits for the next one.
    pub(super) repeated_ack: Option<(u64, Duration)>,
    /// The context asked for last, and how often in a row at the same place.
    pub(super) asked_context: (u32, u64, u32),
    /// A context that cannot be had: its batches become gaps.
    pub(super) lost_context: Option<u32>,
    /// Found by the spool without the context it names: its seq becomes a gap.
    pub(super) lost_seq: u64,
}

impl Run {
    pub(super) fn new(epoch: Epoch, lane: Lane, bound: u64) -> Self {
        Self {
            epoch,
            lane,
            acked: 0,
            next: 1,
            last: 0,
            bound,
            exact: true,
            gone_to: 0,
            blocked: false,
            joined_from_ms: 0,
            ram: VecDeque::new(),
            contexts: Vec::new(),
            spooled_last: 0,
            reading: false,
            read_at: None,
            in_flight: VecDeque::new(),
            told_context: 0,
            heard: false,
            repeated_ack: None,
            asked_context: (0, 0, 0),
            lost_context: None,
            lost_seq: 0,
        }
    }

    /// An epoch of an earlier process, of which the spool holds batches up to `spooled_last`.
    /// `handed_last`: the highest place that a handed report has.
    pub(super) fn loaded(row: &EpochRow, lane: Lane, spooled_last: u64, handed_last: u64) -> Self {
        let told = row.last_seq[lane as usize];
        let acked = row.acked[lane as usize];
        let known = row.known_seq[lane as usize];
        let exact = row.state != EpochState::Open;
        Self {
            last: if exact { told } else { spooled_last.max(known).max(acked).max(handed_last) },
            acked,
            next: acked + 1,
            exact,
            joined_from_ms: row.joined_from_ms,
            spooled_last,
            ..Self::new(row.epoch, lane, told)
        }
    }

    /// The highest seq that may ever have been given out, as hello tells it.
    pub(super) fn last_told(&self) -> u64 {
        if self.exact { self.last } else { self.bound }
    }

    /// Whether something of it may still have to be sent.
    pub(super) fn has_rest(&self) -> bool {
        self.acked < self.last
    }

    /// Seqs that are not committed.
    pub(super) fn rest(&self) -> u64 {
        self.last.saturating_sub(self.acked)
    }

    pub(super) fn held(&self, seq: u64) -> Option<&Held> {
        let at = self.ram.binary_search_by_key(&seq, |held| held.seq).ok()?;
        self.ram.get(at)
    }

    /// The first batch in memory from `seq` on.
    pub(super) fn first_held_from(&self, seq: u64) -> Option<u64> {
        let at = self.ram.partition_point(|held| held.seq < seq);
        self.ram.get(at).map(|held| held.seq)
    }

    pub(super) fn context(&self, id: u32) -> Option<Arc<[u8]>> {
        self.contexts.iter().find(|(known, _)| *known == id).map(|(_, frame)| Arc::clone(frame))
    }

    /// What it takes of memory, but for what is durable in files of its own: that is bounded by its number.
    pub(super) fn bytes(&self) -> u64 {
        let spoolable = self.ram.iter().filter(|held| held.claim.is_none());
        spoolable.map(|held| held.frame.len() as u64).sum::<u64>() + self.context_bytes()
    }

    /// Whether something of it is nowhere but in memory.
    pub(super) fn has_only_in_memory(&self) -> bool {
        self.ram.iter().any(|held| held.claim.is_none())
    }

    pub(super) fn context_bytes(&self) -> u64 {
        self.contexts.iter().map(|(_, frame)| frame.len() as u64).sum()
    }

    /// Forgets the contexts that no batch in memory names, but the newest while more may be numbered: the next batch likely names it.
    pub(super) fn trim_contexts(&mut self) {
        let newest = self.contexts.last().map(|(id, _)| *id).filter(|_| self.last < self.bound);
        let ram = &self.ram;
        self.contexts.retain(|(id, _)| Some(*id) == newest || ram.iter().any(|held| held.context == *id));
    }

    /// Takes a batch out of memory.
    pub(super) fn release(&mut self, seq: u64) -> Option<Held> {
        let at = self.ram.binary_search_by_key(&seq, |held| held.seq).ok()?;
        let held = self.ram.remove(at);
        self.trim_contexts();
        held
    }

    /// Why the seqs from the next one to `to` are missing, as far as can be told. `dropped`: this process gave up batches for want of room.
    pub(super) fn gap_reason(&self, to: u64, dropped: bool) -> GapReason {
        if self.next <= self.gone_to {
            GapReason::Closed
        } else if self.lost_seq == self.next {
            GapReason::Lost
        } else if self.joined_from_ms != 0 || dropped {
            GapReason::SpoolFull
        } else if self.next == self.acked + 1 && (!self.ram.is_empty() || self.spooled_last > to) {
            // Missing before what is still there: the spool gives up its oldest files when it is full.
            GapReason::SpoolFull
        } else {
            GapReason::Lost
        }
    }

    /// Since when, as far as is known; 0: unknown.
    pub(super) fn gap_from_ms(&self) -> i64 {
        match (self.joined_from_ms, self.acked) {
            (0, 0) => self.epoch.created_ms(),
            (joined, _) => joined,
        }
    }

    /// Everything after `acked` goes out again, contexts first.
    pub(super) fn rewind(&mut self) {
        self.next = self.acked + 1;
        self.in_flight.clear();
        self.told_context = 0;
        self.repeated_ack = None;
        self.read_at = None;
    }

    /// Everything up to `seq` is committed. Returns how many batches in flight that settles; handed reports among them go to `done`.
    pub(super) fn ack(&mut self, seq: u64, done: &mut Vec<u64>) -> u64 {
        self.heard = true;
        self.acked = self.acked.max(seq);
        self.last = self.last.max(seq);
        self.next = self.next.max(seq + 1);
        let mut settled = 0;
        while let Some(first) = self.in_flight.front().filter(|flight| flight.to <= seq) {
            settled += u64::from(first.batch);
            self.in_flight.pop_front();
        }
        while let Some(held) = self.ram.pop_front_if(|held| held.seq <= seq) {
            done.extend(held.claim.map(|claim| claim.id));
        }
        self.trim_contexts();
        settled
    }

    /// Whether nothing of it is needed any more. The epoch being written is the caller's to except.
    pub(super) fn is_done(&self) -> bool {
        !self.blocked && !self.has_rest() && (self.heard || (self.exact && self.last == 0))
    }
}

/// The row of an epoch, of its lanes, as the durable table has it. `open_until`: seqs up to there may be given out in each before it is
/// written again.
pub(super) fn row_of(runs: &[Run], open_until: Option<&dyn Fn(&Run) -> u64>) -> Option<EpochRow> {
    let first = runs.first()?;
    let is_open = open_until.is_some() || runs.iter().any(|run| !run.exact);
    let state = if is_open { EpochState::Open } else { EpochState::Ended };
    let (epoch, joined_from_ms) = (first.epoch, runs.iter().map(|run| run.joined_from_ms).max().unwrap_or(0));
    let mut row = EpochRow { epoch, last_seq: [0; 3], known_seq: [0; 3], acked: [0; 3], state, joined_from_ms };
    for run in runs {
        let lane = run.lane as usize;
        row.last_seq[lane] = open_until.map_or_else(|| run.last_told(), |bound| bound(run));
        (row.known_seq[lane], row.acked[lane]) = (run.last, run.acked);
    }
    Some(row)
}
