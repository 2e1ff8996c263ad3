//! From a batch of reports to what the store is to keep: samples of each result (rule 20), the report itself for the small state, and what
//! happened on the host as entries of its stream of events.
//!
//! What is refused is refused report by report: the seq is taken all the same, and an event of the host says what was left out.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::check::{DURATION_SERIES, PERFDATA_SERIES, STATE_SERIES};
use muster_common::label::{LabelSet, SeriesId};
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckReport, EventReport, Report, ReportBatch, WireLabel};
use muster_common::wire::record::encode_report;
use muster_store::{LogBlock, LogClass, LogEntry, Point, Record, ReportRecord, SampleBlock, SeriesTable};

use crate::admit::{SeriesBudget, TimeBounds, TimeRefusal};
use crate::counters::{Count, Counters};
use crate::host_labels::{HostLabels, SeriesRefusal};
use crate::outbox::{event_fields, event_labels};

/// What a record costs in memory beside its bytes, and what a sample with its label set does.
const RECORD_BYTES: usize = 256;
const SAMPLE_BYTES: usize = 320;
/// Refusals that are told one by one of a batch; the rest is one more entry with their number.
const REFUSALS_TOLD_MAX: usize = 16;
/// The class of events that a host has, as the registry's own.
const CLASS: &str = "host";
/// Labels that name a result's series; a check's own of that name is kept as `exported_<name>`.
const OF_RESULTS: [&str; 3] = ["check", "label", "unit"];

/// A batch of reports, admitted.
pub(super) struct Reports {
    pub(super) records: Vec<Record>,
    pub(super) samples: u64,
    pub(super) reports: u64,
    /// What it costs in memory until it is committed.
    pub(super) bytes: usize,
}

/// Bounds of what a batch says, and who says it.
pub(super) struct Admission<'a> {
    pub(super) host: &'a HostLabels,
    /// Of results, and of events.
    pub(super) bounds: TimeBounds,
    pub(super) event_bounds: TimeBounds,
    pub(super) now: Timestamp,
    pub(super) counters: &'a Counters,
}

/// Gives each report its host's labels and leaves out what is refused, counted and told.
pub(super) fn read_reports(batch: ReportBatch, budget: &mut SeriesBudget, admission: &Admission<'_>) -> Reports {
    let mut samples = Samples::default();
    let mut kept = Vec::new();
    let mut events = Events::default();
    for report in batch.reports {
        match report {
            Report::Event(event) => events.take(event, admission),
            Report::Check(check) => {
                let what = format!("result of check `{}`", check.check);
                if events.admits(check.at_ms, &what, admission) {
                    samples.take(&check, admission);
                    kept.extend(events.record(&Report::Check(check), &what, admission));
                }
            }
            Report::Processes(look) => {
                let what = "look at the processes";
                if events.admits(look.at_ms, what, admission) {
                    kept.extend(events.record(&Report::Processes(look), what, admission));
                }
            }
            Report::Inventory(look) => {
                let what = "look at what the host has";
                if events.admits(look.at_ms, what, admission) {
                    kept.extend(events.record(&Report::Inventory(look), what, admission));
                }
            }
            Report::Checks(list) => {
                let what = "list of checks";
                if events.admits(list.at_ms, what, admission) {
                    kept.extend(events.record(&Report::Checks(list), what, admission));
                }
            }
        }
    }
    let mut bytes = RECORD_BYTES;
    let reports = kept.len() as u64;
    bytes += kept.iter().map(|report| RECORD_BYTES + report.report.len()).sum::<usize>();
    let block = samples.finish(budget, admission);
    let samples = block.as_ref().map_or(0, SampleBlock::samples);
    bytes += SAMPLE_BYTES * samples;
    let mut records: Vec<Record> = block.into_iter().map(Record::Samples).collect();
    records.extend(kept.into_iter().map(Record::Report));
    if let Some(block) = events.finish(admission) {
        bytes += RECORD_BYTES + block.bytes();
        records.push(Record::Logs(block));
    }
    Reports { records, samples: samples as u64, reports, bytes }
}

/// The samples of one batch, and the series that they are of.
#[derive(Default)]
struct Samples {
    places: HashMap<SeriesId, u32>,
    series: Vec<(SeriesId, Arc<LabelSet>)>,
    points: Vec<Point>,
}

impl Samples {
    fn take(&mut self, check: &CheckReport, admission: &Admission<'_>) {
        let mut labels: Vec<WireLabel> = own_labels(&check.definition.labels);
        labels.push(label("check", &check.check));
        self.put(STATE_SERIES, &labels, check.at_ms, f64::from(check.state), admission);
        self.put(DURATION_SERIES, &labels, check.at_ms, f64::from(check.duration_ms) / 1e3, admission);
        // NaN: the plugin does not know.
        for one in check.perfdata.iter().filter(|one| !one.value.is_nan()) {
            let mut labels = labels.clone();
            labels.push(label("label", &one.label));
            labels.push(label("unit", &one.unit));
            self.put(PERFDATA_SERIES, &labels, check.at_ms, one.value, admission);
        }
    }

    fn put(&mut self, name: &str, labels: &[WireLabel], at_ms: i64, value: f64, admission: &Admission<'_>) {
        let labels = match admission.host.resolve(name, labels) {
            Ok(labels) => labels,
            Err(refusal) => {
                admission.counters.one(match refusal {
                    SeriesRefusal::Reserved => Count::SamplesReserved,
                    SeriesRefusal::NoName | SeriesRefusal::Labels(_) => Count::SamplesLabels,
                });
                return;
            }
        };
        let id = labels.id();
        let series = *self.places.entry(id).or_insert_with(|| {
            self.series.push((id, Arc::new(labels)));
            u32::try_from(self.series.len() - 1).unwrap_or(u32::MAX)
        });
        self.points.push(Point { series, at_ms, value });
    }

