//! Sockets and nothing else: one connection at a time, frames in and out of its streams. The session decides, this obeys.
//!
//! A connection has its own UDP socket, so that a changed network needs no rebinding. Three small tasks serve it: one writes the control
//! stream, one lane p1's, one reads. What they say comes through one bounded channel under the connection's number; words of a connection
//! that is no longer the present one are dropped.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use muster_common::identity::{self, Identity, SERVER_NAME, TlsError, Trust, tls};
use muster_common::time;
use muster_common::wire::frame::FrameReader;
use muster_common::wire::message::{Lane, Message};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, ConnectionError, Endpoint, IdleTimeout, RecvStream, SendStream, TransportConfig, VarInt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::session::Channel;
use crate::own::ConnectFailure;

/// A name gets this long to be resolved: two tries of the system's resolver at its usual 5 s.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);
/// All addresses of a name together get this long for the handshake.
const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// The next address is tried beside those before it after this (RFC 8305), so that a silent one costs no more.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const PEERS_MAX: usize = 8;
/// Well below NAT tables' usual 30 s for UDP.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Nothing heard for so long: the connection is gone.
const IDLE: Duration = Duration::from_secs(60);
/// What was handed over before the end may take this long to leave.
const FLUSH_WITHIN: Duration = Duration::from_millis(500);
/// Frames that may wait for a stream: more than the session's window has.
const FRAMES_MAX: usize = 256;
/// Lines wait for numbers and numbers for what is said, where the connection is the narrow place.
const CONTROL_PRIORITY: i32 = 2;
const REPORTS_PRIORITY: i32 = 2;
const METRICS_PRIORITY: i32 = 1;
const LOGS_PRIORITY: i32 = 0;
/// Words of connections that may wait for the main loop.
const WORDS_MAX: usize = 64;
/// QUIC carries a TLS alert as its number plus this.
const CRYPTO_ERRORS: u64 = 0x100;

/// Why no connection came about, or why it ended. One line each, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error(
        "collector address `{address}` does not resolve: {source}; write HOST:PORT of the collector's agent port (9471)"
    )]
    Resolve {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("collector address `{address}` resolves to nothing: check the name server of this host")]
    Nowhere { address: String },
    #[error("no UDP socket can be opened to reach {peer}: {source}; check this user's limit of open files (ulimit -n)")]
    Socket {
        peer: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("collector {address}: {problem}")]
    Connect { address: String, problem: String, reason: ConnectFailure },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("QUIC cannot be set up: {problem}; this muster-agent was built wrongly: install it anew")]
    Setup { problem: String },
}

impl DialError {
    /// For the count.
    pub fn reason(&self) -> ConnectFailure {
        match self {
            Self::Resolve { .. } | Self::Nowhere { .. } => ConnectFailure::Resolve,
            Self::Connect { reason, .. } => *reason,
            Self::Socket { .. } | Self::Tls(_) | Self::Setup { .. } => ConnectFailure::Local,
        }
    }
}

/// A connection that is gone, and why as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    pub why: String,
    pub reason: ConnectFailure,
}

impl Loss {
    fn closed(why: impl Into<String>) -> Self {
        Self { why: why.into(), reason: ConnectFailure::Closed }
    }
}

impl From<&ConnectionError> for Loss {
    fn from(error: &ConnectionError) -> Self {
        Self { why: explain(error), reason: reason_of(error) }
    }
}

/// What a connection has to say.
#[derive(Debug)]
pub enum Word {
    Connected {
        peer: SocketAddr,
    },
    /// It did not come about.
    Failed(DialError),
    Message(Box<Message>),
    Lost(Loss),
}

/// A word and the connection that says it.
#[derive(Debug)]
pub struct Numbered {
    number: u64,
    word: Word,
}

/// A connection that stands, with the socket that it lives on.
pub struct Dialled {
    pub endpoint: Endpoint,
    pub connection: quinn::Connection,
}

/// QUIC settings of an agent: small credit and windows, no datagrams, keep-alive.
///
/// # Errors
/// [`DialError::Tls`] when identity or trust cannot be used.
pub fn client_config(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig, DialError> {
    let tls = tls::client_config(trust, identity, Arc::new(time::now))?;
    let crypto = QuicClientConfig::try_from(tls).map_err(|error| DialError::Setup { problem: error.to_string() })?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

/// What one collector may make an agent hold: a few streams, 1 MiB each way.
fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(4))
        .max_concurrent_uni_streams(VarInt::from_u32(4))
        .stream_receive_window(VarInt::from_u32(256 << 10))
        .receive_window(VarInt::from_u32(1 << 20))
        .send_window(1 << 20)
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok());
    transport
}

