//! Who asks, and whether they may.
//!
//! A bearer token with the route's scope, or `--no-auth`. Without tokens the danger is a page in the browser of the machine's own
//! user: so then only requests that no foreign page can make are taken (no name but an address or localhost in `Host`, no
//! other site in `Origin`).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::MethodRouter;
use muster_fleet::{Grant, Scope};

use crate::error::{ApiError, Dialect, ErrorKind};
use crate::state::{Access, State};

/// What one route asks of whoever calls it.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) state: Arc<State>,
    pub(crate) scope: Option<Scope>,
    pub(crate) dialect: Dialect,
}

/// Puts these routes of another edge behind the same check. The [`Grant`] lies in the request's extensions for them.
pub fn protect(routes: Router, state: &Arc<State>, scope: Scope, dialect: Dialect) -> Router {
    let guard = Guard { state: Arc::clone(state), scope: Some(scope), dialect };
    routes.route_layer(middleware::from_fn(move |request: Request, next: Next| check(guard.clone(), request, next)))
}

/// What the system says of who asks (the uid at the other end of the unix socket). The listener puts it into a request's extensions; it
/// counts where no `Authorization` was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerGrant(pub Grant);

impl PeerGrant {
    /// Of the process at the other end: root and the collector's own user are its administrators, others whom the socket's mode lets
    /// connect may read.
    pub fn of_uid(uid: u32, own_uid: u32) -> Self {
        let scope = if uid == 0 || uid == own_uid { Scope::Admin } else { Scope::Read };
        Self(Grant { id: format!("{PEER_PREFIX}{uid}"), scopes: vec![scope] })
    }
}

/// What the id of a peer's grant begins with; those of tokens are hexadecimal.
pub(crate) const PEER_PREFIX: &str = "unix:";

impl Guard {
    pub(crate) fn around(self, routes: MethodRouter<Arc<State>>) -> MethodRouter<Arc<State>> {
        routes.route_layer(middleware::from_fn(move |request: Request, next: Next| check(self.clone(), request, next)))
    }

    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Option<Grant>, ApiError> {
        let Some(scope) = self.scope else { return Ok(None) };
        if self.state.access == Access::Everyone {
            check_site(headers)?;
            return Ok(None);
        }
        let token = bearer(headers, scope)?;
        let Some(grant) = self.state.fleet.check_http_token(token, self.state.now()) else {
            return Err(ApiError::new(ErrorKind::Unauthorized, "the token is unknown, revoked or expired")
                .place("header `Authorization`")
                .remedy(format!("make another with `muster token new --scope {}`", scope.as_str())));
        };
        if grant.allows(scope) {
            return Ok(Some(grant));
        }
        let has = grant.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        Err(ApiError::new(
            ErrorKind::Forbidden,
            format!("token {} is good for {has}, but this needs {}", grant.id, scope.as_str()),
        )
        .place("header `Authorization`")
        .remedy(format!("make a token with `muster token new --scope {}`", scope.as_str())))
    }

    /// As [`Guard::admit`], for a peer whom the system names.
    fn admit_peer(&self, PeerGrant(grant): PeerGrant) -> Result<Option<Grant>, ApiError> {
        match self.scope {
            None => Ok(None),
            Some(scope) if grant.allows(scope) => Ok(Some(grant)),
            Some(scope) => Err(ApiError::new(
                ErrorKind::Forbidden,
                format!("{} may read, but this needs {}", grant.id, scope.as_str()),
            )
            .place("the user at the other end of the socket")
            .remedy("run this as root or as the collector's user, or give a token by --token")),
        }
    }
}

