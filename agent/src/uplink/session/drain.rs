//! What is sent when: reports oldest epoch first, one after another; rows live first, backlog oldest first under a rate cap (rule 4), gaps computed (rule 6), contexts before the first
//! batch that names them (rule 16); acks, rewinds.

use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::frame::{self, Frame};
use muster_common::wire::message::{Ack, Epoch, Gap, Lane, NeedContext};

use super::super::moment::Moment;
use super::link::Link;
use super::run::{InFlight, Run};
use super::{Channel, Effect, Note, Session};
use crate::own::DropReason;
use crate::spool::{Found, SpoolRequest, Trouble};

/// A repeated ack without progress for this long means that the collector waits for the seq after it.
const REWIND_AFTER: Duration = Duration::from_secs(2);
/// A read that the disk failed is tried again after this.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// Times that one context is asked for at one place before its batches are given up: it is damaged, or too large for the other end.
const CONTEXT_ASKS_MAX: u32 = 3;

impl Session {
    pub(super) fn pump(&mut self, now: Moment) {
        if !self.is_open() || now.steady < self.hold_until {
            return;
        }
        self.rewind_where_told(now);
        self.runs.iter_mut().for_each(|run| run.read_at = run.read_at.filter(|at| now.steady < *at));
        if self.is_offered(Lane::P0) {
            self.drain_reports(now);
        }
        if self.is_offered(Lane::P1) {
            self.drain_rows(now);
        }
        let reads = self.runs.iter().any(|run| run.reading || run.read_at.is_some());
        if !reads && self.moves.is_empty() {
            self.spooling.read_trouble = None;
        }
    }

    fn is_offered(&self, lane: Lane) -> bool {
        self.lanes & (1 << lane as u8) != 0
    }

    /// States may not step back in time: an epoch's reports go out when all of the older ones are committed (rule 4).
    fn drain_reports(&mut self, now: Moment) {
        let oldest = self.runs.iter().find(|run| run.lane == Lane::P0 && (run.blocked || run.has_rest()));
        if let Some(epoch) = oldest.filter(|run| !run.blocked).map(|run| run.epoch) {
            self.drain_run(now, epoch, Lane::P0, true);
        }
    }

    fn drain_rows(&mut self, now: Moment) {
        if let Some(current) = self.current {
            self.drain_run(now, current, Lane::P1, true);
        }
        let backlog: Vec<Epoch> = self
            .runs
            .iter()
            .filter(|run| run.lane == Lane::P1 && Some(run.epoch) != self.current && !run.blocked)
            .map(|run| run.epoch)
            .collect();
        for epoch in backlog {
            if !self.drain_run(now, epoch, Lane::P1, false) {
                break;
            }
        }
    }

    /// Sends what may be sent of one epoch. `true`: all of it is on its way.
    fn drain_run(&mut self, now: Moment, epoch: Epoch, lane: Lane, live: bool) -> bool {
        loop {
            let free = self.window_is_free(lane, live) && (live || self.credit > 0);
            let Some(run) = self.run(epoch, lane) else { return true };
            if run.blocked || run.next > run.last {
                return true;
            }
            if !free || run.reading || (run.read_at.is_some() && run.held(run.next).is_none()) {
                return false;
            }
            let (seq, have_context) = (run.next, run.told_context);
            if let Some(held) = run.held(seq) {
                if held.claim.is_some_and(|claim| !claim.kept || claim.freeing) {
                    return false;
                }
                let (context, from_ms, frame) = (held.context, held.from_ms, Arc::clone(&held.frame));
                let context_frame = run.context(context);
                self.send_batch(now, (epoch, lane), (seq, context, from_ms), frame, context_frame);
            } else if run.spooled_last >= seq {
                run.reading = true;
                self.ask_spool(SpoolRequest::Read { epoch, lane, from: seq, have_context });
                return false;
            } else {
                let before = run.first_held_from(seq);
                let to = before.map_or(run.last, |first| first - 1);
                let to_ms = before.and_then(|seq| run.held(seq)).map_or(0, |held| held.from_ms);
                self.send_gap(now, (epoch, lane), to, to_ms);
            }
        }
    }

