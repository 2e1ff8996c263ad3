//! A collector for tests over real QUIC: its own CA, enrolment by script, sessions by the model that the session's tests use.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::identity::{Identity, Pin, SERVER_NAME, Token, TokenWord, certificate, tls};
use muster_common::time;
use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::{
    Ack, Configuration, Enrol, Enrolled, Epoch, Lane, Message, Positions, RefusalCode, Refused, Renewed, Report,
};
use parking::Mutex;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, RecvStream, SendStream};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::session::tests::model::Collector;
use crate::logs::tests::collector::Collector as Lines;

mod parking {
    //! A mutex whose lock cannot fail: a test that panicked has failed already.
    pub(super) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}

pub(crate) const HOST: HostId = HostId([0x01, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x73, 4, 0x85, 6, 7, 8, 9, 10, 11, 12]);

/// The answer to one enrol frame.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Issue,
    /// A certificate for some other key.
    IssueForAnotherKey,
    Refuse(RefusalCode, &'static str),
    /// The connection closes without a word.
    Nothing,
}

struct State {
    ca: CertifiedIssuer<'static, KeyPair>,
    model: Collector,
    answers: VecDeque<Answer>,
    enrols: Vec<Enrol>,
    renewals: u32,
    /// Leaf certificates of sessions, in order.
    leaves: Vec<Vec<u8>>,
    life: Duration,
    /// What lane p2 brought, by real positions.
    lines: Lines,
    /// Of this connection: batches of this epoch do not go on from what is there.
    discards: Option<Epoch>,
    /// What lane p0 brought, where it is offered.
    reports: Vec<Report>,
    /// Offered, and not sent yet.
    offers: VecDeque<Configuration>,
}

pub(crate) struct TestCollector {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
    /// Something is to be sent by itself.
    wake: Arc<Notify>,
}

impl TestCollector {
    pub(crate) fn start() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key_der = certificate::new_key().unwrap();
        let key = KeyPair::try_from(key_der.as_slice()).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName(SERVER_NAME.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &ca).unwrap().der().to_vec();
        let ca_der = ca.der().to_vec();
        let identity = Identity { chain_der: vec![leaf, ca_der.clone()], key_der };
        let tls = tls::server_config(&identity, &[ca_der], Arc::new(time::now)).unwrap();
        let crypto = QuicServerConfig::try_from(Arc::new(tls)).unwrap();
        let server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let endpoint = Endpoint::server(server, SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = endpoint.local_addr().unwrap().to_string();
        let mut model = Collector::default();
        // Tests of other lanes offer them.
        model.lanes = 0b010;
        let state = State {
            ca,
            model,
            answers: VecDeque::new(),
            enrols: Vec::new(),
            renewals: 0,
            leaves: Vec::new(),
            life: Duration::from_secs(30 * 86_400),
            lines: Lines::default(),
            discards: None,
            reports: Vec::new(),
            offers: VecDeque::new(),
        };
        let (state, wake) = (Arc::new(Mutex::new(state)), Arc::new(Notify::new()));
        tokio::spawn(accept(endpoint, Arc::clone(&state), Arc::clone(&wake)));
        Self { address, state, wake }
    }

    pub(crate) fn word(&self) -> TokenWord {
        let pin = Pin::of_certificate(self.state.lock().ca.der()).unwrap();
        TokenWord { token: Token::from_bytes([1, 2, 3, 4], [5; 16]), pin }
    }

    pub(crate) fn will_answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().answers.extend(answers);
    }

    /// Certificates from now on last this long, counted from 1,000 s ago.
    pub(crate) fn issue_for(&self, life: Duration) {
        self.state.lock().life = life;
    }

    pub(crate) fn enrols(&self) -> Vec<Enrol> {
        self.state.lock().enrols.clone()
    }

    pub(crate) fn renewals(&self) -> u32 {
        self.state.lock().renewals
    }

    pub(crate) fn leaves(&self) -> Vec<Vec<u8>> {
        self.state.lock().leaves.clone()
    }

    /// Offers it to the host in the session that stands, or in the next one.
    pub(crate) fn offer(&self, number: u64, document: &str) {
        self.state.lock().offers.push_back(Configuration::new(number, document.to_owned()));
        self.wake.notify_one();
    }

    /// All lines that came, file by file.
    pub(crate) fn lines(&self) -> String {
        self.state.lock().lines.text()
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.state.lock().reports.clone()
    }

    pub(crate) fn with_model<T>(&self, look: impl FnOnce(&mut Collector) -> T) -> T {
        look(&mut self.state.lock().model)
    }
}

