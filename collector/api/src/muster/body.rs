//! JSON in and out, and the fleet's errors as answers.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_common::time::parse_span;
use muster_fleet::FleetError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

use crate::error::{ApiError, ErrorKind, chain};
use crate::form::body_bytes;

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

/// A span in a field of the body.
pub(super) fn span(field: &str, text: &str) -> Result<Duration, ApiError> {
    parse_span(text).map_err(|error| {
        let (message, remedy) = split(&error.to_string());
        ApiError::new(ErrorKind::BadData, message).place(format!("field `{field}`")).remedy(remedy)
    })
}

/// Runs what blocks on the disk, off the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    place: &str,
    work: impl FnOnce() -> Result<T, FleetError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| refusal(&error, place)),
        Err(error) => {
            tracing::error!("a change of the fleet ended in a panic: {error}");
            Err(ApiError::new(ErrorKind::Internal, "this ended in a panic; the collector's log says where")
                .place(place))
        }
    }
}

/// The fleet's error: its text says what, then, after a colon, what to do.
fn refusal(error: &FleetError, place: &str) -> ApiError {
    use muster_fleet::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::Input => ErrorKind::BadData,
        Kind::NotFound => ErrorKind::NotFound,
        Kind::Conflict => ErrorKind::Conflict,
        Kind::Storage => {
            tracing::error!("a change of the fleet failed: {}", chain(error));
            ErrorKind::Internal
        }
    };
    let (message, remedy) = split(&chain(error));
    let remedy = if remedy.is_empty() { "correct the request and send it again".to_owned() } else { remedy };
    ApiError::new(kind, message).place(place).remedy(remedy)
}

/// Message and remedy of a text in the house's form, `what: what to do`; colons inside backquotes are no separators.
fn split(text: &str) -> (String, String) {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '`' => quoted = !quoted,
            ':' if !quoted && text[at..].starts_with(": ") => {
                return (text[..at].to_owned(), text[at + 2..].to_owned());
            }
            _ => {}
        }
    }
    (text.to_owned(), String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_part_into_what_and_what_to_do() {
        for (text, message, remedy) in [
            ("no host `a: b` is known: look", "no host `a: b` is known", "look"),
            ("plain", "plain", ""),
            ("a:b is wrong: write c: d", "a:b is wrong", "write c: d"),
        ] {
            assert_eq!(split(text), (message.to_owned(), remedy.to_owned()));
        }
        let error = span("ttl", "soon").unwrap_err();
        assert_eq!(error.message(), "`soon` is no duration");
    }
}
