//! Known losses in the time of an answer, said in its warnings: a line a host (of lines two, where batches and bytes are missing), and
//! one for what a restore of the collector lost. Lane p2 carries lines and nothing else, so its gaps matter to LogQL alone.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::matcher::Test;
use muster_common::wire::message::{GapReason, Lane};
use muster_fleet::{Fleet, FleetError, LogLoss, OWN_HOST as OWN_HOST_NAME};
use muster_query::{LogRead, Value};
use muster_store::{GapRecord, OWN_HOST};

/// Hosts that are named in one answer; the rest is counted. A dashboard shows no more.
const LINES_MAX: usize = 20;
/// Different reasons that one line names; agents word those of lost lines.
const REASONS_MAX: usize = 5;

/// The lines for an answer that was made of samples of this time, both ends included. Where every series of it has a label `host` that
/// the registry knows, only these hosts matter; else any host may have gone into it, or be missing for its gap: a host that was
/// renamed has samples under its former name.
pub(crate) fn warnings(fleet: &Fleet, read: Option<(i64, i64)>, value: &Value) -> Vec<String> {
    let Some((from_ms, to_ms)) = read else { return Vec::new() };
    let gaps = match fleet.gaps(from_ms, to_ms) {
        Ok(gaps) => gaps.into_iter().filter(|gap| gap.host == OWN_HOST || gap.lane != Lane::P2).collect(),
        Err(error) => return unread("samples", &error),
    };
    let known = Missing { gaps, losses: Vec::new() };
    if known.is_empty() {
        return Vec::new();
    }
    let rows = fleet.hosts();
    // The collector's own series are of a host that is in no registry.
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).chain([OWN_HOST_NAME]).collect();
    known.lines(&|host| name_of(fleet, host), hosts_of(value).filter(|hosts| hosts.is_subset(&names)).as_ref())
}

/// The lines for an answer that was made of what these selectors looked at. Where known hosts have the names that they ask for, only
/// these hosts matter; a name that nobody has may be a former one, of any host.
pub(crate) fn log_warnings(fleet: &Fleet, reads: &[LogRead]) -> Vec<String> {
    let (from_ms, to_ms) = (reads.iter().map(|read| read.from_ms).min(), reads.iter().map(|read| read.to_ms).max());
    let (Some(from_ms), Some(to_ms)) = (from_ms, to_ms) else { return Vec::new() };
    // Events come from the collector itself: only a restore has taken some.
    let of_agents: Vec<&LogRead> = reads.iter().filter(|read| !is_of_events(read)).collect();
    let matters = |gap: &GapRecord| gap.host == OWN_HOST || (gap.lane == Lane::P2 && !of_agents.is_empty());
    let known = fleet.gaps(from_ms, to_ms).and_then(|gaps| {
        let losses = if of_agents.is_empty() { Vec::new() } else { fleet.log_losses(from_ms, to_ms)? };
        Ok(Missing { gaps: gaps.into_iter().filter(matters).collect(), losses })
    });
    let known = match known {
        Ok(known) => known,
        Err(error) => return unread("lines", &error),
    };
    if known.is_empty() {
        return Vec::new();
    }
    let rows = fleet.hosts();
    let names = || rows.iter().map(|row| row.name.as_str()).chain([OWN_HOST_NAME]);
    let asked: Vec<BTreeSet<&str>> =
        of_agents.iter().map(|read| names().filter(|name| asks_for(read, name)).collect()).collect();
    let only = asked.iter().all(|names| !names.is_empty()).then(|| asked.into_iter().flatten().collect());
    known.lines(&|host| name_of(fleet, host), only.as_ref())
}

fn unread(what: &str, error: &FleetError) -> Vec<String> {
    tracing::warn!("known gaps could not be read: {error}");
    vec![format!("known gaps could not be read, so this answer may miss {what} unsaid: {error}")]
}

fn name_of(fleet: &Fleet, host: HostId) -> String {
    fleet.host(host).map_or_else(|| host.to_string(), |row| row.name)
}

/// No agent's stream has the label that tells events.
fn is_of_events(read: &LogRead) -> bool {
    read.matchers.iter().any(|one| one.name == "source" && matches!(&one.test, Test::Equal(value) if value == "muster"))
}

fn asks_for(read: &LogRead, host: &str) -> bool {
    read.matchers.iter().filter(|matcher| matcher.name == "host").all(|matcher| matcher.is_match(host))
}

/// The hosts whose series are in the answer; `None` when a series of it has no host, or there is none.
fn hosts_of(value: &Value) -> Option<BTreeSet<&str>> {
    match value {
        Value::Vector(points) if points.is_empty() => None,
        Value::Matrix(series) if series.is_empty() => None,
        Value::Scalar { .. } | Value::String { .. } => None,
        Value::Vector(points) => points.iter().map(|point| point.labels.get("host")).collect(),
        Value::Matrix(series) => series.iter().map(|series| series.labels.get("host")).collect(),
    }
}

