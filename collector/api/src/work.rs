//! What changes the collector's state, off the runtime's threads, and its errors as answers.

use axum::extract::Request;
use muster_alert::alerting::AlertingError;
use muster_fleet::{AuditResult, By, EventKind, FleetError, Record};

use crate::auth::Caller;
use crate::error::{ApiError, ErrorKind, chain};
use crate::state::State;

/// Who does it, for events and audit.
pub(crate) fn by(request: &Request) -> By {
    // Every route stands behind a guard, which puts the caller there.
    request.extensions().get::<Caller>().map_or_else(|| By::anybody("unknown"), |caller| caller.by.clone())
}

/// Puts into the audit what somebody has done that is no change of the registry's file.
pub(crate) async fn record(
    state: &State,
    by: By,
    action: EventKind,
    object: &str,
    text: String,
) -> Result<(), ApiError> {
    let (fleet, now) = (std::sync::Arc::clone(&state.fleet), state.now());
    let record = Record { by, action, object: object.to_owned(), text, result: AuditResult::Done };
    blocking("the audit, which does not know of it: it is done", move || fleet.record(record, now)).await
}

/// Runs what blocks on the disk, off the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static, E: Into<AlertingError> + Send + 'static>(
    place: &str,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| refusal(&error.into(), place)),
        Err(error) => {
            tracing::error!("a change ended in a panic: {error}");
            Err(ApiError::new(ErrorKind::Internal, "this ended in a panic; the collector's log says where")
                .place(place))
        }
    }
}

/// The error of fleet or alert: its text says what, then, after a colon, what to do.
pub(crate) fn refusal(error: &AlertingError, place: &str) -> ApiError {
    if let AlertingError::Fleet(FleetError::Profiles(mistakes)) = error {
        // Each says where and what to do itself.
        let remedy = "correct the documents; PROFILES.md describes them";
        return ApiError::new(ErrorKind::BadData, mistakes.to_string()).place(place).remedy(remedy);
    }
    let kind = match error {
        AlertingError::Fleet(error) => of_fleet(error),
        AlertingError::Silence(_) => ErrorKind::BadData,
        AlertingError::Load(_) => ErrorKind::Internal,
    };
    if kind == ErrorKind::Internal {
        tracing::error!("a change failed: {}", chain(error));
    }
    let (message, remedy) = split(&chain(error));
    let remedy = if remedy.is_empty() { "correct the request and send it again".to_owned() } else { remedy };
    ApiError::new(kind, message).place(place).remedy(remedy)
}

fn of_fleet(error: &FleetError) -> ErrorKind {
    use muster_fleet::ErrorKind as Kind;
    match error.kind() {
        Kind::Input => ErrorKind::BadData,
        Kind::NotFound => ErrorKind::NotFound,
        Kind::Conflict => ErrorKind::Conflict,
        Kind::Storage => ErrorKind::Internal,
    }
}

/// Message and remedy of a text in the house's form, `what: what to do`; colons inside backquotes are no separators.
pub(crate) fn split(text: &str) -> (String, String) {
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
    }
}
