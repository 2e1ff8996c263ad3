//! The QUIC endpoint for agents: its socket, its limits, its certificate, and the loop that takes connections in.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use muster_common::identity::{Identity, tls};
use muster_common::time::{self, Timestamp};
use muster_fleet::Fleet;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::IngestConfig;
use crate::connection;
use crate::counters::Count;
use crate::error_text::chain;
use crate::hub::Hub;

/// Socket buffers asked for: bursts of ten thousand agents that send at once. The kernel may give less.
const SOCKET_BYTES: usize = 4 << 20;
/// Credit is memory: quinn keeps an entry for every stream permitted. One control stream and one for each lane are used.
const BIDI_STREAMS_MAX: u32 = 2;
const UNI_STREAMS_MAX: u32 = 4;
/// What a stream may send ahead of being read: one frame of the largest size, and the next one's half.
const STREAM_WINDOW_BYTES: u32 = 384 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
const SEND_WINDOW_BYTES: u64 = 1 << 20;
/// Agents keep connections alive every 20 s; three missed, and the connection is gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Connection attempts that wait in the endpoint, and what their packets may hold.
const INCOMING_MAX: usize = 1_024;
const INCOMING_BYTES: u64 = 64 << 10;
const INCOMING_TOTAL_BYTES: u64 = 16 << 20;
/// When a certificate could not be made, the next try.
const IDENTITY_AGAIN: Duration = Duration::from_secs(60);

/// Why agents cannot be listened to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("failed to listen on UDP {address}: choose another with --agents ADDR:PORT, or stop what uses it")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(
        "the collector's certificate cannot be made: repair state.redb's disk, or restore the data folder, then start again"
    )]
    Identity(#[from] muster_fleet::FleetError),
    #[error(
        "TLS for agents cannot be set up: the CA in state.redb is not usable; restore the data folder from a snapshot"
    )]
    Tls(#[from] tls::TlsError),
    #[error("TLS 1.3 for QUIC cannot be set up: {0}; report it, and go back to the version that ran")]
    Quic(String),
}

/// The endpoint, listening.
///
/// # Errors
/// [`ListenError`] names the address or the part of TLS.
pub(crate) fn listen(
    config: &IngestConfig,
    fleet: &Fleet,
    now: Timestamp,
) -> Result<(Endpoint, Timestamp), ListenError> {
    let bind = |source| ListenError::Bind { address: config.agents, source };
    let socket = bind_socket(config.agents).map_err(bind)?;
    let (server, renew_at) = server_config(config, fleet, now)?;
    let runtime = Arc::new(TokioRuntime);
    let reset_key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &fleet.reset_key()?);
    // Connection ids of the last process must look like ours, or its packets are dropped instead of answered by a reset.
    let id_key = ring::hmac::sign(&reset_key, b"connection ids");
    let id_key = id_key.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mut endpoint_config = EndpointConfig::new(Arc::new(reset_key));
    endpoint_config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)));
    let endpoint = Endpoint::new(endpoint_config, Some(server), socket, runtime).map_err(bind)?;
    Ok((endpoint, renew_at))
}

fn bind_socket(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // Smaller buffers cost packets in bursts, not correctness.
    for result in [socket.set_recv_buffer_size(SOCKET_BYTES), socket.set_send_buffer_size(SOCKET_BYTES)] {
        if let Err(error) = result {
            tracing::warn!("the kernel refuses UDP buffers of {SOCKET_BYTES} bytes: {error}");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn server_config(
    config: &IngestConfig,
    fleet: &Fleet,
    now: Timestamp,
) -> Result<(ServerConfig, Timestamp), ListenError> {
    let identity = fleet.server_identity(now)?;
    let renew_at = identity.renew_at;
    let tls = tls::server_config(&Identity::from(identity), &fleet.ca_der(), Arc::new(time::now))?;
    let crypto = QuicServerConfig::try_from(Arc::new(tls)).map_err(|error| ListenError::Quic(error.to_string()))?;
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport(config.offload)))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_TOTAL_BYTES);
    Ok((server, renew_at))
}

fn transport(offload: bool) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(BIDI_STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS_MAX))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(SEND_WINDOW_BYTES)
        .datagram_receive_buffer_size(None)
        .enable_segmentation_offload(offload)
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok());
    transport
}

/// Takes connections in until the endpoint closes.
pub(crate) async fn accept(hub: Arc<Hub>, endpoint: Endpoint) {
    let limits = hub.config.connections;
    while let Some(incoming) = endpoint.accept().await {
        let shaking = hub.handshaking.load(Ordering::Relaxed);
        if hub.stop.is_cancelled()
            || endpoint.open_connections() >= limits.connections_max
            || shaking >= limits.handshakes_max
        {
            hub.counters.one(Count::HandshakesRefused);
            incoming.refuse();
        } else if shaking >= limits.retry_from && !incoming.remote_address_validated() {
            hub.counters.one(Count::HandshakesRetried);
            if incoming.retry().is_err() {
                hub.counters.one(Count::HandshakesFailed);
            }
        } else {
            hub.tasks.spawn(connection::serve(hub.clone(), incoming));
        }
    }
}

/// Makes the certificate anew when its time has come, and when another CA signs or is trusted.
pub(crate) async fn keep_identity(
    hub: Arc<Hub>,
    endpoint: Endpoint,
    mut renew_at: Timestamp,
    mut authorities: tokio::sync::mpsc::Receiver<()>,
) {
    loop {
        let left = renew_at.since(time::now());
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = tokio::time::sleep(left) => {}
            changed = authorities.recv() => if changed.is_none() { return },
        }
        let now = time::now();
        match server_config(&hub.config, &hub.fleet, now) {
            Ok((server, next)) => {
                endpoint.set_server_config(Some(server));
                renew_at = next;
            }
            Err(error) => {
                tracing::error!("the collector's certificate was not renewed: {}", chain(&error));
                renew_at = now.plus(IDENTITY_AGAIN);
            }
        }
    }
}
