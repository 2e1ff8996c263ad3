//! Lane p0: what checks found, sent at once and in order.
//!
//! Reports wait here only until an epoch is durable, and some milliseconds so that what comes together goes together.

use std::collections::VecDeque;
use std::time::Duration;

use muster_common::limits::BATCH_REPORTS_MAX;
use muster_common::wire::frame::Frame;
use muster_common::wire::inventory::{InventoryWord, Row, Value};
use muster_common::wire::message::{Lane, Message, Report, ReportBatch};

use super::super::moment::Moment;
use super::run::Held;
use super::{Note, Session};
use crate::own::DropReason;

/// Reports that wait for an epoch, and their bytes: a disk that takes none must not fill memory.
const WAITING_MAX: usize = 1_024;
const WAITING_BYTES_MAX: usize = 1 << 20;
/// Text of one batch, well below what a frame takes even where it does not compress.
const BATCH_BYTES: usize = 192 << 10;

/// Reports without a number.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queue: VecDeque<Report>,
    bytes: usize,
    since: Option<Duration>,
}

impl Waiting {
    pub(super) fn waits(&self) -> bool {
        !self.queue.is_empty()
    }

    fn push(&mut self, now: Duration, report: Report) {
        self.bytes += bytes_of(&report);
        self.queue.push_back(report);
        self.since.get_or_insert(now);
    }

    fn pop(&mut self) -> Option<Report> {
        let report = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes_of(&report));
        if self.queue.is_empty() {
            self.since = None;
        }
        Some(report)
    }

    fn is_over(&self) -> bool {
        self.queue.len() > WAITING_MAX || self.bytes > WAITING_BYTES_MAX
    }

    /// Those of one batch. Looks at processes and inventories go apart from the others: a collector that was set back to an older version
    /// since refuses their batch, which must cost no result of a check.
    fn take(&mut self) -> Vec<Report> {
        let (mut reports, mut bytes) = (Vec::<Report>::new(), 0);
        while let Some(next) = self.queue.front() {
            bytes += bytes_of(next);
            if reports.last().is_some_and(|last| class_of(last) != class_of(next))
                || reports.len() >= BATCH_REPORTS_MAX
                || (bytes > BATCH_BYTES && !reports.is_empty())
            {
                break;
            }
            reports.extend(self.pop());
        }
        reports
    }
}

/// What travels together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// What every collector reads.
    Plain,
    Look,
    Inventory,
}

const fn class_of(report: &Report) -> Class {
    match report {
        Report::Check(_) | Report::Checks(_) | Report::Event(_) => Class::Plain,
        Report::Processes(_) => Class::Look,
        Report::Inventory(_) => Class::Inventory,
    }
}

/// What rows of an inventory take, roughly.
fn bytes_of_rows(rows: &[Row]) -> usize {
    let of = |value: &Value| if let Value::Text(text) = value { 3 + text.len() } else { 9 };
    rows.iter().map(|row| 1 + row.iter().map(of).sum::<usize>()).sum()
}

fn bytes_of_word(word: &InventoryWord) -> usize {
    match word {
        InventoryWord::Unchanged => 0,
        InventoryWord::Changed { gone, now, .. } => bytes_of_rows(gone) + bytes_of_rows(now),
        InventoryWord::Whole { rows, .. } => bytes_of_rows(rows),
        InventoryWord::Failed { problem } => problem.len(),
    }
}

/// What a report takes, roughly.
fn bytes_of(report: &Report) -> usize {
    const FIXED: usize = 128;
    FIXED
        + match report {
            Report::Check(check) => {
                let perfdata = check.perfdata.iter().map(|one| 48 + one.label.len() + one.warn.len() + one.crit.len());
                let labels = check.definition.labels.iter().map(|label| label.name.len() + label.value.len());
                check.output.len() + check.long_output.len() + perfdata.sum::<usize>() + labels.sum::<usize>()
            }
            Report::Checks(list) => list.checks.iter().map(|name| name.len() + 8).sum(),
            Report::Processes(look) => {
                let texts = look.processes.iter().map(|one| 64 + one.name.len() + one.command.len() + one.user.len());
                texts.sum::<usize>()
            }
            Report::Inventory(look) => look.tables.iter().map(|table| 24 + bytes_of_word(&table.word)).sum(),
            Report::Event(event) => {
                event.text.len() + event.fields.iter().map(|field| field.name.len() + field.value.len()).sum::<usize>()
            }
        }
}

