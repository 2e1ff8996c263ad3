//! Lane p2: lines of log files, whose position decides (rules 11 to 14).
//!
//! The files are the buffer. So what is unacked lives in the window alone and never goes to the spool: when the connection is lost, or the
//! collector says that a batch does not continue what it has, the window is dropped and the reader goes back to the committed positions. Seqs
//! only acknowledge; what was given out under them once is never given out again, since lines then go on in a new epoch.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::message::{Ack, Epoch, Lane, Message, Position, Positions, Problem, Problems, SourceId};

use super::super::moment::Moment;
use super::super::reframe::reframe;
use super::epochs::Wish;
use super::link::Link;
use super::{Channel, Effect, Session};

/// Batches and bytes that may be unacked: four full frames keep a line of 20 ms busy, and a crash reads that much again.
const WINDOW_BATCHES: usize = 16;
const WINDOW_BYTES: u64 = 1 << 20;
/// A repeated ack without progress for this long means that the collector discards what follows.
const REWIND_AFTER: Duration = Duration::from_secs(2);
/// Parts that a batch is handed out in again when the collector cannot read it: sixteen times smaller each time, so that one bad line of
/// 100,000 stands alone after five refusals and takes no neighbours with it.
const PARTS: u64 = 16;
/// A line refused this often in a row is given up: once may be a fault on the way, and each try costs an epoch and the window behind it.
const REFUSALS_MAX: u32 = 3;
/// After a refusal nothing is sent for so long, doubled with each in a row: whatever is refused, it never turns in a tight loop.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Problems that are told: more than a person reads.
const PROBLEMS_MAX: usize = 1_000;

/// A batch of lines as a whole frame of lane p2, under any epoch and seq: the session gives it its place.
#[derive(Clone, Debug)]
pub struct LogFrame {
    pub frame: Arc<[u8]>,
    /// How far each source is with it.
    pub ends: Vec<(SourceId, u64)>,
    pub lines: u64,
}

/// What the reader of the files is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOrder {
    /// The answer to hello: every position that the collector has of this host.
    SeekAll(Vec<Position>),
    /// As [`LogOrder::SeekAll`], by another store than the one that answered before, or one that was restored: these positions alone say
    /// what it has.
    SeekAnew(Vec<Position>),
    /// These sources stand there; all others go back to what is acked.
    SeekSome(Vec<Position>),
    /// The collector has these sources that far.
    Acked(Vec<(SourceId, u64)>),
    /// From now on a batch has at most so many lines; `None`: as many as it takes.
    Parts(Option<u64>),
    /// The collector cannot take these sources' lines up to here: they are skipped, by ranges that say so, after the seek that follows.
    GiveUp(Vec<(SourceId, u64)>),
}

/// What is done about lines that the collector cannot read (rule 7).
#[derive(Debug, Default)]
struct Refusals {
    /// Without an ack between them.
    in_a_row: u32,
    /// Of the line that stands alone.
    of_line: u32,
    /// Batches are small until this end, of the first one refused, is acknowledged.
    until: Option<(SourceId, u64)>,
    /// Nothing is sent before.
    pause_until: Option<Duration>,
}

#[derive(Debug, Default)]
enum Stage {
    /// No positions are known: nothing may be sent.
    #[default]
    Closed,
    /// The answer to hello comes in pages.
    Paging {
        left: u32,
        positions: Vec<Position>,
    },
    Open,
}

#[derive(Debug)]
struct Sent {
    epoch: Epoch,
    seq: u64,
    bytes: u64,
    lines: u64,
    ends: Vec<(SourceId, u64)>,
    #[cfg(feature = "planted")]
    frame: Arc<[u8]>,
}

/// Where the lane stands.
#[derive(Debug, Default)]
pub(super) struct Logs {
    stage: Stage,
    /// The epoch that lines were numbered in last, and the last seq of it.
    at: Option<(Epoch, u64)>,
    /// In this epoch no line is numbered any more: seqs of it were given out for lines that go again.
    stale: Option<Epoch>,
    /// Given when it could not be numbered: a step of the clock, or a hold, came between the question and the batch.
    waiting: VecDeque<LogFrame>,
    unacked: VecDeque<Sent>,
    bytes: u64,
    repeated: Option<Duration>,
    /// Another store answered, and the reader does not know yet.
    is_other_store: bool,
    refusals: Refusals,
    problems: Vec<Problem>,
    #[cfg(feature = "planted")]
    left: Vec<Arc<[u8]>>,
}

impl Logs {
    pub(super) fn is_waiting(&self) -> bool {
        !self.unacked.is_empty()
    }

    pub(super) fn is_stale(&self, epoch: Epoch) -> bool {
        self.stale == Some(epoch)
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.repeated.into_iter().chain(self.refusals.pause_until).min()
    }

