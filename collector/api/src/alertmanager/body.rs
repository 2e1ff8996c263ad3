//! JSON in and out, times and filters.

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use muster_common::matcher::Matcher;
use muster_common::matcher_text::read_matchers;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ApiError, ErrorKind};
use crate::form::{Parameters, body_bytes_within};

/// Bytes of a body: 10,000 alerts of 800 bytes, which is twice what Prometheus sends at most in one request of its usual size.
const BODY_BYTES_MAX: usize = 8 << 20;

pub(super) async fn read<T: DeserializeOwned>(request: Request, shape: &str) -> Result<T, ApiError> {
    let bytes = body_bytes_within(request.into_body(), BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        bad("the request's body", error.to_string(), format!("send {shape}, as Alertmanager's API has them"))
    })
}

pub(super) fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

pub(super) fn bad(place: &str, message: impl Into<String>, remedy: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::BadData, message).place(place).remedy(remedy)
}

/// A time in a field; Go's zero time is none.
pub(super) fn time(field: &str, text: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01T00:00:00")) else {
        return Ok(None);
    };
    let parsed: Result<Timestamp, _> = text.parse();
    parsed.map(|time| Some(time.as_millisecond())).map_err(|error| {
        let remedy = "write such as 2026-01-31T12:00:00Z";
        bad(&format!("field `{field}`"), format!("`{text}` is no time: {error}"), remedy)
    })
}

/// The matchers of all parameters `filter`.
pub(super) fn filters(form: &Parameters) -> Result<Vec<Matcher>, ApiError> {
    let mut all = Vec::new();
    for text in form.all("filter").filter(|text| !text.is_empty()) {
        let read = read_matchers(text).map_err(|error| {
            bad("parameter `filter`", format!("`{text}`: {error}"), "write such as alertname=\"Disk\"")
        });
        all.extend(read?);
    }
    Ok(all)
}
