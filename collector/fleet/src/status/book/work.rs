//! Maintenances of work that the product does by itself: which are open follows from which work goes on.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use super::StatusBook;
use crate::by::By;
use crate::status::maintenance::{MaintenanceSpec, MaintenanceState};

/// Work that goes on: its expected end is set on when it is as near as this.
const NEAR_MS: i64 = 60_000;
/// To this at the least.
const ON_MS: i64 = 300_000;

/// Work of the product on hosts, known by `spec.reference`.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) spec: MaintenanceSpec,
    /// The person who wanted it.
    pub(crate) owner: String,
}

impl StatusBook {
    /// Has a maintenance for work that goes on: opens one, or has it go on with hosts that are new and, where it is near, until a later end. Hosts that
    /// are not active are left out. Whether anything changed.
    ///
    /// # Errors
    /// Why it has none, in words; then nothing is changed.
    pub(crate) fn keep_work(&mut self, work: Work, now: Timestamp) -> Result<bool, String> {
        let Work { mut spec, owner } = work;
        spec.hosts.retain(|host| HostId::parse(host).is_some_and(|id| self.is_active(id)));
        let least_ms = now.millis().saturating_add(ON_MS);
        let Some(id) = self.maintenance_for(&spec.reference) else {
            if spec.hosts.is_empty() {
                return Ok(false);
            }
            spec.ends_ms = spec.ends_ms.max(least_ms);
            return self.begin_maintenance_of(spec, owner, &By::MUSTER, now).map(|_| true);
        };
        let Some(row) = self.maintenance(id) else { return Ok(false) };
        let is_open = row.state == MaintenanceState::Open;
        let is_near = row.spec.ends_ms.saturating_sub(now.millis()) < NEAR_MS;
        let known: BTreeSet<&String> = row.spec.hosts.iter().collect();
        spec.hosts.retain(|host| !known.contains(host));
        if is_open && !is_near && spec.hosts.is_empty() {
            return Ok(false);
        }
        let ends_ms = spec.ends_ms.max(least_ms);
        // Each host that joins a wave is no news; that it is open again is.
        self.extend_maintenance(id, spec.hosts, ends_ms, (!is_open).then_some(&By::MUSTER), now).map(|()| true)
    }

    /// Finishes those whose references begin so and are none of these: their work has ended. Whether there was any.
    pub(crate) fn end_work(&mut self, prefix: &str, going_on: &BTreeSet<String>, now: Timestamp) -> bool {
        let ended = self.maintenances.values().filter(|row| {
            let reference = &row.spec.reference;
            let is_unfinished = row.is_under_way() && row.finished_ms.is_none();
            is_unfinished && reference.starts_with(prefix) && !going_on.contains(reference)
        });
        let ended: Vec<u64> = ended.map(|row| row.id).collect();
        for id in &ended {
            self.finish_maintenance(*id, &By::MUSTER, now);
        }
        !ended.is_empty()
    }

    fn is_active(&self, id: HostId) -> bool {
        self.hosts.get(&id).is_some_and(|host| !host.now.name.is_empty())
    }
}
