//! Who asks, for routes that differ by it, and what is said to who is nobody of theirs.

use axum::extract::Request;
use muster_fleet::By;

use crate::auth::Caller;
use crate::error::{ApiError, ErrorKind};

/// Whom the guard let in.
pub(super) fn caller(request: &Request) -> Caller {
    let nobody = || Caller { by: By::anybody("unknown"), grant: None, session: None };
    request.extensions().get::<Caller>().cloned().unwrap_or_else(nobody)
}

/// Of a route that is about the user who asks.
pub(super) fn not_logged_in() -> ApiError {
    ApiError::new(ErrorKind::Conflict, "no user is logged in: this was asked with a token or without")
        .place("the session")
        .remedy("POST /api/muster/v1/login first, and send its cookie")
}

/// Of what is an administrator's.
pub(super) fn not_yours(what: &str) -> ApiError {
    ApiError::new(ErrorKind::Forbidden, what).place("the session").remedy("ask an administrator")
}
