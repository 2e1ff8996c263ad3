//! What happened: to hosts, tokens and certificates, and what is known to be missing.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::Event;
use muster_store::OWN_HOST;
use serde_json::{Value, json};

use super::body::{answer, blocking};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::gaps::reason;
use crate::state::State;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// The newest events and the gaps that ended last, newest first, at most `limit` of both together.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let limit = match form.first("limit").map(str::parse::<usize>) {
        None => LIMIT,
        Some(Ok(limit @ 1..=LIMIT_MAX)) => limit,
        Some(_) => {
            return Err(ApiError::new(ErrorKind::BadData, "`limit` is no number of events")
                .place("parameter `limit`")
                .remedy(format!("write a number from 1 to {LIMIT_MAX}"))
                .into());
        }
    };
    let fleet = Arc::clone(&state.fleet);
    let (events, gaps) = blocking("events", move || Ok((fleet.events(limit)?, fleet.newest_gaps(limit)?))).await?;
    let mut all: Vec<(i64, Value)> = events.into_iter().map(|event| (event.ms, event_json(event))).collect();
    // What a restore may have lost has an event of its own.
    all.extend(gaps.iter().filter(|gap| gap.host != OWN_HOST).map(|gap| {
        let name = state.fleet.host(gap.host).map(|row| row.name).unwrap_or_default();
        let json = json!({
            "ms": gap.arrived_ms, "kind": "gap", "host": gap.host.to_string(), "host_name": name, "by": "agent",
            "text": format!("batches {} to {} of {name} will never come: {}", gap.from, gap.to, reason(gap.reason)),
            "fields": {"from": gap.from.to_string(), "to": gap.to.to_string(), "from_ms": gap.from_ms.to_string(), "to_ms": gap.to_ms.to_string()},
        });
        (gap.arrived_ms, json)
    }));
    all.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
    all.truncate(limit);
    let all: Vec<Value> = all.into_iter().map(|(_, json)| json).collect();
    Ok(answer(StatusCode::OK, json!({"events": all})))
}

fn event_json(event: Event) -> Value {
    json!({
        "ms": event.ms, "kind": event.kind, "host": event.host.map(|host| host.to_string()), "host_name": event.host_name,
        "text": event.text, "by": event.by, "fields": event.fields,
    })
}
