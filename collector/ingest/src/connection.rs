//! One QUIC connection: authentication, its streams' frames into the pure session, the session's effects out.

use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::{self, Timestamp};
use muster_common::wire::frame::{Frame, FrameError, FrameReader, encode};
use muster_common::wire::message::{Enrol, Enrolled, GoodbyeReason, Hello, Message, RefusalCode, Refused, Renewed};
use muster_fleet::{By, EnrolOutcome, Fleet, RenewOutcome, Seen};
use muster_store::{Append, Record, SampleBlock};
use quinn::{Incoming, RecvStream, SendStream};
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::admit::SeriesBudget;
use crate::committer::{Reply, size_of};
use crate::configurations;
use crate::connection_limits::TooMany;
use crate::counters::Count;
use crate::error_text::chain;
use crate::guards::{Claimed, Connected, Place, Registered, Shaking};
use crate::host_labels::HostLabels;
use crate::hub::{Hub, Live, ORDERS_MAX, Order};
use crate::session::{Effect, Greeting, Input, Peer, Session, Shared};
use crate::silence::for_a_moment;

/// How long the other end may leave what was sent to it unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a last word may take to arrive before the connection is closed all the same.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of one read: half of what the stream's window lets in.
const READ_BYTES_MAX: usize = 64 << 10;

/// Serves one connection from its first packet to its end.
pub(crate) async fn serve(hub: Arc<Hub>, incoming: Incoming) {
    let limits = hub.config.connections;
    let shaking = Shaking::new(hub.clone());
    let handshake = async { incoming.accept()?.await };
    let shaken = timeout(limits.handshake_timeout, handshake).await;
    drop(shaking);
    let connection = match shaken {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            hub.counters.one(Count::HandshakesFailed);
            tracing::debug!("a handshake failed: {error}");
            return;
        }
        Err(_) => {
            hub.counters.one(Count::HandshakesFailed);
            return;
        }
    };
    hub.counters.one(Count::Handshakes);
    match leaf_of(&connection) {
        None => serve_stranger(&hub, connection).await,
        Some(leaf) => serve_host(&hub, connection, leaf).await,
    }
}

fn leaf_of(connection: &quinn::Connection) -> Option<Vec<u8>> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity.first().map(|leaf| leaf.as_ref().to_vec())
}

async fn serve_stranger(hub: &Arc<Hub>, connection: quinn::Connection) {
    let now = time::now();
    let admitted = hub.connections.lock().enrol(now);
    if let Err(too_many) = admitted {
        refuse_busy(hub, connection, &too_many).await;
        return;
    }
    let _place = Place { hub: hub.clone(), host: None, connection: connection.clone() };
    let shared = Shared {
        counters: hub.counters.clone(),
        pool: hub.pool.clone(),
        budget: Arc::new(parking_lot::Mutex::new(SeriesBudget::new(0, now))),
        throttle: *hub.queue.throttle().borrow(),
    };
    let session = Session::new(hub.settings.clone(), shared, Peer::Unknown, now);
    let (_orders, taken) = mpsc::channel(1);
    Served::new(hub.clone(), connection, session, None, taken).run().await;
}

async fn serve_host(hub: &Arc<Hub>, connection: quinn::Connection, leaf: Vec<u8>) {
    let now = time::now();
    let host = match hub.fleet.authenticate(&leaf, now) {
        Ok(admitted) => admitted.host,
        Err(refused) => {
            refuse(hub, connection, refused).await;
            return;
        }
    };
    let admitted = hub.connections.lock().open(host, now);
    if let Err(too_many) = admitted {
        refuse_busy(hub, connection, &too_many).await;
        return;
    }
    let _place = Place { hub: hub.clone(), host: Some(host), connection: connection.clone() };
    let (orders, taken) = mpsc::channel(ORDERS_MAX);
    let live = Live { host, leaf: leaf.clone(), orders, connection: connection.clone() };
    let registered = Registered::new(hub.clone(), live);
    // Again, now that changes reach it: none can fall between.
    match hub.fleet.authenticate(&leaf, now) {
        Ok(admitted) => {
            let labels = Arc::new(HostLabels { id: host, name: admitted.name, labels: admitted.labels });
            let peer = if admitted.expired { Peer::Expired(labels) } else { Peer::Host(labels) };
            let session = Session::new(hub.settings.clone(), hub.shared(host, now), peer, now);
            Served::new(hub.clone(), connection, session, Some((host, registered.number)), taken).run().await;
        }
        Err(refused) => refuse(hub, connection, refused).await,
    }
}