/// Connects to one `HOST:PORT`: to whichever of the name's addresses answers first.
///
/// # Errors
/// [`DialError`] of the address whose error says most.
pub async fn dial(address: &str, config: &ClientConfig) -> Result<Dialled, DialError> {
    let found = match timeout(RESOLVE_WITHIN, tokio::net::lookup_host(address)).await {
        Ok(found) => found,
        Err(_) => Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the name server does not answer")),
    };
    let found = found.map_err(|source| DialError::Resolve { address: address.to_owned(), source })?;
    let peers: Vec<SocketAddr> = found.take(PEERS_MAX).collect();
    dial_peers(address, &peers, config).await
}

/// Tries the first address at once and each further one [`NEXT_ADDRESS_AFTER`] later, all beside each other.
async fn dial_peers(address: &str, peers: &[SocketAddr], config: &ClientConfig) -> Result<Dialled, DialError> {
    if peers.is_empty() {
        return Err(DialError::Nowhere { address: address.to_owned() });
    }
    let tried = peers.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ");
    // Where it says no more than the name itself, it is left out.
    let named = if tried == address { tried } else { format!("{address} ({tried})") };
    let silent =
        || DialError::Connect { address: named.clone(), problem: SILENT.to_owned(), reason: ConnectFailure::NoAnswer };
    let mut attempts = tokio::task::JoinSet::new();
    for (number, peer) in peers.iter().copied().enumerate() {
        let config = config.clone();
        attempts.spawn(async move {
            tokio::time::sleep(NEXT_ADDRESS_AFTER * u32::try_from(number).unwrap_or(u32::MAX)).await;
            dial_one(peer, config).await
        });
    }
    let first = async {
        let mut told = None;
        while let Some(attempt) = attempts.join_next().await {
            // An attempt that panicked has nothing to say.
            match attempt.unwrap_or_else(|error| Err(DialOne::Connect(Loss::closed(error.to_string())))) {
                Ok(dialled) => return Ok(dialled),
                Err(DialOne::Socket(peer, source)) => _ = told.get_or_insert(DialError::Socket { peer, source }),
                // An end that answers says more than silence or a missing socket.
                Err(DialOne::Connect(Loss { why: problem, reason })) if reason != ConnectFailure::NoAnswer => {
                    told = Some(DialError::Connect { address: named.clone(), problem, reason });
                }
                Err(DialOne::Connect(_)) => {}
            }
        }
        Err(told.unwrap_or_else(silent))
    };
    timeout(DIAL_WITHIN, first).await.unwrap_or_else(|_| Err(silent()))
}

enum DialOne {
    Socket(SocketAddr, std::io::Error),
    Connect(Loss),
}

async fn dial_one(peer: SocketAddr, config: ClientConfig) -> Result<Dialled, DialOne> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::client(any).map_err(|source| DialOne::Socket(peer, source))?;
    let connecting = endpoint.connect_with(config, peer, SERVER_NAME);
    let connecting =
        connecting.map_err(|error| DialOne::Connect(Loss { why: error.to_string(), reason: ConnectFailure::Local }))?;
    let connection = connecting.await.map_err(|error| DialOne::Connect(Loss::from(&error)))?;
    Ok(Dialled { endpoint, connection })
}

const SILENT: &str =
    "no answer: check the address, that the collector runs, and that UDP to this port passes the firewalls";

/// The number of a TLS alert in QUIC's error code.
fn alert(code: u64) -> Option<u8> {
    code.checked_sub(CRYPTO_ERRORS).and_then(|alert| u8::try_from(alert).ok())
}

fn reason_of(error: &ConnectionError) -> ConnectFailure {
    match error {
        ConnectionError::TransportError(inner) if alert(u64::from(inner.code)).is_some() => ConnectFailure::Handshake,
        ConnectionError::ConnectionClosed(frame) if alert(u64::from(frame.error_code)).is_some() => {
            ConnectFailure::Handshake
        }
        ConnectionError::VersionMismatch => ConnectFailure::Handshake,
        ConnectionError::TimedOut => ConnectFailure::NoAnswer,
        ConnectionError::CidsExhausted | ConnectionError::LocallyClosed => ConnectFailure::Local,
        _ => ConnectFailure::Closed,
    }
}

