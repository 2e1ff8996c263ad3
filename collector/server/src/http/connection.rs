//! One connection: its handshake, then its requests.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use muster_api::{OverTls, PeerGrant};
use muster_common::stat::Stat;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::headers::harden;
use super::paced::Paced;

/// How long a handshake may take, from the connection on.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long a connection may be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a request's head: a query of 64 KiB in a URL fits.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// The first byte of TLS: a record of the type handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 0x16;
/// How long a client that spoke plain HTTP may take to hear that this is HTTPS.
const PLAIN_WITHIN: Duration = Duration::from_secs(2);

/// What all connections of a listener share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) router: Router,
    /// `None`: plain HTTP. Of no use to the unix socket.
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) counts: Arc<HttpCounts>,
}

/// What the listeners count.
#[derive(Debug, Default)]
pub(crate) struct HttpCounts {
    handshakes_failed: AtomicU64,
    plain_refused: AtomicU64,
}

impl HttpCounts {
    pub(crate) fn stats(&self) -> Vec<Stat> {
        let failed = "TLS handshakes of HTTPS that failed or took too long.";
        let plain = "Connections refused since they spoke plain HTTP where HTTPS is spoken.";
        vec![
            Stat::counter(
                "muster_collector_http_handshakes_failed_total",
                failed,
                self.handshakes_failed.load(Ordering::Relaxed),
            ),
            Stat::counter(
                "muster_collector_http_plain_refused_total",
                plain,
                self.plain_refused.load(Ordering::Relaxed),
            ),
        ]
    }
}

/// Serves a connection from an address.
pub(super) async fn remote(stream: TcpStream, peer: SocketAddr, service: Service, stop: CancellationToken) {
    // Answers are written whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let mut whose = Extensions::new();
    whose.insert(ConnectInfo(peer));
    let told = peer.to_string();
    let Some(tls) = &service.tls else {
        return speak(Paced::new(stream), &told, whose, service.router, stop).await;
    };
    let shaken = tokio::select! {
        () = stop.cancelled() => return,
        shaken = timeout(HANDSHAKE_WITHIN, handshake(stream, tls, &service.counts)) => shaken,
    };
    match shaken {
        Ok(Ok(Some(stream))) => {
            whose.insert(OverTls);
            speak(stream, &told, whose, service.router, stop).await;
        }
        Ok(Ok(None)) => {}
        Ok(Err(error)) => {
            service.counts.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("TLS handshake of {peer} failed: {error}");
        }
        Err(_) => {
            service.counts.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!("TLS handshake of {peer} took longer than {} s", HANDSHAKE_WITHIN.as_secs());
        }
    }
}

/// Serves a connection over the unix socket: whoever is at its other end is named by the system.
pub(super) async fn local(stream: UnixStream, service: Service, stop: CancellationToken) {
    let uid = match stream.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(error) => return tracing::warn!("a connection over the unix socket has no credentials: {error}"),
    };
    let mut whose = Extensions::new();
    whose.insert(PeerGrant::of_uid(uid, rustix::process::geteuid().as_raw()));
    speak(Paced::new(stream), &format!("uid {uid}"), whose, service.router, stop).await;
}

/// The stream once TLS stands; `None` where the client went away, or was told that this is HTTPS.
async fn handshake(
    stream: TcpStream,
    tls: &TlsAcceptor,
    counts: &HttpCounts,
) -> io::Result<Option<TlsStream<Paced<TcpStream>>>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0] == HANDSHAKE {
        return tls.accept(Paced::new(stream)).await.map(Some);
    }
    counts.plain_refused.fetch_add(1, Ordering::Relaxed);
    // What it does after that is its matter.
    let _ = timeout(PLAIN_WITHIN, say_https(stream)).await;
    Ok(None)
}

/// Answers one request in plain HTTP.
async fn say_https(mut stream: TcpStream) -> io::Result<()> {
    const TEXT: &str = "this port speaks HTTPS: write https:// instead of http://\n";
    let mut head = [0; 4096];
    // What of it has come; the rest is read below.
    let _ = stream.read(&mut head).await?;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing while bytes of the request are unread would take the answer back.
    while stream.read(&mut head).await? > 0 {}
    Ok(())
}

/// HTTP over this stream, until it ends or, after the request under way, until `stop`.
async fn speak<S>(stream: S, peer: &str, whose: Extensions, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().extend(whose.clone());
        let answering = router.clone().oneshot(request);
        async move {
            let mut answer = answering.await?;
            harden(answer.headers_mut());
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD_BYTES_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        // A client's doing: it went away, or sent what is no HTTP.
        tracing::debug!("HTTP connection of {peer} ended: {error}");
    }
}
