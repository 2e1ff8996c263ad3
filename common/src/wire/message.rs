//! What agent and collector can say to each other. Wire structs only: the crates above map them to their own types.
//!
//! Rules (WIRE.md): no recursive type, no zero-sized element in a list, lists end by [`Extension`]s where they may grow.
//! A changed message is a new [`FrameKind`], never another meaning of an old one.

use bincode::{Decode, Encode};

pub use super::orders::{
    Answer, AnswerWord, Ask, AskFilter, AskTest, Configuration, ConfigurationState, ConfigurationWord,
};
pub use super::report::{
    CheckDefinition, CheckList, CheckReport, EventReport, Perfdata, ProcessLook, ProcessUse, Report, ReportBatch,
};

pub use super::tasks::{
    ProofStep, Task, TaskAck, TaskApproval, TaskCall, TaskCancel, TaskCatalogue, TaskOutput, TaskRefusal, TaskState,
    TaskWord,
};

/// The protocol's version as hello tells it.
pub const PROTOCOL: u16 = 1;
/// The TLS application protocol of version 1.
pub const ALPN: &[u8] = b"muster/1";

/// A priority class with its own order, stream and mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[repr(u8)]
pub enum Lane {
    /// Checks, states, events, inventory.
    P0 = 0,
    /// Metrics.
    P1 = 1,
    /// Logs.
    P2 = 2,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::P0, Self::P1, Self::P2];

    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::P0),
            1 => Some(Self::P1),
            2 => Some(Self::P2),
            _ => None,
        }
    }
}

/// An ordered run of batches: creation time in ms (8 bytes, big-endian), then 8 random bytes. Sorts by creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct Epoch(pub [u8; 16]);

impl Epoch {
    pub const NONE: Self = Self([0; 16]);

    /// `created_ms` since 1970, `random` from the system's generator (from the seed in the simulator).
    pub fn new(created_ms: i64, random: u64) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&u64::try_from(created_ms).unwrap_or(0).to_be_bytes());
        bytes[8..].copy_from_slice(&random.to_be_bytes());
        Self(bytes)
    }

    pub fn created_ms(self) -> i64 {
        let mut millis = [0; 8];
        millis.copy_from_slice(&self.0[..8]);
        i64::try_from(u64::from_be_bytes(millis)).unwrap_or(i64::MAX)
    }
}

/// The kind of a frame. On the wire as its number; a number that is not here ends the session at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    Hello = 0x01,
    Enrol = 0x02,
    Renew = 0x03,
    AgentGoodbye = 0x04,
    ClockProbe = 0x05,
    Problems = 0x06,
    ConfigurationState = 0x07,
    Answer = 0x08,
    TaskState = 0x09,
    TaskOutput = 0x0a,
    Welcome = 0x21,
    Enrolled = 0x22,
    Renewed = 0x23,
    CollectorGoodbye = 0x24,
    ClockAnswer = 0x25,
    Ack = 0x26,
    Throttle = 0x27,
    NeedContext = 0x28,
    Refused = 0x29,
    Positions = 0x2a,
    InventoryWanted = 0x2b,
    Configuration = 0x2c,
    Ask = 0x2d,
    TaskCatalogue = 0x2e,
    Task = 0x2f,
    TaskCancel = 0x30,
    TaskAck = 0x31,
    Context = 0x40,
    Metrics = 0x41,
    Reports = 0x42,
    Logs = 0x43,
    Gap = 0x44,
}

/// One message. Its frame carries lane, epoch and seq where they mean something ([`Message::Metrics`], [`Message::Reports`],
/// [`Message::Logs`], [`Message::Gap`]: all three; [`Message::Context`]: lane and epoch).
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Hello(Hello),
    Enrol(Enrol),
    Renew(Renew),
    AgentGoodbye(AgentGoodbye),
    ClockProbe(ClockProbe),
    Problems(Problems),
    ConfigurationState(ConfigurationState),
    Answer(Answer),
    TaskState(TaskState),
    TaskOutput(TaskOutput),
    Welcome(Welcome),
    Enrolled(Enrolled),
    Renewed(Renewed),
    CollectorGoodbye(CollectorGoodbye),
    ClockAnswer(ClockAnswer),
    Ack(Ack),
    Throttle(Throttle),
    NeedContext(NeedContext),
    Refused(Refused),
    Positions(Positions),
    InventoryWanted(InventoryWanted),
    Configuration(Configuration),
    Ask(Ask),
    TaskCatalogue(TaskCatalogue),
    Task(Task),
    TaskCancel(TaskCancel),
    TaskAck(TaskAck),
    Context(Context),
    Metrics(MetricBatch),
    Reports(ReportBatch),
    Logs(LogBatch),
    Gap(Gap),
}

/// A later version's addition: readers skip the ids they do not know.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Extension {
    pub id: u16,
    pub bytes: Vec<u8>,
}

