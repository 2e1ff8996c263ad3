//! What a mail shows beside the alert: the series from two hours before the onset, lines and events around it, who else has it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use muster_common::range::Range;
use muster_common::time::Timestamp;
use muster_common::wire::message::Perfdata;
use muster_fleet::Fleet;
use muster_fleet::status::Subject;
use muster_query::{Control, Direction, Engine, LogPage, LogValue, Value};
use muster_store::{Reader, View};

use crate::alert::{Alert, Notice, Origin};
use crate::mail::{Evidence, LogLine, Moment, Neighbour, Reading};
use crate::plot::{Bad, Limit, PlotData, PlotSeries};

const HOUR_MS: i64 = 3_600_000;
/// How far before the onset a plot begins.
const BEFORE_MS: i64 = 2 * HOUR_MS;
/// Points of a plot: as many as it is wide.
const POINTS: i64 = 240;
/// A plot's longest time: an alert of last week shows its last day.
const PLOT_MAX_MS: i64 = 24 * HOUR_MS;
/// Lines around the onset.
const LINES: usize = 10;
const LINES_BEFORE_MS: i64 = 300_000;
const EVENTS: usize = 10;
const NEIGHBOURS: usize = 10;
const SERIES: usize = 5;

/// Who finds evidence.
pub trait EvidenceSource: Send + Sync {
    /// What is known around a notice. What cannot be found is left out: a notice never waits for it.
    fn gather(&self, notice: &Notice, now: Timestamp) -> Evidence;
}

/// Evidence of the store.
pub struct StoreEvidence {
    pub reader: Reader,
    pub engine: Arc<ArcSwap<Engine>>,
    /// Has the limits of checks.
    pub fleet: Arc<Fleet>,
}

impl EvidenceSource for StoreEvidence {
    fn gather(&self, notice: &Notice, now: Timestamp) -> Evidence {
        let Some(alert) = notice.firing.first().or(notice.resolved.first()) else { return Evidence::default() };
        let (engine, view) = (self.engine.load_full(), self.reader.view());
        // Evidence that takes long is no help to who waits for the mail.
        let control = Control::new(std::time::Duration::from_secs(2));
        let search = Search { engine: &engine, view: &view, control: &control, now_ms: now.millis() };
        let numbers = self.numbers(alert);
        let plot = search.plot(alert, numbers.first());
        Evidence {
            reading: plot.as_ref().map(|plot| reading(alert, plot)),
            plot,
            log_lines: search.lines(alert),
            events: search.events(alert),
            neighbours: search.neighbours(alert),
            earlier: Vec::new(),
            processes: Vec::new(),
        }
    }
}

/// A line: its time, its text, and the labels of its stream.
type Found = (i64, String, Vec<(String, String)>);

impl StoreEvidence {
    /// The numbers of a check's newest result; of other alerts none.
    fn numbers(&self, alert: &Alert) -> Vec<Perfdata> {
        let Origin::Status(Subject::Check { host, check }) = &alert.origin else { return Vec::new() };
        self.fleet.check(*host, check).map(|check| check.perfdata).unwrap_or_default()
    }
}

/// The limits of a check's number, the critical ones first. A range that alerts inside of it has none, and so has what is no range.
fn limits(number: &Perfdata) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (text, name, is_critical) in [(&number.crit, "critical", true), (&number.warn, "warning", false)] {
        let Some(range) = text.parse::<Range>().ok().filter(|range| !range.inside) else { continue };
        let mut limit = |value: f64, bad| limits.push(Limit { value, name: name.to_owned(), bad, is_critical });
        if range.to.is_finite() {
            limit(range.to, Bad::Above);
        }
        // `10` means 0 to 10, and of what cannot be negative nobody wants to see the zero.
        if range.from.is_finite() && (range.from != 0.0 || range.to.is_infinite()) {
            limit(range.from, Bad::Below);
        }
    }
    limits
}

struct Search<'a> {
    engine: &'a Engine,
    view: &'a View,
    control: &'a Control,
    now_ms: i64,
}

fn reading(alert: &Alert, plot: &PlotData) -> Reading {
    Reading {
        value: plot.last().or(alert.value),
        unit: plot.unit.clone(),
        limit: plot.limits.first().map(|limit| limit.value),
        forecast: String::new(),
    }
}

