//! Content that goes again under another epoch: when this machine turns out to be reverted, what was made since the epoch's last arrival (rule 9).
//!
//! The copy is written and synced first, under an epoch that the table does not know; then one write of the table names the new epoch and
//! drops the old one. A power cut before it finds segments of an unknown epoch, which go; after it, segments of a forgotten one, which go too.
//! So nothing is ever held under both.

use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::message::{Epoch, Lane};

use super::super::clock::TOLERANCE_MS;
use super::super::moment::Moment;
use super::super::reframe::reframe;
use super::Session;
use super::run::{Held, Run, row_of};
use crate::own::DropReason;
use crate::spool::{AppendOutcome, EpochTable, Found, SpoolRequest, SpooledBatch};

/// What was stamped by then may have arrived: both clocks agree only to this.
const CLOCKS_AGREE_TO_MS: i64 = TOLERANCE_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// To read on in the spool from this seq, or, past its end, to take what is in memory.
    Copying {
        from: u64,
    },
    Reading {
        from: u64,
    },
    Appending {
        from: u64,
        seq: u64,
    },
    /// The copy is complete: the table may name it.
    Ready,
}

/// What of a lane goes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The mark is of another life of this machine: what was stamped after its last batch was committed, by the collector's clock.
    MadeAfter { arrived_ms: i64 },
    /// What is not committed.
    Above { mark: u64 },
}

impl Wanted {
    fn wants(self, seq: u64, to_ms: i64) -> bool {
        match self {
            Self::MadeAfter { arrived_ms } => to_ms > arrived_ms.saturating_add(CLOCKS_AGREE_TO_MS),
            Self::Above { mark } => seq > mark,
        }
    }
}

/// One epoch's content on its way to another, lane after lane.
pub(super) struct Move {
    source: Epoch,
    /// Of each lane; `targets` has a run for each of them.
    wanted: Vec<(Lane, Wanted)>,
    targets: Vec<Run>,
    /// The lane whose turn it is.
    at: usize,
    stage: Stage,
    /// The disk failed the last read: the next one comes no earlier.
    read_at: Option<Duration>,
}

impl Move {
    pub(super) fn new(source: Epoch, target: Epoch, wanted: Vec<(Lane, Wanted)>) -> Self {
        let targets = wanted.iter().map(|(lane, _)| Run::new(target, *lane, 0)).collect();
        Self { source, wanted, targets, at: 0, stage: Stage::Copying { from: 1 }, read_at: None }
    }

    /// The lane whose turn it is, what of it is wanted, and where that goes.
    fn turn(&mut self) -> Option<(Lane, Wanted, &mut Run)> {
        let (lane, wanted) = *self.wanted.get(self.at)?;
        Some((lane, wanted, self.targets.get_mut(self.at)?))
    }

    /// The lane is copied: the next one, or the end.
    fn next_lane(&mut self) {
        if let Some(target) = self.targets.get_mut(self.at) {
            target.bound = target.last;
        }
        self.at += 1;
        self.stage = if self.at < self.wanted.len() { Stage::Copying { from: 1 } } else { Stage::Ready };
    }

    fn has_content(&self) -> bool {
        self.targets.iter().any(|target| target.last > 0)
    }

    /// Whether its read at this place is the one that was asked for.
    fn reads(&self, (epoch, lane): (Epoch, Lane), from: u64) -> bool {
        let of_turn = self.wanted.get(self.at).is_some_and(|(turn, _)| *turn == lane);
        self.source == epoch && of_turn && self.stage == (Stage::Reading { from })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.read_at
    }
}

impl Session {
    /// Takes the next step of the first move.
    pub(super) fn move_on(&mut self, now: Moment) {
        while self.move_lane(now) {}
    }

    /// `true`: a lane is done and there may be another.
    fn move_lane(&mut self, now: Moment) -> bool {
        let current = self.current;
        let Some(first) = self.moves.front_mut() else { return false };
        first.read_at = first.read_at.filter(|at| now.steady < *at);
        let (Stage::Copying { from }, None) = (first.stage, first.read_at) else { return false };
        let source = first.source;
        let Some((lane, wanted, target)) = first.turn() else { return false };
        let Some(run) = self.runs.iter_mut().find(|run| run.epoch == source && run.lane == lane) else {
            first.next_lane();
            return true;
        };
        // Nothing may be added to it any more, and what is on its way into the spool must be there.
        if Some(source) == current || run.reading || run.ram.iter().any(|held| held.spooling) {
            return false;
        }
        if run.ram.iter().any(|held| held.claim.is_some()) {
            self.free_handed_of((source, lane), |held| wanted.wants(held.seq, held.to_ms));
            return false;
        }
        if run.spooled_last >= from {
            let have_context = target.contexts.last().map_or(0, |(id, _)| *id);
            first.stage = Stage::Reading { from };
            self.ask_spool(SpoolRequest::Read { epoch: source, lane, from, have_context });
            return false;
        }
        for held in &run.ram {
            if !wanted.wants(held.seq, held.to_ms) {
                continue;
            }
            let context = run.context(held.context);
            let seq = target.last + 1;
            let frame = reframe(&held.frame, target.epoch, seq);
            let (Some(frame), true) = (frame, learn_context(target, held.context, context.as_deref())) else {
                self.own.drop_batches(DropReason::ContextLost, 1);
                continue;
            };
            target.last = seq;
            target.ram.push_back(Held { seq, frame, made_at: now.steady, ..held.clone() });
        }
        first.next_lane();
        if first.is_ready() {
            self.open_or_extend_epochs(now);
        }
        true
    }

