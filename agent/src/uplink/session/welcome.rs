//! The collector's marks: what is committed, what that says of this machine and of the store (rules 9 and 10).

use muster_common::wire::message::{Epoch, Lane, Welcome};

use super::super::moment::Moment;
use super::epochs::Wish;
use super::link::Link;
use super::moving::Move;
use super::{Note, Session};
use crate::spool::{SpoolRequest, StoreSeen};

impl Session {
    pub(super) fn welcome(&mut self, now: Moment, welcome: &Welcome) {
        self.link = Link::Open { progress_at: now.steady };
        self.backoff.reset();
        self.refusal = None;
        self.lanes = welcome.lanes;
        self.own.connected.set(1);
        let (host_name, host_id) = (welcome.host_name.clone(), welcome.host_id);
        self.note(Note::Welcomed { host_name, host_id });
        self.throttle(now, welcome.throttle);
        self.measure(now, welcome.clock_ms);
        let other = self.saw_store(StoreSeen { store_id: welcome.store_id, incarnation: welcome.incarnation });
        let epochs: Vec<Epoch> = self.runs.iter().map(|run| run.epoch).collect();
        for epoch in epochs {
            let mark = welcome.marks.iter().find(|mark| mark.epoch == epoch && mark.lane == Lane::P1);
            let (seq, arrived_ms) = mark.map_or((0, 0), |mark| (mark.seq, mark.arrived_ms));
            self.take_mark(epoch, seq, arrived_ms, other);
        }
        self.log_welcome(welcome.position_pages, other);
    }

    fn take_mark(&mut self, epoch: Epoch, mark: u64, arrived_ms: i64, other_store: bool) {
        let current = self.current == Some(epoch);
        #[cfg(feature = "planted")]
        let reuses = self.planted(super::Planted::EpochReusedAfterRevert);
        #[cfg(not(feature = "planted"))]
        let reuses = false;
        let Some(run) = self.run(epoch) else { return };
        run.heard = true;
        if run.blocked {
            // Its content is on the way to another epoch, which ends it.
            return;
        }
        if mark > run.last_told() && !reuses {
            let given_out = run.last_told();
            self.own.reverts.add(1);
            self.note(Note::Reverted { epoch, given_out, mark });
            if current {
                self.keeping.wish(Wish::Must);
            }
            self.set_aside(epoch, arrived_ms);
        } else if mark < run.acked && (other_store || run.has_rest()) {
            // What the epoch lacks becomes a gap and what it still holds follows under its own seqs, so that a copy of this machine that does
            // the same is seen to repeat; what is made from now on goes under a new epoch.
            let acked = run.acked;
            run.gone_to = acked;
            run.acked = mark;
            run.rewind();
            self.own.restores.add(1);
            self.note(Note::Restored { epoch, acked, mark });
            if current {
                self.keeping.wish(Wish::Must);
            }
            #[cfg(feature = "planted")]
            if self.planted(super::Planted::MovedTwice) {
                self.set_aside(epoch, i64::MIN);
            }
        } else {
            // A mark that is gone with everything before it committed and nothing left to send was only forgotten for its age.
            let mark = mark.max(if run.has_rest() { 0 } else { run.acked });
            run.ack(mark);
            run.bound = run.bound.max(mark);
            run.rewind();
            self.tell_spool_acked(epoch);
        }
    }

    /// Sets an epoch aside until what it holds of later than `arrived_ms` has moved to another one.
    fn set_aside(&mut self, epoch: Epoch, arrived_ms: i64) {
        let random = (self.random)();
        if let Some(run) = self.run(epoch) {
            run.blocked = true;
        }
        // The same creation time: it sorts where its content belongs, behind everything that is live.
        let target = Epoch::new(epoch.created_ms(), random);
        self.moves.push_back(Move::new(epoch, target, arrived_ms));
    }

    /// Lets the spool drop what is committed.
    pub(super) fn tell_spool_acked(&mut self, epoch: Epoch) {
        let Some(run) = self.run(epoch) else { return };
        if run.spooled_last == 0 || run.acked == 0 {
            return;
        }
        let seq = run.acked;
        if seq >= run.spooled_last {
            run.spooled_last = 0;
        }
        self.ask_spool(SpoolRequest::Acked { epoch, lane: Lane::P1, seq });
    }
}
