//! What goes into the queue and what comes out.

use muster_fleet::SmallRow;

use super::row::{Key, NewRow, Payload};

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The process has started: what was under way is unknown. Once, before anything else.
    Started,
    /// A notice was made: in its transaction.
    Enqueue(Vec<NewRow>),
    /// The deadline is reached, or what was enqueued is durable.
    Due,
    /// What became of one row of a session.
    Outcome { key: Key, outcome: Outcome },
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// The server is there and says: not now.
    Temporary {
        code: u16,
        text: String,
    },
    /// The server is there and says: never.
    Permanent {
        code: u16,
        text: String,
    },
    /// No session could be had: network, TLS, sign-in. Nothing was sent.
    Away {
        text: String,
    },
    /// It was sent and no answer came.
    Unknown {
        text: String,
    },
}

/// One row as a notifier sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub key: Key,
    pub recipient: String,
    pub message_id: String,
    pub references: Vec<String>,
    pub payload: Payload,
}

/// Rows for one connection to one server. Every parcel gets one [`Outcome`], also where the connection breaks at the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub server: String,
    pub parcels: Vec<Parcel>,
}

/// Why a row will never be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeadReason {
    Refused,
    /// It could not be sent for 48 hours.
    TooOld,
    QueueFull,
}

impl DeadReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TooOld => "too_old",
            Self::QueueFull => "queue_full",
        }
    }
}

/// What is worth an event or an alert about ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Somebody was not told and will not be.
    Dead {
        key: Key,
        /// What it would have told besides its own: the entries of a digest, the beginning of an incident whose end it tells.
        within: Vec<Key>,
        receiver: String,
        recipient: String,
        reason: DeadReason,
        text: String,
    },
    /// It goes to its second target from now on.
    SecondTarget { key: Key, receiver: String, server: String, text: String },
    /// A server has not answered for 5 minutes.
    Trouble { server: String, since_ms: i64, waiting_count: usize, text: String },
    /// It does again.
    TroubleOver { server: String },
}

/// What one step made: rows for one transaction, then sessions to start, news to tell.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub rows: Vec<SmallRow>,
    pub sessions: Vec<Session>,
    pub news: Vec<News>,
}

/// Since the process started; series of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    pub attempts: u64,
    pub digests: u64,
    pub merged: u64,
    pub dead_refused: u64,
    pub dead_too_old: u64,
    pub dead_queue_full: u64,
    /// Finished rows that went before their time since the table was full.
    pub forgotten: u64,
}
