//! Roll-outs: how far they are, and taking the wheel.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::time::Timestamp;
use muster_fleet::{By, Fleet, FleetError, Rollout};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::MusterError;
use crate::muster::body::{answer, read};
use crate::state::State;
use crate::work::{blocking, by};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    #[serde(default)]
    reason: String,
}

/// Newest first.
pub(in crate::muster) async fn rollouts(Shared(state): Shared<Arc<State>>) -> Response {
    let all: Vec<Value> = state.fleet.rollouts().iter().map(|row| rollout(&state.fleet, row)).collect();
    answer(StatusCode::OK, json!({"rollouts": all}))
}

/// Nobody else gets the new documents.
pub(in crate::muster) async fn stop(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, request, |fleet, by, reason, now| {
        Ok(json!({"rollout": rollout(fleet, &fleet.stop_rollout(by, reason, now)?)}))
    })
    .await
}

/// Goes on with a stopped one.
pub(in crate::muster) async fn resume(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, request, |fleet, by, _, now| Ok(json!({"rollout": rollout(fleet, &fleet.resume_rollout(by, now)?)})))
        .await
}

/// What was before is in force again.
pub(in crate::muster) async fn revert(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, request, |fleet, by, reason, now| {
        let done = fleet.revert_rollout(by, reason, now)?;
        Ok(json!({"applied": {"set": done.version, "changed": done.is_changed, "rollout": null}}))
    })
    .await
}

/// Does this to the open roll-out, by whoever asks and for the reason given.
async fn steer(
    state: &Arc<State>,
    request: Request,
    act: fn(&Fleet, &By, &str, Timestamp) -> Result<Value, FleetError>,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Why = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let done = blocking("the roll-out", move || act(&fleet, &by, &body.reason, now)).await?;
    Ok(answer(StatusCode::OK, done))
}

/// A roll-out, its hosts by name.
pub(super) fn rollout(fleet: &Fleet, row: &Rollout) -> Value {
    let name = |host| fleet.host(host).map(|row| row.name);
    let failed = row.failed.iter().map(
        |one| json!({"id": one.host.to_string(), "host": name(one.host), "problem": one.problem, "at_ms": one.at_ms}),
    );
    json!({
        "set": row.target,
        "base": row.base,
        "state": row.state.as_str(),
        "wave": row.wave,
        "reason": (!row.reason.is_empty()).then_some(&row.reason),
        "by": row.by,
        "begun_ms": row.begun_ms,
        "changed_ms": row.changed_ms,
        "hosts": row.hosts,
        "good": row.good,
        "failed": failed.collect::<Vec<_>>(),
    })
}
