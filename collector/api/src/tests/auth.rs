use axum::body::Body;
use axum::http::{Request, header};
use muster_fleet::Scope;

use super::fixture::Fixture;
use crate::{Access, PeerGrant, PoolSettings};

fn request(method: &str, path: &str, headers: &[(header::HeaderName, &str)]) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(name, *value);
    }
    builder.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_refusal_speaks_the_dialect_of_its_route() {
    let fixture = Fixture::new();
    let answer = fixture.send(request("GET", "/api/v1/query", &[])).await;
    assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer realm=\"muster\"");
    assert_eq!(
        answer.text,
        r#"{"status":"error","errorType":"unauthorized","error":"no token was sent (header `Authorization`): send `Authorization: Bearer TOKEN`; `muster token new --scope read` makes one"}"#
    );
    let wrong = [(header::AUTHORIZATION, "Bearer nonsense")];
    let answer = fixture.send(request("GET", "/api/muster/v1/hosts", &wrong)).await;
    assert_eq!(
        answer.text,
        r#"{"version":1,"error":{"code":"unauthorized","message":"the token is unknown, revoked or expired","where":"header `Authorization`","remedy":"make another with `muster token new --scope read`"}}"#
    );
    let word = fixture.word(Scope::Read);
    let answer = fixture.send(request("POST", "/-/flush", &[(header::AUTHORIZATION, &format!("Bearer {word}"))])).await;
    assert_eq!(answer.status.as_u16(), 403);
    let id = word.split('.').next().unwrap();
    assert_eq!(
        answer.text,
        format!(
            "token {id} is good for read, but this needs admin (header `Authorization`): make a token with `muster token new --scope admin`\n"
        )
    );
}

#[tokio::test]
async fn without_tokens_everyone_on_this_machine_may_but_no_page_of_another_site() {
    let fixture = Fixture::with(Access::Everyone, PoolSettings::default());
    assert_eq!(fixture.send(request("POST", "/-/flush", &[])).await.status.as_u16(), 200);
    let here = (header::HOST, "127.0.0.1:9470");
    assert_eq!(fixture.send(request("GET", "/api/v1/labels", std::slice::from_ref(&here))).await.status.as_u16(), 200);
    let answer = fixture.send(request("POST", "/-/flush", &[here, (header::ORIGIN, "https://evil.example")])).await;
    assert_eq!(answer.status.as_u16(), 403);
    assert!(answer.text.starts_with("a page of `https://evil.example` asks"), "{}", answer.text);
    let answer = fixture.send(request("GET", "/api/v1/labels", &[(header::HOST, "evil.example")])).await;
    assert_eq!(answer.status.as_u16(), 403);
}

#[tokio::test]
async fn whom_the_system_names_needs_no_token_and_one_that_is_sent_counts_instead() {
    let fixture = Fixture::new();
    let sent = |method, path, uid, headers: &[(header::HeaderName, &str)]| {
        let mut request = request(method, path, headers);
        request.extensions_mut().insert(PeerGrant::of_uid(uid, 999));
        request
    };
    for (method, path, uid, status) in [
        ("GET", "/api/v1/labels", 1000, 200),
        ("GET", "/api/v1/labels", 999, 200),
        ("POST", "/-/flush", 0, 200),
        ("POST", "/-/flush", 999, 200),
        ("POST", "/-/flush", 1000, 403),
        ("GET", "/api/muster/v1/tokens", 1000, 403),
    ] {
        assert_eq!(fixture.send(sent(method, path, uid, &[])).await.status.as_u16(), status, "{method} {path} {uid}");
    }
    let answer = fixture.send(sent("POST", "/-/flush", 1000, &[])).await;
    assert_eq!(
        answer.text,
        "unix:1000 may read, but this needs admin (the user at the other end of the socket): run this as root or as the collector's user, or give a token by --token\n"
    );
    let wrong = [(header::AUTHORIZATION, "Bearer nonsense")];
    assert_eq!(fixture.send(sent("GET", "/api/v1/labels", 0, &wrong)).await.status.as_u16(), 401);
    let bearer = format!("Bearer {}", fixture.admin_word);
    let right = [(header::AUTHORIZATION, bearer.as_str())];
    assert_eq!(fixture.send(sent("POST", "/-/flush", 1000, &right)).await.status.as_u16(), 200);
    let asked = sent("DELETE", "/api/muster/v1/tokens/nosuch", 0, &[]);
    assert_eq!(fixture.send(asked).await.status.as_u16(), 404, "root is an administrator");
}

#[tokio::test]
async fn refused_requests_are_counted() {
    let fixture = Fixture::new();
    fixture.send(request("GET", "/api/v1/query", &[])).await;
    let text = fixture.get("/metrics").await.text;
    assert!(text.contains("muster_collector_http_refused_total{scope=\"read\",reason=\"unauthorized\"} 1\n"), "{text}");
    assert!(text.contains("muster_collector_http_requests_total 2\n"), "{text}");
}
