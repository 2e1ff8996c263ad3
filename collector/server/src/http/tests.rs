//! Real sockets, real handshakes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Extensions;
use axum::routing::get;
use muster_api::{OverTls, PeerGrant};
use muster_common::disk::real::RealDisk;
use muster_common::identity::SERVER_NAME;
use muster_common::time::now;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{HttpCounts, Service, bind, bind_socket, serve, serve_socket};
use crate::config::Config;
use crate::tls::Certificates;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// A server, and what ends it.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
    counts: Arc<HttpCounts>,
}

impl Server {
    fn plain(router: Router, connections_max: usize) -> Self {
        Self::start(router, connections_max, None)
    }

    fn start(router: Router, connections_max: usize, certificates: Option<&Certificates>) -> Self {
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (stop, counts) = (CancellationToken::new(), Arc::<HttpCounts>::default());
        let tls = certificates.map(|certificates| certificates.acceptor().unwrap());
        let service = Service { router, tls, counts: Arc::clone(&counts) };
        let running = tokio::spawn(serve(listener, service, connections_max, stop.clone()));
        Self { address, stop, running, counts }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }

    fn count(&self, name: &str) -> f64 {
        self.counts.stats().iter().find(|stat| stat.name == name).unwrap().value
    }
}

async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    stream.write_all(REQUEST).await.unwrap();
    answer(stream).await
}

/// Certificates of an embedded CA, and the roots that trust it.
fn certificates() -> (TempDir, Certificates, RootCertStore) {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Arc::new(muster_fleet::open(Arc::new(RealDisk), folder.path(), now()).unwrap());
    let mut config = Config { data: Path::to_owned(folder.path()), ..Config::default() };
    config.http.tls = Some(true);
    let certificates =
        Certificates::open(&config, "127.0.0.1:0".parse().unwrap(), "machine.example", &fleet, now()).unwrap();
    let mut roots = RootCertStore::empty();
    fleet.ca_der().into_iter().for_each(|der| roots.add(CertificateDer::from(der)).unwrap());
    (folder, certificates, roots)
}

async fn shake(
    address: SocketAddr,
    roots: &RootCertStore,
    name: &str,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_protocol_versions(&[version]).unwrap();
    let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_request() {
    let (told, mut hears) = mpsc::channel::<&str>(2);
    struct Ended(mpsc::Sender<&'static str>);
    impl Drop for Ended {
        fn drop(&mut self) {
            let _ = self.0.try_send("ended");
        }
    }
    let handler = move || {
        let told = told.clone();
        async move {
            let _ended = Ended(told.clone());
            let _ = told.send("begun").await;
            std::future::pending::<()>().await;
        }
    };
    let server = Server::plain(Router::new().route("/", get(handler)), 10);
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    assert_eq!(hears.recv().await, Some("begun"));
    drop(stream);
    assert_eq!(hears.recv().await, Some("ended"));
    server.end().await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let (release, wait) = tokio::sync::watch::channel(false);
    let (begun, mut begins) = mpsc::channel::<()>(1);
    let handler = move || {
        let (mut wait, begun) = (wait.clone(), begun.clone());
        async move {
            let _ = begun.send(()).await;
            let _ = wait.wait_for(|released| *released).await;
            "done"
        }
    };
    let server = Server::plain(Router::new().route("/", get(handler)), 10);
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    begins.recv().await.unwrap();
    server.stop.cancel();
    release.send(true).unwrap();
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("done"), "{text}");
    server.end().await;
}

#[tokio::test]
async fn beyond_the_limit_a_connection_waits_for_a_place() {
    let router =
        Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }));
    let server = Server::plain(router, 1);
    let mut first = server.connect().await;
    assert!(ask(&mut first).await.ends_with(&first.local_addr().unwrap().to_string()));
    let mut second = server.connect().await;
    second.write_all(REQUEST).await.unwrap();
    drop(first);
    assert!(answer(&mut second).await.ends_with(&second.local_addr().unwrap().to_string()));
    server.end().await;
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let server = Server::plain(Router::new().route("/", get(|| async { "done" })), 10);
    for request in [REQUEST, b"GET /nosuch HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(request).await.unwrap();
        let text = answer(&mut stream).await.to_ascii_lowercase();
        for header in [
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "content-security-policy: default-src 'none';",
            "frame-ancestors 'none'\r\n",
            "cache-control: no-store\r\n",
        ] {
            assert!(text.contains(header), "{header} in {text}");
        }
        assert!(!text.contains("strict-transport-security") && !text.contains("unsafe-inline"), "{text}");
    }
    server.end().await;
}

