//! `POST /-/reload`: the configuration as one graph; a bad file leaves the old one in force.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use muster_fleet::EventKind;

use crate::error::{ApiError, ErrorKind, PlainError};
use crate::state::State;
use crate::work::{by, record};

pub(crate) async fn reload(Shared(state): Shared<Arc<State>>, request: Request) -> Result<String, PlainError> {
    let by = by(&request);
    let shared = Arc::clone(&state);
    let done = tokio::task::spawn_blocking(move || (shared.hooks.reload)()).await;
    match done {
        Ok(Ok(done)) => {
            record(&state, by, EventKind::ConfigReloaded, "", done.clone()).await?;
            Ok(format!("{done}\n"))
        }
        Ok(Err(why)) => {
            Err(ApiError::new(ErrorKind::BadData, format!("the old configuration stays in force:\n{why}")).into())
        }
        Err(error) => {
            tracing::error!("a reload ended in a panic: {error}");
            Err(ApiError::new(ErrorKind::Internal, "the reload ended in a panic; the collector's log says where")
                .into())
        }
    }
}
