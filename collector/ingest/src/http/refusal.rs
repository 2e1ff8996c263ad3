//! Why a request is not answered 204. Senders retry on 5xx and 429 and drop a request on any other refusal, so a request that
//! cannot succeed must not be answered by those.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What a sender that finds everything full is told to wait.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, text: impl ToString) -> Self {
        Self { status, text: text.to_string(), retry_after: None }
    }

    pub(crate) fn later(status: StatusCode, text: impl ToString, after: Duration) -> Self {
        Self { status, text: text.to_string(), retry_after: Some(after) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.text)).into_response();
        if let Some(after) = self.retry_after {
            let seconds = HeaderValue::from(after.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
