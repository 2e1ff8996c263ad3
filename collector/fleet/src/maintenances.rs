//! Maintenances as people open and finish them; those of work of the product are kept in the book (`status/book/work.rs`). What they are, and what follows: `status/maintenance.rs`.

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use parking_lot::MutexGuard;

use crate::by::By;
use crate::checks::active_hosts;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::status::{Downtime, Maintenance, MaintenanceSpec, MaintenanceState, StatusBook};

impl Fleet {
    /// All that are known, by number: those that are under way or have left something, and those that were closed in the last 400 days.
    pub fn maintenances(&self) -> Vec<Maintenance> {
        self.book.lock().maintenances()
    }

    /// Begins a maintenance: what its hosts have from now on is held until it is judged. The answer is it with its number.
    ///
    /// # Errors
    /// [`FleetError::NoHost`]; [`FleetError::StatusSpec`] says what else is wrong with it; when the disk or the file fails.
    pub fn begin_maintenance(&self, spec: MaintenanceSpec, by: &By, now: Timestamp) -> Result<Maintenance, FleetError> {
        self.are_active(&spec.hosts)?;
        self.status_change(now, |fleet| {
            let mut book = fleet.book_of_now(now);
            let id = book.begin_maintenance(spec, by, now).map_err(refused)?;
            book.maintenance(id).cloned().ok_or(FleetError::NoMaintenance { id })
        })
    }

    /// Somebody says that the work is done: health has the time to return that was given to it. Saying so again changes nothing.
    ///
    /// # Errors
    /// [`FleetError::NoMaintenance`] if none is under way under this number; [`FleetError::MaintenanceOfWork`] of one that the product opened and whose
    /// work goes on; when the disk or the file fails.
    pub fn finish_maintenance(&self, id: u64, by: &By, now: Timestamp) -> Result<Maintenance, FleetError> {
        self.status_change(now, |fleet| {
            let mut book = fleet.book.lock();
            let is_open = |one: &&Maintenance| one.state == MaintenanceState::Open && !one.spec.reference.is_empty();
            if let Some(one) = book.maintenance(id).filter(is_open) {
                return Err(FleetError::MaintenanceOfWork { id, reference: one.spec.reference.clone() });
            }
            let known = if book.finish_maintenance(id, by, now) { book.maintenance(id).cloned() } else { None };
            known.ok_or(FleetError::NoMaintenance { id })
        })
    }

    /// Downtimes that touch the time between these two, over or not, by number: what was planned then.
    pub fn downtimes_between(&self, from_ms: i64, to_ms: i64) -> Vec<Downtime> {
        let mut all = self.ended_downtimes();
        all.extend(self.downtimes());
        all.retain(|one| one.spec.starts_ms < to_ms && one.spec.ends_ms > from_ms);
        all.sort_by_key(|one| one.id);
        all
    }

    /// The book with the hosts that there are now, as its next tick makes it: one that has just been let in can be meant at once.
    pub(crate) fn book_of_now(&self, now: Timestamp) -> MutexGuard<'_, StatusBook> {
        let hosts = active_hosts(&self.memory.read());
        let mut book = self.book.lock();
        book.sync_hosts(hosts, now.millis());
        book
    }

    fn are_active(&self, hosts: &[String]) -> Result<(), FleetError> {
        let memory = self.memory.read();
        let is_active = |id: &String| {
            let row = HostId::parse(id).and_then(|id| memory.host(id));
            row.is_some_and(|row| row.state == HostState::Active)
        };
        match hosts.iter().find(|id| !is_active(id)) {
            Some(id) => Err(FleetError::NoHost { asked: id.clone() }),
            None => Ok(()),
        }
    }
}

fn refused(why: String) -> FleetError {
    FleetError::StatusSpec { what: "the maintenance", why }
}

#[cfg(test)]
mod tests;
