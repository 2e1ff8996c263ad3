//! What is made of whole tables when the file is opened: a book of each concern.

use redb::{ReadTransaction, ReadableTable};

use super::State;
use crate::checks::active_hosts;
use crate::discovery::Discovery;
use crate::error::FleetError;
use crate::inventory::{InventoryState, Loading};
use crate::memory::Memory;
use crate::profiles::{ProfileBook, ProfileRows};
use crate::status::StatusBook;
use crate::tables::{
    CHECKS, DISCOVERY, DISCOVERY_RULES, DOWNTIMES, ENDED_DOWNTIMES, HOST_CONFIGURATIONS, INVENTORY, MAINTENANCES,
    PROFILE_ASSIGNMENTS, PROFILE_SETS, ROLLOUTS, TASK_CATALOGUES, TASK_HOSTS, TASK_ORDERS,
};
use crate::tasks::{TaskBook, TaskRows};

impl State {
    /// Row by row: all of them as bytes may be some hundred MB.
    pub(super) fn inventory(&self, transaction: &ReadTransaction) -> Result<InventoryState, FleetError> {
        let mut loading = Loading::new();
        let failed = |error: redb::Error| self.failed("read inventories", error);
        let table = transaction.open_table(INVENTORY).map_err(|error| failed(error.into()))?;
        for row in table.iter().map_err(|error| failed(error.into()))? {
            let (key, value) = row.map_err(|error| failed(error.into()))?;
            let taken = loading.take(key.value(), value.value());
            taken.map_err(|what| self.damaged(&INVENTORY, key.value(), what))?;
        }
        Ok(loading.finish())
    }

    pub(super) fn profiles(
        &self,
        transaction: &ReadTransaction,
        numbers: Option<Vec<u8>>,
    ) -> Result<ProfileBook, FleetError> {
        let rows = ProfileRows {
            numbers,
            sets: self.pairs(transaction, PROFILE_SETS)?,
            assignments: self.pairs(transaction, PROFILE_ASSIGNMENTS)?,
            hosts: self.pairs(transaction, HOST_CONFIGURATIONS)?,
            rollouts: self.pairs(transaction, ROLLOUTS)?,
        };
        ProfileBook::load(rows).map_err(|(table, key, what)| self.damaged(&table, &key, what))
    }

    pub(super) fn tasks(
        &self,
        transaction: &ReadTransaction,
        numbers: Option<Vec<u8>>,
    ) -> Result<TaskBook, FleetError> {
        let rows = TaskRows {
            numbers,
            catalogues: self.pairs(transaction, TASK_CATALOGUES)?,
            orders: self.pairs(transaction, TASK_ORDERS)?,
            hosts: self.pairs(transaction, TASK_HOSTS)?,
        };
        TaskBook::load(rows).map_err(|(table, key, what)| self.damaged(&table, &key, what))
    }

    pub(super) fn discovery(
        &self,
        transaction: &ReadTransaction,
        inventory: &InventoryState,
    ) -> Result<Discovery, FleetError> {
        let mut discovery = Discovery::default();
        let failed = |error: redb::Error| self.failed("read what was discovered", error);
        let table = transaction.open_table(DISCOVERY).map_err(|error| failed(error.into()))?;
        for row in table.iter().map_err(|error| failed(error.into()))? {
            let (key, value) = row.map_err(|error| failed(error.into()))?;
            let taken = discovery.load_item(key.value(), value.value());
            taken.map_err(|what| self.damaged(&DISCOVERY, key.value(), what))?;
        }
        for (key, rule) in self.rows(transaction, DISCOVERY_RULES)? {
            discovery.load_rule(rule).map_err(|what| self.damaged(&DISCOVERY_RULES, &key, what))?;
        }
        discovery.loaded(&inventory.snapshot());
        Ok(discovery)
    }

    pub(super) fn book(&self, transaction: &ReadTransaction, memory: &Memory) -> Result<StatusBook, FleetError> {
        let checks = self.pairs(transaction, CHECKS)?;
        let downtimes = self.rows(transaction, DOWNTIMES)?;
        let ended = self.rows(transaction, ENDED_DOWNTIMES)?.into_iter().map(|(_, row)| row).collect();
        let book = StatusBook::load(active_hosts(memory), checks, downtimes, ended);
        let mut book = book.map_err(|(table, key, what)| self.damaged(&table, &key, what))?;
        let maintenances = self.rows(transaction, MAINTENANCES)?;
        book.load_maintenances(maintenances.into_iter().map(|(_, row)| row).collect());
        Ok(book)
    }
}
