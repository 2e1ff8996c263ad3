//! Tasks: what a collector may call for on a host, and what the host says to it.
//!
//! The collector only carries. Catalogues are signed by keys that it does not have, orders are approved by keys of people, and the host
//! judges both by itself (`crate::task`). A call is one step of an order on one host; it is the same call however often it is told.

use bincode::{Decode, Encode};

use super::message::Extension;

/// One step of an order on the host that is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub struct TaskCall {
    /// The order's id, a UUID.
    pub order: [u8; 16],
    /// Which of its steps, from 0.
    pub step: u32,
}

impl TaskCall {
    /// Stands for the catalogue that was offered last, which is no call.
    pub const CATALOGUE: Self = Self { order: [0; 16], step: 0 };
}

/// Collector to agent: the tasks that there are. Only to an agent whose hello says that it [takes tasks](super::message::Hello::takes_tasks), as all
/// frames of tasks from the collector are.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskCatalogue {
    /// TOML, as it was signed, byte by byte.
    pub document: String,
    /// ed25519 over [`crate::task::Catalogue::signed_bytes`].
    pub signature: [u8; 64],
    pub extensions: Vec<Extension>,
}

/// Collector to agent: run this step of this order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Task {
    /// The order's id, as its text has it, and which of its steps.
    pub call: TaskCall,
    /// The host that it is meant for.
    pub host: [u8; 16],
    /// [`crate::task::Order`] as text, byte by byte as it was approved.
    pub order: String,
    /// That the host is one of the order's targets: the way from the host to their root.
    pub proof: Vec<ProofStep>,
    pub approvals: Vec<TaskApproval>,
    pub extensions: Vec<Extension>,
}

/// A neighbour on the way from a leaf to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProofStep {
    /// Whether the neighbour is the left one.
    pub left: bool,
    pub hash: [u8; 32],
}

/// One person's word for an order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskApproval {
    /// The name under which hosts have the key.
    pub approver: String,
    /// ed25519 over [`crate::task::Order::signed_bytes`].
    pub signature: [u8; 64],
}

/// Collector to agent: do not run this, and end it where it runs. A call that was never told is remembered as cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskCancel {
    pub call: TaskCall,
    /// Who wants it and why, for the host's own audit.
    pub reason: String,
    pub extensions: Vec<Extension>,
}

/// Collector to agent: so much of this call is durable here. What is not acknowledged is told again after each welcome.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskAck {
    pub call: TaskCall,
    /// The highest [`TaskState::number`] that is kept.
    pub state: u32,
    /// Chunks of output that are kept: all below this number.
    pub chunks: u32,
    pub extensions: Vec<Extension>,
}

/// Agent to collector: how a call stands. Only to a collector whose welcome says that it
/// [takes them](super::message::Welcome::takes_task_states), as output is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskState {
    /// The call, or [`TaskCall::CATALOGUE`]: whether the catalogue that was offered last is taken.
    pub call: TaskCall,
    /// Counts the states of this call, from 1; a higher one replaces a lower one.
    pub number: u32,
    /// When it became so, by the host's clock.
    pub at_ms: i64,
    pub word: TaskWord,
    /// Place, reason and remedy of a refusal, or what else is to be said; empty: nothing.
    pub problem: String,
    /// How many chunks of output there are by now; with a [last](TaskWord::is_last) word there will be no more.
    pub chunks: u32,
    /// What the process wrote.
    pub output_bytes: u64,
    /// What of it is beyond the bound and in no chunk.
    pub dropped_bytes: u64,
    pub extensions: Vec<Extension>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum TaskWord {
    /// Everything is in order, and it will run. Of a catalogue: it is in force.
    Accepted,
    /// Nothing ran. Told again it is judged again.
    Refused {
        why: TaskRefusal,
    },
    Running,
    /// By itself, with this exit code.
    Ended {
        code: i32,
    },
    /// It took longer than it may, and was ended with all that it had started.
    TimedOut,
    /// By this signal, which was not ours: such as for more memory than it may have.
    Killed {
        signal: i32,
    },
    /// By [`TaskCancel`], before or while it ran.
    Cancelled,
    /// The host's program ended while it ran, so nobody knows how it went.
    Lost,
}

impl TaskWord {
    /// Whether nothing more will come of the call.
    pub const fn is_last(self) -> bool {
        !matches!(self, Self::Accepted | Self::Running)
    }
}

/// Why a host does not run what it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
pub enum TaskRefusal {
    /// The host runs no tasks now: its own file `no-tasks` says so.
    Disabled,
    /// Too many calls in this minute, or waiting.
    Busy,
    /// The order cannot be read, is written in another way than it must be, or is another than the call says.
    OrderMalformed,
    /// It has no such step.
    StepUnknown,
    /// It is meant for another host, or this one is not among its targets.
    OtherHost,
    /// It is too late.
    Expired,
    /// It would be good for longer than an order may.
    TooLong,
    /// Its nonce was used by another order, or another order has its id.
    Replayed,
    /// No approval, or too few.
    Unapproved,
    /// An approval by nobody whom the host knows, or not of this order.
    ApprovalInvalid,
    /// Approved by the one who asked for it alone.
    OwnApproval,
    /// The catalogue that the order names is not the one in force here.
    OtherCatalogue,
    /// The catalogue cannot be read.
    CatalogueMalformed,
    /// Signed by no key that the host knows.
    CatalogueUnsigned,
    /// There was a newer one already, or another one of this version.
    CatalogueOlder,
    CatalogueExpired,
    /// Not in the catalogue.
    TaskUnknown,
    /// Not on the host's own list.
    NotAllowed,
    /// The host's own list allows it under another account, or the account is not there.
    Account,
    /// A parameter is missing, too many, or not what the catalogue lets it be.
    Parameters,
    /// The host demands what its system cannot give, such as a cgroup.
    Unsupported,
    /// The host could not write down that it runs it, or not start it.
    Failed,
}

/// Agent to collector: what a task wrote, made text and without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TaskOutput {
    pub call: TaskCall,
    /// From 0, each once and in order.
    pub chunk: u32,
    pub text: String,
    pub extensions: Vec<Extension>,
}
