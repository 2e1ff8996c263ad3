//! What may be behind a problem: deploys and changes before its onset, the likeliest first, and what affected hosts have that others have not.
//!
//! [`rank`] and [`contrast`] decide over values in memory; `gather` reads these of the fleet. Both are hints: a rank says what to look at first
//! and why, a separator is told only where chance is no good explanation.

pub(crate) mod chance;
mod contrast;
mod deployed;
mod gather;
mod rank;
#[cfg(test)]
mod tests;
mod tokens;
#[cfg(any(test, feature = "planted"))]
pub mod world;

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::inventory::{Row, Table, Value};

pub use self::contrast::{CHANCE_MAX, Separator, Trait, contrast};
pub use self::deployed::{DeployBefore, DeploySuspect};
pub use self::gather::SuspectsFound;
pub use self::rank::{HALF_LIFE_MS, rank};
use crate::inventory::InventoryChange;

/// How long before the onset a change may lie.
pub const BEFORE_MS: i64 = 24 * 3_600_000;
/// How long before the onset it counts on how many hosts a thing changed: a weekly round over the fleet is seen whole.
pub const SPREAD_MS: i64 = 7 * 24 * 3_600_000;

/// What is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Onset {
    /// The first bad result, milliseconds since 1970.
    pub at_ms: i64,
    /// Hosts that have the problem.
    pub affected: Vec<HostId>,
    /// Hosts that the problem's parents are on.
    pub near: Vec<HostId>,
    /// The alert's own words: names of alert and check, labels of units, mounts, ports, metrics of its expression.
    pub names: Vec<String>,
    /// What was said of the problem: outputs, summaries. Weaker, since it has many words.
    pub output: Vec<String>,
}

/// What is known of the fleet beside the changes that are judged.
#[derive(Clone, Debug, Default)]
pub struct FleetFacts {
    /// Hosts whose inventory is known.
    pub hosts: usize,
    pub names: BTreeMap<HostId, String>,
    /// By [`thing_of`]: on which hosts the same thing changed within [`SPREAD_MS`] before the onset.
    pub changed_on: BTreeMap<(u8, Row), BTreeSet<HostId>>,
    /// By table and [`essence`] of the row after the change: which hosts have that row now.
    pub have_now: BTreeMap<(u8, Row), BTreeSet<HostId>>,
}

/// What may be behind the problem; a change that several hosts have alike is one suspect.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    pub behind: Behind,
    /// Of those asked about, all that have it.
    pub hosts: Vec<HostId>,
    /// From 0 to 1, to compare suspects of one problem with; not a probability.
    pub score: f64,
    /// The score in words: `4 min before, only on this host, names nginx`.
    pub why: String,
}

/// A change, or a deploy with the changes of packages that it is known by.
#[derive(Clone, Debug, PartialEq)]
pub enum Behind {
    /// The one of those alike that came about closest before the onset.
    Change(InventoryChange),
    Deploy(DeploySuspect),
}

impl Suspect {
    /// What happened: `package nginx 1 -> 2`, `deploy 7 of shop 1.1 to staging began`.
    pub fn words(&self) -> &str {
        match &self.behind {
            Behind::Change(change) => &change.words,
            Behind::Deploy(deploy) => &deploy.words,
        }
    }

    /// Between which moments, milliseconds since 1970.
    pub fn times(&self) -> (i64, i64) {
        match &self.behind {
            Behind::Change(change) => (change.since_ms, change.at_ms),
            Behind::Deploy(deploy) => (deploy.since_ms, deploy.at_ms),
        }
    }

    /// False: only columns changed that change all the time.
    pub fn is_news(&self) -> bool {
        match &self.behind {
            Behind::Change(change) => change.is_news,
            Behind::Deploy(_) => true,
        }
    }

    /// Path and query of the page where a deploy is seen; `None`: it is a change.
    pub fn page(&self) -> Option<String> {
        match &self.behind {
            Behind::Change(_) => None,
            Behind::Deploy(deploy) => Some(deploy.page()),
        }
    }
}

/// Which thing a change is of: table and key.
pub fn thing_of(change: &InventoryChange) -> (u8, Row) {
    (change.table.number, change.key.clone())
}

/// A row without what changes all the time: equal ones are the same thing in the same version.
pub fn essence(table: &Table, row: &[Value]) -> Row {
    let keep = |(at, value): (usize, &Value)| if table.is_quiet(at) { Value::Null } else { value.clone() };
    row.iter().enumerate().map(keep).collect()
}