async fn refuse_busy(hub: &Hub, connection: quinn::Connection, too_many: &TooMany) {
    let retry_after_ms = u32::try_from(too_many.retry_after().as_millis()).unwrap_or(u32::MAX);
    let remedy = "none, the agent tries again by itself; look for a second agent with the same state folder".to_owned();
    refuse(hub, connection, Refused { code: RefusalCode::Busy, message: too_many.to_string(), remedy, retry_after_ms })
        .await;
}

/// One refusal on the control stream that the other end opens, then the end.
async fn refuse(hub: &Hub, connection: quinn::Connection, refused: Refused) {
    hub.counters.one(crate::session::refusal_count(refused.code));
    tracing::info!(peer = %connection.remote_address(), "connection refused: {}", refused.message);
    let Ok(Ok((mut send, _receive))) = timeout(hub.config.session.first_frame, connection.accept_bi()).await else {
        connection.close(1_u32.into(), b"refused");
        return;
    };
    if let Ok(bytes) = encode(&Frame::control(Message::Refused(refused))) {
        // What fails here fails for the other end, which is being sent away.
        let _ = timeout(WRITE_TIMEOUT, send.write_all(&bytes)).await;
        farewell(&mut send).await;
    }
    connection.close(1_u32.into(), b"refused");
}

/// Waits until the other end has what was written last.
async fn farewell(send: &mut SendStream) {
    if send.finish().is_ok() {
        let _ = timeout(FAREWELL_TIMEOUT, send.stopped()).await;
    }
}

type FrameResult = Result<Frame, FrameError>;

/// Reads one stream until it ends; a frame is read only when there is room for it.
async fn read_stream(mut stream: RecvStream, frames: mpsc::Sender<FrameResult>) {
    let mut reader = FrameReader::new();
    while let Ok(Some(chunk)) = stream.read_chunk(READ_BYTES_MAX, true).await {
        reader.push(&chunk.bytes);
        drop(chunk);
        loop {
            let result = match reader.next() {
                Ok(None) => break,
                Ok(Some(frame)) => Ok(frame),
                Err(error) => Err(error),
            };
            let goes_on = matches!(&result, Ok(_) | Err(FrameError::Content { .. }));
            if frames.send(result).await.is_err() || !goes_on {
                return;
            }
        }
    }
}

/// A connection being served.
struct Served {
    hub: Arc<Hub>,
    connection: quinn::Connection,
    session: Session,
    /// Host and number in the hub's list, for a connection with a certificate.
    host: Option<(HostId, u64)>,
    orders: mpsc::Receiver<Order>,
    commits_sender: mpsc::Sender<Input>,
    commits: mpsc::Receiver<Input>,
    /// `Some` from its welcome on. Before `hello`, so that a later session's presence is not ended by this one's.
    connected: Option<Connected>,
    /// The place of its hello in the order of arrival; `Some` while it may hold a fence.
    hello: Option<Claimed>,
    effects: Vec<Effect>,
    out: Vec<u8>,
    ended: Option<String>,
}

impl Served {
    fn new(
        hub: Arc<Hub>,
        connection: quinn::Connection,
        session: Session,
        host: Option<(HostId, u64)>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        // One answer for each commit that may be under way, so that the committer never finds it full.
        let (commits_sender, commits) = mpsc::channel(hub.config.session.outstanding_batches_max * 2 + 16);
        Self {
            hub,
            connection,
            session,
            host,
            orders,
            commits_sender,
            commits,
            hello: None,
            connected: None,
            effects: Vec::new(),
            out: Vec::new(),
            ended: None,
        }
    }

