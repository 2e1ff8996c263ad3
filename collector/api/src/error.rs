//! One error for every route, and each dialect's way of saying it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::json::push_html_safe_string;
use crate::state::Problem;

/// What an error is about. Each has Prometheus' word for it, our own word, and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    BadData,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    /// The request's body came too slowly.
    TooSlow,
    TooMany,
    Execution,
    Canceled,
    Internal,
    Timeout,
    Unavailable,
}

impl ErrorKind {
    /// Prometheus' `errorType`.
    pub const fn prometheus(self) -> &'static str {
        match self {
            Self::BadData | Self::TooLarge => "bad_data",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "not_acceptable",
            Self::Conflict | Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Internal => "internal",
            Self::Timeout | Self::TooSlow => "timeout",
            Self::Unavailable | Self::TooMany => "unavailable",
        }
    }

    /// `code` of Muster's own errors.
    pub const fn muster(self) -> &'static str {
        match self {
            Self::BadData => "bad_request",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::TooMany => "too_many",
            Self::MethodNotAllowed => "method_not_allowed",
            other => other.prometheus(),
        }
    }

    /// The HTTP status: Prometheus' numbers, 499 for a client that went away included.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Timeout | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The HTTP status that Loki gives: limits are the question's fault, a full queue is 429.
    fn loki_status(self) -> StatusCode {
        match self {
            Self::Execution => StatusCode::BAD_REQUEST,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable => StatusCode::TOO_MANY_REQUESTS,
            other => other.status(),
        }
    }
}

/// Why a request was not answered: what, where it went wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    kind: ErrorKind,
    message: String,
    place: String,
    remedy: String,
    retry_after_seconds: Option<u32>,
}

impl ApiError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: String::new(), remedy: String::new(), retry_after_seconds: None }
    }

    /// Of a text in the house's form, `what: what to do`.
    pub fn said(kind: ErrorKind, text: &str) -> Self {
        let (message, remedy) = crate::work::split(text);
        Self::new(kind, message).remedy(remedy)
    }

    /// Where: a parameter, a path, a file, a host.
    #[must_use]
    pub fn place(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Adds a `Retry-After` header.
    #[must_use]
    pub fn retry_after_seconds(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is wrong, as a part of an answer that is no error.
    pub(crate) fn problem(&self) -> Problem {
        Problem { message: self.message.clone(), place: self.place.clone(), remedy: self.remedy.clone() }
    }

    /// The answer in this dialect.
    pub fn respond(&self, dialect: Dialect) -> Response {
        let (content_type, body) = match dialect {
            Dialect::Prometheus => ("application/json", self.prometheus_body()),
            Dialect::Muster => ("application/json", self.muster_body()),
            Dialect::Alertmanager => ("application/json", self.alertmanager_body()),
            Dialect::Plain => ("text/plain; charset=utf-8", self.plain_body()),
            Dialect::Loki => ("text/plain; charset=utf-8", self.line().into_bytes()),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = if dialect == Dialect::Loki { self.kind.loki_status() } else { self.kind.status() };
        let headers = response.headers_mut();
        if dialect == Dialect::Loki {
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.kind == ErrorKind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"muster\""));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Message, place and remedy in one line, for dialects that have one text only. Texts that Prometheus has as well stay as
    /// they are there, since its clients compare them; they carry no place and no remedy of ours.
    fn line(&self) -> String {
        match (self.place.is_empty(), self.remedy.is_empty()) {
            (_, true) => self.message.clone(),
            (true, false) => format!("{}: {}", self.message, self.remedy),
            (false, false) => format!("{} ({}): {}", self.message, self.place, self.remedy),
        }
    }

    fn prometheus_body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.message.len());
        out.extend_from_slice(b"{\"status\":\"error\",\"errorType\":\"");
        out.extend_from_slice(self.kind.prometheus().as_bytes());
        out.extend_from_slice(b"\",\"error\":");
        push_html_safe_string(&mut out, &self.line());
        out.push(b'}');
        out
    }

    fn muster_body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192 + self.message.len());
        out.extend_from_slice(b"{\"version\":1,\"error\":{\"code\":\"");
        out.extend_from_slice(self.kind.muster().as_bytes());
        out.push(b'"');
        for (name, text) in [("message", &self.message), ("where", &self.place), ("remedy", &self.remedy)] {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            push_html_safe_string(&mut out, text);
        }
        out.extend_from_slice(b"}}");
        out
    }

    fn alertmanager_body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_html_safe_string(&mut out, &self.line());
        out
    }

    fn plain_body(&self) -> Vec<u8> {
        let mut line = self.line();
        line.push('\n');
        line.into_bytes()
    }
}

