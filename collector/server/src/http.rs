//! The HTTP listener: so many connections, so long for a request's head, and an orderly end.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// How long the head of a request may take, and how long a connection may be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a request's head: a query of 64 KiB in a URL fits.
const HEAD_BYTES_MAX: usize = 128 << 10;
/// How long requests may go on once the collector stops. A service manager kills after 90 s.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);
/// After a failed accept (no descriptors left): trying at once would only fail again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Takes the address; connections wait in the kernel until [`serve`].
pub(crate) fn bind(address: SocketAddr) -> io::Result<(StdListener, SocketAddr)> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves until `stop`; returns when the requests of that moment have ended, or after a bounded wait.
pub(crate) async fn serve(listener: StdListener, router: Router, connections_max: usize, stop: CancellationToken) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the HTTP listener cannot be used: {error}"),
    };
    let (places, connections) = (Arc::new(Semaphore::new(connections_max)), TaskTracker::new());
    loop {
        // A place first: beyond the limit connections wait in the kernel's queue, which is bounded too.
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    let _place = place;
                    connection(stream, peer, router, stop).await;
                });
            }
            Err(error) => {
                tracing::warn!("an HTTP connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_WITHIN, connections.wait()).await.is_err() {
        tracing::warn!("{} HTTP connections were cut off", connections.len());
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    // Answers are written whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server of this router, and what ends it.
    fn started(router: Router, connections_max: usize) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let stop = CancellationToken::new();
        (address, stop.clone(), tokio::spawn(serve(listener, router, connections_max, stop)))
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
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
        let (address, stop, server) = started(Router::new().route("/", get(handler)), 10);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        assert_eq!(hears.recv().await, Some("begun"));
        drop(stream);
        assert_eq!(hears.recv().await, Some("ended"));
        stop.cancel();
        server.await.unwrap();
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
        let (address, stop, server) = started(Router::new().route("/", get(handler)), 10);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        begins.recv().await.unwrap();
        stop.cancel();
        release.send(true).unwrap();
        let text = answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("done"), "{text}");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn beyond_the_limit_a_connection_waits_for_a_place() {
        let router =
            Router::new().route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }));
        let (address, stop, server) = started(router, 1);
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut first).await.ends_with(&first.local_addr().unwrap().to_string()));
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        drop(first);
        assert!(answer(&mut second).await.ends_with(&second.local_addr().unwrap().to_string()));
        stop.cancel();
        server.await.unwrap();
    }
}
