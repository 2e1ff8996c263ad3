//! From memory to disk: rows unacked for 10 s, reports unacked for 1 s (rule 30), when it is synced, and the bound on memory.

use std::time::Duration;

use muster_common::wire::message::{Epoch, Lane};

use super::super::moment::Moment;
use super::run::Run;
use super::{Note, Session};
use crate::own::DropReason;
use crate::spool::{AppendOutcome, SpoolRequest, SpooledBatch, Trouble};

/// Appends under way at once.
const APPENDING_MAX: usize = 16;
/// After a refusal by the disk nothing is tried for this long.
const PAUSE: Duration = Duration::from_secs(10);
/// At most two fdatasync a minute, unless this much waits for one.
const SYNC_EVERY: Duration = Duration::from_secs(30);
const SYNC_BYTES: u64 = 1 << 20;
/// A failed sync is told for so long where no other one follows.
const TOLD_FOR: Duration = Duration::from_secs(600);
/// The same where reports wait.
const SYNC_REPORTS_EVERY: Duration = Duration::from_secs(1);
/// What is appended within this time shares one fdatasync.
const SYNC_GATHER: Duration = Duration::from_secs(1);

/// Requests under way and what is not yet synced.
#[derive(Debug, Default)]
pub(super) struct Spooling {
    appending: usize,
    paused_until: Duration,
    refused: bool,
    refusal: Option<Trouble>,
    sync_trouble: Option<Trouble>,
    pub(super) read_trouble: Option<Trouble>,
    unsynced_bytes: u64,
    unsynced_since: Option<Duration>,
    /// Reports are among what is not synced.
    has_unsynced_reports: bool,
    synced_at: Option<Duration>,
    syncing: bool,
}

impl Spooling {
    pub(super) fn is_quiet(&self) -> bool {
        self.appending == 0
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused
    }

    pub(super) fn try_again(&mut self) {
        self.refused = false;
    }

    /// What the disk does not do at present.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &Trouble> {
        self.refusal.iter().chain(&self.sync_trouble).chain(&self.read_trouble)
    }

    pub(super) fn synced(&mut self, now: Duration, trouble: Option<Trouble>) {
        // After a failed fdatasync the spool appends elsewhere; what was lost shows as a gap.
        self.sync_trouble = trouble;
        self.syncing = false;
        self.synced_at = Some(now);
    }

    fn sync_due_at(&self) -> Option<Duration> {
        let since = self.unsynced_since.filter(|_| !self.syncing)?;
        if self.unsynced_bytes >= SYNC_BYTES {
            return Some(Duration::ZERO);
        }
        if self.has_unsynced_reports {
            return Some(since.max(self.synced_at.map_or(Duration::ZERO, |at| at + SYNC_REPORTS_EVERY)));
        }
        Some((since + SYNC_GATHER).max(self.synced_at.map_or(Duration::ZERO, |at| at + SYNC_EVERY)))
    }
}

impl Session {
    /// Asks the spool to take what is old enough, or everything when the process ends.
    pub(super) fn spool_old(&mut self, now: Moment) {
        // At the end the disk is asked once more, whatever it said before; after a refusal then it is not asked again.
        let all = self.spools_all() && !self.spooling.refused;
        let is_old = |run: &Run| self.append_due_of(run).is_some_and(|due| now.steady >= due);
        if !self.runs.iter().any(is_old) {
            // Nothing has to be spooled: what the disk said of it is no news any more.
            self.spooling.refusal = None;
        }
        if self.spooling.synced_at.is_none_or(|at| now.steady >= at + TOLD_FOR) {
            self.spooling.sync_trouble = None;
        }
        // Contexts stay with what is made next, so only what they leave is there to be half full.
        let contexts: u64 = self.runs.iter().map(Run::context_bytes).sum();
        let batches = self.queued_bytes() - contexts;
        let soon = batches > self.settings.queue_bytes_max.saturating_sub(contexts) / 2;
        if now.steady >= self.spooling.paused_until || all {
            let mut requests = Vec::new();
            for run in self.runs.iter_mut().filter(|run| !run.blocked) {
                let contexts = &run.contexts;
                let after = self.settings.spool_after_of(run.lane);
                for held in run.ram.iter_mut().filter(|held| held.waits_for_spool()) {
                    let old = now.steady >= held.made_at + after;
                    if !(old || all || soon) || self.spooling.appending >= APPENDING_MAX {
                        break;
                    }
                    held.spooling = true;
                    self.spooling.appending += 1;
                    let context_frame = contexts.iter().find(|(id, _)| *id == held.context).map(|(_, f)| f.clone());
                    let batch = SpooledBatch {
                        epoch: run.epoch,
                        lane: run.lane,
                        seq: held.seq,
                        context: held.context,
                        from_ms: held.from_ms,
                        to_ms: held.to_ms,
                        frame: held.frame.clone(),
                    };
                    requests.push(SpoolRequest::Append { batch, context_frame });
                }
            }
            requests.into_iter().for_each(|request| self.ask_spool(request));
        }
        if self.spooling.sync_due_at().is_some_and(|due| now.steady >= due) {
            self.spooling.syncing = true;
            (self.spooling.unsynced_since, self.spooling.unsynced_bytes) = (None, 0);
            self.spooling.has_unsynced_reports = false;
            self.ask_spool(SpoolRequest::Sync);
        }
    }