    /// The highest seq given out in this epoch, as hello tells it.
    pub(super) fn last_seq(&self, epoch: Epoch) -> u64 {
        self.at.filter(|(at, _)| *at == epoch).map_or(0, |(_, seq)| seq)
    }

    /// Everything unacked goes again, in another epoch.
    fn drop_window(&mut self) {
        self.unacked.clear();
        self.waiting.clear();
        (self.bytes, self.repeated) = (0, None);
        self.stale = self.at.map(|(epoch, _)| epoch).or(self.stale);
    }

    pub(super) fn leave(&mut self) {
        self.stage = Stage::Closed;
        #[cfg(feature = "planted")]
        self.left.extend(self.unacked.iter().map(|sent| Arc::clone(&sent.frame)));
        self.drop_window();
    }
}

impl Session {
    /// Whether a [`super::Input::Logs`] would be taken now.
    pub fn takes_logs(&self, now: Moment) -> bool {
        self.logs.waiting.is_empty() && self.can_send_logs(now)
    }

    fn can_send_logs(&self, now: Moment) -> bool {
        let Logs { stage, unacked, bytes, .. } = &self.logs;
        let has_room = unacked.len() < WINDOW_BATCHES && *bytes < WINDOW_BYTES;
        let may_number = self.current.is_some_and(|epoch| !self.logs.is_stale(epoch))
            && !self.keeping.is_opening()
            && !self.keeping.last_table;
        matches!(stage, Stage::Open) && has_room && may_number && !self.rests_logs(now)
    }

    /// Whether lines are taken neither now nor soon: there is no connection, or the collector asks for a pause.
    pub fn rests_logs(&self, now: Moment) -> bool {
        let hold_until = self.hold_until.max(self.logs.refusals.pause_until.unwrap_or_default());
        !matches!(self.logs.stage, Stage::Open) || now.steady < hold_until || self.is_stopping()
    }

    /// Numbers and sends a batch, now or as soon as that can be. One that comes while no positions are known was made for a connection that
    /// is gone: its lines are read again.
    pub(super) fn log_batch(&mut self, now: Moment, batch: LogFrame) {
        if matches!(self.logs.stage, Stage::Open) {
            self.logs.waiting.push_back(batch);
            self.send_logs(now);
        }
    }

    fn send_logs(&mut self, now: Moment) {
        while self.can_send_logs(now)
            && let Some(batch) = self.logs.waiting.pop_front()
        {
            self.send_log_batch(now, batch);
        }
    }

    fn send_log_batch(&mut self, now: Moment, batch: LogFrame) {
        let Some(epoch) = self.current else { return };
        let seq = self.logs.last_seq(epoch) + 1;
        let Some(frame) = reframe(&batch.frame, epoch, seq) else { return };
        let bytes = frame.len() as u64;
        let quiet = self.runs.iter().all(|run| run.in_flight.is_empty()) && !self.logs.is_waiting();
        if let (true, Link::Open { progress_at }) = (quiet, &mut self.link) {
            *progress_at = now.steady;
        }
        self.logs.at = Some((epoch, seq));
        self.logs.bytes += bytes;
        self.logs.unacked.push_back(Sent {
            epoch,
            seq,
            bytes,
            lines: batch.lines,
            ends: batch.ends,
            #[cfg(feature = "planted")]
            frame: Arc::clone(&frame),
        });
        self.own.log_batches.add(1);
        self.send(Channel::Lane(Lane::P2), frame);
    }

    /// The answer to hello says how many pages of positions follow.
    pub(super) fn log_welcome(&mut self, pages: u32, is_other_store: bool) {
        self.logs.is_other_store |= is_other_store;
        if self.lanes & (1 << Lane::P2 as u8) == 0 {
            return;
        }
        self.logs.stage = Stage::Paging { left: pages, positions: Vec::new() };
        self.log_paged();
        if !self.logs.problems.is_empty() {
            self.tell_problems();
        }
    }

    pub(super) fn positions(&mut self, now: Moment, page: Positions) {
        match &mut self.logs.stage {
            Stage::Closed => {}
            Stage::Paging { left, positions } => {
                *left = left.saturating_sub(1);
                positions.extend(page.positions);
                self.log_paged();
            }
            Stage::Open if page.page == Positions::REFUSED => self.refused_logs(now),
            // A batch did not continue what the collector has.
            Stage::Open => self.rewind_logs(page.positions),
        }
    }

