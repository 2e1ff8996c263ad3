//! What a mail shows beside the alert: the series from two hours before the onset, lines and events around it, who else has it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use muster_common::label::LabelSet;
use muster_common::range::Range;
use muster_common::time::Timestamp;
use muster_common::wire::message::Perfdata;
use muster_fleet::status::{StatusChange, Subject};
use muster_fleet::suspects::Suspect;
use muster_fleet::{EventKind, Fleet};
use muster_query::{Control, Direction, Engine, LogPage, LogValue, Prepared, Value};
use muster_store::{Reader, View};

use super::causes::causes;
use super::history::{Found, NO_NEWS, cases, marks};
use crate::alert::{Alert, Notice, Origin};
use crate::mail::{Before, Earlier, Evidence, LogLine, Moment, Neighbour, Reading, Suspected, forecast, lead};
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
/// Events that marks are chosen from; a mail shows the last ten.
const EVENTS: usize = 100;
/// How far back earlier cases are looked for, as far as lines are kept.
const CASES_MS: i64 = 30 * 24 * HOUR_MS;
/// Beginnings, ends and acknowledgements that are read: of what comes each hour the last days.
const STEPS: usize = 200;
const SERIES: usize = 5;
/// Changes that are told, and how suspect they must be: of one that nothing links to the alert, some eight hours before it.
const SUSPECTS: usize = 3;
const SCORE_MIN: f64 = 0.001;

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
        let Some(alert) = lead(notice) else { return Evidence::default() };
        let (engine, view) = (self.engine.load_full(), self.reader.view());
        // Evidence that takes long is no help to who waits for the mail.
        let control = Control::new(std::time::Duration::from_secs(2));
        let search = Search { engine: &engine, view: &view, control: &control, now_ms: now.millis() };
        let numbers = self.numbers(alert);
        let events = search.events(alert);
        let plot = search
            .plot(alert, numbers.first())
            .map(|plot| PlotData { marks: marks(&events, (plot.from_ms, plot.to_ms), alert.active_ms), ..plot });
        let neighbours = match &alert.origin {
            Origin::Status(_) => neighbours(alert, &self.fleet.conditions(now)),
            _ => search.neighbours(alert),
        };
        Evidence {
            reading: plot.as_ref().map(|plot| reading(alert, plot)),
            plot,
            log_lines: search.lines(alert),
            events,
            before: self.before(alert, &neighbours),
            neighbours,
            earlier: search.earlier(alert),
        }
    }
}

impl StoreEvidence {
    /// The numbers of a check's newest result; of other alerts none.
    fn numbers(&self, alert: &Alert) -> Vec<Perfdata> {
        let Origin::Status(Subject::Check { host, check }) = &alert.origin else { return Vec::new() };
        self.fleet.check(*host, check).map(|check| check.perfdata).unwrap_or_default()
    }

