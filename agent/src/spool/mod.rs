//! The disk queue: what could not be delivered yet, and the epochs that its batches belong to. `agent/SPOOL.md` is its byte-level page.
//!
//! Place in the flow: the session (`uplink`) decides, the spool obeys: [`SpoolRequest`] in, [`SpoolAnswer`] out, one at a time, on a thread of
//! its own ([`worker`]) so that a slow disk never delays sampling. [`folder`] is the spool itself, [`segment`] its files,
//! [`epochs`] the durable table of epochs, [`limits`] how much room it may take.
//!
//! What holds at all times:
//! - An epoch's row is durable before anything of that epoch is written or sent (EXACTLY-ONCE.md rule 2).
//! - A segment holds a copy of every context that its batches name, before them (rule 16).
//! - Nothing is remembered of what is missing: a gap is what a read does not find (rule 6).
//! - A full spool loses the oldest metrics, counted, and nothing else; a disk that other data fills costs nothing of what is held.
//! - A read that the disk fails gives up nothing: it is asked for again.

pub mod epochs;
pub mod folder;
pub mod limits;
pub mod segment;
pub mod trouble;
pub mod worker;

use std::sync::Arc;

use muster_common::wire::message::{Epoch, Lane};

pub use epochs::{EpochRow, EpochState, EpochTable, StoreSeen};
pub use folder::{HeldRun, Loaded, Spool, SpoolConfig, SpoolError};
pub use limits::SpoolLimits;
pub use trouble::Trouble;

/// A batch as it lies in the spool: its whole encoded frame, and what is needed to choose without decoding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpooledBatch {
    pub epoch: Epoch,
    pub lane: Lane,
    pub seq: u64,
    /// The context its frame names; 0: none.
    pub context: u32,
    /// First and last time stamp in it, ms since 1970 by the corrected clock.
    pub from_ms: i64,
    pub to_ms: i64,
    pub frame: Arc<[u8]>,
}

/// What the session asks of the spool.
#[derive(Clone, Debug)]
pub enum SpoolRequest {
    /// Make this table durable; with `sync_first` only after everything appended so far is.
    Keep { version: u64, table: EpochTable, sync_first: bool },
    /// Append. `context_frame` is written before it unless its segment has that context.
    Append { batch: SpooledBatch, context_frame: Option<Arc<[u8]>> },
    /// The first batch held with a seq of at least `from`. Its context comes along unless it is `have_context`.
    Read { epoch: Epoch, lane: Lane, from: u64, have_context: u32 },
    /// Everything up to `seq` is committed: segments that hold nothing else go.
    Acked { epoch: Epoch, lane: Lane, seq: u64 },
    /// Nothing of this epoch is needed any more.
    Forget { epoch: Epoch },
    /// fdatasync of what was appended.
    Sync,
}

/// What the spool answers. `Acked` and `Forget` have no answer: when they fail the files stay, and the next start finds them acked.
#[derive(Clone, Debug, PartialEq)]
pub enum SpoolAnswer {
    /// With `trouble` either the old table or this one is in force.
    Kept {
        version: u64,
        trouble: Option<Trouble>,
    },
    /// `dropped` unacknowledged batches had to go to make room.
    Appended {
        epoch: Epoch,
        lane: Lane,
        seq: u64,
        outcome: AppendOutcome,
        dropped: u64,
        /// What refused it, where it is not held.
        trouble: Option<Trouble>,
    },
    Found {
        epoch: Epoch,
        lane: Lane,
        from: u64,
        found: Option<Found>,
    },
    /// The read could not be made now. What is there is there still: ask again later.
    Unread {
        epoch: Epoch,
        lane: Lane,
        from: u64,
        trouble: Trouble,
    },
    Synced {
        trouble: Option<Trouble>,
    },
}

/// A batch read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub batch: SpooledBatch,
    pub context_frame: Option<Arc<[u8]>>,
}

/// Whether an append is in the file now. Not yet synced in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// In the file, `bytes` of it.
    Held { bytes: u64 },
    /// The disk has no room left for the spool, by its limits or in truth.
    Full,
    /// Any other I/O error.
    Failed,
}