    fn log_paged(&mut self) {
        if let Stage::Paging { left: 0, positions } = &mut self.logs.stage {
            let positions = std::mem::take(positions);
            self.logs.stage = Stage::Open;
            let is_other_store = std::mem::take(&mut self.logs.is_other_store);
            let order = if is_other_store { LogOrder::SeekAnew } else { LogOrder::SeekAll };
            self.effects.push(Effect::Logs(order(positions)));
            #[cfg(feature = "planted")]
            for frame in std::mem::take(&mut self.logs.left) {
                if self.planted(super::Planted::LinesResentAndReread) {
                    self.send(Channel::Lane(Lane::P2), frame);
                }
            }
        }
    }

    /// The collector cannot read the first unacked batch, not even which ranges it has: it goes again in smaller parts, and a line that is
    /// refused by itself is given up.
    fn refused_logs(&mut self, now: Moment) {
        self.own.log_refusals.add(1);
        let refusals = &mut self.logs.refusals;
        let pause = REFUSED_PAUSE * 2_u32.saturating_pow(refusals.in_a_row);
        refusals.pause_until = Some(now.steady + pause.min(REFUSED_PAUSE_MAX));
        refusals.in_a_row += 1;
        if let Some(refused) = self.logs.unacked.front() {
            if refused.lines > 1 {
                let parts = refused.lines.div_ceil(PARTS);
                refusals.of_line = 0;
                if refusals.until.is_none() {
                    refusals.until = refused.ends.last().cloned();
                }
                self.effects.push(Effect::Logs(LogOrder::Parts(Some(parts))));
            } else {
                refusals.of_line += 1;
                if refusals.of_line >= REFUSALS_MAX {
                    refusals.of_line = 0;
                    self.effects.push(Effect::Logs(LogOrder::GiveUp(refused.ends.clone())));
                }
            }
        }
        self.rewind_logs(Vec::new());
    }

    /// Batches may be large again when the one that was refused is behind.
    fn accepted_logs(&mut self, ends: &[(SourceId, u64)]) {
        let refusals = &mut self.logs.refusals;
        (refusals.in_a_row, refusals.of_line) = (0, 0);
        let is_past = |(source, end): &(SourceId, u64)| ends.iter().any(|(of, to)| of == source && to >= end);
        if refusals.until.as_ref().is_some_and(is_past) {
            refusals.until = None;
            self.effects.push(Effect::Logs(LogOrder::Parts(None)));
        }
    }

    fn rewind_logs(&mut self, positions: Vec<Position>) {
        self.own.log_rewinds.add(1);
        self.logs.drop_window();
        self.effects.push(Effect::Logs(LogOrder::SeekSome(positions)));
    }

    pub(super) fn log_ack(&mut self, now: Moment, ack: Ack) {
        let logs = &mut self.logs;
        if logs.at.is_some_and(|(epoch, last)| epoch == ack.epoch && ack.seq > last) {
            // Another life of this machine used the epoch: what it sent is judged by its position.
            self.rewind_logs(Vec::new());
            return;
        }
        let mut ends = Vec::new();
        while let Some(sent) = logs.unacked.pop_front_if(|sent| sent.epoch == ack.epoch && sent.seq <= ack.seq) {
            logs.bytes -= sent.bytes;
            ends.extend(sent.ends);
        }
        if ends.is_empty() {
            let waits = logs.unacked.front().is_some_and(|sent| sent.epoch == ack.epoch);
            if waits {
                logs.repeated.get_or_insert(now.steady + REWIND_AFTER);
            }
            return;
        }
        logs.repeated = None;
        self.accepted_logs(&ends);
        if let Link::Open { progress_at } = &mut self.link {
            *progress_at = now.steady;
        }
        self.own.last_ack_ms.set(now.wall.millis());
        self.effects.push(Effect::Logs(LogOrder::Acked(ends)));
    }

    /// What time makes due, and the epoch that lines wait for.
    pub(super) fn logs_on(&mut self, now: Moment) {
        self.logs.refusals.pause_until.take_if(|until| now.steady >= *until);
        if self.logs.repeated.is_some_and(|due| now.steady >= due) {
            self.rewind_logs(Vec::new());
        }
        let connected = matches!(self.link, Link::Greeting { .. } | Link::Open { .. });
        if connected && self.current.is_some_and(|epoch| self.logs.is_stale(epoch)) && self.has_room_for_epochs() {
            self.keeping.wish(Wish::Backlog);
        }
        self.send_logs(now);
    }

    /// The set of present problems has changed, or was told to no one yet.
    pub(super) fn problems(&mut self, mut problems: Vec<Problem>) {
        problems.truncate(PROBLEMS_MAX);
        if problems != self.logs.problems {
            self.logs.problems = problems;
            if self.is_open() {
                self.tell_problems();
            }
        }
    }

    fn tell_problems(&mut self) {
        let problems = self.logs.problems.clone();
        self.control(Message::Problems(Problems { problems, extensions: Vec::new() }));
    }
}
