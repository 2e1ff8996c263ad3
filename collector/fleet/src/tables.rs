//! The tables of state.redb and the forms of their keys. STATE.md describes them to readers.
//!
//! Keys and values are bytes throughout: numbers in keys are big-endian, so that byte order is their order.

use redb::TableDefinition;

use crate::follower::SmallTable;

/// One table: bytes to bytes.
pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Name to number or bytes: format, epoch and next seq of the outbox, how far the inbox is applied.
pub(crate) const META: Table = TableDefinition::new("meta");
/// Number (u64) to CA.
pub(crate) const AUTHORITIES: Table = TableDefinition::new("authorities");
/// Host id (16 bytes) to registration.
pub(crate) const HOSTS: Table = TableDefinition::new("hosts");
/// Host id (16 bytes) to the certificate issued last (DER, without a version byte).
pub(crate) const LEAVES: Table = TableDefinition::new("leaves");
/// Host id (16 bytes) to what it told of itself last.
pub(crate) const SIGHTINGS: Table = TableDefinition::new("sightings");
/// Token id (text) to enrolment token.
pub(crate) const TOKENS: Table = TableDefinition::new("tokens");
/// Token id (text) to HTTP token.
pub(crate) const HTTP_TOKENS: Table = TableDefinition::new("http_tokens");
/// User name (text) to user.
pub(crate) const USERS: Table = TableDefinition::new("users");
/// SHA-256 of a session's word (32 bytes) to session.
pub(crate) const SESSIONS: Table = TableDefinition::new("sessions");
/// Serial (hexadecimal text) to why it is denied.
pub(crate) const DENIED: Table = TableDefinition::new("denied");
/// (end of the missing time, generation, entry, number in the entry) to gap.
pub(crate) const GAPS: Table = TableDefinition::new("gaps");
/// (arrival of what tells of it, generation, entry, number in the entry) to lost log lines.
pub(crate) const LOG_LOSSES: Table = TableDefinition::new("log_losses");
/// Seq (u64) to event.
pub(crate) const OUTBOX: Table = TableDefinition::new("outbox");
/// Seq (u64) to row of the audit.
pub(crate) const AUDIT: Table = TableDefinition::new("audit");
/// Host id (16 bytes) and a check's name to how it stands; without a name: what was told of the host.
pub(crate) const CHECKS: Table = TableDefinition::new("checks");
/// (Minute since 1970, host id (16 bytes)) to the last look at its processes in it (a report's record).
pub(crate) const PROCESS_LOOKS: Table = TableDefinition::new("process_looks");
/// (Host id (16 bytes), table's number or 0) to its packed rows, or all else about the host's tables.
pub(crate) const INVENTORY: Table = TableDefinition::new("inventory");
/// (Host id (16 bytes), moment, table, number among those of the same) to a change of its inventory.
pub(crate) const INVENTORY_CHANGES: Table = TableDefinition::new("inventory_changes");
/// (Moment, host id (16 bytes), table, number) of each change, to nothing.
pub(crate) const INVENTORY_TIMES: Table = TableDefinition::new("inventory_times");
/// Number (u64) to announcement of changes.
pub(crate) const ANNOUNCEMENTS: Table = TableDefinition::new("announcements");
/// Number (u64) to decision of the gate.
pub(crate) const GATE_DECISIONS: Table = TableDefinition::new("gate_decisions");
/// Service and environment (texts, a zero byte between) to the newest verdict on a deploy.
pub(crate) const DEPLOY_VERDICTS: Table = TableDefinition::new("deploy_verdicts");
/// Name (text) to baseline.
pub(crate) const BASELINES: Table = TableDefinition::new("baselines");
/// Name (text) to the packed rows of a baseline.
pub(crate) const BASELINE_ROWS: Table = TableDefinition::new("baseline_rows");
/// Version (u64) to the packed set of profiles.
pub(crate) const PROFILE_SETS: Table = TableDefinition::new("profile_sets");
/// Host id (16 bytes) and a profile's name to its assignment by hand.
pub(crate) const PROFILE_ASSIGNMENTS: Table = TableDefinition::new("profile_assignments");
/// Host id (16 bytes) to what configuration it is to have, and how it stands there.
pub(crate) const HOST_CONFIGURATIONS: Table = TableDefinition::new("host_configurations");
/// Version (u64) to the roll-out that brings it.
pub(crate) const ROLLOUTS: Table = TableDefinition::new("rollouts");
/// Host id (16 bytes) and an item's key to what became of it; without a key what is known of the host's items.
pub(crate) const DISCOVERY: Table = TableDefinition::new("discovery");
/// Name (text) to rule of discovery.
pub(crate) const DISCOVERY_RULES: Table = TableDefinition::new("discovery_rules");
/// Number (u64) to deploy.
pub(crate) const DEPLOYS: Table = TableDefinition::new("deploys");
/// Number (u64) to freeze of deploys.
pub(crate) const FREEZES: Table = TableDefinition::new("freezes");
/// Number (u64) to who lifted a freeze.
pub(crate) const FREEZE_OVERRIDES: Table = TableDefinition::new("freeze_overrides");
/// Version (u64) to catalogue of tasks.
pub(crate) const TASK_CATALOGUES: Table = TableDefinition::new("task_catalogues");
/// Number (u64) to order of a task.
pub(crate) const TASK_ORDERS: Table = TableDefinition::new("task_orders");
/// (Order's number, host id (16 bytes)) to how the host stands in it.
pub(crate) const TASK_HOSTS: Table = TableDefinition::new("task_hosts");
/// (Order's number, host id (16 bytes), step (1 byte), chunk (u32)) to what the task wrote there.
pub(crate) const TASK_OUTPUTS: Table = TableDefinition::new("task_outputs");
/// Number (u64) to downtime.
pub(crate) const DOWNTIMES: Table = TableDefinition::new("downtimes");
/// Number (u64) to downtime that is over.
pub(crate) const ENDED_DOWNTIMES: Table = TableDefinition::new("ended_downtimes");
/// Number (u64) to maintenance.
pub(crate) const MAINTENANCES: Table = TableDefinition::new("maintenances");
/// The tables of [`SmallTable`].
const ALERTS: Table = TableDefinition::new("alerts");
const ALERT_GROUPS: Table = TableDefinition::new("alert_groups");
const SILENCES: Table = TableDefinition::new("silences");
const ALERT_META: Table = TableDefinition::new("alert_meta");
const NOTICES: Table = TableDefinition::new("notices");
const OUTGOING: Table = TableDefinition::new("outgoing");

