//! What the pure decisions need, read of the fleet.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::inventory::Row;

use super::{BEFORE_MS, FleetFacts, Onset, SPREAD_MS, Separator, Suspect, Trait, contrast, essence, rank, thing_of};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::inventory::{ChangeQuery, InventoryChange, hosts_with};

/// How long after the onset a look may find what came about before it: agents look every 15 min, but a host that was away tells later.
const SEEN_LATER_MS: i64 = 24 * 3_600_000;
/// Hosts whose changes are looked at, and changes of each: two upgrades of a whole system.
const HOSTS_MAX: usize = 50;
const CHANGES_MAX: usize = 2_000;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SuspectsFound {
    pub suspects: Vec<Suspect>,
    /// There were more hosts or changes than are looked at.
    pub is_partial: bool,
}

impl Fleet {
    /// The deploys and changes that may be behind a problem, the likeliest first ([`rank`]).
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn suspects(&self, onset: &Onset) -> Result<SuspectsFound, FleetError> {
        let mut seen = BTreeSet::new();
        let hosts = onset.affected.iter().chain(&onset.near).copied().filter(|host| seen.insert(*host));
        let hosts: Vec<HostId> = hosts.collect();
        let mut is_partial = hosts.len() > HOSTS_MAX;
        let mut changes = Vec::new();
        let to_ms = onset.at_ms.saturating_add(SEEN_LATER_MS);
        let asked: BTreeSet<HostId> = hosts.iter().take(HOSTS_MAX).copied().collect();
        let (deploys, are_more) = self.deploys_before(&asked, onset.at_ms, BEFORE_MS);
        is_partial |= are_more;
        for host in hosts.into_iter().take(HOSTS_MAX) {
            let query = ChangeQuery {
                hosts: Some(vec![host]),
                from_ms: onset.at_ms.saturating_sub(BEFORE_MS),
                to_ms,
                limit: CHANGES_MAX,
                ..ChangeQuery::default()
            };
            let page = self.inventory_changes(&query)?;
            is_partial |= page.next.is_some();
            changes.extend(page.changes.into_iter().filter(|change| change.since_ms <= onset.at_ms));
        }
        if changes.is_empty() && deploys.is_empty() {
            return Ok(SuspectsFound { suspects: Vec::new(), is_partial });
        }
        let things: BTreeSet<(u8, Row)> = changes.iter().map(thing_of).collect();
        let row = |change: &InventoryChange| {
            change.after.as_ref().map(|row| (change.table.number, essence(change.table, row)))
        };
        let rows: BTreeSet<(u8, Row)> = changes.iter().filter_map(row).collect();
        let snapshot = self.inventory_of_all();
        let from_ms = onset.at_ms.saturating_sub(SPREAD_MS);
        let (changed_on, is_cut) = self.inventory_spread(&things, (from_ms, to_ms))?;
        let facts = FleetFacts {
            hosts: snapshot.hosts().count(),
            names: self.hosts().into_iter().map(|row| (row.id, row.name)).collect(),
            changed_on,
            have_now: hosts_with(&snapshot, &rows, essence),
        };
        Ok(SuspectsFound { suspects: rank(onset, &changes, &deploys, &facts), is_partial: is_partial || is_cut })
    }

    /// The fact that separates hosts with a problem from others ([`contrast`]), as inventories are now. `None`: nothing found.
    pub fn separator(&self, affected: &[HostId], unaffected: &[HostId]) -> Option<Separator> {
        let snapshot = self.inventory_of_all();
        contrast(affected, unaffected, &snapshot, &self.traits())
    }

    /// Labels, and the version of agent, of every host in service.
    fn traits(&self) -> BTreeMap<HostId, Vec<Trait>> {
        let rows = self.hosts().into_iter().filter(|row| row.state == HostState::Active);
        let of = |name: String, value: &str| Trait { name, value: value.to_owned() };
        rows.map(|row| {
            let labels = row.labels.iter().map(|(name, value)| of(format!("label {name}"), value));
            let agent = (!row.agent_version.is_empty()).then(|| of("agent".to_owned(), &row.agent_version));
            let told = [("kernel", &row.facts.kernel), ("system", &row.facts.os)];
            let told = told.into_iter().filter(|(_, value)| !value.is_empty());
            let told = told.map(|(name, value)| of(name.to_owned(), value));
            (row.id, labels.chain(agent).chain(told).collect())
        })
        .collect()
    }
}