    /// What the host's budget of series admits.
    fn finish(self, budget: &mut SeriesBudget, admission: &Admission<'_>) -> Option<SampleBlock> {
        let Self { series, mut points, .. } = self;
        let ids: Vec<SeriesId> = series.iter().map(|(id, _)| *id).collect();
        let admitted = budget.admit(&ids, admission.now);
        // The place of each admitted series in the table.
        let mut places = Vec::with_capacity(series.len());
        let mut next = 0;
        for taken in &admitted {
            places.push(taken.then_some(next));
            next += u32::from(*taken);
            if !taken {
                admission.counters.one(Count::SeriesLimit);
            }
        }
        let before = points.len();
        points.retain_mut(|point| match places.get(point.series as usize).copied().flatten() {
            Some(place) => {
                point.series = place;
                true
            }
            None => false,
        });
        admission.counters.add(Count::SamplesSeriesLimit, (before - points.len()) as u64);
        let taken = series.into_iter().zip(admitted).filter(|(_, admitted)| *admitted);
        let table = SeriesTable::shared(taken.map(|((id, labels), _)| (id, labels, MetricKind::Gauge)));
        (!points.is_empty()).then(|| SampleBlock::Points { table: Arc::new(table), points })
    }
}

fn label(name: &str, value: &str) -> WireLabel {
    WireLabel { name: name.to_owned(), value: value.to_owned() }
}

/// A check's own labels, those that would say which check it is renamed.
fn own_labels(labels: &[WireLabel]) -> Vec<WireLabel> {
    let renamed = |own: &WireLabel| {
        let mut name = own.name.clone();
        while OF_RESULTS.contains(&name.as_str()) || (name != own.name && labels.iter().any(|other| other.name == name))
        {
            name.insert_str(0, "exported_");
        }
        WireLabel { name, value: own.value.clone() }
    };
    labels.iter().map(renamed).collect()
}

/// Entries of the host's stream of events: what it told, and what of its reports was refused.
#[derive(Default)]
struct Events {
    entries: Vec<LogEntry>,
    refused: usize,
}

impl Events {
    fn take(&mut self, event: EventReport, admission: &Admission<'_>) {
        if let Err(refusal) = admission.event_bounds.admit(event.at_ms) {
            let what = format!("event `{}`", event.kind);
            return self.refuse(&what, refusal, event.at_ms, admission);
        }
        let own = event.fields.iter().map(|field| (field.name.as_str(), field.value.as_str()));
        let fields = event_fields(&event.kind, "agent", own);
        let at_ns = event.at_ms.saturating_mul(1_000_000);
        self.entries.push(LogEntry { at_ns, line: event.text.into_bytes(), fields });
        admission.counters.one(Count::Events);
    }

    /// Whether a report of this time is taken; if not, that is told.
    fn admits(&mut self, at_ms: i64, what: &str, admission: &Admission<'_>) -> bool {
        match admission.bounds.admit(at_ms) {
            Ok(()) => true,
            Err(refusal) => {
                self.refuse(what, refusal, at_ms, admission);
                false
            }
        }
    }

    /// The report as the inbox keeps it.
    fn record(&mut self, report: &Report, what: &str, admission: &Admission<'_>) -> Option<ReportRecord> {
        match encode_report(report) {
            Ok(bytes) => Some(ReportRecord { host: admission.host.id, report: bytes.into() }),
            // The frame's own rules are the same, so only a fault of this program comes here.
            Err(error) => {
                admission.counters.one(Count::ReportsUnencodable);
                self.tell(&format!("the {what} is refused: {error}"), admission);
                None
            }
        }
    }

    fn refuse(&mut self, what: &str, refusal: TimeRefusal, at_ms: i64, admission: &Admission<'_>) {
        let (count, why) = match refusal {
            TimeRefusal::Future => {
                (Count::ReportsFuture, "more than 10 min ahead of the collector's clock: set the host's clock by NTP")
            }
            TimeRefusal::TooOld => (
                Count::ReportsTooOld,
                "older than the retention: none, it would be deleted at once; set the host's clock if its time is wrong",
            ),
        };
        admission.counters.one(count);
        self.tell(&format!("the {what} is refused: its time {at_ms} ms is {why}"), admission);
    }

    fn tell(&mut self, text: &str, admission: &Admission<'_>) {
        tracing::warn!(host = %admission.host.name, "{text}");
        self.refused += 1;
        if self.refused <= REFUSALS_TOLD_MAX {
            self.entries.push(refusal_entry(text, admission.now));
        }
    }

    fn finish(mut self, admission: &Admission<'_>) -> Option<LogBlock> {
        if let Some(more @ 1..) = self.refused.checked_sub(REFUSALS_TOLD_MAX) {
            let text = format!("{more} more reports of the same batch are refused");
            self.entries.push(refusal_entry(&text, admission.now));
        }
        let labels = Arc::new(event_labels(CLASS, &admission.host.name));
        (!self.entries.is_empty()).then_some(LogBlock { class: LogClass::Events, labels, entries: self.entries })
    }
}

fn refusal_entry(text: &str, now: Timestamp) -> LogEntry {
    let fields = event_fields("report_refused", "collector", std::iter::empty());
    LogEntry { at_ns: now.nanos(), line: text.as_bytes().to_vec(), fields }
}

#[cfg(test)]
mod tests;
