//! The hosts of a report with their times, out of registry, downtimes and samples.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use muster_common::check::{CheckState, STATE_SERIES};
use muster_common::label::{LabelSet, NAME};
use muster_common::matcher::Matcher;
use muster_common::matcher_text::all_match_by;
use muster_common::sample::is_stale;
use muster_fleet::availability::{Samples, Span, Timeline, Times};
use muster_fleet::{HostRow, HostState};
use muster_store::{Select, SelectError, SelectLimits, View};

use super::Asked;
use crate::error::{ApiError, ErrorKind, chain};
use crate::state::State;

/// Hosts of one report: some 600 million samples of a month, which take a minute or two.
const HOSTS_MAX: usize = 5_000;
/// Of `up` a sample comes every 15 s; one that is missing between two others is no gap.
const UP_EVERY_MS: i64 = 15_000;
const UP_HOLD_MS: i64 = 2 * UP_EVERY_MS;
/// Of a check whose interval is not known (any more): the longest that is usual.
const CHECK_HOLD_MS: i64 = 3_600_000;
/// Samples that are read at once: some 32 MB.
const SAMPLES_AT_ONCE: i64 = 2_000_000;
/// However many hosts there are, a piece of time is no shorter.
const PIECE_MIN_MS: i64 = 600_000;

/// A report.
pub(super) struct Found {
    pub(super) asked: Asked,
    /// By the group's value; hosts that have no such label are of the empty one.
    pub(super) groups: BTreeMap<String, Vec<HostTimes>>,
    /// What could not be read of the store.
    pub(super) warnings: Vec<String>,
}

/// One host in its part of the window.
pub(super) struct HostTimes {
    pub(super) host: String,
    /// From when it was let in, to when it was retired.
    pub(super) window: Span,
    pub(super) times: Times,
}

pub(super) fn gather(state: &State, asked: Asked, cancelled: &Arc<AtomicBool>) -> Result<Found, ApiError> {
    let hosts = hosts(state, &asked)?;
    let view = state.reader.view();
    let timelines = match &asked.check {
        None => timelines(&view, &asked, &hosts, "up", cancelled, |_| UP_HOLD_MS),
        Some(check) => timelines(&view, &asked, &hosts, STATE_SERIES, cancelled, |row| hold_of(state, row, check)),
    };
    let timelines = timelines.map_err(refusal)?;
    let planner = state.fleet.planner(asked.window);
    let nothing = Timeline::default();
    let mut groups: BTreeMap<String, Vec<HostTimes>> = BTreeMap::new();
    for (row, window) in hosts {
        let timeline = timelines.get(&row.name).unwrap_or(&nothing);
        if asked.check.is_some() && timeline.spans().is_empty() {
            // It has no such check.
            continue;
        }
        let planned = planner.planned(row.id, &row.name, &row.labels, asked.check.as_deref());
        let times = Times::measure(window, timeline, &planned);
        let value = asked.group.as_ref().and_then(|label| row.labels.get(label)).cloned().unwrap_or_default();
        groups.entry(value).or_default().push(HostTimes { host: row.name, window, times });
    }
    for group in groups.values_mut() {
        group.sort_by(|a, b| (&a.host, a.window).cmp(&(&b.host, b.window)));
    }
    Ok(Found { asked, groups, warnings: view.warnings() })
}

/// Hosts that were there in a part of the window, with that part.
fn hosts(state: &State, asked: &Asked) -> Result<Vec<(HostRow, Span)>, ApiError> {
    let mut found = Vec::new();
    for row in state.fleet.hosts() {
        let is_known = matches!(row.state, HostState::Active | HostState::Retired);
        let from_ms = asked.window.0.max(row.enrolled_ms.unwrap_or(row.asked_ms));
        let to_ms = asked.window.1.min(row.retired_ms.unwrap_or(i64::MAX));
        let label = |name: &str| {
            if name == "host" { Some(row.name.as_str()) } else { row.labels.get(name).map(String::as_str) }
        };
        if is_known && from_ms < to_ms && all_match_by(&asked.matchers, label) {
            found.push((row, (from_ms, to_ms)));
        }
    }
    if found.len() > HOSTS_MAX {
        let what = format!("these are {} hosts, and a report has at most {HOSTS_MAX}", found.len());
        return Err(super::bad("parameter `match`", what, "ask for some of them, such as match=role=web"));
    }
    Ok(found)
}

/// How long a result of a check counts where none follows: as long as it is not stale.
fn hold_of(state: &State, row: &HostRow, check: &str) -> i64 {
    let interval_ms = state.fleet.check(row.id, check).map_or(0, |view| view.interval_ms);
    match i64::try_from(interval_ms) {
        Ok(interval_ms) if interval_ms > 0 => interval_ms.saturating_mul(3).saturating_add(60_000),
        _ => CHECK_HOLD_MS,
    }
}

