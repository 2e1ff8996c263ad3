//! Who changed what, and whether that is all still as it was written.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{AuditQuery, AuditResult, AuditRow, EventKind};
use serde_json::{Value, json};

use super::body::{answer, bad, limit};
use crate::error::{ApiError, MusterError};
use crate::form::Parameters;
use crate::state::State;
use crate::work::blocking;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 10_000;

/// Rows that match, newest first. `next` is what `before` must be for those that follow; null: there are none.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let limit = limit(&form, LIMIT, LIMIT_MAX)?;
    let query = AuditQuery {
        from_ms: number(&form, "from_ms")?,
        to_ms: number(&form, "to_ms")?,
        by: form.first("by").map(str::to_owned),
        action: form.first("action").map(action).transpose()?,
        object: form.first("object").map(str::to_owned),
        result: form.first("result").map(result).transpose()?,
        before: number(&form, "before")?,
        // One more tells whether there are more.
        limit: limit + 1,
    };
    let fleet = Arc::clone(&state.fleet);
    let mut rows = blocking("the audit", move || fleet.audit(&query)).await?;
    let next = (rows.len() > limit).then(|| rows[limit - 1].seq);
    rows.truncate(limit);
    let rows: Vec<Value> = rows.iter().map(row_json).collect();
    Ok(answer(StatusCode::OK, json!({"rows": rows, "next": next})))
}

/// Walks the whole chain; `head`: a hash noted earlier.
pub(super) async fn verify(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let noted = form.first("head").map(str::to_owned);
    let fleet = Arc::clone(&state.fleet);
    let verified = blocking("parameter `head`", move || fleet.verify_audit(noted.as_deref())).await?;
    let json = match verified {
        Ok(proof) => json!({
            "ok": true, "rows": proof.rows, "first_seq": proof.first_seq, "head_seq": proof.head_seq,
            "head": proof.head, "noted_seq": proof.noted_seq,
        }),
        Err(broken) => json!({"ok": false, "broken_seq": broken.seq, "why": broken.why}),
    };
    Ok(answer(StatusCode::OK, json))
}

fn action(text: &str) -> Result<EventKind, ApiError> {
    let unknown = || {
        let remedy = "write one as rows show it, such as host_approved or login_failed";
        bad("parameter `action`", format!("`{text}` is no action"), remedy)
    };
    EventKind::parse(text).ok_or_else(unknown)
}

fn result(text: &str) -> Result<AuditResult, ApiError> {
    let known = [AuditResult::Done, AuditResult::Refused].into_iter().find(|one| one.as_str() == text);
    known.ok_or_else(|| bad("parameter `result`", format!("`{text}` is no result"), "write done or refused"))
}

fn number<T: std::str::FromStr>(form: &Parameters, name: &str) -> Result<Option<T>, ApiError> {
    let read = |text: &str| {
        let refuse = |_| bad(&format!("parameter `{name}`"), format!("`{text}` is no number"), "write a whole number");
        text.parse::<T>().map_err(refuse)
    };
    form.first(name).map(read).transpose()
}

fn row_json(row: &AuditRow) -> Value {
    json!({
        "seq": row.seq, "ms": row.ms, "by": row.by, "source": row.source, "action": row.action.as_str(),
        "object": row.object, "text": row.text, "result": row.result.as_str(), "prev": row.prev(), "hash": row.hash(),
    })
}