    async fn run(mut self) {
        let control = timeout(self.hub.config.session.first_frame, self.connection.accept_bi()).await;
        if let Ok(Ok((mut send, receive))) = control {
            let (control_sender, control) = mpsc::channel(1);
            self.hub.tasks.spawn(read_stream(receive, control_sender));
            self.serve(&mut send, control).await;
            if let Some(why) = &self.ended {
                tracing::debug!(peer = %self.connection.remote_address(), "session ended: {why}");
            }
            farewell(&mut send).await;
        }
        self.connection.close(0_u32.into(), b"");
        self.drain().await;
    }

    async fn serve(&mut self, send: &mut SendStream, mut control: mpsc::Receiver<FrameResult>) {
        let (lane_sender, mut lanes) = mpsc::channel::<FrameResult>(1);
        let mut throttle = self.hub.queue.throttle();
        throttle.mark_unchanged();
        let (stop, broken) = (self.hub.stop.clone(), self.hub.queue.health().broken());
        let mut is_stopping = false;
        let mut control_ended = false;
        while self.ended.is_none() {
            let deadline = self.session.deadline().map(|at| at.since(time::now()));
            let tick = async {
                match deadline {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            let mut done = None;
            let input = tokio::select! {
                biased;
                Some(input) = self.commits.recv() => input,
                Some(order) = self.orders.recv() => {
                    done = order.done;
                    order.input
                }
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    let spread = self.hub.config.goodbye_spread.as_millis();
                    let spread_ms = u32::try_from(spread).unwrap_or(u32::MAX);
                    Input::Shutdown { reason: "the collector stops".to_owned(), spread_ms }
                }
                // Nobody answers what is under way: the session cannot end in order.
                () = broken.cancelled() => return,
                _ = self.connection.closed() => Input::Lost,
                frame = control.recv(), if !control_ended => match frame {
                    Some(frame) => frame_input(frame),
                    None => {
                        control_ended = true;
                        Input::Lost
                    }
                },
                Some(frame) = lanes.recv(), if self.session.takes_batches() => frame_input(frame),
                Ok(stream) = self.connection.accept_uni() => {
                    self.hub.tasks.spawn(read_stream(stream, lane_sender.clone()));
                    continue;
                }
                Ok(()) = throttle.changed() => Input::Throttle(*throttle.borrow_and_update()),
                () = tick => Input::Tick,
            };
            self.step(input).await;
            // Commits are answered in crowds: one write carries the acks of all that are there.
            while self.ended.is_none()
                && let Ok(input) = self.commits.try_recv()
            {
                self.step(input).await;
            }
            if !self.flush(send).await {
                self.step(Input::Lost).await;
            }
            if let Some(done) = done {
                // Who waits may have given up.
                let _ = done.send(());
            }
        }
    }

    /// Waits for what the store still has of this session, so that a later one is not answered before.
    async fn drain(&mut self) {
        if self.ended.is_none() {
            self.step(Input::Lost).await;
        }
        let broken = self.hub.queue.health().broken();
        while self.ended.is_none() {
            tokio::select! {
                biased;
                Some(input) = self.commits.recv() => self.step(input).await,
                () = broken.cancelled() => self.end("the committer has ended".to_owned()),
            }
        }
    }

    async fn step(&mut self, input: Input) {
        #[cfg(test)]
        assert!(!self.hub.panics_once.swap(false, std::sync::atomic::Ordering::Relaxed), "planted");
        let mut effects = std::mem::take(&mut self.effects);
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.session.step(time::now(), input, &mut effects);
            for effect in effects.drain(..) {
                if let Some(answer) = self.carry_out(effect).await {
                    next = Some(answer);
                }
            }
        }
        self.effects = effects;
    }