    /// When the oldest batch that only memory has is to be spooled.
    fn append_due_of(&self, run: &Run) -> Option<Duration> {
        let held = run.ram.iter().find(|held| held.waits_for_spool())?;
        Some(held.made_at + self.settings.spool_after_of(run.lane))
    }

    pub(super) fn spool_due_at(&self) -> Option<Duration> {
        let oldest = self.runs.iter().filter(|run| !run.blocked).filter_map(|run| self.append_due_of(run));
        let append = oldest.min().map(|due| due.max(self.spooling.paused_until));
        let append = append.filter(|_| self.spooling.appending < APPENDING_MAX);
        [append, self.spooling.sync_due_at()].into_iter().flatten().min()
    }

    pub(super) fn appended(
        &mut self,
        now: Moment,
        (epoch, lane): (Epoch, Lane),
        seq: u64,
        outcome: AppendOutcome,
        trouble: Option<Trouble>,
    ) {
        let before = std::mem::replace(&mut self.spooling.refusal, trouble);
        if let Some(trouble) = self.spooling.refusal.clone()
            && before.is_none_or(|before| !before.is_like(&trouble))
        {
            self.note(Note::SpoolRefuses { trouble });
        }
        if self.appended_for_move((epoch, lane), seq, outcome) {
            return;
        }
        self.spooling.appending = self.spooling.appending.saturating_sub(1);
        match outcome {
            AppendOutcome::Held { bytes } => {
                self.spooling.refused = false;
                self.spooling.unsynced_bytes += bytes;
                self.spooling.unsynced_since.get_or_insert(now.steady);
                self.spooling.has_unsynced_reports |= lane == Lane::P0;
                if let Some(run) = self.run(epoch, lane) {
                    run.spooled_last = run.spooled_last.max(seq);
                    run.release(seq);
                    if run.acked >= seq {
                        self.tell_spool_acked(epoch, lane);
                    }
                }
            }
            AppendOutcome::Full | AppendOutcome::Failed => {
                self.spooling.paused_until = now.steady + PAUSE;
                self.spooling.refused = true;
                if let Some(run) = self.run(epoch, lane) {
                    run.ram.iter_mut().filter(|held| held.seq == seq).for_each(|held| held.spooling = false);
                }
                self.bound_memory(now);
            }
        }
    }

    /// Above the bound the oldest batches go, rows before reports, except those on their way into the spool. Nothing remembers them: they
    /// show as a gap.
    pub(super) fn bound_memory(&mut self, _now: Moment) {
        let mut bytes = self.queued_bytes();
        // Not the newest of a lane: beside a context that is larger than the bound nothing would ever be sent.
        let newest_of = |runs: &[Run], lane: Lane| {
            runs.iter()
                .rev()
                .filter(|run| run.lane == lane)
                .find_map(|run| Some((run.epoch, lane, run.ram.back()?.seq)))
        };
        let newest = [Lane::P1, Lane::P0].map(|lane| newest_of(&self.runs, lane));
        while bytes > self.settings.queue_bytes_max {
            let oldest_of = |lane: Lane| {
                let runs = self.runs.iter().filter(|run| run.lane == lane && !run.blocked);
                let oldest = runs.filter_map(|run| {
                    let held = run.ram.iter().find(|held| held.waits_for_spool())?;
                    Some((run.epoch, lane, held.seq))
                });
                oldest.into_iter().next().filter(|oldest| !newest.contains(&Some(*oldest)))
            };
            let Some((epoch, lane, seq)) = oldest_of(Lane::P1).or_else(|| oldest_of(Lane::P0)) else { return };
            let Some(run) = self.run(epoch, lane) else { return };
            let before = run.bytes();
            run.release(seq);
            bytes = bytes.saturating_sub(before - run.bytes());
            self.own.drop_batches(DropReason::QueueFull, 1);
            self.keeping.tells_loss = true;
            #[cfg(feature = "planted")]
            if lane == Lane::P1 {
                self.remembered.push((epoch, seq));
            }
        }
    }
}
