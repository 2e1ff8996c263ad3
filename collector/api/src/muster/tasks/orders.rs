//! Orders: how they stand, approvals, taking the wheel.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{FleetError, STEP_BACK, STEP_FORWARD, TaskSteer};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rows::{host_json, order_json};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::muster::body::{answer, bad, limit, numbered, read};
use crate::muster::maintenances::maintenance_json;
use crate::state::State;
use crate::work::{blocking, by};

/// Orders that a list has at most: as many as are kept.
const ORDERS_MAX: usize = muster_fleet::TASK_ORDERS_KEPT;

/// Newest first.
pub(in crate::muster) async fn list(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let form = Parameters::of_uri(request.uri())?;
    let limit = limit(&form, ORDERS_MAX, ORDERS_MAX)?;
    let orders: Vec<Value> = state.fleet.task_orders().iter().take(limit).map(order_json).collect();
    Ok(answer(StatusCode::OK, json!({"paused": state.fleet.tasks_paused(), "orders": orders})))
}

/// One, with its hosts in their turns and the maintenances that it opened.
pub(in crate::muster) async fn one(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
) -> Result<Response, MusterError> {
    let number = numbered(&asked, "an order", "muster task list")?;
    let fleet = Arc::clone(&state.fleet);
    let look = move || {
        let view = fleet.task_order(number).ok_or(FleetError::NoTaskOrder { number })?;
        let hosts: Vec<Value> = fleet.task_hosts(number).iter().map(|one| host_json(&fleet, one)).collect();
        let maintenances = fleet.task_maintenances(number);
        let maintenances: Vec<Value> = maintenances.iter().rev().map(|one| maintenance_json(&fleet, one)).collect();
        Ok::<_, FleetError>(json!({"order": order_json(&view), "hosts": hosts, "maintenances": maintenances}))
    };
    Ok(answer(StatusCode::OK, blocking("the order asked for", look).await?))
}

/// What a host's call wrote.
pub(in crate::muster) async fn output(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let number = numbered(&asked, "an order", "muster task list")?;
    let form = Parameters::of_uri(request.uri())?;
    let Some(host) = form.first("host").map(str::to_owned) else {
        return Err(bad("parameter `host`", "no host is named", "give its name or id").into());
    };
    let step = match form.first("step") {
        None | Some("0") => STEP_FORWARD,
        Some("1") => STEP_BACK,
        Some(other) => {
            let remedy = "write 0 for the task, 1 for what takes it back";
            return Err(bad("parameter `step`", format!("`{other}` is no step"), remedy).into());
        }
    };
    let fleet = Arc::clone(&state.fleet);
    let look = move || {
        let id = fleet.find(&host)?;
        let wrote = fleet.task_output(number, id, step)?;
        Ok::<_, FleetError>(json!({
            "order": number,
            "host": fleet.host(id).map(|row| row.name),
            "step": step,
            "text": wrote.text,
            "output_bytes": wrote.heard.output_bytes,
            "dropped_bytes": wrote.heard.dropped_bytes + wrote.heard.left_out,
        }))
    };
    Ok(answer(StatusCode::OK, blocking("the order asked for", look).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// The name under which hosts have the key.
    approver: String,
    /// 128 hexadecimal digits.
    signature: String,
}

/// Somebody approves an order.
pub(in crate::muster) async fn approve(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let number = numbered(&asked, "an order", "muster task list")?;
    let body: Signed = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let approving = move || fleet.approve_task(number, &body.approver, &body.signature, &by, now);
    let view = blocking("the approval", approving).await?;
    Ok(answer(StatusCode::OK, json!({"order": order_json(&view)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    #[serde(default)]
    reason: String,
}

/// No host begins until it is resumed.
pub(in crate::muster) async fn pause(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, &asked, request, TaskSteer::Pause).await
}

/// Goes on with a paused one.
pub(in crate::muster) async fn resume(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, &asked, request, TaskSteer::Resume).await
}

/// Nobody else begins, and what runs is stopped.
pub(in crate::muster) async fn stop(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, &asked, request, TaskSteer::Stop).await
}

/// Takes back what was done.
pub(in crate::muster) async fn roll_back(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    steer(&state, &asked, request, TaskSteer::RollBack).await
}

async fn steer(state: &Arc<State>, asked: &str, request: Request, steer: TaskSteer) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let number = numbered(asked, "an order", "muster task list")?;
    let body: Why = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let view = blocking("the order", move || fleet.steer_task(number, steer, &body.reason, &by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"order": order_json(&view)})))
}

/// Nothing is sent to anybody.
pub(in crate::muster) async fn pause_all(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Why = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    blocking("the request's body", move || fleet.pause_tasks(&body.reason, &by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"paused": state.fleet.tasks_paused()})))
}

/// Takes that back.
pub(in crate::muster) async fn resume_all(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let fleet = Arc::clone(&state.fleet);
    blocking("the request", move || fleet.resume_tasks(&by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"paused": Value::Null})))
}