/// What is known to be missing in the time of an answer.
struct Missing {
    gaps: Vec<GapRecord>,
    losses: Vec<LogLoss>,
}

impl Missing {
    fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.losses.is_empty()
    }

    fn lines(&self, name: &dyn Fn(HostId) -> String, only: Option<&BTreeSet<&str>>) -> Vec<String> {
        let mut by_host: BTreeMap<String, (Vec<&GapRecord>, Vec<&LogLoss>)> = BTreeMap::new();
        // Which hosts a restore touched nobody can tell: it is said whatever the answer is made of.
        let (of_all, gaps): (Vec<&GapRecord>, Vec<&GapRecord>) = self.gaps.iter().partition(|gap| gap.host == OWN_HOST);
        for gap in gaps {
            by_host.entry(name(gap.host)).or_default().0.push(gap);
        }
        for loss in &self.losses {
            by_host.entry(name(loss.host)).or_default().1.push(loss);
        }
        by_host.retain(|host, _| only.is_none_or(|only| only.contains(host.as_str())));
        let all = by_host.len();
        // The newest restores: more of them in one answer tell nothing new.
        let restores = of_all.iter().rev().take(LINES_MAX).rev();
        let mut lines: Vec<String> = restores.map(|gap| restored_line(gap.from_ms, gap.to_ms)).collect();
        for (host, (gaps, losses)) in by_host.into_iter().take(LINES_MAX) {
            lines.extend((!gaps.is_empty()).then(|| gaps_line(&host, &gaps)));
            lines.extend((!losses.is_empty()).then(|| losses_line(&host, &losses)));
        }
        if all > LINES_MAX {
            lines.push(format!("{} more hosts have gaps in this time", all - LINES_MAX));
        }
        lines
    }
}

/// What a restore of the collector may have lost; `from_ms` 0: nothing tells since when.
fn restored_line(from_ms: i64, to_ms: i64) -> String {
    let to = moment(to_ms);
    match from_ms {
        1.. => format!("collector: what was acknowledged between {} and {to} may be missing", moment(from_ms)),
        _ => format!("collector: what was acknowledged before {to} may be missing"),
    }
}

fn gaps_line(host: &str, gaps: &[&GapRecord]) -> String {
    let batches = gaps.iter().fold(0u64, |sum, gap| {
        // `to` may be the end of an epoch that never comes; then the count says nothing.
        sum.saturating_add(gap.to.saturating_sub(gap.from).saturating_add(1))
    });
    let batches = match batches {
        1 => "1 batch".to_owned(),
        2..=1_000_000_000 => format!("{batches} batches"),
        _ => "an unknown number of batches".to_owned(),
    };
    // What the agent could not date is older than its report.
    let from = gaps.iter().map(|gap| gap.from_ms).min().filter(|from_ms| *from_ms > 0);
    let to = gaps.iter().map(|gap| if gap.to_ms > 0 { gap.to_ms } else { gap.arrived_ms }).max().unwrap_or(0);
    let of_lines = if gaps.iter().all(|gap| gap.lane == Lane::P2) { " of log lines" } else { "" };
    let why = reasons(gaps.iter().map(|gap| reason(gap.reason)));
    format!("host {host}: {batches}{of_lines} missing {} ({why})", between(from, to))
}

fn losses_line(host: &str, losses: &[&LogLoss]) -> String {
    let bytes = losses.iter().fold(0u64, |sum, loss| sum.saturating_add(loss.bytes));
    let from = losses.iter().map(|loss| loss.from_ms).min().filter(|from_ms| *from_ms > 0);
    let to = losses.iter().map(|loss| loss.to_ms).max().unwrap_or(0);
    let why = reasons(losses.iter().map(|loss| loss.reason.as_str()));
    format!("host {host}: {bytes} bytes of log lines missing {} ({why})", between(from, to))
}

/// `from` none: nothing tells since when.
fn between(from: Option<i64>, to: i64) -> String {
    match from {
        Some(from) => format!("between {} and {}", moment(from), moment(to)),
        None => format!("before {}", moment(to)),
    }
}

/// Each once, by name.
fn reasons<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = all.collect::<BTreeSet<_>>().into_iter().collect();
    if all.len() > REASONS_MAX {
        all.truncate(REASONS_MAX);
        all.push("and others");
    }
    all.join(", ")
}

/// The reason as the events name it.
pub(crate) fn reason(reason: GapReason) -> &'static str {
    match reason {
        GapReason::SpoolFull => "the agent's spool was full",
        GapReason::Thinned => "thinned by the agent",
        GapReason::Expired => "too old to be taken",
        GapReason::Refused => "refused for its content",
        GapReason::Lost => "lost by the agent",
        GapReason::Closed => "not sent before a restore",
    }
}

