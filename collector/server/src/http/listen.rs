//! Taking connections in: a place first, then the connection, then its task.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Service, local, remote};

/// How long requests may go on once the collector stops. A service manager kills after 90 s.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);
/// After a failed accept (no descriptors left): trying at once would only fail again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Connections over the unix socket. Places of their own, so that an administrator gets in while the network holds all others.
const LOCAL_CONNECTIONS_MAX: usize = 64;

/// Takes the address; connections wait in the kernel until [`serve`].
pub(crate) fn bind(address: SocketAddr) -> io::Result<(StdListener, SocketAddr)> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves until `stop`; returns when the requests of that moment have ended, or after a bounded wait.
pub(crate) async fn serve(listener: StdListener, service: Service, connections_max: usize, stop: CancellationToken) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the HTTP listener cannot be used: {error}"),
    };
    let ending = stop.clone();
    accept(
        connections_max,
        stop,
        async move || listener.accept().await,
        |(stream, peer)| remote(stream, peer, service.clone(), ending.clone()),
    )
    .await;
}

/// As [`serve`], of the unix socket.
pub(crate) async fn serve_socket(
    listener: std::os::unix::net::UnixListener,
    service: Service,
    stop: CancellationToken,
) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("the unix socket cannot be used: {error}"),
    };
    let ending = stop.clone();
    accept(
        LOCAL_CONNECTIONS_MAX,
        stop,
        async move || listener.accept().await,
        |(stream, _)| local(stream, service.clone(), ending.clone()),
    )
    .await;
}

async fn accept<C, F>(
    connections_max: usize,
    stop: CancellationToken,
    next: impl AsyncFn() -> io::Result<C>,
    serve: impl Fn(C) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (places, connections) = (Arc::new(Semaphore::new(connections_max)), TaskTracker::new());
    loop {
        // A place first: beyond the limit connections wait in the kernel's queue, which is bounded too.
        let place = tokio::select! {
            () = stop.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                let serving = serve(accepted);
                connections.spawn(async move {
                    let _place = place;
                    serving.await;
                });
            }
            Err(error) => {
                tracing::warn!("an HTTP connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    // From here on nobody waits for what does not come.
    drop(next);
    connections.close();
    if tokio::time::timeout(DRAIN_WITHIN, connections.wait()).await.is_err() {
        tracing::warn!("{} HTTP connections were cut off", connections.len());
    }
}
