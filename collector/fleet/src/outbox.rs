//! Events and audit: every change of the fleet leaves a row in the transaction that makes it (EXACTLY-ONCE.md rule 21).
//!
//! (epoch, seq) of a row is never used again for other content: the epoch is made once per incarnation of the data folder, and
//! the next seq is a row of `meta` that only grows, so that an outbox that was emptied goes on where it stopped.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use serde::{Deserialize, Serialize};

use crate::audit::{AuditResult, Noted};
use crate::by::By;
use crate::rows::{epoch_hex, host_id_option};

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
    /// Nothing has arrived of a host for too long, and nothing said that it would be so.
    HostSilent,
    /// A host that was silent or stopped is heard again.
    HostReturned,
    /// An agent said that it stops and will not come back by itself.
    AgentStopped,
    /// An agent said that its machine boots.
    HostRebooting,
    /// Another process of the agent on a machine that has not booted.
    AgentRestarted,
    /// Batches that will never come; of log lines it is [`Self::LogLost`].
    Gap,
    /// Log lines will never come: they were gone before they could be read, or their batches are a gap.
    LogLost,
    /// A check's problem counts, became another, or is over; or nothing has come of it for too long.
    CheckState,
    /// A check has begun or ended to change its state too often.
    CheckFlapping,
    Acknowledged,
    Unacknowledged,
    DowntimeSet,
    DowntimeEnded,
    CheckRemoved,
    AlertFiring,
    AlertResolved,
    NoticeMade,
    NoticeSent,
    NoticeFailed,
    SilenceSet,
    SilenceEnded,
    UserMade,
    UserChanged,
    UserRemoved,
    /// A user logged in.
    SessionMade,
    /// A user logged out, or somebody ended the session.
    SessionEnded,
    /// A user did not log in: the name or the password is wrong, or it was tried too often.
    LoginFailed,
    /// A request was refused for who sent it.
    RequestRefused,
    /// A machine was not let in: its token or its key is not good for it.
    EnrolRefused,
    /// The configuration was read anew.
    ConfigReloaded,
    /// Lines are gone from every answer.
    LogsDeleted,
    StoreFlushed,
    /// A message was sent to try a receiver.
    ReceiverTested,
    /// A copy of everything was asked for.
    SnapshotBegun,
    /// A look at what a host has and is found it otherwise than before.
    InventoryChange,
    /// Somebody said that hosts are going to change.
    ChangesAnnounced,
    AnnouncementEnded,
    /// What hosts ought to have was pinned.
    BaselinePinned,
    BaselineUnpinned,
    /// The profiles are another version.
    ProfilesApplied,
    ProfileAssigned,
    ProfileUnassigned,
    /// A configuration broke on a host, which keeps its last good one.
    ConfigurationFailed,
    /// A host is given the configuration again that broke there.
    ConfigurationRetried,
    /// Nobody else gets a version of the profiles: it broke, or somebody stopped it.
    RolloutStopped,
    RolloutResumed,
    RolloutReverted,
    RolloutDone,
    /// Hosts were asked what they have now.
    FleetAsked,
    /// A host has something that it did not have before.
    Discovered,
    /// Something that was accepted is not there any more, and nobody announced that.
    ItemGone,
    ItemReturned,
    ItemAccepted,
    ItemIgnored,
    /// What was accepted is not watched any more.
    ItemArchived,
    DiscoveryRuleSet,
    DiscoveryRuleRemoved,
    /// Whether a version may go to an environment.
    GateDecided,
    /// A version that went out was compared with what was there before, or there is too little to do so.
    DeployVerified,
    /// Somebody said that a deploy has begun.
    DeployStarted,
    /// Somebody said how a deploy ended.
    DeployEnded,
    /// The same on one of its hosts, for whoever looks at that.
    DeployOnHost,
    /// Nobody said how a deploy ended, or another one began on its hosts.
    DeployAbandoned,
    /// A package of a service changed on a host, and no deploy covers that.
    DeployRecognised,
    FreezeSet,
    FreezeEnded,
    /// Somebody lifted a freeze for one service.
    FreezeOverridden,
    /// Work on hosts has begun, or goes on.
    MaintenanceBegun,
    MaintenanceFinished,
    /// Nobody said by its expected end that it is done.
    MaintenanceOverran,
    MaintenanceNotRecovered,
    MaintenanceRecovered,
    /// A newer catalogue of tasks is there.
    TaskCatalogueAdded,
    /// Somebody asked for a task on hosts.
    TaskRequested,
    TaskApproved,
    /// Hosts are given the task.
    TaskBegun,
    /// No host begins until somebody resumes the order.
    TaskPaused,
    TaskResumed,
    /// No host begins any more.
    TaskStopping,
    TaskRollingBack,
    /// An order has ended.
    TaskFinished,
    /// A task did not go well on a host, or the host is not well since.
    TaskFailed,
    /// Nothing is sent to any host, whichever order it is of.
    TasksPaused,
    TasksResumed,
}