impl State {
    fn issue(&mut self, csr_der: &[u8]) -> Vec<Vec<u8>> {
        let csr = CertificateSigningRequestParams::from_der(&csr_der.into()).expect("a request");
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(certificate::host_uri(HOST).try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let now = u64::try_from(time::now().millis() / 1_000).unwrap();
        let at = |seconds: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        params.not_before = at(now - 1_000);
        params.not_after = at(now - 1_000 + self.life.as_secs());
        let leaf = params.signed_by(&csr.public_key, &self.ca).expect("a certificate");
        vec![leaf.der().to_vec(), self.ca.der().to_vec()]
    }

    fn answer(&mut self, enrol: Enrol) -> Option<Message> {
        let answer = self.answers.pop_front().unwrap_or(Answer::Issue);
        let csr_der = match answer {
            Answer::IssueForAnotherKey => certificate::new_request(&certificate::new_key().unwrap()).unwrap(),
            _ => enrol.csr_der.clone(),
        };
        self.enrols.push(enrol);
        match answer {
            Answer::Issue | Answer::IssueForAnotherKey => {
                let chain_der = self.issue(&csr_der);
                Some(Message::Enrolled(Enrolled { host_id: HOST.0, name: "web1".to_owned(), chain_der }))
            }
            Answer::Refuse(code, message) => {
                let (message, remedy) = (message.to_owned(), "do something".to_owned());
                Some(Message::Refused(Refused { code, message, remedy, retry_after_ms: 1 }))
            }
            Answer::Nothing => None,
        }
    }
}

async fn accept(endpoint: Endpoint, state: Arc<Mutex<State>>, wake: Arc<Notify>) {
    while let Some(incoming) = endpoint.accept().await {
        let (state, wake) = (Arc::clone(&state), Arc::clone(&wake));
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            let Ok((send, receive)) = connection.accept_bi().await else { return };
            serve(connection, send, receive, state, &wake).await;
        });
    }
}