    /// Does what the session wants; the answer is its next input. A session never wants two answers at once.
    async fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        let now = time::now();
        match effect {
            Effect::Send(message) => {
                self.put(message);
                None
            }
            Effect::Commit { token, append } => {
                if let (Some((host, _)), Some(at)) = (self.host, newest_data(&append)) {
                    self.hub.presences.lock().data_of(host, at);
                }
                let bytes = size_of(&append);
                let reply = Reply::Session { token, to: self.commits_sender.clone() };
                self.hub.queue.append(append, bytes, reply).await;
                None
            }
            Effect::Heard => {
                if let (Some((host, _)), Some(_)) = (self.host, &self.connected) {
                    self.hub.presences.lock().heard(host, now);
                }
                None
            }
            Effect::See(hello) => Some(Input::Seen(self.see(hello, now).await)),
            Effect::Fence => self.claim(),
            Effect::AskMarks { held } => {
                let (host, _) = self.host?;
                let greeting = self.hub.queue.hello(host, held).await;
                let inventory = self.hub.fleet.inventory_digests(host);
                Some(Input::Marks(greeting.map(|greeting| Greeting { inventory, ..greeting })))
            }
            Effect::Welcomed => {
                if let Some((host, _)) = self.host {
                    self.hub.presences.lock().connected(host, now);
                    self.connected = Some(Connected { hub: self.hub.clone(), host });
                    let reads = self.session.takes_configurations();
                    self.hub.fleet.configuration_connected(host, reads);
                    self.hub.fleet.task_connected(host, self.session.takes_tasks());
                    // Each session is told: what the host has may be of another collector, or of before a snapshot.
                    return configurations::configuration_of(&self.hub.fleet, host).map(Input::Configure);
                }
                None
            }
            Effect::Problems(problems) => self.connected_tells(|hub, host| hub.take_problems(host, problems)),
            Effect::ConfigurationTold(state) => self.connected_tells(|hub, host| {
                hub.counters.one(Count::ConfigurationStates);
                configurations::told(&hub.fleet, host, &state);
            }),
            Effect::Clock { agent_ms } => self.connected_tells(|hub, host| {
                hub.fleet.measured_clock(host, Timestamp::from_millis(agent_ms), now);
            }),
            Effect::Goodbye(reason) => {
                self.goodbye(reason, now).await;
                None
            }
            Effect::TaskTold(state) => self.connected_tells(|hub, host| hub.fleet.task_told(host, *state)),
            Effect::TaskWrote(output) => self.connected_tells(|hub, host| hub.fleet.task_wrote(host, output)),
            Effect::Answer(answer) => self.tell(|fleet, host| fleet.answered(host, answer, time::monotonic())),
            Effect::Unasked { id, why } => self.tell(|fleet, host| fleet.unasked(host, id, why, time::monotonic())),
            Effect::Enrol(request) => Some(Input::Enrolled(self.enrol(request, now).await)),
            Effect::Renew(request) => Some(Input::Renewed(self.renew(request.csr_der, now).await)),
            Effect::End { why } => {
                self.end(why);
                None
            }
        }
    }

    /// Hands on something that counts of the session that its host is connected by.
    fn connected_tells(&self, tell: impl FnOnce(&Hub, HostId)) -> Option<Input> {
        if let (Some((host, _)), Some(_)) = (self.host, &self.connected) {
            tell(&self.hub, host);
        }
        None
    }

    /// Hands something of this host to fleet.
    fn tell(&self, tell: impl FnOnce(&Fleet, HostId)) -> Option<Input> {
        if let Some((host, _)) = self.host {
            tell(&self.hub.fleet, host);
        }
        None
    }

    fn put(&mut self, message: Message) {
        match encode(&Frame::control(message)) {
            Ok(bytes) => self.out.extend_from_slice(&bytes),
            Err(error) => tracing::error!("a message to an agent cannot be written: {error}"),
        }
    }

    /// Writes what waits. Whether the other end takes it.
    async fn flush(&mut self, send: &mut SendStream) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let written = timeout(WRITE_TIMEOUT, send.write_all(&self.out)).await;
        self.out.clear();
        self.out.shrink_to(4096);
        matches!(written, Ok(Ok(())))
    }

    fn end(&mut self, why: String) {
        self.ended = Some(why);
        self.connected = None;
        self.hello = None;
    }

    fn claim(&mut self) -> Option<Input> {
        let (host, connection) = self.host?;
        self.hub.claim(host, self.hello.as_ref()?.hello, connection)
    }

    async fn see(&mut self, hello: Box<Hello>, now: Timestamp) -> Result<(), Refused> {
        let Some((host, _)) = self.host else { return Ok(()) };
        self.hello = Some(Claimed::new(self.hub.clone(), host));
        let last_arrival = self.hub.presences.lock().last_arrival(host);
        let fleet = self.hub.fleet.clone();
        let agent = Timestamp::from_millis(hello.clock_ms);
        let seen = tokio::task::spawn_blocking(move || fleet.saw(host, &hello, last_arrival, now)).await;
        match seen {
            Ok(Ok(Seen::Welcome)) => {
                self.hub.fleet.expect_no_absence(host);
                self.hub.fleet.measured_clock(host, agent, now);
                Ok(())
            }
            Ok(Ok(Seen::Refused(refused))) => Err(refused),
            Ok(Err(error)) => Err(storage(&chain(&error))),
            Err(error) => Err(storage(&error.to_string())),
        }
    }

    /// An agent that leaves for good retires its host, as an operator would: it can retire no other.
    async fn goodbye(&mut self, reason: GoodbyeReason, now: Timestamp) {
        let Some((host, _)) = self.host else { return };
        tracing::info!(%host, ?reason, "agent says goodbye");
        self.hub.presences.lock().goodbye(host, reason);
        if let Some(goodbye) = for_a_moment(reason) {
            self.hub.fleet.said_goodbye(host, goodbye, now);
        }
        if reason == GoodbyeReason::Retire {
            let fleet = self.hub.fleet.clone();
            let retire = move || fleet.retire(host, "its agent said goodbye for good", &By::AGENT, now);
            match tokio::task::spawn_blocking(retire).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%host, "the host was not retired: {}", chain(&error)),
                Err(error) => tracing::error!(%host, "the host was not retired: {error}"),
            }
        }
    }

    async fn enrol(&mut self, request: Enrol, now: Timestamp) -> Result<Enrolled, Refused> {
        let fleet = self.hub.fleet.clone();
        let peer = muster_fleet::source_of(self.connection.remote_address().ip());
        match tokio::task::spawn_blocking(move || fleet.enrol(&request, &peer, now)).await {
            Ok(Ok(EnrolOutcome::Issued(enrolled))) => {
                self.hub.counters.one(Count::Enrolments);
                Ok(enrolled)
            }
            Ok(Ok(EnrolOutcome::Refused(refused))) => Err(refused),
            Ok(Err(error)) => Err(storage(&chain(&error))),
            Err(error) => Err(storage(&error.to_string())),
        }
    }

    async fn renew(&mut self, csr_der: Vec<u8>, now: Timestamp) -> Option<Result<Renewed, Refused>> {
        let (host, _) = self.host?;
        let leaf = leaf_of(&self.connection)?;
        let fleet = self.hub.fleet.clone();
        let renewed = tokio::task::spawn_blocking(move || fleet.renew(&leaf, &csr_der, now)).await;
        match renewed {
            Ok(Ok(RenewOutcome::Issued(renewed))) => Some(Ok(renewed)),
            Ok(Ok(RenewOutcome::Refused(refused))) => Some(Err(refused)),
            Ok(Err(error)) => {
                tracing::error!(%host, "a certificate was not renewed: {}", chain(&error));
                None
            }
            Err(error) => {
                tracing::error!(%host, "a certificate was not renewed: {error}");
                None
            }
        }
    }
}

fn frame_input(frame: FrameResult) -> Input {
    match frame {
        Ok(frame) => Input::Frame(frame),
        Err(error) => Input::BadFrame(error),
    }
}

fn storage(why: &str) -> Refused {
    Refused {
        code: RefusalCode::Storage,
        message: format!("the collector cannot write its state now: {why}"),
        remedy: "look at the collector's disk; the agent tries again by itself".to_owned(),
        retry_after_ms: 5_000,
    }
}

/// The newest time of an append's scrapes; `None`: it has none.
fn newest_data(append: &Append) -> Option<Timestamp> {
    let scrapes = append.records.iter().filter_map(|record| match record {
        Record::Samples(SampleBlock::Rows { rows, .. }) => rows.iter().map(|row| row.at_ms).max(),
        _ => None,
    });
    scrapes.max().map(Timestamp::from_millis)
}
