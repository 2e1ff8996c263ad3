//! Logging in and out, and the sessions that there are.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use muster_fleet::{SESSION_LIFE, Scope, SessionView};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, read, truth};
use super::caller::{caller, not_logged_in};
use crate::auth::{Asked, check_foreign};
use crate::cookie;
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::State;
use crate::work::blocking;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    password: String,
}

/// For anybody: the answer sets the cookie.
pub(super) async fn log_in(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let asked = Asked::of_request(&request);
    // A page of another site must not log its reader in as somebody else.
    check_foreign(&asked)?;
    let Login { user, password } = read(request).await?;
    let word = state.logins.log_in(&state, &user, &password, &asked).await?;
    let view = state.fleet.user(&user).map_err(|_| not_logged_in())?;
    let ends_ms = state.now().plus(SESSION_LIFE).millis();
    let json = json!({"user": view.name, "role": view.role.as_str(), "ends_ms": ends_ms});
    let mut response = answer(StatusCode::OK, json);
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(&word, asked.is_over_tls));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

pub(super) async fn log_out(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (caller, asked) = (caller(&request), Asked::of_request(&request));
    let Some((user, id)) = caller.session else { return Err(not_logged_in().into()) };
    let (fleet, now) = (Arc::clone(&state.fleet), state.now());
    blocking("the session", move || fleet.end_session(&id, Some(&user), &caller.by, now)).await?;
    let mut response = answer(StatusCode::OK, json!({"logged_out": true}));
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear(asked.is_over_tls));
    Ok(response)
}

/// The caller's own sessions; with `all=true`, for administrators, everybody's.
pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let caller = caller(&request);
    let form = Parameters::of(request).await?;
    let all = truth(&form, "all", false, "write all=true to see everybody's, as an administrator")?;
    let sessions = match (&caller.session, all && caller.allows(Scope::Admin)) {
        (_, true) => state.fleet.sessions(None, state.now()),
        (Some((user, _)), false) if !all => state.fleet.sessions(Some(user), state.now()),
        (None, false) if !all => Vec::new(),
        _ => return Err(super::caller::not_yours("everybody's sessions are for administrators").into()),
    };
    let own = caller.session.map(|(_, id)| id);
    let sessions: Vec<Value> = sessions.iter().map(|session| session_json(session, own.as_deref())).collect();
    Ok(answer(StatusCode::OK, json!({"sessions": sessions})))
}

/// Ends a session: one's own, or any as an administrator.
pub(super) async fn end(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let caller = caller(&request);
    let of = match (&caller.session, caller.allows(Scope::Admin)) {
        (_, true) => None,
        (Some((user, _)), false) => Some(user.clone()),
        (None, false) => return Err(super::caller::not_yours("others' sessions are ended by administrators").into()),
    };
    let (fleet, now, asked) = (Arc::clone(&state.fleet), state.now(), id.clone());
    blocking("the session asked for", move || fleet.end_session(&asked, of.as_deref(), &caller.by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"ended": id})))
}

fn session_json(session: &SessionView, own: Option<&str>) -> Value {
    json!({
        "id": session.id, "user": session.user, "source": session.source, "made_ms": session.made_ms,
        "used_ms": session.used_ms, "ends_ms": session.ends_ms,
        "is_this": own == Some(session.id.as_str()),
    })
}