/// Agent to collector, first on the control stream of every session.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Hello {
    pub protocol: u16,
    pub agent_version: String,
    pub boot_id: [u8; 16],
    /// The agent's own wall clock when it wrote this.
    pub clock_ms: i64,
    /// When this process began.
    pub started_ms: i64,
    pub facts: HostFacts,
    /// Every epoch of which the agent still holds something, and the one it writes to, oldest first.
    pub epochs: Vec<HeldEpoch>,
    pub extensions: Vec<Extension>,
}

/// What the agent holds of one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeldEpoch {
    pub epoch: Epoch,
    /// The highest seq ever given out in each lane (0: none), by [`Lane`] number. A higher mark means a reverted machine.
    pub last_seq: [u64; 3],
}

/// What a host tells of itself in hello.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct HostFacts {
    pub host_name: String,
    pub machine_id: String,
    pub os: String,
    pub kernel: String,
    pub architecture: String,
    pub processors: u32,
    pub memory_bytes: u64,
    pub virtualisation: String,
}

/// Collector to agent: the answer to hello, after the fenced session's queued batches are committed or discarded.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Welcome {
    pub host_id: [u8; 16],
    pub host_name: String,
    pub store_id: [u8; 16],
    /// Changes when the store is restored from a snapshot.
    pub incarnation: u64,
    pub clock_ms: i64,
    /// A mark for every (epoch, lane) of hello that has one; the others stand at 0.
    pub marks: Vec<Mark>,
    /// Pages of positions that follow as [`Positions`] frames before any p2 batch may be sent.
    pub position_pages: u32,
    /// Bit per [`Lane`] number: which lanes this collector stores. The agent sends nothing on the others.
    pub lanes: u8,
    pub throttle: Throttle,
    pub extensions: Vec<Extension>,
}

/// How far one lane of one epoch is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Mark {
    pub epoch: Epoch,
    pub lane: Lane,
    pub seq: u64,
    /// When its last batch was committed, by the collector's clock.
    pub arrived_ms: i64,
}

/// Collector to agent: everything up to `seq` is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Ack {
    pub epoch: Epoch,
    pub lane: Lane,
    pub seq: u64,
}

/// Collector to agent: gather this long before you send; on `hold_ms` > 0 send no batch for that long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Throttle {
    pub linger_ms: u32,
    pub hold_ms: u32,
}

/// Collector to agent: rewind this lane to `mark` + 1 and send the context first (EXACTLY-ONCE.md rule 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NeedContext {
    pub epoch: Epoch,
    pub context: u32,
    pub mark: u64,
}

/// Agent to collector: this process ends, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AgentGoodbye {
    pub reason: GoodbyeReason,
}

/// Why an agent stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum GoodbyeReason {
    Restart,
    Upgrade,
    Reboot,
    Shutdown,
    Retire,
}

/// Collector to agent: connect again after a random part of this delay.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CollectorGoodbye {
    pub reason: String,
    pub spread_ms: u32,
}

/// Agent to collector: what does your clock say? Every 10 min.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ClockProbe {
    pub agent_ms: i64,
}

/// Agent to collector: all that is wrong on this host now. Sent after the welcome when there is any, and whenever the set
/// changes, also to none; the latest one counts.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Problems {
    pub problems: Vec<Problem>,
    pub extensions: Vec<Extension>,
}

/// One thing that keeps the agent from its work, such as a log file that it may not read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct Problem {
    /// A path, or the part of the configuration.
    pub place: String,
    pub message: String,
    /// What to do, with the command where there is one.
    pub remedy: String,
}

/// The probe's time returned, and the collector's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ClockAnswer {
    pub agent_ms: i64,
    pub collector_ms: i64,
}

/// Collector to agent: this session ends (or this enrolment fails), with one text that names place and remedy.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    pub code: RefusalCode,
    pub message: String,
    pub remedy: String,
    /// Not before this may the agent try again; 0 leaves it to its own backoff.
    pub retry_after_ms: u32,
}

/// What a refusal is about, for the agent's decisions and for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum RefusalCode {
    /// Protocol or frame kind unknown to this side.
    Version,
    /// Bytes that are no valid frame, or a message out of its place.
    Protocol,
    /// Token unknown, used up, expired, or for another name.
    Token,
    /// Waits for `muster hosts approve`.
    Pending,
    /// The certificate is denied, expired too long, or of a retired host.
    Certificate,
    /// Two live machines use this identity; this one is set aside.
    Quarantined,
    /// A newer session of this host took over.
    Superseded,
    /// The collector cannot take more now.
    Busy,
    /// The collector's store cannot commit now.
    Storage,
}

