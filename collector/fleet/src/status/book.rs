//! Status of the whole fleet in memory: every check's row, stepped by reports and by time. What a step changes is gathered by
//! [`StatusBook::settle`], which compares how each subject stands with what was told of it last.
//!
//! Nothing here reads a clock or a disk: the rows that [`Outcome`] names become durable together with what they caused.

mod away;
mod clock;
mod load;
mod maintenance;
mod problem;
mod settle;
mod step;
mod view;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::host::HostId;

use super::check_row::{CheckRow, OwnRow};
use super::condition::StatusChange;
use super::downtime::{Downtime, ReadDowntime};
use super::maintenance::Maintenance;
use crate::outbox::Event;
use crate::tables::Put;

pub use view::{CheckCounts, CheckMark, CheckView};
pub(crate) use work::Work;

/// Checks of one host; further ones are counted and not taken. Ten times the most that one machine was seen with.
pub(crate) const CHECKS_MAX: usize = 2_000;
/// Downtimes at a time: each is tried on every problem.
pub(crate) const DOWNTIMES_MAX: usize = 10_000;
/// How long one that is over is known: to who asks how available hosts were in the month of a year ago, and which changes were announced.
pub(crate) const ENDED_DOWNTIMES_KEPT_MS: i64 = 400 * 86_400_000;
/// 25 a day in that time; they are some 4 MB.
pub(crate) const ENDED_DOWNTIMES_MAX: usize = 10_000;
/// Of the fleet's own row.
pub(crate) const FLEET: HostId = HostId([0; 16]);

/// A subject: host and check, the host itself with an empty name, or [`FLEET`].
pub(crate) type Key = (HostId, String);

/// An active host as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostNow {
    pub id: HostId,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// It retires by itself once it is silent for long.
    pub is_ephemeral: bool,
    pub absent: Option<AbsentNow>,
}

/// That a host is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbsentNow {
    pub since_ms: i64,
    pub why: Away,
}

/// Why a host is away, as far as it is known of the host alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Away {
    Silent,
    /// Its agent said that it stops and will not come back by itself.
    Stopped,
    /// Its agent said that the machine boots.
    Rebooting,
}

/// What one step changed, to be made durable in one transaction.
#[derive(Default)]
pub(crate) struct Outcome {
    pub changes: Vec<StatusChange>,
    pub rows: Vec<Put>,
    pub events: Vec<Event>,
    /// Whose view is another: what the rows are of, and what is gone.
    pub moved: BTreeSet<Key>,
}

/// One host with its checks by name.
struct HostBook {
    now: HostNow,
    own: OwnRow,
    checks: BTreeMap<String, CheckRow>,
    /// In no row, since a restart gives every host its time: when it was back from an expected absence.
    resumed: Resumed,
}

/// Whether a host has been back from an expected absence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Resumed {
    #[default]
    Never,
    /// Since the last tick.
    Now,
    At(i64),
}

/// Everything that status knows.
#[derive(Default)]
pub(crate) struct StatusBook {
    hosts: BTreeMap<HostId, HostBook>,
    /// Hosts by folded name, as parents name them.
    names: HashMap<String, HostId>,
    /// Checks, and hosts (with an empty name), by the folded parents that they name.
    children: HashMap<String, BTreeSet<Key>>,
    downtimes: BTreeMap<u64, ReadDowntime>,
    /// Those that were on and are over, for who looks back.
    ended_downtimes: BTreeMap<u64, Downtime>,
    maintenances: BTreeMap<u64, Maintenance>,
    /// Downtimes of maintenances that are not judged: only those end them.
    keeping: BTreeSet<u64>,
    /// What has not returned after which maintenance.
    unreturned: BTreeMap<Key, u64>,
    /// Maintenances whose rows differ from those on disk.
    changed_maintenances: BTreeSet<u64>,
    fleet: OwnRow,
    /// Since when the collector takes what hosts send; `None`: not yet.
    ready_ms: Option<i64>,
    /// Subjects to be compared with what was told of them.
    touched: BTreeSet<Key>,
    /// Rows that differ from those on disk.
    changed: BTreeSet<Key>,
    /// What was gathered since the last settling, beside rows.
    gathered: Outcome,
    /// Reports of checks that were too many, or bore a name of the collector's own.
    pub refused: u64,
    #[cfg(feature = "planted")]
    pub planted: Option<crate::planted::Planted>,
}

impl StatusBook {
    /// From now on the collector takes what hosts send; only the first time counts.
    pub(crate) fn ready(&mut self, now_ms: i64) {
        self.ready_ms.get_or_insert(now_ms);
    }

    /// Takes over what no row holds from the book that this one, read anew, stands for.
    pub(crate) fn go_on(&mut self, before: &Self) {
        (self.ready_ms, self.refused) = (before.ready_ms, before.refused);
        self.go_on_expecting(before);
        #[cfg(feature = "planted")]
        (self.planted = before.planted);
    }

    #[cfg(feature = "planted")]
    fn is_planted(&self, bug: crate::planted::Planted) -> bool {
        self.planted == Some(bug)
    }

    /// Checks that are known.
    pub(crate) fn len(&self) -> usize {
        self.hosts.values().map(|host| host.checks.len()).sum()
    }

    fn check_mut(&mut self, key: &Key) -> Option<&mut CheckRow> {
        self.hosts.get_mut(&key.0)?.checks.get_mut(&key.1)
    }

    fn change(&mut self, key: Key) {
        self.touched.insert(key.clone());
        self.changed.insert(key);
    }
}

/// A parent as it is looked up: names of hosts are told apart without regard to case, those of checks with it.
fn folded_parent(parent: &str) -> String {
    match parent.split_once('/') {
        None => crate::names::folded(parent),
        Some((host, check)) => format!("{}/{check}", crate::names::folded(host)),
    }
}

#[cfg(test)]
mod tests;
