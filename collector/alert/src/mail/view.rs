//! What templates see: words only, all of them cleaned and bounded.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::evidence::{Earlier, Evidence, Neighbour, Suspected};
use super::letter::{MailSettings, Place};
use super::words::{bounds, clean, clock, curve, date, moment, span};
use crate::alert::{Alert, Notice, NoticeKind, Origin};
use crate::plot::with_unit;

/// Members that are told in full; of the rest the names.
const MEMBERS: usize = 10;
const NAMES: usize = 40;
const LABELS: usize = 12;
const LINES: usize = 10;
const PLACES: usize = 10;
const CASES: usize = 5;
const SUSPECTS: usize = 3;
/// Characters of a line of a log, of a text of a rule, of a label.
const LINE: usize = 300;
const TEXT: usize = 600;
const LABEL: usize = 120;

#[derive(Serialize)]
pub(super) struct View {
    pub(super) subject: String,
    pub(super) first_line: String,
    /// `critical`, `warning`, `unknown`, `resolved` or another severity: for colours.
    pub(super) tone: &'static str,
    pub(super) state: String,
    pub(super) is_resolved: bool,
    /// The incident ended before its first mail left.
    pub(super) is_only: bool,
    pub(super) why: &'static str,
    pub(super) remedy: String,
    pub(super) runbook: String,
    pub(super) acknowledge: Vec<String>,
    pub(super) link: String,
    pub(super) members: Vec<Member>,
    pub(super) more: Vec<String>,
    pub(super) more_count: usize,
    pub(super) ended: Vec<Member>,
    #[serde(flatten)]
    pub(super) around: Around,
    pub(super) receiver: String,
    pub(super) group: String,
    pub(super) incident: u64,
    pub(super) notice: u64,
    pub(super) at: String,
}