    fn window_is_free(&self, lane: Lane, live: bool) -> bool {
        let counted = |run: &&Run| run.lane == lane && (live || Some(run.epoch) != self.current);
        let (mut count, mut bytes) = (0, 0);
        for flight in self.runs.iter().filter(counted).flat_map(|run| &run.in_flight) {
            count += 1;
            bytes += flight.bytes;
        }
        if lane == Lane::P0 {
            return count < self.settings.report_window_batches && bytes < self.settings.report_window_bytes;
        }
        let part = if live { 1 } else { 2 };
        count < self.settings.window_batches / part && bytes < self.settings.window_bytes / part as u64
    }

    /// The spool could not be read now: nothing is given up, the epoch waits.
    pub(super) fn unread(&mut self, now: Moment, (epoch, lane): (Epoch, Lane), from: u64, trouble: Trouble) {
        if self.spooling.read_trouble.as_ref() != Some(&trouble) {
            self.spooling.read_trouble = Some(trouble.clone());
            self.note(Note::SpoolUnread { trouble });
        }
        let again_at = now.steady + READ_AGAIN;
        if !self.unread_for_move((epoch, lane), from, again_at)
            && let Some(run) = self.run(epoch, lane)
        {
            run.reading = false;
            run.read_at = Some(again_at);
        }
    }

    /// The spool's answer to a read.
    pub(super) fn found(&mut self, now: Moment, (epoch, lane): (Epoch, Lane), from: u64, found: Option<Found>) {
        self.spooling.read_trouble = None;
        if self.found_for_move((epoch, lane), from, found.as_ref()) {
            return;
        }
        let open = self.is_open();
        let Some(run) = self.run(epoch, lane) else { return };
        run.reading = false;
        if !open || run.blocked || run.next != from {
            return;
        }
        let Some(Found { batch, context_frame }) = found else {
            run.spooled_last = from - 1;
            return;
        };
        let in_memory = run.first_held_from(from).filter(|first| *first < batch.seq);
        let next = in_memory.unwrap_or(batch.seq);
        if next > from {
            #[cfg(feature = "planted")]
            if lane == Lane::P1 && self.skips_gap(epoch, from, next) {
                return;
            }
            self.send_gap(now, (epoch, lane), next - 1, batch.from_ms);
        }
        if in_memory.is_none() {
            let place = (batch.seq, batch.context, batch.from_ms);
            self.send_batch(now, (epoch, lane), place, batch.frame, context_frame);
            #[cfg(feature = "planted")]
            if self.planted(super::Planted::SpoolDroppedWhenSent) {
                self.ask_spool(SpoolRequest::Acked { epoch, lane, seq: batch.seq });
            }
        }
    }

    fn send_batch(
        &mut self,
        now: Moment,
        (epoch, lane): (Epoch, Lane),
        (seq, context, from_ms): (u64, u32, i64),
        frame: Arc<[u8]>,
        context_frame: Option<Arc<[u8]>>,
    ) {
        let Some(run) = self.run(epoch, lane) else { return };
        let told = run.told_context == context;
        if run.lost_context == Some(context) || (!told && context_frame.is_none()) {
            self.own.drop_batches(DropReason::ContextLost, 1);
            self.note(Note::ContextLost { epoch, context });
            if let Some(run) = self.run(epoch, lane) {
                run.lost_seq = seq;
            }
            self.send_gap(now, (epoch, lane), seq, from_ms);
            return;
        }
        run.told_context = context;
        if let (false, Some(context_frame)) = (told, context_frame) {
            self.spend((epoch, lane), context_frame.len());
            self.send(Channel::Lane(lane), context_frame);
        }
        self.spend((epoch, lane), frame.len());
        self.in_flight(now, (epoch, lane), InFlight { to: seq, bytes: frame.len() as u64, batch: true });
        self.send(Channel::Lane(lane), frame);
    }

    /// Names the seqs from the next one to `to` as missing.
    fn send_gap(&mut self, now: Moment, (epoch, lane): (Epoch, Lane), to: u64, to_ms: i64) {
        #[cfg(feature = "planted")]
        if lane == Lane::P1
            && self.planted(super::Planted::GapRememberedInsteadOfComputed)
            && self.skips_unremembered(epoch, to)
        {
            return;
        }
        let dropped = self.own.dropped_batches(DropReason::SpoolFull) + self.own.dropped_batches(DropReason::QueueFull);
        let Some(run) = self.run(epoch, lane) else { return };
        let (seq, reason, from_ms) = (run.next, run.gap_reason(to, dropped > 0), run.gap_from_ms());
        let gap = Gap { to, reason, from_ms, to_ms };
        match frame::encode(&Frame::gap(lane, epoch, seq, gap)) {
            Ok(bytes) => {
                self.own.gaps.add(1);
                self.in_flight(now, (epoch, lane), InFlight { to, bytes: bytes.len() as u64, batch: false });
                self.send(Channel::Lane(lane), bytes.into());
            }
            Err(error) => self.note(Note::Unencodable { why: error.to_string() }),
        }
    }

