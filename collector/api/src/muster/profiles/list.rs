//! Which profiles there are, and were.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{FleetError, ProfileSource, ProfileVersion, ProfileView};
use serde_json::{Value, json};

use crate::error::MusterError;
use crate::muster::body::answer;
use crate::state::State;
use crate::work::blocking;

/// All of the newest version, by name, without their documents.
pub(in crate::muster) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Response, MusterError> {
    let fleet = Arc::clone(&state.fleet);
    let views = blocking("the profiles", move || Ok::<_, FleetError>(fleet.profiles())).await?;
    let version = views.first().map_or(0, |view| view.version);
    let shown: Vec<Value> = views.iter().map(shown).collect();
    Ok(answer(StatusCode::OK, json!({"set": version, "profiles": shown})))
}

/// One name: as it counts first, with its document, and those of other sources that it hides.
pub(in crate::muster) async fn one(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
) -> Result<Response, MusterError> {
    let fleet = Arc::clone(&state.fleet);
    let find = move || {
        let mut found: Vec<ProfileView> = fleet.profiles().into_iter().filter(|view| view.name == name).collect();
        found.sort_by_key(|view| view.hidden_by.is_some());
        if found.is_empty() { Err(FleetError::NoProfile { name }) } else { Ok(found) }
    };
    let found = blocking("the profile asked for", find).await?;
    let mut profiles = found.iter().map(|view| {
        let mut one = shown(view);
        one["text"] = view.text.clone().into();
        one
    });
    let profile = profiles.next();
    Ok(answer(StatusCode::OK, json!({"profile": profile, "hidden": profiles.collect::<Vec<_>>()})))
}

/// The profiles that the API has, as one text that `apply` takes.
pub(in crate::muster) async fn export(Shared(state): Shared<Arc<State>>) -> Response {
    answer(StatusCode::OK, json!({"text": state.fleet.export_profiles()}))
}

/// Versions of the whole set, newest first.
pub(in crate::muster) async fn versions(Shared(state): Shared<Arc<State>>) -> Response {
    let all: Vec<Value> = state.fleet.profile_versions().iter().map(version_shown).collect();
    answer(StatusCode::OK, json!({"versions": all}))
}

/// All documents of one version.
pub(in crate::muster) async fn version(
    Shared(state): Shared<Arc<State>>,
    Path(version): Path<u64>,
) -> Result<Response, MusterError> {
    let fleet = Arc::clone(&state.fleet);
    let set = blocking("the version asked for", move || fleet.profiles_at(version)).await?;
    let one = |text: &muster_fleet::ProfileText| json!({"name": text.name, "source": word(text.source), "file": file(&text.file), "text": text.text});
    let profiles: Vec<Value> = set.profiles.iter().map(one).collect();
    let object = json!({
        "set": set.version,
        "made_ms": set.made_ms,
        "by": set.by,
        "reason": set.reason,
        "profiles": profiles,
    });
    Ok(answer(StatusCode::OK, object))
}

fn version_shown(one: &ProfileVersion) -> Value {
    json!({"set": one.version, "made_ms": one.made_ms, "by": one.by, "reason": one.reason, "profiles": one.profiles})
}

/// As clients compare it.
fn word(source: ProfileSource) -> &'static str {
    match source {
        ProfileSource::BuiltIn => "built_in",
        ProfileSource::Api => "api",
        ProfileSource::File => "file",
    }
}

fn file(path: &str) -> Option<&str> {
    (!path.is_empty()).then_some(path)
}

fn shown(view: &ProfileView) -> Value {
    json!({
        "name": view.name,
        "source": word(view.source),
        "file": file(&view.file),
        "description": view.description,
        "accept": view.accept.as_str(),
        "has_selector": view.has_selector,
        "include": view.include,
        "logs": view.logs,
        "checks": view.checks,
        "has_rules": view.has_rules,
        "hides": view.hides.iter().copied().map(word).collect::<Vec<_>>(),
        "hidden_by": view.hidden_by.map(word),
        "hosts": view.hosts,
        "fits": view.fits,
        "assigned": view.assigned,
        "problem": (!view.problem.is_empty()).then_some(&view.problem),
    })
}
