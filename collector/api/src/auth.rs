//! Who asks, and whether they may.
//!
//! A bearer token, else a session's cookie, else what the system says of the other end of the unix socket, with the route's scope; or
//! `--no-auth`. The danger of cookies, and of a collector without tokens, is a page of another site in the browser of somebody who may:
//! so a request with a cookie that changes something must say that a page of this collector sent it, and without tokens only requests
//! that no foreign page can make are taken.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::MethodRouter;
use muster_fleet::{AuditResult, By, EventKind, Grant, Record, Scope, source_of};

use crate::cookie;
use crate::error::{ApiError, Dialect, ErrorKind};
use crate::logins::note_refusal;
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

/// What the id of a peer's grant begins with; those of tokens are hexadecimal.
pub(crate) const PEER_PREFIX: &str = "unix:";

impl PeerGrant {
    /// Of the process at the other end: root and the collector's own user are its administrators, others whom the socket's mode lets
    /// connect may read.
    pub fn of_uid(uid: u32, own_uid: u32) -> Self {
        let scope = if uid == 0 || uid == own_uid { Scope::Admin } else { Scope::Read };
        Self(Grant { id: format!("{PEER_PREFIX}{uid}"), scopes: vec![scope] })
    }
}

/// Says that the request came over TLS. The listener puts it into a request's extensions: its cookies are then such as no plain page of the
/// same name can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverTls;

/// Who asks, as far as that is known: lies in the extensions of every request that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// For events and audit.
    pub(crate) by: By,
    /// `None` where nobody is asked who they are.
    pub(crate) grant: Option<Grant>,
    /// The user and the session's id, of one who logged in.
    pub(crate) session: Option<(String, String)>,
}

impl Caller {
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        self.grant.as_ref().is_none_or(|grant| grant.allows(scope))
    }
}

/// What is looked at of a request.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<PeerGrant>,
    pub(crate) is_over_tls: bool,
    /// It may change something, or opens a connection that a foreign page could read.
    pub(crate) is_change: bool,
    /// A stream looks whether who asked for it still may: no use of a session.
    pub(crate) is_again: bool,
    /// An address, `unix`, or `unknown`.
    pub(crate) source: String,
}

impl Asked {
    pub(crate) fn of(method: &Method, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let peer = extensions.get::<PeerGrant>().cloned();
        let source = match (&peer, extensions.get::<ConnectInfo<SocketAddr>>()) {
            (Some(_), _) => "unix".to_owned(),
            (None, Some(ConnectInfo(address))) => source_of(address.ip()),
            (None, None) => "unknown".to_owned(),
        };
        let is_read = matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(header::UPGRADE);
        Self {
            headers: headers.clone(),
            peer,
            is_over_tls: extensions.get::<OverTls>().is_some(),
            is_change: !is_read,
            is_again: false,
            source,
        }
    }

    pub(crate) fn of_request(request: &Request) -> Self {
        Self::of(request.method(), request.headers(), request.extensions())
    }

    /// For the looks of a stream at whether it may go on.
    pub(crate) fn again(self) -> Self {
        Self { is_again: true, ..self }
    }

    fn text(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap_or("?"))
    }
}

/// Why a request is refused, and as whose it is audited; `None`: it is only counted.
pub(crate) struct Refused {
    pub(crate) error: ApiError,
    audited: Option<Box<By>>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, audited: None }
    }
}

impl Guard {
    pub(crate) fn around(self, routes: MethodRouter<Arc<State>>) -> MethodRouter<Arc<State>> {
        routes.route_layer(middleware::from_fn(move |request: Request, next: Next| check(self.clone(), request, next)))
    }

    /// Who asks, if they may.
    pub(crate) fn admit(&self, asked: &Asked) -> Result<Caller, Refused> {
        let anybody = Caller { by: By::anybody(&asked.source), grant: None, session: None };
        let Some(scope) = self.scope else { return Ok(anybody) };
        if self.state.access == Access::Everyone {
            return check_site(&asked.headers).map(|()| anybody.clone()).map_err(|error| audited(error, anybody.by));
        }
        let (caller, place) = if asked.headers.contains_key(header::AUTHORIZATION) {
            (self.of_token(asked, scope)?, "header `Authorization`")
        } else if let Some(caller) = self.of_cookie(asked)? {
            (caller, "the session")
        } else if let Some(PeerGrant(grant)) = &asked.peer {
            let uid = grant.id.strip_prefix(PEER_PREFIX).and_then(|uid| uid.parse().ok()).unwrap_or(u32::MAX);
            let caller = Caller { by: By::unix(uid), grant: Some(grant.clone()), session: None };
            (caller, "the user at the other end of the socket")
        } else {
            return Err(no_token("no token was sent", scope).into());
        };
        if caller.allows(scope) {
            return Ok(caller);
        }
        let error = too_little(&caller, scope).place(place);
        Err(audited(error, caller.by))
    }

