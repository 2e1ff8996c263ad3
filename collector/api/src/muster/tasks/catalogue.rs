//! The catalogue of tasks, as it was signed.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::task::{Definition, Kind};
use muster_fleet::{CatalogueView, Fleet};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::MusterError;
use crate::muster::body::{answer, read};
use crate::state::State;
use crate::work::{blocking, by};

/// The newest one; null where there is none.
pub(in crate::muster) async fn catalogue(Shared(state): Shared<Arc<State>>) -> Response {
    let view = state.fleet.task_catalogue();
    answer(StatusCode::OK, json!({"catalogue": view.map(|view| shown(&state.fleet, &view))}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// TOML, byte by byte as it was signed.
    document: String,
    /// 128 hexadecimal digits.
    signature: String,
}

/// Takes a newer one.
pub(in crate::muster) async fn add(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Signed = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let adding = move || fleet.add_task_catalogue(&body.document, &body.signature, &by, now);
    let view = blocking("the catalogue", adding).await?;
    Ok(answer(StatusCode::CREATED, json!({"catalogue": shown(&state.fleet, &view)})))
}

fn shown(fleet: &Fleet, view: &CatalogueView) -> Value {
    let refused = view
        .refused
        .iter()
        .map(|(host, why)| json!({"id": host.to_string(), "host": fleet.host(*host).map(|row| row.name), "why": why}));
    let tasks: Vec<Value> = view.tasks.iter().map(|(name, task)| task_json(name, task)).collect();
    json!({
        "catalogue_version": view.version,
        "digest": view.digest,
        "signer": (!view.signer.is_empty()).then_some(&view.signer),
        "by": view.by,
        "added_ms": view.added_ms,
        "expires_ms": view.expires_ms,
        "tasks": tasks,
        "taken": view.taken,
        "refused": refused.collect::<Vec<_>>(),
        "document": view.document,
        "signature": view.signature,
    })
}

fn task_json(name: &str, task: &Definition) -> Value {
    let parameters: Vec<Value> =
        task.parameters.iter().map(|(name, kind)| json!({"name": name, "kind": kind_word(kind)})).collect();
    json!({
        "task": name,
        "about": task.about,
        "argv": task.argv,
        "account": task.account,
        "timeout_ms": u64::try_from(task.limits.timeout.as_millis()).unwrap_or(u64::MAX),
        "maintenance_ms": task.maintenance.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        "parameters": parameters,
    })
}

const fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Integer { .. } => "integer",
        Kind::Choice { .. } => "choice",
        Kind::Host => "host",
        Kind::Version => "version",
        Kind::Text { .. } => "text",
    }
}
