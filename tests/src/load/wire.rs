//! Hosts of the workload over QUIC, each with a certificate and a connection of its own, as agents send.
//!
//! A host keeps what is not acknowledged, and after a break goes on from the collector's mark, so that a killed collector
//! costs nothing that was promised.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_common::identity::tls::{Identity, Trust, client_config};
use muster_common::identity::token::TokenWord;
use muster_common::identity::{SERVER_NAME, certificate};
use muster_common::time;
use muster_common::wire::frame::{Encoder, Frame, FrameReader, encode};
use muster_common::wire::message::{
    AgentGoodbye, Enrol, Epoch, GoodbyeReason, HeldEpoch, Hello, HostFacts, Lane, Message, PROTOCOL, RefusalCode,
    Welcome,
};
use quinn::{ClientConfig, Connecting, Connection, Endpoint, RecvStream, SendStream};

use super::feed::HostFeed;
use super::workload::host_name;
use crate::harness::collector::Collector;

/// What to send: each of `hosts` sends `ticks` batches.
#[derive(Clone, Debug)]
pub struct Load {
    pub target: SocketAddr,
    /// An enrolment token for the pattern `node-*` with at least `hosts` uses.
    pub word: String,
    pub seed: u64,
    pub hosts: usize,
    pub ticks: i64,
    pub start_ms: i64,
    /// Batches that a host may have unacknowledged.
    pub window: usize,
    /// Pause between two batches of a host; zero sends as fast as acknowledgements come.
    pub pause: Duration,
    /// Connect again after a break, at most this often in a row; 0 ends with an error at the first.
    pub reconnects: u32,
}

impl Load {
    /// Hosts that connect and send nothing by themselves, under a new token of this collector with these labels (a JSON object).
    ///
    /// # Errors
    /// When the collector makes no token.
    pub fn idle(collector: &Collector, hosts: usize, labels: &str) -> Result<Self> {
        let body = format!(r#"{{"kind":"enrolment","pattern":"node-*","uses":{hosts},"ttl":"2h","labels":{labels}}}"#);
        let answer = collector.request("POST", "/api/muster/v1/tokens", body.as_bytes())?.json()?;
        let word = answer["token"]["word"].as_str().with_context(|| format!("no word in {answer}"))?.to_owned();
        Ok(Self {
            target: collector.agents,
            word,
            seed: 1,
            hosts,
            ticks: 0,
            start_ms: time::now().millis(),
            window: 1,
            pause: Duration::ZERO,
            reconnects: 0,
        })
    }
}

/// What is known while it runs and after.
#[derive(Debug, Default)]
pub struct Progress {
    /// Samples, or bytes of lines: what the feed counts.
    pub acked_amount: AtomicU64,
    pub wire_bytes: AtomicU64,
    pub connects: AtomicU64,
    /// The caller asks all hosts to stop after their present batch.
    pub stop: AtomicBool,
    /// For each host the highest acknowledged seq.
    pub acked: parking_lot::Mutex<Vec<u64>>,
}

/// Refusals of one host in a row for too many that come at once.
const BUSY_MAX: u32 = 600;

/// Enrols the hosts and gives what each needs to connect.
///
/// # Errors
/// The collector's refusal, or a broken connection.
pub async fn enrol(load: &Load) -> Result<Vec<Host>> {
    let word = TokenWord::parse(&load.word).context("the enrolment word")?;
    let endpoint = endpoint()?;
    let trust = Trust::Pin(word.pin);
    let config = quic_config(&trust, None)?;
    let mut hosts = Vec::with_capacity(load.hosts);
    let (mut number, mut refusals) = (0, 0);
    while number < load.hosts {
        let key_der = certificate::new_key()?;
        let csr_der = certificate::new_request(&key_der)?;
        let connection = endpoint.connect_with(config.clone(), load.target, SERVER_NAME)?.await?;
        let (mut send, receive) = connection.open_bi().await?;
        let enrol = Enrol {
            protocol: PROTOCOL,
            token: word.token.to_string(),
            csr_der,
            name: host_name(number),
            facts: facts(number),
        };
        send.write_all(&encode(&Frame::control(Message::Enrol(enrol)))?).await?;
        let chain_der = match (Control { receive, frames: FrameReader::new() }).next().await? {
            Message::Enrolled(enrolled) => enrolled.chain_der,
            // So many a second are let in; an agent comes again too.
            Message::Refused(refused) if refused.code == RefusalCode::Busy && refusals < BUSY_MAX => {
                refusals += 1;
                tokio::time::sleep(Duration::from_millis(u64::from(refused.retry_after_ms))).await;
                continue;
            }
            other => bail!("enrolling {}: {other:?}", host_name(number)),
        };
        connection.close(0u32.into(), b"enrolled");
        hosts.push(Host { number, identity: Identity { chain_der, key_der } });
        (number, refusals) = (number + 1, 0);
    }
    endpoint.wait_idle().await;
    Ok(hosts)
}

/// One enrolled host of the load.
pub struct Host {
    pub number: usize,
    pub(super) identity: Identity,
}

/// What a host sends, batch by batch.
pub trait Feed: Send + Sync + 'static {
    /// The lane of its batches.
    const LANE: Lane;