/// All of them: made together with the file, so that no reader meets a missing one.
pub(crate) const ALL: [Table; 46] = [
    META,
    AUTHORITIES,
    HOSTS,
    LEAVES,
    SIGHTINGS,
    TOKENS,
    HTTP_TOKENS,
    USERS,
    SESSIONS,
    DENIED,
    GAPS,
    LOG_LOSSES,
    OUTBOX,
    AUDIT,
    CHECKS,
    DOWNTIMES,
    ENDED_DOWNTIMES,
    MAINTENANCES,
    PROCESS_LOOKS,
    INVENTORY,
    INVENTORY_CHANGES,
    INVENTORY_TIMES,
    ANNOUNCEMENTS,
    GATE_DECISIONS,
    DEPLOY_VERDICTS,
    BASELINES,
    BASELINE_ROWS,
    PROFILE_SETS,
    PROFILE_ASSIGNMENTS,
    HOST_CONFIGURATIONS,
    ROLLOUTS,
    DISCOVERY,
    DISCOVERY_RULES,
    DEPLOYS,
    FREEZES,
    FREEZE_OVERRIDES,
    TASK_CATALOGUES,
    TASK_ORDERS,
    TASK_HOSTS,
    TASK_OUTPUTS,
    ALERTS,
    ALERT_GROUPS,
    SILENCES,
    ALERT_META,
    NOTICES,
    OUTGOING,
];

/// Where a table of alert lies.
pub(crate) const fn small_table(table: SmallTable) -> Table {
    match table {
        SmallTable::Alerts => ALERTS,
        SmallTable::Groups => ALERT_GROUPS,
        SmallTable::Silences => SILENCES,
        SmallTable::AlertMeta => ALERT_META,
        SmallTable::Notices => NOTICES,
        SmallTable::Outgoing => OUTGOING,
    }
}

/// Rows of [`META`].
pub(crate) mod meta {
    /// u32 LE.
    pub(crate) const FORMAT: &[u8] = b"format";
    /// i64 LE, milliseconds.
    pub(crate) const MADE_MS: &[u8] = b"made_ms";
    /// 16 bytes.
    pub(crate) const OUTBOX_EPOCH: &[u8] = b"outbox_epoch";
    /// u64 LE.
    pub(crate) const OUTBOX_NEXT: &[u8] = b"outbox_next";
    /// u64 LE.
    pub(crate) const OUTBOX_DROPPED: &[u8] = b"outbox_dropped";
    /// u64 LE. Absent: nothing was delivered yet.
    pub(crate) const OUTBOX_DELIVERED: &[u8] = b"outbox_delivered";
    /// Seq u64 LE, hash 32 bytes: the newest row of the audit. Absent: there was none yet.
    pub(crate) const AUDIT_HEAD: &[u8] = b"audit_head";
    /// Seq u64 LE, hash 32 bytes: the newest row of the audit that went. Absent: none did.
    pub(crate) const AUDIT_ANCHOR: &[u8] = b"audit_anchor";
    /// u64 LE: the store's incarnation for which the epoch was made. Absent: not told yet.
    pub(crate) const INCARNATION: &[u8] = b"incarnation";
    /// Generation u64 LE, entry u64 LE. Absent: nothing was applied yet.
    pub(crate) const APPLIED: &[u8] = b"applied";
    /// u64 LE.
    pub(crate) const GAPS_DROPPED: &[u8] = b"gaps_dropped";
    /// u64 LE.
    pub(crate) const LOG_LOSSES_DROPPED: &[u8] = b"log_losses_dropped";
    /// A row: which version of the profiles hosts are on, and the next number of a configuration. Absent: none yet.
    pub(crate) const PROFILES: &[u8] = b"profiles";
    /// A row: the next number of an order of tasks, and whether all are paused. Absent: none yet.
    pub(crate) const TASKS: &[u8] = b"tasks";
    /// A row: the last new incarnation and why it was taken. Absent: never.
    pub(crate) const RESTORED: &[u8] = b"restored";
}

/// One row written or, without a value, removed.
#[derive(Clone)]
pub(crate) struct Put {
    pub table: Table,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

impl Put {
    pub(crate) fn set(table: Table, key: &[u8], value: Vec<u8>) -> Self {
        Self { table, key: key.to_vec(), value: Some(value) }
    }

    pub(crate) fn remove(table: Table, key: &[u8]) -> Self {
        Self { table, key: key.to_vec(), value: None }
    }
}