    /// A read of the spool for the first move. `false`: it was not for it.
    pub(super) fn found_for_move(&mut self, of: (Epoch, Lane), from: u64, found: Option<&Found>) -> bool {
        let Some(first) = self.moves.front_mut().filter(|first| first.reads(of, from)) else { return false };
        let Some(found) = found else {
            // Past the spool's end: what is in memory follows.
            first.stage = Stage::Copying { from: u64::MAX };
            return true;
        };
        let batch = &found.batch;
        first.stage = Stage::Copying { from: batch.seq + 1 };
        let Some((_, wanted, target)) = first.turn() else { return true };
        if !wanted.wants(batch.seq, batch.to_ms) {
            return true;
        }
        let seq = target.last + 1;
        let frame = reframe(&batch.frame, target.epoch, seq);
        let (Some(frame), true) = (frame, learn_context(target, batch.context, found.context_frame.as_deref())) else {
            self.own.drop_batches(DropReason::ContextLost, 1);
            return true;
        };
        let context_frame = target.context(batch.context);
        let batch = SpooledBatch { epoch: target.epoch, seq, frame, ..batch.clone() };
        first.stage = Stage::Appending { from: found.batch.seq + 1, seq };
        self.ask_spool(SpoolRequest::Append { batch, context_frame });
        true
    }

    /// A read for the first move that the disk failed. `false`: it was not for it.
    pub(super) fn unread_for_move(&mut self, of: (Epoch, Lane), from: u64, again_at: Duration) -> bool {
        let Some(first) = self.moves.front_mut().filter(|first| first.reads(of, from)) else { return false };
        (first.stage, first.read_at) = (Stage::Copying { from }, Some(again_at));
        true
    }

    /// An append for the first move. A failed one keeps its seq, since nobody knows what the file holds: it shows as a gap.
    pub(super) fn appended_for_move(&mut self, of: (Epoch, Lane), seq: u64, outcome: AppendOutcome) -> bool {
        let Some(first) = self.moves.front_mut() else { return false };
        let Stage::Appending { from, seq: expected } = first.stage else { return false };
        let Some((lane, _, target)) = first.turn() else { return false };
        if (target.epoch, lane) != of || expected != seq {
            return false;
        }
        target.last = seq;
        if matches!(outcome, AppendOutcome::Held { .. }) {
            target.spooled_last = seq;
        }
        first.stage = Stage::Copying { from };
        match outcome {
            AppendOutcome::Held { .. } => {}
            AppendOutcome::Full => self.own.drop_batches(DropReason::SpoolFull, 1),
            AppendOutcome::Failed => self.own.drop_batches(DropReason::DiskError, 1),
        }
        true
    }

    /// The rows of the table that makes the first move true.
    pub(super) fn moved_rows(&self, table: &mut EpochTable) {
        let Some(first) = self.moves.front() else { return };
        if !self.keeps_moved() {
            table.rows.retain(|row| row.epoch != first.source);
        }
        if first.has_content() {
            table.rows.extend(row_of(&first.targets, None));
        }
    }

    /// The planted bug: the old epoch stays.
    fn keeps_moved(&self) -> bool {
        #[cfg(feature = "planted")]
        return self.planted(super::Planted::MovedTwice);
        #[cfg(not(feature = "planted"))]
        return false;
    }

    /// That table is durable.
    pub(super) fn moved(&mut self) {
        let Some(first) = self.moves.pop_front() else { return };
        if self.keeps_moved() {
            self.unblock(first.source);
        } else {
            self.runs.retain(|run| run.epoch != first.source);
            self.ask_spool(SpoolRequest::Forget { epoch: first.source });
        }
        if first.has_content() {
            self.add_runs(first.targets);
        }
    }

    /// The process ends: what is not switched yet stays as it was, and the next start finds the same marks.
    pub(super) fn give_up_moves(&mut self) {
        let keep_first = self.keeping.is_under_way() && self.moves.front().is_some_and(Move::is_ready);
        let given_up: Vec<Move> = self.moves.drain(usize::from(keep_first)..).collect();
        for one in given_up {
            self.unblock(one.source);
            for target in one.targets {
                self.ask_spool(SpoolRequest::Forget { epoch: target.epoch });
            }
        }
    }

    fn unblock(&mut self, epoch: Epoch) {
        self.runs.iter_mut().filter(|run| run.epoch == epoch).for_each(|run| run.blocked = false);
    }
}

/// Sees to it that the target has this context; `false` when it cannot be had.
fn learn_context(target: &mut Run, id: u32, frame: Option<&[u8]>) -> bool {
    if target.context(id).is_some() {
        return true;
    }
    let Some(frame) = frame.and_then(|frame| reframe(frame, target.epoch, 0)) else { return false };
    let frame: Arc<[u8]> = frame;
    target.contexts.push((id, frame));
    true
}
