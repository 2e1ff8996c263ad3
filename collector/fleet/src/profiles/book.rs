//! Profiles and configurations in memory: read at opening, and changed together with the file.
//!
//! Between a change and its commit, and after one that failed, it differs from the file; what is given to hosts ([`ProfileBook::offer`]) is only
//! what is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use muster_common::host::HostId;

use super::bounds::VERSIONS_KEPT;
use super::compose::{Composed, ConfigurationDigest};
use super::rollout::{Expected, Machine, Rollout, Stage, Told};
use super::rows::{Assignment, HostRow, Numbers, Part, ToldRow, assignment_key, split_key, unpack_set};
use super::set::{Set, SharedSet};
use crate::rows::{decode, encode};
use crate::state::Pair;
use crate::tables::{HOST_CONFIGURATIONS, PROFILE_ASSIGNMENTS, Put, Table};

/// What a restore skips: a hundred changes of all of 10,000 hosts since the copy was made.
const RESTORED_SKIP: u64 = 1_000_000;

/// A version in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileVersion {
    pub version: u64,
    pub made_ms: i64,
    pub by: String,
    pub reason: String,
    pub profiles: u64,
}

/// What a host is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) number: u64,
    pub(super) digest: ConfigurationDigest,
    pub(super) document: Arc<str>,
}

/// A host's document without the parts that are made again when somebody asks.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) digest: ConfigurationDigest,
    pub(super) document: Arc<str>,
    pub(super) profiles: Vec<String>,
    pub(super) fits: Vec<String>,
    pub(super) problems: Vec<String>,
}

#[derive(Default)]
pub(super) struct Entry {
    pub(super) row: HostRow,
    /// `None`: not composed by this process yet.
    pub(super) kept: Option<Kept>,
}

/// What a host told of itself since the last step.
#[derive(Default)]
pub(super) struct Queued {
    /// Its session, and whether it takes configurations.
    pub(super) session: Option<Option<bool>>,
    pub(super) told: Option<ToldRow>,
    pub(super) is_gone: bool,
}

/// All of it.
pub(crate) struct ProfileBook {
    pub(super) current: SharedSet,
    /// Versions that hosts are on, the settled and the current one among them.
    pub(super) sets: BTreeMap<u64, SharedSet>,
    pub(super) versions: BTreeMap<u64, ProfileVersion>,
    pub(super) assignments: BTreeMap<HostId, BTreeMap<String, Assignment>>,
    pub(super) hosts: BTreeMap<HostId, Entry>,
    pub(super) numbers: Numbers,
    /// By target. The one of `machine` is the machine's.
    pub(super) rollouts: BTreeMap<u64, Rollout>,
    /// The open roll-out.
    pub(super) machine: Option<Machine>,
    /// Connected hosts, and whether they take configurations.
    pub(super) sessions: BTreeMap<HostId, bool>,
    /// Hosts to be composed anew.
    pub(super) marked: BTreeSet<HostId>,
    /// All are, since this process began or since a roll-out ended.
    pub(super) all_marked: bool,
    pub(super) queue: BTreeMap<HostId, Queued>,
    /// What hosts told this process last.
    pub(super) told: BTreeMap<HostId, ToldRow>,
    offers: HashMap<HostId, Offer>,
    due: BTreeSet<HostId>,
    documents: HashMap<ConfigurationDigest, Weak<str>>,
    /// Counted by this process.
    pub(super) composed: u64,
    pub(super) failed: u64,
}

/// The tables as they were read.
#[derive(Default)]
pub(crate) struct ProfileRows {
    pub(crate) numbers: Option<Vec<u8>>,
    pub(crate) sets: Vec<Pair>,
    pub(crate) assignments: Vec<Pair>,
    pub(crate) hosts: Vec<Pair>,
    pub(crate) rollouts: Vec<Pair>,
}

/// The table, the key and what is wrong with the row.
type Damage = (Table, Vec<u8>, String);