fn moment(millis: i64) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => millis.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use muster_common::label::LabelSet;
    use muster_common::wire::message::Epoch;
    use muster_query::Point;

    use super::*;

    fn gap(host: u8, from: u64, to: u64, reason: GapReason, from_ms: i64, to_ms: i64) -> GapRecord {
        let arrived_ms = 1_700_000_900_000;
        GapRecord {
            host: HostId([host; 16]),
            epoch: Epoch::NONE,
            lane: Lane::P1,
            from,
            to,
            reason,
            from_ms,
            to_ms,
            arrived_ms,
        }
    }

    fn lines(gaps: &[GapRecord], name: &dyn Fn(HostId) -> String, only: Option<&BTreeSet<&str>>) -> Vec<String> {
        Missing { gaps: gaps.to_vec(), losses: Vec::new() }.lines(name, only)
    }

    fn name(host: HostId) -> String {
        format!("web-{}", host.0[0])
    }

    #[test]
    fn each_host_is_one_line_with_what_is_missing_when_and_why() {
        let gaps = [
            gap(1, 5, 9, GapReason::SpoolFull, 1_700_000_000_000, 1_700_000_060_000),
            gap(2, 7, 7, GapReason::Lost, 0, 0),
            gap(1, 12, 12, GapReason::Lost, 1_700_000_120_000, 1_700_000_180_000),
        ];
        assert_eq!(
            lines(&gaps, &name, None),
            [
                "host web-1: 6 batches missing between 2023-11-14T22:13:20Z and 2023-11-14T22:16:20Z (lost by the agent, the agent's spool was full)",
                "host web-2: 1 batch missing before 2023-11-14T22:28:20Z (lost by the agent)",
            ]
        );
    }

    #[test]
    fn lost_lines_are_a_line_of_their_own() {
        let loss = |host: u8, bytes, from_ms, reason: &str| LogLoss {
            host: HostId([host; 16]),
            path: "/var/log/a".into(),
            bytes,
            sources: 1,
            reason: reason.into(),
            from_ms,
            to_ms: 1_700_000_060_000,
        };
        let many: Vec<String> = (0..9).map(|number| format!("reason {number}")).collect();
        let mut losses = vec![loss(1, 7, 1_700_000_000_000, "rotated away"), loss(1, 5, 1_700_000_030_000, "deleted")];
        losses.extend(many.iter().map(|reason| loss(2, 1, 0, reason)));
        let lane = GapRecord { lane: Lane::P2, ..gap(2, 5, 9, GapReason::Refused, 1, 2) };
        assert_eq!(
            Missing { gaps: vec![lane], losses }.lines(&name, None),
            [
                "host web-1: 12 bytes of log lines missing between 2023-11-14T22:13:20Z and 2023-11-14T22:14:20Z (deleted, rotated away)",
                "host web-2: 5 batches of log lines missing between 1970-01-01T00:00:00Z and 1970-01-01T00:00:00Z (refused for its content)",
                "host web-2: 9 bytes of log lines missing before 2023-11-14T22:14:20Z (reason 0, reason 1, reason 2, reason 3, reason 4, and others)",
            ]
        );
    }

    #[test]
    fn only_hosts_of_the_answer_are_named_when_all_its_series_have_one() {
        let point = |pairs: &[(&str, &str)]| Point {
            labels: Arc::new(LabelSet::new(pairs.iter().copied()).unwrap()),
            at_ms: 0,
            value: 0.0,
        };
        let gaps = [gap(1, 1, 1, GapReason::Lost, 1, 2), gap(2, 1, 1, GapReason::Lost, 1, 2)];
        let with_host = Value::Vector(vec![point(&[("host", "web-2")])]);
        let told = lines(&gaps, &name, hosts_of(&with_host).as_ref());
        assert!(told.len() == 1 && told[0].starts_with("host web-2:"), "{told:?}");
        let aggregated = Value::Vector(vec![point(&[("host", "web-2")]), point(&[("env", "p")])]);
        assert_eq!(lines(&gaps, &name, hosts_of(&aggregated).as_ref()).len(), 2);
    }

    #[test]
    fn a_restore_of_the_collector_is_said_whatever_the_answer_is_of() {
        let of_all = |from_ms| GapRecord {
            host: OWN_HOST,
            ..gap(1, 1, u64::MAX, GapReason::Closed, from_ms, 1_700_000_060_000)
        };
        let gaps = [of_all(1_700_000_000_000), of_all(0), gap(1, 1, 1, GapReason::Lost, 1, 2)];
        assert_eq!(
            lines(&gaps, &name, Some(&BTreeSet::from(["web-2"]))),
            [
                "collector: what was acknowledged between 2023-11-14T22:13:20Z and 2023-11-14T22:14:20Z may be missing",
                "collector: what was acknowledged before 2023-11-14T22:14:20Z may be missing",
            ]
        );
    }

    #[test]
    fn many_hosts_are_counted() {
        let gaps: Vec<_> = (1..=30).map(|host| gap(host, 1, 1, GapReason::Lost, 1, 2)).collect();
        let told = lines(&gaps, &name, None);
        assert_eq!((told.len(), told[LINES_MAX].as_str()), (LINES_MAX + 1, "10 more hosts have gaps in this time"));
    }
}