    fn epoch(&self) -> Epoch;

    /// The frames that stand before the first batch of each session.
    ///
    /// # Errors
    /// When they are over a limit of the protocol.
    fn opening(&self, encoder: &mut Encoder, out: &mut Vec<u8>) -> Result<()>;

    /// Batch number `tick` (from 0), which has seq `tick` + 1, and how much it is: samples or bytes of lines. Ticks are asked for in order.
    ///
    /// # Errors
    /// When it is over a limit of the protocol.
    fn batch(&mut self, tick: i64, encoder: &mut Encoder, out: &mut Vec<u8>) -> Result<u64>;
}

/// Sends the metrics of the workload; returns when all is acknowledged, or when `progress.stop` was set and the rest is acknowledged.
///
/// # Errors
/// A refusal by the collector, or more breaks in a row than allowed.
pub async fn run(load: &Load, hosts: Vec<Host>, progress: &Arc<Progress>) -> Result<()> {
    run_with(load, hosts, progress, |host| HostFeed::new(load.seed, host, load.start_ms)).await
}

/// As [`run`], with what `feed` makes for each host's number.
///
/// # Errors
/// As [`run`].
pub async fn run_with<F: Feed>(
    load: &Load,
    hosts: Vec<Host>,
    progress: &Arc<Progress>,
    feed: impl Fn(usize) -> Result<F>,
) -> Result<()> {
    *progress.acked.lock() = vec![0; load.hosts];
    let mut tasks = tokio::task::JoinSet::new();
    for host in hosts {
        let (load, progress, feed) = (load.clone(), Arc::clone(progress), feed(host.number)?);
        tasks.spawn(async move {
            let name = host_name(host.number);
            Sender::new(load, host, progress, feed).run().await.with_context(|| name)
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.context("a sender panicked")??;
    }
    Ok(())
}

fn facts(number: usize) -> HostFacts {
    HostFacts { host_name: host_name(number), machine_id: format!("{number:032x}"), ..HostFacts::default() }
}

pub(super) fn quic_config(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig> {
    let tls = client_config(trust, identity, Arc::new(time::now))?;
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).context("TLS for QUIC")?;
    let mut config = ClientConfig::new(Arc::new(tls));
    let mut transport = quinn::TransportConfig::default();
    transport.max_concurrent_bidi_streams(4u32.into()).max_concurrent_uni_streams(4u32.into());
    transport.max_idle_timeout(Some(Duration::from_secs(10).try_into()?));
    transport.keep_alive_interval(Some(Duration::from_secs(3)));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// The receiving half of the control stream.
pub(super) struct Control {
    receive: RecvStream,
    frames: FrameReader,
}

impl Control {
    pub(super) async fn next(&mut self) -> Result<Message> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            if let Some(frame) = self.frames.next()? {
                return Ok(frame.message);
            }
            let read = self.receive.read(&mut buffer).await?.context("the collector closed the control stream")?;
            self.frames.push(&buffer[..read]);
        }
    }
}

/// One session's streams.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) control: Control,
    /// Kept open: its end would be the session's.
    pub(super) control_send: SendStream,
    lane: SendStream,
}

impl Session {
    /// Up to the welcome.
    pub(super) async fn open(connecting: Connecting, hello: Hello) -> Result<(Self, Welcome)> {
        let connection = tokio::time::timeout(Duration::from_secs(5), connecting).await.context("no handshake")??;
        let (mut control_send, receive) = connection.open_bi().await?;
        let mut control = Control { receive, frames: FrameReader::new() };
        control_send.write_all(&encode(&Frame::control(Message::Hello(hello)))?).await?;
        match tokio::time::timeout(Duration::from_secs(20), control.next()).await.context("no welcome")?? {
            Message::Welcome(welcome) => {
                let lane = connection.open_uni().await?;
                Ok((Self { connection, control, control_send, lane }, welcome))
            }
            other => bail!("no welcome: {other:?}"),
        }
    }
}

