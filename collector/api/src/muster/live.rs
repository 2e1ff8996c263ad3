//! `live`: what changes, as it changes.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;

use crate::auth::Asked;
use crate::error::MusterError;
use crate::form::Parameters;
use crate::live::{self, Topics};
use crate::state::State;

pub(super) async fn live(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let topics = Topics::parse(Parameters::of_uri(request.uri())?.first("topics"))?;
    let stream = live::begin(&state, topics, request.headers(), Asked::of_request(&request)).await?;
    Ok(live::answer(stream.pieces()))
}