impl ProfileBook {
    /// Reads the tables.
    ///
    /// # Errors
    /// The row that cannot be read.
    pub(crate) fn load(rows: ProfileRows) -> Result<Self, Damage> {
        let mut book = Self::empty();
        if let Some(bytes) = &rows.numbers {
            let key = crate::tables::meta::PROFILES;
            book.numbers = decode(bytes).map_err(|what| (crate::tables::META, key.to_vec(), what))?;
        }
        for (key, value) in rows.assignments {
            let read = split_key(&key).and_then(|(host, _)| Ok((host, decode::<Assignment>(&value)?)));
            let (host, row) = read.map_err(|what| (PROFILE_ASSIGNMENTS, key.clone(), what))?;
            book.assignments.entry(host).or_default().insert(row.profile.clone(), row);
        }
        for (key, value) in rows.hosts {
            let read = split_key(&key).and_then(|(host, _)| Ok((host, decode::<HostRow>(&value)?)));
            let (host, row) = read.map_err(|what| (HOST_CONFIGURATIONS, key.clone(), what))?;
            book.hosts.insert(host, Entry { row, kept: None });
        }
        for (key, value) in rows.rollouts {
            let row: Rollout = decode(&value).map_err(|what| (crate::tables::ROLLOUTS, key.clone(), what))?;
            book.rollouts.insert(row.target, row);
        }
        let newest = rows.sets.len().saturating_sub(1);
        let used = book.used_versions();
        for (place, (key, value)) in rows.sets.into_iter().enumerate() {
            let set = unpack_set(&value).map_err(|what| (crate::tables::PROFILE_SETS, key, what))?;
            let version = set.version;
            book.versions.insert(version, head(&set));
            if used.contains(&version) || place == newest {
                let set: SharedSet = Arc::new(Set::of(set));
                book.current = Arc::clone(&set);
                book.sets.insert(version, set);
            }
        }
        Ok(book)
    }

    fn empty() -> Self {
        let none: SharedSet = Arc::default();
        Self {
            current: Arc::clone(&none),
            sets: BTreeMap::from([(0, none)]),
            versions: BTreeMap::new(),
            assignments: BTreeMap::new(),
            hosts: BTreeMap::new(),
            numbers: Numbers::default(),
            rollouts: BTreeMap::new(),
            machine: None,
            sessions: BTreeMap::new(),
            marked: BTreeSet::new(),
            all_marked: true,
            queue: BTreeMap::new(),
            told: BTreeMap::new(),
            offers: HashMap::new(),
            due: BTreeSet::new(),
            documents: HashMap::new(),
            composed: 0,
            failed: 0,
        }
    }

    /// Goes on where another left off that the file was read anew after.
    pub(crate) fn go_on(&mut self, before: &mut Self) {
        self.sessions = std::mem::take(&mut before.sessions);
        self.queue = std::mem::take(&mut before.queue);
        self.told = std::mem::take(&mut before.told);
        self.offers = std::mem::take(&mut before.offers);
        self.due = std::mem::take(&mut before.due);
        self.documents = std::mem::take(&mut before.documents);
        (self.composed, self.failed) = (before.composed, before.failed);
    }

    /// Another data folder may have given out numbers that this one does not know of: hosts look at what they refused again under a higher one only.
    pub(crate) fn skip_numbers(&mut self) -> Put {
        self.numbers.next += RESTORED_SKIP;
        Put::set(crate::tables::META, crate::tables::meta::PROFILES, encode(&self.numbers))
    }

    /// Versions that must not go: what hosts are on or will be set back to.
    pub(super) fn used_versions(&self) -> BTreeSet<u64> {
        let of = |entry: &Entry| entry.row.version.into_iter().chain(entry.row.part.map(|part| part.from));
        let open = self.rollouts.values().filter(|row| row.state.is_open()).flat_map(|row| [row.target, row.base]);
        self.hosts.values().flat_map(of).chain(open).chain([self.numbers.settled, self.current.row.version]).collect()
    }

    /// Versions beyond those that are kept.
    pub(super) fn old_versions(&self) -> Vec<u64> {
        let over = self.versions.len().saturating_sub(VERSIONS_KEPT);
        if over == 0 {
            return Vec::new();
        }
        let used = self.used_versions();
        self.versions.keys().take(over).filter(|version| !used.contains(version)).copied().collect()
    }

    /// The set that a host's document is composed of.
    pub(super) fn set_of(&self, host: HostId) -> SharedSet {
        let version = self.hosts.get(&host).and_then(|entry| entry.row.version).unwrap_or(self.numbers.settled);
        self.sets.get(&version).map_or_else(|| Arc::clone(&self.current), Arc::clone)
    }

    /// The set of an open roll-out.
    pub(super) fn target(&self) -> Option<SharedSet> {
        let target = self.machine.as_ref()?.row.target;
        self.sets.get(&target).map(Arc::clone)
    }

