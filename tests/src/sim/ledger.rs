//! The account of every row: made, put into a batch, promised by an ack, kept by the agent's disk, stored.
//!
//! Rows are told apart by their value, which is unique in a world, so that clocks may lie.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use muster_common::host::HostId;
use muster_common::wire::frame::{Frame, FrameReader};
use muster_common::wire::message::{Epoch, Lane, Message};
use muster_common::wire::metrics::RowCoder;
use muster_store::{GapRecord, OWN_HOST};

use super::lines::LineLedger;
use super::reports::ReportLedger;

/// A promise that was broken, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Number of a row, unique in its world.
pub(super) type RowNumber = u64;

/// What a seq held when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Rows(Vec<RowNumber>),
    /// A gap, or rows that were sent and then given up by a gap: an ack of it promises nothing.
    Gap,
}

/// One node's stream of frames as an observer on the wire decodes it.
#[derive(Default)]
pub(super) struct Wiretap {
    frames: FrameReader,
    contexts: HashMap<(Epoch, u32), RowCoder>,
}

/// The account. See the module's page.
#[derive(Default)]
pub(super) struct Ledger {
    made: HashMap<RowNumber, HostId>,
    sent: HashMap<(HostId, Epoch), BTreeMap<u64, Sent>>,
    /// What each seq held when it was sent as rows, also where a gap gave it up later.
    rows: HashMap<(HostId, Epoch, u64), Vec<RowNumber>>,
    /// Up to which seq each epoch was acknowledged.
    acked: HashMap<(HostId, Epoch), u64>,
    /// When each row was acknowledged first.
    promised: HashMap<RowNumber, i64>,
    /// Rows that a restore of the collector may have taken with it.
    excused: BTreeSet<RowNumber>,
    /// Rows that an agent's disk has for good, by node.
    kept: HashMap<usize, BTreeSet<RowNumber>>,
    /// Under which seqs an agent's disk has had each row.
    spooled: HashMap<(HostId, Epoch, u64), Vec<RowNumber>>,
    /// Rows whose seqs were given up by a life of the agent that had them no more. Where a machine goes back to a state before a row was
    /// made, tells its collector so, and is then brought to a later state, that row is on its disk again and its seq is taken: named,
    /// and not to be prevented.
    given_up: BTreeSet<RowNumber>,
    /// The collector lost its inbox: what was stored and not acknowledged may come and be stored again.
    pub(super) marks_lost: bool,
    pub(super) lines: LineLedger,
    pub(super) reports: ReportLedger,
    next: RowNumber,
}

impl Ledger {
    pub(super) fn make(&mut self, host: HostId) -> RowNumber {
        self.next += 1;
        self.made.insert(self.next, host);
        self.next
    }

