use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture};
use crate::OverTls;

const OWN: &str = "http://127.0.0.1:9470";
const PASSWORD: &str = "correct horse battery";

fn request(method: &str, path: &str, headers: &[(header::HeaderName, &str)], body: &Value) -> Request<Body> {
    let mut builder = Request::builder()
        .method(method)
        .uri(format!("/api/muster/v1/{path}"))
        .header(header::HOST, "127.0.0.1:9470")
        .header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        builder = builder.header(name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let mut request = builder.body(body).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("192.0.2.7:4000".parse().unwrap()));
    request
}

async fn with_ann() -> Fixture {
    let fixture = Fixture::new();
    let body = json!({"name": "ann", "role": "operator", "password": PASSWORD});
    let made = fixture.post_json("/api/muster/v1/users", &body.to_string()).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    assert!(!made.text.contains("hash") && !made.text.contains("salt"), "{}", made.text);
    fixture
}

async fn log_in(fixture: &Fixture, user: &str, password: &str) -> Answer {
    fixture.send(request("POST", "login", &[], &json!({"user": user, "password": password}))).await
}

fn cookie(answer: &Answer) -> String {
    answer.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_logs_in_looks_changes_and_logs_out() {
    let fixture = with_ann().await;
    let answer = log_in(&fixture, "ann", PASSWORD).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!((&json["user"], &json["role"]), (&json!("ann"), &json!("operator")));
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("muster=") && set.ends_with("; HttpOnly; SameSite=Strict"), "{set}");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");

    let cookie = cookie(&answer);
    let own = [(header::COOKIE, cookie.as_str()), (header::ORIGIN, OWN)];
    let me = fixture.send(request("GET", "me", &own[..1], &Value::Null)).await.json();
    assert_eq!(
        me,
        json!({"version": 1, "by": "user:ann", "user": "ann", "role": "operator", "scopes": ["read", "silence", "ask", "task:request", "deploy"]})
    );
    let downtime = json!({"matchers": ["host=db1"], "ends_ms": super::fixture::NOW_MS + 60_000, "reason": "disks"});
    let bare = fixture.send(request("POST", "downtimes", &own[..1], &downtime)).await;
    assert_eq!(bare.status.as_u16(), 403, "without Origin");
    let foreign = [own[0].clone(), (header::ORIGIN, "https://evil.example")];
    let refused = fixture.send(request("POST", "downtimes", &foreign, &downtime)).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert_eq!(refused.json()["error"]["message"], "a page of `https://evil.example` asks, and no other site may");
    let made = fixture.send(request("POST", "downtimes", &own, &downtime)).await;
    assert_eq!((made.status.as_u16(), &made.json()["downtime"]["by"]), (201, &json!("user:ann")), "{}", made.text);
    let users = fixture.send(request("GET", "users", &own[..1], &Value::Null)).await;
    assert_eq!(users.status.as_u16(), 403);
    assert_eq!(
        users.json()["error"]["message"],
        "user:ann may read, silence, ask, task:request, deploy, but this needs admin"
    );

    let out = fixture.send(request("POST", "logout", &own, &Value::Null)).await;
    assert_eq!(out.status.as_u16(), 200, "{}", out.text);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().starts_with("muster=; Path=/; Max-Age=0;"));
    let after = fixture.send(request("GET", "me", &own[..1], &Value::Null)).await;
    assert_eq!((after.status.as_u16(), &after.json()["error"]["message"]), (401, &json!("the session has ended")));
}

#[tokio::test]
async fn over_tls_the_cookie_is_one_that_no_other_page_can_set() {
    let fixture = with_ann().await;
    let mut asked = request("POST", "login", &[], &json!({"user": "ann", "password": PASSWORD}));
    asked.extensions_mut().insert(OverTls);
    let answer = fixture.send(asked).await;
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.starts_with("__Host-muster=") && set.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{set}");
    let cookie = cookie(&answer);
    let plain = cookie.replace("__Host-", "");
    for (cookie, over_tls, status) in [(&cookie, true, 200), (&cookie, false, 401), (&plain, true, 401)] {
        let mut asked = request("GET", "me", &[(header::COOKIE, cookie)], &Value::Null);
        if over_tls {
            asked.extensions_mut().insert(OverTls);
        }
        assert_eq!(fixture.send(asked).await.status.as_u16(), status, "{cookie} {over_tls}");
    }
}