    /// What may be behind an alert that goes on. A change that is only a state, or hardly suspect, says nothing to who reads a mail.
    fn before(&self, alert: &Alert, neighbours: &[Neighbour]) -> Before {
        if !alert.is_firing() {
            return Before::default();
        }
        let causes = causes(&self.fleet, alert, neighbours).unwrap_or_default();
        let suspects = causes.found.suspects.into_iter();
        let suspected = |one: Suspect| Suspected {
            text: one.words().to_owned(),
            page: one.page().unwrap_or_default(),
            why: one.why,
        };
        let told = suspects.filter(|one| one.is_news() && one.score >= SCORE_MIN);
        Before {
            suspects: told.take(SUSPECTS).map(suspected).collect(),
            separator: causes.separator.map(|one| one.words()).unwrap_or_default(),
        }
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

/// Other hosts with the same problem, those that have had it for longest first.
fn neighbours(alert: &Alert, standing: &[StatusChange]) -> Vec<Neighbour> {
    let own = alert.labels.get("host");
    let others = standing.iter().filter_map(|change| {
        let StatusChange::Problem(condition) = change else { return None };
        let host = condition.labels.get("host").filter(|host| Some(*host) != own && condition.name == alert.name())?;
        Some(Neighbour { host: host.to_owned(), since_ms: condition.since_ms })
    });
    let mut others: Vec<Neighbour> = others.collect();
    others.sort_by(|one, other| (one.since_ms, &one.host).cmp(&(other.since_ms, &other.host)));
    others
}

/// What is drawn of an alert.
struct Plotted {
    expression: String,
    limits: Vec<Limit>,
}

impl Plotted {
    /// Of a rule that keeps what is over a number, what it keeps that from, and the number: else the plot would begin with the alert.
    fn of(alert: &Alert) -> Self {
        let read = matches!(alert.origin, Origin::Rule { .. }).then(|| Prepared::new(&alert.expression).ok()).flatten();
        let Some((compared, prepared)) = read.and_then(|prepared| Some((prepared.compared()?, prepared))) else {
            return Self { expression: alert.expression.clone(), limits: Vec::new() };
        };
        let limit = prepared.limit().map(|(value, is_above)| Limit {
            value,
            name: "limit".to_owned(),
            bad: if is_above { Bad::Above } else { Bad::Below },
            is_critical: alert.severity() != "warning",
        });
        Self { expression: compared.text().to_owned(), limits: limit.into_iter().collect() }
    }
}

struct Search<'a> {
    engine: &'a Engine,
    view: &'a View,
    control: &'a Control,
    now_ms: i64,
}

fn reading(alert: &Alert, plot: &PlotData) -> Reading {
    // A warning is against the limit of warnings; of several the first is meant.
    let own = plot.limits.iter().find(|limit| limit.is_critical == (alert.severity() != "warning"));
    Reading {
        value: plot.last().or(alert.value),
        unit: plot.unit.clone(),
        limit: own.or(plot.limits.first()).map(|limit| limit.value),
        forecast: if alert.is_firing() { forecast(plot) } else { String::new() },
    }
}

impl Search<'_> {
    fn plot(&self, alert: &Alert, number: Option<&Perfdata>) -> Option<PlotData> {
        if alert.expression.is_empty() {
            return None;
        }
        let plotted = Plotted::of(alert);
        let from_ms = (alert.active_ms - BEFORE_MS).max(self.now_ms - PLOT_MAX_MS);
        let (mut step_ms, mut series) = self.series(alert, &plotted.expression, from_ms)?;
        let first_ms =
            |series: &[PlotSeries]| series.iter().filter_map(|one| one.points.first()).map(|(at_ms, _)| *at_ms).min();
        let mut from_ms = from_ms;
        // What began lately is not drawn at the edge of an empty plot, but closely.
        let began_ms = first_ms(&series)?;
        if began_ms - from_ms > (self.now_ms - from_ms) / 2 {
            from_ms = began_ms - step_ms;
            (step_ms, series) = self.series(alert, &plotted.expression, from_ms)?;
        }
        Some(PlotData {
            title: alert.name().to_owned(),
            unit: number.map(|number| number.unit.clone()).unwrap_or_default(),
            from_ms,
            to_ms: self.now_ms,
            step_ms,
            series,
            limits: number.map_or(plotted.limits, limits),
            marks: Vec::new(),
            onset_ms: Some(alert.active_ms),
        })
    }