/// What an event is about: the value of label `event` of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventClass {
    /// How a host stands.
    State,
    /// A machine or an agent has begun anew.
    Boot,
    /// Somebody or something changed the registry.
    Change,
    /// Something is missing for good.
    Loss,
    /// An alert fires or has ended.
    Alert,
    /// Somebody is told, or could not be.
    Notice,
    /// Something was deployed, or may not be now.
    Deploy,
    /// Hosts are ordered to do something, or have done it.
    Task,
}

impl EventClass {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Boot => "boot",
            Self::Change => "change",
            Self::Loss => "loss",
            Self::Alert => "alert",
            Self::Notice => "notice",
            Self::Deploy => "deploy",
            Self::Task => "task",
        }
    }
}

impl EventKind {
    /// The kind of a stored name.
    pub fn parse(name: &str) -> Option<Self> {
        use serde::de::value::{Error, StrDeserializer};
        let text: StrDeserializer<'_, Error> = serde::de::IntoDeserializer::into_deserializer(name);
        Self::deserialize(text).ok()
    }

    /// Its stored name.
    #[expect(clippy::too_many_lines, reason = "a table: a kind is a line")]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorityMade => "authority_made",
            Self::AuthorityRotated => "authority_rotated",
            Self::TokenMade => "token_made",
            Self::TokenRevoked => "token_revoked",
            Self::HostPending => "host_pending",
            Self::HostEnrolled => "host_enrolled",
            Self::HostApproved => "host_approved",
            Self::HostReplaced => "host_replaced",
            Self::HostRenamed => "host_renamed",
            Self::HostRelabelled => "host_relabelled",
            Self::HostRetired => "host_retired",
            Self::HostQuarantined => "host_quarantined",
            Self::HostBooted => "host_booted",
            Self::HostReverted => "host_reverted",
            Self::MachineChanged => "machine_changed",
            Self::CertificateRenewed => "certificate_renewed",
            Self::CertificateDenied => "certificate_denied",
            Self::StoreRestored => "store_restored",
            Self::HostSilent => "host_silent",
            Self::HostReturned => "host_returned",
            Self::AgentStopped => "agent_stopped",
            Self::HostRebooting => "host_rebooting",
            Self::AgentRestarted => "agent_restarted",
            Self::Gap => "gap",
            Self::LogLost => "log_lost",
            Self::CheckState => "check_state",
            Self::CheckFlapping => "check_flapping",
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::DowntimeSet => "downtime_set",
            Self::DowntimeEnded => "downtime_ended",
            Self::CheckRemoved => "check_removed",
            Self::AlertFiring => "alert_firing",
            Self::AlertResolved => "alert_resolved",
            Self::NoticeMade => "notice_made",
            Self::NoticeSent => "notice_sent",
            Self::NoticeFailed => "notice_failed",
            Self::SilenceSet => "silence_set",
            Self::SilenceEnded => "silence_ended",
            Self::UserMade => "user_made",
            Self::UserChanged => "user_changed",
            Self::UserRemoved => "user_removed",
            Self::SessionMade => "session_made",
            Self::SessionEnded => "session_ended",
            Self::LoginFailed => "login_failed",
            Self::RequestRefused => "request_refused",
            Self::EnrolRefused => "enrol_refused",
            Self::ConfigReloaded => "config_reloaded",
            Self::LogsDeleted => "logs_deleted",
            Self::StoreFlushed => "store_flushed",
            Self::ReceiverTested => "receiver_tested",
            Self::SnapshotBegun => "snapshot_begun",
            Self::InventoryChange => "inventory_change",
            Self::ChangesAnnounced => "changes_announced",
            Self::AnnouncementEnded => "announcement_ended",
            Self::BaselinePinned => "baseline_pinned",
            Self::BaselineUnpinned => "baseline_unpinned",
            Self::ProfilesApplied => "profiles_applied",
            Self::ProfileAssigned => "profile_assigned",
            Self::ProfileUnassigned => "profile_unassigned",
            Self::ConfigurationFailed => "configuration_failed",
            Self::ConfigurationRetried => "configuration_retried",
            Self::RolloutStopped => "rollout_stopped",
            Self::RolloutResumed => "rollout_resumed",
            Self::RolloutReverted => "rollout_reverted",
            Self::RolloutDone => "rollout_done",
            Self::FleetAsked => "fleet_asked",
            Self::Discovered => "discovered",
            Self::ItemGone => "item_gone",
            Self::ItemReturned => "item_returned",
            Self::ItemAccepted => "item_accepted",
            Self::ItemIgnored => "item_ignored",
            Self::ItemArchived => "item_archived",
            Self::DiscoveryRuleSet => "discovery_rule_set",
            Self::DiscoveryRuleRemoved => "discovery_rule_removed",
            Self::GateDecided => "gate_decided",
            Self::DeployVerified => "deploy_verified",
            Self::DeployStarted => "deploy_started",
            Self::DeployEnded => "deploy_ended",
            Self::DeployOnHost => "deploy_on_host",
            Self::DeployAbandoned => "deploy_abandoned",
            Self::DeployRecognised => "deploy_recognised",
            Self::FreezeSet => "freeze_set",
            Self::FreezeEnded => "freeze_ended",
            Self::FreezeOverridden => "freeze_overridden",
            Self::MaintenanceBegun => "maintenance_begun",
            Self::MaintenanceFinished => "maintenance_finished",
            Self::MaintenanceOverran => "maintenance_overran",
            Self::MaintenanceNotRecovered => "maintenance_not_recovered",
            Self::MaintenanceRecovered => "maintenance_recovered",
            Self::TaskCatalogueAdded => "task_catalogue_added",
            Self::TaskRequested => "task_requested",
            Self::TaskApproved => "task_approved",
            Self::TaskBegun => "task_begun",
            Self::TaskPaused => "task_paused",
            Self::TaskResumed => "task_resumed",
            Self::TaskStopping => "task_stopping",
            Self::TaskRollingBack => "task_rolling_back",
            Self::TaskFinished => "task_finished",
            Self::TaskFailed => "task_failed",
            Self::TasksPaused => "tasks_paused",
            Self::TasksResumed => "tasks_resumed",
        }
    }

    pub const fn class(self) -> EventClass {
        match self {
            Self::HostSilent
            | Self::HostReturned
            | Self::AgentStopped
            | Self::HostRebooting
            | Self::CheckState
            | Self::CheckFlapping
            | Self::Acknowledged
            | Self::Unacknowledged
            | Self::DowntimeSet
            | Self::DowntimeEnded
            | Self::MaintenanceBegun
            | Self::MaintenanceFinished
            | Self::MaintenanceOverran
            | Self::MaintenanceNotRecovered
            | Self::MaintenanceRecovered
            | Self::ConfigurationFailed
            | Self::RolloutStopped
            | Self::RolloutResumed
            | Self::RolloutDone
            | Self::CheckRemoved => EventClass::State,
            Self::AlertFiring | Self::AlertResolved => EventClass::Alert,
            Self::NoticeMade | Self::NoticeSent | Self::NoticeFailed => EventClass::Notice,
            Self::GateDecided
            | Self::DeployVerified
            | Self::DeployStarted
            | Self::DeployEnded
            | Self::DeployOnHost
            | Self::DeployAbandoned
            | Self::DeployRecognised
            | Self::FreezeSet
            | Self::FreezeEnded
            | Self::FreezeOverridden => EventClass::Deploy,
            Self::HostBooted | Self::AgentRestarted => EventClass::Boot,
            Self::StoreRestored | Self::HostReverted | Self::Gap | Self::LogLost => EventClass::Loss,
            Self::TaskCatalogueAdded
            | Self::TaskRequested
            | Self::TaskApproved
            | Self::TaskBegun
            | Self::TaskPaused
            | Self::TaskResumed
            | Self::TaskStopping
            | Self::TaskRollingBack
            | Self::TaskFinished
            | Self::TaskFailed
            | Self::TasksPaused
            | Self::TasksResumed => EventClass::Task,
            _ => EventClass::Change,
        }
    }
}

