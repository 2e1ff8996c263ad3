//! From memory to disk: what is unacked for 10 s (rule 30), when it is synced, and the bound on memory.

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
        Some((since + SYNC_GATHER).max(self.synced_at.map_or(Duration::ZERO, |at| at + SYNC_EVERY)))
    }
}

impl Session {
    /// Asks the spool to take what is old enough, or everything when the process ends.
    pub(super) fn spool_old(&mut self, now: Moment) {
        // At the end the disk is asked once more, whatever it said before; after a refusal then it is not asked again.
        let all = self.spools_all() && !self.spooling.refused;
        let is_old =
            |run: &Run| run.ram.front().is_some_and(|held| now.steady >= held.made_at + self.settings.spool_after);
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
                for held in run.ram.iter_mut().filter(|held| !held.spooling) {
                    let old = now.steady >= held.made_at + self.settings.spool_after;
                    if !(old || all || soon) || self.spooling.appending >= APPENDING_MAX {
                        break;
                    }
                    held.spooling = true;
                    self.spooling.appending += 1;
                    let context_frame = contexts.iter().find(|(id, _)| *id == held.context).map(|(_, f)| f.clone());
                    let batch = SpooledBatch {
                        epoch: run.epoch,
                        lane: Lane::P1,
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
            self.ask_spool(SpoolRequest::Sync);
        }
    }

    pub(super) fn spool_due_at(&self) -> Option<Duration> {
        let oldest = self.runs.iter().filter(|run| !run.blocked).filter_map(|run| {
            let held = run.ram.iter().find(|held| !held.spooling)?;
            Some(held.made_at + self.settings.spool_after)
        });
        let append = oldest.min().map(|due| due.max(self.spooling.paused_until));
        let append = append.filter(|_| self.spooling.appending < APPENDING_MAX);
        [append, self.spooling.sync_due_at()].into_iter().flatten().min()
    }

    pub(super) fn appended(
        &mut self,
        now: Moment,
        epoch: Epoch,
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
        if self.appended_for_move(epoch, seq, outcome) {
            return;
        }
        self.spooling.appending = self.spooling.appending.saturating_sub(1);
        match outcome {
            AppendOutcome::Held { bytes } => {
                self.spooling.refused = false;
                self.spooling.unsynced_bytes += bytes;
                self.spooling.unsynced_since.get_or_insert(now.steady);
                if let Some(run) = self.run(epoch) {
                    run.spooled_last = run.spooled_last.max(seq);
                    run.release(seq);
                    if run.acked >= seq {
                        self.tell_spool_acked(epoch);
                    }
                }
            }
            AppendOutcome::Full | AppendOutcome::Failed => {
                self.spooling.paused_until = now.steady + PAUSE;
                self.spooling.refused = true;
                if let Some(run) = self.run(epoch) {
                    run.ram.iter_mut().filter(|held| held.seq == seq).for_each(|held| held.spooling = false);
                }
                self.bound_memory(now);
            }
        }
    }

    /// Above the bound the oldest batches go, except those on their way into the spool. Nothing remembers them: they show as a gap.
    pub(super) fn bound_memory(&mut self, _now: Moment) {
        let mut bytes = self.queued_bytes();
        // Not the newest: beside a context that is larger than the bound nothing would ever be sent.
        let newest = self.runs.iter().rev().find_map(|run| Some((run.epoch, run.ram.back()?.seq)));
        while bytes > self.settings.queue_bytes_max {
            let oldest = self.runs.iter_mut().filter(|run| !run.blocked).find_map(|run| {
                let held = run.ram.iter().find(|held| !held.spooling)?;
                Some((run.epoch, held.seq))
            });
            let Some((epoch, seq)) = oldest.filter(|oldest| Some(*oldest) != newest) else { return };
            let Some(run) = self.run(epoch) else { return };
            let before = run.bytes();
            run.release(seq);
            bytes = bytes.saturating_sub(before - run.bytes());
            self.own.drop_batches(DropReason::QueueFull, 1);
            self.keeping.tells_loss = true;
            #[cfg(feature = "planted")]
            self.remembered.push((epoch, seq));
        }
    }
}
