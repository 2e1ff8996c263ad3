//! What one host runs by, and which profiles it has by hand.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_fleet::{Assignment, By, ConfigurationDigest, ConfigurationView, ConfigurationWord, Fleet, FleetError};
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

/// The document, what it is made of, and what the host said to it.
pub(in crate::muster) async fn configuration(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
) -> Result<Response, MusterError> {
    let fleet = Arc::clone(&state.fleet);
    let find = move || {
        let view = fleet.configuration_view(fleet.find(&asked)?);
        // A host that waits or is retired runs by nothing of ours.
        view.ok_or(FleetError::NoHost { asked })
    };
    let view = blocking("the host asked for", find).await?;
    Ok(answer(StatusCode::OK, json!({"configuration": shown(&view)})))
}

/// Gives it the newest document once more.
pub(in crate::muster) async fn retry(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let host = fleet.find(&asked)?;
        fleet.retry_configuration(host, &by, now)?;
        fleet.configuration_view(host).ok_or(FleetError::NoHost { asked })
    };
    let view = blocking("the host asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"configuration": shown(&view)})))
}

/// All assignments by hand.
pub(in crate::muster) async fn assigned(Shared(state): Shared<Arc<State>>) -> Response {
    let all = state.fleet.profile_assignments();
    let name = |host| state.fleet.host(host).map(|row| row.name).unwrap_or_default();
    let all: Vec<Value> = all.iter().map(|(host, one)| assignment(&name(*host), one)).collect();
    answer(StatusCode::OK, json!({"assignments": all}))
}

/// Puts a profile in force on a host.
pub(in crate::muster) async fn assign(
    state: Shared<Arc<State>>,
    path: Path<(String, String)>,
    request: Request,
) -> Result<Response, MusterError> {
    change(state, path, request, Fleet::assign_profile).await
}

/// Takes it back.
pub(in crate::muster) async fn unassign(
    state: Shared<Arc<State>>,
    path: Path<(String, String)>,
    request: Request,
) -> Result<Response, MusterError> {
    change(state, path, request, Fleet::unassign_profile).await
}

/// What is done to a host's assignment of a profile, by whom, why and when.
type Act = fn(&Fleet, HostId, &str, &By, &str, Timestamp) -> Result<Assignment, FleetError>;

async fn change(
    Shared(state): Shared<Arc<State>>,
    Path((asked, profile)): Path<(String, String)>,
    request: Request,
    act: Act,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Why = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let host = fleet.find(&asked)?;
        let done = act(&fleet, host, &profile, &by, &body.reason, now)?;
        Ok::<_, FleetError>(assignment(&fleet.host(host).map(|row| row.name).unwrap_or(asked), &done))
    };
    Ok(answer(StatusCode::OK, json!({"assignment": blocking("the host and the profile", work).await?})))
}

fn assignment(host: &str, one: &Assignment) -> Value {
    json!({"host": host, "profile": one.profile, "by": one.by, "reason": one.reason, "made_ms": one.made_ms})
}

fn hex(digest: &ConfigurationDigest) -> Option<String> {
    let is_some = digest.iter().any(|byte| *byte != 0);
    is_some.then(|| digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// As clients compare it.
fn word(word: ConfigurationWord) -> &'static str {
    match word {
        ConfigurationWord::None => "none",
        ConfigurationWord::InForce => "in_force",
        ConfigurationWord::Trial => "trial",
        ConfigurationWord::Refused => "refused",
        ConfigurationWord::Reverted => "reverted",
        ConfigurationWord::Disabled => "disabled",
    }
}

fn shown(view: &ConfigurationView) -> Value {
    let checks = view.checks.iter().map(|(name, origin)| json!({"name": name, "of": origin}));
    let told = view.told.as_ref().map(|told| {
        json!({
            "word": word(told.word),
            "in_force": hex(&told.in_force),
            "offered": hex(&told.offered),
            "problems": told.problems,
            "at_ms": told.ms,
        })
    });
    json!({
        "number": view.number,
        "digest": hex(&view.digest),
        "document": view.document,
        "set": view.version,
        "profiles": view.profiles,
        "proposed": view.proposed,
        "checks": checks.collect::<Vec<_>>(),
        "problems": view.problems,
        "set_back": (!view.set_back.is_empty()).then_some(&view.set_back),
        "told": told,
        "reads": view.reads,
    })
}
