use muster_common::wire::message::HostFacts;
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS, now};
use crate::HostPresence;

/// Lets a machine ask to be let in without a token: it waits as pending.
pub(super) fn ask(fixture: &Fixture, name: &str, machine: u32) {
    ask_at(fixture, name, machine, now());
}

pub(super) fn ask_at(fixture: &Fixture, name: &str, machine: u32, at: muster_common::time::Timestamp) {
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    let request = muster_common::wire::message::Enrol {
        protocol: 1,
        token: String::new(),
        csr_der: csr.der().to_vec(),
        name: name.to_owned(),
        facts: HostFacts { machine_id: format!("{machine:032x}"), os: "Debian".into(), ..HostFacts::default() },
    };
    fixture.fleet().enrol(&request, "192.0.2.7", at).unwrap();
}

async fn hosts(fixture: &Fixture, query: &str) -> Vec<Value> {
    let json = fixture.get(&format!("/api/muster/v1/hosts{query}")).await.json();
    assert_eq!(json["version"], 1);
    json["hosts"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_host_goes_through_its_life() {
    let fixture = Fixture::new();
    assert!(hosts(&fixture, "").await.is_empty());
    ask(&fixture, "web-1", 1);
    let waiting = hosts(&fixture, "").await;
    assert_eq!(
        (waiting.len(), waiting[0]["state"].as_str(), waiting[0]["name"].as_str()),
        (1, Some("pending"), Some("web-1"))
    );
    assert!(waiting[0]["waiting_key"].is_string() && waiting[0]["presence"].is_null());

    let answer = fixture.post_json("/api/muster/v1/hosts/web-1/approve", r#"{"labels": {"env": "prod"}}"#).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let host = answer.json()["host"].clone();
    assert_eq!((host["state"].as_str(), &host["labels"]), (Some("active"), &json!({"env": "prod"})));
    let id = host["id"].as_str().unwrap().to_owned();

    let answer = fixture.post_json(&format!("/api/muster/v1/hosts/{id}/rename"), r#"{"name": "web-2"}"#).await;
    assert_eq!(answer.json()["host"]["name"], "web-2", "{}", answer.text);
    let body = r#"{"set": {"role": "db"}, "remove": ["env", "nosuch"]}"#;
    let answer = fixture.post_json("/api/muster/v1/hosts/web-2/labels", body).await;
    assert_eq!(answer.json()["host"]["labels"], json!({"role": "db"}), "{}", answer.text);
    let heard = HostPresence {
        host: muster_common::host::HostId::parse(&id).unwrap(),
        state: "up".into(),
        last_arrival: Some(now()),
        newest_data: Some(now()),
        problems: vec![crate::Problem {
            message: "permission denied".into(),
            place: "/var/log/x".into(),
            remedy: "chmod g+r /var/log/x".into(),
        }],
    };
    fixture.presence.lock().unwrap().push(heard);
    let host = fixture.get("/api/muster/v1/hosts/web-2").await.json()["host"].clone();
    assert_eq!((host["presence"].as_str(), host["last_arrival_ms"].as_i64()), (Some("up"), Some(NOW_MS)));

    let problem =
        |place: &str| json!({"message": "permission denied", "where": place, "remedy": "chmod g+r /var/log/x"});
    assert_eq!(host["problems"], json!([problem("/var/log/x")]));
    let status = fixture.get("/api/muster/v1/status").await.json();
    assert_eq!(status["collector"]["problems"], json!([problem("host web-2: /var/log/x")]));

    let answer = fixture.post_json("/api/muster/v1/hosts/web-2/retire", r#"{"reason": "sold"}"#).await;
    assert_eq!(answer.json()["host"]["reason"], "sold", "{}", answer.text);
    assert!(hosts(&fixture, "").await.is_empty());
    assert_eq!(hosts(&fixture, "?all=true").await[0]["state"], "retired");

    let events = fixture.get("/api/muster/v1/events?limit=50").await.json();
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    for kind in ["host_pending", "host_approved", "host_renamed", "host_retired"] {
        assert!(kinds.contains(&kind), "{kind} of {kinds:?}");
    }
    assert_eq!(fixture.get("/api/muster/v1/events?limit=2").await.json()["events"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_replaced_host_keeps_its_id_and_has_the_waiting_machine() {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    let answer = fixture.post_json("/api/muster/v1/hosts/web-1/approve", "{}").await;
    let id = answer.json()["host"]["id"].clone();
    ask(&fixture, "web-1", 2);
    let listed = hosts(&fixture, "").await;
    assert!(listed.len() == 2 && listed.iter().any(|host| host["state"] == "pending"), "{listed:?}");

    let answer = fixture.post_json("/api/muster/v1/hosts/web-1/replace", "{}").await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let host = answer.json()["host"].clone();
    assert_eq!(
        (&host["id"], host["state"].as_str(), host["replaced_ms"].as_i64()),
        (&id, Some("active"), Some(NOW_MS))
    );
    assert_eq!(hosts(&fixture, "").await.len(), 1, "nobody waits any more");
}

#[tokio::test]
async fn a_refused_approval_changes_no_label() {
    let fixture = Fixture::new();
    let approve = async |host: &str, body: &str| {
        fixture.post_json(&format!("/api/muster/v1/hosts/{host}/approve"), body).await.status.as_u16()
    };
    ask(&fixture, "web-1", 1);
    assert_eq!(approve("web-1", "{}").await, 200);
    ask(&fixture, "web-2", 2);
    assert_eq!(approve("web-1", r#"{"labels": {"env": "prod"}}"#).await, 409, "it is active");
    assert_eq!(approve("web-2", r#"{"name": "web-1", "labels": {"env": "prod"}}"#).await, 409, "the name is taken");
    for host in hosts(&fixture, "").await {
        assert_eq!(host["labels"], json!({}), "{host}");
    }
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let fixture = Fixture::new();
    let body = r#"{"kind": "enrolment", "pattern": "web-*", "ttl": "2h", "uses": 5, "labels": {"env": "prod"}, "ephemeral": "6h"}"#;
    let answer = fixture.post_json("/api/muster/v1/tokens", body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let made = answer.json();
    let token = &made["token"];
    let id = token["id"].as_str().unwrap();
    assert!(token["word"].as_str().unwrap().starts_with(&format!("{id}.")));
    assert_eq!((made["agents_port"].as_u64(), token["expires_ms"].as_i64()), (Some(9471), Some(NOW_MS + 7_200_000)));

    let answer = fixture.post_json("/api/muster/v1/tokens", r#"{"kind": "http", "scopes": ["read"]}"#).await;
    let word = answer.json()["token"]["word"].as_str().unwrap().to_owned();
    assert!(fixture.fleet().check_http_token(&word, now()).is_some());

    let listed = fixture.get("/api/muster/v1/tokens").await;
    assert!(!listed.text.contains(&word) && !listed.text.contains("\"word\""), "secrets are told once");
    let listed = listed.json();
    let listed = listed["tokens"].as_array().unwrap();
    let enrolment = listed.iter().find(|token| token["kind"] == "enrolment").unwrap();
    assert_eq!((enrolment["pattern"].as_str(), enrolment["uses_left"].as_u64()), (Some("web-*"), Some(5)));
    assert_eq!((enrolment["ephemeral"].as_str(), enrolment["labels"]["env"].as_str()), (Some("6h"), Some("prod")));

    let http_id = word.split('.').next().unwrap();
    let answer = fixture.delete(&format!("/api/muster/v1/tokens/{http_id}")).await;
    assert_eq!(answer.json(), json!({"version": 1, "revoked": http_id}));
    assert!(fixture.fleet().check_http_token(&word, now()).is_none());
}

#[tokio::test]
async fn each_wrong_request_says_what_where_and_what_to_do() {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    for (method, path, body, status, code, place) in [
        ("GET", "hosts?all=maybe", "", 400, "bad_request", "parameter `all`"),
        ("GET", "hosts/nosuch", "", 404, "not_found", "the host asked for"),
        ("POST", "hosts/nosuch/retire", "", 404, "not_found", "the host asked for"),
        ("POST", "hosts/web-1/rename", "", 400, "bad_request", "the request's body"),
        ("POST", "hosts/web-1/rename", r#"{"nme": "x"}"#, 400, "bad_request", "the request's body"),
        ("POST", "hosts/web-1/rename", r#"{"name": "muster"}"#, 400, "bad_request", "the host asked for"),
        ("POST", "hosts/web-1/labels", r#"{"set": {"host": "x"}}"#, 400, "bad_request", "the host asked for"),
        ("POST", "hosts/web-1/replace", "", 409, "conflict", "the host asked for"),
        ("POST", "hosts/web-1/approve", r#"{"labels": {"host": "x"}}"#, 400, "bad_request", "the host asked for"),
        ("POST", "tokens", "{", 400, "bad_request", "the request's body"),
        ("POST", "tokens", r#"{"kind": "enrolment"}"#, 400, "bad_request", "field `name`"),
        ("POST", "tokens", r#"{"kind": "enrolment", "name": "a", "ttl": "soon"}"#, 400, "bad_request", "field `ttl`"),
        (
            "POST",
            "tokens",
            r#"{"kind": "enrolment", "name": "a", "uses": 0}"#,
            400,
            "bad_request",
            "the token asked for",
        ),
        ("POST", "tokens", r#"{"kind": "http", "scopes": []}"#, 400, "bad_request", "field `scopes`"),
        ("POST", "tokens", r#"{"kind": "http", "scopes": ["write"]}"#, 400, "bad_request", "field `scopes`"),
        ("POST", "tokens", r#"{"kind": "http", "scopes": ["tasks"]}"#, 400, "bad_request", "field `scopes`"),
        ("DELETE", "tokens/nosuch", "", 404, "not_found", "token `nosuch`"),
        ("GET", "events?limit=0", "", 400, "bad_request", "parameter `limit`"),
        ("GET", "nosuch", "", 404, "not_found", "/api/muster/v1/nosuch"),
        ("DELETE", "hosts", "", 405, "method_not_allowed", "/api/muster/v1/hosts"),
    ] {
        let path = format!("/api/muster/v1/{path}");
        let answer = match method {
            "GET" => fixture.get(&path).await,
            "DELETE" => fixture.delete(&path).await,
            _ => fixture.post_json(&path, body).await,
        };
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {}", answer.text);
        let json = answer.json();
        let error = &json["error"];
        assert_eq!(
            (error["code"].as_str(), error["where"].as_str()),
            (Some(code), Some(place)),
            "{path} {body}: {json}"
        );
        for part in ["message", "remedy"] {
            assert!(error[part].as_str().is_some_and(|text| !text.is_empty()), "{path} {body}: {json}");
        }
    }
}

#[tokio::test]
async fn status_is_one_object() {
    let fixture = Fixture::new();
    ask(&fixture, "web-1", 1);
    let json = fixture.get("/api/muster/v1/status").await.json();
    assert_eq!(json["version"], 1);
    assert_eq!(
        json["collector"],
        json!({"version": "0.1.0", "started_ms": NOW_MS, "uptime_seconds": 0, "is_ready": true, "problems": []})
    );
    assert_eq!(json["addresses"], json!({"http": "127.0.0.1:9470", "agents": "0.0.0.0:9471"}));
    assert_eq!(json["hosts"]["by_state"]["pending"], 1);
    assert!(json["numbers"].as_array().unwrap().len() > 10);
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let fixture = Fixture::new();
    let answer = fixture.get("/api/muster/v1/openapi.yaml").await;
    assert_eq!(answer.headers["content-type"], "application/yaml");
    assert_eq!(answer.text, crate::OPENAPI);
}

#[tokio::test]
async fn a_silent_host_behind_a_silent_one_is_shown_as_unreachable() {
    let fixture = Fixture::new();
    let mut notes = Vec::new();
    for (name, key, labels) in [("gw", 1, "{}"), ("web-1", 2, r#"{"parent": "gw"}"#)] {
        ask(&fixture, name, key);
        let path = format!("/api/muster/v1/hosts/{name}/approve");
        let answer = fixture.post_json(&path, &format!(r#"{{"labels": {labels}}}"#)).await.json();
        let host = muster_common::host::HostId::parse(answer["host"]["id"].as_str().unwrap()).unwrap();
        let (state, problems) = ("silent".to_owned(), Vec::new());
        fixture.presence.lock().unwrap().push(HostPresence {
            host,
            state,
            last_arrival: Some(now()),
            newest_data: None,
            problems,
        });
        let (standing, last_heard) = (muster_fleet::Standing::Silent, Some(now()));
        notes.push(muster_fleet::StandingNote { host, standing, last_heard, goodbye: "" });
    }
    fixture.fleet().note_standings(&notes, now()).unwrap();
    let shown: Vec<_> = hosts(&fixture, "").await.iter().map(|host| host["presence"].clone()).collect();
    assert_eq!(shown, ["silent", "unreachable"]);
    let status = fixture.get("/api/muster/v1/status").await.json();
    assert_eq!(status["hosts"]["by_presence"], json!({"silent": 1, "unreachable": 1}));
}

#[tokio::test]
async fn snapshots_are_listed_and_begun() {
    let fixture = Fixture::new();
    let listed = fixture.get("/api/muster/v1/snapshots").await.json();
    assert_eq!(listed["running"], json!({"id": "20231114T221320Z-07070707", "done_bytes": 1, "total_bytes": 9}));
    assert_eq!((&listed["folder"], &listed["ended"]), (&json!("/s"), &json!(null)));
    let row = &listed["snapshots"][0];
    assert_eq!((&row["size_bytes"], &row["ca_keys"], &row["barrier_ms"]), (&json!(5), &json!("sealed"), &json!(2.5)));
    let begun = fixture.post_json("/api/muster/v1/snapshots", "").await;
    assert_eq!((begun.status.as_u16(), &begun.json()["id"]), (202, &json!("20231114T221320Z-07070707")));
    let full = fixture.post_json("/api/muster/v1/snapshots", r#"{"to": "/full"}"#).await;
    assert_eq!((full.status.as_u16(), &full.json()["error"]["remedy"]), (409, &json!("free it")), "{}", full.text);
    for (body, place) in
        [(r#"{"key_file": "/k", "without_ca_key": true}"#, "field `key_file`"), (r#"{"too": 1}"#, "the request's body")]
    {
        let refused = fixture.post_json("/api/muster/v1/snapshots", body).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["error"]["where"]),
            (400, &json!(place)),
            "{}",
            refused.text
        );
    }
}
