use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use muster_fleet::{AuditQuery, Scope};
use serde_json::{Value, json};

use super::fixture::{Fixture, NOW_MS};

async fn rows(fixture: &Fixture, query: &str) -> Vec<Value> {
    let answer = fixture.get(&format!("/api/muster/v1/audit?{query}")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json()["rows"].as_array().unwrap().clone()
}

/// Sends it as the administrator from an address; the answer's JSON, null where it is none.
async fn send(fixture: &Fixture, method: &str, path: &str, body: &Value) -> Value {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let mut request = fixture.request(method, path).body(body).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.7:4000".parse().unwrap()));
    let answer = fixture.send(request).await;
    assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text);
    serde_json::from_str(&answer.text).unwrap_or_default()
}

#[tokio::test]
async fn every_change_over_the_api_is_one_row() {
    let fixture = Fixture::new();
    let muster = |path: &str| format!("/api/muster/v1/{path}");
    let password = "correct horse battery";
    let soon = NOW_MS + 60_000;

    let token = send(&fixture, "POST", &muster("tokens"), &json!({"kind": "http", "scopes": ["read"]})).await;
    let id = token["token"]["id"].as_str().unwrap().to_owned();
    send(&fixture, "DELETE", &muster(&format!("tokens/{id}")), &Value::Null).await;
    let enrolment = send(&fixture, "POST", &muster("tokens"), &json!({"kind": "enrolment", "name": "db1"})).await;
    let enrolment = enrolment["token"]["id"].as_str().unwrap().to_owned();
    send(&fixture, "POST", &muster("downtimes"), &json!({"matchers": ["host=db1"], "ends_ms": soon, "reason": "r"}))
        .await;
    send(&fixture, "DELETE", &muster("downtimes/1"), &Value::Null).await;
    let silence = json!({"matchers": [{"name": "host", "value": "db1", "isRegex": false}], "createdBy": "bea", "comment": "c",
        "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:23:20Z"});
    let silence = send(&fixture, "POST", "/api/v2/silences", &silence).await;
    let silence = silence["silenceID"].as_str().unwrap().to_owned();
    send(&fixture, "DELETE", &format!("/api/v2/silence/{silence}"), &Value::Null).await;
    send(&fixture, "POST", "/-/flush", &Value::Null).await;
    send(&fixture, "POST", "/loki/api/v1/delete?query=%7Bjob%3D%22logs%22%7D&start=1", &Value::Null).await;
    send(&fixture, "POST", &muster("users"), &json!({"name": "ann", "role": "viewer", "password": password})).await;
    send(&fixture, "PUT", &muster("users/ann"), &json!({"role": "operator"})).await;
    send(&fixture, "POST", &muster("login"), &json!({"user": "ann", "password": password})).await;
    let session = fixture.fleet().sessions(None, super::fixture::now())[0].id.clone();
    send(&fixture, "DELETE", &muster(&format!("sessions/{session}")), &Value::Null).await;
    send(&fixture, "DELETE", &muster("users/ann"), &Value::Null).await;

    let admin = format!("token:{}", fixture.admin_word.split('.').next().unwrap());
    let mut all = rows(&fixture, "limit=100").await;
    all.reverse();
    let told: Vec<_> = all
        .iter()
        .map(|row| (row["by"].as_str().unwrap(), row["action"].as_str().unwrap(), row["object"].as_str().unwrap()))
        .collect();
    let admin = admin.as_str();
    assert_eq!(
        told,
        [
            (admin, "token_made", id.as_str()),
            (admin, "token_revoked", &id),
            (admin, "token_made", &enrolment),
            (admin, "downtime_set", "1"),
            (admin, "downtime_ended", "1"),
            (admin, "silence_set", &silence),
            (admin, "silence_ended", &silence),
            (admin, "store_flushed", ""),
            (admin, "logs_deleted", "tombstone 1"),
            (admin, "user_made", "ann"),
            (admin, "user_changed", "ann"),
            ("user:ann", "session_made", &session),
            (admin, "session_ended", &session),
            (admin, "user_removed", "ann"),
        ]
    );
    assert!(all.iter().all(|row| row["source"] == "192.0.2.7" && row["result"] == "done" && row["ms"] == NOW_MS));
    assert!(!all.iter().any(|row| row.to_string().contains(password)));
    let verified = fixture.get("/api/muster/v1/audit/verify").await.json();
    assert_eq!((&verified["ok"], &verified["rows"], &verified["head"]), (&json!(true), &json!(14), &all[13]["hash"]));
    let noted = fixture.get(&format!("/api/muster/v1/audit/verify?head={}", "ab".repeat(32))).await.json();
    assert_eq!((&noted["ok"], &noted["broken_seq"]), (&json!(false), &Value::Null));
    assert_eq!(fixture.get("/api/muster/v1/audit/verify?head=x").await.status.as_u16(), 400);
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
    for bad in ["limit=0", "limit=10001", "limit=x", "before=-1", "from_ms=x"] {
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
