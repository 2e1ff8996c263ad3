//! A minimal agent: common's wire over quinn.

use std::net::SocketAddr;
use std::sync::Arc;

use muster_common::identity::tls::{Identity, Trust, client_config};
use muster_common::identity::{SERVER_NAME, TokenWord, certificate};
use muster_common::time;
use muster_common::wire::frame::{Frame, FrameReader, encode};
use muster_common::wire::message::{
    Context, Enrol, Epoch, HeldEpoch, Hello, HostFacts, Lane, Message, MetricBatch, PROTOCOL, Refused, Scrape,
    SeriesEntry, Welcome,
};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};

/// What enrolment leaves with a host.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) identity: Identity,
}

impl Credentials {
    pub(super) fn trust(&self) -> Trust {
        Trust::Roots(self.identity.chain_der[1..].to_vec())
    }

    pub(super) fn serial(&self) -> String {
        certificate::read(&self.identity.chain_der[0]).unwrap().serial.to_string()
    }
}

/// One session.
pub(super) struct Agent {
    pub(super) connection: Connection,
    control: SendStream,
    replies: RecvStream,
    reader: FrameReader,
    lane: Option<SendStream>,
    _endpoint: Endpoint,
}

pub(super) fn facts() -> HostFacts {
    HostFacts { host_name: "test".to_owned(), machine_id: "m1".to_owned(), ..HostFacts::default() }
}

pub(super) fn epoch(number: u64) -> Epoch {
    Epoch::new(time::now().millis() / 1_000_000 * 1_000_000 + number as i64, number)
}

pub(super) fn context(epoch: Epoch, id: u32, names: &[&str]) -> Frame {
    let entry = |name: &&str| SeriesEntry { name: (*name).to_owned(), labels: Vec::new(), kind: 2, scale: 0 };
    let row = (1..=names.len()).map(|number| number as f64).collect();
    Frame::context(epoch, Context { id, series: names.iter().map(entry).collect(), row, extensions: Vec::new() })
}

/// One scrape of the context's own row, of up to eight series.
pub(super) fn batch(epoch: Epoch, seq: u64, id: u32, series: u8) -> Frame {
    let present = vec![u8::MAX >> (8 - series)];
    let at_ms = time::now().millis() - 1_000_000 + i64::try_from(seq).unwrap() * 1000;
    let scrape = Scrape { at_ms, differs: vec![0], present, changes: Vec::new(), raw: Vec::new() };
    let batch = MetricBatch { context: id, scrapes: vec![scrape], extensions: Vec::new() };
    Frame::batch(Lane::P1, epoch, seq, Message::Metrics(batch))
}

impl Agent {
    pub(super) async fn connect(
        address: SocketAddr,
        trust: &Trust,
        identity: Option<&Identity>,
    ) -> Result<Self, quinn::ConnectionError> {
        let tls = client_config(trust, identity, Arc::new(time::now)).unwrap();
        let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let connection = endpoint.connect_with(config, address, SERVER_NAME).unwrap().await?;
        let (control, replies) = connection.open_bi().await?;
        Ok(Self { connection, control, replies, reader: FrameReader::new(), lane: None, _endpoint: endpoint })
    }

    /// Enrols with a token word, as `muster-agent enrol` does.
    pub(super) async fn enrol(address: SocketAddr, word: &str) -> Result<Credentials, Refused> {
        let word = TokenWord::parse(word).unwrap();
        let key_der = certificate::new_key().unwrap();
        let mut agent = Self::connect(address, &Trust::Pin(word.pin), None).await.unwrap();
        let csr_der = certificate::new_request(&key_der).unwrap();
        let token = word.token.to_string();
        let enrol = Enrol { protocol: PROTOCOL, token, csr_der, name: String::new(), facts: facts() };
        agent.say(Message::Enrol(enrol)).await;
        match agent.hear().await {
            Some(Message::Enrolled(enrolled)) => {
                Ok(Credentials { identity: Identity { chain_der: enrolled.chain_der, key_der } })
            }
            Some(Message::Refused(refused)) => Err(refused),
            other => panic!("enrol was answered by {other:?}"),
        }
    }

    pub(super) async fn dial(address: SocketAddr, credentials: &Credentials) -> Self {
        Self::connect(address, &credentials.trust(), Some(&credentials.identity)).await.unwrap()
    }

    /// A session up to its welcome.
    pub(super) async fn open(address: SocketAddr, credentials: &Credentials, held: &[Epoch]) -> (Self, Welcome) {
        let mut agent = Self::dial(address, credentials).await;
        agent.say(Message::Hello(hello(held))).await;
        match agent.hear().await {
            Some(Message::Welcome(welcome)) => (agent, welcome),
            other => panic!("hello was answered by {other:?}"),
        }
    }

    pub(super) async fn say(&mut self, message: Message) {
        self.control.write_all(&encode(&Frame::control(message)).unwrap()).await.unwrap();
    }

    pub(super) async fn send(&mut self, frame: &Frame) {
        self.send_bytes(&encode(frame).unwrap()).await;
    }

    /// Sends bytes as they are on the lane's stream.
    pub(super) async fn send_bytes(&mut self, bytes: &[u8]) {
        if self.lane.is_none() {
            self.lane = Some(self.connection.open_uni().await.unwrap());
        }
        self.lane.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    /// The next message, or `None` when the session is over.
    pub(super) async fn hear(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.reader.next().unwrap() {
                return Some(frame.message);
            }
            let chunk = self.replies.read_chunk(64 << 10, true).await.ok()??;
            self.reader.push(&chunk.bytes);
        }
    }

    /// Hears acks until this seq is durable.
    pub(super) async fn acked(&mut self, seq: u64) {
        loop {
            match self.hear().await {
                Some(Message::Ack(ack)) if ack.seq >= seq => return,
                Some(Message::Ack(_)) => {}
                other => panic!("{other:?} instead of the ack of {seq}"),
            }
        }
    }

    pub(super) async fn refused(&mut self) -> Refused {
        loop {
            match self.hear().await {
                Some(Message::Refused(refused)) => return refused,
                Some(Message::Ack(_)) => {}
                other => panic!("{other:?} instead of a refusal"),
            }
        }
    }
}

pub(super) fn hello(held: &[Epoch]) -> Hello {
    let held = held.iter().map(|epoch| HeldEpoch { epoch: *epoch, last_seq: [u64::MAX; 3] });
    Hello {
        protocol: PROTOCOL,
        agent_version: "test".to_owned(),
        boot_id: [1; 16],
        clock_ms: time::now().millis(),
        started_ms: 1,
        facts: facts(),
        epochs: held.collect(),
        extensions: Vec::new(),
    }
}
