use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use muster_common::check::CheckState;
use muster_common::wire::message::{TaskState, TaskWord};
use muster_fleet::{AuditQuery, AuditResult, AuditRow, ConfigurationWord, Scope, TaskDue};
use serde_json::{Value, json};

use super::alerting::report;
use super::deploys::{CREATED, GITLAB_RUNNING, declare, github, gitlab};
use super::discovery::tell_services;
use super::fixture::{Fixture, NOW_MS, now};
use super::inventory::tell_packages;
use super::matrix::ROUTES;
use super::muster::ask;

/// Requests that are no GET and change nothing: questions, and data that comes in.
const NO_CHANGE: &[(&str, &str)] = &[
    ("POST", "/api/v1/query"),
    ("POST", "/api/v1/query_range"),
    ("POST", "/api/v1/query_exemplars"),
    ("POST", "/api/v1/series"),
    ("POST", "/api/v1/labels"),
    ("POST", "/api/v2/alerts"),
    ("POST", "/loki/api/v1/query"),
    ("POST", "/loki/api/v1/query_range"),
    ("POST", "/loki/api/v1/labels"),
    ("POST", "/loki/api/v1/label/{name}/values"),
    ("POST", "/loki/api/v1/series"),
    ("POST", "/loki/api/v1/index/stats"),
    ("POST", "/loki/api/v1/index/volume"),
    ("POST", "/loki/api/v1/index/volume_range"),
    ("POST", "/loki/api/v1/detected_labels"),
    ("POST", "/loki/api/v1/detected_fields"),
    ("POST", "/loki/api/v1/detected_field/{name}/values"),
    ("POST", "/loki/api/v1/patterns"),
    ("POST", "/api/muster/v1/inventory/query"),
    ("POST", "/api/muster/v1/profiles/plan"),
    ("POST", "/api/muster/v1/discovery/rules/test"),
    ("POST", "/api/muster/v1/routes/explain"),
    ("POST", "/api/muster/v1/rules/lint"),
    ("POST", "/api/muster/v1/rules/unit"),
];

const PASSWORD: &str = "correct horse battery";
const OTHER_PASSWORD: &str = "staple of batteries";

