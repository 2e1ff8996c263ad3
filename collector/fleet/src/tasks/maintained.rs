//! Maintenances of orders: kept as the rows of orders say, in the transaction of the step that changed them, so that one is open before a host is
//! given its call and is closed with its wave, whoever is killed between.

use std::collections::BTreeMap;

use muster_common::limits::TASK_MAINTENANCE_MAX;
use muster_common::time::Timestamp;

use super::book::TaskBook;
use super::rollout::{PREFIX, order_prefix};
use crate::fleet::Fleet;
use crate::status::{MAINTENANCE_GRACE_MAX_MS, Maintenance, MaintenanceSpec, Work};

const _: () = assert!(TASK_MAINTENANCE_MAX.as_millis() == MAINTENANCE_GRACE_MAX_MS as u128, "what catalogues may say");

impl TaskBook {
    /// Work of all orders that is to be in a maintenance.
    pub(super) fn work(&self) -> Vec<(u64, Work)> {
        let mut all = Vec::new();
        for (number, entry) in self.orders.iter().filter(|(_, entry)| entry.state().is_open()) {
            all.extend(entry.machine.maintained().into_iter().map(|one| {
                let spec = MaintenanceSpec {
                    name: one.name(*number, entry.task(one.step)),
                    reference: one.reference(*number),
                    hosts: one.hosts.iter().map(ToString::to_string).collect(),
                    matchers: String::new(),
                    ends_ms: one.ends_ms,
                    grace_ms: one.grace_ms,
                };
                (*number, Work { spec, owner: entry.row.by.clone() })
            }));
        }
        all
    }
}

impl Fleet {
    /// Opens and finishes what the work says, in the book: whether anything changed, and why orders have no maintenance although they are to have one.
    pub(crate) fn keep_task_work(&self, work: Vec<(u64, Work)>, now: Timestamp) -> (bool, BTreeMap<u64, String>) {
        let mut book = if work.is_empty() { self.book.lock() } else { self.book_of_now(now) };
        let mut refused = BTreeMap::new();
        let mut is_changed = false;
        let references = work.iter().map(|(_, work)| work.spec.reference.clone()).collect();
        for (order, work) in work {
            match book.keep_work(work, now) {
                Ok(changed) => is_changed |= changed,
                Err(why) => drop(refused.insert(order, why)),
            }
        }
        is_changed |= book.end_work(PREFIX, &references, now);
        (is_changed, refused)
    }

    /// The maintenances that an order opened, by number, as long as they are known.
    pub fn task_maintenances(&self, order: u64) -> Vec<Maintenance> {
        let (book, prefix) = (self.book.lock(), order_prefix(order));
        book.maintenances().into_iter().filter(|one| one.spec.reference.starts_with(&prefix)).collect()
    }
}