    /// The open roll-out as a machine, which a process that has just begun makes of its rows.
    pub(super) fn machine(&mut self, now_ms: i64) -> Option<&mut Machine> {
        if self.machine.is_none() {
            let row = self.rollouts.values().find(|row| row.state.is_open())?.clone();
            let members =
                self.hosts.iter().filter_map(|(host, entry)| entry.row.part.map(|part| (*host, part.stage, part.wave)));
            let connected = self.able_hosts();
            self.machine = Some(Machine::new(row, members, connected, now_ms.saturating_add(super::rollout::SOAK_MS)));
        }
        self.machine.as_mut()
    }

    /// Connected hosts that take configurations.
    pub(super) fn able_hosts(&self) -> BTreeSet<HostId> {
        self.sessions.iter().filter(|(_, reads)| **reads).map(|(host, _)| *host).collect()
    }

    pub(super) fn part(&self, host: HostId) -> Option<Part> {
        self.hosts.get(&host).and_then(|entry| entry.row.part)
    }

    /// One text for all hosts that have it.
    pub(super) fn keep(&mut self, composed: Composed) -> Kept {
        let Composed { document, digest, profiles, fits, problems, .. } = composed;
        let known = self.documents.get(&digest).and_then(Weak::upgrade);
        let document = known.unwrap_or_else(|| {
            // Those that nobody has any more go, now and then.
            if self.documents.len() > 2 * self.hosts.len() + 64 {
                self.documents.retain(|_, document| document.strong_count() > 0);
            }
            let document: Arc<str> = document.into();
            self.documents.insert(digest, Arc::downgrade(&document));
            document
        });
        self.composed += 1;
        Kept { digest, document, profiles, fits, problems }
    }

    pub(super) fn offer(&self, host: HostId) -> Option<&Offer> {
        self.offers.get(&host)
    }

    /// What was made durable is given to hosts from now on. The answer is whether any of it is new.
    pub(super) fn publish(&mut self, offers: Vec<(HostId, Offer)>) -> bool {
        let before = self.due.len();
        for (host, offer) in offers {
            if self.offers.get(&host) != Some(&offer) {
                self.offers.insert(host, offer);
                self.due.insert(host);
            }
        }
        self.due.len() > before
    }

    pub(super) fn take_due(&mut self) -> Vec<HostId> {
        std::mem::take(&mut self.due).into_iter().collect()
    }

    pub(crate) fn mark(&mut self, hosts: impl IntoIterator<Item = HostId>) {
        self.marked.extend(hosts);
    }

    /// The rows that go with a host.
    pub(crate) fn removals(&self, host: HostId) -> Vec<Put> {
        let assigned = self.assignments.get(&host).into_iter().flat_map(BTreeMap::keys);
        let mut puts: Vec<Put> =
            assigned.map(|name| Put::remove(PROFILE_ASSIGNMENTS, &assignment_key(host, name))).collect();
        puts.extend(self.hosts.contains_key(&host).then(|| Put::remove(HOST_CONFIGURATIONS, &host.0)));
        puts
    }

    /// Forgets hosts; an open roll-out is told at the next step.
    pub(crate) fn forget(&mut self, hosts: &[HostId]) {
        for host in hosts {
            self.assignments.remove(host);
            self.hosts.remove(host);
            self.sessions.remove(host);
            self.marked.remove(host);
            self.offers.remove(host);
            self.due.remove(host);
            self.queue.insert(*host, Queued { is_gone: true, ..Queued::default() });
        }
    }
}

pub(super) fn head(set: &super::set::ProfileSet) -> ProfileVersion {
    ProfileVersion {
        version: set.version,
        made_ms: set.made_ms,
        by: set.by.clone(),
        reason: set.reason.clone(),
        profiles: set.profiles.len() as u64,
    }
}

impl Kept {
    pub(super) fn expected(&self) -> Expected {
        Expected { digest: self.digest }
    }
}

impl ToldRow {
    pub(super) fn told(&self) -> Told<'_> {
        Told { word: self.word, in_force: self.in_force, offered: self.offered, problems: &self.problems }
    }

    /// Whether it says the same, whenever.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.told() == other.told()
    }
}

/// Whether a host has the new document, or is on its way to it.
pub(super) const fn has_new(stage: Stage) -> bool {
    matches!(stage, Stage::Released | Stage::Good)
}
