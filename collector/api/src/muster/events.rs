//! What happened: to hosts, tokens and certificates, and what is known to be missing.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::Event;
use serde_json::{Value, json};

use super::body::{answer, limit};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::State;
use crate::work::blocking;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// The newest events, those of gaps among them, newest first.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let limit = limit(&form, LIMIT, LIMIT_MAX)?;
    let fleet = Arc::clone(&state.fleet);
    let events = blocking("events", move || fleet.events(limit)).await?;
    let all: Vec<Value> = events.into_iter().map(event_json).collect();
    Ok(answer(StatusCode::OK, json!({"events": all})))
}

pub(crate) fn event_json(event: Event) -> Value {
    json!({
        "id": format!("{:032x}-{}", u128::from_be_bytes(event.epoch.0), event.seq), "ms": event.ms, "kind": event.kind, "host": event.host.map(|host| host.to_string()), "host_name": event.host_name,
        "text": event.text, "by": event.by, "fields": event.fields,
    })
}
