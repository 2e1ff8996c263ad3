//! The handle that may write; ingest owns the one there is.

use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;

use crate::append::{Append, MarkRow, Outcome, Position, ReplayEntry};
use crate::engine::Engine;
use crate::error::CommitError;
use crate::logs::record::PositionRow;

/// Writes. Calls block for a disk sync: make them on a thread of their own.
pub struct Writer {
    pub(crate) engine: Arc<Engine>,
}

impl Writer {
    /// One durable transaction for all of them, in order; marks are checked and moved inside it. Then the head, then the view.
    /// `now` becomes the arrival time of marks and repeat rows.
    ///
    /// # Errors
    /// [`CommitError::Unknown`]: nothing may be acknowledged; the next call reopens the file and takes up what is there.
    /// [`CommitError::Throttled`] and [`CommitError::Malformed`]: nothing was written.
    pub fn commit(&mut self, appends: &[Append], now: Timestamp) -> Result<Vec<Outcome>, CommitError> {
        self.engine.inbox.lock().commit(appends, now)
    }

    /// The entries with records of small state that were committed since the last call, in order, as the inbox holds them
    /// (cuts applied); after an error also those that turned out to be durable. What `ingest::apply` is to apply.
    pub fn take_entries(&mut self) -> Vec<ReplayEntry> {
        std::mem::take(&mut self.engine.inbox.lock().entries)
    }

    /// A host says which epochs it still holds: others are closed, closed ones that are too old or too many are forgotten and
    /// its floor rises (rule 8). Answers the marks of those listed.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn hello(&mut self, host: HostId, held: &[Epoch], now: Timestamp) -> Result<Vec<MarkRow>, CommitError> {
        self.engine.inbox.lock().hello(host, held, now)
    }

    /// How far the log sources of a host are committed: what hello is answered with (rule 13).
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn positions(&mut self, host: HostId) -> Result<Vec<PositionRow>, CommitError> {
        self.engine.inbox.lock().positions_of(host)
    }

    /// A host is retired for good: its marks, its floor and the positions of its log sources go.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn forget(&mut self, host: HostId, now: Timestamp) -> Result<(), CommitError> {
        self.engine.inbox.lock().forget(host, now)
    }

    /// The hosts that have a mark or a floor, by id; [`crate::OWN_HOST`] among them.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn marked_hosts(&mut self, now: Timestamp) -> Result<Vec<HostId>, CommitError> {
        self.engine.inbox.lock().marked_hosts(now)
    }

    /// state.redb holds everything up to this entry: inbox files behind it may go.
    pub fn state_reached(&self, position: Position) {
        let mut inbox = self.engine.inbox.lock();
        if inbox.state_reached < Some(position) {
            inbox.state_reached = Some(position);
            inbox.unlink_passed();
        }
    }

    /// Made once for a data folder.
    pub fn store_id(&self) -> [u8; 16] {
        self.engine.store_id
    }

    /// Another one after each restore.
    pub fn incarnation(&self) -> u64 {
        self.engine.incarnation
    }
}
