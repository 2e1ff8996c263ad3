//! The account of results of checks: each applied once and in order, lost only where that is named.
//!
//! A result says which it is by its one number, so that the account needs no memory of what was sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::host::HostId;
use muster_common::matcher::Matcher;
use muster_common::wire::frame::FrameReader;
use muster_common::wire::message::{CheckDefinition, CheckReport, Epoch, Lane, Message, Perfdata, Report};
use muster_common::wire::record::decode_report;
use muster_store::{GapRecord, ReportRecord, Select, View};

use super::ledger::Violation;

const PERFDATA: &str = "muster_check_perfdata";

/// What a seq of lane p0 carried; empty: a gap.
type Sent = Vec<u64>;

/// The account.
#[derive(Default)]
pub(super) struct ReportLedger {
    made: BTreeMap<u64, (HostId, usize)>,
    sent: HashMap<(HostId, Epoch), BTreeMap<u64, Sent>>,
    acked: HashMap<(HostId, Epoch), u64>,
    /// When each was acknowledged first.
    promised: BTreeMap<u64, i64>,
    /// Those that a restore of the collector may have taken with it.
    excused: BTreeSet<u64>,
    /// The one that was applied last, of each host's machine.
    applied: HashMap<(HostId, usize), u64>,
}

/// How a world's results are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// The collector's marks were lost: what was stored may come again.
    pub(super) marks_lost: bool,
    /// No machine and no collector went back in time.
    pub(super) in_order: bool,
}

impl ReportLedger {
    /// A result of a machine's check.
    pub(super) fn make(&mut self, host: HostId, node: usize, at_ms: i64) -> Report {
        let number = self.made.len() as u64 + 1;
        self.made.insert(number, (host, node));
        let none = String::new;
        let perfdata = Perfdata {
            label: "number".to_owned(),
            value: number as f64,
            unit: none(),
            warn: none(),
            crit: none(),
            min: f64::NAN,
            max: f64::NAN,
        };
        let definition = CheckDefinition { kind: 1, interval_ms: 1_000, ..CheckDefinition::default() };
        Report::Check(CheckReport {
            at_ms,
            check: format!("of machine {node}"),
            state: (number % 4) as u8,
            output: none(),
            long_output: none(),
            perfdata: vec![perfdata],
            duration_ms: 1,
            definition,
        })
    }

    /// Bytes that a node wrote to lane p0.
    pub(super) fn on_wire(&mut self, host: HostId, bytes: &[u8]) -> Result<(), Violation> {
        let mut frames = FrameReader::new();
        frames.push(bytes);
        let frame = frames.next().map_err(|error| Violation(format!("an agent sent a frame that is none: {error}")))?;
        let Some(frame) = frame else { return Err(Violation("an agent sent half a frame".to_owned())) };
        let run = self.sent.entry((host, frame.epoch)).or_default();
        match frame.message {
            Message::Gap(gap) => {
                for seq in frame.seq..=gap.to {
                    run.insert(seq, Vec::new());
                }
            }
            Message::Reports(batch) => {
                let numbers: Sent = batch.reports.iter().filter_map(number_of).collect();
                let before = run.insert(frame.seq, numbers.clone());
                if before.as_ref().is_some_and(|before| !before.is_empty() && *before != numbers) {
                    let (seq, epoch) = (frame.seq, frame.epoch);
                    return Err(Violation(format!(
                        "seq {seq} of p0 of epoch {epoch:?} was sent as {before:?} and again as {numbers:?} (rule 2)"
                    )));
                }
            }
            other => return Err(Violation(format!("{other:?} on lane p0"))),
        }
        Ok(())
    }

    /// The collector said that everything up to `seq` is committed.
    pub(super) fn on_ack(&mut self, host: HostId, epoch: Epoch, seq: u64, now_ms: i64) {
        let before = self.acked.entry((host, epoch)).or_default();
        let from = *before + 1;
        *before = (*before).max(seq);
        if from > seq {
            return;
        }
        let run = self.sent.get(&(host, epoch));
        for number in run.into_iter().flat_map(|run| run.range(from..=seq)).flat_map(|(_, numbers)| numbers) {
            self.promised.entry(*number).or_insert(now_ms);
        }
    }

