//! How the collector is: one page for a person, every number for a program.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use muster_alert::RunningGroup;
use muster_alert::outgoing::State as Way;
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use muster_fleet::{HostState, Restored};
use serde_json::{Map, Value, json};

use super::body::object;
use super::storage;
use crate::error::{ApiError, MusterError};
use crate::state::{Https, Problem, SnapshotsView, State};

pub(super) async fn status(Shared(state): Shared<Arc<State>>) -> Result<Response, MusterError> {
    let now = state.now();
    // It reads the store and the folder of snapshots. Not in the pool: how the collector is must be told when that is full.
    object(move || told(&state, now)).await
}

fn told(state: &State, now: Timestamp) -> Value {
    let health = (state.hooks.health)();
    let mut problems: Vec<Value> = health.problems.iter().map(Problem::json).collect();
    problems.extend(host_problems(state));
    let stats = state.stats();
    json!({
        "version": 1,
        "collector": {
            "version": state.version,
            "started_ms": state.started.millis(),
            "uptime_seconds": now.since(state.started).as_secs(),
            "is_ready": health.unready.is_none(),
            "problems": problems,
        },
        "addresses": {"http": state.http.to_string(), "agents": state.agents.to_string()},
        "https": (state.hooks.https)().map(|https| https_json(&https)),
        "restored": state.fleet.restored().map(|restored| restored_json(&restored)),
        "ca": {"expires_ms": ca_ms(&stats)},
        "hosts": hosts(state, now),
        "rules_ms": state.alerting.last_round().millis(),
        "rule_groups": rule_groups(state),
        "storage": storage::json(state, &stats, now),
        "mail": mail_json(state),
        "snapshots": snapshots_json(&(state.hooks.snapshots)()),
        "drops": drops(&stats),
        "numbers": stats.iter().map(number).collect::<Vec<_>>(),
    })
}

/// What waits to be sent, and what never will be.
fn mail_json(state: &State) -> Value {
    state.alerting.ask(|desk| {
        let (queue, (waiting, bytes)) = (desk.queue(), desk.queue().waiting());
        let (mut sending, mut retrying, mut dead) = (0_u64, 0_u64, 0_u64);
        for (_, row) in queue.rows() {
            match row.state {
                Way::Leased { .. } => sending += 1,
                Way::Deferred { .. } => retrying += 1,
                Way::Dead { .. } => dead += 1,
                Way::Queued | Way::Accepted { .. } | Way::Within { .. } => {}
            }
        }
        json!({
            "waiting": waiting, "sending": sending, "retrying": retrying, "waiting_bytes": bytes,
            "oldest_ms": queue.waiting_since_ms(), "dead": dead,
        })
    })
}

/// When the CA that signs now ends.
fn ca_ms(stats: &[Stat]) -> Option<i64> {
    let ends = stats.iter().find(|stat| stat.name == "muster_collector_ca_expiry_timestamp_seconds")?.value;
    (ends > 0.0).then_some((ends * 1_000.0).round() as i64)
}

/// How each group of rules did last.
fn rule_groups(state: &State) -> Vec<Value> {
    state.alerting.ask_rules(|ruler| {
        let group_json = |group: &RunningGroup| {
            let (spec, (took, _)) = (group.spec(), group.times());
            let (mut last_ms, mut failing) = (None, 0_u64);
            for (_, health, _) in group.rules() {
                last_ms = last_ms.max(health.evaluated_ms);
                failing += u64::from(health.error.is_some());
            }
            json!({
                "file": spec.file, "name": spec.name, "interval_ms": spec.interval_ms, "last_ms": last_ms,
                "took_ms": took.as_secs_f64() * 1_000.0, "failing": failing, "missed": group.counts().missed,
            })
        };
        ruler.groups().iter().map(group_json).collect()
    })
}

fn snapshots_json(view: &Result<SnapshotsView, ApiError>) -> Value {
    let (view, problem) = match view {
        Ok(view) => (view, view.ended.as_ref().and_then(|ended| ended.problem.as_deref())),
        Err(error) => (&SnapshotsView::default(), Some(error.message())),
    };
    let newest = view.kept.iter().filter(|row| row.problem.is_none()).max_by_key(|row| row.made);
    json!({
        "count": view.kept.len(),
        "newest_ms": newest.map(|row| row.made.millis()),
        "newest_bytes": newest.map(|row| row.bytes),
        "is_running": view.running.is_some(),
        "problem": problem,
    })
}