/// Agent to collector, on a session without a client certificate: let me in.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Enrol {
    pub protocol: u16,
    /// The token's id and secret (never the pin); empty: ask to be approved.
    pub token: String,
    /// PKCS#10, DER, signed with the agent's key. The names in it are ignored.
    pub csr_der: Vec<u8>,
    /// The name asked for.
    pub name: String,
    pub facts: HostFacts,
}

/// The answer to [`Enrol`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Enrolled {
    pub host_id: [u8; 16],
    pub name: String,
    /// Leaf first, the CA last; DER.
    pub chain_der: Vec<Vec<u8>>,
}

/// Agent to collector on a session with a certificate: a new one, please.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Renew {
    pub csr_der: Vec<u8>,
}

/// The answer to [`Renew`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Renewed {
    pub chain_der: Vec<Vec<u8>>,
}

/// The label sets, kinds and one full row of values that batches of one (epoch, context id) are coded against. Immutable.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Context {
    pub id: u32,
    pub series: Vec<SeriesEntry>,
    /// One value a series, in the order of `series`.
    pub row: Vec<f64>,
    pub extensions: Vec<Extension>,
}

/// One series of a context: its metric name, own labels (no identity labels: the collector adds them) and kind.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SeriesEntry {
    pub name: String,
    pub labels: Vec<WireLabel>,
    /// [`crate::sample::MetricKind`] as its number.
    pub kind: u8,
    /// Decimal places that differences are coded in (0 to 9), or 255: raw.
    pub scale: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct WireLabel {
    pub name: String,
    pub value: String,
}

/// p1: scrapes against one context.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct MetricBatch {
    pub context: u32,
    pub scrapes: Vec<Scrape>,
    pub extensions: Vec<Extension>,
}

/// One scrape. Bit i of a bitmap is bit (i mod 8) of byte (i div 8), for series i of the context.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Scrape {
    /// The true read time by the corrected clock.
    pub at_ms: i64,
    /// Which series have a value.
    pub present: Vec<u8>,
    /// Which of those differ from the context's row. A bit may be set only where `present` is.
    pub differs: Vec<u8>,
    /// For each differing series in order: LEB128 of zigzag(difference in the series' scale) + 1, or 0: the next of `raw`.
    pub changes: Vec<u8>,
    pub raw: Vec<f64>,
}

/// p2: lines, and the ranges of the sources that they are.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LogBatch {
    pub ranges: Vec<SourceRange>,
    pub streams: Vec<LogStream>,
    pub extensions: Vec<Extension>,
}

/// One range of one source: taken only where `from` is the source's committed position, or opens it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SourceRange {
    pub source: SourceId,
    pub from: u64,
    pub to: u64,
    /// Bytes before `from` that are given up, with the reason; empty: none.
    pub skipped: String,
    /// xxh3-64 of up to 64 bytes before `to`.
    pub tail_hash: u64,
    /// The source is no more: its position may go after 7 days.
    pub gone: bool,
}

/// A log source: a file by device, inode, fingerprint and incarnation, or a journal by its name in `path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct SourceId {
    pub device: u64,
    pub inode: u64,
    pub fingerprint: u64,
    pub fingerprint_bytes: u16,
    pub incarnation: u32,
    pub path: String,
}

/// Lines of one label set.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LogStream {
    pub labels: Vec<WireLabel>,
    pub lines: Vec<LogLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LogLine {
    pub at_ns: i64,
    /// As read; only answers in JSON replace what is not UTF-8.
    pub line: Vec<u8>,
    pub fields: Vec<WireLabel>,
}

/// Collector to agent: a page of committed positions.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Positions {
    pub page: u32,
    pub positions: Vec<Position>,
}

impl Positions {
    /// The page of an unasked one that says: the first batch of lines not acknowledged yet cannot be read at all and is refused.
    pub const REFUSED: u32 = 1;
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Position {
    pub source: SourceId,
    pub offset: u64,
    pub tail_hash: u64,
}

/// Collector to agent: what it was told of these tables cannot be worked in; tell them whole. Only to an agent whose hello says that it
/// [reads it](Hello::reads).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct InventoryWanted {
    /// Numbers of tables, each once.
    pub tables: Vec<u8>,
    pub extensions: Vec<Extension>,
}

/// Seqs that will never come: from the frame's seq to `to`, both included.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Gap {
    pub to: u64,
    pub reason: GapReason,
    /// When the missing batches were made, as far as is known; 0: unknown.
    pub from_ms: i64,
    pub to_ms: i64,
}

/// Why seqs are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum GapReason {
    /// The spool's limit was reached and this was dropped.
    SpoolFull,
    /// Joined into fewer samples to save room.
    Thinned,
    /// Older than the retention of marks.
    Expired,
    /// The collector refused the content.
    Refused,
    /// A crash or a damaged spool took it before it was durable.
    Lost,
    /// The epoch ends here: the machine was reverted, or the store restored, and goes on in a new one.
    Closed,
}