/// Sends these frames of one lane and epoch in a session of its own; returns when the last is acknowledged.
///
/// # Errors
/// A refusal by the collector, or a broken connection.
pub async fn send(target: SocketAddr, host: &Host, frames: &[Frame]) -> Result<()> {
    let last = frames.last().context("nothing to send")?;
    let endpoint = endpoint()?;
    let mut lasting = Lasting::open(&endpoint, target, host, last.epoch).await?;
    lasting.send(frames).await?;
    lasting.session.connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

/// A socket of its own, on loopback.
///
/// # Errors
/// When there is none.
pub fn endpoint() -> Result<Endpoint> {
    Ok(Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0)))?)
}

/// A session that stays, for the frames of one epoch.
pub struct Lasting {
    session: Session,
}

impl Lasting {
    /// Connects a host that holds nothing of this epoch yet.
    ///
    /// # Errors
    /// A refusal by the collector, or a broken connection.
    pub async fn open(endpoint: &Endpoint, target: SocketAddr, host: &Host, epoch: Epoch) -> Result<Self> {
        let config = quic_config(&Trust::Roots(host.identity.chain_der[1..].to_vec()), Some(&host.identity))?;
        let hello = hello(host.number, time::now().millis(), HeldEpoch { epoch, last_seq: [0; 3] });
        let (session, _) = Session::open(endpoint.connect_with(config, target, SERVER_NAME)?, hello).await?;
        Ok(Self { session })
    }

    /// Sends these frames of one lane; returns when the last is acknowledged.
    ///
    /// # Errors
    /// A refusal by the collector, or a broken connection.
    pub async fn send(&mut self, frames: &[Frame]) -> Result<()> {
        let last = frames.last().context("nothing to send")?;
        let session = &mut self.session;
        for frame in frames {
            session.lane.write_all(&encode(frame)?).await?;
        }
        loop {
            match tokio::time::timeout(Duration::from_secs(20), session.control.next()).await.context("no ack")?? {
                Message::Ack(ack) if (ack.epoch, Some(ack.lane)) == (last.epoch, last.lane) && ack.seq >= last.seq => {
                    return Ok(());
                }
                Message::Ack(_) | Message::Throttle(_) => {}
                other => bail!("the session ends with {other:?}"),
            }
        }
    }
}

/// Hosts that are connected and send nothing.
pub struct Crowd {
    sessions: Vec<Session>,
    endpoint: Endpoint,
}

/// Connects these hosts.
///
/// # Errors
/// A refusal by the collector, or a broken connection.
pub async fn connect(target: SocketAddr, hosts: &[Host]) -> Result<Crowd> {
    let endpoint = endpoint()?;
    let mut sessions = Vec::with_capacity(hosts.len());
    for host in hosts {
        let config = quic_config(&Trust::Roots(host.identity.chain_der[1..].to_vec()), Some(&host.identity))?;
        let held = HeldEpoch { epoch: Epoch([0; 16]), last_seq: [0; 3] };
        let hello = Hello { epochs: Vec::new(), ..hello(host.number, time::now().millis(), held) };
        sessions.push(Session::open(endpoint.connect_with(config, target, SERVER_NAME)?, hello).await?.0);
    }
    Ok(Crowd { sessions, endpoint })
}

impl Crowd {
    /// Each says why it ends, and ends.
    ///
    /// # Errors
    /// A broken connection.
    pub async fn say_goodbye(mut self, reason: GoodbyeReason) -> Result<()> {
        let goodbye = encode(&Frame::control(Message::AgentGoodbye(AgentGoodbye { reason })))?;
        for session in &mut self.sessions {
            session.control_send.write_all(&goodbye).await?;
            session.control_send.finish()?;
        }
        for session in &mut self.sessions {
            // The collector has read it when it ends the stream or acknowledges all of it.
            let _ = tokio::time::timeout(Duration::from_secs(20), session.control_send.stopped()).await?;
            session.connection.close(0u32.into(), b"goodbye");
        }
        self.endpoint.wait_idle().await;
        Ok(())
    }
}

pub(super) fn hello(host: usize, started_ms: i64, held: HeldEpoch) -> Hello {
    Hello {
        protocol: PROTOCOL,
        agent_version: "muster-trial".to_owned(),
        boot_id: [1; 16],
        clock_ms: time::now().millis(),
        started_ms,
        facts: facts(host),
        epochs: vec![held],
        extensions: Vec::new(),
    }
}

/// A batch that was made: its seq, its frame, and how much it is.
struct Unacked {
    seq: u64,
    frame: Vec<u8>,
    amount: u64,
}