/// One row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub seq: u64,
    /// The outbox's when it was made: (epoch, seq) names this event and no other.
    #[serde(with = "epoch_hex")]
    pub epoch: Epoch,
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
    /// Who did it: `user:ann`, `token:3f2a`, `agent`, `muster`.
    pub by: String,
    pub fields: BTreeMap<String, String>,
    /// What makes it a row of the audit too; of an event that is read back: `None`.
    #[serde(skip)]
    pub(crate) noted: Option<Noted>,
}

impl Event {
    /// An event whose epoch and seq are taken in its transaction.
    pub(crate) fn new(kind: EventKind, by: &By, now: Timestamp, text: String) -> Self {
        Self {
            seq: 0,
            epoch: Epoch::NONE,
            ms: now.millis(),
            kind,
            host: None,
            host_name: String::new(),
            text,
            by: by.to_string(),
            fields: BTreeMap::new(),
            noted: by.source().map(|source| Noted { source: source.to_owned(), result: AuditResult::Done }),
        }
    }

    pub(crate) fn of(mut self, host: HostId, name: &str) -> Self {
        self.host = Some(host);
        name.clone_into(&mut self.host_name);
        self
    }

    /// What it was done to, in a word or two.
    pub(crate) fn object(&self) -> String {
        let check = self.fields.get("check").filter(|check| !check.is_empty());
        match (self.host_name.as_str(), check) {
            ("", _) => OBJECTS.iter().find_map(|name| self.fields.get(*name)).cloned().unwrap_or_default(),
            (host, None) => host.to_owned(),
            (host, Some(check)) => format!("{host}/{check}"),
        }
    }

