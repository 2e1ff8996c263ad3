//! Remote write through the routes.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use muster_fleet::{By, Scope};
use tower::ServiceExt;

use super::*;
use crate::remote_write::tests::Body as Series;

async fn post(collector: &Collector, token: Option<&str>, body: Vec<u8>) -> (StatusCode, String) {
    let mut request = Request::post("/api/v1/write")
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .header(header::CONTENT_ENCODING, "snappy");
    if let Some(token) = token {
        // As the check of tokens before the route does.
        request = request.extension(collector.fleet.check_http_token(token, time::now()).unwrap());
    }
    let response = collector.ingest.routes().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let text = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

fn token(collector: &Collector, scopes: &[Scope]) -> String {
    collector.fleet.new_http_token(scopes, Duration::from_secs(3600), &By::Itself("test"), time::now()).unwrap()
}

#[tokio::test]
async fn a_push_is_stored_once_and_its_repeat_is_answered_alike() {
    let collector = Collector::start().await;
    let token = token(&collector, &[Scope::Ingest]);
    let now = time::now().millis();
    let body = || Series::new().series(&[("__name__", "m"), ("job", "x")], &[(1.0, now), (2.0, now + 1)]).compressed();
    for _ in 0..2 {
        assert_eq!(post(&collector, Some(&token), body()).await, (StatusCode::NO_CONTENT, String::new()));
    }
    assert_eq!(collector.samples(&[("__name__", "m")]), [r#"m{job="x"} 1 2"#]);
    assert_eq!(collector.appended(&[("__name__", "m")]), 2);
    assert_eq!(collector.stat("ingest_http_repeats_total", ""), 1.0);
    let collector = collector.restart().await;
    assert_eq!(post(&collector, Some(&token), body()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(collector.appended(&[("__name__", "m")]), 2, "the table outlives the collector");
}

#[tokio::test]
async fn what_is_too_large_is_told_so_however_full_everything_is() {
    let mut config = config();
    config.remote_write.decoding_bytes_max = 1024;
    let collector = Collector::open(tempfile::tempdir().unwrap(), config).await;
    let send = async |bytes: usize| {
        let request = Request::post("/api/v1/write")
            .header(header::CONTENT_ENCODING, "snappy")
            .header(header::CONTENT_LENGTH, bytes.to_string());
        collector.ingest.routes().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    assert_eq!(send(9 << 20).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let full = send(1 << 20).await;
    assert_eq!(
        (full.status(), full.headers()[header::RETRY_AFTER].as_bytes()),
        (StatusCode::TOO_MANY_REQUESTS, &b"2"[..])
    );
}

#[tokio::test]
async fn bad_requests_name_series_and_limit_and_the_rest_is_taken() {
    let collector = Collector::start().await;
    let now = time::now().millis();
    let mixed = Series::new()
        .series(&[("__name__", "good")], &[(1.0, now)])
        .series(&[("__name__", "bad"), ("source", "muster")], &[(1.0, now)]);
    let (status, text) = post(&collector, None, mixed.compressed()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("1 samples refused, 1 taken; the first: series {__name__=\"bad\""), "{text}");
    assert_eq!(collector.samples(&[("__name__", "good")]).len(), 1);
    let too_long = "x".repeat(9000);
    let long = Series::new().series(&[("__name__", "m"), ("l", &too_long)], &[(1.0, now)]);
    let (status, text) = post(&collector, None, long.compressed()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("the value of label `l` has 9000 bytes, but at most 8192 are allowed"), "{text}");
    let (status, text) = post(&collector, None, b"\x04\x0c\x0a\x05\x01\x01".to_vec()).await;
    assert_eq!(
        (status, text.as_str()),
        (
            StatusCode::BAD_REQUEST,
            "the body is no remote write request of version 1: the body ends inside a field at byte 0: send the whole message, and compress it as one block\n"
        )
    );
    assert_eq!(post(&collector, None, b"no snappy at all".to_vec()).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(post(&collector, None, b"\xff\xff\xff\xff\x0f".to_vec()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(post(&collector, None, vec![0; 9 << 20]).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        post(&collector, None, Series::new().compressed()).await.0,
        StatusCode::NO_CONTENT,
        "nothing is no fault"
    );
    assert_eq!(collector.stat("ingest_http_requests_total", "400"), 4.0);
}
