//! The rows of each topic, and what counts of them: a result that only repeats what is known is no change.

use std::collections::HashMap;

use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_fleet::status::{CheckMark, CheckView, MaintenanceState};
use muster_fleet::{HostRow, HostState};
use serde_json::Value;

use super::tracker::digest;
use crate::alertmanager::silence_json;
use crate::muster::{check_json, downtime_json, firing_rows, host_json, maintenance_json, order_json, running_deploys};
use crate::state::{HostPresence, State};

/// Rows that are made anew at each look, by id: there are few of them.
pub(super) type Made = HashMap<String, Value>;

/// When a receiver is looked at next changes without that anything else does.
const NOT_TOLD: [&str; 1] = ["next_ms"];

pub(super) fn alerts(state: &State, now_ms: i64) -> Made {
    let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
    firing_rows(state, now_ms).into_iter().map(|row| (id(&row), row)).collect()
}

pub(super) fn silences(state: &State, now_ms: i64) -> Made {
    state.alerting.ask(|desk| {
        let all = desk.routing().silences().iter();
        all.map(|silence| (silence.id.clone(), silence_json(silence, now_ms))).collect()
    })
}

pub(super) fn downtimes(state: &State, now_ms: i64) -> Made {
    let all = state.fleet.downtimes();
    all.iter().map(|downtime| (downtime.id.to_string(), downtime_json(&state.fleet, downtime, now_ms))).collect()
}

/// Those that are not closed.
pub(super) fn maintenances(state: &State) -> Made {
    let all = state.fleet.maintenances();
    let open = all.iter().filter(|one| one.state != MaintenanceState::Closed);
    open.map(|one| (one.id.to_string(), maintenance_json(&state.fleet, one))).collect()
}

/// One row: pages that show items load their list anew when it changes.
pub(super) fn discovery(state: &State) -> Made {
    let revision = *state.fleet.subscribe_discovery().borrow();
    let counts: serde_json::Map<String, Value> = state
        .fleet
        .discovery_counts()
        .into_iter()
        .map(|(state, count)| (state.as_str().to_owned(), count.into()))
        .collect();
    let row = serde_json::json!({"id": "discovery", "revision": revision, "counts": counts});
    Made::from([("discovery".to_owned(), row)])
}

/// One row: pages that show deploys load their list anew when it changes.
pub(super) fn deploys(state: &State) -> Made {
    let revision = *state.fleet.subscribe_deploys().borrow();
    let row = serde_json::json!({"id": "deploys", "revision": revision, "running": running_deploys(&state.fleet)});
    Made::from([("deploys".to_owned(), row)])
}

/// Orders that are followed: those that people look at.
const ORDERS_FOLLOWED: usize = 50;

/// The newest orders.
pub(super) fn tasks(state: &State) -> Made {
    let newest = state.fleet.task_orders();
    newest.iter().take(ORDERS_FOLLOWED).map(|view| (view.order.number.to_string(), order_json(view))).collect()
}

/// The digest of a row that was made.
pub(super) fn made_digest(row: &Value) -> u64 {
    let mut row = row.clone();
    for receiver in row.get_mut("receivers").and_then(Value::as_array_mut).into_iter().flatten() {
        NOT_TOLD.iter().for_each(|name| drop(receiver.as_object_mut().map(|receiver| receiver.remove(*name))));
    }
    digest(row.to_string())
}

pub(super) fn check_id((host, check): &(HostId, String)) -> String {
    format!("{host}/{check}")
}

pub(super) fn key_of(check: &CheckView) -> (HostId, String) {
    (check.host, check.check.clone())
}

/// What counts of a check: that another result came of one that is well does not, nor do its numbers.
pub(super) fn check_digest(check: &CheckMark<'_>) -> u64 {
    let is_bad = check.state != CheckState::Ok || check.hard_state != CheckState::Ok;
    let acknowledgement =
        check.acknowledgement.map(|ack| (&ack.by, &ack.comment, ack.at_ms, ack.until_ms, ack.is_sticky));
    let holds: Vec<_> = check.holds.iter().map(|hold| (hold.why, &hold.by, hold.until_ms)).collect();
    let states = (check.state.as_str(), check.hard_state.as_str(), check.attempt, check.max_attempts);
    let times = (check.since_ms, check.hard_since_ms, check.stale_ms, check.interval_ms);
    let words = (check.host_name, is_bad.then_some(check.output), check.parents, check.remedy, check.kind);
    digest((states, times, words, check.is_flapping, acknowledgement, holds))
}

pub(super) fn check_row(check: &CheckView) -> Value {
    check_json(check)
}

/// What of a host's presence counts: not that something arrived.
pub(super) fn presence_digest(presence: &HostPresence) -> u64 {
    let problems: Vec<_> = presence.problems.iter().map(|one| (&one.message, &one.place, &one.remedy)).collect();
    digest((&presence.state, problems))
}

/// What counts of a host; `None`: it is in no list.
pub(super) fn host_digest(row: &HostRow, presence: Option<&HostPresence>) -> Option<u64> {
    if row.state == HostState::Retired {
        return None;
    }
    let row = HostRow { last_hello_ms: None, ..row.clone() };
    Some(digest((format!("{row:?}"), presence.map(presence_digest))))
}

pub(super) fn host_row(row: &HostRow, presence: Option<&HostPresence>) -> Value {
    host_json(row, presence)
}