impl Search<'_> {
    fn plot(&self, alert: &Alert, number: Option<&Perfdata>) -> Option<PlotData> {
        if alert.expression.is_empty() {
            return None;
        }
        let from_ms = (alert.active_ms - BEFORE_MS).max(self.now_ms - PLOT_MAX_MS);
        let (mut step_ms, mut series) = self.series(alert, from_ms)?;
        let first_ms =
            |series: &[PlotSeries]| series.iter().filter_map(|one| one.points.first()).map(|(at_ms, _)| *at_ms).min();
        let mut from_ms = from_ms;
        // What began lately is not drawn at the edge of an empty plot, but closely.
        let began_ms = first_ms(&series)?;
        if began_ms - from_ms > (self.now_ms - from_ms) / 2 {
            from_ms = began_ms - step_ms;
            (step_ms, series) = self.series(alert, from_ms)?;
        }
        Some(PlotData {
            title: alert.name().to_owned(),
            unit: number.map(|number| number.unit.clone()).unwrap_or_default(),
            from_ms,
            to_ms: self.now_ms,
            step_ms,
            series,
            limits: number.map(limits).unwrap_or_default(),
            marks: Vec::new(),
            onset_ms: Some(alert.active_ms),
        })
    }

    /// The alert's series from then until now, and the distance of their points.
    fn series(&self, alert: &Alert, from_ms: i64) -> Option<(i64, Vec<PlotSeries>)> {
        let step_ms = ((self.now_ms - from_ms) / POINTS).max(1_000);
        // The grid ends now: what the mail says last is what is known last.
        let start_ms = self.now_ms - (self.now_ms - from_ms) / step_ms * step_ms;
        let end_ms = self.now_ms;
        let answer = self.engine.range(self.view, &alert.expression, start_ms, end_ms, step_ms, self.control).ok()?;
        let Value::Matrix(series) = answer.value else { return None };
        let own = |labels: &muster_common::label::LabelSet| {
            let host = alert.labels.get("host");
            host.is_none() || labels.get("host") == host
        };
        let of_alert = series.iter().filter(|series| own(&series.labels)).take(SERIES);
        let plotted = of_alert.map(|series| PlotSeries {
            name: series.labels.get("label").unwrap_or(alert.name()).to_owned(),
            points: series.millis.iter().copied().zip(series.values.iter().copied()).collect(),
        });
        Some((step_ms, plotted.collect()))
    }

    /// The last lines of the host up to just after the onset.
    fn lines(&self, alert: &Alert) -> Vec<LogLine> {
        let Some(host) = alert.labels.get("host") else { return Vec::new() };
        let query = format!("{{host={host:?}, job=~\"logs|journal\"}}");
        let span = (alert.active_ms - LINES_BEFORE_MS, alert.active_ms + 60_000);
        let found = self.entries(&query, span, LINES);
        let source = |labels: &[(String, String)]| {
            let named = labels.iter().find(|(name, _)| name == "unit" || name == "filename");
            named.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        found.into_iter().map(|(at_ms, text, labels)| LogLine { at_ms, source: source(&labels), text }).collect()
    }

    /// What happened to the host in the day before.
    fn events(&self, alert: &Alert) -> Vec<Moment> {
        let Some(host) = alert.labels.get("host") else { return Vec::new() };
        let query = format!("{{source=\"muster\", host={host:?}, event=~\"change|boot|loss|deploy|task\"}}");
        let found = self.entries(&query, (self.now_ms - 24 * HOUR_MS, self.now_ms), EVENTS);
        found.into_iter().map(|(at_ms, text, _)| Moment { at_ms, text }).collect()
    }

    /// Times, texts and labels of the newest lines of a query, oldest first.
    fn entries(&self, query: &str, (from_ms, to_ms): (i64, i64), limit: usize) -> Vec<Found> {
        let page = LogPage::new(limit, Direction::Backward);
        let nanos = |millis: i64| millis.saturating_mul(1_000_000);
        let times = (nanos(from_ms), nanos(to_ms.min(self.now_ms) + 1), nanos(60_000));
        let Ok(answer) = self.engine.log_range(self.view, query, times, &page, self.control) else { return Vec::new() };
        let LogValue::Streams(streams) = answer.value else { return Vec::new() };
        let mut found = Vec::new();
        for stream in &streams {
            let labels: Vec<(String, String)> =
                stream.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            for entry in &stream.entries {
                let text = String::from_utf8_lossy(&entry.line).into_owned();
                found.push((entry.at_ns / 1_000_000, text, labels.clone()));
            }
        }
        found.sort();
        found
    }

    /// Other hosts with the same alert.
    fn neighbours(&self, alert: &Alert) -> Vec<Neighbour> {
        let query = format!("ALERTS_FOR_STATE{{alertname={:?}}}", alert.name());
        let Ok(answer) = self.engine.instant(self.view, &query, self.now_ms, self.control) else { return Vec::new() };
        let Value::Vector(points) = answer.value else { return Vec::new() };
        let own = alert.labels.get("host");
        let others = points.iter().filter_map(|point| {
            let host = point.labels.get("host").filter(|host| Some(*host) != own)?;
            Some(Neighbour { host: host.to_owned(), since_ms: (point.value * 1_000.0) as i64 })
        });
        others.take(NEIGHBOURS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_number_are_the_ends_of_its_ranges() {
        let shown = |warn: &str, crit: &str| {
            let number = Perfdata {
                label: "x".into(),
                value: 1.0,
                unit: String::new(),
                warn: warn.into(),
                crit: crit.into(),
                min: f64::NAN,
                max: f64::NAN,
            };
            limits(&number).iter().map(|limit| (limit.value, limit.bad, limit.is_critical)).collect::<Vec<_>>()
        };
        assert_eq!(shown("90", "95"), [(95.0, Bad::Above, true), (90.0, Bad::Above, false)]);
        assert_eq!(shown("", "1:"), [(1.0, Bad::Below, true)]);
        assert_eq!(shown("10:20", "x"), [(20.0, Bad::Above, false), (10.0, Bad::Below, false)]);
        assert_eq!(shown("@1:2", "~:5"), [(5.0, Bad::Above, true)]);
    }
}