/// Goes over all that can be changed, and asks after each change for its row.
struct Walk {
    fixture: Fixture,
    done: BTreeSet<(&'static str, String)>,
    rows: Vec<AuditRow>,
    /// A session that the next requests go by, instead of the administrator's token.
    cookie: Option<String>,
}

impl Walk {
    /// Changes something by the route `path`, whose `{holes}` are filled by `names`: exactly one row comes of it, with this action and object.
    async fn step(
        &mut self,
        method: &'static str,
        path: &str,
        names: &[&str],
        body: Value,
        action: &str,
        object: &str,
    ) -> Value {
        let mut filled = path.to_owned();
        for name in names {
            let (from, to) = (filled.find('{').unwrap(), filled.find('}').unwrap());
            filled.replace_range(from..=to, name);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = match &self.cookie {
            None => self.fixture.request(method, &filled),
            Some(cookie) => Request::builder()
                .method(method)
                .uri(&filled)
                .header(header::COOKIE, cookie)
                .header(header::HOST, "x")
                .header(header::ORIGIN, "http://x"),
        };
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.7:4000".parse().unwrap()));
        let answer = self.fixture.send(request).await;
        assert!(answer.status.is_success(), "{method} {filled}: {} {}", answer.status, answer.text);
        let query = AuditQuery { limit: 1_000, ..AuditQuery::default() };
        let mut rows = self.fixture.fleet().audit(&query).unwrap();
        rows.reverse();
        assert_eq!(rows.len(), self.rows.len() + 1, "{method} {filled}: {rows:#?}");
        let row = &rows[rows.len() - 1];
        assert_eq!((row.action.as_str(), row.source.as_str()), (action, "192.0.2.7"), "{method} {filled}: {row:?}");
        if object != "?" {
            assert_eq!(row.object, object, "{method} {filled}");
        }
        self.rows = rows;
        self.done.insert((method, path.split('?').next().unwrap().to_owned()));
        self.cookie = answer
            .headers
            .get(header::SET_COOKIE)
            .map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
        serde_json::from_str(&answer.text).unwrap_or_default()
    }

    async fn hosts(&mut self) {
        const HOST: &str = "/api/muster/v1/hosts/{host}";
        const CHECK: &str = "/api/muster/v1/checks/{host}/{check}";
        let path = |end: &str| format!("{HOST}/{end}");
        ask(&self.fixture, "web-1", 1);
        self.step("POST", &path("approve"), &["web-1"], json!({}), "host_approved", "web-1").await;
        report(&self.fixture, CheckState::Critical, 0);
        let ack = format!("{CHECK}/ack");
        let comment = json!({"comment": "I look"});
        self.step("POST", &ack, &["web-1", "disk"], comment, "acknowledged", "web-1/disk").await;
        self.step("DELETE", &ack, &["web-1", "disk"], Value::Null, "unacknowledged", "web-1/disk").await;
        let many = json!({"checks": [{"host": "web-1", "check": "disk"}], "comment": "I look"});
        self.step("POST", "/api/muster/v1/checks/ack", &[], many, "acknowledged", "web-1/disk").await;
        self.step("DELETE", &ack, &["web-1", "disk"], Value::Null, "unacknowledged", "web-1/disk").await;
        self.step("DELETE", CHECK, &["web-1", "disk"], Value::Null, "check_removed", "web-1/disk").await;
        ask(&self.fixture, "web-1", 2);
        self.step("POST", &path("replace"), &["web-1"], json!({}), "host_replaced", "web-1").await;
        self.step("POST", &path("rename"), &["web-1"], json!({"name": "web-2"}), "host_renamed", "web-2").await;
        let labels = json!({"set": {"env": "prod"}});
        self.step("POST", &path("labels"), &["web-2"], labels, "host_relabelled", "web-2").await;
        self.step("POST", &path("retire"), &["web-2"], json!({"reason": "sold"}), "host_retired", "web-2").await;
    }

    async fn tokens_and_holds(&mut self) {
        const TOKENS: &str = "/api/muster/v1/tokens";
        const DOWNTIMES: &str = "/api/muster/v1/downtimes";
        let http = json!({"kind": "http", "scopes": ["read"]});
        let token = self.step("POST", TOKENS, &[], http, "token_made", "?").await;
        let id = token["token"]["id"].as_str().unwrap();
        assert_eq!(self.rows.last().unwrap().object, id);
        self.step("DELETE", &format!("{TOKENS}/{{id}}"), &[id], Value::Null, "token_revoked", id).await;
        let downtime = json!({"matchers": ["host=db1"], "ends_ms": NOW_MS + 60_000, "reason": "r"});
        self.step("POST", DOWNTIMES, &[], downtime, "downtime_set", "1").await;
        self.step("DELETE", &format!("{DOWNTIMES}/{{id}}"), &["1"], Value::Null, "downtime_ended", "1").await;
        const TOLD: &str = "/api/muster/v1/announcements";
        let told = json!({"matchers": ["host=db1"], "to_ms": NOW_MS + 60_000, "reason": "r"});
        self.step("POST", TOLD, &[], told, "changes_announced", "1").await;
        self.step("DELETE", &format!("{TOLD}/{{id}}"), &["1"], Value::Null, "announcement_ended", "1").await;
        let gate = json!({"service": "shop", "version": "8", "to": "production", "reason": "r"});
        self.step("POST", "/api/muster/v1/gate", &[], gate, "gate_decided", "shop/production").await;
        let silence = json!({"matchers": [{"name": "host", "value": "db1", "isRegex": false}], "createdBy": "bea",
            "comment": "c", "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:23:20Z"});
        let silence = self.step("POST", "/api/v2/silences", &[], silence, "silence_set", "?").await;
        let id = silence["silenceID"].as_str().unwrap();
        self.step("DELETE", "/api/v2/silence/{id}", &[id], Value::Null, "silence_ended", id).await;
    }

    async fn the_collector(&mut self) {
        self.step("POST", "/-/flush", &[], Value::Null, "store_flushed", "").await;
        self.fixture.can_reload.store(true, Ordering::Relaxed);
        self.step("POST", "/-/reload", &[], Value::Null, "config_reloaded", "").await;
        let delete = "/loki/api/v1/delete?query=%7Bjob%3D%22logs%22%7D&start=1";
        self.step("POST", delete, &[], Value::Null, "logs_deleted", "tombstone 1").await;
        let snapshot = "20231114T221320Z-07070707";
        self.step("POST", "/api/muster/v1/snapshots", &[], json!({}), "snapshot_begun", snapshot).await;
        let receiver = json!({"receiver": "ops"});
        self.step("POST", "/api/muster/v1/mail/test", &[], receiver, "receiver_tested", "ops").await;
    }

    async fn baselines(&mut self) {
        const BASELINE: &str = "/api/muster/v1/inventory/baselines/{name}";
        ask(&self.fixture, "inv-1", 9);
        let approve = "/api/muster/v1/hosts/{host}/approve";
        self.step("POST", approve, &["inv-1"], json!({}), "host_approved", "inv-1").await;
        const WORK: &str = "/api/muster/v1/maintenances";
        let work = json!({"name": "disks", "hosts": ["inv-1"], "ends_ms": NOW_MS + 60_000});
        self.step("POST", WORK, &[], work, "maintenance_begun", "inv-1").await;
        self.step("POST", &format!("{WORK}/{{id}}/finish"), &["1"], json!({}), "maintenance_finished", "inv-1").await;
        tell_packages(&self.fixture, "inv-1");
        self.step("PUT", BASELINE, &["inv-1"], json!({}), "baseline_pinned", "inv-1").await;
        self.step("DELETE", BASELINE, &["inv-1"], Value::Null, "baseline_unpinned", "inv-1").await;
        let question = json!({"table": "agent", "hosts": ["inv-1"], "timeout": "100ms"});
        self.step("POST", "/api/muster/v1/ask", &[], question, "fleet_asked", "agent").await;
    }

    async fn profiles(&mut self) {
        const PROFILES: &str = "/api/muster/v1/profiles";
        const ASSIGNED: &str = "/api/muster/v1/hosts/{host}/profiles/{name}";
        ask(&self.fixture, "prof-1", 11);
        let approve = "/api/muster/v1/hosts/{host}/approve";
        self.step("POST", approve, &["prof-1"], json!({}), "host_approved", "prof-1").await;
        let fleet = Arc::clone(self.fixture.fleet());
        let host = fleet.find("prof-1").unwrap();
        fleet.configuration_connected(host, true);
        fleet.step_profiles(now()).unwrap();
        let text = "profile: shop\nselector:\n  labels: '{host=\"prof-1\"}'\nlogs:\n- paths: [/var/log/shop.log]\n";
        let body = json!({"documents": [{"name": "shop.yml", "text": text}], "reason": "r"});
        self.step("POST", &format!("{PROFILES}/apply"), &[], body, "profiles_applied", "1").await;
        let why = || json!({"reason": "r"});
        self.step("POST", &format!("{PROFILES}/rollouts/stop"), &[], why(), "rollout_stopped", "1").await;
        self.step("POST", &format!("{PROFILES}/rollouts/resume"), &[], json!({}), "rollout_resumed", "1").await;
        fleet.step_profiles(now()).unwrap();
        let (_, digest, _) = fleet.configuration_for(host).unwrap();
        fleet.configuration_told(host, [0; 16], digest, ConfigurationWord::Refused, &["no".to_owned()], now());
        fleet.step_profiles(now()).unwrap();
        let retry = "/api/muster/v1/hosts/{host}/configuration/retry";
        self.step("POST", retry, &["prof-1"], json!({}), "configuration_retried", "prof-1").await;
        self.step("POST", &format!("{PROFILES}/rollouts/revert"), &[], why(), "rollout_reverted", "2").await;
        let apply = json!({"documents": [{"name": "shop.yml", "text": text}], "reason": "r"});
        self.step("POST", &format!("{PROFILES}/apply"), &[], apply, "profiles_applied", "3").await;
        self.step("PUT", ASSIGNED, &["prof-1", "shop"], why(), "profile_assigned", "prof-1").await;
        self.step("DELETE", ASSIGNED, &["prof-1", "shop"], why(), "profile_unassigned", "prof-1").await;
    }

    async fn discovery(&mut self) {
        const RULE: &str = "/api/muster/v1/discovery/rules/{name}";
        const DECIDE: &str = "/api/muster/v1/discovery/decide";
        tell_services(&self.fixture, "inv-1", 2_000, &["shop.service", "till.service"]);
        let rule = json!({"kind": "unit", "items": ["name=till.service"], "action": "accept"});
        self.step("PUT", RULE, &["tills"], rule, "discovery_rule_set", "tills").await;
        self.step("DELETE", RULE, &["tills"], Value::Null, "discovery_rule_removed", "tills").await;
        let of = |decision: &str| json!({"items": [{"host": "inv-1", "key": "unit:shop.service"}], "decision": decision, "reason": "r"});
        self.step("POST", DECIDE, &[], of("accept"), "item_accepted", "inv-1").await;
        self.step("POST", DECIDE, &[], of("archive"), "item_archived", "inv-1").await;
        self.step("POST", DECIDE, &[], of("ignore"), "item_ignored", "inv-1").await;
    }

    async fn deploys(&mut self) {
        const DEPLOYS: &str = "/api/muster/v1/deploys";
        const FREEZES: &str = "/api/muster/v1/freezes";
        ask(&self.fixture, "web-7", 13);
        let host = "/api/muster/v1/hosts/{host}";
        self.step("POST", &format!("{host}/approve"), &["web-7"], json!({}), "host_approved", "web-7").await;
        let labels = json!({"set": {"env": "staging", "role": "web"}});
        self.step("POST", &format!("{host}/labels"), &["web-7"], labels, "host_relabelled", "web-7").await;
        declare(&self.fixture);
        let start = || json!({"service": "shop", "version": "1", "env": "staging"});
        self.step("POST", DEPLOYS, &[], start(), "deploy_started", "1").await;
        let end = json!({"result": "ok"});
        self.step("POST", &format!("{DEPLOYS}/{{id}}/finish"), &["1"], end, "deploy_ended", "1").await;
        self.step("POST", DEPLOYS, &[], start(), "deploy_started", "2").await;
        let end = json!({"result": "ok", "service": "shop", "env": "staging"});
        self.step("POST", &format!("{DEPLOYS}/finish"), &[], end, "deploy_ended", "2").await;
        let freeze = json!({"matchers": ["env=staging"], "to_ms": NOW_MS + 60_000, "reason": "r"});
        self.step("POST", FREEZES, &[], freeze, "freeze_set", "1").await;
        let lift = json!({"service": "shop", "env": "staging", "reason": "r"});
        self.step("POST", &format!("{FREEZES}/override"), &[], lift, "freeze_overridden", "1").await;
        self.step("DELETE", &format!("{FREEZES}/{{id}}"), &["1"], Value::Null, "freeze_ended", "1").await;
        // One that still runs is given up by the next, which is a row of its own: so each ends before that.
        let hooks = [
            (github(CREATED), "/api/muster/v1/hooks/github", "hook:github", "3"),
            (
                gitlab(GITLAB_RUNNING, "0123456789abcdef0123456789abcdef"),
                "/api/muster/v1/hooks/gitlab",
                "hook:gitlab",
                "4",
            ),
        ];
        for (request, path, by, number) in hooks {
            assert!(self.fixture.send(request).await.status.is_success(), "{path}");
            let query = AuditQuery { limit: 1_000, ..AuditQuery::default() };
            let mut rows = self.fixture.fleet().audit(&query).unwrap();
            rows.reverse();
            let row = rows.last().unwrap();
            assert_eq!((row.action.as_str(), row.by.as_str(), row.object.as_str()), ("deploy_started", by, number));
            self.rows = rows;
            self.done.insert(("POST", path.to_owned()));
            let end = json!({"result": "ok"});
            self.step("POST", &format!("{DEPLOYS}/{{id}}/finish"), &[number], end, "deploy_ended", number).await;
        }
    }

    async fn tasks(&mut self) {
        const ORDERS: &str = "/api/muster/v1/tasks/orders";
        const USERS: &str = "/api/muster/v1/users";
        let document = "version = 1\nexpires = 2027-01-01T00:00:00Z\n[tasks.restart]\nabout = \"Restarts it\"\nargv = [\"/bin/true\"]\naccount = \"root\"\n";
        let signed = || json!({"document": document, "signature": "ab".repeat(64)});
        self.step("POST", "/api/muster/v1/tasks/catalogue", &[], signed(), "task_catalogue_added", "1").await;
        let why = || json!({"reason": "r"});
        self.step("POST", "/api/muster/v1/tasks/pause", &[], why(), "tasks_paused", "").await;
        self.step("POST", "/api/muster/v1/tasks/resume", &[], json!({}), "tasks_resumed", "").await;
        let wanted = json!({"task": "restart", "back": {"task": "restart"}, "hosts": ["prof-1"], "soak": "0s"});
        self.step("POST", ORDERS, &[], wanted.clone(), "task_requested", "1").await;
        let order = |verb: &str| format!("{ORDERS}/{{id}}/{verb}");
        let new = json!({"name": "ann", "role": "admin", "password": PASSWORD});
        self.step("POST", USERS, &[], new, "user_made", "ann").await;
        let login = json!({"user": "ann", "password": PASSWORD});
        self.step("POST", "/api/muster/v1/login", &[], login, "session_made", "?").await;
        let approval = || json!({"approver": "bob", "signature": "cd".repeat(64)});
        self.step("POST", &order("approve"), &["1"], approval(), "task_approved", "1").await;
        assert_eq!(self.rows.last().unwrap().by, "user:ann");
        self.step("POST", &order("pause"), &["1"], why(), "task_paused", "1").await;
        self.step("POST", &order("resume"), &["1"], json!({}), "task_resumed", "1").await;
        let fleet = Arc::clone(self.fixture.fleet());
        let host = fleet.find("prof-1").unwrap();
        fleet.task_connected(host, true);
        fleet.step_tasks(now()).unwrap();
        let due = fleet.take_tasks_due();
        let Some((_, TaskDue::Call(call))) = due.into_iter().find(|(_, due)| matches!(due, TaskDue::Call(_))) else {
            panic!("no call is due")
        };
        let state = |number: u32, word: TaskWord| TaskState {
            call: call.call,
            number,
            at_ms: NOW_MS,
            word,
            problem: String::new(),
            chunks: 0,
            output_bytes: 0,
            dropped_bytes: 0,
            extensions: Vec::new(),
        };
        fleet.task_told(host, state(1, TaskWord::Accepted));
        fleet.task_told(host, state(2, TaskWord::Ended { code: 0 }));
        fleet.step_tasks(now()).unwrap();
        self.step("POST", &order("rollback"), &["1"], why(), "task_rolling_back", "1").await;
        self.step("POST", &order("stop"), &["1"], why(), "task_stopping", "1").await;
        self.cookie = None;
        self.step("DELETE", &format!("{USERS}/{{name}}"), &["ann"], Value::Null, "user_removed", "ann").await;
    }

    async fn users(&mut self) {
        const USERS: &str = "/api/muster/v1/users";
        let (ann, login) = (format!("{USERS}/{{name}}"), json!({"user": "ann", "password": PASSWORD}));
        let new = json!({"name": "ann", "role": "viewer", "password": PASSWORD});
        self.step("POST", USERS, &[], new, "user_made", "ann").await;
        self.step("PUT", &ann, &["ann"], json!({"role": "operator"}), "user_changed", "ann").await;
        self.step("POST", "/api/muster/v1/login", &[], login.clone(), "session_made", "?").await;
        self.step("POST", "/api/muster/v1/logout", &[], Value::Null, "session_ended", "?").await;
        assert_eq!(self.rows.last().unwrap().by, "user:ann");
        self.cookie = None;
        self.step("POST", "/api/muster/v1/login", &[], login, "session_made", "?").await;
        let change = json!({"old_password": PASSWORD, "password": OTHER_PASSWORD});
        self.step("PUT", "/api/muster/v1/me", &[], change, "user_changed", "ann").await;
        assert_eq!(self.rows.last().unwrap().by, "user:ann");
        self.cookie = None;
        let login = json!({"user": "ann", "password": OTHER_PASSWORD});
        self.step("POST", "/api/muster/v1/login", &[], login, "session_made", "?").await;
        self.cookie = None;
        let id = self.fixture.fleet().sessions(None, now())[0].id.clone();
        self.step("DELETE", "/api/muster/v1/sessions/{id}", &[&id], Value::Null, "session_ended", &id).await;
        self.step("DELETE", &ann, &["ann"], Value::Null, "user_removed", "ann").await;
    }
}

/// A route that is new is in this walk or is said to change nothing: else this fails.
#[tokio::test]
async fn every_change_over_the_api_is_one_row() {
    let mut walk = Walk { fixture: Fixture::new(), done: BTreeSet::new(), rows: Vec::new(), cookie: None };
    walk.hosts().await;
    walk.tokens_and_holds().await;
    walk.baselines().await;
    walk.profiles().await;
    walk.discovery().await;
    walk.deploys().await;
    walk.tasks().await;
    walk.the_collector().await;
    walk.users().await;
    let Walk { fixture, done, rows, .. } = walk;
    let not_asked: Vec<_> = ROUTES
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .filter(|route| route.0 != "GET" && !NO_CHANGE.contains(route))
        .filter(|(method, path)| !done.contains(&(*method, (*path).to_owned())))
        .collect();
    assert!(not_asked.is_empty(), "{not_asked:?}");

    let admin = format!("token:{}", fixture.admin_word.split('.').next().unwrap());
    let is_known = |by: &str| by == admin || by == "user:ann" || by == "hook:github" || by == "hook:gitlab";
    assert!(rows.iter().all(|row| is_known(&row.by)), "{rows:#?}");
    assert!(rows.iter().all(|row| row.result == AuditResult::Done && row.ms == NOW_MS));
    assert!(!rows.iter().any(|row| row.text.contains(PASSWORD) || row.text.contains(OTHER_PASSWORD)));
    let verified = fixture.get("/api/muster/v1/audit/verify").await.json();
    let last = &rows[rows.len() - 1];
    assert_eq!(
        (&verified["ok"], &verified["rows"], &verified["head"]),
        (&json!(true), &json!(rows.len()), &json!(last.hash()))
    );
    let noted = fixture.get(&format!("/api/muster/v1/audit/verify?head={}", "ab".repeat(32))).await.json();
    assert_eq!((&noted["ok"], &noted["broken_seq"]), (&json!(false), &Value::Null));
    assert_eq!(fixture.get("/api/muster/v1/audit/verify?head=x").await.status.as_u16(), 400);
}

async fn rows(fixture: &Fixture, query: &str) -> Vec<Value> {
    let answer = fixture.get(&format!("/api/muster/v1/audit?{query}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json()["rows"].as_array().unwrap().clone()
}

#[tokio::test]
async fn rows_are_paged_and_filtered() {
    let fixture = Fixture::new();
    for _ in 0..5 {
        fixture.post_json("/api/muster/v1/tokens", r#"{"kind":"http","scopes":["read"]}"#).await;
    }
    let page = fixture.get("/api/muster/v1/audit?limit=3").await.json();
    let seqs = |json: &Value| {
        json["rows"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((seqs(&page), &page["next"]), (vec![5, 4, 3], &json!(3)));
    let page = fixture.get("/api/muster/v1/audit?limit=3&before=3").await.json();
    assert_eq!((seqs(&page), &page["next"]), (vec![2, 1], &Value::Null));
    assert!(rows(&fixture, "by=user:ann").await.is_empty());
    assert!(rows(&fixture, &format!("from_ms={}", NOW_MS + 1)).await.is_empty());
    assert!(rows(&fixture, &format!("to_ms={}", NOW_MS - 1)).await.is_empty());
    assert_eq!(
        fixture
            .post_json("/api/muster/v1/users", r#"{"name":"ann","role":"viewer","password":"correct horse battery"}"#)
            .await
            .status,
        201
    );
    let actions =
        |rows: Vec<Value>| rows.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for (query, expect) in [
        ("action=user_made", 1),
        ("action=user_made&object=ann&result=done", 1),
        ("object=ann", 1),
        ("object=an", 0),
        ("action=user_made&result=refused", 0),
        ("action=token_made&limit=2", 2),
    ] {
        let found = actions(rows(&fixture, query).await);
        assert_eq!(found.len(), expect, "{query}: {found:?}");
    }
    let page = fixture.get("/api/muster/v1/audit?action=token_made&limit=2&before=3").await.json();
    assert_eq!((seqs(&page), &page["next"]), (vec![2, 1], &Value::Null));
    let bads = ["limit=0", "limit=10001", "limit=x", "before=-1", "from_ms=x", "to_ms=x", "action=nope", "result=nope"];
    for bad in bads {
        assert_eq!(fixture.get(&format!("/api/muster/v1/audit?{bad}")).await.status.as_u16(), 400, "{bad}");
    }
}

fn from(source: &str, path: &str, word: &str) -> Request<Body> {
    let request = Request::builder().method("POST").uri(path).header(header::AUTHORIZATION, format!("Bearer {word}"));
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(format!("{source}:4000").parse().unwrap()));
    request
}

#[tokio::test]
async fn refusals_are_rows_and_a_flood_of_them_is_one() {
    let fixture = Fixture::new();
    let word = fixture.word(Scope::Read);
    for _ in 0..50 {
        assert_eq!(fixture.send(from("192.0.2.7", "/-/flush?x=1", &word)).await.status.as_u16(), 403);
    }
    assert_eq!(fixture.send(from("192.0.2.8", "/-/reload", "nonsense")).await.status.as_u16(), 401);
    // Who sends no token at all is a stranger who asks, and no attempt.
    fixture.send(Request::builder().uri("/metrics").body(Body::empty()).unwrap()).await;
    let rows = fixture.fleet().audit(&AuditQuery { limit: 99, ..AuditQuery::default() }).unwrap();
    let id = word.split('.').next().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.by.as_str(), row.source.as_str(), row.object.as_str(), row.result.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("anybody", "192.0.2.8", "POST /-/reload", "refused"),
            (format!("token:{id}").as_str(), "192.0.2.7", "POST /-/flush", "refused"),
        ]
    );
    assert_eq!(rows[1].text, format!("POST /-/flush was refused: token {id} is good for read, but this needs admin"));
}
