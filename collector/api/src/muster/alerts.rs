//! Alerts of all sources, and who was told of them or why nobody is.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::desk::Desk;
use muster_alert::dispatch::Group;
use muster_alert::{Alert, AlertId, Held, HeldReason, Origin, RunningGroup};
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match, read_matchers};
use muster_fleet::status::Subject;
use serde_json::{Map, Value, json};

use super::body::{answer, bad, truth};
use super::holds;
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::state::State;

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let all = truth(&form, "all", false, "write all=true to see pending alerts too, and those that ended lately")?;
    let matchers = matchers(&form)?;
    let (alerting, now_ms) = (Arc::clone(&state.alerting), state.now().millis());
    let alerts = state.pool.run(move |_| {
        let mut alerts = alerting.ask(|desk| {
            let wanted = desk.dispatch().alerts().filter(|alert| all || alert.is_firing());
            let matching = wanted.filter(|alert| all_match(&matchers, &alert.labels));
            matching.map(|alert| alert_json(desk, alert, now_ms)).collect::<Vec<_>>()
        });
        if all {
            alerts.extend(alerting.ask_rules(|ruler| {
                let alerts = ruler.groups().iter().flat_map(RunningGroup::rules).flat_map(|(_, _, alerts)| alerts);
                let pending = alerts.filter(|(state, _)| *state == "pending");
                let matching = pending.filter(|(_, alert)| all_match(&matchers, &alert.labels));
                matching.map(|(_, alert)| pending_json(&alert)).collect::<Vec<_>>()
            }));
        }
        alerts
    });
    Ok(answer(StatusCode::OK, json!({"alerts": alerts.await?})))
}

/// Every alert that fires, as the list has it.
pub(crate) fn firing_rows(state: &State, now_ms: i64) -> Vec<Value> {
    state.alerting.ask(|desk| {
        let firing = desk.dispatch().alerts().filter(|alert| alert.is_firing());
        firing.map(|alert| alert_json(desk, alert, now_ms)).collect()
    })
}

fn matchers(form: &Parameters) -> Result<Vec<Matcher>, ApiError> {
    let mut all = Vec::new();
    for text in form.all("matcher").filter(|text| !text.is_empty()) {
        let remedy = "write such as alertname=HostSilent or env=~\"prod.*\"";
        all.extend(
            read_matchers(text).map_err(|error| bad("parameter `matcher`", format!("`{text}`: {error}"), remedy))?,
        );
    }
    Ok(all)
}

/// The alert of an id as answers show it.
pub(super) fn find<'d>(desk: &'d Desk, id: &str) -> Result<&'d Alert, ApiError> {
    let found = desk.dispatch().alerts().find(|alert| alert.id.to_string() == id);
    found.ok_or_else(|| {
        ApiError::new(ErrorKind::NotFound, format!("no alert `{id}` is known"))
            .place("the alert asked for")
            .remedy("`muster alerts --all` shows the ids")
    })
}

/// What holds it back on all of its ways: mute times only where every route has one.
pub(super) fn common_holds<W>(ways: &[(W, Vec<Held>)]) -> Vec<Held> {
    let Some(((_, first), rest)) = ways.split_first() else { return Vec::new() };
    let is_common = |held: &&Held| {
        held.why != HeldReason::MuteTime
            || rest.iter().all(|(_, held)| held.iter().any(|other| other.why == HeldReason::MuteTime))
    };
    first.iter().filter(is_common).cloned().collect()
}

/// When a receiver was told of it first in this incident.
pub(super) fn told_ms(group: &Group, id: AlertId) -> Option<i64> {
    group.members.get(&id)?.told.map(|told| told.at_ms)
}

/// A receiver: when it was told of the alert, else when it will be, and whether that is with what else a storm brought.
fn receiver_json(desk: &Desk, (key, group): (&str, &Group), id: AlertId) -> Value {
    let told_ms = told_ms(group, id);
    let next_ms = desk.dispatch().next_look_ms(key).filter(|at_ms| told_ms.is_none() && *at_ms > i64::MIN);
    json!({"receiver": group.receiver, "told_ms": told_ms, "next_ms": next_ms, "storm": group.is_mass})
}

fn alert_json(desk: &Desk, alert: &Alert, now_ms: i64) -> Value {
    let groups = desk.dispatch().groups_of(alert.id);
    let receivers: Vec<Value> = groups.map(|(key, group)| receiver_json(desk, (key, group), alert.id)).collect();
    let holds = if alert.is_firing() { common_holds(&desk.routing().held_ways(alert, now_ms)) } else { Vec::new() };
    let state = if alert.is_firing() { "firing" } else { "resolved" };
    let mut json = plain_json(alert, state);
    json["receivers"] = receivers.into();
    json["holds"] = holds::of_alert(&holds).into();
    json
}

/// A rule's alert before its `for` is over: nobody is told, so no route has it.
fn pending_json(alert: &Alert) -> Value {
    let mut json = plain_json(alert, "pending");
    json["starts_ms"] = Value::Null;
    json["receivers"] = json!([]);
    json["holds"] = holds::of_alert(&alert.holds).into();
    json
}

fn plain_json(alert: &Alert, state: &str) -> Value {
    json!({
        "id": alert.id.to_string(),
        "state": state,
        "labels": labels_json(&alert.labels),
        "annotations": alert.annotations,
        "origin": origin_json(&alert.origin),
        "active_ms": alert.active_ms,
        "starts_ms": alert.starts_ms,
        "ends_ms": alert.ends_ms,
        "updated_ms": alert.updated_ms,
        "value": alert.value,
        "expression": alert.expression,
    })
}

pub(super) fn labels_json(labels: &LabelSet) -> Map<String, Value> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn origin_json(origin: &Origin) -> Value {
    match origin {
        Origin::Rule { file, group, rule } => json!({"kind": "rule", "file": file, "group": group, "rule": rule}),
        Origin::Status(Subject::Host { host }) => json!({"kind": "host", "host_id": host.to_string()}),
        Origin::Status(Subject::Check { host, check }) => {
            json!({"kind": "check", "host_id": host.to_string(), "check": check})
        }
        Origin::Status(Subject::Fleet) => json!({"kind": "fleet"}),
        Origin::Status(Subject::Maintenance { id }) => json!({"kind": "maintenance", "maintenance": id}),
        Origin::Pushed { by } => json!({"kind": "pushed", "by": by}),
    }
}
