//! What a mail shows beside the alert: the series from two hours before the onset, lines and events around it, who else has it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use muster_common::time::Timestamp;
use muster_query::{Control, Direction, Engine, LogPage, LogValue, Value};
use muster_store::{Reader, View};

use crate::alert::{Alert, Notice};
use crate::mail::{Evidence, LogLine, Moment, Neighbour, Reading};
use crate::plot::{PlotData, PlotSeries};

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
}

impl EvidenceSource for StoreEvidence {
    fn gather(&self, notice: &Notice, now: Timestamp) -> Evidence {
        let Some(alert) = notice.firing.first().or(notice.resolved.first()) else { return Evidence::default() };
        let (engine, view) = (self.engine.load_full(), self.reader.view());
        // Evidence that takes long is no help to who waits for the mail.
        let control = Control::new(std::time::Duration::from_secs(2));
        let search = Search { engine: &engine, view: &view, control: &control, now_ms: now.millis() };
        let plot = search.plot(alert);
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
    fn plot(&self, alert: &Alert) -> Option<PlotData> {
        if alert.expression.is_empty() {
            return None;
        }
        let from_ms = (alert.active_ms - BEFORE_MS).max(self.now_ms - PLOT_MAX_MS);
        let step_ms = ((self.now_ms - from_ms) / POINTS).max(1_000);
        let times = (from_ms, self.now_ms, step_ms);
        let answer = self.engine.range(self.view, &alert.expression, times.0, times.1, times.2, self.control).ok()?;
        let Value::Matrix(series) = answer.value else { return None };
        let own = |labels: &muster_common::label::LabelSet| {
            let host = alert.labels.get("host");
            host.is_none() || labels.get("host") == host
        };
        let series: Vec<PlotSeries> = series
            .iter()
            .filter(|series| own(&series.labels))
            .take(SERIES)
            .map(|series| PlotSeries {
                name: series.labels.get("label").unwrap_or(alert.name()).to_owned(),
                points: series.millis.iter().copied().zip(series.values.iter().copied()).collect(),
            })
            .collect();
        if series.is_empty() {
            return None;
        }
        Some(PlotData {
            title: alert.name().to_owned(),
            unit: String::new(),
            from_ms,
            to_ms: self.now_ms,
            step_ms,
            series,
            limits: Vec::new(),
            marks: Vec::new(),
            onset_ms: Some(alert.active_ms),
        })
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