/// By what others may know this collector's HTTPS.
fn https_json(https: &Https) -> Value {
    json!({
        "pin": https.pin.to_curl(),
        "ca_pem": https.ca_pem,
        "is_own_ca": https.is_own_ca,
        "names": https.dns_names,
        "addresses": https.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "expires_ms": https.expires.millis(),
    })
}

/// The last restore of the data folder: what was acknowledged between the two times may be missing.
fn restored_json(restored: &Restored) -> Value {
    json!({
        "from_ms": restored.from_ms,
        "to_ms": restored.to_ms,
        // Texts, since a reader of JSON may keep 53 bits of a number.
        "incarnation": restored.incarnation.to_string(),
        "before": restored.before.to_string(),
        "why": restored.why,
        "text": restored.why.as_str(),
    })
}

/// Problems of hosts on this page; the list of hosts has all of them.
const HOST_PROBLEMS_MAX: usize = 100;

/// What agents say is wrong on their hosts, by name of the host.
fn host_problems(state: &State) -> Vec<Value> {
    let mut heard = (state.hooks.presence)();
    heard.retain(|presence| !presence.problems.is_empty());
    let named = heard.into_iter().filter_map(|presence| {
        let row = state.fleet.host(presence.host).filter(|row| row.state == HostState::Active)?;
        Some((row.name, presence.problems))
    });
    let mut named: Vec<(String, Vec<Problem>)> = named.collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let all = named.iter().flat_map(|(name, problems)| {
        problems.iter().map(move |problem| {
            let place = format!("host {name}: {}", problem.place);
            Problem { place, ..problem.clone() }.json()
        })
    });
    let mut told: Vec<Value> = all.clone().take(HOST_PROBLEMS_MAX).collect();
    let more = all.count().saturating_sub(told.len());
    if more > 0 {
        let message = format!("{more} more problems of hosts");
        let remedy = "`muster hosts list --output json` has all of them".to_owned();
        told.push(Problem { message, place: "hosts".to_owned(), remedy }.json());
    }
    told
}

/// Registered hosts by what ingest hears of them, the others by their state.
fn hosts(state: &State, now: Timestamp) -> Value {
    let presence = state.presence();
    let mut lags = Vec::new();
    let (mut by_presence, mut by_state) = (BTreeMap::new(), BTreeMap::new());
    for known in HostState::ALL {
        by_state.insert(known.as_str(), 0_u64);
    }
    for row in state.fleet.hosts() {
        *by_state.entry(row.state.as_str()).or_insert(0) += 1;
        if row.state == HostState::Active {
            let heard = presence.get(&row.id).map_or("unheard", |presence| presence.state.as_str());
            *by_presence.entry(heard.to_owned()).or_insert(0_u64) += 1;
            let newest = presence.get(&row.id).and_then(|presence| presence.newest_data);
            lags.extend(newest.map(|newest| now.millis().saturating_sub(newest.millis())));
        }
    }
    let over = |minutes: i64| lags.iter().filter(|lag| **lag > minutes * 60_000).count();
    let lag = json!({"known": lags.len(), "over_1m": over(1), "over_5m": over(5)});
    json!({"by_state": by_state, "by_presence": by_presence, "lag": lag})
}

/// Everything that was dropped or refused, by reason; what never happened is left out.
fn drops(stats: &[Stat]) -> Vec<Value> {
    let is_drop = |stat: &&Stat| {
        let names = ["_dropped_total", "_refused_total"];
        stat.value > 0.0 && names.iter().any(|end| stat.name.ends_with(end))
    };
    stats.iter().filter(is_drop).map(number).collect()
}

fn number(stat: &Stat) -> Value {
    let labels: Map<String, Value> =
        stat.labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    json!({"name": stat.name, "help": stat.help, "labels": labels, "value": stat.value})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_dropped_is_listed_and_with_its_reason() {
        let stats = [
            Stat::counter("a_dropped_total", "A.", 3).with("reason", "full"),
            Stat::counter("a_dropped_total", "A.", 0).with("reason", "late"),
            Stat::counter("b_refused_total", "B.", 1).with("reason", "unauthorized"),
            Stat::counter("c_total", "C.", 9),
        ];
        let told = drops(&stats);
        assert_eq!(told.len(), 2);
        assert_eq!(
            told[0],
            json!({"name": "a_dropped_total", "help": "A.", "labels": {"reason": "full"}, "value": 3.0})
        );
    }
}
