//! Questions to many hosts at once: what has each of them now?
//!
//! [`body`] reads and judges a question, [`condition`] its conditions as people write them, [`record`] puts it into the audit whatever comes
//! of it, [`shown`] is the answer. Nobody's thread waits: the hosts' answers wake the request, or its deadline does.

mod body;
mod condition;
mod record;
mod shown;

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::ask::{LIVE, all};
use muster_common::time::monotonic;
use muster_fleet::QuestionError;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::body::{Body, Judged};
use self::record::Record;
use super::body::{answer, object, read};
use super::inventory::shape;
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::state::State;
use crate::work::by;

/// Which tables can be asked, with their columns.
pub(super) async fn tables() -> Response {
    let table = |table| {
        let mut object = shape(table);
        object["is_live"] = LIVE.iter().any(|live| live == table).into();
        object
    };
    let all: Vec<Value> = all().map(table).collect();
    answer(StatusCode::OK, json!({"tables": all}))
}

/// Asks, and answers when all hosts have, or when the time is over.
pub(super) async fn ask(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let by = by(&request);
    let body: Body = read(request).await?;
    let Judged { question, hosts, limit, text } = body.judge(&state.fleet, state.now())?;
    let sieve = question.sieve.clone();
    let ids = hosts.iter().map(|(id, _)| *id).collect();
    let mut waiting = state.fleet.ask(question, ids, monotonic()).map_err(|error| refused(&error))?;
    let record = Record::begin(&state, by, sieve.table().name, text);
    let left = waiting.until().saturating_sub(monotonic());
    let outcome = match timeout(left, waiting.all()).await {
        Ok(outcome) => outcome,
        Err(_) => waiting.end(monotonic()),
    };
    record.answered(&outcome).await?;
    object(move || shown::answer(outcome, &sieve, &hosts, limit)).await
}

fn refused(error: &QuestionError) -> ApiError {
    match error {
        QuestionError::Busy => ApiError::said(ErrorKind::TooMany, &error.to_string()).retry_after_seconds(1),
        QuestionError::NoHosts => ApiError::said(ErrorKind::BadData, &error.to_string()),
    }
    .place("the question")
}
