//! Every route, asked by everybody who might: the tables here are written by hand, and nothing of them comes from the code that they
//! judge.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::routing::post;
use muster_fleet::{By, PasswordHash, Role, Scope, UserChange};
use tower::ServiceExt;

use super::fixture::{Fixture, NOW_MS, now};
use crate::{Dialect, PeerGrant, protect, routes};

/// What a route asks of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Anybody,
    /// A scope, by its word.
    Of(&'static str),
    /// Scope read, and a session of one's own or scope admin.
    Own,
}
use Need::{Anybody, Of, Own};

const READ: Need = Of("read");
const ASK: Need = Of("ask");
const SILENCE: Need = Of("silence");
const INGEST: Need = Of("ingest");
const DEPLOY: Need = Of("deploy");
const TASK_REQUEST: Need = Of("task:request");
const TASK_APPROVE: Need = Of("task:approve");
const ADMIN: Need = Of("admin");

/// Method, path, need: all there are.
pub(super) const ROUTES: &[(&str, &str, Need)] = &[
    ("GET", "/-/healthy", Anybody),
    ("GET", "/-/ready", Anybody),
    ("GET", "/install/{*file}", Anybody),
    ("GET", "/metrics", READ),
    ("POST", "/-/flush", ADMIN),
    ("POST", "/-/reload", ADMIN),
    ("GET", "/api/v1/query", READ),
    ("POST", "/api/v1/query", READ),
    ("GET", "/api/v1/query_range", READ),
    ("POST", "/api/v1/query_range", READ),
    ("GET", "/api/v1/query_exemplars", READ),
    ("POST", "/api/v1/query_exemplars", READ),
    ("GET", "/api/v1/series", READ),
    ("POST", "/api/v1/series", READ),
    ("GET", "/api/v1/labels", READ),
    ("POST", "/api/v1/labels", READ),
    ("GET", "/api/v1/label/{name}/values", READ),
    ("GET", "/api/v1/metadata", READ),
    ("GET", "/api/v1/rules", READ),
    ("GET", "/api/v1/alerts", READ),
    ("GET", "/api/v1/status/buildinfo", READ),
    ("GET", "/api/v2/status", READ),
    ("GET", "/api/v2/receivers", READ),
    ("GET", "/api/v2/alerts", READ),
    ("POST", "/api/v2/alerts", INGEST),
    ("GET", "/api/v2/alerts/groups", READ),
    ("GET", "/api/v2/silences", READ),
    ("POST", "/api/v2/silences", SILENCE),
    ("GET", "/api/v2/silence/{id}", READ),
    ("DELETE", "/api/v2/silence/{id}", SILENCE),
    ("GET", "/loki/api/v1/query", READ),
    ("POST", "/loki/api/v1/query", READ),
    ("GET", "/loki/api/v1/query_range", READ),
    ("POST", "/loki/api/v1/query_range", READ),
    ("GET", "/loki/api/v1/labels", READ),
    ("POST", "/loki/api/v1/labels", READ),
    ("GET", "/loki/api/v1/label/{name}/values", READ),
    ("POST", "/loki/api/v1/label/{name}/values", READ),
    ("GET", "/loki/api/v1/series", READ),
    ("POST", "/loki/api/v1/series", READ),
    ("GET", "/loki/api/v1/index/stats", READ),
    ("POST", "/loki/api/v1/index/stats", READ),
    ("GET", "/loki/api/v1/index/volume", READ),
    ("POST", "/loki/api/v1/index/volume", READ),
    ("GET", "/loki/api/v1/index/volume_range", READ),
    ("POST", "/loki/api/v1/index/volume_range", READ),
    ("GET", "/loki/api/v1/detected_labels", READ),
    ("POST", "/loki/api/v1/detected_labels", READ),
    ("GET", "/loki/api/v1/detected_fields", READ),
    ("POST", "/loki/api/v1/detected_fields", READ),
    ("GET", "/loki/api/v1/detected_field/{name}/values", READ),
    ("POST", "/loki/api/v1/detected_field/{name}/values", READ),
    ("GET", "/loki/api/v1/patterns", READ),
    ("POST", "/loki/api/v1/patterns", READ),
    ("GET", "/loki/api/v1/drilldown-limits", READ),
    ("GET", "/loki/api/v1/tail", READ),
    ("GET", "/loki/api/v1/status/buildinfo", READ),
    ("POST", "/loki/api/v1/delete", ADMIN),
    ("GET", "/api/muster/v1/openapi.yaml", Anybody),
    ("GET", "/api/muster/v1/status", READ),
    ("GET", "/api/muster/v1/doctor", ADMIN),
    ("GET", "/api/muster/v1/problems", READ),
    ("GET", "/api/muster/v1/fleet", READ),
    ("GET", "/api/muster/v1/live", READ),
    ("GET", "/api/muster/v1/logs/tail", READ),
    ("GET", "/api/muster/v1/events", READ),
    ("GET", "/api/muster/v1/hosts", READ),
    ("GET", "/api/muster/v1/hosts/{host}", READ),
    ("GET", "/api/muster/v1/hosts/{host}/processes", READ),
    ("GET", "/api/muster/v1/hosts/{host}/inventory", READ),
    ("GET", "/api/muster/v1/hosts/{host}/inventory/{table}", READ),
    ("GET", "/api/muster/v1/inventory/tables", READ),
    ("GET", "/api/muster/v1/inventory/query", READ),
    ("POST", "/api/muster/v1/inventory/query", READ),
    ("GET", "/api/muster/v1/inventory/compare", READ),
    ("GET", "/api/muster/v1/inventory/drift", READ),
    ("GET", "/api/muster/v1/inventory/baselines", READ),
    ("PUT", "/api/muster/v1/inventory/baselines/{name}", SILENCE),
    ("DELETE", "/api/muster/v1/inventory/baselines/{name}", SILENCE),
    ("GET", "/api/muster/v1/announcements", READ),
    ("POST", "/api/muster/v1/announcements", SILENCE),
    ("DELETE", "/api/muster/v1/announcements/{id}", SILENCE),
    ("POST", "/api/muster/v1/ask", ASK),
    ("GET", "/api/muster/v1/ask/tables", READ),
    ("GET", "/api/muster/v1/tasks/catalogue", READ),
    ("POST", "/api/muster/v1/tasks/catalogue", ADMIN),
    ("POST", "/api/muster/v1/tasks/pause", TASK_REQUEST),
    ("POST", "/api/muster/v1/tasks/resume", ADMIN),
    ("GET", "/api/muster/v1/tasks/orders", READ),
    ("POST", "/api/muster/v1/tasks/orders", TASK_REQUEST),
    ("GET", "/api/muster/v1/tasks/orders/{id}", READ),
    ("GET", "/api/muster/v1/tasks/orders/{id}/output", READ),
    ("POST", "/api/muster/v1/tasks/orders/{id}/approve", TASK_APPROVE),
    ("POST", "/api/muster/v1/tasks/orders/{id}/pause", TASK_REQUEST),
    ("POST", "/api/muster/v1/tasks/orders/{id}/resume", TASK_REQUEST),
    ("POST", "/api/muster/v1/tasks/orders/{id}/stop", TASK_REQUEST),
    ("POST", "/api/muster/v1/tasks/orders/{id}/rollback", TASK_REQUEST),
    ("GET", "/api/muster/v1/changes", READ),
    ("GET", "/api/muster/v1/gate", READ),
    ("POST", "/api/muster/v1/gate", SILENCE),
    ("GET", "/api/muster/v1/gate/decisions", READ),
    ("GET", "/api/muster/v1/gate/decisions/{id}/replay", READ),
    ("GET", "/api/muster/v1/profiles", READ),
    ("GET", "/api/muster/v1/profiles/export", READ),
    ("POST", "/api/muster/v1/profiles/plan", READ),
    ("POST", "/api/muster/v1/profiles/apply", ADMIN),
    ("GET", "/api/muster/v1/profiles/assigned", READ),
    ("GET", "/api/muster/v1/profiles/versions", READ),
    ("GET", "/api/muster/v1/profiles/versions/{version}", READ),
    ("GET", "/api/muster/v1/profiles/rollouts", READ),
    ("POST", "/api/muster/v1/profiles/rollouts/stop", ADMIN),
    ("POST", "/api/muster/v1/profiles/rollouts/resume", ADMIN),
    ("POST", "/api/muster/v1/profiles/rollouts/revert", ADMIN),
    ("GET", "/api/muster/v1/profiles/named/{name}", READ),
    ("GET", "/api/muster/v1/hosts/{host}/configuration", READ),
    ("POST", "/api/muster/v1/hosts/{host}/configuration/retry", ADMIN),
    ("PUT", "/api/muster/v1/hosts/{host}/profiles/{name}", ADMIN),
    ("DELETE", "/api/muster/v1/hosts/{host}/profiles/{name}", ADMIN),
    ("GET", "/api/muster/v1/discovery", READ),
    ("POST", "/api/muster/v1/discovery/decide", SILENCE),
    ("GET", "/api/muster/v1/discovery/rules", READ),
    ("POST", "/api/muster/v1/discovery/rules/test", READ),
    ("PUT", "/api/muster/v1/discovery/rules/{name}", SILENCE),
    ("DELETE", "/api/muster/v1/discovery/rules/{name}", SILENCE),
    ("POST", "/api/muster/v1/hosts/{host}/approve", ADMIN),
    ("POST", "/api/muster/v1/hosts/{host}/rename", ADMIN),
    ("POST", "/api/muster/v1/hosts/{host}/labels", ADMIN),
    ("POST", "/api/muster/v1/hosts/{host}/replace", ADMIN),
    ("POST", "/api/muster/v1/hosts/{host}/retire", ADMIN),
    ("GET", "/api/muster/v1/checks", READ),
    ("POST", "/api/muster/v1/checks/ack", SILENCE),
    ("GET", "/api/muster/v1/checks/{host}/{check}", READ),
    ("DELETE", "/api/muster/v1/checks/{host}/{check}", SILENCE),
    ("POST", "/api/muster/v1/checks/{host}/{check}/ack", SILENCE),
    ("DELETE", "/api/muster/v1/checks/{host}/{check}/ack", SILENCE),
    ("GET", "/api/muster/v1/downtimes", READ),
    ("POST", "/api/muster/v1/downtimes", SILENCE),
    ("DELETE", "/api/muster/v1/downtimes/{id}", SILENCE),
    ("GET", "/api/muster/v1/services", READ),
    ("GET", "/api/muster/v1/deploys", READ),
    ("POST", "/api/muster/v1/deploys", DEPLOY),
    ("POST", "/api/muster/v1/deploys/finish", DEPLOY),
    ("GET", "/api/muster/v1/deploys/{id}", READ),
    ("POST", "/api/muster/v1/deploys/{id}/finish", DEPLOY),
    ("GET", "/api/muster/v1/freezes", READ),
    ("POST", "/api/muster/v1/freezes", SILENCE),
    ("POST", "/api/muster/v1/freezes/override", SILENCE),
    ("DELETE", "/api/muster/v1/freezes/{id}", SILENCE),
    ("POST", "/api/muster/v1/hooks/github", Anybody),
    ("POST", "/api/muster/v1/hooks/gitlab", Anybody),
    ("GET", "/api/muster/v1/availability", READ),
    ("GET", "/api/muster/v1/maintenances", READ),
    ("POST", "/api/muster/v1/maintenances", SILENCE),
    ("POST", "/api/muster/v1/maintenances/{id}/finish", SILENCE),
    ("GET", "/api/muster/v1/alerts", READ),
    ("GET", "/api/muster/v1/alerts/{id}/changes", READ),
    ("GET", "/api/muster/v1/mutes", READ),
    ("POST", "/api/muster/v1/routes/explain", READ),
    ("POST", "/api/muster/v1/rules/lint", READ),
    ("POST", "/api/muster/v1/rules/unit", READ),
    ("GET", "/api/muster/v1/mail", READ),
    ("GET", "/api/muster/v1/mail/preview", READ),
    ("GET", "/api/muster/v1/mail/preview.html", READ),
    ("POST", "/api/muster/v1/mail/test", ADMIN),
    ("GET", "/api/muster/v1/snapshots", ADMIN),
    ("POST", "/api/muster/v1/snapshots", ADMIN),
    ("GET", "/api/muster/v1/tokens", ADMIN),
    ("POST", "/api/muster/v1/tokens", ADMIN),
    ("DELETE", "/api/muster/v1/tokens/{id}", ADMIN),
    ("POST", "/api/muster/v1/login", Anybody),
    ("POST", "/api/muster/v1/logout", READ),
    ("GET", "/api/muster/v1/me", READ),
    ("PUT", "/api/muster/v1/me", READ),
    ("GET", "/api/muster/v1/sessions", READ),
    ("DELETE", "/api/muster/v1/sessions/{id}", Own),
    ("GET", "/api/muster/v1/users", ADMIN),
    ("POST", "/api/muster/v1/users", ADMIN),
    ("PUT", "/api/muster/v1/users/{name}", ADMIN),
    ("DELETE", "/api/muster/v1/users/{name}", ADMIN),
    ("GET", "/api/muster/v1/audit", ADMIN),
    ("GET", "/api/muster/v1/audit/verify", ADMIN),
];

