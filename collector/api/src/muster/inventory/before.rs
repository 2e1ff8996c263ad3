//! What changed before an alert and may be its reason, and what separates the hosts that have it from others.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::Alert;
use muster_alert::alerting::{Causes, causes};
use muster_alert::desk::Desk;
use muster_alert::mail::Neighbour;
use muster_fleet::suspects::{Behind, DeploySuspect, Separator, Suspect};
use muster_fleet::{Fleet, FleetError};
use serde_json::{Value, json};

use super::changes::{Names, change_json};
use crate::error::{ApiError, MusterError};
use crate::form::Parameters;
use crate::muster::alerts::find;
use crate::muster::body::{answer, limit};
use crate::state::State;
use crate::work::blocking;

const LIMIT: usize = 20;
const LIMIT_MAX: usize = 1_000;

/// The suspects of the alert of this id, the likeliest first, and what separates its hosts.
pub(in crate::muster) async fn changes_before(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let limit = limit(&Parameters::of(request).await?, LIMIT, LIMIT_MAX)?;
    let (alert, others) = state.alerting.ask(|desk| {
        let alert = find(desk, &id)?;
        Ok::<_, ApiError>((alert.clone(), others(desk, alert)))
    })?;
    let fleet = Arc::clone(&state.fleet);
    let found = blocking("the changes before the alert", move || found(&fleet, &alert, &others, limit)).await?;
    Ok(answer(StatusCode::OK, found))
}

/// Hosts with a firing alert of the same name.
fn others(desk: &Desk, alert: &Alert) -> Vec<Neighbour> {
    let same = |other: &&Alert| other.is_firing() && other.id != alert.id && other.name() == alert.name();
    let others = desk.dispatch().alerts().filter(same);
    let neighbour = |other: &Alert| {
        let host = other.labels.get("host")?.to_owned();
        Some(Neighbour { host, since_ms: other.active_ms })
    };
    others.filter_map(neighbour).collect()
}

fn found(fleet: &Fleet, alert: &Alert, others: &[Neighbour], limit: usize) -> Result<Value, FleetError> {
    let Causes { found, separator, note } = causes(fleet, alert, others)?;
    let mut names = Names { fleet, known: HashMap::new() };
    let suspects: Vec<Value> = found.suspects.iter().take(limit).map(|one| suspect_json(one, &mut names)).collect();
    Ok(json!({
        "alert": alert.id.to_string(),
        "onset_ms": alert.active_ms,
        "suspects": suspects,
        "suspects_count": found.suspects.len(),
        "is_partial": found.is_partial,
        "contrast": separator.as_ref().map(separator_json),
        "note": note,
    }))
}

fn suspect_json(suspect: &Suspect, names: &mut Names<'_>) -> Value {
    let hosts: Vec<String> = suspect.hosts.iter().map(|host| names.of(*host)).collect();
    let (change, deploy) = match &suspect.behind {
        Behind::Change(change) => (change_json(change, names.of(change.host)), Value::Null),
        Behind::Deploy(one) => {
            let host = suspect.hosts.first();
            let name = hosts.first().cloned().unwrap_or_default();
            (deployed_json(one, name, host.map(ToString::to_string).unwrap_or_default()), one.deploy.id.into())
        }
    };
    json!({
        "change": change,
        "deploy": deploy,
        "page": suspect.page(),
        "hosts": hosts,
        "score": suspect.score,
        "why": suspect.why,
    })
}

/// A deploy in the form of a change, for whoever shows words and times alone.
fn deployed_json(one: &DeploySuspect, host: String, host_id: String) -> Value {
    json!({
        "host": host,
        "host_id": host_id,
        "table": "deploys",
        "kind": "deploy",
        "words": one.words,
        "after_ms": one.since_ms,
        "until_ms": one.at_ms,
        "arrived_ms": one.at_ms,
        "key": [one.deploy.id],
        "before": Value::Null,
        "after": Value::Null,
        "is_news": true,
    })
}

fn separator_json(separator: &Separator) -> Value {
    json!({
        "fact": separator.fact,
        "is_lacking": separator.is_lacking,
        "affected": separator.affected,
        "affected_with": separator.affected_with,
        "unaffected": separator.unaffected,
        "unaffected_with": separator.unaffected_with,
        "chance": separator.chance,
        "also": separator.also,
        "also_count": separator.also_count,
        "words": separator.words(),
    })
}
