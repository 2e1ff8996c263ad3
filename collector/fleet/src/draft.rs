//! What one operation changes, gathered before anything is written, so that it becomes durable whole or not at all.

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use crate::announcements::Announcement;
use crate::ca::AuthorityRow;
use crate::changes::RegistryChange;
use crate::deploys::DeployStep;
use crate::discovery::DiscoveryStep;
use crate::follower::SmallChange;
use crate::gate::{DeployVerdict, GateDecision};
use crate::http_tokens::HttpTokenRow;
use crate::inventory::Baseline;
use crate::outbox::Event;
use crate::projection::Projected;
use crate::restored::Restored;
use crate::rows::{DenyRow, Registration, Sha256, Sighting, encode};
use crate::sessions::SessionRow;
use crate::tables::{
    ANNOUNCEMENTS, AUTHORITIES, BASELINE_ROWS, BASELINES, DENIED, DEPLOY_VERDICTS, GATE_DECISIONS, HOSTS, HTTP_TOKENS,
    LEAVES, META, Put, SESSIONS, SIGHTINGS, TOKENS, USERS, meta, small_table,
};
use crate::tokens::TokenRow;
use crate::users::UserRow;

/// Rows to write and to drop, events to record, changes to tell.
#[derive(Default)]
pub(crate) struct Draft {
    pub hosts: Vec<Registration>,
    /// Rows that go altogether: pending machines given up, retired hosts of long ago.
    pub forgotten: Vec<HostId>,
    /// The certificate a host got last, DER.
    pub leaves: Vec<(HostId, Vec<u8>)>,
    pub sightings: Vec<(HostId, Sighting)>,
    pub tokens: Vec<TokenRow>,
    pub forgotten_tokens: Vec<String>,
    pub http_tokens: Vec<HttpTokenRow>,
    pub forgotten_http_tokens: Vec<String>,
    pub users: Vec<UserRow>,
    pub forgotten_users: Vec<String>,
    pub sessions: Vec<(Sha256, SessionRow)>,
    pub forgotten_sessions: Vec<Sha256>,
    pub announcements: Vec<Announcement>,
    pub forgotten_announcements: Vec<u64>,
    pub gate_decisions: Vec<GateDecision>,
    pub forgotten_gate_decisions: Vec<u64>,
    pub verdicts: Vec<DeployVerdict>,
    pub forgotten_verdicts: Vec<Vec<u8>>,
    /// With their packed rows.
    pub baselines: Vec<(Baseline, Vec<u8>)>,
    pub forgotten_baselines: Vec<String>,
    pub discovery: DiscoveryStep,
    pub deploys: DeployStep,
    pub denied: Vec<DenyRow>,
    pub forgotten_denied: Vec<String>,
    pub authorities: Vec<AuthorityRow>,
    pub forgotten_authorities: Vec<u64>,
    /// A new incarnation of the data folder and the epoch of its outbox.
    pub incarnation: Option<(u64, [u8; 16])>,
    /// Goes with a new incarnation. Everything in the inbox is applied again: its positions may be below those of the lost one.
    pub restored: Option<Restored>,
    pub projected: Option<Projected>,
    /// Every event up to this seq is in the store.
    pub delivered: Option<u64>,
    /// Their seqs are given when they are written.
    pub events: Vec<Event>,
    pub changes: Vec<RegistryChange>,
    /// Rows of status and of alert.
    pub rows: Vec<Put>,
}

impl Draft {
    /// Takes in what alert changes.
    pub(crate) fn take_small(&mut self, change: SmallChange, now: Timestamp) {
        let rows = change.rows.into_iter();
        self.rows.extend(rows.map(|row| Put { table: small_table(row.table), key: row.key, value: row.value }));
        self.events.extend(change.events.into_iter().map(|small| Event {
            host: small.host,
            host_name: small.host_name,
            fields: small.fields.into_iter().collect(),
            ..Event::new(small.kind, &small.by, now, small.text)
        }));
    }

