//! What ingest is told at start. Every bound has its reason here or with the type that it belongs to.

use std::net::SocketAddr;
use std::time::Duration;

use crate::committer::QueueLimits;
use crate::connection_limits::ConnectionLimits;
use crate::http::body::BodyLimits;
use crate::session::Settings;

/// Settings of [`crate::start`]. [`IngestConfig::new`] gives the defaults for an address.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// UDP address for agents; port 0 picks a free one.
    pub agents: SocketAddr,
    pub session: Settings,
    pub connections: ConnectionLimits,
    pub queue: QueueLimits,
    /// Memory of all sessions' contexts. At 500 series a host about 120 KB each: 10,000 hosts need 1.2 GB.
    pub contexts_bytes_max: usize,
    pub remote_write: RemoteWriteConfig,
    /// How long lines are kept: older ones are not taken.
    pub retention_logs: Duration,
    /// The grid of `up` and of the collector's own numbers.
    pub interval: Duration,
    /// How long after its last arrival a host is silent.
    pub silent_after: Duration,
    /// Over how long agents spread their return after this collector stops.
    pub goodbye_spread: Duration,
    /// Segmentation offload of UDP. Some network cards do it wrong.
    pub offload: bool,
}

/// Bounds of remote write; those of bodies hold for Loki's push as well.
#[derive(Clone, Copy, Debug)]
pub struct RemoteWriteConfig {
    pub body: BodyLimits,
    /// Series whose label bytes are remembered; each costs about 100 bytes beside its label set.
    pub cached_series_max: usize,
    /// Memory of decompressed bodies of all requests together; beyond it senders are told to wait.
    pub decoding_bytes_max: usize,
}

impl IngestConfig {
    pub fn new(agents: SocketAddr) -> Self {
        Self {
            agents,
            session: Settings::default(),
            connections: ConnectionLimits::default(),
            queue: QueueLimits::default(),
            contexts_bytes_max: 2 << 30,
            remote_write: RemoteWriteConfig {
                body: BodyLimits::default(),
                cached_series_max: 2_000_000,
                decoding_bytes_max: 256 << 20,
            },
            retention_logs: Duration::from_secs(30 * 86_400),
            interval: Duration::from_secs(15),
            silent_after: Duration::from_secs(60),
            goodbye_spread: Duration::from_secs(30),
            offload: true,
        }
    }
}
