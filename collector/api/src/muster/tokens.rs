//! Tokens: enrolment of hosts, and scopes of the HTTP interfaces.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::Response;
use muster_common::time::{Span, Timestamp};
use muster_fleet::{Binding, HttpTokenView, Scope, TokenSpec, TokenView};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, read, span};
use crate::auth::PeerGrant;
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::install::{Asked, for_token};
use crate::state::State;
use crate::work::{blocking, by};

/// How long a token is good when its maker does not say: enrolment follows at once, people and programs stay.
const ENROLMENT_TTL: Duration = Duration::from_secs(3_600);
const HTTP_TTL: Duration = Duration::from_secs(90 * 86_400);

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum New {
    Enrolment {
        name: Option<String>,
        pattern: Option<String>,
        ttl: Option<String>,
        uses: Option<u32>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        #[serde(default)]
        replace: bool,
        ephemeral: Option<String>,
    },
    Http {
        scopes: Vec<String>,
        ttl: Option<String>,
    },
}

pub(super) async fn new(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (by, now, host) = (by(&request), state.now(), dialled(&request));
    let fleet = Arc::clone(&state.fleet);
    let mut install = None;
    let token = match read(request).await? {
        New::Enrolment { name, pattern, ttl, uses, labels, replace, ephemeral } => {
            let binding = binding(name, pattern)?;
            let ttl = ttl.map_or(Ok(ENROLMENT_TTL), |text| span("ttl", &text))?;
            let ephemeral = ephemeral.map(|text| span("ephemeral", &text)).transpose()?;
            let spec = TokenSpec { binding, labels, ttl, uses: uses.unwrap_or(1), replace, ephemeral, by };
            let mut json = enrolment_spec(&spec, now);
            let word = blocking("the token asked for", move || fleet.new_token(spec, now)).await?;
            name_word(&mut json, &word);
            install = install_command(&state, word, json["name"].as_str().map(str::to_owned), host).await;
            json
        }
        New::Http { scopes, ttl } => {
            let scopes = scopes.iter().map(|text| scope(text)).collect::<Result<Vec<_>, _>>()?;
            if scopes.is_empty() {
                return Err(bad("scopes", "a token without scopes is good for nothing", KNOWN_SCOPES).into());
            }
            let ttl = ttl.map_or(Ok(HTTP_TTL), |text| span("ttl", &text))?;
            let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            let mut json = json!({"kind": "http", "scopes": names, "expires_ms": now.plus(ttl).millis()});
            let word = blocking("the token asked for", move || fleet.new_http_token(&scopes, ttl, &by, now)).await?;
            name_word(&mut json, &word);
            json
        }
    };
    let agents_port = state.agents.port();
    Ok(answer(StatusCode::CREATED, json!({"token": token, "agents_port": agents_port, "install": install})))
}

/// The `Host` by which the request came, where a host may be able to use it too.
fn dialled(request: &Request) -> Option<String> {
    let is_here = request.extensions().get::<PeerGrant>().is_some();
    let host = request.headers().get(header::HOST).filter(|_| !is_here)?;
    host.to_str().ok().map(str::to_owned)
}

/// The one command for a host, or why there is none; `None` where the collector serves no packages.
async fn install_command(
    state: &Arc<State>,
    word: String,
    name: Option<String>,
    host: Option<String>,
) -> Option<Value> {
    let state = Arc::clone(state);
    let made = tokio::task::spawn_blocking(move || {
        let asked = Asked { word: &word, name: name.as_deref(), host: host.as_deref() };
        for_token(&state, &asked)
    });
    match made.await.ok()?? {
        Ok(command) => Some(json!({"command": command})),
        Err(refused) => Some(json!({"problem": refused.problem().json()})),
    }
}

const KNOWN_SCOPES: &str = "write read, ingest, silence, ask, task:request, task:approve or admin";

fn bad(field: &str, message: impl Into<String>, remedy: &str) -> ApiError {
    ApiError::new(ErrorKind::BadData, message).place(format!("field `{field}`")).remedy(remedy)
}

fn binding(name: Option<String>, pattern: Option<String>) -> Result<Binding, ApiError> {
    match (name, pattern) {
        (Some(name), None) => Ok(Binding::Name(name)),
        (None, Some(pattern)) => Ok(Binding::Pattern(pattern)),
        _ => Err(bad("name", "a token is for one name or for a pattern of names", "write either `name` or `pattern`")),
    }
}

fn scope(text: &str) -> Result<Scope, ApiError> {
    Scope::parse(text).ok_or_else(|| bad("scopes", format!("there is no scope `{text}`"), KNOWN_SCOPES))
}

fn enrolment_spec(spec: &TokenSpec, now: Timestamp) -> Value {
    let (name, pattern) = parts(&spec.binding);
    json!({
        "kind": "enrolment", "name": name, "pattern": pattern, "labels": spec.labels, "uses": spec.uses,
        "replace": spec.replace, "ephemeral": spec.ephemeral.map(|silence| Span(silence).to_string()),
        "expires_ms": now.plus(spec.ttl).millis(),
    })
}

fn parts(binding: &Binding) -> (Option<&str>, Option<&str>) {
    match binding {
        Binding::Name(name) => (Some(name), None),
        Binding::Pattern(pattern) => (None, Some(pattern)),
    }
}

/// Adds the word, and the id that it begins with.
fn name_word(token: &mut Value, word: &str) {
    token["id"] = word.split('.').next().unwrap_or("").into();
    token["word"] = word.into();
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    let enrolment = state.fleet.tokens().into_iter().map(enrolment_json);
    let http = state.fleet.http_tokens().into_iter().map(http_json);
    let tokens: Vec<Value> = enrolment.chain(http).collect();
    answer(StatusCode::OK, json!({"tokens": tokens}))
}

fn enrolment_json(token: TokenView) -> Value {
    let (name, pattern) = parts(&token.binding);
    json!({
        "kind": "enrolment", "id": token.id, "name": name, "pattern": pattern, "labels": token.labels,
        "made_ms": token.made_ms, "made_by": token.made_by, "expires_ms": token.expires_ms,
        "uses": token.uses, "uses_left": token.uses_left, "replace": token.replace,
        "ephemeral": token.ephemeral.map(|silence| Span(silence).to_string()), "revoked_ms": token.revoked_ms,
    })
}

fn http_json(token: HttpTokenView) -> Value {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    json!({
        "kind": "http", "id": token.id, "scopes": scopes, "made_ms": token.made_ms, "made_by": token.made_by,
        "expires_ms": token.expires_ms, "last_used_ms": token.last_used_ms,
    })
}

pub(super) async fn revoke(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now, fleet) = (by(&request), state.now(), Arc::clone(&state.fleet));
    let place = format!("token `{id}`");
    let asked = id.clone();
    blocking(&place, move || fleet.revoke_token(&asked, &by, now)).await?;
    Ok(answer(StatusCode::OK, json!({"revoked": id})))
}