    fn of_token(&self, asked: &Asked, scope: Scope) -> Result<Caller, Refused> {
        let token = bearer(&asked.headers, scope)?;
        let Some(grant) = self.state.fleet.check_http_token(token, self.state.now()) else {
            let error = ApiError::new(ErrorKind::Unauthorized, "the token is unknown, revoked or expired")
                .place("header `Authorization`")
                .remedy(format!("make another with `muster token new --scope {}`", scope.as_str()));
            return Err(audited(error, By::anybody(&asked.source)));
        };
        Ok(Caller { by: By::token(&grant.id, &asked.source), grant: Some(grant), session: None })
    }

    /// Who has the session of the request's cookie; `None`: it has none of ours.
    fn of_cookie(&self, asked: &Asked) -> Result<Option<Caller>, Refused> {
        let Some(word) = cookie::find(&asked.headers, asked.is_over_tls) else { return Ok(None) };
        let (fleet, now) = (&self.state.fleet, self.state.now());
        let session = if asked.is_again { fleet.peek_session(word, now) } else { fleet.check_session(word, now) };
        let Some(session) = session else {
            let error = ApiError::new(ErrorKind::Unauthorized, "the session has ended");
            return Err(error.place("header `Cookie`").remedy("log in again").into());
        };
        let by = By::user(&session.user, &asked.source);
        if asked.is_change
            && let Err(error) = check_origin(asked)
        {
            return Err(audited(error, by));
        }
        let grant = Grant { id: by.to_string(), scopes: session.role.scopes().to_vec() };
        Ok(Some(Caller { by, grant: Some(grant), session: Some((session.user, session.id)) }))
    }

    /// Puts a refusal into the audit, if it is one that belongs there and not one of a flood.
    async fn note(&self, refused: &Refused, method: &Method, path: &str) {
        let Some(by) = &refused.audited else { return };
        let object = format!("{method} {}", path.chars().take(200).collect::<String>());
        let text = format!("{object} was refused: {}", refused.error.message());
        let action = EventKind::RequestRefused;
        let record = Record { by: By::clone(by), action, object, text, result: AuditResult::Refused };
        note_refusal(&self.state, record).await;
    }
}

fn audited(error: ApiError, by: By) -> Refused {
    Refused { error, audited: Some(Box::new(by)) }
}

/// The caller is known, but may not.
fn too_little(caller: &Caller, scope: Scope) -> ApiError {
    let has = caller.grant.iter().flat_map(|grant| &grant.scopes).map(|scope| scope.as_str());
    let has = has.collect::<Vec<_>>().join(", ");
    let (name, needs) = (caller.grant.as_ref().map_or("", |grant| grant.id.as_str()), scope.as_str());
    let (what, remedy) = if caller.session.is_some() {
        let remedy = "ask an administrator for another role: `muster user role`".to_owned();
        (format!("{name} may {has}, but this needs {needs}"), remedy)
    } else if name.starts_with(PEER_PREFIX) {
        let remedy = "run this as root or as the collector's user, or give a token by --token".to_owned();
        (format!("{name} may {has}, but this needs {needs}"), remedy)
    } else {
        let remedy = format!("make a token with `muster token new --scope {needs}`");
        (format!("token {name} is good for {has}, but this needs {needs}"), remedy)
    };
    ApiError::new(ErrorKind::Forbidden, what).remedy(remedy)
}

async fn check(guard: Guard, mut request: Request, next: Next) -> Response {
    let counts = &guard.state.counts;
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let asked = Asked::of_request(&request);
    match guard.admit(&asked) {
        Ok(caller) => {
            if let Some(grant) = &caller.grant {
                request.extensions_mut().insert(grant.clone());
            }
            let by = caller.by.clone();
            // Of the other dialects no handler refuses anybody for who they are.
            let asks = (guard.dialect == Dialect::Muster).then(|| (request.method().clone(), request.uri().clone()));
            request.extensions_mut().insert(caller);
            let response = next.run(request).await;
            if let Some((method, uri)) = asks.filter(|_| response.status() == StatusCode::FORBIDDEN) {
                let refused = audited(
                    ApiError::new(ErrorKind::Forbidden, "a page of another site asks, or it is not the caller's"),
                    by,
                );
                guard.note(&refused, &method, uri.path()).await;
            }
            response
        }
        Err(refused) => {
            if let Some(scope) = guard.scope {
                counts.refuse(scope, refused.error.kind() == ErrorKind::Unauthorized);
            }
            guard.note(&refused, request.method(), request.uri().path()).await;
            refused.error.respond(guard.dialect)
        }
    }
}