async fn serve(
    connection: quinn::Connection,
    mut send: SendStream,
    receive: RecvStream,
    state: Arc<Mutex<State>>,
    wake: &Notify,
) {
    let identity = connection
        .peer_identity()
        .and_then(|any| any.downcast::<Vec<rustls_pki_types::CertificateDer<'static>>>().ok());
    match identity.as_ref().and_then(|chain| chain.first()) {
        None => {
            let mut reader = Reading::new(receive);
            let Some((Frame { message: Message::Enrol(enrol), .. }, _)) = reader.next().await else { return };
            let answer = state.lock().answer(enrol);
            if let Some(message) = answer {
                write(&mut send, message).await;
                let _ = send.finish();
                let _ = send.stopped().await;
            }
            connection.close(0u32.into(), b"");
        }
        Some(leaf) => {
            state.lock().leaves.push(leaf.as_ref().to_vec());
            state.lock().model.connect();
            state.lock().discards = None;
            session(&connection, &mut send, receive, (&state, wake)).await;
        }
    }
}

async fn session(
    connection: &quinn::Connection,
    send: &mut SendStream,
    receive: RecvStream,
    (state, wake): (&Mutex<State>, &Notify),
) {
    let mut control = Reading::new(receive);
    let (say, mut frames) = mpsc::channel(16);
    let mut lanes = JoinSet::new();
    let mut is_welcomed = false;
    loop {
        let now_ms = time::now().millis();
        let mut answers = tokio::select! {
            next = control.next() => match next {
                Some((Frame { message: Message::Renew(renew), .. }, _)) => {
                    let mut state = state.lock();
                    state.renewals += 1;
                    vec![Message::Renewed(Renewed { chain_der: state.issue(&renew.csr_der) })]
                }
                Some((frame, bytes)) => {
                    is_welcomed |= matches!(frame.message, Message::Hello(_));
                    state.lock().take_control(&bytes, now_ms)
                }
                None => return,
            },
            opened = connection.accept_uni() => match opened {
                Ok(stream) => {
                    let say = say.clone();
                    lanes.spawn(async move {
                        let mut lane = Reading::new(stream);
                        while let Some(next) = lane.next().await {
                            if say.send(next).await.is_err() {
                                return;
                            }
                        }
                    });
                    Vec::new()
                }
                Err(_) => return,
            },
            Some((frame, bytes)) = frames.recv() => state.lock().take_lane(frame, &bytes, now_ms),
            () = wake.notified() => Vec::new(),
        };
        if is_welcomed {
            answers.extend(state.lock().offers.drain(..).map(Message::Configuration));
        }
        for answer in answers {
            write(send, answer).await;
        }
    }
}

impl State {
    fn take_control(&mut self, bytes: &[u8], now_ms: i64) -> Vec<Message> {
        let mut answers = self.model.take_control(bytes, now_ms);
        let offers_lines = self.model.lanes & (1 << Lane::P2 as u8) != 0;
        if let Some(Message::Welcome(welcome)) = answers.first_mut().filter(|_| offers_lines) {
            welcome.position_pages = 1;
            answers.push(Message::Positions(Positions { page: 0, positions: self.lines.positions() }));
        }
        answers
    }

    fn take_lane(&mut self, frame: Frame, bytes: &[u8], now_ms: i64) -> Vec<Message> {
        match frame.lane {
            Some(Lane::P2) => self.take_lines(frame),
            Some(Lane::P0) => self.take_reports(frame, now_ms),
            _ => self.model.take_lane(Lane::P1, bytes, now_ms),
        }
    }

    fn take_lines(&mut self, frame: Frame) -> Vec<Message> {
        let (epoch, seq) = (frame.epoch, frame.seq);
        let Message::Logs(batch) = frame.message else { panic!("unexpected on lane p2") };
        if self.discards == Some(epoch) {
            return Vec::new();
        }
        match self.lines.take(&batch) {
            Ok(()) => vec![Message::Ack(Ack { epoch, lane: Lane::P2, seq })],
            Err(_) => {
                self.discards = Some(epoch);
                vec![Message::Positions(Positions { page: 0, positions: self.lines.positions() })]
            }
        }
    }

    fn take_reports(&mut self, frame: Frame, now_ms: i64) -> Vec<Message> {
        let (epoch, lane, seq) = (frame.epoch, Lane::P0, frame.seq);
        let (mark, _) = self.model.store.report_marks.get(&epoch).copied().unwrap_or_default();
        if seq == mark + 1 {
            let (to, reports) = match frame.message {
                Message::Reports(batch) => (seq, batch.reports),
                Message::Gap(gap) => (gap.to, Vec::new()),
                other => panic!("unexpected on lane p0: {other:?}"),
            };
            self.reports.extend(reports);
            self.model.store.report_marks.insert(epoch, (to, now_ms));
            return vec![Message::Ack(Ack { epoch, lane, seq: to })];
        }
        vec![Message::Ack(Ack { epoch, lane, seq: mark })]
    }
}

async fn write(send: &mut SendStream, message: Message) {
    let _ = send.write_all(&encode(&Frame::control(message)).expect("a frame")).await;
}

/// Frames of a stream, each with its bytes made anew, so that the model reads them itself.
struct Reading {
    stream: RecvStream,
    reader: FrameReader,
}

impl Reading {
    fn new(stream: RecvStream) -> Self {
        Self { stream, reader: FrameReader::new() }
    }

    async fn next(&mut self) -> Option<(Frame, Vec<u8>)> {
        loop {
            if let Some(frame) = self.reader.next().expect("a frame") {
                let bytes = encode(&frame).expect("the same frame");
                return Some((frame, bytes));
            }
            let chunk = self.stream.read_chunk(64 << 10, true).await.ok()??;
            self.reader.push(&chunk.bytes);
        }
    }
}