async fn check(guard: Guard, mut request: Request, next: Next) -> Response {
    let counts = &guard.state.counts;
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let peer =
        request.extensions().get::<PeerGrant>().filter(|_| !request.headers().contains_key(header::AUTHORIZATION));
    let admitted = match peer.cloned() {
        Some(peer) => guard.admit_peer(peer),
        None => guard.admit(request.headers()),
    };
    match admitted {
        Ok(grant) => {
            if let Some(grant) = grant {
                request.extensions_mut().insert(grant);
            }
            next.run(request).await
        }
        Err(error) => {
            if let Some(scope) = guard.scope {
                counts.refuse(scope, error.kind() == ErrorKind::Unauthorized);
            }
            error.respond(guard.dialect)
        }
    }
}

/// The token in `Authorization: Bearer ...`.
fn bearer(headers: &HeaderMap, scope: Scope) -> Result<&str, ApiError> {
    let refuse = |message: &str| {
        Err(ApiError::new(ErrorKind::Unauthorized, message).place("header `Authorization`").remedy(format!(
            "send `Authorization: Bearer TOKEN`; `muster token new --scope {}` makes one",
            scope.as_str()
        )))
    };
    let Some(value) = headers.get(header::AUTHORIZATION) else { return refuse("no token was sent") };
    let Ok(text) = value.to_str() else { return refuse("the header is not ASCII") };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => refuse("the header is no bearer token"),
    }
}

/// Refuses what a page of another site could have sent.
fn check_site(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("?"));
    let host = text(header::HOST);
    if let Some(host) = host
        && !is_address(host)
    {
        return Err(ApiError::new(
            ErrorKind::Forbidden,
            format!("`{host}` is a name, and without tokens only an address or localhost is taken"),
        )
        .place("header `Host`")
        .remedy("ask http://127.0.0.1, or start the collector without --no-auth"));
    }
    match text(header::ORIGIN) {
        Some(origin) if origin.split_once("://").map(|(_, site)| site) != host => Err(ApiError::new(
            ErrorKind::Forbidden,
            format!("a page of `{origin}` asks, and without tokens no other site may"),
        )
        .place("header `Origin`")
        .remedy("start the collector without --no-auth")),
        _ => Ok(()),
    }
}

/// Whether this `Host` is a numeric address or localhost: nothing that somebody else's name server could point here.
fn is_address(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn bearer_tokens_are_read_and_other_schemes_are_not() {
        for (value, expect) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", None),
            ("abc", None),
        ] {
            assert_eq!(bearer(&headers(&[(header::AUTHORIZATION, value)]), Scope::Read).ok(), expect, "{value}");
        }
        let error = bearer(&HeaderMap::new(), Scope::Read).unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unauthorized, "no token was sent"));
    }

    #[test]
    fn root_and_the_collectors_user_are_administrators_and_others_read() {
        for (uid, own_uid, scope) in
            [(0, 999, Scope::Admin), (999, 999, Scope::Admin), (1000, 999, Scope::Read), (0, 0, Scope::Admin)]
        {
            let PeerGrant(grant) = PeerGrant::of_uid(uid, own_uid);
            assert_eq!((grant.id, grant.scopes), (format!("unix:{uid}"), vec![scope]));
        }
    }

    #[test]
    fn without_tokens_no_foreign_page_is_let_in() {
        for (host, origin, is_let_in) in [
            (Some("127.0.0.1:9470"), None, true),
            (Some("localhost:9470"), None, true),
            (Some("[::1]:9470"), None, true),
            (None, None, true),
            (Some("127.0.0.1:9470"), Some("http://127.0.0.1:9470"), true),
            (Some("127.0.0.1:9470"), Some("https://evil.example"), false),
            (Some("127.0.0.1:9470"), Some("null"), false),
            (Some("evil.example:9470"), None, false),
            (Some("evil.example"), Some("http://evil.example"), false),
        ] {
            let mut sent = HeaderMap::new();
            if let Some(host) = host {
                sent.insert(header::HOST, host.parse().unwrap());
            }
            if let Some(origin) = origin {
                sent.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(check_site(&sent).is_ok(), is_let_in, "{host:?} {origin:?}");
        }
    }
}
