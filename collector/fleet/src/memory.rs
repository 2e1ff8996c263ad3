//! The registry in memory: what state.redb holds, with the indexes that every connection needs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::identity::Pin;
use muster_common::wire::message::Epoch;
use muster_store::Position;

use crate::announcements::Announcement;
use crate::audit::Chain;
use crate::ca::{Authority, AuthorityRole, AuthorityRow};
use crate::deploys::DeployRows;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::gate::{DeployVerdict, GateHead};
use crate::host::HostState;
use crate::http_tokens::HttpTokenRow;
use crate::inventory::Baseline;
use crate::names::folded;
use crate::outbox::OutboxState;
use crate::projection::Kept;
use crate::restored::Restored;
use crate::rows::{DenyRow, Registration, Sha256};
use crate::sessions::SessionRow;
use crate::state::Committed;
use crate::tokens::TokenRow;
use crate::users::UserRow;

/// Everything but events, audit, gaps and certificates, which stay on disk, and sightings, which change with every hello.
pub(crate) struct Memory {
    hosts: BTreeMap<HostId, Arc<Registration>>,
    /// Active hosts by folded name.
    names: HashMap<String, HostId>,
    /// Every key that a host has or waits with.
    keys: HashMap<Sha256, HostId>,
    /// Quarantined machines by the identity they used.
    second: HashMap<HostId, HashSet<HostId>>,
    by_state: [usize; 4],
    pub tokens: BTreeMap<String, TokenRow>,
    pub http_tokens: BTreeMap<String, HttpTokenRow>,
    pub users: BTreeMap<String, UserRow>,
    pub sessions: HashMap<Sha256, SessionRow>,
    pub announcements: BTreeMap<u64, Announcement>,
    /// Without their facts.
    pub gate_decisions: BTreeMap<u64, GateHead>,
    /// By their keys, without their numbers.
    pub verdicts: BTreeMap<Vec<u8>, DeployVerdict>,
    /// Without their rows.
    pub baselines: BTreeMap<String, Baseline>,
    pub deploys: DeployRows,
    pub denied: HashMap<String, DenyRow>,
    /// The current one first, then the next, then old ones.
    pub authorities: Vec<Authority>,
    /// Of the CA that signs.
    pub pin: Pin,
    pub outbox: OutboxState,
    pub audit: Chain,
    pub incarnation: Option<u64>,
    pub restored: Option<Restored>,
    pub applied: Option<Position>,
    pub gaps: Kept,
    pub log_losses: Kept,
}

