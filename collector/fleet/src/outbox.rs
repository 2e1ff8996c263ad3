//! Events and audit: every change of the fleet leaves a row in the transaction that makes it (EXACTLY-ONCE.md rule 21).
//!
//! (epoch, seq) of a row is never used again for other content: the epoch is made once per incarnation of the data folder, and
//! the next seq is a row of `meta` that only grows, so that an outbox that was emptied goes on where it stopped.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use serde::{Deserialize, Serialize};

use crate::rows::host_id_option;

/// Rows kept. About 30 MB; a fleet of 10,000 makes 500 a day by renewals and as many by restarts.
pub const OUTBOX_ROWS_MAX: u64 = 100_000;

/// What happened. Names are stored, so one that was told never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    AuthorityMade,
    AuthorityRotated,
    TokenMade,
    TokenRevoked,
    HostPending,
    HostEnrolled,
    HostApproved,
    HostReplaced,
    HostRenamed,
    HostRelabelled,
    HostRetired,
    HostQuarantined,
    HostBooted,
    HostReverted,
    MachineChanged,
    CertificateRenewed,
    CertificateDenied,
    StoreRestored,
}

/// One row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub seq: u64,
    /// By the collector's clock, milliseconds since 1970.
    pub ms: i64,
    pub kind: EventKind,
    /// `None`: about no host.
    #[serde(with = "host_id_option")]
    pub host: Option<HostId>,
    /// The name it had then; empty without a host.
    pub host_name: String,
    /// One sentence for people.
    pub text: String,
    /// Who did it: `token 3f2a`, `operator`, `agent`, `muster`.
    pub by: String,
    pub fields: BTreeMap<String, String>,
}

impl Event {
    /// An event whose seq is taken in its transaction.
    pub(crate) fn new(kind: EventKind, by: &str, now: Timestamp, text: String) -> Self {
        Self {
            seq: 0,
            ms: now.millis(),
            kind,
            host: None,
            host_name: String::new(),
            text,
            by: by.to_owned(),
            fields: BTreeMap::new(),
        }
    }

    pub(crate) fn of(mut self, host: HostId, name: &str) -> Self {
        self.host = Some(host);
        name.clone_into(&mut self.host_name);
        self
    }

    pub(crate) fn with(mut self, field: &str, value: impl Into<String>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}

/// How far the outbox is, as `meta` keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxState {
    pub epoch: Epoch,
    /// What the next row gets. Starts at 1.
    pub next_seq: u64,
    pub rows: u64,
    /// Rows dropped unread because the outbox was full, since the data folder was made.
    pub dropped: u64,
}
