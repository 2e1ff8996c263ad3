//! Local users, as administrators keep them.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{Role, UserChange, UserView, check_user_name};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, read};
use crate::error::{ApiError, MusterError};
use crate::state::State;
use crate::work::{blocking, by, refusal};

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    let users: Vec<Value> = state.fleet.users().iter().map(user_json).collect();
    answer(StatusCode::OK, json!({"users": users}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    role: String,
    password: String,
}

pub(super) async fn add(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let New { name, role, password } = read(request).await?;
    let role = role_of(&role)?;
    // Before the hash, which costs.
    check_user_name(&name).map_err(|error| refusal(&error.into(), "field `name`"))?;
    let password = state.logins.hash(&name, &password).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        fleet.add_user(&name, role, password, &by, now)?;
        fleet.user(&name)
    };
    let user = blocking("field `name`", work).await?;
    Ok(answer(StatusCode::CREATED, json!({"user": user_json(&user)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    role: Option<String>,
    password: Option<String>,
    disabled: Option<bool>,
}

pub(super) async fn change(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    const PLACE: &str = "the user asked for";
    let (by, now) = (by(&request), state.now());
    let Change { role, password, disabled } = read(request).await?;
    let role = role.as_deref().map(role_of).transpose()?;
    state.fleet.user(&name).map_err(|error| refusal(&error.into(), PLACE))?;
    let password = match password {
        Some(password) => Some(state.logins.hash(&name, &password).await?),
        None => None,
    };
    let (fleet, change) = (Arc::clone(&state.fleet), UserChange { role, password, disabled });
    let user = blocking(PLACE, move || fleet.change_user(&name, change, &by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"user": user_json(&user)})))
}

pub(super) async fn remove(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now, fleet, asked) = (by(&request), state.now(), Arc::clone(&state.fleet), name.clone());
    blocking("the user asked for", move || fleet.remove_user(&asked, &by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"removed": name})))
}

fn role_of(text: &str) -> Result<Role, ApiError> {
    Role::parse(text)
        .ok_or_else(|| bad("field `role`", format!("there is no role `{text}`"), "write viewer, operator or admin"))
}

fn user_json(user: &UserView) -> Value {
    json!({
        "name": user.name, "role": user.role.as_str(), "made_ms": user.made_ms, "made_by": user.made_by,
        "changed_ms": user.changed_ms, "disabled_ms": user.disabled_ms, "last_login_ms": user.last_login_ms,
    })
}