    /// The collector was restored to its state of that time.
    pub(super) fn restore(&mut self, image_ms: i64) {
        self.excused.extend(self.promised.iter().filter(|(_, at)| **at > image_ms).map(|(number, _)| *number));
        self.acked.clear();
    }

    /// What the collector handed to the projection, in its order.
    pub(super) fn on_applied(&mut self, applied: &[ReportRecord], how: Judged) -> Result<(), Violation> {
        for record in applied {
            let report =
                decode_report(&record.report).map_err(|error| Violation(format!("a report is bad: {error}")))?;
            let Some((number, &(host, node))) = number_of(&report).and_then(|n| Some((n, self.made.get(&n)?))) else {
                return Err(Violation(format!("a report was applied that nobody made: {report:?}")));
            };
            if host != record.host {
                return Err(Violation(format!("result {number} of host {host} was applied under {}", record.host)));
            }
            let last = self.applied.entry((host, node)).or_default();
            if how.in_order && number <= *last {
                return Err(Violation(format!("result {number} of host {host} was applied after {last}")));
            }
            *last = number;
        }
        Ok(())
    }

    /// Judges what the store holds of one host; gives the numbers.
    pub(super) fn judge(&self, host: HostId, view: &View, how: Judged) -> Result<BTreeSet<u64>, Violation> {
        let matchers = [Matcher::equal("__name__", PERFDATA), Matcher::equal("host", host.to_string())];
        let select = Select::all_times(&matchers);
        let found = view.select(&select).map_err(|error| Violation(format!("a query fails: {error:?}")))?;
        let raw = view.raw_count(&select).map_err(|error| Violation(format!("{error:?}")))?;
        let stored: BTreeSet<u64> = found.iter().flat_map(|one| &one.values).map(|value| *value as u64).collect();
        if raw != stored.len() as u64 && !how.marks_lost {
            return Err(Violation(format!("host {host}: {raw} samples are stored for {} results", stored.len())));
        }
        let own = |number: &&u64| self.made.get(*number).is_some_and(|(of, _)| *of == host);
        if let Some(foreign) = stored.iter().find(|number| !own(number)) {
            return Err(Violation(format!("result {foreign} is stored under host {host}, which did not make it")));
        }
        let gone = |number: &&u64| !stored.contains(*number) && !self.excused.contains(*number);
        match self.promised.keys().filter(own).find(gone) {
            None => Ok(stored),
            Some(number) => Err(Violation(format!("result {number} of host {host} was acknowledged and is gone"))),
        }
    }

    /// At the end: what was never in danger is stored, and each seq up to its mark is stored or named by a gap.
    pub(super) fn judge_delivered(
        &self,
        (host, node, crashed): (HostId, usize, bool),
        stored: &BTreeSet<u64>,
        gaps: &[GapRecord],
    ) -> Result<(), Violation> {
        let is_known = |number: &u64| stored.contains(number) || self.excused.contains(number);
        let missing = self.made.iter().find(|(number, of)| **of == (host, node) && !is_known(number));
        if let (false, Some((number, _))) = (crashed, missing) {
            return Err(Violation(format!("result {number} of host {host} was never in danger and did not arrive")));
        }
        for ((_, epoch), mark) in self.acked.iter().filter(|((of, _), _)| *of == host) {
            let Some(run) = self.sent.get(&(host, *epoch)) else { continue };
            let of_lane = |gap: &&GapRecord| (gap.host, gap.epoch, gap.lane) == (host, *epoch, Lane::P0);
            let named: Vec<(u64, u64)> = gaps.iter().filter(of_lane).map(|gap| (gap.from, gap.to)).collect();
            for (seq, numbers) in run.range(..=*mark) {
                let is_named = named.iter().any(|(from, to)| (*from..=*to).contains(seq));
                if !is_named && (numbers.is_empty() || !numbers.iter().all(is_known)) {
                    return Err(Violation(format!(
                        "seq {seq} of p0 of epoch {epoch:?} ({numbers:?}) is neither stored nor named by a gap"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn number_of(report: &Report) -> Option<u64> {
    match report {
        Report::Check(check) => check.perfdata.first().map(|one| one.value as u64),
        Report::Checks(_) | Report::Event(_) | Report::Processes(_) | Report::Inventory(_) => None,
    }
}
