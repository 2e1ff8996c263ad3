//! Snapshots: which there are, and a new one.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::EventKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, read};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::state::{SnapshotAsk, SnapshotRow, State};
use crate::work::{by, record};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {
    to: Option<PathBuf>,
    key_file: Option<PathBuf>,
    #[serde(default)]
    without_ca_key: bool,
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Response, MusterError> {
    let view = apart(move || (state.hooks.snapshots)()).await?;
    let running = view
        .running
        .map(|running| json!({"id": running.id, "done_bytes": running.done_bytes, "total_bytes": running.total_bytes}));
    let ended = view.ended.map(
        |ended| json!({"id": ended.id, "folder": ended.folder, "at_ms": ended.at.millis(), "problem": ended.problem}),
    );
    let rows: Vec<Value> = view.kept.iter().map(row).collect();
    Ok(answer(StatusCode::OK, json!({"folder": view.folder, "running": running, "ended": ended, "snapshots": rows})))
}

fn row(row: &SnapshotRow) -> Value {
    json!({
        "id": row.id,
        "made_ms": row.made.millis(),
        "size_bytes": row.bytes,
        "barrier_ms": row.barrier_ms,
        "samples": row.samples,
        "lines": row.lines,
        "ca_keys": row.keys,
        "collector": row.collector,
        "problem": row.problem,
    })
}

pub(super) async fn make(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let by = by(&request);
    let Make { to, key_file, without_ca_key } = read(request).await?;
    if without_ca_key && key_file.is_some() {
        let remedy = "leave one of the two out";
        return Err(bad("field `key_file`", "a key is given for what is to be left out", remedy).into());
    }
    let ask = SnapshotAsk { to, key_file, without_ca_key };
    let making = Arc::clone(&state);
    let id = apart(move || (making.hooks.make_snapshot)(&ask)).await?;
    let keys = if without_ca_key { ", without the CA's keys" } else { "" };
    record(&state, by, EventKind::SnapshotBegun, &id, format!("began snapshot {id}{keys}")).await?;
    Ok(answer(StatusCode::ACCEPTED, json!({"id": id})))
}

/// Off the runtime's threads: it reads files.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!("a question about snapshots ended in a panic: {error}");
        Err(ApiError::new(ErrorKind::Internal, "this ended in a panic; the collector's log says where"))
    })
}
