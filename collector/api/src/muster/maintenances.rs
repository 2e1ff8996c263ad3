//! Maintenances: work on hosts that goes on, what it has left over, and who asks gets those that are closed.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::status::{MAINTENANCE_GRACE_MS, Maintenance, MaintenanceSpec, MaintenanceState};
use muster_fleet::{Fleet, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, ids_of, numbered, read, truth};
use super::downtimes::{matchers, named};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::State;
use crate::work::{blocking, by};

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let closed = truth(&form, "closed", false, "write closed=true to see those too after which health has returned")?;
    let all = state.fleet.maintenances();
    let wanted = all.iter().rev().filter(|one| closed || one.state != MaintenanceState::Closed);
    let maintenances: Vec<Value> = wanted.map(|one| maintenance_json(&state.fleet, one)).collect();
    Ok(answer(StatusCode::OK, json!({"maintenances": maintenances})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    /// Names or ids.
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    matchers: Vec<String>,
    ends_ms: i64,
    grace_ms: Option<i64>,
}

pub(super) async fn begin(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let spec = MaintenanceSpec {
            name: body.name,
            reference: String::new(),
            hosts: ids_of(&fleet, &body.hosts)?,
            matchers: body.matchers.join(", "),
            ends_ms: body.ends_ms,
            grace_ms: body.grace_ms.unwrap_or(MAINTENANCE_GRACE_MS),
        };
        let begun = fleet.begin_maintenance(spec, &by, now)?;
        Ok::<_, FleetError>(maintenance_json(&fleet, &begun))
    };
    let json = blocking("the request's body", work).await?;
    Ok(answer(StatusCode::CREATED, json!({"maintenance": json})))
}

pub(super) async fn finish(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let id = numbered(&asked, "a maintenance", "muster maintenance list")?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let finished = fleet.finish_maintenance(id, &by, now)?;
        Ok::<_, FleetError>(maintenance_json(&fleet, &finished))
    };
    let json = blocking("the maintenance asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"maintenance": json})))
}

/// Hosts by the names that they have now; one that is gone by its id.
pub(crate) fn maintenance_json(fleet: &Fleet, one: &Maintenance) -> Value {
    let unreturned = one.unreturned.iter().map(|left| {
        let check = (!left.check.is_empty()).then_some(&left.check);
        json!({"host": left.host_name, "host_id": left.host.to_string(), "check": check, "text": left.words})
    });
    let spec = &one.spec;
    json!({
        "id": one.id,
        "state": one.state.as_str(),
        "name": spec.name,
        "reference": (!spec.reference.is_empty()).then_some(&spec.reference),
        "hosts": spec.hosts.iter().map(|id| named(fleet, id)).collect::<Vec<_>>(),
        "matchers": matchers(&spec.matchers),
        "by": one.by,
        "begun_ms": one.begun_ms,
        "ends_ms": spec.ends_ms,
        "grace_ms": spec.grace_ms,
        "finished_ms": one.finished_ms,
        "overran": one.overran,
        "judged_ms": one.judged_ms,
        "closed_ms": one.closed_ms,
        "downtime": one.downtime,
        "unreturned": unreturned.collect::<Vec<_>>(),
    })
}
