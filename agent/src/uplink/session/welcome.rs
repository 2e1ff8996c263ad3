//! The collector's marks: what is committed, what that says of this machine and of the store (rules 9 and 10).

use muster_common::wire::message::{Epoch, Lane, Welcome};

use super::super::moment::Moment;
use super::epochs::{LANES, Wish};
use super::link::Link;
use super::moving::{Move, Wanted};
use super::run::Run;
use super::{Effect, InventoryOrder, Note, Session};
use crate::spool::{SpoolRequest, StoreSeen};

impl Session {
    pub(super) fn welcome(&mut self, now: Moment, welcome: &Welcome) {
        self.link = Link::Open { progress_at: now.steady };
        self.backoff.reset();
        self.refusal = None;
        self.lanes = welcome.lanes;
        self.takes_processes = welcome.takes_processes();
        self.takes_inventory = welcome.takes_inventory();
        if self.takes_inventory {
            self.effects.push(Effect::Inventory(InventoryOrder::Known(welcome.inventory_digests())));
        }
        self.own.connected.set(1);
        let (host_name, host_id) = (welcome.host_name.clone(), welcome.host_id);
        self.note(Note::Welcomed { host_name, host_id });
        self.throttle(now, welcome.throttle);
        self.measure(now, welcome.clock_ms);
        let other = self.saw_store(StoreSeen { store_id: welcome.store_id, incarnation: welcome.incarnation });
        let lanes: Vec<(Epoch, Lane)> = self.runs.iter().map(|run| (run.epoch, run.lane)).collect();
        for of_epoch in lanes.chunk_by(|a, b| a.0 == b.0) {
            let mark = |lane: Lane| {
                let mark = welcome.marks.iter().find(|mark| mark.epoch == of_epoch[0].0 && mark.lane == lane);
                mark.map_or((0, 0), |mark| (mark.seq, mark.arrived_ms))
            };
            self.take_marks(of_epoch[0].0, LANES.map(mark), other);
        }
        self.log_welcome(welcome.position_pages, other);
        self.configuration_welcome(welcome);
        self.task_welcome(welcome);
    }

    /// Marks and when the last batch before each came, by [`LANES`].
    fn take_marks(&mut self, epoch: Epoch, marks: [(u64, i64); LANES.len()], other_store: bool) {
        #[cfg(feature = "planted")]
        let reuses = self.planted(super::Planted::EpochReusedAfterRevert);
        #[cfg(not(feature = "planted"))]
        let reuses = false;
        let mut runs: Vec<&mut Run> = self.runs.iter_mut().filter(|run| run.epoch == epoch).collect();
        runs.iter_mut().for_each(|run| run.heard = true);
        if runs.iter().any(|run| run.blocked) {
            // Its content is on the way to another epoch, which ends it.
            return;
        }
        let mark_of = |lane: Lane| LANES.iter().position(|one| *one == lane).map_or((0, 0), |at| marks[at]);
        let ahead = runs.iter().find(|run| mark_of(run.lane).0 > run.last_told());
        if let (Some(ahead), false) = (ahead, reuses) {
            let (given_out, mark) = (ahead.last_told(), mark_of(ahead.lane).0);
            // A lane whose mark is below what it gave out goes on behind it.
            let wanted = runs.iter().map(|run| match mark_of(run.lane) {
                (mark, arrived_ms) if mark > run.last_told() => (run.lane, Wanted::MadeAfter { arrived_ms }),
                (mark, _) => (run.lane, Wanted::Above { mark }),
            });
            let wanted = wanted.collect();
            self.own.reverts.add(1);
            self.note(Note::Reverted { epoch, given_out, mark });
            if self.current == Some(epoch) {
                self.keeping.wish(Wish::Must);
            }
            self.set_aside(epoch, wanted);
            return;
        }
        for (lane, (mark, _)) in LANES.into_iter().zip(marks) {
            self.take_mark((epoch, lane), mark, other_store);
        }
    }

    fn take_mark(&mut self, (epoch, lane): (Epoch, Lane), mark: u64, other_store: bool) {
        let current = self.current == Some(epoch);
        let Some(run) = self.run(epoch, lane).filter(|run| !run.blocked) else { return };
        if mark < run.acked && (other_store || run.has_rest()) {
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
                let all = LANES.map(|lane| (lane, Wanted::MadeAfter { arrived_ms: i64::MIN }));
                self.set_aside(epoch, all.to_vec());
            }
        } else {
            // A mark that is gone with everything before it committed and nothing left to send was only forgotten for its age.
            let mark = mark.max(if run.has_rest() { 0 } else { run.acked });
            let mut done = Vec::new();
            run.ack(mark, &mut done);
            run.bound = run.bound.max(mark);
            run.rewind();
            self.handed_done(done);
            self.tell_spool_acked(epoch, lane);
        }
    }

    /// Sets an epoch aside until what is wanted of it has moved to another one.
    fn set_aside(&mut self, epoch: Epoch, wanted: Vec<(Lane, Wanted)>) {
        let random = (self.random)();
        self.runs.iter_mut().filter(|run| run.epoch == epoch).for_each(|run| run.blocked = true);
        // The same creation time: it sorts where its content belongs, behind everything that is live.
        let target = Epoch::new(epoch.created_ms(), random);
        self.moves.push_back(Move::new(epoch, target, wanted));
    }

    /// Lets the spool drop what is committed.
    pub(super) fn tell_spool_acked(&mut self, epoch: Epoch, lane: Lane) {
        let Some(run) = self.run(epoch, lane) else { return };
        if run.spooled_last == 0 || run.acked == 0 {
            return;
        }
        let seq = run.acked;
        if seq >= run.spooled_last {
            run.spooled_last = 0;
        }
        self.ask_spool(SpoolRequest::Acked { epoch, lane, seq });
    }
}
