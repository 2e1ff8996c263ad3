//! The values that the stages hand on: alerts, why one is held, and notices.

use std::collections::BTreeMap;
use std::fmt;

use muster_common::label::LabelSet;
use muster_fleet::status::{HoldReason, Subject};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// What makes an alert the same one: its labels (rules, pushed), or its subject (checks and hosts, whose labels may change under it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AlertId(pub u128);

impl AlertId {
    /// Of an alert that is its label set.
    pub fn of_labels(labels: &LabelSet) -> Self {
        Self(labels.id().0)
    }

    /// Of a check's or a host's alert.
    pub fn of_subject(subject: &Subject) -> Self {
        let number;
        let (kind, host, check): (u8, &[u8], &str) = match subject {
            Subject::Host { host } => (b'h', &host.0, ""),
            Subject::Check { host, check } => (b'c', &host.0, check),
            Subject::Fleet => (b'f', &[], ""),
            Subject::Maintenance { id } => {
                number = id.to_be_bytes();
                (b'm', &number, "")
            }
        };
        // No label set begins with these bytes.
        let mut bytes = vec![0xff, kind];
        bytes.extend_from_slice(host);
        bytes.extend_from_slice(check.as_bytes());
        Self(xxh3_128(&bytes))
    }
}

/// 16 hexadecimal digits of it, as Alertmanager's API names an alert.
impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", (self.0 >> 64) as u64)
    }
}

/// Where an alert comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A rule of a rule file.
    Rule { file: String, group: String, rule: String },
    /// A check or a host.
    Status(Subject),
    /// Alertmanager's API.
    Pushed { by: String },
}

/// A firing alert as it stands, or one that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub id: AlertId,
    /// With `alertname` and, where it has one, `severity`.
    pub labels: LabelSet,
    /// `summary`, `description`, `runbook_url`, ...: texts with their templates filled.
    pub annotations: BTreeMap<String, String>,
    pub origin: Origin,
    /// Since when the condition holds (before `for`), milliseconds.
    pub active_ms: i64,
    /// Since when it fires.
    pub starts_ms: i64,
    /// When it ended; `None`: it fires.
    pub ends_ms: Option<i64>,
    pub updated_ms: i64,
    /// The expression's value when it was updated.
    pub value: Option<f64>,
    /// The expression that fires, for plots and for links; empty: none.
    pub expression: String,
    /// A volatile check's new result: a notice is due although nothing else changed.
    pub again: bool,
    /// Why its source does not want it told.
    pub holds: Vec<Held>,
    /// Closed without a word: its host is retired.
    pub is_quiet_end: bool,
    /// One of many whose like come and go: never opens an incident of its own, but is told in the receiver's common one.
    pub is_one_of_many: bool,
}

impl Alert {
    pub fn is_firing(&self) -> bool {
        self.ends_ms.is_none()
    }

    pub fn name(&self) -> &str {
        self.labels.get("alertname").unwrap_or_default()
    }

    pub fn severity(&self) -> &str {
        self.labels.get("severity").unwrap_or_default()
    }
}

/// What the sources of alerts tell the dispatcher.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertChange {
    /// It fires: new, or with another severity, other words, other holds.
    Firing(Box<Alert>),
    /// It ended; of one that is not known nothing follows.
    Ended { id: AlertId, at_ms: i64, why: &'static str, is_quiet: bool },
}

/// Why an alert is not told now, and who or what says so: what `muster route explain` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub why: HeldReason,
    /// A silence's id, the inhibiting alert, a mute time's name, a downtime's or a maintenance's number, a parent, a person.
    pub by: String,
    pub until_ms: Option<i64>,
}

/// All reasons for which an alert is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// What status says.
    Status(HoldReason),
    Inhibited,
    /// A mute time interval of its route is on, or none of its active ones is.
    MuteTime,
    Silenced,
    /// Its data may be missing since its host said that it would be away, or since the collector has just started.
    NoData,
}

impl HeldReason {
    /// As answers and pages name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status(reason) => reason.as_str(),
            Self::Inhibited => "inhibited",
            Self::MuteTime => "mute_time",
            Self::Silenced => "silenced",
            Self::NoData => "no_data",
        }
    }
}

/// Why a notice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The first of its incident.
    Opened,
    /// More alerts, or worse ones.
    Worse,
    /// Fewer or better ones, others go on.
    Better,
    /// Nothing changed for the route's repeat interval.
    Repeat,
    /// All that was told has ended.
    Resolved,
}

/// What one receiver is told at one time: the members of one group that changed, and those that go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Rises by one; never used twice in a data folder's incarnation.
    pub id: u64,
    /// The notice with which the incident began: its own id, or the one that later notices refer to.
    pub incident: u64,
    pub kind: NoticeKind,
    pub receiver: String,
    /// Of the route and the group's labels; stable over restarts.
    pub group_key: String,
    pub group_labels: LabelSet,
    /// When it was decided.
    pub at_ms: i64,
    /// Firing members that are told, those that began first first.
    pub firing: Vec<Alert>,
    /// Members that were told to this receiver and have ended since.
    pub resolved: Vec<Alert>,
}