/// The token in `Authorization: Bearer ...`.
fn bearer(headers: &HeaderMap, scope: Scope) -> Result<&str, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Err(no_token("no token was sent", scope)) };
    let Ok(text) = value.to_str() else { return Err(no_token("the header is not ASCII", scope)) };
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(no_token("the header is no bearer token", scope)),
    }
}

fn no_token(message: &str, scope: Scope) -> ApiError {
    ApiError::new(ErrorKind::Unauthorized, message)
        .place("header `Authorization`")
        .remedy(format!("send `Authorization: Bearer TOKEN`; `muster token new --scope {}` makes one", scope.as_str()))
}

/// Refuses a request that no page of this collector has sent. Browsers say by `Origin` which page asks, or at least whether it is of the
/// same origin (`Sec-Fetch-Site`); where both are missing nothing proves it.
pub(crate) fn check_origin(asked: &Asked) -> Result<(), ApiError> {
    // Over plain HTTP a proxy on this machine may have taken the TLS off, so there both schemes are this site's.
    let schemes: &[&str] = if asked.is_over_tls { &["https"] } else { &["http", "https"] };
    let host = asked.text(header::HOST);
    let is_own = |origin: &str| {
        let parts = origin.split_once("://");
        parts.is_some_and(|(scheme, site)| {
            schemes.contains(&scheme) && host.is_some_and(|host| site.eq_ignore_ascii_case(host))
        })
    };
    let site = asked.headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or("?"));
    let refuse = |message: String, place: &str| {
        Err(ApiError::new(ErrorKind::Forbidden, message)
            .place(place)
            .remedy("use the collector's own pages; a program sends a token instead of a cookie"))
    };
    match (asked.text(header::ORIGIN), site) {
        (Some(origin), _) if !is_own(origin) => {
            let shown: String = origin.chars().take(100).collect();
            refuse(format!("a page of `{shown}` asks, and no other site may"), "header `Origin`")
        }
        (_, Some(site)) if site != "same-origin" => {
            refuse("a page of another site asks".to_owned(), "header `Sec-Fetch-Site`")
        }
        (None, None) => refuse("nothing says that a page of this collector asks".to_owned(), "header `Origin`"),
        _ => Ok(()),
    }
}

/// As [`check_origin`], where a request without a cookie comes from a program as well: only what says it is of another site is refused.
pub(crate) fn check_foreign(asked: &Asked) -> Result<(), ApiError> {
    let says = asked.headers.contains_key(header::ORIGIN) || asked.headers.contains_key("sec-fetch-site");
    if says { check_origin(asked) } else { Ok(()) }
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
    fn a_request_is_of_this_site_only_where_something_proves_it() {
        let site = header::HeaderName::from_static("sec-fetch-site");
        for (is_over_tls, origin, fetch, is_own) in [
            (true, Some("https://muster.example"), None, true),
            (true, Some("https://muster.example"), Some("same-origin"), true),
            (true, None, Some("same-origin"), true),
            (false, Some("http://muster.example"), None, true),
            (false, Some("https://muster.example"), None, true),
            (false, Some("ftp://muster.example"), None, false),
            (true, Some("http://muster.example"), None, false),
            (true, Some("https://muster.example:444"), None, false),
            (true, Some("https://evil.example"), Some("same-origin"), false),
            (true, Some("https://muster.example"), Some("cross-site"), false),
            (true, Some("null"), None, false),
            (true, None, Some("same-site"), false),
            (true, None, Some("none"), false),
            (true, None, None, false),
        ] {
            let mut sent = headers(&[(header::HOST, "muster.example")]);
            for (name, value) in [(header::ORIGIN, origin), (site.clone(), fetch)] {
                if let Some(value) = value {
                    sent.insert(name, value.parse().unwrap());
                }
            }
            let source = String::new();
            let asked = Asked { headers: sent, peer: None, is_over_tls, is_change: true, is_again: false, source };
            assert_eq!(check_origin(&asked).is_ok(), is_own, "{origin:?} {fetch:?}");
            let is_silent = origin.is_none() && fetch.is_none();
            assert_eq!(check_foreign(&asked).is_ok(), is_own || is_silent, "{origin:?} {fetch:?}");
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
