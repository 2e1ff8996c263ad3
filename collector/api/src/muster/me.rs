//! The user who asks.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::Response;
use muster_fleet::UserChange;
use serde::Deserialize;
use serde_json::json;

use super::body::{answer, read};
use super::caller::{caller, not_logged_in};
use crate::auth::Asked;
use crate::cookie;
use crate::error::MusterError;
use crate::state::State;
use crate::work::blocking;

/// Who asks, and what they may do.
pub(super) async fn show(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let caller = caller(&request);
    let user = caller.session.as_ref().and_then(|(user, _)| state.fleet.user(user).ok());
    let scopes = caller.grant.iter().flat_map(|grant| &grant.scopes).map(|scope| scope.as_str());
    answer(
        StatusCode::OK,
        json!({
            "by": caller.by.to_string(),
            "user": user.as_ref().map(|user| &user.name),
            "role": user.as_ref().map(|user| user.role.as_str()),
            "scopes": scopes.collect::<Vec<_>>(),
        }),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    old_password: String,
    password: String,
}

/// Another password, given the old one. All sessions of the user end, this one too, and so do the tokens that it made.
pub(super) async fn change(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (caller, asked) = (caller(&request), Asked::of_request(&request));
    let Some((user, _)) = caller.session else { return Err(not_logged_in().into()) };
    let Change { old_password, password } = read(request).await?;
    state.logins.prove(&state, &user, &old_password, &asked).await?;
    let change = UserChange { password: Some(state.logins.hash(&user, &password).await?), ..UserChange::default() };
    let (fleet, now) = (Arc::clone(&state.fleet), state.now());
    blocking("the user", move || fleet.change_user(&user, change, &caller.by, now)).await?;
    let mut response = answer(StatusCode::OK, json!({"changed": true}));
    response.headers_mut().insert(header::SET_COOKIE, cookie::clear(asked.is_over_tls));
    Ok(response)
}