/// What roles may, by the words of scopes. An administrator may everything.
const ROLES: [(&str, &[&str]); 3] = [
    ("viewer", &["read"]),
    ("operator", &["read", "silence", "ask", "task:request", "deploy"]),
    ("admin", &["read", "ingest", "silence", "task:request", "task:approve", "ask", "deploy", "admin"]),
];
const SCOPES: [&str; 8] = ["read", "ingest", "silence", "task:request", "task:approve", "ask", "deploy", "admin"];

/// Who asks.
#[derive(Clone, Copy, Debug)]
enum Who {
    Nobody,
    /// A session of a user with this role, from the collector's own page.
    Role(&'static str),
    /// The same, from a page of another site.
    Foreign(&'static str),
    /// A token of this one scope.
    Token(&'static str),
    Expired,
    Revoked,
    /// A session of an administrator who was disabled.
    Disabled,
    /// Over the unix socket: root, and another user of the machine.
    Root,
    Other,
}

fn everybody() -> Vec<Who> {
    let mut all = vec![Who::Nobody, Who::Expired, Who::Revoked, Who::Disabled, Who::Root, Who::Other];
    all.extend(ROLES.iter().flat_map(|(role, _)| [Who::Role(role), Who::Foreign(role)]));
    all.extend(SCOPES.map(Who::Token));
    all
}

/// What must come of it: let in, or refused with this status.
fn expected(who: Who, method: &str, path: &str, need: Need) -> Result<(), u16> {
    let is_foreign = matches!(who, Who::Foreign(_));
    if need == Anybody {
        // A foreign page must not log its reader in either.
        return if is_foreign && path.ends_with("/login") { Err(403) } else { Ok(()) };
    }
    let (scopes, has_session): (&[&str], bool) = match who {
        Who::Nobody | Who::Expired | Who::Revoked | Who::Disabled => return Err(401),
        Who::Foreign(_) if method != "GET" => return Err(403),
        Who::Role(role) | Who::Foreign(role) => (ROLES.iter().find(|(known, _)| *known == role).unwrap().1, true),
        Who::Token("admin") | Who::Root => (&SCOPES, false),
        Who::Token("read") | Who::Other => (&["read"], false),
        Who::Token(_) if need == READ || need == Own => return Err(403),
        Who::Token(scope) => return if need == Of(scope) { Ok(()) } else { Err(403) },
    };
    let may = match need {
        Anybody => true,
        Of(scope) => scopes.contains(&scope),
        Own => has_session || scopes.contains(&"admin"),
    };
    may.then_some(()).ok_or(403)
}

/// A path that stands for the route; nothing of its names exists.
fn example(path: &str) -> String {
    ["{name}", "{host}", "{id}", "{check}"].iter().fold(path.to_owned(), |path, hole| path.replace(hole, "nosuch"))
}

const HOUR: Duration = Duration::from_secs(3_600);
const BY: &By = &By::Itself("test");

/// The people and words of the matrix.
struct Cast {
    fixture: Fixture,
    tokens: Vec<(&'static str, String)>,
    expired: String,
    revoked: String,
    disabled: String,
}

impl Cast {
    fn new() -> Self {
        let fixture = Fixture::new();
        let fleet = fixture.fleet();
        for (role, _) in ROLES {
            fleet.add_user(role, Role::parse(role).unwrap(), PasswordHash::of_nobody(), BY, now()).unwrap();
        }
        fleet.add_user("gone", Role::Admin, PasswordHash::of_nobody(), BY, now()).unwrap();
        let disabled = fleet.open_session("gone", &PasswordHash::of_nobody(), "test", now()).unwrap();
        let change = UserChange { disabled: Some(true), ..UserChange::default() };
        fleet.change_user("gone", change, BY, now()).unwrap();
        let tokens = SCOPES.map(|scope| (scope, fixture.word(Scope::parse(scope).unwrap()))).to_vec();
        let before = muster_common::time::Timestamp::from_millis(NOW_MS - 7_200_000);
        let expired = fleet.new_http_token(&[Scope::Admin], HOUR, BY, before).unwrap();
        let revoked = fleet.new_http_token(&[Scope::Admin], HOUR, BY, now()).unwrap();
        fleet.revoke_token(revoked.split('.').next().unwrap(), BY, now()).unwrap();
        Self { fixture, tokens, expired, revoked, disabled }
    }

    /// A session of its own for every request: some of them end it.
    fn cookie(&self, role: &str) -> String {
        let opened = self.fixture.fleet().open_session(role, &PasswordHash::of_nobody(), "test", now());
        format!("muster={}", opened.unwrap())
    }

    fn request(&self, who: Who, method: &str, path: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:9470");
        let bearer = |word: &str| format!("Bearer {word}");
        request = match who {
            Who::Nobody | Who::Root | Who::Other => request,
            Who::Role(role) => {
                request.header(header::COOKIE, self.cookie(role)).header(header::ORIGIN, "http://127.0.0.1:9470")
            }
            Who::Foreign(role) => {
                request.header(header::COOKIE, self.cookie(role)).header(header::ORIGIN, "http://127.0.0.1:3000")
            }
            Who::Disabled => request
                .header(header::COOKIE, format!("muster={}", self.disabled))
                .header(header::ORIGIN, "http://127.0.0.1:9470"),
            Who::Token(scope) => {
                let word = &self.tokens.iter().find(|(known, _)| *known == scope).unwrap().1;
                request.header(header::AUTHORIZATION, bearer(word))
            }
            Who::Expired => request.header(header::AUTHORIZATION, bearer(&self.expired)),
            Who::Revoked => request.header(header::AUTHORIZATION, bearer(&self.revoked)),
        };
        let mut request = request.body(Body::empty()).unwrap();
        if let Who::Root | Who::Other = who {
            let uid = if matches!(who, Who::Root) { 0 } else { 1_000 };
            request.extensions_mut().insert(PeerGrant::of_uid(uid, 999));
        }
        request
    }
}

#[test]
fn the_table_has_exactly_the_routes() {
    let ours: BTreeSet<(&str, &str)> = ROUTES.iter().map(|(method, path, _)| (*method, *path)).collect();
    let theirs: BTreeSet<(&str, &str)> =
        routes().flat_map(|route| route.methods.iter().map(|method| (*method, route.path))).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), ROUTES.len());
}

#[tokio::test]
async fn everybody_is_let_in_where_they_may_and_nowhere_else() {
    let cast = Cast::new();
    for (method, path, need) in ROUTES {
        for who in everybody() {
            let answer = cast.fixture.send(cast.request(who, method, &example(path))).await;
            let status = answer.status.as_u16();
            let told = if status == 401 || status == 403 { Err(status) } else { Ok(()) };
            assert_eq!(told, expected(who, method, path, *need), "{who:?} {method} {path}: {status} {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_intakes_ask_for_scope_ingest() {
    let cast = Cast::new();
    let inner = Router::new().route("/api/v1/write", post(|| async { "in" }));
    let router = protect(inner, &cast.fixture.state, Scope::Ingest, Dialect::Plain);
    for who in everybody() {
        let request = cast.request(who, "POST", "/api/v1/write");
        let status = router.clone().oneshot(request).await.unwrap().status().as_u16();
        let expect = expected(who, "POST", "/api/v1/write", INGEST).map_or_else(|status| status, |()| 200);
        assert_eq!(status, expect, "{who:?}");
    }
}

/// Commits to state.redb since the start, and the next event's number.
fn revision(fixture: &Fixture) -> (u64, u64) {
    let stats = fixture.fleet().stats();
    let commits = stats.iter().find(|stat| stat.name == "muster_collector_state_commits_total").unwrap();
    (commits.value as u64, fixture.fleet().outbox().next_seq)
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let cast = Cast::new();
    for (_, path, _) in ROUTES.iter().filter(|(method, ..)| *method == "GET") {
        for who in [Who::Role("admin"), Who::Token("admin"), Who::Root] {
            let request = cast.request(who, "GET", &example(path));
            let before = revision(&cast.fixture);
            let status = cast.fixture.send(request).await.status.as_u16();
            assert!(status != 401 && status != 403 && status != 405, "{who:?} {path}: {status}");
            assert_eq!(revision(&cast.fixture), before, "{who:?} {path}");
        }
    }
}