    pub(crate) fn with(mut self, field: &str, value: impl Into<String>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}

/// The fields that name what an event is about, where that is no host.
const OBJECTS: [&str; 14] = [
    "order",
    "object",
    "user",
    "session",
    "token",
    "silence",
    "downtime",
    "maintenance",
    "announcement",
    "baseline",
    "deploy",
    "freeze",
    "version",
    "serial",
];

/// How far the outbox is, as `meta` keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxState {
    pub epoch: Epoch,
    /// What the next row gets. Starts at 1.
    pub next_seq: u64,
    pub rows: u64,
    /// Every row up to this seq is in the store.
    pub delivered: u64,
    /// Rows dropped before they were delivered because the outbox was full, since the data folder was made.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table: a kind is a line")]
    fn names_and_classes_of_kinds_are_as_stored() {
        for (kind, name, class) in [
            (EventKind::HostSilent, "host_silent", "state"),
            (EventKind::CheckState, "check_state", "state"),
            (EventKind::CheckFlapping, "check_flapping", "state"),
            (EventKind::Acknowledged, "acknowledged", "state"),
            (EventKind::Unacknowledged, "unacknowledged", "state"),
            (EventKind::DowntimeSet, "downtime_set", "state"),
            (EventKind::DowntimeEnded, "downtime_ended", "state"),
            (EventKind::CheckRemoved, "check_removed", "state"),
            (EventKind::AlertFiring, "alert_firing", "alert"),
            (EventKind::AlertResolved, "alert_resolved", "alert"),
            (EventKind::NoticeMade, "notice_made", "notice"),
            (EventKind::NoticeSent, "notice_sent", "notice"),
            (EventKind::NoticeFailed, "notice_failed", "notice"),
            (EventKind::TaskCatalogueAdded, "task_catalogue_added", "task"),
            (EventKind::TaskRequested, "task_requested", "task"),
            (EventKind::TaskApproved, "task_approved", "task"),
            (EventKind::TaskBegun, "task_begun", "task"),
            (EventKind::TaskPaused, "task_paused", "task"),
            (EventKind::TaskResumed, "task_resumed", "task"),
            (EventKind::TaskStopping, "task_stopping", "task"),
            (EventKind::TaskRollingBack, "task_rolling_back", "task"),
            (EventKind::TaskFinished, "task_finished", "task"),
            (EventKind::TaskFailed, "task_failed", "task"),
            (EventKind::TasksPaused, "tasks_paused", "task"),
            (EventKind::TasksResumed, "tasks_resumed", "task"),
            (EventKind::SilenceSet, "silence_set", "change"),
            (EventKind::ChangesAnnounced, "changes_announced", "change"),
            (EventKind::AnnouncementEnded, "announcement_ended", "change"),
            (EventKind::BaselinePinned, "baseline_pinned", "change"),
            (EventKind::BaselineUnpinned, "baseline_unpinned", "change"),
            (EventKind::ProfilesApplied, "profiles_applied", "change"),
            (EventKind::ProfileAssigned, "profile_assigned", "change"),
            (EventKind::ProfileUnassigned, "profile_unassigned", "change"),
            (EventKind::ConfigurationFailed, "configuration_failed", "state"),
            (EventKind::ConfigurationRetried, "configuration_retried", "change"),
            (EventKind::RolloutStopped, "rollout_stopped", "state"),
            (EventKind::RolloutResumed, "rollout_resumed", "state"),
            (EventKind::RolloutReverted, "rollout_reverted", "change"),
            (EventKind::RolloutDone, "rollout_done", "state"),
            (EventKind::FleetAsked, "fleet_asked", "change"),
            (EventKind::Discovered, "discovered", "change"),
            (EventKind::ItemGone, "item_gone", "change"),
            (EventKind::ItemReturned, "item_returned", "change"),
            (EventKind::ItemAccepted, "item_accepted", "change"),
            (EventKind::ItemIgnored, "item_ignored", "change"),
            (EventKind::ItemArchived, "item_archived", "change"),
            (EventKind::DiscoveryRuleSet, "discovery_rule_set", "change"),
            (EventKind::DiscoveryRuleRemoved, "discovery_rule_removed", "change"),
            (EventKind::GateDecided, "gate_decided", "deploy"),
            (EventKind::DeployVerified, "deploy_verified", "deploy"),
            (EventKind::DeployStarted, "deploy_started", "deploy"),
            (EventKind::DeployEnded, "deploy_ended", "deploy"),
            (EventKind::DeployOnHost, "deploy_on_host", "deploy"),
            (EventKind::DeployAbandoned, "deploy_abandoned", "deploy"),
            (EventKind::DeployRecognised, "deploy_recognised", "deploy"),
            (EventKind::FreezeSet, "freeze_set", "deploy"),
            (EventKind::FreezeEnded, "freeze_ended", "deploy"),
            (EventKind::FreezeOverridden, "freeze_overridden", "deploy"),
            (EventKind::MaintenanceBegun, "maintenance_begun", "state"),
            (EventKind::MaintenanceFinished, "maintenance_finished", "state"),
            (EventKind::MaintenanceOverran, "maintenance_overran", "state"),
            (EventKind::MaintenanceNotRecovered, "maintenance_not_recovered", "state"),
            (EventKind::MaintenanceRecovered, "maintenance_recovered", "state"),
            (EventKind::SilenceEnded, "silence_ended", "change"),
            (EventKind::UserMade, "user_made", "change"),
            (EventKind::UserChanged, "user_changed", "change"),
            (EventKind::UserRemoved, "user_removed", "change"),
            (EventKind::SessionMade, "session_made", "change"),
            (EventKind::SessionEnded, "session_ended", "change"),
            (EventKind::LoginFailed, "login_failed", "change"),
            (EventKind::RequestRefused, "request_refused", "change"),
            (EventKind::EnrolRefused, "enrol_refused", "change"),
            (EventKind::ConfigReloaded, "config_reloaded", "change"),
            (EventKind::LogsDeleted, "logs_deleted", "change"),
            (EventKind::StoreFlushed, "store_flushed", "change"),
            (EventKind::ReceiverTested, "receiver_tested", "change"),
            (EventKind::SnapshotBegun, "snapshot_begun", "change"),
            (EventKind::InventoryChange, "inventory_change", "change"),
        ] {
            assert_eq!((kind.as_str(), kind.class().as_str()), (name, class));
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }
}
