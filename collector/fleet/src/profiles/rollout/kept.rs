//! What is kept of a roll-out, and what hosts say.

use muster_common::host::HostId;
use muster_common::wire::message as wire;
use serde::{Deserialize, Serialize};

use crate::profiles::compose::ConfigurationDigest;
use crate::rows::host_id;

/// How a roll-out stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    Running,
    /// Nobody else gets the new document until somebody resumes or reverts it.
    Stopped,
    Done,
    /// A newer version took over.
    Superseded,
    /// What was before is in force again.
    Reverted,
}

impl RolloutState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Superseded => "superseded",
            Self::Reverted => "reverted",
        }
    }

    pub(in crate::profiles) const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Stopped)
    }
}

/// A host on which the new document broke; it has its last good one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedHost {
    #[serde(with = "host_id")]
    pub host: HostId,
    pub problem: String,
    pub at_ms: i64,
}

/// A roll-out as it is kept: table `rollouts`, key the version that it brings. Who has what is in the rows of hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The version of the set that it brings, which is its number.
    pub target: u64,
    /// What hosts have that did not get it yet, unless an earlier roll-out gave them another.
    pub base: u64,
    pub state: RolloutState,
    /// 0: one host, 1: 5 %, 2: all.
    pub wave: u8,
    /// Failures of this wave since it began or was resumed.
    pub wave_failed: u64,
    /// Why it is stopped or was ended; empty: it is not.
    pub reason: String,
    pub by: String,
    pub begun_ms: i64,
    /// When state or wave changed last.
    pub changed_ms: i64,
    /// Hosts whose document changes.
    pub hosts: u64,
    /// Of those, the ones that have it, so far or at the end.
    pub good: u64,
    /// The first 1,000.
    pub failed: Vec<FailedHost>,
}

/// What a host is to say of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::profiles) struct Expected {
    pub(in crate::profiles) digest: ConfigurationDigest,
}

/// How a host says that a document stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigurationWord {
    /// None was offered yet.
    None,
    InForce,
    /// It runs, and is not confirmed yet.
    Trial,
    Refused,
    /// It ran and broke; the last good one is in force.
    Reverted,
    /// The host's own file takes none.
    Disabled,
}

impl From<wire::ConfigurationWord> for ConfigurationWord {
    fn from(word: wire::ConfigurationWord) -> Self {
        match word {
            wire::ConfigurationWord::None => Self::None,
            wire::ConfigurationWord::InForce => Self::InForce,
            wire::ConfigurationWord::Trial => Self::Trial,
            wire::ConfigurationWord::Refused => Self::Refused,
            wire::ConfigurationWord::Reverted => Self::Reverted,
            wire::ConfigurationWord::Disabled => Self::Disabled,
        }
    }
}

impl ConfigurationWord {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InForce => "in force",
            Self::Trial => "on trial",
            Self::Refused => "refused",
            Self::Reverted => "reverted",
            Self::Disabled => "disabled",
        }
    }
}

/// What a host told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::profiles) struct Told<'a> {
    pub(in crate::profiles) word: ConfigurationWord,
    pub(in crate::profiles) in_force: ConfigurationDigest,
    pub(in crate::profiles) offered: ConfigurationDigest,
    pub(in crate::profiles) problems: &'a [String],
}

impl Told<'_> {
    pub(super) fn is_in_force(&self, expected: Expected) -> bool {
        // Of an empty document there is none in force.
        matches!(self.word, ConfigurationWord::InForce | ConfigurationWord::None) && self.in_force == expected.digest
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::profiles) enum Stage {
    Waiting,
    /// It was given the document.
    Released,
    Good,
    /// It was set back.
    Failed,
}