/// A connection's end in words that name the remedy.
pub fn explain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TransportError(inner) => match alert(u64::from(inner.code)) {
            Some(number) => identity::explain_alert(number, &inner.reason),
            None => error.to_string(),
        },
        ConnectionError::ConnectionClosed(frame) => match alert(u64::from(frame.error_code)) {
            Some(number) => identity::explain_alert(number, "the collector refused the handshake"),
            None => format!("the collector closed the connection: {error}"),
        },
        ConnectionError::ApplicationClosed(_) => "the collector closed the connection".to_owned(),
        ConnectionError::TimedOut => SILENT.to_owned(),
        other => other.to_string(),
    }
}

/// The present connection, if there is one.
struct Link {
    number: u64,
    control: mpsc::Sender<Arc<[u8]>>,
    reports: mpsc::Sender<Arc<[u8]>>,
    metrics: mpsc::Sender<Arc<[u8]>>,
    logs: mpsc::Sender<Arc<[u8]>>,
    /// Ends the reader at once.
    ended: Arc<tokio::sync::Notify>,
}

/// Dials and serves connections, one at a time.
pub struct Uplink {
    addresses: Vec<String>,
    config: ClientConfig,
    next_address: usize,
    number: u64,
    link: Option<Link>,
    words: mpsc::Sender<Numbered>,
    tasks: tokio::task::JoinSet<()>,
}

impl Uplink {
    /// `addresses` are addresses of ONE store, tried in turn. The receiver gives what connections say; pass each to [`Uplink::hear`].
    pub fn new(addresses: Vec<String>, config: ClientConfig) -> (Self, mpsc::Receiver<Numbered>) {
        let (words, receiver) = mpsc::channel(WORDS_MAX);
        let tasks = tokio::task::JoinSet::new();
        (Self { addresses, config, next_address: 0, number: 0, link: None, words, tasks }, receiver)
    }

    /// Connections from now on use this.
    pub fn use_config(&mut self, config: ClientConfig) {
        self.config = config;
    }

    /// The address that is dialled next, or that the present connection was dialled at.
    pub fn address(&self) -> &str {
        let at = self.next_address.checked_rem(self.addresses.len()).unwrap_or(0);
        self.addresses.get(at).map_or("", String::as_str)
    }

    /// Starts to connect; [`Word::Connected`] or [`Word::Failed`] follows.
    pub fn connect(&mut self) {
        self.close();
        while self.tasks.try_join_next().is_some() {}
        self.number += 1;
        let (control, control_queue) = mpsc::channel(FRAMES_MAX);
        let (reports, reports_queue) = mpsc::channel(FRAMES_MAX);
        let (metrics, metrics_queue) = mpsc::channel(FRAMES_MAX);
        let (logs, logs_queue) = mpsc::channel(FRAMES_MAX);
        let ended = Arc::new(tokio::sync::Notify::new());
        self.link = Some(Link { number: self.number, control, reports, metrics, logs, ended: Arc::clone(&ended) });
        let say = Say { number: self.number, words: self.words.clone() };
        let (address, config) = (self.address().to_owned(), self.config.clone());
        self.tasks.spawn(async move {
            match dial(&address, &config).await {
                Ok(dialled) => {
                    serve(dialled, [control_queue, reports_queue, metrics_queue, logs_queue], &say, &ended).await
                }
                Err(error) => say.word(Word::Failed(error)).await,
            }
        });
    }

    /// Takes a word; `None` when it is of an earlier connection.
    pub fn hear(&mut self, numbered: Numbered) -> Option<Word> {
        if self.link.as_ref().is_none_or(|link| link.number != numbered.number) {
            return None;
        }
        if matches!(numbered.word, Word::Failed(_) | Word::Lost(_)) {
            self.link = None;
        }
        if matches!(numbered.word, Word::Failed(_)) {
            self.next_address = self.next_address.wrapping_add(1);
        }
        Some(numbered.word)
    }

    /// Hands bytes to a stream. `false`: they do not fit, which the session's window rules out while the connection is well; close it.
    pub fn send(&mut self, on: Channel, bytes: Arc<[u8]>) -> bool {
        let Some(link) = &self.link else { return true };
        let queue = match on {
            Channel::Control => &link.control,
            Channel::Lane(Lane::P0) => &link.reports,
            Channel::Lane(Lane::P1) => &link.metrics,
            Channel::Lane(Lane::P2) => &link.logs,
        };
        // A closed queue is a connection that has ended; its last word is on the way.
        !matches!(queue.try_send(bytes), Err(mpsc::error::TrySendError::Full(_)))
    }