/// The evidence in words; templates see these fields beside the others.
#[derive(Serialize)]
pub(super) struct Around {
    pub(super) plot: Option<PlotWords>,
    logs: Vec<Line>,
    events: Vec<Line>,
    suspects: Vec<SuspectView>,
    separator: String,
    neighbours: Vec<String>,
    neighbour_count: usize,
    earlier: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Member {
    name: String,
    host: String,
    state: String,
    since: String,
    ended: String,
    lasted: String,
    value: String,
    summary: String,
    description: String,
    labels: Vec<(String, String)>,
}

#[derive(Serialize)]
pub(super) struct PlotWords {
    /// Content-ID, empty without a picture.
    pub(super) cid: String,
    alt: String,
    words: String,
    curve: String,
    span: String,
    marks: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct SuspectView {
    text: String,
    why: String,
    link: String,
}

#[derive(Serialize)]
pub(super) struct Line {
    at: String,
    source: String,
    text: String,
}

/// The member that a mail is about first: the worst that fires and began first, or what ended.
pub(crate) fn lead(notice: &Notice) -> Option<&Alert> {
    let rank = |alert: &Alert| match alert.severity() {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    };
    notice
        .firing
        .iter()
        .min_by_key(|alert| rank(alert))
        .or_else(|| notice.resolved.iter().min_by_key(|alert| rank(alert)))
}

/// `host: alert`, from what the group shares, else from its first member; without the state, so that threads hold.
pub(super) fn subject(notice: &Notice) -> String {
    let of = |name: &str| {
        notice
            .group_labels
            .get(name)
            .or_else(|| lead(notice).and_then(|alert| alert.labels.get(name)))
            .unwrap_or_default()
    };
    let (host, name) = (clean(of("host"), LABEL), clean(of("alertname"), LABEL));
    let what = match lead(notice).and_then(|alert| alert.annotations.get("title")) {
        Some(title) if notice.firing.len() + notice.resolved.len() == 1 => clean(title, LABEL),
        _ => name,
    };
    match (host.is_empty(), what.is_empty()) {
        (false, false) => format!("{host}: {what}"),
        (true, false) => what,
        (false, true) => host,
        (true, true) => format!("Alerts for {}", clean(&notice.receiver, LABEL)),
    }
}

fn state_of(alert: &Alert) -> String {
    let severity = clean(alert.severity(), 20);
    if severity.is_empty() { "FIRING".to_owned() } else { severity.to_uppercase() }
}

fn annotation(alert: &Alert, names: &[&str], longest: usize) -> String {
    names.iter().find_map(|name| alert.annotations.get(*name)).map_or_else(String::new, |text| clean(text, longest))
}

/// The first line, which phones show: state, since when, value, limit, what comes.
fn first_line(notice: &Notice, evidence: &Evidence, is_resolved: bool, zone: &TimeZone) -> String {
    let Some(lead) = lead(notice) else { return "Nothing fires any more".to_owned() };
    let reading = evidence.reading.as_ref();
    let unit = reading.map_or("", |reading| reading.unit.as_str());
    let value =
        reading.and_then(|reading| reading.value).or(lead.value).map(|value| clean(&with_unit(value, unit), 40));
    let mut parts = Vec::new();
    let mut line = if is_resolved {
        let ended = lead.ends_ms.unwrap_or(notice.at_ms);
        parts.push(format!("was {}", state_of(lead)));
        parts.extend(value.map(|value| format!("now {value}")));
        format!(
            "RESOLVED at {} after {}",
            moment(ended, notice.at_ms, zone),
            span(ended.saturating_sub(lead.active_ms))
        )
    } else {
        // A check's own words say more than a bare number of it.
        let is_bare = unit.is_empty() && matches!(lead.origin, Origin::Status(_));
        let words = Some(annotation(lead, &["summary"], 140)).filter(|text| is_bare && !text.is_empty());
        let limit = reading.filter(|_| words.is_none());
        parts.extend(words.or(value));
        parts.extend(
            limit
                .and_then(|reading| reading.limit)
                .map(|limit| format!("limit {}", clean(&with_unit(limit, unit), 40))),
        );
        parts.extend(reading.map(|reading| clean(&reading.forecast, 60)).filter(|forecast| !forecast.is_empty()));
        if parts.is_empty() {
            parts.extend(Some(annotation(lead, &["summary", "description"], 140)).filter(|text| !text.is_empty()));
        }
        format!("{} since {}", state_of(lead), moment(lead.active_ms, notice.at_ms, zone))
    };
    if !parts.is_empty() {
        line = format!("{line}: {}", parts.join(", "));
    }
    match notice.firing.len() {
        0 | 1 => line,
        count => format!("{line} ({count} alerts)"),
    }
}

fn member(alert: &Alert, now_ms: i64, zone: &TimeZone, evidence: Option<&Evidence>) -> Member {
    let reading = evidence.and_then(|evidence| evidence.reading.as_ref());
    let unit = reading.map_or("", |reading| reading.unit.as_str());
    let mut value = reading
        .and_then(|reading| reading.value)
        .or(alert.value)
        .map_or_else(String::new, |value| clean(&with_unit(value, unit), 40));
    if let Some(limit) = reading.and_then(|reading| reading.limit) {
        value = format!("{value} (limit {})", clean(&with_unit(limit, unit), 40)).trim_start().to_owned();
    }
    let labels = alert.labels.iter().filter(|(name, _)| !matches!(*name, "alertname" | "severity" | "host"));
    Member {
        name: clean(alert.name(), LABEL),
        host: clean(alert.labels.get("host").unwrap_or_default(), LABEL),
        state: state_of(alert),
        since: moment(alert.active_ms, now_ms, zone),
        ended: alert.ends_ms.map_or_else(String::new, |at| moment(at, now_ms, zone)),
        lasted: span(alert.ends_ms.unwrap_or(now_ms).saturating_sub(alert.active_ms)),
        value,
        summary: annotation(alert, &["summary"], TEXT),
        description: annotation(alert, &["description"], TEXT),
        labels: labels.take(LABELS).map(|(name, value)| (clean(name, LABEL), clean(value, LABEL))).collect(),
    }
}

/// What takes a problem over, for the shell.
fn acknowledge(notice: &Notice) -> Vec<String> {
    let command = |alert: &Alert| {
        let (host, check) = (alert.labels.get("host")?, alert.labels.get("check"));
        match (&alert.origin, check) {
            (Origin::Status(_), Some(check)) => Some(format!("muster checks ack {} {}", quote(host), quote(check))),
            (Origin::Status(_), None) => Some(format!("muster checks ack {}", quote(host))),
            _ => Some(format!("muster silence add alertname={} host={}", quote(alert.name()), quote(host))),
        }
    };
    notice.firing.iter().filter_map(command).take(CASES).collect()
}

/// One word of a shell.
fn quote(text: &str) -> String {
    let text = clean(text, LABEL);
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:@".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn plot_words(evidence: &Evidence, now_ms: i64, zone: &TimeZone) -> Option<PlotWords> {
    let plot = evidence.plot.as_ref()?;
    let (low, high) = bounds(plot)?;
    let unit = clean(&plot.unit, 20);
    let last = with_unit(plot.last()?, &unit);
    let words = format!("now {last}, lowest {}, highest {}", with_unit(low, &unit), with_unit(high, &unit));
    Some(PlotWords {
        cid: String::new(),
        alt: format!("{}: {words}", clean(&plot.title, LABEL)),
        words,
        curve: curve(plot),
        span: format!("{} to {}", clock(plot.from_ms, now_ms, zone), clock(plot.to_ms, now_ms, zone)),
        marks: plot
            .numbered()
            .map(|(number, mark)| {
                format!("{number} = {} {}", clock(mark.at_ms, now_ms, zone), clean(&mark.text, LABEL))
            })
            .collect(),
    })
}

const fn why(kind: NoticeKind, is_resolved: bool) -> &'static str {
    match kind {
        NoticeKind::Better if is_resolved => "these have ended",
        NoticeKind::Opened => "first notice of this incident",
        NoticeKind::Worse => "more alerts, or worse ones",
        NoticeKind::Better => "fewer alerts, or better ones; others go on",
        NoticeKind::Repeat => "nothing has changed",
        NoticeKind::Resolved => "all that was told has ended",
    }
}

fn tail<T>(all: &[T], count: usize) -> &[T] {
    &all[all.len().saturating_sub(count)..]
}

fn around(evidence: &Evidence, now: i64, zone: &TimeZone, url: &str) -> Around {
    let lines = |at_ms: i64, source: &str, text: &str| Line {
        at: clock(at_ms, now, zone),
        source: clean(source, LABEL),
        text: clean(text, LINE),
    };
    let case = |case: &Earlier| {
        let (note, lasted) = (clean(&case.note, LINE), span(case.to_ms.saturating_sub(case.from_ms)));
        format!("{} for {lasted}{}{note}", date(case.from_ms, zone), if note.is_empty() { "" } else { ": " })
    };
    let neighbour =
        |host: &Neighbour| format!("{} since {}", clean(&host.host, LABEL), moment(host.since_ms, now, zone));
    let suspected = |one: &Suspected| SuspectView {
        text: clean(&one.text, LINE),
        why: clean(&one.why, LINE),
        link: if one.page.is_empty() || url.is_empty() { String::new() } else { format!("{url}{}", one.page) },
    };
    Around {
        plot: plot_words(evidence, now, zone),
        logs: tail(&evidence.log_lines, LINES).iter().map(|line| lines(line.at_ms, &line.source, &line.text)).collect(),
        events: tail(&evidence.events, LINES).iter().map(|event| lines(event.at_ms, "", &event.text)).collect(),
        suspects: evidence.before.suspects.iter().take(SUSPECTS).map(suspected).collect(),
        separator: clean(&evidence.before.separator, LINE),
        neighbours: evidence.neighbours.iter().take(PLACES).map(neighbour).collect(),
        neighbour_count: evidence.neighbours.len(),
        earlier: evidence.earlier.iter().take(CASES).map(case).collect(),
    }
}

pub(super) fn view(settings: &MailSettings, notice: &Notice, evidence: &Evidence, place: &Place) -> View {
    let (zone, now) = (&settings.zone, notice.at_ms);
    let url = settings.external_url.as_ref().filter(|url| is_web(url));
    let url = url.map_or_else(String::new, |url| url.trim_end_matches('/').to_owned());
    let lead = lead(notice);
    let is_resolved = notice.firing.is_empty();
    let state = if is_resolved { "RESOLVED".to_owned() } else { lead.map_or_else(String::new, state_of) };
    let tone = match (is_resolved, lead.map(Alert::severity)) {
        (true, _) => "resolved",
        (_, Some("critical")) => "critical",
        (_, Some("warning")) => "warning",
        _ => "other",
    };
    let is_lead = |alert: &Alert| lead.is_some_and(|lead| lead.id == alert.id);
    let members = |alerts: &[Alert]| {
        alerts.iter().take(MEMBERS).map(|alert| member(alert, now, zone, is_lead(alert).then_some(evidence))).collect()
    };
    let name = |alert: &Alert| {
        format!(
            "{} {} {}",
            state_of(alert),
            clean(alert.labels.get("host").unwrap_or_default(), LABEL),
            clean(alert.name(), LABEL)
        )
    };
    View {
        subject: place.subject.as_ref().map_or_else(|| subject(notice), |subject| clean(subject, 2 * LABEL)),
        first_line: first_line(notice, evidence, is_resolved, zone),
        tone,
        state,
        is_resolved,
        is_only: place.is_only && notice.kind == NoticeKind::Resolved,
        why: why(notice.kind, is_resolved),
        remedy: lead
            .filter(|_| !is_resolved)
            .map_or_else(String::new, |alert| annotation(alert, &["remedy", "action"], TEXT)),
        runbook: lead
            .map(|alert| annotation(alert, &["runbook_url"], TEXT))
            .filter(|url| is_web(url))
            .unwrap_or_default(),
        acknowledge: acknowledge(notice),
        link: if url.is_empty() { String::new() } else { format!("{url}/incidents/{}", notice.incident) },
        members: members(&notice.firing),
        more: notice.firing.iter().skip(MEMBERS).take(NAMES).map(name).collect(),
        more_count: notice.firing.len().saturating_sub(MEMBERS),
        ended: members(&notice.resolved),
        around: around(evidence, now, zone, &url),
        receiver: clean(&notice.receiver, LABEL),
        group: clean(&notice.group_labels.to_string(), TEXT),
        incident: notice.incident,
        notice: notice.id,
        at: moment(now, now, zone),
    }
}

/// Links are only those of the web: a label may hold `javascript:`.
fn is_web(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && !url.contains([' ', '"', '<', '>'])
}