/// When what it tells of was, ms since 1970.
fn at_ms(report: &Report) -> i64 {
    match report {
        Report::Check(check) => check.at_ms,
        Report::Checks(list) => list.at_ms,
        Report::Event(event) => event.at_ms,
        Report::Processes(look) => look.at_ms,
        Report::Inventory(look) => look.at_ms,
    }
}

impl Session {
    pub(super) fn take_reports(&mut self, now: Moment, reports: Vec<Report>) {
        for report in reports {
            let is_read = match class_of(&report) {
                Class::Plain => true,
                Class::Look => self.takes_processes,
                Class::Inventory => self.takes_inventory,
            };
            if !is_read {
                self.own.looks_unsent.add(1);
                continue;
            }
            self.own.reports.add(1);
            self.reports.push(now.steady, report);
        }
        while self.reports.is_over() && self.reports.pop().is_some() {
            self.own.drop_reports(DropReason::NoEpoch, 1);
            self.keeping.tells_loss = true;
        }
    }

    /// When the reports that wait become a batch, where they may.
    pub(super) fn reports_due_at(&self) -> Option<Duration> {
        let since = self.reports.since?;
        self.could_number(Lane::P0).then(|| since + self.settings.report_linger)
    }

    pub(super) fn cut_reports_if_due(&mut self, now: Moment) {
        let is_due = |since: Duration| self.stopping.is_some() || now.steady >= since + self.settings.report_linger;
        if !self.reports.since.is_some_and(is_due) {
            return;
        }
        while self.reports.waits() && self.may_begin_batch(now, Lane::P0) {
            let reports = self.reports.take();
            self.number_reports(now, reports);
        }
        self.bound_memory(now);
    }

    fn number_reports(&mut self, now: Moment, mut reports: Vec<Report>) {
        let Some(run) = self.current_run(Lane::P0) else { return };
        let (epoch, seq) = (run.epoch, run.last + 1);
        let count = reports.len() as u64;
        if seq > run.bound {
            // The second half of a batch that had to be split stands at the bound.
            self.own.drop_reports(DropReason::NoEpoch, count);
            return;
        }
        let times = || reports.iter().map(at_ms);
        let (from_ms, to_ms) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        let batch = ReportBatch { reports: std::mem::take(&mut reports), extensions: Vec::new() };
        let frame = Frame::batch(Lane::P0, epoch, seq, Message::Reports(batch));
        let mut bytes = Vec::new();
        match self.encoder.encode(&frame, &mut bytes) {
            Ok(_) => {
                let held = Held {
                    seq,
                    context: 0,
                    from_ms,
                    to_ms,
                    made_at: now.steady,
                    frame: bytes.into(),
                    spooling: false,
                    claim: None,
                };
                self.hold_report(held);
            }
            Err(error) if error.is_too_large() && count > 1 => {
                if let Message::Reports(mut batch) = frame.message {
                    let second = batch.reports.split_off(batch.reports.len() / 2);
                    self.number_reports(now, batch.reports);
                    self.number_reports(now, second);
                }
            }
            Err(error) => {
                // What is wrong with one costs none of the others.
                if let (Message::Reports(batch), true) = (frame.message, count > 1) {
                    batch.reports.into_iter().for_each(|report| self.number_reports(now, vec![report]));
                    return;
                }
                self.own.drop_reports(DropReason::Unencodable, count);
                self.note(Note::Unencodable { why: error.to_string() });
            }
        }
    }

    /// The next batch of the epoch being written.
    pub(super) fn hold_report(&mut self, held: Held) {
        self.own.report_batches.add(1);
        if let Some(run) = self.current_run(Lane::P0) {
            run.last = held.seq;
            run.ram.push_back(held);
        }
    }

    /// The process ends, and no epoch was there for these.
    pub(super) fn drop_waiting_reports(&mut self) {
        let left = std::mem::take(&mut self.reports).queue.len() as u64;
        self.own.drop_reports(DropReason::NoEpoch, left);
    }
}
