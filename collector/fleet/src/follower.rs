//! What alert changes in the transactions of fleet: fleet owns state.redb and does not know alerts (EXACTLY-ONCE.md rule 19).

use muster_common::time::Timestamp;

use crate::status::StatusChange;

/// A table of state.redb whose rows are alert's: bytes to bytes, described on its own page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SmallTable {
    /// Alerts that are pending or firing, and those that ended lately.
    Alerts,
    /// Groups of notices and who was told what: the notification log.
    Groups,
    Silences,
    /// Numbers of alert, such as the next notice.
    AlertMeta,
    /// Notices as they were made, with their outcome.
    Notices,
    /// One row a recipient of a notice that is to be sent by mail or webhook.
    Outgoing,
}

/// One row written or, without a value, removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallRow {
    pub table: SmallTable,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// An event that alert tells of, in the transaction of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallEvent {
    pub kind: crate::EventKind,
    /// `None`: about no host.
    pub host: Option<muster_common::host::HostId>,
    pub host_name: String,
    pub text: String,
    pub by: crate::By,
    pub fields: Vec<(String, String)>,
}

/// Rows and events that belong into one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmallChange {
    pub rows: Vec<SmallRow>,
    pub events: Vec<SmallEvent>,
}

/// Who makes alerts of status. Called under fleet's lock of its file, so it must not call fleet.
pub trait Follower: Send + Sync {
    /// What these changes make of the alerts, to be written in the same transaction.
    fn follow(&self, changes: &[StatusChange], now: Timestamp) -> SmallChange;

    /// What became of the transaction. Where it is not durable what `follow` took into memory is unsure: read the rows anew.
    fn settled(&self, durable: bool);
}