/// What is known of each host, by its name, read piece by piece of time.
fn timelines(
    view: &View,
    asked: &Asked,
    hosts: &[(HostRow, Span)],
    series: &str,
    cancelled: &Arc<AtomicBool>,
    hold_ms: impl Fn(&HostRow) -> i64,
) -> Result<HashMap<String, Timeline>, SelectError> {
    let mut builders: HashMap<&str, (Samples, &HostRow)> = HashMap::new();
    let mut longest_ms = 0;
    for (row, _) in hosts {
        let hold_ms = hold_ms(row);
        longest_ms = hold_ms.max(longest_ms);
        builders.insert(&row.name, (Samples::new(hold_ms), row));
    }
    let mut matchers = vec![Matcher::equal(NAME, series)];
    matchers.extend(asked.check.as_ref().map(|check| Matcher::equal("check", check)));
    if let [(row, _)] = hosts {
        matchers.push(Matcher::equal("host", &row.name));
    }
    let count = i64::try_from(hosts.len().max(1)).unwrap_or(i64::MAX);
    let piece_ms = (SAMPLES_AT_ONCE / count).saturating_mul(UP_EVERY_MS).max(PIECE_MIN_MS);
    // What came before the window says how it begins.
    let mut from_ms = asked.window.0.saturating_sub(longest_ms);
    while from_ms < asked.window.1 {
        let to_ms = from_ms.saturating_add(piece_ms).min(asked.window.1);
        let (limits, cancelled) = (SelectLimits::default(), Some(&**cancelled));
        let select = Select { matchers: &matchers, from_ms, to_ms: to_ms - 1, limits, cancelled };
        let mut by_host: HashMap<&str, Vec<(i64, f64)>> = HashMap::new();
        let found = view.select(&select)?;
        for one in &found {
            let Some(host) = one.labels.get("host") else { continue };
            if builders.get(host).is_some_and(|(_, row)| asked.check.is_some() || is_own(&one.labels, row)) {
                by_host.entry(host).or_default().extend(one.millis.iter().copied().zip(one.values.iter().copied()));
            }
        }
        for (host, mut samples) in by_host {
            // A host whose labels changed has several series; the end of one does not hide the beginning of the next.
            samples.sort_by(|a, b| a.0.cmp(&b.0).then(is_stale(a.1).cmp(&is_stale(b.1))));
            if let Some((builder, _)) = builders.get_mut(host) {
                samples
                    .into_iter()
                    .for_each(|(at_ms, value)| builder.push(at_ms, meaning(value, asked.check.is_some())));
            }
        }
        from_ms = to_ms;
    }
    Ok(builders.into_iter().map(|(host, (builder, _))| (host.to_owned(), builder.finish())).collect())
}

/// Whether this `up` is what the collector says of the host, and not what something on it says of its own targets.
fn is_own(labels: &LabelSet, row: &HostRow) -> bool {
    let is = |label: &str, usual: &str| {
        let value = labels.get(label).unwrap_or_default();
        value == usual || row.labels.get(label).is_some_and(|own| own == value)
    };
    is("instance", &row.name) && is("job", "node")
}

/// What a sample says: of a host 1 is up; a check is up unless it is CRITICAL, and UNKNOWN says nothing.
fn meaning(value: f64, is_check: bool) -> Option<bool> {
    if value.is_nan() {
        return None;
    }
    if !is_check {
        return Some(value > 0.0);
    }
    let is = |state: CheckState| (value - f64::from(state as u8)).abs() < 0.5;
    if is(CheckState::Unknown) { None } else { Some(!is(CheckState::Critical)) }
}

fn refusal(error: SelectError) -> ApiError {
    let kind = match &error {
        SelectError::Cancelled => ErrorKind::Canceled,
        SelectError::Io(_) | SelectError::Damaged { .. } => {
            tracing::error!("samples could not be read: {}", chain(&error));
            ErrorKind::Internal
        }
        _ => ErrorKind::Execution,
    };
    ApiError::new(kind, chain(&error)).remedy("ask for fewer hosts with match=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_up_and_unknown_is_not_known() {
        for (state, expect) in [
            (CheckState::Ok, Some(true)),
            (CheckState::Warning, Some(true)),
            (CheckState::Critical, Some(false)),
            (CheckState::Unknown, None),
        ] {
            assert_eq!(meaning(f64::from(state as u8), true), expect, "{state}");
        }
        assert_eq!((meaning(1.0, false), meaning(0.0, false)), (Some(true), Some(false)));
        assert_eq!(meaning(f64::NAN, false), None);
    }
}