    /// The alert's series from then until now, and the distance of their points.
    fn series(&self, alert: &Alert, expression: &str, from_ms: i64) -> Option<(i64, Vec<PlotSeries>)> {
        let step_ms = ((self.now_ms - from_ms) / POINTS).max(1_000);
        // The grid ends now: what the mail says last is what is known last.
        let start_ms = self.now_ms - (self.now_ms - from_ms) / step_ms * step_ms;
        let end_ms = self.now_ms;
        let answer = self.engine.range(self.view, expression, start_ms, end_ms, step_ms, self.control).ok()?;
        let Value::Matrix(series) = answer.value else { return None };
        // Labels that both have tell the alert's series; what its rule has set anew it has alone.
        let own = |labels: &LabelSet| {
            let mut common = labels.iter().filter_map(|(name, value)| Some((name, value, alert.labels.get(name)?)));
            common.all(|(name, value, of_alert)| value == of_alert || matches!(name, "severity" | "alertname"))
                && (alert.labels.get("host").is_none() || labels.get("host") == alert.labels.get("host"))
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
        // Whatever their jobs are named: only the history is none of the host's logs.
        let query = format!("{{host={host:?}, source!=\"muster\"}}");
        let span = (alert.active_ms - LINES_BEFORE_MS, alert.active_ms + 60_000);
        let found = self.entries(&query, span, LINES).into_iter();
        found.map(|line| LogLine { at_ms: line.at_ms, source: line.source(), text: line.text }).collect()
    }

    /// What happened to the host in the day before, and downtimes that are for the alert.
    fn events(&self, alert: &Alert) -> Vec<Moment> {
        let Some(host) = alert.labels.get("host") else { return Vec::new() };
        let span = (self.now_ms - 24 * HOUR_MS, self.now_ms);
        let no_news = NO_NEWS.map(EventKind::as_str).join("|");
        let query = format!("{{source=\"muster\", host={host:?}, event!~\"alert|notice\"}} | kind!~\"{no_news}\"");
        let mut found = self.entries(&query, span, EVENTS);
        let (set, ended) = (EventKind::DowntimeSet.as_str(), EventKind::DowntimeEnded.as_str());
        let query = format!("{{source=\"muster\", host=\"\", event=\"state\"}} | kind=~\"{set}|{ended}\"");
        let downtimes = self.entries(&query, span, EVENTS);
        found.extend(downtimes.into_iter().filter(|event| event.is_downtime_of(&alert.labels)));
        found.sort_by_key(|event| event.at_ms);
        found.into_iter().map(Found::moment).collect()
    }

    /// How the alert went before: its beginnings and ends of the history, and who took it over.
    fn earlier(&self, alert: &Alert) -> Vec<Earlier> {
        let (host, id) = (alert.labels.get("host").unwrap_or_default(), alert.id);
        let span = (self.now_ms - CASES_MS, self.now_ms);
        let of_alert = format!("{{source=\"muster\", host={host:?}, event=\"alert\"}} | alert_id=\"{id}\"");
        let mut found = self.entries(&of_alert, span, STEPS);
        // Without an end there was none before this one, which is the most frequent case.
        if found.len() < 2 {
            return Vec::new();
        }
        let taken = match &alert.origin {
            Origin::Status(_) => {
                let (check, kind) = (alert.labels.get("check").unwrap_or_default(), EventKind::Acknowledged.as_str());
                let query = format!(
                    "{{source=\"muster\", host={host:?}, event=\"state\"}} | kind=\"{kind}\" | check={check:?}"
                );
                self.entries(&query, span, STEPS)
            }
            _ => {
                let kind = EventKind::SilenceSet.as_str();
                let query = format!("{{source=\"muster\", host=\"\", event=\"change\"}} | kind=\"{kind}\"");
                let all = self.entries(&query, span, STEPS).into_iter();
                all.filter(|event| event.is_silence_of(&alert.labels)).collect()
            }
        };
        found.extend(taken);
        found.sort_by_key(|event| event.at_ms);
        cases(&found, alert.active_ms)
    }

    /// The newest lines of a query, oldest first.
    fn entries(&self, query: &str, (from_ms, to_ms): (i64, i64), limit: usize) -> Vec<Found> {
        let page = LogPage::new(limit, Direction::Backward);
        let nanos = |millis: i64| millis.saturating_mul(1_000_000);
        let times = (nanos(from_ms), nanos(to_ms.min(self.now_ms) + 1), nanos(60_000));
        let Ok(answer) = self.engine.log_range(self.view, query, times, &page, self.control) else { return Vec::new() };
        let LogValue::Streams(streams) = answer.value else { return Vec::new() };
        let mut found = Vec::new();
        for stream in streams {
            let labels: Vec<(String, String)> =
                stream.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            for entry in stream.entries {
                let text = String::from_utf8_lossy(&entry.line).into_owned();
                let at_ms = entry.at_ns / 1_000_000;
                found.push((entry.at_ns, Found { at_ms, text, labels: labels.clone(), fields: entry.fields }));
            }
        }
        // Of one stream and moment the newest came first.
        found.reverse();
        found.sort_by_key(|(at_ns, _)| *at_ns);
        found.into_iter().map(|(_, line)| line).collect()
    }

    /// Other hosts with the same alert of a rule.
    fn neighbours(&self, alert: &Alert) -> Vec<Neighbour> {
        let query = format!("ALERTS_FOR_STATE{{alertname={:?}}}", alert.name());
        let Ok(answer) = self.engine.instant(self.view, &query, self.now_ms, self.control) else { return Vec::new() };
        let Value::Vector(points) = answer.value else { return Vec::new() };
        let own = alert.labels.get("host");
        let others = points.iter().filter_map(|point| {
            let host = point.labels.get("host").filter(|host| Some(*host) != own)?;
            Some(Neighbour { host: host.to_owned(), since_ms: (point.value * 1_000.0) as i64 })
        });
        others.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::samples::disk;
    use crate::plot::samples::filling;

    #[test]
    fn a_value_is_against_the_limit_of_its_severity() {
        let (mut alert, plot) = (disk(), filling());
        let critical = reading(&alert, &plot);
        assert_eq!((critical.limit, critical.forecast.as_str()), (Some(90.0), "full in 11 min"));
        alert.labels = alert.labels.with(&[("severity", "warning")]).unwrap();
        assert_eq!(reading(&alert, &plot).limit, Some(80.0));
        alert.ends_ms = Some(plot.to_ms);
        assert_eq!(reading(&alert, &plot).forecast, "");
        let bare = PlotData { limits: Vec::new(), ..plot };
        assert_eq!((reading(&alert, &bare).limit, reading(&alert, &bare).value), (None, bare.last()));
    }

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