/// One host: its feed, and the batches made and not acknowledged.
struct Sender<F> {
    load: Load,
    host: Host,
    progress: Arc<Progress>,
    feed: F,
    encoder: Encoder,
    /// Oldest first.
    unacked: VecDeque<Unacked>,
    made: i64,
    acked: u64,
}

impl<F: Feed> Sender<F> {
    fn new(load: Load, host: Host, progress: Arc<Progress>, feed: F) -> Self {
        let encoder = Encoder::new();
        Self { load, host, progress, feed, encoder, unacked: VecDeque::new(), made: 0, acked: 0 }
    }

    async fn run(&mut self) -> Result<()> {
        let endpoint = endpoint()?;
        let config = quic_config(&Trust::Roots(self.host.identity.chain_der[1..].to_vec()), Some(&self.host.identity))?;
        let mut breaks = 0;
        loop {
            let before = self.acked;
            let result = match self.connect(&endpoint, &config).await {
                Ok(mut session) => self.send_all(&mut session).await.map(|()| session),
                Err(error) => Err(error),
            };
            match result {
                Ok(session) => {
                    session.connection.close(0u32.into(), b"done");
                    endpoint.wait_idle().await;
                    return Ok(());
                }
                Err(error) => {
                    breaks = if self.acked > before { 0 } else { breaks + 1 };
                    if breaks > self.load.reconnects {
                        return Err(error);
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connect(&mut self, endpoint: &Endpoint, config: &ClientConfig) -> Result<Session> {
        let mut last_seq = [0; 3];
        last_seq[F::LANE as usize] = u64::try_from(self.made)?;
        let held = HeldEpoch { epoch: self.feed.epoch(), last_seq };
        let hello = hello(self.host.number, self.load.start_ms, held);
        let connecting = endpoint.connect_with(config.clone(), self.load.target, SERVER_NAME)?;
        let (mut session, welcome) = Session::open(connecting, hello).await?;
        self.progress.connects.fetch_add(1, Ordering::Relaxed);
        let mark = welcome.marks.iter().find(|mark| mark.epoch == self.feed.epoch() && mark.lane == F::LANE);
        let mark = mark.map_or(0, |mark| mark.seq);
        if mark < self.acked {
            bail!("the collector forgot: acknowledged {}, its mark is now {mark}", self.acked);
        }
        self.take_ack(mark);
        let mut bytes = Vec::new();
        self.feed.opening(&mut self.encoder, &mut bytes)?;
        self.write(&mut session, &bytes).await?;
        let again: Vec<Vec<u8>> = self.unacked.iter().map(|one| one.frame.clone()).collect();
        for frame in again {
            self.write(&mut session, &frame).await?;
        }
        Ok(session)
    }

    async fn send_all(&mut self, session: &mut Session) -> Result<()> {
        loop {
            let stop = self.progress.stop.load(Ordering::Relaxed);
            let more = self.made < self.load.ticks && !stop;
            if !more && self.unacked.is_empty() {
                return Ok(());
            }
            if more && self.unacked.len() < self.load.window {
                let mut frame = Vec::new();
                let amount = self.feed.batch(self.made, &mut self.encoder, &mut frame)?;
                self.made += 1;
                self.unacked.push_back(Unacked { seq: u64::try_from(self.made)?, frame: frame.clone(), amount });
                self.write(session, &frame).await?;
                if !self.load.pause.is_zero() {
                    tokio::time::sleep(self.load.pause).await;
                }
                continue;
            }
            match session.control.next().await? {
                Message::Ack(ack) if ack.epoch == self.feed.epoch() && ack.lane == F::LANE => self.take_ack(ack.seq),
                Message::Throttle(throttle) => {
                    tokio::time::sleep(Duration::from_millis(u64::from(throttle.hold_ms))).await;
                }
                Message::Refused(refused) => bail!("refused: {} {}", refused.message, refused.remedy),
                // A connection made anew settles contexts, rewinds and the collector's goodbye.
                other => bail!("the session ends with {other:?}"),
            }
        }
    }

    fn take_ack(&mut self, seq: u64) {
        self.acked = self.acked.max(seq);
        while let Some(first) = self.unacked.front().filter(|first| first.seq <= seq) {
            self.progress.acked_amount.fetch_add(first.amount, Ordering::Relaxed);
            self.unacked.pop_front();
        }
        if let Some(slot) = self.progress.acked.lock().get_mut(self.host.number) {
            *slot = self.acked;
        }
    }

    async fn write(&self, session: &mut Session, bytes: &[u8]) -> Result<()> {
        session.lane.write_all(bytes).await?;
        self.progress.wire_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