    /// Bytes that a node wrote to its lane.
    pub(super) fn on_wire(
        &mut self,
        tap: &mut Wiretap,
        (node, host): (usize, HostId),
        bytes: &[u8],
    ) -> Result<(), Violation> {
        tap.frames.push(bytes);
        loop {
            match tap.frames.next() {
                Ok(Some(frame)) => self.on_frame(&mut tap.contexts, (node, host), frame)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Violation(format!("an agent sent a frame that is none: {error}"))),
            }
        }
    }

    fn on_frame(
        &mut self,
        contexts: &mut HashMap<(Epoch, u32), RowCoder>,
        (node, host): (usize, HostId),
        frame: Frame,
    ) -> Result<(), Violation> {
        let sent = match frame.message {
            Message::Context(context) => {
                let coder = RowCoder::new(&context).map_err(|error| Violation(format!("a context is bad: {error}")))?;
                contexts.insert((frame.epoch, context.id), coder);
                return Ok(());
            }
            Message::Metrics(batch) => {
                let Some(coder) = contexts.get(&(frame.epoch, batch.context)) else {
                    return Err(Violation(format!("batch {} was sent before its context in this session", frame.seq)));
                };
                Sent::Rows(rows_of(coder, &batch.scrapes)?)
            }
            Message::Gap(gap) => {
                let run = self.sent.entry((host, frame.epoch)).or_default();
                // What a power cut took from the agent may become a gap. If the collector had it all the same, an ack may have promised it
                // before; a later one says nothing of these rows.
                for seq in frame.seq..=gap.to {
                    run.insert(seq, Sent::Gap);
                }
                self.give_up(node, host, frame.epoch, frame.seq..=gap.to);
                return Ok(());
            }
            other => return Err(Violation(format!("{other:?} on a lane"))),
        };
        if let Sent::Rows(rows) = &sent {
            self.rows.entry((host, frame.epoch, frame.seq)).or_insert_with(|| rows.clone());
        }
        let run = self.sent.entry((host, frame.epoch)).or_default();
        match run.get(&frame.seq) {
            Some(before @ Sent::Rows(_)) if *before != sent => Err(Violation(format!(
                "seq {} of epoch {:?} was sent as {before:?} and again as {sent:?} (rule 2)",
                frame.seq, frame.epoch
            ))),
            _ => {
                run.insert(frame.seq, sent);
                Ok(())
            }
        }
    }

    /// A life of the agent names as missing what its disk has not.
    fn give_up(&mut self, node: usize, host: HostId, epoch: Epoch, seqs: RangeInclusive<u64>) {
        let kept = self.kept.get(&node);
        for row in seqs.filter_map(|seq| self.spooled.get(&(host, epoch, seq))).flatten() {
            if !kept.is_some_and(|kept| kept.contains(row)) {
                self.given_up.insert(*row);
            }
        }
    }

    /// An agent's disk is given these rows under that seq.
    pub(super) fn spool(&mut self, host: HostId, batch: &SpooledRows) {
        self.spooled.insert((host, batch.epoch, batch.seq), batch.rows.clone());
    }

    /// The collector said that everything up to `seq` is committed.
    pub(super) fn on_ack(&mut self, host: HostId, epoch: Epoch, lane: Lane, seq: u64, now_ms: i64) {
        if lane == Lane::P0 {
            self.reports.on_ack(host, epoch, seq, now_ms);
        }
        if lane != Lane::P1 {
            return;
        }
        let before = self.acked.entry((host, epoch)).or_default();
        let from = *before + 1;
        *before = (*before).max(seq);
        let Some(run) = self.sent.get(&(host, epoch)) else { return };
        if from > seq {
            return;
        }
        for sent in run.range(from..=seq).map(|(_, sent)| sent) {
            if let Sent::Rows(rows) = sent {
                for row in rows {
                    self.promised.entry(*row).or_insert(now_ms);
                }
            }
        }
    }

    /// A row promised by an HTTP answer.
    pub(super) fn promise(&mut self, row: RowNumber, now_ms: i64) {
        self.promised.entry(row).or_insert(now_ms);
    }

    /// The agent's disk has these rows for good.
    pub(super) fn keep(&mut self, node: usize, rows: impl IntoIterator<Item = RowNumber>) {
        self.kept.entry(node).or_default().extend(rows);
    }

    /// The rows of a batch frame, for what goes to the spool.
    pub(super) fn kept_now(&self, node: usize) -> BTreeSet<RowNumber> {
        self.kept.get(&node).cloned().unwrap_or_default()
    }

    /// The node's disk is as it was then: only those rows are kept now.
    pub(super) fn revert(&mut self, node: usize, kept: BTreeSet<RowNumber>) {
        self.kept.insert(node, kept);
    }

    /// The collector was restored to its state of that time: later promises may be broken, by name.
    pub(super) fn restore(&mut self, image_ms: i64) {
        self.excused.extend(self.promised.iter().filter(|(_, at)| **at > image_ms).map(|(row, _)| *row));
        // Which seqs the older store has is its own word from now on.
        self.acked.clear();
        self.reports.restore(image_ms);
    }

    /// At the end, every loss is named: each seq up to its mark is stored or lies in one of these gaps, and with `once` in one alone.
    /// A row that a restore took lies in the time of a gap of the store, under the host that none has.
    pub(super) fn judge_named(
        &self,
        host: HostId,
        stored: &BTreeSet<RowNumber>,
        gaps: &[GapRecord],
        once: bool,
    ) -> Result<(), Violation> {
        let of_store = |at: i64| gaps.iter().any(|gap| gap.host == OWN_HOST && (gap.from_ms..=gap.to_ms).contains(&at));
        let own = self.promised.iter().filter(|(row, _)| self.made.get(*row) == Some(&host) && !stored.contains(*row));
        if let Some((row, at)) = own.into_iter().find(|(_, at)| !of_store(**at)) {
            return Err(Violation(format!(
                "row {row}, acknowledged at {at}, is gone and no restore is told for that time"
            )));
        }
        for ((of, epoch), mark) in self.acked.iter().filter(|((of, _), _)| *of == host) {
            let Some(run) = self.sent.get(&(*of, *epoch)) else { continue };
            let named: Vec<(u64, u64)> = gaps
                .iter()
                .filter(|gap| gap.host == host && gap.epoch == *epoch && gap.lane == Lane::P1)
                .map(|gap| (gap.from, gap.to))
                .collect();
            for seq in run.range(..=*mark).map(|(seq, _)| *seq) {
                let times = named.iter().filter(|(from, to)| (*from..=*to).contains(&seq)).count();
                let is_stored = || {
                    let rows = self.rows.get(&(host, *epoch, seq));
                    rows.is_some_and(|rows| rows.iter().all(|row| stored.contains(row) || self.excused.contains(row)))
                };
                if times == 0 && !is_stored() {
                    return Err(Violation(format!(
                        "seq {seq} of epoch {epoch:?} is neither stored nor named by a gap"
                    )));
                }
                if once && times > 1 {
                    return Err(Violation(format!("seq {seq} of epoch {epoch:?} is named by {times} gaps")));
                }
            }
        }
        Ok(())
    }

    /// Judges what the store holds of one host: `stored` are the rows found, `raw` how many samples lie there, doubles counted.
    pub(super) fn judge(
        &self,
        host: HostId,
        stored: &BTreeSet<RowNumber>,
        raw: u64,
        series: u64,
    ) -> Result<(), Violation> {
        if !self.marks_lost && raw != stored.len() as u64 * series {
            return Err(Violation(format!(
                "{} samples are stored for {} rows of {series} series: some are doubled",
                raw,
                stored.len()
            )));
        }
        for row in stored {
            if self.made.get(row) != Some(&host) {
                return Err(Violation(format!("row {row} is stored under host {host}, which did not make it")));
            }
        }
        let own = |row: &&RowNumber| self.made.get(*row) == Some(&host) && !self.excused.contains(*row);
        let lost: Vec<_> = self.promised.keys().filter(own).filter(|row| !stored.contains(*row)).collect();
        if lost.is_empty() { Ok(()) } else { Err(Violation(format!("acknowledged rows are gone: {lost:?}"))) }
    }

    /// At the end: what a live node's disk had for good, and everything that a node without a crash made, is stored.
    pub(super) fn judge_delivered(
        &self,
        host: HostId,
        node: usize,
        crashed: bool,
        stored: &BTreeSet<RowNumber>,
    ) -> Result<(), Violation> {
        let own = |row: &&RowNumber| {
            self.made.get(*row) == Some(&host) && !self.excused.contains(*row) && !self.given_up.contains(*row)
        };
        let kept = self.kept.get(&node).into_iter().flatten();
        let mut wanted: BTreeSet<RowNumber> = kept.filter(own).copied().collect();
        if !crashed {
            wanted.extend(self.made.keys().filter(own));
        }
        let missing: Vec<_> = wanted.difference(stored).take(10).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Violation(format!("rows {missing:?} were on the agent's disk (or never in danger) and did not arrive")))
    }
}

