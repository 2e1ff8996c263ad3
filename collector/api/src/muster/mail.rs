//! Mail: what waits to be sent, what one would look like, and whether one arrives.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_alert::alerting::{Preview, TestError};
use muster_alert::outgoing::{Key, Row, State as Way};
use muster_fleet::EventKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::alerts::find;
use super::body::{answer, bad, read, truth};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::state::State;
use crate::work::{by, record, split};

pub(super) async fn queue(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let all = truth(&form, "all", false, "write all=true to see what was accepted too")?;
    let rows = state.alerting.ask(|desk| {
        let is_open = |row: &Row| row.state.done_ms().is_none() || matches!(row.state, Way::Dead { .. });
        let rows = desk.queue().rows().filter(|(_, row)| all || is_open(row));
        rows.map(|(key, row)| row_json(key, row)).collect::<Vec<_>>()
    });
    Ok(answer(StatusCode::OK, json!({"rows": rows})))
}

fn row_json(key: Key, row: &Row) -> Value {
    let (state, next_ms, done_ms, problem) = match &row.state {
        Way::Queued => ("queued", None, None, ""),
        Way::Leased { until_ms } => ("sending", Some(*until_ms), None, ""),
        Way::Deferred { next_ms, why } => ("deferred", Some(*next_ms), None, why.as_str()),
        Way::Accepted { at_ms } => ("accepted", None, Some(*at_ms), ""),
        Way::Within { at_ms, .. } => ("within", None, Some(*at_ms), ""),
        Way::Dead { at_ms, why } => ("dead", None, Some(*at_ms), why.as_str()),
    };
    let target = row.current();
    json!({
        "notice": key.notice,
        "incident": row.incident,
        "is_digest": key.is_digest(),
        "state": state,
        "receiver": row.receiver,
        "recipient": target.recipient,
        "server": target.server,
        "message_id": row.message_id,
        "attempts": row.attempts,
        "may_have_arrived": row.may_have_arrived,
        "queued_ms": row.queued_ms,
        "next_ms": next_ms,
        "done_ms": done_ms,
        "subject": row.subject,
        "problem": problem,
        "size_bytes": row.size_bytes,
    })
}

/// What a mail may do in a browser: show itself. Its words are of hosts and logs; were one of them taken for a script or an address, nothing
/// would run and nothing would be loaded, in an origin that is nobody's.
const MAIL_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox; frame-ancestors 'self'";

pub(super) async fn preview(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let preview = previewed(&state, request).await?;
    Ok(answer(
        StatusCode::OK,
        json!({
            "receiver": preview.receiver, "recipient": preview.recipient, "subject": preview.subject,
            "text": preview.text, "html": preview.html, "eml": preview.eml,
        }),
    ))
}

/// The mail as a page of its own, to be shown in a frame.
pub(super) async fn preview_page(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let preview = previewed(&state, request).await?;
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, MAIL_POLICY)];
    Ok((headers, preview.html_alone).into_response())
}

async fn previewed(state: &State, request: Request) -> Result<Preview, MusterError> {
    let form = Parameters::of(request).await?;
    let Some(asked) = form.first("alert").map(str::to_owned) else {
        return Err(bad("parameter `alert`", "no alert is asked for", "`muster alerts` shows the ids").into());
    };
    let id = state.alerting.ask(|desk| find(desk, &asked).map(|alert| alert.id))?;
    let (alerting, now) = (Arc::clone(&state.alerting), state.now());
    // It asks the store, as a query does.
    let preview = state.pool.run(move |_| alerting.preview(id, now)).await?;
    let preview = preview.map_err(|error| {
        ApiError::new(ErrorKind::Execution, error.to_string())
            .place("the alerting file")
            .remedy("correct the address there and reload")
    })?;
    preview.ok_or_else(|| {
        let gone =
            ApiError::new(ErrorKind::NotFound, format!("alert `{asked}` has just ended")).place("parameter `alert`");
        gone.remedy("`muster alerts` shows those there are").into()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    receiver: String,
}

pub(super) async fn test(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let by = by(&request);
    let Test { receiver } = read(request).await?;
    let tested = state.alerting.test_receiver(&receiver, state.now()).await.map_err(|error| {
        let kind = match error {
            TestError::NoReceiver { .. } => ErrorKind::NotFound,
            TestError::NoAddress { .. } | TestError::Faults { .. } => ErrorKind::Conflict,
        };
        let (message, remedy) = split(&error.to_string());
        ApiError::new(kind, message).place("field `receiver`").remedy(remedy)
    })?;
    let text = format!("sent a test to receiver `{receiver}`");
    record(&state, by, EventKind::ReceiverTested, &receiver, text).await?;
    let sent: Vec<Value> = tested
        .iter()
        .map(|one| json!({"recipient": one.recipient, "accepted": one.accepted, "answer": one.answer}))
        .collect();
    Ok(answer(StatusCode::OK, json!({"sent": sent})))
}
