use std::os::unix::fs::symlink;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, header};
use muster_common::digest::Sha256;
use muster_common::identity::{Pin, SERVER_NAME};

use super::fixture::{Answer, Fixture, now};
use crate::{Https, PeerGrant};

const NEW: &str = r#"{"kind": "enrolment", "name": "web-1"}"#;

/// A collector that other machines can reach.
fn reachable() -> Fixture {
    let mut fixture = Fixture::new();
    Arc::get_mut(&mut fixture.state).unwrap().http = "0.0.0.0:9470".parse().unwrap();
    *fixture.https.lock().unwrap() = Some(Https {
        pin: Pin([7; 32]),
        ca_pem: Some("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned()),
        dns_names: vec![SERVER_NAME.to_owned()],
        addresses: Vec::new(),
        is_own_ca: true,
        expires: now(),
    });
    fixture
}

async fn new_token(fixture: &Fixture, host: &str, is_local: bool) -> Answer {
    let mut request =
        fixture.request("POST", "/api/muster/v1/tokens").header(header::HOST, host).body(Body::from(NEW)).unwrap();
    if is_local {
        request.extensions_mut().insert(PeerGrant::of_uid(0, 0));
    }
    fixture.send(request).await
}

#[tokio::test]
async fn anybody_may_fetch_the_files_and_nothing_beside_them() {
    let fixture = Fixture::new();
    let anybody = async |path: &str| fixture.send(Request::builder().uri(path).body(Body::empty()).unwrap()).await;
    let answer = anybody("/install/install.sh").await;
    assert_eq!(answer.status.as_u16(), 404);
    assert!(
        answer
            .text
            .starts_with("there is no file `install.sh` (/install): the collector has no packages: its folder `")
            && answer.text.ends_with("name another by install.packages\n"),
        "{}",
        answer.text
    );

    fixture.serve_installer("echo installed");
    let packages = fixture.state.install.packages.clone();
    std::fs::write(packages.join("SHA256SUMS"), "00  install.sh\n").unwrap();
    std::fs::write(packages.parent().unwrap().join("secret"), "secret").unwrap();
    symlink("../secret", packages.join("link")).unwrap();
    let answer = anybody("/install/install.sh").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "echo installed"));
    assert_eq!(answer.headers[header::CONTENT_LENGTH], "14");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(anybody("/install/SHA256SUMS").await.text, "00  install.sh\n");
    for path in [
        "/install/../secret",
        "/install/..%2fsecret",
        "/install/%2e%2e/secret",
        "/install/%2e%2e%2fsecret",
        "/install/%252e%252e%252fsecret",
        "/install/..%5csecret",
        "/install/./install.sh",
        "/install//etc/passwd",
        "/install/packages/../../secret",
        "/install/install.sh%00",
        "/install/install.sh/",
        "/install/.hidden",
        "/install/link",
        "/install/nosuch",
        "/install/",
        "/install",
    ] {
        let answer = anybody(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
        assert!(!answer.text.contains("secret\n") && answer.text.contains(": "), "{path}: {}", answer.text);
    }
    let answer = fixture.send(fixture.request("POST", "/install/install.sh").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status.as_u16(), 405);
}

#[tokio::test]
async fn a_new_token_comes_with_the_command_for_the_host() {
    let fixture = reachable();
    let answer = new_token(&fixture, "192.0.2.7:9470", false).await;
    assert!(answer.json()["install"].is_null(), "without packages there is none: {}", answer.text);

    fixture.serve_installer("echo installed");
    let json = new_token(&fixture, "192.0.2.7:9470", false).await.json();
    let command = json["install"]["command"].as_str().unwrap().to_owned();
    let word = json["token"]["word"].as_str().unwrap();
    for part in [
        format!("--pinnedpubkey \"{}\"", Pin([7; 32]).to_curl()),
        format!("echo \"{}  $d/install.sh\"", Sha256::of(b"echo installed")),
        format!("--collector \"192.0.2.7:9471\" --token \"{word}\" --name \"web-1\""),
        "--connect-to \"collector.muster:9470:192.0.2.7:9470\"".to_owned(),
    ] {
        assert!(command.contains(&part), "{part} in {command}");
    }
    // What others cannot dial, or what could end a quote, is no address.
    for (host, is_local) in [("localhost:9470", false), ("192.0.2.7:9470", true), ("a\";reboot;\"", false)] {
        let json = new_token(&fixture, host, is_local).await.json();
        let command = json["install"]["command"].as_str().unwrap();
        assert!(command.contains("--collector \"machine.example:9471\""), "{host}: {command}");
    }
    let http = r#"{"kind": "http", "scopes": ["read"]}"#;
    assert!(fixture.post_json("/api/muster/v1/tokens", http).await.json()["install"].is_null());
}

#[tokio::test]
async fn a_collector_that_hosts_cannot_reach_says_why_there_is_no_command() {
    let fixture = Fixture::new();
    fixture.serve_installer("echo installed");
    let json = new_token(&fixture, "192.0.2.7:9470", false).await.json();
    assert!(json["token"]["word"].is_string(), "the token is good all the same");
    let problem = &json["install"]["problem"];
    assert_eq!(
        problem["message"],
        "HTTP is listened for on 127.0.0.1:9470 only, so no other machine can fetch the installer"
    );
    assert!(problem["remedy"].as_str().unwrap().starts_with("set http.listen to an address of the network"));
}

#[tokio::test]
async fn the_status_says_by_what_https_is_known() {
    let fixture = reachable();
    let json = fixture.get("/api/muster/v1/status").await.json();
    assert_eq!(json["https"]["pin"], Pin([7; 32]).to_curl());
    assert_eq!(json["https"]["is_own_ca"], true);
    assert!(Fixture::new().get("/api/muster/v1/status").await.json()["https"].is_null());
}
