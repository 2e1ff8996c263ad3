//! Loki's push over HTTP on a socket.

use std::net::SocketAddr;

use muster_fleet::{By, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::agent::Agent;
use super::*;
use crate::loki_push::tests::{gzip, put_stream};

/// The routes behind a socket, as the collector serves them; every request has the grant of this token.
async fn serve(collector: &Collector, token: Option<&str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut routes = collector.ingest.routes();
    if let Some(token) = token {
        // As the check of tokens before the route does.
        routes = routes.layer(axum::Extension(collector.fleet.check_http_token(token, time::now()).unwrap()));
    }
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

fn token(collector: &Collector, scopes: &[Scope]) -> String {
    collector.fleet.new_http_token(scopes, Duration::from_secs(3600), &By::Itself("test"), time::now()).unwrap()
}

/// Status and text.
async fn post(address: SocketAddr, kind: &str, encoding: Option<&str>, body: &[u8]) -> (u16, String) {
    send(address, kind, encoding, body.len(), body).await
}

/// Only the head of a request that has so many bytes: for those that are refused by it.
async fn post_head(address: SocketAddr, bytes: usize) -> u16 {
    send(address, JSON, None, bytes, b"").await.0
}

async fn send(address: SocketAddr, kind: &str, encoding: Option<&str>, bytes: usize, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let encoding = encoding.map(|encoding| format!("Content-Encoding: {encoding}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n{encoding}Content-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

fn done() -> (u16, String) {
    (204, String::new())
}

#[tokio::test]
async fn lines_are_stored_once_in_their_order_and_equal_ones_are_kept() {
    let collector = Collector::start().await;
    let word = token(&collector, &[Scope::Ingest]);
    let address = serve(&collector, Some(&word)).await;
    let now = time::now().millis() * 1_000_000;
    let body = format!(
        r#"{{"streams":[{{"stream":{{"app":"x"}},"values":[["{now}","same"],["{now}","same"],["{now}","last",{{"trace":"1"}}],["{}","first"]]}}]}}"#,
        now - 1
    );
    let expect = [
        format!(r#"{{app="x"}}@{} first {{}}"#, now - 1),
        format!(r#"{{app="x"}}@{now} same {{}}"#),
        format!(r#"{{app="x"}}@{now} same {{}}"#),
        format!(r#"{{app="x"}}@{now} last {{trace="1"}}"#),
    ];
    for _ in 0..2 {
        assert_eq!(post(address, JSON, None, body.as_bytes()).await, done());
    }
    assert_eq!(collector.stored_lines(&[("app", "x")]), expect);
    assert_eq!(collector.stat("ingest_http_repeats_total", ""), 1.0);
    assert_eq!(collector.stat("ingest_lines_total", ""), 4.0);
    let collector = collector.restart().await;
    let address = serve(&collector, Some(&word)).await;
    assert_eq!(post(address, JSON, None, body.as_bytes()).await, done());
    assert_eq!(collector.stored_lines(&[("app", "x")]), expect, "the table outlives the collector");
    // The same lines in another body are other lines: nothing tells them from equal ones.
    assert_eq!(post(address, JSON, Some("gzip"), &gzip(body.as_bytes())).await, done());
    assert_eq!(collector.stored_lines(&[("app", "x")]).len(), 8);
}

#[tokio::test]
async fn protobuf_is_taken_as_promtail_sends_it() {
    let collector = Collector::start().await;
    let address = serve(&collector, None).await;
    let now = time::now().millis() * 1_000_000;
    let mut body = Vec::new();
    put_stream(&mut body, r#"{app="x", env="y"}"#, &[(now + 1, b"b", &[("trace", "1")]), (now, b"a", &[])]);
    put_stream(&mut body, r#"{app="x"}"#, &[(now + 2, b"c", &[])]);
    assert_eq!(post(address, PROTOBUF, None, &snappy(&body)).await, done());
    let expect = [
        format!(r#"{{app="x", env="y"}}@{now} a {{}}"#),
        format!(r#"{{app="x", env="y"}}@{} b {{trace="1"}}"#, now + 1),
        format!(r#"{{app="x"}}@{} c {{}}"#, now + 2),
    ];
    assert_eq!(collector.stored_lines(&[("app", "x")]), expect);
}

#[tokio::test]
async fn a_push_cannot_pass_for_a_host_or_for_the_collector() {
    let collector = Collector::start().await;
    Agent::enrol(collector.ingest.agents_addr(), &collector.token("web1")).await.unwrap();
    let address = serve(&collector, Some(&token(&collector, &[Scope::Ingest]))).await;
    let now = time::now().millis() * 1_000_000;
    let body = |host: &str, source: &str, line: usize| {
        format!(r#"{{"streams":[{{"stream":{{"host":"{host}","source":"{source}"}},"values":[["{now}","{line}"]]}}]}}"#)
    };
    let mut line = 0;
    while collector.stored_lines(&[("exported_host", "web1")]).is_empty() {
        // The name is known to the intakes a moment after the enrolment.
        line += 1;
        assert!(line < 1_000, "the name is not known");
        assert_eq!(post(address, JSON, None, body("web1", "y", line).as_bytes()).await, done());
    }
    let of_host = format!(r#"{{exported_host="web1", source="y"}}@{now} {line} {{}}"#);
    assert_eq!(collector.stored_lines(&[("exported_host", "web1")]), [of_host]);
    let (status, text) = post(address, JSON, None, body("web2", "muster", 0).as_bytes()).await;
    assert_eq!(status, 400);
    assert!(
        text.starts_with("1 entries refused, 0 taken; the first: stream 1: label `source=\"muster\"` and host"),
        "{text}"
    );
    assert!(collector.stored_lines(&[("host", "web2")]).is_empty());
}

#[tokio::test]
async fn hostile_bodies_get_lokis_status_and_the_place() {
    let collector = Collector::start().await;
    let address = serve(&collector, None).await;
    let now = time::now().millis() * 1_000_000;
    let long = "x".repeat((256 << 10) + 1);
    let mixed = format!(
        r#"{{"streams":[{{"stream":{{"app":"x"}},"values":[["{now}","a"],["{now}","{long}"],["1","old"],["{now}","b"]]}}]}}"#
    );
    let (status, text) = post(address, JSON, None, mixed.as_bytes()).await;
    let expect = "2 entries refused, 2 taken; the first: stream 1 {app=\"x\"}, entry 2: the line has 262145 bytes, but at most 262144 are allowed: split it\n";
    assert_eq!((status, text.as_str()), (400, expect));
    assert_eq!(collector.stored_lines(&[("app", "x")]).len(), 2);
    let (status, text) = post(address, JSON, None, br#"{"streams":[{"stream":{"a":"b"},"values":[["x","y"]]}]}"#).await;
    let expect = "the body is no push request, nothing of it was taken: stream 1, entry 1, byte ";
    assert!(status == 400 && text.starts_with(expect), "{text}");
    let (status, text) = post(address, PROTOBUF, None, &snappy(&[0x0a, 5, 1])).await;
    let expect = "the body is no push request, nothing of it was taken: the body ends inside a field at byte 0";
    assert!(status == 400 && text.starts_with(expect), "{text}");
    let statuses = [
        (JSON, Some("gzip"), gzip(&vec![b' '; 33 << 20]), 413),
        (JSON, Some("gzip"), b"no gzip at all".to_vec(), 413),
        (JSON, Some("gzip"), b"no gzip\0\0\0\0".to_vec(), 400),
        (JSON, Some("br"), b"{}".to_vec(), 415),
        ("text/plain", None, b"{}".to_vec(), 415),
        (PROTOBUF, Some("gzip"), b"{}".to_vec(), 415),
        (PROTOBUF, Some("snappy"), b"no snappy at all".to_vec(), 400),
        (PROTOBUF, None, b"\xff\xff\xff\xff\x0f".to_vec(), 413),
        (JSON, None, b"{}".to_vec(), 204),
        (PROTOBUF, None, snappy(b""), 204),
    ];
    for (number, (kind, encoding, body, expect)) in statuses.into_iter().enumerate() {
        let (status, text) = post(address, kind, encoding, &body).await;
        assert_eq!(status, expect, "case {number}: {text}");
    }
    assert_eq!(post_head(address, 9 << 20).await, 413);
    let labels: String = (0..300_000).map(|number| format!(r#""l{number}":"v","#)).collect();
    let many = format!(r#"{{"streams":[{{"stream":{{{labels}"z":"z"}},"values":[["{now}","x"]]}}]}}"#);
    let (status, text) = post(address, JSON, Some("gzip"), &gzip(many.as_bytes())).await;
    let expect = "1 entries refused, 0 taken; the first: stream 1: 300001 labels, but a series may have at most 64";
    assert!(status == 400 && text.starts_with(expect), "{text}");
    assert_eq!(collector.stat("ingest_push_requests_total", "413"), 4.0);
}

#[tokio::test]
async fn a_full_collector_tells_pushers_when_to_come_again() {
    let mut config = config();
    config.remote_write.decoding_bytes_max = 1024;
    let collector = Collector::open(tempfile::tempdir().unwrap(), config).await;
    let address = serve(&collector, None).await;
    assert_eq!(post_head(address, 100_000).await, 429);
    assert_eq!(post_head(address, 9 << 20).await, 413, "what never fits is told so");
}
