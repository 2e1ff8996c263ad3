//! `GET /-/healthy` and `GET /-/ready`: for service managers and load balancers, which read the status.

use std::sync::Arc;

use axum::extract::State as Shared;

use crate::error::{ApiError, ErrorKind, PlainError};
use crate::state::{Problem, State};

/// 200 while nothing is wrong, else 503 and one line a problem.
pub(crate) async fn healthy(Shared(state): Shared<Arc<State>>) -> Result<&'static str, PlainError> {
    let problems = (state.hooks.health)().problems;
    if problems.is_empty() {
        return Ok("Muster is healthy.\n");
    }
    let lines: Vec<String> =
        problems.iter().map(|problem| format!("{} ({}): {}", problem.message, problem.place, problem.remedy)).collect();
    Err(ApiError::new(ErrorKind::Unavailable, lines.join("\n")).into())
}

/// 200 while it takes and answers, else 503 and why: it starts or stops, or commits fail. Other problems are [`healthy`]'s alone.
pub(crate) async fn ready(Shared(state): Shared<Arc<State>>) -> Result<&'static str, PlainError> {
    match (state.hooks.health)().unready {
        None => Ok("Muster is ready.\n"),
        Some(Problem { message, place, remedy }) => {
            Err(ApiError::new(ErrorKind::Unavailable, message).place(place).remedy(remedy).into())
        }
    }
}
