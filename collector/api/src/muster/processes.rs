//! Which processes used most of a host, now or at a moment of the last day.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::time::Timestamp;
use muster_common::wire::message::{ProcessLook, ProcessUse};
use muster_fleet::{FleetError, HostRow, LOOKS_KEPT_MS, covers};
use serde_json::{Value, json};

use super::body::{answer, moment};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::State;
use crate::work::blocking;

/// The look whose span covers `at` (milliseconds since 1970), else the nearest; without `at` the newest.
pub(super) async fn show(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let at_ms = moment(&form, "at")?.map(Timestamp::millis);
    let (fleet, now) = (Arc::clone(&state.fleet), state.now());
    let work = move || {
        let id = fleet.find(&asked)?;
        let row = fleet.host(id).ok_or(FleetError::NoHost { asked })?;
        let look = fleet.processes(id, at_ms.map(Timestamp::from_millis), now)?;
        Ok::<_, FleetError>((row, look))
    };
    let (row, look) = blocking("the processes asked for", work).await?;
    let body = look.map_or_else(|| unknown(&row), |look| known(&row, &look, at_ms, now));
    Ok(answer(StatusCode::OK, body))
}

/// Nothing came within the last day.
fn unknown(row: &HostRow) -> Value {
    let version = if row.agent_version.is_empty() { "not known".to_owned() } else { row.agent_version.clone() };
    let note = format!(
        "nothing was told of this host's processes in the last {} hours: its agent (version {version}) is too old for it, has not looked twice yet, or was not heard",
        LOOKS_KEPT_MS / 3_600_000
    );
    json!({"host": row.name, "state": "unknown", "note": note, "kept_ms": LOOKS_KEPT_MS, "processes": []})
}

fn known(row: &HostRow, look: &ProcessLook, at_ms: Option<i64>, now: Timestamp) -> Value {
    if look.interval_ms == 0 {
        let note = "this host's configuration takes no looks at processes: `enabled = true` under [processes] in its agent.toml does";
        return json!({
            "host": row.name, "state": "off", "note": note, "kept_ms": LOOKS_KEPT_MS, "looked_at_ms": look.at_ms, "processes": [],
        });
    }
    json!({
        "host": row.name,
        "state": "known",
        "kept_ms": LOOKS_KEPT_MS,
        "looked_at_ms": look.at_ms,
        "age_ms": now.millis().saturating_sub(look.at_ms).max(0),
        "span_ms": look.span_ms,
        "interval_ms": look.interval_ms,
        "covers": at_ms.is_none_or(|at_ms| covers(look, at_ms)),
        "totals": {
            "seen": look.seen, "unseen": look.unseen, "running": look.running, "blocked": look.blocked, "zombies": look.zombies,
        },
        "processors": row.facts.processors,
        "memory_bytes": row.facts.memory_bytes,
        "processes": look.processes.iter().map(process).collect::<Vec<_>>(),
    })
}

/// What is not known is null.
fn process(one: &ProcessUse) -> Value {
    json!({
        "pid": one.pid,
        "name": one.name,
        "command": one.command,
        "arguments": one.arguments,
        "user": one.user,
        "state": char::from(one.state).to_string(),
        "threads": one.threads,
        "started_ms": one.started_ms,
        "cpu_percent": one.has_cpu.then(|| f64::from(one.cpu) / 100.0),
        "rss_bytes": one.rss_bytes,
        "read_bytes_per_second": one.has_io.then_some(one.read_rate),
        "written_bytes_per_second": one.has_io.then_some(one.write_rate),
    })
}
