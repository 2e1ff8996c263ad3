//! Real sockets: a small server with TLS and without.

use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use muster_common::identity::{Pin, SERVER_NAME};

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{\"ok\": 1}";

/// A CA in a file, and a server of it.
struct Server {
    folder: tempfile::TempDir,
    port: u16,
    pin: Pin,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Server {
    /// Of this name, valid between these years.
    async fn tls(name: &str, from: i32, to: i32) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(to, 1, 1));
        let leaf = params.signed_by(&key, &ca).unwrap();
        let pin = Pin::of_certificate(leaf.der()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        let chain = vec![CertificateDer::from(leaf.der().to_vec())];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer(stream).await;
                }
            }
        });
        Self { folder, port, pin, running }
    }

    async fn plain() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream).await;
            }
        });
        Self { folder: tempfile::tempdir().unwrap(), port, pin: Pin([0; 32]), running }
    }

    /// What `GET /x` of this URL says; `PORT` in it is the server's.
    async fn get(&self, url: &str, ca: bool, pin: Option<&str>) -> Result<Value, String> {
        let ca = ca.then(|| self.folder.path().join("ca.pem"));
        let trust = Trust::new(ca.as_deref(), pin).map_err(|failure| failure.to_string())?;
        let target = Target::of_url(&url.replace("PORT", &self.port.to_string()), &trust);
        let target = target.map_err(|failure| failure.to_string())?;
        Client::new(target, None).get("/x").await.map_err(|failure| failure.to_string())
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = [0; 4096];
    let _ = stream.read(&mut head).await;
    let _ = stream.write_all(ANSWER.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn https_is_known_by_a_ca_or_by_a_pin_or_by_both() {
    let server = Server::tls(SERVER_NAME, 2020, 2120).await;
    let (ok, pin) = (Ok(serde_json::json!({"ok": 1})), server.pin.to_curl());
    let url = "https://127.0.0.1:PORT";
    assert_eq!(server.get(url, true, None).await, ok, "its name is the collector's, whatever was dialled");
    assert_eq!(server.get(url, false, Some(&pin)).await, ok);
    assert_eq!(server.get(url, true, Some(&pin)).await, ok);
    let named = Server::tls("localhost", 2020, 2120).await;
    assert_eq!(named.get("https://localhost:PORT/", true, None).await, ok);
}

#[tokio::test]
async fn each_reason_not_to_trust_an_answer_is_said_with_its_remedy() {
    let server = Server::tls(SERVER_NAME, 2020, 2120).await;
    let other = Server::tls("other.example", 2020, 2120).await;
    let expired = Server::tls(SERVER_NAME, 2020, 2021).await;
    let future = Server::tls(SERVER_NAME, 2110, 2120).await;
    let plain = Server::plain().await;
    let url = "https://127.0.0.1:PORT";
    std::fs::copy(server.folder.path().join("ca.pem"), plain.folder.path().join("ca.pem")).unwrap();
    let wrong = Pin([7; 32]).to_curl();
    for (told, expect) in [
        (server.get(url, true, Some(&wrong)).await, "is not the one of --pin: either it has another key now"),
        (server.get(url, false, Some(&wrong)).await, "is not the one of --pin"),
        (server.get(url, false, Some("sha256//x")).await, "--pin `sha256//x` is no pin: write `sha256//` and 44"),
        (other.get(url, true, None).await, "is for other names: write one of them in --url, or give the pin"),
        (expired.get(url, true, None).await, "has expired: let it be renewed there, and check this machine's clock"),
        (expired.get(url, false, Some(&expired.pin.to_curl())).await, "has expired: let it be renewed"),
        (future.get(url, true, None).await, "is not valid yet: check this machine's clock"),
        (plain.get(url, true, None).await, "does not speak TLS: write http:// if it is a collector on this machine"),
        (plain.get("http://192.0.2.7:PORT", true, None).await, "--ca and --pin are of https: write https:// in --url"),
    ] {
        let told = told.unwrap_err();
        assert!(told.contains(expect), "{told}\n{expect}");
    }
    // The CA of another collector.
    std::fs::copy(other.folder.path().join("ca.pem"), server.folder.path().join("ca.pem")).unwrap();
    let told = server.get(url, true, None).await.unwrap_err();
    assert!(
        told.contains("is of no CA that is trusted here: give the collector's CA by --ca FILE, or the pin"),
        "{told}"
    );
    std::fs::write(server.folder.path().join("ca.pem"), "nothing").unwrap();
    let told = server.get(url, true, None).await.unwrap_err();
    assert!(told.contains("there is no certificate in it; name a PEM file"), "{told}");
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_said_with_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(Target::of_url(&format!("http://{address}"), &Trust::default()).unwrap(), None);
    let error = client.get("/x").await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let told = error.to_string();
    assert!(told.starts_with(&format!("no answer from http://{address}/: Connection refused")), "{told}");
    assert!(told.ends_with("name another place with --url"), "{told}");
}

#[test]
fn wrong_urls_are_named() {
    for (url, expect) in [
        ("127.0.0.1:9470", "--url `127.0.0.1:9470`: there is no `http://` or `https://`; write one such as"),
        ("ftp://x", "--url `ftp://x`: `ftp` is neither http nor https"),
        ("no url", "--url `no url`: "),
    ] {
        let told = Target::of_url(url, &Trust::default()).map(|_| ()).unwrap_err().to_string();
        assert!(told.starts_with(expect), "{told}");
    }
}

#[test]
fn plain_http_to_another_machine_is_open() {
    for (url, is_open) in [
        ("http://192.0.2.7:9470", true),
        ("http://collector.example", true),
        ("http://127.0.0.1:9470", false),
        ("http://localhost", false),
        ("http://[::1]:9470", false),
    ] {
        assert_eq!(Target::of_url(url, &Trust::default()).unwrap().is_open(), is_open, "{url}");
    }
    let pin = Trust::new(None, Some(&Pin([7; 32]).to_curl())).unwrap();
    assert!(!Target::of_url("https://192.0.2.7:9470", &pin).unwrap().is_open());
    assert!(Target::of_socket(std::path::Path::new("/nonexistent/http.sock")).is_none());
}