    fn in_flight(&mut self, now: Moment, (epoch, lane): (Epoch, Lane), flight: InFlight) {
        let quiet = self.runs.iter().all(|run| run.in_flight.is_empty());
        if let (true, Link::Open { progress_at }) = (quiet, &mut self.link) {
            *progress_at = now.steady;
        }
        if let Some(run) = self.run(epoch, lane) {
            run.next = flight.to + 1;
            run.in_flight.push_back(flight);
        }
    }

    /// Backlog of rows costs what live ones earned.
    fn spend(&mut self, (epoch, lane): (Epoch, Lane), bytes: usize) {
        if lane == Lane::P1 && Some(epoch) != self.current {
            self.credit = self.credit.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn send(&mut self, on: Channel, bytes: Arc<[u8]>) {
        self.own.sent_bytes.add(bytes.len() as u64);
        self.effects.push(Effect::Send { on, bytes });
    }

    pub(super) fn ack(&mut self, now: Moment, ack: Ack) {
        if ack.lane == Lane::P2 {
            return self.log_ack(now, ack);
        }
        let Some(run) = self.run(ack.epoch, ack.lane) else { return };
        if run.blocked {
            return;
        }
        if ack.seq > run.last_told() {
            // Either this machine has a double or its past is another: hello settles which.
            let random = (self.random)();
            let delay = self.backoff.next(random);
            self.hang_up(now, delay);
            return;
        }
        if ack.seq <= run.acked {
            if !run.in_flight.is_empty() && run.repeated_ack.is_none() {
                run.repeated_ack = Some((run.acked, now.steady + REWIND_AFTER));
            }
            return;
        }
        let mut done = Vec::new();
        let settled = run.ack(ack.seq, &mut done);
        run.repeated_ack = None;
        self.handed_done(done);
        if let Link::Open { progress_at } = &mut self.link {
            *progress_at = now.steady;
        }
        self.own.acked_batches.add(settled);
        self.own.last_ack_ms.set(now.wall.millis());
        self.tell_spool_acked(ack.epoch, ack.lane);
    }

    /// A repeated ack that was followed by no progress: the collector discards until the seq after it comes again.
    fn rewind_where_told(&mut self, now: Moment) {
        for run in &mut self.runs {
            let Some((at, due)) = run.repeated_ack else { continue };
            if run.acked != at || run.in_flight.is_empty() {
                run.repeated_ack = None;
            } else if now.steady >= due {
                run.rewind();
            }
        }
    }

    /// Rule 17: the collector lacks a context and discards until it comes, followed by what is after the mark.
    pub(super) fn need_context(&mut self, need: NeedContext) {
        self.own.context_requests.add(1);
        let Some(run) = self.run(need.epoch, Lane::P1) else { return };
        if run.blocked {
            return;
        }
        let place = (need.context, run.acked.max(need.mark));
        let asks = if (run.asked_context.0, run.asked_context.1) == place { run.asked_context.2 + 1 } else { 1 };
        run.asked_context = (place.0, place.1, asks);
        if asks > CONTEXT_ASKS_MAX {
            run.lost_context = Some(need.context);
        }
        run.rewind();
    }

    /// The planted bug: only drops that this process remembers become gaps. `true`: the missing seqs are stepped over in silence.
    #[cfg(feature = "planted")]
    fn skips_unremembered(&mut self, epoch: Epoch, to: u64) -> bool {
        let Some(next) = self.run(epoch, Lane::P1).map(|run| run.next) else { return true };
        let remembered = (next..=to).all(|seq| self.remembered.contains(&(epoch, seq)));
        if !remembered && let Some(run) = self.run(epoch, Lane::P1) {
            run.next = to + 1;
        }
        !remembered
    }

    #[cfg(feature = "planted")]
    fn skips_gap(&mut self, epoch: Epoch, from: u64, next: u64) -> bool {
        if !self.planted(super::Planted::GapRememberedInsteadOfComputed) {
            return false;
        }
        (from..next).any(|seq| !self.remembered.contains(&(epoch, seq))) && self.skips_unremembered(epoch, next - 1)
    }
}