    /// Ends the connection: what was handed over still leaves, nothing is heard any more.
    pub fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.ended.notify_one();
        }
    }

    /// Closes and waits until everything has left, for the program's end.
    pub async fn shut(mut self) {
        self.close();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(FLUSH_WITHIN * 2, all).await;
    }
}

struct Say {
    number: u64,
    words: mpsc::Sender<Numbered>,
}

impl Say {
    async fn word(&self, word: Word) {
        // The receiver lives as long as the program.
        let _ = self.words.send(Numbered { number: self.number, word }).await;
    }
}

async fn serve(
    dialled: Dialled,
    [control_queue, reports_queue, metrics_queue, logs_queue]: [mpsc::Receiver<Arc<[u8]>>; 4],
    say: &Say,
    ended: &tokio::sync::Notify,
) {
    let Dialled { endpoint, connection } = dialled;
    let (control, answers) = match connection.open_bi().await {
        Ok(streams) => streams,
        Err(error) => return say.word(Word::Lost(Loss::from(&error))).await,
    };
    say.word(Word::Connected { peer: connection.remote_address() }).await;
    let writes = async {
        tokio::join!(
            write(Some(control), &connection, CONTROL_PRIORITY, control_queue),
            write(None, &connection, REPORTS_PRIORITY, reports_queue),
            write(None, &connection, METRICS_PRIORITY, metrics_queue),
            write(None, &connection, LOGS_PRIORITY, logs_queue)
        );
    };
    tokio::pin!(writes);
    tokio::select! {
        // All queues are closed only together with `ended`, or by a stream that the other end stopped: the reader tells which.
        why = read(answers, say) => say.word(Word::Lost(why.unwrap_or_else(|| end_of(&connection)))).await,
        () = ended.notified() => {
            let _ = timeout(FLUSH_WITHIN, &mut writes).await;
        }
        () = pump(&mut writes) => {}
    }
    connection.close(VarInt::from_u32(0), b"");
    let _ = timeout(FLUSH_WITHIN, endpoint.wait_idle()).await;
}

/// Drives the writers without ever ending: their end is not the connection's.
async fn pump(writes: &mut (impl Future<Output = ()> + Unpin)) {
    writes.await;
    std::future::pending::<()>().await;
}

fn end_of(connection: &quinn::Connection) -> Loss {
    let ended = || Loss::closed("the collector ended the session");
    connection.close_reason().map_or_else(ended, |error| Loss::from(&error))
}

/// Writes what comes, in order, and finishes the stream when nothing more will. A lane's stream is opened with its first frame.
async fn write(
    stream: Option<SendStream>,
    connection: &quinn::Connection,
    priority: i32,
    mut queue: mpsc::Receiver<Arc<[u8]>>,
) {
    let mut stream = stream;
    while let Some(bytes) = queue.recv().await {
        if stream.is_none() {
            stream = connection.open_uni().await.ok();
            // A stream that is gone already says so at its next write.
            stream.iter().for_each(|open| drop(open.set_priority(priority)));
        }
        let Some(open) = &mut stream else { return };
        if open.write_all(&bytes).await.is_err() {
            return;
        }
    }
    if let Some(mut open) = stream
        && open.finish().is_ok()
    {
        // Until the other end has it all, or is gone.
        let _ = open.stopped().await;
    }
}

/// Reads frames until the stream ends; the text says what was wrong with it, if anything was.
async fn read(mut stream: RecvStream, say: &Say) -> Option<Loss> {
    let mut reader = FrameReader::new();
    loop {
        let chunk = match stream.read_chunk(64 << 10, true).await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return None,
            Err(quinn::ReadError::ConnectionLost(error)) => return Some(Loss::from(&error)),
            Err(error) => return Some(Loss::closed(error.to_string())),
        };
        reader.push(&chunk.bytes);
        loop {
            match reader.next() {
                Ok(Some(frame)) => say.word(Word::Message(Box::new(frame.message))).await,
                Ok(None) => break,
                Err(error) => {
                    let why = format!("the collector sent what is no frame: {error}; upgrade the older end");
                    return Some(Loss::closed(why));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