#[tokio::test]
async fn who_guesses_learns_nothing_and_waits() {
    let fixture = with_ann().await;
    let disabled = fixture
        .send(fixture.request("PUT", "/api/muster/v1/users/ann").body(Body::from(r#"{"disabled":true}"#)).unwrap());
    let mut texts = vec![log_in(&fixture, "ann", "a wrong password").await, log_in(&fixture, "nobody", PASSWORD).await];
    disabled.await;
    texts.push(log_in(&fixture, "ann", PASSWORD).await);
    for answer in &texts {
        assert_eq!((answer.status.as_u16(), &answer.text), (401, &texts[0].text));
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
    }
    // The source has five, in whatever names.
    log_in(&fixture, "Not A Name\n", "x").await;
    log_in(&fixture, "other", "x").await;
    let limited = log_in(&fixture, "another", PASSWORD).await;
    assert_eq!((limited.status.as_u16(), &limited.headers[header::RETRY_AFTER]), (429, &"1".parse().unwrap()));
    assert_eq!(limited.json()["error"]["code"], "too_many");
    let text = fixture.get("/metrics").await.text;
    for line in [
        "muster_collector_logins_total{result=\"wrong\"} 5\n",
        "muster_collector_logins_total{result=\"limited\"} 1\n",
        "muster_collector_audit_summed_total 5\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

/// A hash takes tens of milliseconds, a look into memory none: whoever measures must not learn which names there are.
#[tokio::test]
async fn a_user_that_there_is_not_takes_as_long_as_a_wrong_password() {
    let fixture = with_ann().await;
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..3 {
        for (number, user) in ["ann", "nobody"].into_iter().enumerate() {
            let mut asked = request("POST", "login", &[], &json!({"user": user, "password": "a wrong password"}));
            let from: SocketAddr = format!("192.0.2.{}:4000", 10 + round * 2 + number).parse().unwrap();
            asked.extensions_mut().insert(ConnectInfo(from));
            let before = muster_common::time::now();
            assert_eq!(fixture.send(asked).await.status.as_u16(), 401);
            took[number].push(muster_common::time::now().since(before));
        }
    }
    let [wrong, nobody] = took.map(|mut times| {
        times.sort();
        times[1]
    });
    assert!(nobody * 4 > wrong && wrong * 4 > nobody, "wrong password {wrong:?}, no such user {nobody:?}");
}

#[tokio::test]
async fn a_foreign_page_logs_nobody_in() {
    let fixture = with_ann().await;
    let body = json!({"user": "ann", "password": PASSWORD});
    for (name, value) in
        [(header::ORIGIN, "https://evil.example"), (header::HeaderName::from_static("sec-fetch-site"), "same-site")]
    {
        let answer = fixture.send(request("POST", "login", &[(name, value)], &body)).await;
        assert_eq!(answer.status.as_u16(), 403, "{value}");
    }
    let audited = fixture.get("/api/muster/v1/audit?by=anybody").await.json();
    let row = &audited["rows"][0];
    assert_eq!((&row["object"], &row["result"]), (&json!("POST /api/muster/v1/login"), &json!("refused")), "{audited}");
}

/// A WebSocket begins with a GET, and browsers let any page of the same site open one, cookies included.
#[tokio::test]
async fn a_foreign_page_opens_no_live_tail() {
    let fixture = with_ann().await;
    let cookie = cookie(&log_in(&fixture, "ann", PASSWORD).await);
    for (origin, is_let_in) in [(OWN, true), ("http://127.0.0.1:3000", false)] {
        let mut asked = request("GET", "x", &[(header::COOKIE, &cookie), (header::ORIGIN, origin)], &Value::Null);
        *asked.uri_mut() = "/loki/api/v1/tail?query=%7Bjob%3D%22logs%22%7D".parse().unwrap();
        asked.headers_mut().insert(header::UPGRADE, "websocket".parse().unwrap());
        let answer = fixture.send(asked).await;
        assert_eq!(answer.status.as_u16() != 403, is_let_in, "{origin}: {} {}", answer.status, answer.text);
    }
}

#[tokio::test]
async fn ones_own_password_is_changed_with_the_old_one_and_ends_every_session() {
    let fixture = with_ann().await;
    let (first, second) = (log_in(&fixture, "ann", PASSWORD).await, log_in(&fixture, "ann", PASSWORD).await);
    let (first, second) = (cookie(&first), cookie(&second));
    let own = [(header::COOKIE, first.as_str()), (header::ORIGIN, OWN)];
    let change = |old: &str, new: &str| json!({"old_password": old, "password": new});
    for (body, status) in [
        (change("a wrong password", "battery staple"), 401),
        (change(PASSWORD, "short"), 400),
        (change(PASSWORD, "password123"), 400),
        (change(PASSWORD, "battery staple"), 200),
    ] {
        let answer = fixture.send(request("PUT", "me", &own, &body)).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    }
    for cookie in [&first, &second] {
        let me = fixture.send(request("GET", "me", &[(header::COOKIE, cookie)], &Value::Null)).await;
        assert_eq!(me.status.as_u16(), 401);
    }
    assert_eq!(log_in(&fixture, "ann", PASSWORD).await.status.as_u16(), 401);
    assert_eq!(log_in(&fixture, "ann", "battery staple").await.status.as_u16(), 200);
    // Who is no user has none to change.
    let body = change(PASSWORD, "battery staple").to_string();
    let token = fixture.send(fixture.request("PUT", "/api/muster/v1/me").body(Body::from(body)).unwrap()).await;
    assert_eq!(token.status.as_u16(), 409, "{}", token.text);
}

#[tokio::test]
async fn sessions_are_listed_to_their_own_and_ended_by_administrators() {
    let fixture = with_ann().await;
    let (first, second) = (log_in(&fixture, "ann", PASSWORD).await, log_in(&fixture, "ann", PASSWORD).await);
    let (first, second) = (cookie(&first), cookie(&second));
    let own = [(header::COOKIE, first.as_str()), (header::ORIGIN, OWN)];
    let list = fixture.send(request("GET", "sessions", &own[..1], &Value::Null)).await.json();
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{list}");
    assert!(sessions.iter().all(|one| one["user"] == "ann" && one["source"] == "192.0.2.7"), "{list}");
    assert_eq!(sessions.iter().filter(|one| one["is_this"] == true).count(), 1);
    let all = fixture.send(request("GET", "sessions?all=true", &own[..1], &Value::Null)).await;
    assert_eq!(all.status.as_u16(), 403);
    let theirs = sessions.iter().find(|one| one["is_this"] == false).unwrap()["id"].as_str().unwrap();
    let ended = fixture.delete(&format!("/api/muster/v1/sessions/{theirs}")).await;
    assert_eq!(ended.status.as_u16(), 200, "{}", ended.text);
    let me = fixture.send(request("GET", "me", &[(header::COOKIE, &second)], &Value::Null)).await;
    assert_eq!(me.status.as_u16(), 401);
    assert_eq!(fixture.get("/api/muster/v1/sessions?all=true").await.json()["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(fixture.get("/api/muster/v1/sessions").await.json()["sessions"], json!([]), "a token has none");
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_said_with_its_field() {
    let fixture = with_ann().await;
    for (body, status, place) in [
        (json!({"name": "Ann B", "role": "viewer", "password": PASSWORD}), 400, "field `name`"),
        (json!({"name": "bea", "role": "root", "password": PASSWORD}), 400, "field `role`"),
        (json!({"name": "bea", "role": "viewer", "password": "short"}), 400, "field `password`"),
        (json!({"name": "ann", "role": "viewer", "password": PASSWORD}), 409, "field `name`"),
        (json!({"name": "bea", "role": "viewer"}), 400, "the request's body"),
    ] {
        let answer = fixture.post_json("/api/muster/v1/users", &body.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["where"]), (status, &json!(place)), "{body}");
        assert!(!answer.json()["error"]["remedy"].as_str().unwrap().is_empty(), "{}", answer.text);
    }
    assert_eq!(fixture.delete("/api/muster/v1/users/nobody").await.status.as_u16(), 404);
    assert_eq!(fixture.delete("/api/muster/v1/users/ann").await.json()["removed"], "ann");
}
