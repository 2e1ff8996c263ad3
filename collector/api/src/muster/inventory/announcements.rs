//! Announcements of changes: those that are kept, the newest first.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_fleet::{Announcement, AnnouncementSpec, Fleet, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::changes::Names;
use crate::error::MusterError;
use crate::muster::body::{answer, ids_of, numbered, read};
use crate::muster::downtimes::matchers;
use crate::state::State;
use crate::work::{blocking, by};

/// All that are kept.
pub(in crate::muster) async fn announced(Shared(state): Shared<Arc<State>>) -> Response {
    let now_ms = state.now().millis();
    let all = state.fleet.announcements();
    let mut names = Names { fleet: &state.fleet, known: HashMap::new() };
    let all: Vec<Value> = all.iter().rev().map(|one| shown(one, &mut names, now_ms)).collect();
    answer(StatusCode::OK, json!({"announcements": all}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    /// Names or ids.
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    matchers: Vec<String>,
    /// Absent: from now on.
    from_ms: Option<i64>,
    to_ms: i64,
    #[serde(default)]
    reason: String,
}

/// Says that hosts are going to change, or have just changed.
pub(in crate::muster) async fn announce(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let spec = AnnouncementSpec {
            hosts: ids_of(&fleet, &body.hosts)?,
            matchers: body.matchers.join(", "),
            from_ms: body.from_ms.unwrap_or(now.millis()),
            to_ms: body.to_ms,
            reason: body.reason,
        };
        let made = fleet.announce(spec, &by, now)?;
        Ok::<_, FleetError>(one(&fleet, &made, now.millis()))
    };
    Ok(answer(StatusCode::CREATED, blocking("the request's body", work).await?))
}

/// Ends one before its time.
pub(in crate::muster) async fn end(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let id = numbered(&asked, "an announcement", "muster changes announced")?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let ended = fleet.end_announcement(id, &by, now)?;
        Ok::<_, FleetError>(one(&fleet, &ended, now.millis()))
    };
    Ok(answer(StatusCode::OK, blocking("the announcement asked for", work).await?))
}

fn one(fleet: &Fleet, made: &Announcement, now_ms: i64) -> Value {
    json!({"announcement": shown(made, &mut Names { fleet, known: HashMap::new() }, now_ms)})
}

fn shown(one: &Announcement, names: &mut Names<'_>, now_ms: i64) -> Value {
    let spec = &one.spec;
    let state = match (now_ms >= spec.to_ms, now_ms >= spec.from_ms) {
        (true, _) => "ended",
        (false, true) => "active",
        (false, false) => "pending",
    };
    let name = |id: &String| HostId::parse(id).map_or_else(|| id.clone(), |id| names.of(id));
    json!({
        "id": one.id,
        "state": state,
        "hosts": spec.hosts.iter().map(name).collect::<Vec<_>>(),
        "matchers": matchers(&spec.matchers),
        "from_ms": spec.from_ms,
        "to_ms": spec.to_ms,
        "reason": spec.reason,
        "by": one.by,
        "made_ms": one.made_ms,
    })
}
