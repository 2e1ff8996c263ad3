//! JSON in and out, and the fleet's errors as answers.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_common::time::{Timestamp, monotonic, parse_span};
use muster_fleet::{Fleet, FleetError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinError;

use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::{Parameters, body_bytes};
use crate::remembered::Long;
use crate::state::State;
use crate::work::split;

/// Characters of what was asked that a refusal repeats.
const ASKED_SHOWN: usize = 100;
const REMEDY: &str = "/api/muster/v1/openapi.yaml describes the body";

/// The JSON object in the body; no body is an empty object.
pub(super) async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let bytes = body_bytes(request.into_body()).await?;
    let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        ApiError::new(ErrorKind::BadData, error.to_string()).place("the request's body").remedy(REMEDY)
    })
}

/// This object with its version.
pub(super) fn answer(status: StatusCode, mut object: Value) -> Response {
    object["version"] = 1.into();
    (status, [(header::CONTENT_TYPE, "application/json")], object.to_string()).into_response()
}

/// As [`answer`], of what is made off the runtime's threads and written without a tree of values between: for long lists.
pub(super) async fn object<T: Serialize>(make: impl FnOnce() -> T + Send + 'static) -> Result<Response, MusterError> {
    json(tokio::task::spawn_blocking(move || serde_json::to_vec(&make())).await)
}

/// As [`object`], of an answer that several pages ask for at the same moment: it is made once for all of them.
pub(super) async fn remembered<T: Serialize>(
    state: Arc<State>,
    long: Long,
    make: impl FnOnce(&State) -> T + Send + 'static,
) -> Result<Response, MusterError> {
    let made = tokio::task::spawn_blocking(move || {
        let versions = [state.alerting.subscribe(), state.fleet.subscribe_status(), state.fleet.subscribe()]
            .map(|one| *one.borrow());
        state.remembered.of(long, versions, monotonic(), || serde_json::to_vec(&make(&state)).map(Bytes::from))
    });
    json(made.await)
}

fn json<E: Debug>(made: Result<Result<impl Into<Body> + Debug, E>, JoinError>) -> Result<Response, MusterError> {
    let Ok(Ok(bytes)) = made else {
        tracing::error!("an answer ended in a panic or cannot be written: {made:?}");
        let error = ApiError::new(ErrorKind::Internal, "this ended in a panic; the collector's log says where");
        return Err(error.into());
    };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], bytes.into()).into_response())
}

/// A span in a field of the body.
pub(super) fn span(field: &str, text: &str) -> Result<Duration, ApiError> {
    parse_span(text).map_err(|error| {
        let (message, remedy) = split(&error.to_string());
        ApiError::new(ErrorKind::BadData, message).place(format!("field `{field}`")).remedy(remedy)
    })
}

/// A parameter that is true or false.
pub(super) fn truth(form: &Parameters, name: &str, otherwise: bool, remedy: &str) -> Result<bool, ApiError> {
    form.truth(name, otherwise).map_err(|error| error.remedy(remedy))
}

/// How many of a list are asked for, from 1 to `most`; `otherwise` where it is not said.
pub(super) fn limit(form: &Parameters, otherwise: usize, most: usize) -> Result<usize, ApiError> {
    let Some(text) = form.first("limit") else { return Ok(otherwise) };
    let known = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    known.ok_or_else(|| {
        bad("parameter `limit`", format!("`{text}` is no number of rows"), format!("write a number from 1 to {most}"))
    })
}

/// A moment in milliseconds since 1970; none where it is not said.
pub(super) fn moment(form: &Parameters, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = form.first(name) else { return Ok(None) };
    let at_ms = text.parse().map_err(|_| {
        let remedy = "write milliseconds since 1970, such as 1795000000000";
        bad(&format!("parameter `{name}`"), format!("`{text}` is no time"), remedy)
    })?;
    Ok(Some(Timestamp::from_millis(at_ms)))
}

/// A text of a request that has no use: where, what, what to do.
/// The number in a path; `what` has its article, `list` is the command that shows the numbers.
pub(super) fn numbered(asked: &str, what: &str, list: &str) -> Result<u64, ApiError> {
    asked.parse().map_err(|_| {
        let shown: String = asked.chars().take(ASKED_SHOWN).collect();
        bad("the path", format!("`{shown}` is no number of {what}"), format!("`{list}` shows the numbers"))
    })
}

/// The ids of hosts that are named by name or id.
pub(super) fn ids_of(fleet: &Fleet, asked: &[String]) -> Result<Vec<String>, FleetError> {
    asked.iter().map(|asked| Ok(fleet.find(asked)?.to_string())).collect()
}

pub(super) fn bad(place: &str, message: impl Into<String>, remedy: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::BadData, message).place(place).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_is_none_is_refused_with_its_field() {
        let error = span("ttl", "soon").unwrap_err();
        assert_eq!(error.message(), "`soon` is no duration");
    }
}
