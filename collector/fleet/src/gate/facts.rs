//! All that a decision stands on, in whole numbers and texts, so that it is kept with the decision and gives the same one again.

use serde::{Deserialize, Serialize};

use super::compare::Comparison;
use super::verdict::Code;

/// Hosts of one place that are kept. A service on more is judged by those that speak against it, which come first, and by the count of the others.
pub const FACT_HOSTS_MAX: usize = 500;
/// Problems of one place that are kept; of more the count is.
pub const FACT_PROBLEMS_MAX: usize = 50;

/// What is known, at one moment, of what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub asked: Asked,
    /// Whether the service is declared.
    pub is_declared: bool,
    /// When rules were looked at last to the end; `None`: never.
    pub rules_ms: Option<i64>,
    /// Where it is to go.
    pub to: Place,
    /// Where it must have been before.
    pub before: Vec<Before>,
    /// Those that hold now for this service there.
    pub freezes: Vec<Freeze>,
    /// Where some hosts have this version already: they against the others.
    pub canary: Option<Comparison>,
}

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub service: String,
    pub version: String,
    /// The environment that it is to go to.
    pub to: String,
    /// Whether it is to go back to this version.
    pub rollback: bool,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Somebody takes it on themselves.
    pub over: Option<Override>,
}

/// Somebody takes on themselves what speaks against it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// `user:ann`.
    pub by: String,
    pub reason: String,
    /// What it lifts; empty: all that can be lifted.
    #[serde(default)]
    pub codes: Vec<Code>,
}

/// The service in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub env: String,
    pub hosts: Vec<HostFact>,
    /// Hosts beyond [`FACT_HOSTS_MAX`], all of them heard.
    #[serde(default)]
    pub more_hosts: u64,
    /// The version's newest deploy there that has ended.
    pub ended: Option<Ended>,
    pub problems: Vec<Problem>,
    /// Problems beyond [`FACT_PROBLEMS_MAX`].
    #[serde(default)]
    pub more_problems: u64,
}

/// An environment that must have had the version before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub place: Place,
    /// How long it must have been there.
    pub soak_ms: i64,
    /// How it is there; `None`: it never was.
    pub seen: Option<SeenThere>,
    /// Since it came there against before it, on the same hosts.
    pub since: Option<Comparison>,
}

/// How a version is in an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenThere {
    /// Hosts that have it now, of those that the service has there.
    pub hosts: u64,
    pub of_hosts: u64,
    /// Whether all of them had it at once, ever.
    pub was_whole: bool,
    /// How long all of them had it without a break, milliseconds; of several times the longest.
    pub soaked_ms: i64,
}

/// How a deploy ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The deploy's number.
    pub deploy: u64,
    pub at_ms: i64,
    pub how: HowEnded,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HowEnded {
    #[default]
    Ok,
    Failed,
    RolledBack,
}

impl HowEnded {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Ok => "ended ok",
            Self::Failed => "failed",
            Self::RolledBack => "was rolled back",
        }
    }
}

/// A host of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFact {
    pub name: String,
    /// How it is heard: `up`, `silent`, `agent_stopped` ...; empty: not since the collector started.
    pub state: String,
    /// Its newest arrival.
    pub heard_ms: Option<i64>,
}

impl HostFact {
    /// A host that was not heard for so long is not known: `HostSilent` fires after a minute, and one late arrival more is let pass.
    pub const FRESH_MS: i64 = 120_000;

    /// Whether nothing new is known of it: for long nothing came, or it was told that nothing will, since its agent stopped.
    pub fn is_stale(&self, at_ms: i64) -> bool {
        !matches!(self.state.as_str(), "" | "up")
            || self.heard_ms.is_none_or(|ms| at_ms.saturating_sub(ms) > Self::FRESH_MS)
    }
}

/// A problem of one of the hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The alert's name.
    pub name: String,
    /// Empty: of the service as a whole.
    pub host: String,
    pub severity: String,
    pub since_ms: i64,
    /// Why nobody is told of it: `acknowledged`, `silenced`, `in downtime`; empty: people are told.
    #[serde(default)]
    pub held: String,
    /// Path and query of the page where it is seen.
    pub evidence: String,
}

/// A freeze that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Its number, or its name in the file.
    pub id: String,
    pub reason: String,
    pub by: String,
    /// When it ends; `None`: when somebody ends it.
    pub until_ms: Option<i64>,
    /// Who lifted it for this service, and why.
    #[serde(default)]
    pub lifted: Option<Override>,
}
