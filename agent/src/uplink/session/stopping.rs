//! The orderly end: what is live goes out and is waited for, the collector hears why, the rest goes to the spool, the table says that every
//! epoch has ended. All within 5 s, whatever collector and disk do.

use std::time::Duration;

use muster_common::wire::message::GoodbyeReason;

use super::super::moment::Moment;
use super::link::Link;
use super::run::Run;
use super::{Effect, Session};
use crate::own::DropReason;

/// Acks are waited for this long.
const ACKS_WITHIN: Duration = Duration::from_secs(2);
/// The spool is waited for until then, counted from the start.
const SPOOL_WITHIN: Duration = Duration::from_millis(3_500);
/// The end, whatever happens.
const END_WITHIN: Duration = Duration::from_millis(4_500);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Sending,
    Spooling,
    Keeping,
    Done,
}

/// How far the end has come.
#[derive(Debug)]
pub(super) struct Stopping {
    reason: GoodbyeReason,
    since: Duration,
    said_goodbye: bool,
    stage: Stage,
}

impl Stopping {
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(super) fn next_deadline(&self) -> Duration {
        match self.stage {
            Stage::Sending => self.since + ACKS_WITHIN,
            Stage::Spooling => self.since + SPOOL_WITHIN,
            Stage::Keeping => self.since + END_WITHIN,
            Stage::Done => Duration::MAX,
        }
    }
}

impl Session {
    pub(super) fn stop(&mut self, now: Moment, reason: GoodbyeReason) {
        if self.stopping.is_some() {
            return;
        }
        self.give_up_moves();
        self.stopping = Some(Stopping { reason, since: now.steady, said_goodbye: false, stage: Stage::Sending });
        self.cut_if_due(now);
        self.cut_reports_if_due(now);
    }

    /// Everything in memory goes to the spool now.
    pub(super) fn spools_all(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.stage == Stage::Spooling)
    }

    pub(super) fn end_if_flushed(&mut self, now: Moment) {
        let open = self.is_open();
        // Lines that are not acked in time are read again: they are waited for, and need no spool.
        let unacked = self.logs.is_waiting();
        let unacked = unacked || self.runs.iter().any(|run| !run.ram.is_empty());
        let in_memory = self.runs.iter().any(Run::has_only_in_memory);
        // A row or report that waits for its epoch to be durable is waited for too.
        let opening = self.keeping.is_opening() || self.batcher.rows() > 0 || self.reports.waits();
        let Some(stopping) = &mut self.stopping else { return };
        let waited = now.steady.saturating_sub(stopping.since);
        if stopping.stage == Stage::Sending {
            if open && !stopping.said_goodbye && !opening {
                stopping.said_goodbye = true;
                let reason = stopping.reason;
                self.say_goodbye(reason);
            }
            let Some(stopping) = &mut self.stopping else { return };
            if waited >= ACKS_WITHIN || (!opening && (!open || !unacked)) {
                stopping.stage = Stage::Spooling;
                self.spooling.try_again();
                self.spool_old(now);
            }
        }
        let Some(stopping) = &mut self.stopping else { return };
        let refused = self.spooling.is_refused();
        if stopping.stage == Stage::Spooling
            && (waited >= SPOOL_WITHIN || (self.spooling.is_quiet() && (!in_memory || refused)))
            && !(self.keeping.is_under_way() && waited < SPOOL_WITHIN)
        {
            stopping.stage = Stage::Keeping;
            self.keeping.last_table = true;
            self.keeping.wish = None;
            self.open_or_extend_epochs(now);
        }
        let Some(stopping) = &mut self.stopping else { return };
        if stopping.stage == Stage::Keeping && (waited >= END_WITHIN || self.keeping.last_table_kept.is_some()) {
            stopping.stage = Stage::Done;
            let left = self.batcher.rows() as u64;
            self.own.drop_rows(DropReason::NoEpoch, left);
            self.drop_waiting_reports();
            if !matches!(self.link, Link::Idle { .. } | Link::Stopped) {
                self.effects.push(Effect::Close);
            }
            self.link = Link::Stopped;
            self.own.connected.set(0);
            self.effects.push(Effect::Done);
        }
    }
}