/// In whose words a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `/api/v1`: `{"status":"error","errorType":...,"error":...}`.
    Prometheus,
    /// `/api/muster/v1`: `{"version":1,"error":{"code","message","where","remedy"}}`.
    Muster,
    /// `/loki/api/v1`: the message alone, with Loki's statuses.
    Loki,
    /// `/api/v2`: one JSON string.
    Alertmanager,
    /// `/-/` and `/metrics`: one line of text.
    Plain,
}

impl Dialect {
    /// The dialect of a path that no route has.
    pub(crate) fn of_path(path: &str) -> Self {
        if path.starts_with("/api/muster/") {
            Self::Muster
        } else if path.starts_with("/api/v2/") {
            Self::Alertmanager
        } else if path.starts_with("/api/") {
            Self::Prometheus
        } else if path.starts_with("/loki/") {
            Self::Loki
        } else {
            Self::Plain
        }
    }
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// Declares the error types of the dialects' handlers: `?` turns an [`ApiError`] into one, and axum answers with it.
macro_rules! dialect_error {
    ($name:ident, $dialect:expr) => {
        pub(crate) struct $name(ApiError);

        impl From<ApiError> for $name {
            fn from(error: ApiError) -> Self {
                Self(error)
            }
        }

        impl IntoResponse for $name {
            fn into_response(self) -> Response {
                self.0.respond($dialect)
            }
        }
    };
}

dialect_error!(PrometheusError, Dialect::Prometheus);
dialect_error!(MusterError, Dialect::Muster);
dialect_error!(PlainError, Dialect::Plain);
dialect_error!(LokiError, Dialect::Loki);
dialect_error!(AlertmanagerError, Dialect::Alertmanager);

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        String::from_utf8(axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_dialect_says_the_same_error_in_its_own_shape() {
        let error =
            ApiError::new(ErrorKind::BadData, "a < b is \"wrong\"").place("parameter `x`").remedy("turn it round");
        assert_eq!(
            body(error.respond(Dialect::Prometheus)).await,
            r#"{"status":"error","errorType":"bad_data","error":"a \u003c b is \"wrong\" (parameter `x`): turn it round"}"#
        );
        assert_eq!(
            body(error.respond(Dialect::Muster)).await,
            r#"{"version":1,"error":{"code":"bad_request","message":"a \u003c b is \"wrong\"","where":"parameter `x`","remedy":"turn it round"}}"#
        );
        assert_eq!(
            body(error.respond(Dialect::Alertmanager)).await,
            r#""a \u003c b is \"wrong\" (parameter `x`): turn it round""#
        );
        assert_eq!(body(error.respond(Dialect::Plain)).await, "a < b is \"wrong\" (parameter `x`): turn it round\n");
        let response = error.respond(Dialect::Loki);
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(body(response).await, "a < b is \"wrong\" (parameter `x`): turn it round");
    }

    #[test]
    fn statuses_of_lokis_dialect_are_its_own() {
        for (kind, status) in [
            (ErrorKind::BadData, 400),
            (ErrorKind::Execution, 400),
            (ErrorKind::Canceled, 499),
            (ErrorKind::Timeout, 504),
            (ErrorKind::Unavailable, 429),
            (ErrorKind::Internal, 500),
            (ErrorKind::Unauthorized, 401),
        ] {
            assert_eq!(ApiError::new(kind, "x").respond(Dialect::Loki).status().as_u16(), status, "{kind:?}");
        }
    }

    #[test]
    fn statuses_and_words_are_prometheus_own() {
        for (kind, word, status) in [
            (ErrorKind::BadData, "bad_data", 400),
            (ErrorKind::Execution, "execution", 422),
            (ErrorKind::Canceled, "canceled", 499),
            (ErrorKind::Timeout, "timeout", 503),
            (ErrorKind::Unavailable, "unavailable", 503),
            (ErrorKind::Internal, "internal", 500),
            (ErrorKind::NotFound, "not_found", 404),
            (ErrorKind::Unauthorized, "unauthorized", 401),
            (ErrorKind::Forbidden, "forbidden", 403),
        ] {
            assert_eq!((kind.prometheus(), kind.status().as_u16()), (word, status));
        }
    }

    #[test]
    fn an_unauthorised_answer_names_the_scheme_and_a_busy_one_the_wait() {
        let response = ApiError::new(ErrorKind::Unauthorized, "x").respond(Dialect::Muster);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"muster\"");
        let response = ApiError::new(ErrorKind::Unavailable, "x").retry_after_seconds(5).respond(Dialect::Muster);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    }
}
