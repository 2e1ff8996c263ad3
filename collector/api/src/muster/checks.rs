//! Checks as they stand, and who has taken their problems.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::check::{CheckKind, CheckState};
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::Perfdata;
use muster_fleet::status::{Acknowledgement, CheckView};
use muster_fleet::{Fleet, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, read, truth};
use super::holds;
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::State;
use crate::work::{blocking, by};

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let problems = truth(&form, "problems", false, "write problems=true to see only checks that are not well")?;
    let host = form.first("host").map(str::to_owned);
    let fleet = Arc::clone(&state.fleet);
    let checks = blocking("parameter `host`", move || {
        let mut checks = match host {
            Some(asked) => fleet.checks_of_host(fleet.find(&asked)?),
            None if problems => return Ok(fleet.bad_checks()),
            None => return Ok(fleet.checks()),
        };
        checks.retain(|check| !problems || is_problem(check));
        Ok::<_, FleetError>(checks)
    });
    let mut checks = checks.await?;
    checks.sort_by(|a, b| (&a.host_name, &a.check).cmp(&(&b.host_name, &b.check)));
    let checks: Vec<Value> = checks.iter().map(check_json).collect();
    Ok(answer(StatusCode::OK, json!({"checks": checks})))
}

/// Bad, soft or hard, or without news for too long.
fn is_problem(check: &CheckView) -> bool {
    check.state != CheckState::Ok || check.hard_state != CheckState::Ok || check.stale_ms.is_some()
}

pub(super) async fn one(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<(String, String)>,
) -> Result<Response, MusterError> {
    change(&state, asked, |_, _, _| Ok(())).await
}

pub(super) async fn forget(
    Shared(state): Shared<Arc<State>>,
    Path((host, check)): Path<(String, String)>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let id = fleet.find(&host)?;
        // As it was: afterwards there is none to show.
        let before = found(&fleet, id, &check)?;
        fleet.forget_check(id, &check, &by, now)?;
        Ok::<_, FleetError>(before)
    };
    let check = blocking("the check asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"check": check_json(&check)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ack {
    #[serde(default)]
    comment: String,
    #[serde(default)]
    sticky: bool,
    until_ms: Option<i64>,
}

pub(super) async fn acknowledge(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<(String, String)>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Ack = read(request).await?;
    if body.until_ms.is_some_and(|until_ms| until_ms <= now.millis()) {
        let remedy = "give a time in the future, or leave it out";
        return Err(bad("field `until_ms`", "an acknowledgement cannot end before it begins", remedy).into());
    }
    let acknowledgement = acknowledgement(body, by.to_string(), now);
    let work =
        move |fleet: &Fleet, host: HostId, check: &str| fleet.acknowledge(host, Some(check), acknowledgement, &by, now);
    change(&state, asked, work).await
}

fn acknowledgement(body: Ack, by: String, now: Timestamp) -> Acknowledgement {
    let Ack { comment, sticky, until_ms } = body;
    Acknowledgement { by, comment, at_ms: now.millis(), until_ms, is_sticky: sticky }
}

pub(super) async fn unacknowledge(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<(String, String)>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    change(&state, asked, move |fleet, host, check| fleet.unacknowledge(host, Some(check), &by, now)).await
}

/// Finds the check, does the work on it, answers with what it is then.
async fn change(
    state: &Arc<State>,
    (host, check): (String, String),
    work: impl FnOnce(&Fleet, HostId, &str) -> Result<(), FleetError> + Send + 'static,
) -> Result<Response, MusterError> {
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let id = fleet.find(&host)?;
        found(&fleet, id, &check)?;
        work(&fleet, id, &check)?;
        found(&fleet, id, &check)
    };
    let check = blocking("the check asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"check": check_json(&check)})))
}

fn found(fleet: &Fleet, host: HostId, check: &str) -> Result<CheckView, FleetError> {
    fleet.check(host, check).ok_or_else(|| {
        let name = fleet.host(host).map_or_else(|| host.to_string(), |row| row.name);
        FleetError::NoCheck { host: name, check: check.to_owned() }
    })
}

pub(crate) fn check_json(check: &CheckView) -> Value {
    let acknowledgement = check.acknowledgement.as_ref().map(|ack| {
        json!({"by": ack.by, "comment": ack.comment, "at_ms": ack.at_ms, "until_ms": ack.until_ms, "sticky": ack.is_sticky})
    });
    json!({
        "host": check.host_name,
        "host_id": check.host.to_string(),
        "check": check.check,
        "kind": CheckKind::from_u8(check.kind).map(CheckKind::as_str),
        "state": check.state.as_str(),
        "hard_state": check.hard_state.as_str(),
        // Whether what is seen is what is told of.
        "is_hard": check.state == check.hard_state,
        "attempt": check.attempt,
        "max_attempts": check.max_attempts,
        "since_ms": check.since_ms,
        "hard_since_ms": check.hard_since_ms,
        "at_ms": time(check.at_ms),
        "arrived_ms": time(check.arrived_ms),
        "is_live": check.is_live,
        "is_stale": check.stale_ms.is_some(),
        "stale_ms": check.stale_ms,
        "output": check.output,
        "long_output": check.long_output,
        "perfdata": check.perfdata.iter().map(perfdata_json).collect::<Vec<_>>(),
        "duration_ms": check.duration_ms,
        "interval_ms": check.interval_ms,
        "parents": check.parents,
        "remedy": check.remedy,
        "is_flapping": check.is_flapping,
        "flapping_percent": check.flapping_percent,
        "acknowledgement": acknowledgement,
        "holds": holds::of_status(&check.holds),
    })
}

/// 0: it has no result yet.
fn time(at_ms: i64) -> Option<i64> {
    (at_ms != 0).then_some(at_ms)
}

/// NaN is null: JSON has none.
fn perfdata_json(one: &Perfdata) -> Value {
    json!({
        "label": one.label, "value": one.value, "unit": one.unit, "warn": one.warn, "crit": one.crit,
        "min": one.min, "max": one.max,
    })
}
