//! What status tells to whoever makes alerts of it: problems that are hard, what holds them back, and that they ended.
//!
//! A change says how its subject stands now, whole, so that one that is told twice does no harm.

use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::wire::message::Perfdata;
use serde::{Deserialize, Serialize};

use crate::rows::host_id;

/// What a problem is about. Its identity over renaming and relabelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The host itself: it is silent, stopped, booting or unreachable.
    Host {
        #[serde(with = "host_id")]
        host: HostId,
    },
    Check {
        #[serde(with = "host_id")]
        host: HostId,
        check: String,
    },
    /// The collector receives from none of its hosts.
    Fleet,
    /// Health has not returned after this maintenance.
    Maintenance { id: u64 },
}

/// How bad a problem is: the value of label `severity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Unknown,
    Warning,
    Critical,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One subject that has a hard problem, as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub subject: Subject,
    /// The alert's name: the check's, or `HostSilent`, `HostStopped`, `HostRebooting`, `HostUnreachable`, `NothingReceived`,
    /// `MaintenanceNotRecovered`.
    pub name: String,
    pub severity: Severity,
    /// `host`, the host's labels, `check` and the check's labels; neither `alertname` nor `severity`.
    pub labels: LabelSet,
    /// Time of the first bad result of this problem, milliseconds.
    pub since_ms: i64,
    /// Time of the latest result.
    pub at_ms: i64,
    pub output: String,
    pub long_output: String,
    pub perfdata: Vec<Perfdata>,
    /// What to do, as the check's definition says; empty: nothing said.
    pub remedy: String,
    /// One of many whose like come and go (an ephemeral host): worth one notice with the others, not one of its own.
    pub is_one_of_many: bool,
    /// A new bad result of a volatile check: told although nothing changed.
    pub again: bool,
    /// Why it is not to be told; empty: it is.
    pub holds: Vec<Hold>,
}

/// One reason for which a problem is not told, and whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub why: HoldReason,
    /// The downtime's number, the parent's name, who acknowledged; for people.
    pub by: String,
    /// When it ends by itself, milliseconds.
    pub until_ms: Option<i64>,
}

/// Why a problem is not told. A hold hides notices only, never state and never the end of what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// Somebody has taken it: what was told of it is not repeated and nothing new is told until it ends or the acknowledgement does.
    Acknowledged,
    Downtime,
    /// Its host is silent, stopped or unreachable, which is told instead.
    HostAbsent,
    /// A parent that it depends on is bad, or has just recovered and this one has no result since.
    ParentDown,
    /// It changes too often; that it flaps was told once.
    Flapping,
    /// Its host delivers what it gathered while it could not be heard: only the state after that counts.
    CatchingUp,
    /// Its host said that it would be away for a moment.
    ExpectedAbsence,
    /// It was left over by a maintenance, which is told instead.
    Maintenance,
}

impl HoldReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Downtime => "downtime",
            Self::HostAbsent => "host_absent",
            Self::ParentDown => "parent_down",
            Self::Flapping => "flapping",
            Self::CatchingUp => "catching_up",
            Self::ExpectedAbsence => "expected_absence",
            Self::Maintenance => "maintenance",
        }
    }
}

/// How a subject stands now, where that is otherwise than was told last.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusChange {
    /// It has a hard problem: new, worse, better, held, free, or with other words.
    Problem(Condition),
    /// It has none any more.
    Ended { subject: Subject, at_ms: i64, why: EndReason, output: String },
}

/// Why a problem ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    Recovered,
    /// The check is no more.
    Removed,
    /// The host was retired: closed without a notice.
    Retired,
}
