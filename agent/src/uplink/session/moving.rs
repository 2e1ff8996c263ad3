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
use super::run::{Held, Run};
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

/// One epoch's content on its way to another.
pub(super) struct Move {
    source: Epoch,
    /// When the epoch's last batch was committed, by the collector's clock.
    arrived_ms: i64,
    target: Run,
    stage: Stage,
    /// The disk failed the last read: the next one comes no earlier.
    read_at: Option<Duration>,
}

impl Move {
    pub(super) fn new(source: Epoch, target: Epoch, arrived_ms: i64) -> Self {
        Self { source, arrived_ms, target: Run::new(target, 0), stage: Stage::Copying { from: 1 }, read_at: None }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    pub(super) fn retry_at(&self) -> Option<Duration> {
        self.read_at
    }

    fn wants(&self, to_ms: i64) -> bool {
        to_ms > self.arrived_ms.saturating_add(CLOCKS_AGREE_TO_MS)
    }
}

impl Session {
    /// Takes the next step of the first move.
    pub(super) fn move_on(&mut self, now: Moment) {
        let current = self.current;
        let Some(first) = self.moves.front_mut() else { return };
        first.read_at = first.read_at.filter(|at| now.steady < *at);
        let (Stage::Copying { from }, None) = (first.stage, first.read_at) else { return };
        let source = first.source;
        let Some(run) = self.runs.iter_mut().find(|run| run.epoch == source) else {
            self.moves.pop_front();
            return;
        };
        // Nothing may be added to it any more, and what is on its way into the spool must be there.
        if Some(source) == current || run.reading || run.ram.iter().any(|held| held.spooling) {
            return;
        }
        if run.spooled_last >= from {
            first.stage = Stage::Reading { from };
            let have_context = first.target.contexts.last().map_or(0, |(id, _)| *id);
            self.ask_spool(SpoolRequest::Read { epoch: source, lane: Lane::P1, from, have_context });
            return;
        }
        for held in &run.ram {
            if !first.wants(held.to_ms) {
                continue;
            }
            let (target, context) = (&mut first.target, run.context(held.context));
            let seq = target.last + 1;
            let frame = reframe(&held.frame, target.epoch, seq);
            let (Some(frame), true) = (frame, learn_context(target, held.context, context.as_deref())) else {
                self.own.drop_batches(DropReason::ContextLost, 1);
                continue;
            };
            target.last = seq;
            target.ram.push_back(Held { seq, frame, made_at: now.steady, ..held.clone() });
        }
        first.target.bound = first.target.last;
        first.stage = Stage::Ready;
        self.open_or_extend_epochs(now);
    }

    /// A read of the spool for the first move. `false`: it was not for it.
    pub(super) fn found_for_move(&mut self, epoch: Epoch, from: u64, found: Option<&Found>) -> bool {
        let Some(first) = self.moves.front_mut() else { return false };
        if first.source != epoch || first.stage != (Stage::Reading { from }) {
            return false;
        }
        let Some(found) = found else {
            // Past the spool's end: what is in memory follows.
            first.stage = Stage::Copying { from: u64::MAX };
            return true;
        };
        let batch = &found.batch;
        first.stage = Stage::Copying { from: batch.seq + 1 };
        if !first.wants(batch.to_ms) {
            return true;
        }
        let seq = first.target.last + 1;
        let frame = reframe(&batch.frame, first.target.epoch, seq);
        let (Some(frame), true) =
            (frame, learn_context(&mut first.target, batch.context, found.context_frame.as_deref()))
        else {
            self.own.drop_batches(DropReason::ContextLost, 1);
            return true;
        };
        let context_frame = first.target.context(batch.context);
        let batch = SpooledBatch { epoch: first.target.epoch, seq, frame, ..batch.clone() };
        first.stage = Stage::Appending { from: found.batch.seq + 1, seq };
        self.ask_spool(SpoolRequest::Append { batch, context_frame });
        true
    }

    /// A read for the first move that the disk failed. `false`: it was not for it.
    pub(super) fn unread_for_move(&mut self, epoch: Epoch, from: u64, again_at: Duration) -> bool {
        let Some(first) = self.moves.front_mut() else { return false };
        if first.source != epoch || first.stage != (Stage::Reading { from }) {
            return false;
        }
        (first.stage, first.read_at) = (Stage::Copying { from }, Some(again_at));
        true
    }

    /// An append for the first move. A failed one keeps its seq, since nobody knows what the file holds: it shows as a gap.
    pub(super) fn appended_for_move(&mut self, epoch: Epoch, seq: u64, outcome: AppendOutcome) -> bool {
        let Some(first) = self.moves.front_mut() else { return false };
        let Stage::Appending { from, seq: expected } = first.stage else { return false };
        if first.target.epoch != epoch || expected != seq {
            return false;
        }
        first.target.last = seq;
        first.stage = Stage::Copying { from };
        match outcome {
            AppendOutcome::Held { .. } => first.target.spooled_last = seq,
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
        if first.target.last > 0 {
            table.rows.push(first.target.row(None));
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
            if let Some(run) = self.run(first.source) {
                run.blocked = false;
            }
        } else {
            self.runs.retain(|run| run.epoch != first.source);
            self.ask_spool(SpoolRequest::Forget { epoch: first.source });
        }
        if first.target.last > 0 {
            self.runs.push(first.target);
            self.runs.sort_by_key(|run| run.epoch);
        }
    }

    /// The process ends: what is not switched yet stays as it was, and the next start finds the same marks.
    pub(super) fn give_up_moves(&mut self) {
        let keep_first = self.keeping.is_under_way() && self.moves.front().is_some_and(Move::is_ready);
        let given_up: Vec<Move> = self.moves.drain(usize::from(keep_first)..).collect();
        for one in given_up {
            if let Some(run) = self.run(one.source) {
                run.blocked = false;
            }
            self.ask_spool(SpoolRequest::Forget { epoch: one.target.epoch });
        }
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
