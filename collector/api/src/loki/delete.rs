//! `POST /loki/api/v1/delete`: lines of matching streams are gone from every later answer.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use muster_fleet::EventKind;
use muster_query::parse_log_selector;

use super::parameters::{bad, parse_time};
use crate::error::{ApiError, ErrorKind, LokiError, chain};
use crate::form::Parameters;
use crate::state::State;
use crate::work::{by, record};

/// Takes `query` (a selector alone), `start` and `end` (excluded; now where absent); answers once the tombstone is durable.
pub(super) async fn delete(Shared(state): Shared<Arc<State>>, request: Request) -> Result<StatusCode, LokiError> {
    let by = by(&request);
    let form = Parameters::of(request).await?;
    let now = state.now();
    let query = form.first("query").ok_or_else(|| bad("query not set"))?;
    let start = form.first("start").ok_or_else(|| bad("start time not set"))?;
    let from_ns = parse_time(start).map_err(|why| bad(format!("invalid start time: {why}")))?;
    let to_ns = match form.first("end") {
        None => now.nanos(),
        Some(end) => parse_time(end).map_err(|why| bad(format!("invalid end time: {why}")))?,
    };
    if to_ns > now.nanos() {
        return Err(bad("deletes in the future are not allowed").into());
    }
    if from_ns >= to_ns {
        return Err(bad("start time can't be greater than end time").into());
    }
    let matchers = parse_log_selector(query).map_err(|error| {
        bad(error.to_string())
            .place("parameter `query`")
            .remedy("write a selector alone, such as {app=\"web\"}: deletes take no pipeline")
    })?;
    let admin = state.admin.clone();
    let done = tokio::task::spawn_blocking(move || admin.delete_logs(matchers, from_ns, to_ns, now)).await;
    let done = done.map_err(|error| {
        tracing::error!("a delete ended in a panic: {error}");
        ApiError::new(ErrorKind::Internal, "the delete ended in a panic; the collector's log says where")
    })?;
    let report = done.map_err(|error| {
        tracing::error!("a delete failed: {}", chain(&error));
        let message = format!("the delete failed: {}; asking again is safe", chain(&error));
        ApiError::new(ErrorKind::Internal, message)
    })?;
    let number = report.number;
    let text = format!("deleted the lines of {query} from {from_ns} to before {to_ns}: tombstone {number}");
    tracing::info!("{by} {text}");
    record(&state, by, EventKind::LogsDeleted, &format!("tombstone {number}"), text).await?;
    Ok(StatusCode::NO_CONTENT)
}
