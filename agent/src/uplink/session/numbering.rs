//! Rows to numbered batches in memory.

use std::sync::Arc;
use std::time::Duration;

use muster_common::wire::frame::Frame;
use muster_common::wire::message::{Epoch, Lane, Message, MetricBatch};

use super::super::batch::{Cut, Row};
use super::super::moment::Moment;
use super::super::reframe::reframe;
use super::run::Held;
use super::{Note, Session};
use crate::own::DropReason;

/// How long rows are gathered while there is no connection: fewer, larger batches for the spool.
const LINGER_OFFLINE: Duration = Duration::from_secs(10);
/// Contexts are framed under this until the epoch of their first batch is known.
const UNPLACED: Epoch = Epoch([0xff; 16]);

impl Session {
    pub(super) fn row(&mut self, now: Moment, row: &Row<'_>) {
        self.own.rows.add(1);
        if self.stopping.is_some() {
            return;
        }
        if self.batcher.needs_context(row, now.steady) && !self.start_context(now, row) {
            return;
        }
        if self.context.is_none() {
            self.own.drop_rows(DropReason::Unencodable, 1);
            return;
        }
        if self.batcher.is_full() {
            self.cut(now);
        }
        if self.batcher.is_full() {
            self.own.drop_rows(DropReason::NoEpoch, 1);
        } else if self.batcher.push(row, now.steady).is_err() {
            self.own.drop_rows(DropReason::Unencodable, 1);
        }
    }

    /// A context for this row's dictionary. `false`: not now, the row is dropped.
    fn start_context(&mut self, now: Moment, row: &Row<'_>) -> bool {
        if self.batcher.rows() > 0 {
            self.cut(now);
        }
        if self.batcher.rows() > 0 {
            self.own.drop_rows(DropReason::NoEpoch, 1);
            return false;
        }
        let context = match self.batcher.start_context(row, now.steady) {
            Ok(context) => context,
            Err(error) => {
                self.own.drop_rows(DropReason::Unencodable, 1);
                self.note(Note::Unencodable { why: error.to_string() });
                return false;
            }
        };
        let id = context.id;
        let mut bytes = Vec::new();
        let encoded = self.encoder.encode(&Frame::context(UNPLACED, context), &mut bytes);
        self.context = match encoded {
            Ok(_) => Some((id, bytes.into())),
            Err(error) => {
                // Said once a context, not once a row: what follows under it is dropped and counted.
                self.note(Note::Unencodable { why: error.to_string() });
                None
            }
        };
        true
    }

    /// When the rows gathered become a batch, where they may.
    pub(super) fn batch_due_at(&self) -> Option<Duration> {
        let since = self.batcher.since()?;
        self.could_number(Lane::P1).then(|| since + self.linger_now())
    }

    fn linger_now(&self) -> Duration {
        let linger = if self.is_open() { self.linger } else { LINGER_OFFLINE };
        if self.settings.interval >= linger { Duration::ZERO } else { linger }
    }

    pub(super) fn cut_if_due(&mut self, now: Moment) {
        let due = self.batcher.since().is_some_and(|since| now.steady >= since + self.linger_now());
        if due || self.batcher.is_full() || (self.stopping.is_some() && self.batcher.rows() > 0) {
            self.cut(now);
        }
    }

    /// Before a batch is numbered on a lane: whether it may be now. The first one after a lost connection asks for a new epoch.
    pub(super) fn may_begin_batch(&mut self, now: Moment, lane: Lane) -> bool {
        if self.keeping.on_next_batch {
            self.keeping.on_next_batch = false;
            self.keeping.wish(super::epochs::Wish::Backlog);
            self.open_or_extend_epochs(now);
        }
        self.may_number(lane)
    }

    /// Numbers what is gathered, where an epoch is there for it.
    fn cut(&mut self, now: Moment) {
        if !self.may_begin_batch(now, Lane::P1) {
            return;
        }
        if let Some(cut) = self.batcher.cut() {
            self.number(now, cut);
            self.bound_memory(now);
        }
    }

    fn number(&mut self, now: Moment, cut: Cut) {
        let Some((context, context_frame)) = self.context.clone() else { return };
        let Some(run) = self.current_run(Lane::P1) else { return };
        let (epoch, seq) = (run.epoch, run.last + 1);
        if seq > run.bound {
            // The second half of a batch that had to be split stands at the bound: rare, and only rows of one batch.
            self.own.drop_rows(DropReason::NoEpoch, cut.batch.scrapes.len() as u64);
            return;
        }
        let known = run.context(context).is_some();
        let (from_ms, to_ms) = (cut.from_ms, cut.to_ms);
        let frame = Frame::batch(Lane::P1, epoch, seq, Message::Metrics(cut.batch));
        let mut bytes = Vec::new();
        let encoded = self.encoder.encode(&frame, &mut bytes);
        let Message::Metrics(batch) = frame.message else { return };
        match encoded {
            Ok(_) => {}
            Err(error) if error.is_too_large() && batch.scrapes.len() > 1 => {
                self.number_halves(now, batch);
                return;
            }
            Err(error) => {
                self.own.drop_rows(DropReason::Unencodable, batch.scrapes.len() as u64);
                self.note(Note::Unencodable { why: error.to_string() });
                return;
            }
        }
        let placed = if known { None } else { reframe(&context_frame, epoch, 0) };
        let earned = i64::try_from(bytes.len()).unwrap_or(0).saturating_mul(i64::from(self.settings.backlog_rate));
        self.credit = self.credit.saturating_add(earned).min(super::CREDIT_FIRST.max(earned));
        let frame = Arc::from(bytes);
        if let Some(run) = self.current_run(Lane::P1) {
            run.contexts.extend(placed.map(|frame| (context, frame)));
            run.last = seq;
            run.ram.push_back(Held {
                seq,
                context,
                from_ms,
                to_ms,
                made_at: now.steady,
                frame,
                spooling: false,
                claim: None,
            });
            run.trim_contexts();
        }
        self.own.batches.add(1);
        self.batcher.recycle(batch);
    }

    fn number_halves(&mut self, now: Moment, mut batch: MetricBatch) {
        let second = batch.scrapes.split_off(batch.scrapes.len() / 2);
        for scrapes in [std::mem::take(&mut batch.scrapes), second] {
            let times = scrapes.iter().map(|scrape| scrape.at_ms);
            let (from_ms, to_ms) = (times.clone().min().unwrap_or(0), times.max().unwrap_or(0));
            let batch = MetricBatch { context: batch.context, scrapes, extensions: Vec::new() };
            self.number(now, Cut { batch, from_ms, to_ms });
        }
    }
}
