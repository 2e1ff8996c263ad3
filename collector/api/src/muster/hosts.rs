//! Hosts and their life cycle.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_common::time::Span;
use muster_fleet::{Fleet, FleetError, HostRow, HostState};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, read, truth};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::{HostPresence, Problem, State};
use crate::work::{blocking, by};

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let all = truth(&form, "all", false, "write all=true to see retired hosts too")?;
    let presence = state.presence();
    let mut rows = state.fleet.hosts();
    rows.retain(|row| all || row.state != HostState::Retired);
    rows.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
    let hosts: Vec<Value> = rows.iter().map(|row| host_json(row, presence.get(&row.id))).collect();
    Ok(answer(StatusCode::OK, json!({"hosts": hosts})))
}

pub(super) async fn one(Shared(state): Shared<Arc<State>>, Path(asked): Path<String>) -> Result<Response, MusterError> {
    change(&state, asked, |_, _| Ok(())).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approve {
    name: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

pub(super) async fn approve(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Approve = read(request).await?;
    let work = move |fleet: &Fleet, host: &HostRow| {
        let approve = || fleet.approve(host.id, body.name.as_deref(), &by, now);
        // Active and retired hosts are refused as they are, and a quarantined one by its relabelling.
        if body.labels.is_empty() || host.state == HostState::Active || host.state == HostState::Retired {
            return approve();
        }
        // Before the approval, so that the first certificate already finds them.
        let mut labels = host.labels.clone();
        labels.extend(body.labels);
        fleet.relabel(host.id, &labels, &by, now)?;
        approve().inspect_err(|_| {
            if let Err(error) = fleet.relabel(host.id, &host.labels, &by, now) {
                tracing::error!("host `{}` was not approved, but has the labels meant for it: {error}", host.name);
            }
        })
    };
    change_found(&state, asked, Fleet::find_waiting, work).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    name: String,
}

pub(super) async fn rename(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Rename = read(request).await?;
    change(&state, asked, move |fleet, host| fleet.rename(host.id, &body.name, &by, now)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    remove: Vec<String>,
}

pub(super) async fn label(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Labels = read(request).await?;
    let work = move |fleet: &Fleet, host: &HostRow| {
        let mut labels = host.labels.clone();
        labels.retain(|name, _| !body.remove.contains(name));
        labels.extend(body.set);
        fleet.relabel(host.id, &labels, &by, now)
    };
    change(&state, asked, work).await
}

pub(super) async fn replace(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    change(&state, asked, move |fleet, host| fleet.replace(host.id, None, &by, now)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retire {
    reason: Option<String>,
}

pub(super) async fn retire(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Retire = read(request).await?;
    let reason = body.reason.unwrap_or_else(|| "an operator retired it".to_owned());
    change(&state, asked, move |fleet, host| fleet.retire(host.id, &reason, &by, now)).await
}

/// Finds the host, does the work on it, answers with what the host is then.
async fn change(
    state: &Arc<State>,
    asked: String,
    work: impl FnOnce(&Fleet, &HostRow) -> Result<(), FleetError> + Send + 'static,
) -> Result<Response, MusterError> {
    change_found(state, asked, Fleet::find, work).await
}

/// As [`change`], of the host that `find` means by what was asked for.
async fn change_found(
    state: &Arc<State>,
    asked: String,
    find: fn(&Fleet, &str) -> Result<HostId, FleetError>,
    work: impl FnOnce(&Fleet, &HostRow) -> Result<(), FleetError> + Send + 'static,
) -> Result<Response, MusterError> {
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let id = find(&fleet, &asked)?;
        let before = fleet.host(id).ok_or(FleetError::NoHost { asked })?;
        work(&fleet, &before)?;
        // A machine that was set aside, or gave up waiting, has no row of its own any more.
        let after = fleet.host(id).or_else(|| before.of.and_then(|of| fleet.host(of)));
        Ok::<_, FleetError>(after.unwrap_or(before))
    };
    let row = blocking("the host asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"host": host_json(&row, state.presence().get(&row.id))})))
}

pub(crate) fn host_json(row: &HostRow, presence: Option<&HostPresence>) -> Value {
    let facts = &row.facts;
    let last_ms = presence.and_then(|presence| presence.last_arrival).map(|at| at.millis());
    json!({
        "id": row.id.to_string(),
        "name": row.name,
        "labels": row.labels,
        "state": row.state.as_str(),
        "reason": row.reason,
        "presence": presence.map(|presence| &presence.state),
        "last_arrival_ms": last_ms,
        "problems": presence.map(|presence| presence.problems.iter().map(Problem::json).collect::<Vec<_>>()).unwrap_or_default(),
        "agent_version": row.agent_version,
        "machine_id": row.machine_id,
        "boot_id": row.boot_id,
        "facts": {
            "host_name": facts.host_name, "os": facts.os, "kernel": facts.kernel, "architecture": facts.architecture,
            "processors": facts.processors, "memory_bytes": facts.memory_bytes, "virtualisation": facts.virtualisation,
        },
        "peer": row.peer,
        "asked_ms": row.asked_ms,
        "enrolled_ms": row.enrolled_ms,
        "last_hello_ms": row.last_hello_ms,
        "replaced_ms": row.replaced_ms,
        "retired_ms": row.retired_ms,
        "serial": row.serial,
        "certificate_expires_ms": row.certificate_expires_ms,
        "ephemeral": row.ephemeral.map(|silence| Span(silence).to_string()),
        "of": row.of.map(|host| host.to_string()),
        "waiting_key": row.waiting_key,
    })
}
