//! Deploys: those that are kept, newest first, and what is told of them.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{
    Deploy, DeployQuery, DeployRef, DeployResult, DeploySource, DeployStart, DeployState, Fleet, FleetError,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shown::{HostNames, deploy_json, frozen_json};
use crate::error::{ApiError, MusterError};
use crate::form::Parameters;
use crate::muster::body::{answer, bad, ids_of, limit, numbered, read};
use crate::state::State;
use crate::work::{blocking, by};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// Those that match, newest first.
pub(in crate::muster) async fn list(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let text = |name: &str| form.first(name).map(str::to_owned);
    let wanted = form.first("state").map(|name| {
        DeployState::parse(name).ok_or_else(|| {
            let known = DeployState::ALL.map(DeployState::as_str).join(", ");
            bad("parameter `state`", format!("`{}` is none", short(name)), format!("write one of {known}"))
        })
    });
    let before = form.first("before").map(|text| {
        let remedy = "give back the `next` of the page before";
        text.parse::<u64>().map_err(|_| bad("parameter `before`", format!("`{}` is no number", short(text)), remedy))
    });
    let limit = limit(&form, LIMIT, LIMIT_MAX)?;
    let query = DeployQuery {
        service: text("service"),
        env: text("env"),
        version: text("version"),
        state: wanted.transpose()?,
        before: before.transpose()?,
        limit: limit + 1,
    };
    let mut deploys = state.fleet.deploys(&query);
    let is_more = deploys.len() > limit;
    deploys.truncate(limit);
    let next = deploys.last().map(|last| last.id).filter(|_| is_more);
    let mut names = HostNames::new(&state.fleet);
    let deploys: Vec<Value> = deploys.iter().map(|deploy| deploy_json(deploy, &mut names)).collect();
    Ok(answer(StatusCode::OK, json!({"deploys": deploys, "next": next})))
}

/// One of them.
pub(in crate::muster) async fn one(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
) -> Result<Response, MusterError> {
    let id = numbered(&asked, "a deploy", "muster deploy list")?;
    let fleet = Arc::clone(&state.fleet);
    let find = move || fleet.deploy(id).ok_or(FleetError::NoDeploy { wanted: format!("deploy {id}") });
    let deploy = blocking("the deploy asked for", find).await?;
    Ok(answer(StatusCode::OK, json!({"deploy": deploy_json(&deploy, &mut HostNames::new(&state.fleet))})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    service: String,
    version: String,
    env: String,
    /// Names or ids; none: all of the service.
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    link: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    key: String,
}

/// Takes that a deploy has begun.
pub(in crate::muster) async fn start(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let New { service, version, env, hosts, link, note, key } = body;
        let hosts = ids_of(&fleet, &hosts)?;
        let start = DeployStart { service, version, env, hosts, link, note, key, source: DeploySource::Api };
        let started = fleet.start_deploy(start, &by, now)?;
        let frozen = fleet.freeze_now(&started.deploy.service, &started.deploy.env, now);
        Ok::<_, FleetError>((started, frozen))
    };
    let (started, frozen) = blocking("the request's body", work).await?;
    let status = if started.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let object = json!({
        "deploy": deploy_json(&started.deploy, &mut HostNames::new(&state.fleet)),
        "is_new": started.is_new,
        "superseded": started.superseded,
        "frozen": frozen.as_ref().map(frozen_json),
    });
    Ok(answer(status, object))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    result: String,
    #[serde(default)]
    note: String,
    /// Of one that is not named by the path: its key, or service and environment of the newest that runs.
    key: Option<String>,
    service: Option<String>,
    env: Option<String>,
    version: Option<String>,
}

/// Takes how a deploy ended.
pub(in crate::muster) async fn finish(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let id = numbered(&asked, "a deploy", "muster deploy list")?;
    end(state, request, |_| Ok(DeployRef::Id(id))).await
}

/// The same of the one that the body names.
pub(in crate::muster) async fn finish_running(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    end(state, request, |body| match (body.key.take(), body.service.take(), body.env.take()) {
        (Some(key), None, None) => Ok(DeployRef::Key(key)),
        (None, Some(service), Some(env)) => Ok(DeployRef::Running { service, env, version: body.version.take() }),
        _ => Err(bad(
            "the request's body",
            "it is not clear which deploy is meant",
            "give `key`, or `service` and `env`",
        )),
    })
    .await
}

async fn end(
    state: Arc<State>,
    request: Request,
    which: impl FnOnce(&mut End) -> Result<DeployRef, ApiError>,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let mut body: End = read(request).await?;
    let which = which(&mut body)?;
    if body.key.is_some() || body.service.is_some() || body.env.is_some() || body.version.is_some() {
        let remedy = "leave out `key`, `service`, `env` and `version`";
        return Err(bad("the request's body", "it names another deploy beside the one that is meant", remedy).into());
    }
    let Some(result) = DeployResult::parse(&body.result) else {
        let message = format!("`{}` is none", short(&body.result));
        return Err(bad("field `result`", message, "write ok, failed or rolled_back").into());
    };
    let fleet = Arc::clone(&state.fleet);
    let work = move || fleet.finish_deploy(&which, result, &body.note, &by, now);
    let (deploy, is_new): (Deploy, bool) = blocking("the deploy asked for", work).await?;
    let deploy = deploy_json(&deploy, &mut HostNames::new(&state.fleet));
    Ok(answer(StatusCode::OK, json!({"deploy": deploy, "is_new": is_new})))
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Service, version and environment of deploys that run, for the live feed.
pub(crate) fn running(fleet: &Fleet) -> Vec<Value> {
    let query = DeployQuery { state: Some(DeployState::Running), limit: LIMIT, ..DeployQuery::default() };
    let mut names = HostNames::new(fleet);
    fleet.deploys(&query).iter().map(|deploy| deploy_json(deploy, &mut names)).collect()
}
