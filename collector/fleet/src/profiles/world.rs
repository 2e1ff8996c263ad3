//! What documents are composed of: the hosts as they are, gathered without the lock of the file.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::wire::message::HostFacts;

use super::compose::{Composed, Piece, compose};
use super::selector::{Host, Judged};
use super::set::Set;
use super::step::Fresh;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::inventory::InventorySnapshot;
use crate::rows::Registration;

/// Hosts composed in one round: 0.3 ms each, and a thousand marked ones are through within ten seconds whatever else a round does.
const COMPOSED_A_ROUND: usize = 1_000;

/// A host, and what is put on it.
pub(super) struct Subject {
    pub(super) row: Arc<Registration>,
    facts: HostFacts,
    assigned: Vec<String>,
    pieces: Vec<Piece>,
}

/// Hosts at one moment.
pub(super) struct World {
    pub(super) subjects: Vec<Subject>,
    inventory: Arc<InventorySnapshot>,
}

impl World {
    pub(super) fn compose(&self, set: &Set, subject: &Subject, judged: &mut Judged) -> Composed {
        let host = Host {
            id: subject.row.id,
            name: &subject.row.name,
            labels: &subject.row.labels,
            facts: &subject.facts,
            inventory: &self.inventory,
        };
        compose(set, &host, &subject.assigned, &subject.pieces, judged)
    }
}

impl Fleet {
    /// Active hosts, of these ids only if some are given.
    pub(super) fn world(&self, only: Option<&BTreeSet<HostId>>) -> World {
        let rows: Vec<Arc<Registration>> = {
            let memory = self.memory.read();
            let active = |row: &&Arc<Registration>| row.state == HostState::Active;
            match only {
                Some(ids) => ids.iter().filter_map(|id| memory.host(*id)).filter(active).cloned().collect(),
                None => memory.hosts().filter(active).cloned().collect(),
            }
        };
        let facts: Vec<HostFacts> = {
            let sightings = self.sightings.lock();
            rows.iter().map(|row| sightings.last(row.id).map(|seen| seen.facts.to_wire()).unwrap_or_default()).collect()
        };
        let subjects = rows.into_iter().zip(facts).map(|(row, facts)| {
            let by_hand =
                self.profiles.lock().assignments.get(&row.id).map(|all| all.keys().cloned().collect::<Vec<_>>());
            let mut assigned = by_hand.unwrap_or_default();
            assigned.extend(self.accepted_daemons(row.id));
            let pieces = self.accepted_pieces(row.id);
            assigned.sort();
            assigned.dedup();
            Subject { row, facts, assigned, pieces }
        });
        World { subjects: subjects.collect(), inventory: self.inventory_of_all() }
    }

    /// What was found on a host and accepted, as pieces of its document: the checks of an item stand together under its key.
    fn accepted_pieces(&self, host: HostId) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (key, check) in self.accepted_checks(host) {
            let origin = format!("accepted {key}");
            match pieces.last_mut().filter(|last| last.origin == origin) {
                Some(last) => last.checks.push(check),
                None => pieces.push(Piece { origin, logs: Vec::new(), checks: vec![check] }),
            }
        }
        pieces
    }

    /// Composes hosts that are marked, each by the version that it is on.
    pub(super) fn compose_marked(&self) -> Vec<Fresh> {
        // The registry's lock comes before that of profiles.
        let is_all = self.profiles.lock().all_marked;
        let all = is_all.then(|| self.active_ids());
        let marked: BTreeSet<HostId> = {
            let mut book = self.profiles.lock();
            if let Some(all) = all {
                book.all_marked = false;
                book.marked.extend(all);
            }
            let rest = book.marked.iter().nth(COMPOSED_A_ROUND).copied();
            let later = rest.map(|first| book.marked.split_off(&first)).unwrap_or_default();
            std::mem::replace(&mut book.marked, later)
        };
        if marked.is_empty() {
            return Vec::new();
        }
        let world = self.world(Some(&marked));
        let mut judged = Judged::default();
        let compose = |subject: &Subject| {
            let host = subject.row.id;
            let (set, target, part) = {
                let book = self.profiles.lock();
                (book.set_of(host), book.target(), book.part(host))
            };
            let composed = world.compose(&set, subject, &mut judged);
            let other = target.filter(|target| part.is_none() && target.row.version != set.row.version);
            let differs =
                other.is_some_and(|target| world.compose(&target, subject, &mut judged).digest != composed.digest);
            Fresh { host, version: set.row.version, composed, differs }
        };
        world.subjects.iter().map(compose).collect()
    }

    fn active_ids(&self) -> Vec<HostId> {
        let memory = self.memory.read();
        memory.hosts().filter(|row| row.state == HostState::Active).map(|row| row.id).collect()
    }
}
