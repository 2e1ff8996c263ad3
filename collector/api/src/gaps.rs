//! Known losses in the time of an answer, said in its warnings: one line a host, and one for what a restore of the collector lost.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::wire::message::GapReason;
use muster_fleet::{Fleet, OWN_HOST as OWN_HOST_NAME};
use muster_query::Value;
use muster_store::{GapRecord, OWN_HOST};

/// Hosts that are named in one answer; the rest is counted. A dashboard shows no more.
const LINES_MAX: usize = 20;

/// The lines for an answer that was made of samples of this time, both ends included. Where every series of it has a label `host` that
/// the registry knows, only these hosts matter; else any host may have gone into it, or be missing for its gap: a host that was
/// renamed has samples under its former name.
pub(crate) fn warnings(fleet: &Fleet, read: Option<(i64, i64)>, value: &Value) -> Vec<String> {
    let Some((from_ms, to_ms)) = read else { return Vec::new() };
    let gaps = match fleet.gaps(from_ms, to_ms) {
        Ok(gaps) => gaps,
        Err(error) => {
            tracing::warn!("known gaps could not be read: {error}");
            return vec![format!("known gaps could not be read, so this answer may miss samples unsaid: {error}")];
        }
    };
    if gaps.is_empty() {
        return Vec::new();
    }
    let name = |host| fleet.host(host).map_or_else(|| host.to_string(), |row| row.name);
    let rows = fleet.hosts();
    // The collector's own series are of a host that is in no registry.
    let known: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).chain([OWN_HOST_NAME]).collect();
    lines(&gaps, &name, hosts_of(value).filter(|hosts| hosts.is_subset(&known)).as_ref())
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

fn lines(gaps: &[GapRecord], name: &dyn Fn(HostId) -> String, only: Option<&BTreeSet<&str>>) -> Vec<String> {
    let mut by_host: BTreeMap<String, Vec<&GapRecord>> = BTreeMap::new();
    // Which hosts a restore touched nobody can tell: it is said whatever the answer is made of.
    let (of_all, gaps): (Vec<&GapRecord>, Vec<&GapRecord>) = gaps.iter().partition(|gap| gap.host == OWN_HOST);
    for gap in gaps {
        by_host.entry(name(gap.host)).or_default().push(gap);
    }
    by_host.retain(|host, _| only.is_none_or(|only| only.contains(host.as_str())));
    let all = by_host.len();
    // The newest restores: more of them in one answer tell nothing new.
    let restores = of_all.iter().rev().take(LINES_MAX).rev();
    let mut lines: Vec<String> = restores.map(|gap| restored_line(gap.from_ms, gap.to_ms)).collect();
    lines.extend(by_host.into_iter().take(LINES_MAX).map(|(host, gaps)| line(&host, &gaps)));
    if all > LINES_MAX {
        lines.push(format!("{} more hosts have gaps in this time", all - LINES_MAX));
    }
    lines
}

/// What a restore of the collector may have lost; `from_ms` 0: nothing tells since when.
fn restored_line(from_ms: i64, to_ms: i64) -> String {
    let to = moment(to_ms);
    match from_ms {
        1.. => format!("collector: what was acknowledged between {} and {to} may be missing", moment(from_ms)),
        _ => format!("collector: what was acknowledged before {to} may be missing"),
    }
}

fn line(host: &str, gaps: &[&GapRecord]) -> String {
    let reasons: BTreeSet<&str> = gaps.iter().map(|gap| reason(gap.reason)).collect();
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
    let between = match from {
        Some(from) => format!("between {} and {}", moment(from), moment(to)),
        None => format!("before {}", moment(to)),
    };
    let reasons: Vec<&str> = reasons.into_iter().collect();
    format!("host {host}: {batches} missing {between} ({})", reasons.join(", "))
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
    use muster_common::wire::message::{Epoch, Lane};
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
