//! Freezes: times at which nothing is to be deployed.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{Freeze, FreezeSpec, OVERRIDE_MS};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shown::{freeze_json, override_json};
use crate::error::MusterError;
use crate::muster::body::{answer, read, span};
use crate::state::State;
use crate::work::{blocking, by};

/// All: those of the file by name, then those of the API.
pub(in crate::muster) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    let all: Vec<Value> = state.fleet.freezes(state.now()).iter().map(freeze_json).collect();
    answer(StatusCode::OK, json!({"freezes": all}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    matchers: Vec<String>,
    /// Absent: from now on.
    from_ms: Option<i64>,
    /// Absent: for good, of one that recurs.
    to_ms: Option<i64>,
    every: Option<String>,
    zone: Option<String>,
    #[serde(default)]
    reason: String,
}

pub(in crate::muster) async fn add(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let spec = FreezeSpec {
        matchers: body.matchers.join(", "),
        from_ms: Some(body.from_ms.unwrap_or(now.millis())),
        to_ms: body.to_ms,
        recurrence: body.every.unwrap_or_default(),
        zone: body.zone.unwrap_or_default(),
        reason: body.reason,
    };
    let fleet = Arc::clone(&state.fleet);
    let made = blocking("the request's body", move || fleet.add_freeze(spec, &by, now)).await?;
    Ok(answer(StatusCode::CREATED, json!({"freeze": own(&state, &made)})))
}

/// Ends one now.
pub(in crate::muster) async fn end(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let fleet = Arc::clone(&state.fleet);
    let ended = blocking("the freeze asked for", move || fleet.end_freeze(&id, &by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"freeze": own(&state, &ended)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lift {
    service: String,
    env: String,
    #[serde(default)]
    reason: String,
    /// For how long; absent: an hour.
    #[serde(rename = "for")]
    lasts: Option<String>,
}

/// Lifts what freezes a service in an environment now.
pub(in crate::muster) async fn lift(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Lift = read(request).await?;
    let lasts_ms = match &body.lasts {
        None => OVERRIDE_MS,
        Some(text) => i64::try_from(span("for", text)?.as_millis()).unwrap_or(i64::MAX),
    };
    let fleet = Arc::clone(&state.fleet);
    let work = move || fleet.override_freeze((&body.service, &body.env), &body.reason, lasts_ms, &by, now);
    let made = blocking("the request's body", work).await?;
    Ok(answer(StatusCode::CREATED, json!({"override": override_json(&made)})))
}

/// One of the API as it is listed.
fn own(state: &State, made: &Freeze) -> Value {
    let id = made.id.to_string();
    let view = state.fleet.freezes(state.now()).into_iter().find(|one| one.file.is_none() && one.id == id);
    view.as_ref().map(freeze_json).unwrap_or_default()
}