    /// Whether a commit of it would change nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.puts().is_empty() && self.events.is_empty() && self.projected.is_none()
    }

    /// The rows of everything but events, gaps and losses, which are numbered and counted as they are written.
    pub(crate) fn puts(&self) -> Vec<Put> {
        let mut puts = self.rows.clone();
        puts.extend(self.hosts.iter().map(|row| Put::set(HOSTS, &row.id.0, encode(row))));
        puts.extend(self.leaves.iter().map(|(host, der)| Put::set(LEAVES, &host.0, der.clone())));
        puts.extend(self.sightings.iter().map(|(host, row)| Put::set(SIGHTINGS, &host.0, encode(row))));
        for host in &self.forgotten {
            puts.extend([HOSTS, LEAVES, SIGHTINGS].map(|table| Put::remove(table, &host.0)));
        }
        puts.extend(self.tokens.iter().map(|row| Put::set(TOKENS, row.id.as_bytes(), encode(row))));
        puts.extend(self.forgotten_tokens.iter().map(|id| Put::remove(TOKENS, id.as_bytes())));
        puts.extend(self.http_tokens.iter().map(|row| Put::set(HTTP_TOKENS, row.id.as_bytes(), encode(row))));
        puts.extend(self.forgotten_http_tokens.iter().map(|id| Put::remove(HTTP_TOKENS, id.as_bytes())));
        puts.extend(self.users.iter().map(|row| Put::set(USERS, row.name.as_bytes(), encode(row))));
        puts.extend(self.forgotten_users.iter().map(|name| Put::remove(USERS, name.as_bytes())));
        puts.extend(self.sessions.iter().map(|(hash, row)| Put::set(SESSIONS, &hash.0, encode(row))));
        puts.extend(self.forgotten_sessions.iter().map(|hash| Put::remove(SESSIONS, &hash.0)));
        puts.extend(self.announcements.iter().map(|row| Put::set(ANNOUNCEMENTS, &row.id.to_be_bytes(), encode(row))));
        puts.extend(self.forgotten_announcements.iter().map(|id| Put::remove(ANNOUNCEMENTS, &id.to_be_bytes())));
        puts.extend(self.gate_decisions.iter().map(|row| Put::set(GATE_DECISIONS, &row.id.to_be_bytes(), encode(row))));
        puts.extend(self.forgotten_gate_decisions.iter().map(|id| Put::remove(GATE_DECISIONS, &id.to_be_bytes())));
        puts.extend(self.verdicts.iter().map(|row| Put::set(DEPLOY_VERDICTS, &row.key(), encode(row))));
        puts.extend(self.forgotten_verdicts.iter().map(|key| Put::remove(DEPLOY_VERDICTS, key)));
        for (row, packed) in &self.baselines {
            puts.push(Put::set(BASELINES, row.name.as_bytes(), encode(row)));
            puts.push(Put::set(BASELINE_ROWS, row.name.as_bytes(), packed.clone()));
        }
        for name in &self.forgotten_baselines {
            puts.extend([BASELINES, BASELINE_ROWS].map(|table| Put::remove(table, name.as_bytes())));
        }
        puts.extend(self.discovery.puts());
        puts.extend(self.deploys.puts());
        puts.extend(self.denied.iter().map(|row| Put::set(DENIED, row.serial.as_bytes(), encode(row))));
        puts.extend(self.forgotten_denied.iter().map(|serial| Put::remove(DENIED, serial.as_bytes())));
        puts.extend(self.authorities.iter().map(|row| Put::set(AUTHORITIES, &row.number.to_be_bytes(), encode(row))));
        puts.extend(self.forgotten_authorities.iter().map(|number| Put::remove(AUTHORITIES, &number.to_be_bytes())));
        if let Some((incarnation, epoch)) = &self.incarnation {
            puts.push(Put::set(META, meta::INCARNATION, incarnation.to_le_bytes().to_vec()));
            puts.push(Put::set(META, meta::OUTBOX_EPOCH, epoch.to_vec()));
        }
        if let Some(delivered) = &self.delivered {
            puts.push(Put::set(META, meta::OUTBOX_DELIVERED, delivered.to_le_bytes().to_vec()));
        }
        if let Some(restored) = &self.restored {
            puts.push(Put::set(META, meta::RESTORED, encode(restored)));
            puts.push(Put::remove(META, meta::APPLIED));
        }
        puts
    }
}
