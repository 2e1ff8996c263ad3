//! What the store answers, and what the agent is told of it: acks after commits, holds after failures.

use std::time::Duration;

use muster_common::time::Timestamp;
use muster_common::wire::message::{Ack, Epoch, Lane, Message, Positions, Throttle};
use muster_store::{Append, Outcome, PositionRow};

use super::lane::Track;
use super::machine::{Session, Stage};
use super::message::Effect;
use super::outstanding::Kind;
use super::positions::pages;
use crate::counters::Count;

impl Session {
    pub(super) fn settled(&mut self, now: Timestamp, token: u64, outcome: Outcome, append: Option<Append>) {
        if let (Outcome::NotNext { .. }, Some(append)) = (&outcome, append)
            && self.outstanding.stands_behind_failure(token)
        {
            self.failed(now, token, append, None);
            return;
        }
        let Some(pending) = self.outstanding.take(token) else { return };
        let key = (pending.epoch, pending.lane);
        let counters = self.shared.counters.clone();
        if pending.kind == Kind::UnreadLines {
            self.told_unread(&outcome);
            self.plan_retry(now);
            return;
        }
        match outcome {
            Outcome::Committed { .. } | Outcome::RepeatedBody => {
                self.count_committed(pending.kind);
                self.advance(key, pending.to);
                if self.outstanding.succeeded() {
                    self.send(Message::Throttle(self.shared.throttle));
                }
            }
            Outcome::Repeat { mark } => {
                counters.one(Count::BatchesRepeated);
                self.advance(key, mark);
            }
            // The files still have these lines: they go on in an epoch that is known, and no loss is to be named.
            Outcome::Expired { .. } if matches!(pending.kind, Kind::Lines { .. } | Kind::RefusedLines { .. }) => {
                counters.one(Count::BatchesExpired);
                self.misplaced(key, &[]);
            }
            Outcome::Expired { .. } if pending.kind != Kind::Expired => self.expire(now, &pending),
            Outcome::Expired { .. } => self.advance(key, pending.to),
            Outcome::Misplaced { positions, .. } => {
                counters.one(Count::BatchesMisplaced);
                self.misplaced(key, &positions);
            }
            Outcome::NotNext { mark } => {
                counters.one(Count::BatchesOutOfOrder);
                let track = self.tracks.entry(key).or_insert_with(Track::unknown);
                if track.is_closed() {
                    // It came behind a batch that did not fit.
                    self.plan_retry(now);
                    return;
                }
                let told = track.discarding().is_some() && track.mark == mark;
                track.reset(mark, now);
                if !told {
                    self.ack(key, mark);
                }
            }
        }
        self.plan_retry(now);
    }

    fn count_committed(&self, kind: Kind) {
        let counters = &self.shared.counters;
        match kind {
            Kind::Batch { samples } => {
                counters.one(Count::BatchesCommitted);
                counters.add(Count::Samples, samples);
            }
            Kind::Reports { samples, reports } => {
                counters.one(Count::BatchesCommitted);
                counters.add(Count::Samples, samples);
                counters.add(Count::Reports, reports);
            }
            Kind::Lines { lines, skips } => {
                counters.one(Count::BatchesCommitted);
                counters.add(Count::Lines, lines);
                counters.add(Count::LogSkips, skips);
            }
            Kind::Gap => counters.one(Count::GapsCommitted),
            Kind::Refusal | Kind::UnreadLines => counters.one(Count::BatchesRefused),
            Kind::RefusedLines { ranges } => {
                counters.one(Count::BatchesRefused);
                counters.add(Count::LogSkips, ranges);
            }
            Kind::Expired => counters.one(Count::BatchesExpired),
        }
    }

    /// The agent goes back to what is acknowledged, in another epoch. Only where the refusal stands does it count as one: else the same lines
    /// are judged again.
    fn told_unread(&mut self, outcome: &Outcome) {
        let is_refused = matches!(outcome, Outcome::Committed { .. });
        if is_refused {
            self.shared.counters.one(Count::BatchesRefused);
        }
        let page = if is_refused { Positions::REFUSED } else { 0 };
        self.send(Message::Positions(Positions { page, positions: Vec::new() }));
    }

    /// A batch does not continue what is committed of its sources: the agent is told where they stand, and what follows in this epoch
    /// is dropped. It goes on in another one (rule 13).
    fn misplaced(&mut self, key: (Epoch, Lane), positions: &[PositionRow]) {
        let track = self.tracks.entry(key).or_insert_with(Track::unknown);
        if track.is_closed() {
            return;
        }
        track.close();
        for mut page in pages(positions) {
            // Each stands for itself: unlike in the answer to hello, none is waited for.
            page.page = 0;
            self.send(Message::Positions(page));
        }
    }

    pub(super) fn failed(&mut self, now: Timestamp, token: u64, append: Append, retry_after: Option<Duration>) {
        self.outstanding.keep(token, append, retry_after);
        self.plan_retry(now);
    }

    /// Tells the agent to hold until the next try, once the store has answered everything.
    fn plan_retry(&mut self, now: Timestamp) {
        if !matches!(self.stage, Stage::Open) {
            return;
        }
        if let Some(hold) = self.outstanding.plan_retry(now) {
            let hold_ms = u32::try_from(hold.as_millis()).unwrap_or(u32::MAX);
            self.send(Message::Throttle(Throttle { linger_ms: self.shared.throttle.linger_ms, hold_ms }));
        }
    }

    fn advance(&mut self, key: (Epoch, Lane), mark: u64) {
        let track = self.tracks.entry(key).or_insert_with(Track::unknown);
        track.advance(mark);
        let mark = track.mark;
        self.outstanding.drop_waiting_up_to(key.0, key.1, mark);
        self.ack(key, mark);
    }

    /// Acks are cumulative, so one that directly follows another of its lane replaces it.
    pub(super) fn ack(&mut self, (epoch, lane): (Epoch, Lane), seq: u64) {
        let ack = Ack { epoch, lane, seq };
        match self.effects.last_mut() {
            Some(Effect::Send(Message::Ack(last))) if (last.epoch, last.lane) == (epoch, lane) => *last = ack,
            _ => self.send(Message::Ack(ack)),
        }
    }
}