#[tokio::test]
async fn https_of_both_versions_is_spoken_by_every_name_of_the_collector() {
    let (_folder, certificates, roots) = certificates();
    // Routes know of it, for their cookies.
    let secured =
        |extensions: Extensions| async move { if extensions.get::<OverTls>().is_some() { "done" } else { "plain" } };
    let server = Server::start(Router::new().route("/", get(secured)), 10, Some(&certificates));
    for version in [&TLS12, &TLS13] {
        for name in [SERVER_NAME, "machine.example", "localhost", "127.0.0.1"] {
            let mut stream = shake(server.address, &roots, name, version).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
            let text = ask(&mut stream).await;
            assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("done"), "{text}");
        }
    }
    let error = shake(server.address, &roots, "other.example", &TLS13).await.unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let (_other, _, strangers) = self::certificates();
    let error = shake(server.address, &strangers, SERVER_NAME, &TLS13).await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    server.end().await;
}

#[tokio::test]
async fn plain_http_is_told_that_this_is_https() {
    let (_folder, certificates, roots) = certificates();
    let server = Server::start(Router::new().route("/", get(|| async { "done" })), 10, Some(&certificates));
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nthis port speaks HTTPS: write https:// instead of http://\n"), "{text}");
    assert_eq!(server.count("muster_collector_http_plain_refused_total"), 1.0);
    drop(stream);
    let mut stream = shake(server.address, &roots, SERVER_NAME, &TLS13).await.unwrap();
    assert!(ask(&mut stream).await.ends_with("done"));
    server.end().await;
}

#[tokio::test]
async fn who_is_slow_with_a_handshake_or_a_head_is_let_go_and_others_get_the_place() {
    let (_folder, certificates, roots) = certificates();
    let server = Server::start(Router::new().route("/", get(|| async { "done" })), 3, Some(&certificates));
    // One says nothing, one begins a handshake, one has shaken hands and begins a request: all places are held.
    let mut silent = server.connect().await;
    let mut begun = server.connect().await;
    begun.write_all(&[0x16, 3, 1, 2, 0]).await.unwrap();
    let mut slow = shake(server.address, &roots, SERVER_NAME, &TLS13).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut waiting = shake(server.address, &roots, SERVER_NAME, &TLS13).await.unwrap();
    assert!(ask(&mut waiting).await.ends_with("done"), "a place came free");
    let mut rest = Vec::new();
    for stream in [&mut silent, &mut begun] {
        // Closed, or reset with what was unread: it is let go.
        let _ = stream.read_to_end(&mut rest).await;
    }
    let _ = slow.read_to_end(&mut rest).await;
    assert!(server.count("muster_collector_http_handshakes_failed_total") >= 2.0);
    server.end().await;
}

#[tokio::test]
async fn over_the_socket_the_system_says_who_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let mut socket = bind_socket(&path).unwrap();
    let whose = |extensions: Extensions| async move {
        let PeerGrant(grant) = extensions.get::<PeerGrant>().unwrap();
        format!("{} {:?}", grant.id, grant.scopes)
    };
    let router = Router::new().route("/", get(whose));
    let (stop, counts) = (CancellationToken::new(), Arc::default());
    let service = Service { router, tls: None, counts };
    let running = tokio::spawn(serve_socket(socket.take().unwrap(), service, stop.clone()));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let text = ask(&mut stream).await;
    let uid = rustix::process::geteuid().as_raw();
    assert!(text.ends_with(&format!("unix:{uid} [Admin]")), "{text}");
    stop.cancel();
    running.await.unwrap();
}