impl Memory {
    pub(crate) fn new(outbox: OutboxState, audit: Chain) -> Self {
        Self {
            hosts: BTreeMap::new(),
            names: HashMap::new(),
            keys: HashMap::new(),
            second: HashMap::new(),
            by_state: [0; 4],
            tokens: BTreeMap::new(),
            http_tokens: BTreeMap::new(),
            users: BTreeMap::new(),
            sessions: HashMap::new(),
            announcements: BTreeMap::new(),
            gate_decisions: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            baselines: BTreeMap::new(),
            deploys: DeployRows::default(),
            denied: HashMap::new(),
            authorities: Vec::new(),
            pin: Pin([0; 32]),
            outbox,
            audit,
            incarnation: None,
            restored: None,
            applied: None,
            gaps: Kept::default(),
            log_losses: Kept::default(),
        }
    }

    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.hosts.values()
    }

    pub(crate) fn host(&self, id: HostId) -> Option<&Arc<Registration>> {
        self.hosts.get(&id)
    }

    /// The active host that has this name, in either case of letters.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Registration>> {
        self.names.get(&folded(name)).and_then(|id| self.hosts.get(id))
    }

    /// The host that this key belongs to or waits for.
    pub(crate) fn of_key(&self, key: &Sha256) -> Option<&Arc<Registration>> {
        self.keys.get(key).and_then(|id| self.hosts.get(id))
    }

    /// Machines set aside that used this identity.
    pub(crate) fn seconds_of(&self, host: HostId) -> impl Iterator<Item = &Arc<Registration>> {
        self.second.get(&host).into_iter().flatten().filter_map(|id| self.hosts.get(id))
    }

    pub(crate) fn count(&self, state: HostState) -> usize {
        self.by_state[state as usize]
    }

    /// Machines that wait for an operator: what the cap on them counts.
    pub(crate) fn waiting(&self) -> usize {
        self.count(HostState::Pending) + self.count(HostState::Quarantined)
    }

    /// The CA that signs. There is one from the first opening on.
    pub(crate) fn current_authority(&self) -> Result<&Authority, FleetError> {
        self.authorities.iter().find(|authority| authority.row.role == AuthorityRole::Current).ok_or(
            FleetError::Certificate {
                action: "sign",
                what: "state.redb names no current CA: restore a snapshot".into(),
            },
        )
    }

    pub(crate) fn put_host(&mut self, row: Registration) {
        self.drop_host(row.id);
        self.by_state[row.state as usize] += 1;
        if row.state == HostState::Active {
            self.names.insert(folded(&row.name), row.id);
        }
        for key in keys_of(&row) {
            self.keys.insert(key, row.id);
        }
        if let Some(of) = row.of {
            self.second.entry(of).or_default().insert(row.id);
        }
        self.hosts.insert(row.id, Arc::new(row));
    }

    pub(crate) fn drop_host(&mut self, id: HostId) {
        let Some(old) = self.hosts.remove(&id) else { return };
        self.by_state[old.state as usize] -= 1;
        if self.names.get(&folded(&old.name)) == Some(&id) {
            self.names.remove(&folded(&old.name));
        }
        for key in keys_of(&old) {
            if self.keys.get(&key) == Some(&id) {
                self.keys.remove(&key);
            }
        }
        if let Some(of) = old.of
            && let Some(seconds) = self.second.get_mut(&of)
        {
            seconds.remove(&id);
            if seconds.is_empty() {
                self.second.remove(&of);
            }
        }
    }

    pub(crate) fn put_authority(&mut self, row: AuthorityRow) -> Result<(), FleetError> {
        self.authorities.retain(|authority| authority.row.number != row.number);
        let authority = Authority::load(row)?;
        if authority.row.role == AuthorityRole::Current {
            self.pin = authority.pin();
        }
        self.authorities.push(authority);
        self.authorities.sort_by_key(|authority| match authority.row.role {
            AuthorityRole::Current => (0, 0),
            AuthorityRole::Next => (1, 0),
            AuthorityRole::Old => (2, u64::MAX - authority.row.number),
        });
        Ok(())
    }

    /// Takes in what was made durable.
    pub(crate) fn take(&mut self, draft: Draft, committed: Committed) -> Result<(), FleetError> {
        self.audit = committed.audit;
        self.outbox = committed.outbox;
        self.outbox.delivered = draft.delivered.unwrap_or(self.outbox.delivered);
        (self.gaps, self.log_losses) = (committed.gaps, committed.log_losses);
        if let Some(projected) = draft.projected {
            self.applied = Some(projected.reached);
        }
        if let Some((incarnation, epoch)) = draft.incarnation {
            self.incarnation = Some(incarnation);
            self.outbox.epoch = Epoch(epoch);
        }
        if let Some(restored) = draft.restored {
            self.restored = Some(restored);
            self.applied = None;
        }
        for id in draft.forgotten {
            self.drop_host(id);
        }
        // Freed names first: a rename may take one that the same draft gives up.
        let (active, rest): (Vec<_>, Vec<_>) = draft.hosts.into_iter().partition(|row| row.state == HostState::Active);
        for row in rest.into_iter().chain(active) {
            self.put_host(row);
        }
        self.tokens.extend(draft.tokens.into_iter().map(|row| (row.id.clone(), row)));
        for id in draft.forgotten_tokens {
            self.tokens.remove(&id);
        }
        self.http_tokens.extend(draft.http_tokens.into_iter().map(|row| (row.id.clone(), row)));
        for id in draft.forgotten_http_tokens {
            self.http_tokens.remove(&id);
        }
        self.users.extend(draft.users.into_iter().map(|row| (row.name.clone(), row)));
        for name in draft.forgotten_users {
            self.users.remove(&name);
        }
        self.sessions.extend(draft.sessions);
        for hash in draft.forgotten_sessions {
            self.sessions.remove(&hash);
        }
        self.announcements.extend(draft.announcements.into_iter().map(|row| (row.id, row)));
        for id in draft.forgotten_announcements {
            self.announcements.remove(&id);
        }
        self.gate_decisions.extend(draft.gate_decisions.iter().map(|row| (row.id, GateHead::of(row))));
        for id in draft.forgotten_gate_decisions {
            self.gate_decisions.remove(&id);
        }
        self.verdicts.extend(draft.verdicts.iter().map(|row| (row.key(), row.brief())));
        for key in draft.forgotten_verdicts {
            self.verdicts.remove(&key);
        }
        self.baselines.extend(draft.baselines.into_iter().map(|(row, _)| (row.name.clone(), row)));
        for name in draft.forgotten_baselines {
            self.baselines.remove(&name);
        }
        self.deploys.take(draft.deploys);
        self.denied.extend(draft.denied.into_iter().map(|row| (row.serial.clone(), row)));
        for serial in draft.forgotten_denied {
            self.denied.remove(&serial);
        }
        self.authorities.retain(|authority| !draft.forgotten_authorities.contains(&authority.row.number));
        draft.authorities.into_iter().try_for_each(|row| self.put_authority(row))
    }
}

fn keys_of(row: &Registration) -> Vec<Sha256> {
    // A machine set aside has no key of its own: it used another row's.
    if row.state == HostState::Quarantined {
        return Vec::new();
    }
    row.key.iter().copied().chain(row.certificates.iter().map(|certificate| certificate.key)).collect()
}
