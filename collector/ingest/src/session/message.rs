//! What a session is told and what it wants done.

use std::sync::Arc;
use std::time::Duration;

use muster_common::inventory::Digest;
use muster_common::wire::frame::{Frame, FrameError};
use muster_common::wire::message::{
    Answer, Ask, Configuration, ConfigurationState, Enrol, Enrolled, Epoch, GoodbyeReason, Hello, Lane, Message,
    Problem, Refused, Renew, Renewed, TaskOutput, TaskState, Throttle,
};
use muster_fleet::{MissingWhy, TaskDue};
use muster_store::{Append, MarkRow, Outcome, PositionRow};

use crate::host_labels::HostLabels;

/// Bounds of one session.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bit per [`Lane`] number: which lanes are stored. A batch on another lane ends the session.
    pub lanes: u8,
    /// Batches handed to the store and not yet answered; beyond it the session reads no further.
    pub outstanding_batches_max: usize,
    /// Bytes of values and lines in those batches. One batch is always allowed.
    pub outstanding_bytes_max: usize,
    /// Memory of this session's contexts.
    pub contexts_bytes_max: usize,
    /// Different series an hour.
    pub series_max: usize,
    /// How long a new connection may stay silent.
    pub first_frame: Duration,
    /// Pause before a failed commit is tried again; doubles up to `hold_max`.
    pub hold_min: Duration,
    pub hold_max: Duration,
    /// How long batches are discarded while the agent does not rewind, before the session ends so that hello settles it.
    pub rewind_patience: Duration,
    /// Samples older than this are refused.
    pub retention: Duration,
    /// Lines older than this are refused.
    pub retention_logs: Duration,
    /// The bug that the simulator is to find.
    #[cfg(feature = "planted")]
    pub planted: Option<Planted>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lanes: Lane::ALL.into_iter().fold(0, |lanes, lane| lanes | 1 << lane as u8),
            outstanding_batches_max: 16,
            outstanding_bytes_max: 1 << 20,
            contexts_bytes_max: 32 << 20,
            series_max: 20_000,
            first_frame: Duration::from_secs(10),
            hold_min: Duration::from_secs(1),
            hold_max: Duration::from_secs(10),
            rewind_patience: Duration::from_secs(60),
            retention: Duration::from_secs(90 * 86_400),
            retention_logs: Duration::from_secs(30 * 86_400),
            #[cfg(feature = "planted")]
            planted: None,
        }
    }
}

/// Deliberate bugs, to show that the simulator finds them.
#[cfg(feature = "planted")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The marks are read and told while the fenced session still has commits under way.
    HelloAnsweredBeforeDrain,
}

/// Who is at the other end, as TLS and the registry know.
#[derive(Clone, Debug)]
pub enum Peer {
    /// No client certificate: enrol frames only.
    Unknown,
    /// A registered host.
    Host(Arc<HostLabels>),
    /// A registered host whose certificate is expired: it may renew it and nothing else.
    Expired(Arc<HostLabels>),
}

/// What the store answers to hello.
#[derive(Clone, Debug)]
pub struct Greeting {
    pub store_id: [u8; 16],
    pub incarnation: u64,
    pub marks: Vec<MarkRow>,
    /// How far the host's log sources are committed.
    pub positions: Vec<PositionRow>,
    /// Which rows of the host's inventory are known, by the tables' numbers.
    pub inventory: Vec<(u8, Digest)>,
}

/// Something that happened to a session.
#[derive(Debug)]
pub enum Input {
    /// A frame that was read whole.
    Frame(Frame),
    /// Bytes that are no frame, or a frame whose content is refused.
    BadFrame(FrameError),
    /// The registry's answer to [`Effect::See`].
    Seen(Result<(), Refused>),
    /// The answer to [`Effect::Fence`]: no older session of this host has a commit under way.
    Drained,
    /// The answer to [`Effect::AskMarks`].
    Marks(Result<Greeting, String>),
    /// The answer to [`Effect::Commit`]: what became of it. `append` comes back where it was not taken.
    Settled {
        token: u64,
        outcome: Outcome,
        append: Option<Append>,
    },
    /// Another answer to [`Effect::Commit`]: the disk did not take it, or it is unknown whether it did.
    Failed {
        token: u64,
        append: Append,
    },
    /// Another answer to [`Effect::Commit`]: nothing was written, and the store wants no more before `retry_after`.
    PutOff {
        token: u64,
        append: Append,
        retry_after: Duration,
    },
    /// The last answer to [`Effect::Commit`]: the store refuses its form, and nothing was written.
    Malformed {
        token: u64,
        why: &'static str,
    },
    Enrolled(Result<Enrolled, Refused>),
    /// `None`: nothing was issued now, the agent will ask again.
    Renewed(Option<Result<Renewed, Refused>>),
    /// The registry changed this host's name or labels.
    HostChanged(Arc<HostLabels>),
    /// What was told of these tables of the inventory cannot be worked in.
    TablesWanted(Vec<u8>),
    /// What the host is to run by.
    Configure(Configuration),
    /// People ask this; answered by [`Effect::Answer`] or [`Effect::Unasked`], or not at all.
    Ask(Box<Ask>),
    /// What the host is to be given of tasks, in order.
    Tasks(Vec<TaskDue>),
    /// How much the collector can take now.
    Throttle(Throttle),
    /// A later hello of this host arrived.
    Fenced,
    /// Certificate denied, host retired or quarantined.
    Denied(Refused),
    /// The connection is gone.
    Lost,
    /// [`super::Session::deadline`] has come.
    Tick,
    /// The collector stops.
    Shutdown {
        reason: String,
        spread_ms: u32,
    },
}

/// Something that a session wants done.
#[derive(Debug)]
pub enum Effect {
    Send(Message),
    /// Answer with [`Input::Enrolled`].
    Enrol(Enrol),
    /// Answer with [`Input::Renewed`].
    Renew(Renew),
    /// Tell the registry what this host says of itself; answer with [`Input::Seen`].
    See(Box<Hello>),
    /// Give [`Input::Fenced`] to each older session of this host; answer with [`Input::Drained`] when all have ended.
    Fence,
    /// Close the epochs not held, read the marks of these and the host's positions; answer with [`Input::Marks`].
    AskMarks {
        held: Vec<Epoch>,
    },
    /// The session is open.
    Welcomed,
    /// What the host says of its configuration; the latest counts.
    ConfigurationTold(Box<ConfigurationState>),
    /// Make this durable; answer with [`Input::Settled`], [`Input::Failed`], [`Input::PutOff`] or
    /// [`Input::Malformed`]. In order with all other commits.
    Commit {
        token: u64,
        append: Append,
    },
    /// A batch arrived, whatever becomes of it.
    Heard,
    /// All that is wrong on the host now; the latest set counts.
    Problems(Vec<Problem>),
    /// The agent says that it stops.
    Goodbye(GoodbyeReason),
    /// A frame has just arrived that the agent wrote when its clock showed this.
    Clock {
        agent_ms: i64,
    },
    /// What the host answers to an [`Input::Ask`].
    Answer(Answer),
    /// It was not asked this, or will not answer any more.
    Unasked {
        id: u64,
        why: MissingWhy,
    },
    /// How the host says that a call of a task stands.
    TaskTold(Box<TaskState>),
    /// What a task wrote on it.
    TaskWrote(TaskOutput),
    /// Nothing is under way any more: close the connection.
    End {
        why: String,
    },
}