/// The row numbers of a batch: the value of its first series.
fn rows_of(coder: &RowCoder, scrapes: &[muster_common::wire::message::Scrape]) -> Result<Vec<RowNumber>, Violation> {
    let mut rows = Vec::with_capacity(scrapes.len());
    for scrape in scrapes {
        let mut values = Vec::new();
        coder.decode(scrape, &mut values).map_err(|error| Violation(format!("a scrape is bad: {error}")))?;
        let first = values.first().ok_or_else(|| Violation("a scrape without values".to_owned()))?;
        rows.push(*first as RowNumber);
    }
    Ok(rows)
}

/// The rows of a batch that a disk is given.
pub(super) struct SpooledRows {
    epoch: Epoch,
    seq: u64,
    pub(super) rows: Vec<RowNumber>,
}

/// The rows in the bytes of one batch frame, decoded against the context frame that goes with it. `None`: it is no batch of rows.
pub(super) fn rows_in(
    context: Option<&[u8]>,
    frame: &[u8],
    tap: &mut Wiretap,
) -> Result<Option<SpooledRows>, Violation> {
    for bytes in context.into_iter().chain([frame]) {
        tap.frames.push(bytes);
        while let Some(frame) =
            tap.frames.next().map_err(|error| Violation(format!("a spooled frame is bad: {error}")))?
        {
            match frame.message {
                Message::Context(context) => {
                    let coder = RowCoder::new(&context).map_err(|error| Violation(error.to_string()))?;
                    tap.contexts.insert((frame.epoch, context.id), coder);
                }
                Message::Metrics(batch) => {
                    let coder = tap.contexts.get(&(frame.epoch, batch.context));
                    let coder = coder.ok_or_else(|| Violation("a batch was spooled without its context".to_owned()))?;
                    let rows = rows_of(coder, &batch.scrapes)?;
                    return Ok(Some(SpooledRows { epoch: frame.epoch, seq: frame.seq, rows }));
                }
                _ => {}
            }
        }
    }
    Ok(None)
}
