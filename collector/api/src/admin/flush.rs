//! `POST /-/flush?merge=1`: heads to segments, an empty inbox file, and an answer when it is done.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use muster_fleet::EventKind;
use muster_store::FlushReport;

use crate::error::{ApiError, ErrorKind, PlainError};
use crate::form::Parameters;
use crate::state::State;
use crate::work::{by, record};

pub(crate) async fn flush(Shared(state): Shared<Arc<State>>, request: Request) -> Result<String, PlainError> {
    let by = by(&request);
    let form = Parameters::of(request).await?;
    let merge = match form.first("merge") {
        None | Some("0" | "false") => false,
        Some("1" | "true") => true,
        Some(other) => {
            return Err(ApiError::new(ErrorKind::BadData, format!("`{other}` is neither 0 nor 1"))
                .place("parameter `merge`")
                .remedy("write merge=1 to merge the day's segments as well")
                .into());
        }
    };
    let (admin, now) = (state.admin.clone(), state.now());
    let done = tokio::task::spawn_blocking(move || admin.flush(merge, now)).await.map_err(|error| {
        tracing::error!("a flush ended in a panic: {error}");
        ApiError::new(ErrorKind::Internal, "the flush ended in a panic; the collector's log says where")
    })?;
    let report = done.map_err(|error| {
        tracing::error!("a flush failed: {}", crate::error::chain(&error));
        ApiError::new(ErrorKind::Internal, format!("the flush failed: {}", crate::error::chain(&error)))
    })?;
    let FlushReport { generations, samples, merges, waiting } = report;
    let told = format!(
        "flushed {generations} generations, {samples} samples, {merges} merges; {waiting} inbox files wait for the registry"
    );
    record(&state, by, EventKind::StoreFlushed, "", told.clone()).await?;
    Ok(format!("{told}\n"))
}
