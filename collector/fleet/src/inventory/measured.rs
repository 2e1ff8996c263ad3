//! How many hosts are off their group, and off each baseline: numbers that rules can alert on.
//!
//! Found with the housekeeping, so at most about once a minute, only after an inventory, the registry or a baseline has changed, and for a
//! hundredth of the time.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_common::inventory::TABLES;
use muster_common::stat::Stat;
use muster_common::time::{self, Timestamp};

use super::drift::{DRIFT_HOSTS_MIN, DriftLimits, Norm, drift};
use crate::error::FleetError;
use crate::fleet::Fleet;

/// Groups that have a series: those with most hosts off, since a label with a value a host makes a group of each.
const GROUPS_TOLD_MAX: usize = 100;
/// After counting it rests so many times as long as that took: in a large fleet something changes all the time, and a hundredth of a core is
/// what these numbers are worth.
const REST: u32 = 100;
/// Nothing is told by name, all is counted.
const COUNTED: DriftLimits = DriftLimits { host: None, with_own: false, told: 0 };

/// Versions of inventories and registry, and the baselines with when each was pinned.
type Seen = (u64, u64, Vec<(String, i64)>);

/// What was found last.
#[derive(Default)]
pub(crate) struct DriftCounts {
    seen: Option<Seen>,
    /// Not to be counted again before, ms since 1970.
    rests_until_ms: i64,
    groups: Vec<(String, u64)>,
    baselines: Vec<(String, u64)>,
}

impl DriftCounts {
    pub(crate) fn stats(&self) -> impl Iterator<Item = Stat> {
        let groups = self.groups.iter().map(|(group, hosts)| {
            let help = "Hosts that have something otherwise than most of their group, the hosts with the same labels; of the 100 groups with most of them.";
            Stat::gauge("muster_collector_inventory_drift_hosts", help, *hosts as f64).with("group", group)
        });
        let baselines = self.baselines.iter().map(|(baseline, hosts)| {
            let help = "Hosts that have something otherwise than their baseline says.";
            Stat::gauge("muster_collector_inventory_off_baseline_hosts", help, *hosts as f64).with("baseline", baseline)
        });
        groups.chain(baselines)
    }
}

impl Fleet {
    /// Counts anew what has changed since the last time.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a baseline is damaged.
    pub(crate) fn measure_drift(&self, at: Timestamp) -> Result<(), FleetError> {
        let pinned = self.baselines().into_iter().map(|one| (one.name, one.made_ms)).collect();
        let now = (*self.subscribe_inventory().borrow(), *self.subscribe().borrow(), pinned);
        {
            let known = self.drift_counts.lock();
            if known.seen.as_ref() == Some(&now) || at.millis() < known.rests_until_ms {
                return Ok(());
            }
        }
        let before = time::thread_cpu();
        let groups = self.off_groups();
        let mut baselines = Vec::new();
        for (name, _) in &now.2 {
            match self.off_baseline(name) {
                // It was dropped between.
                Err(FleetError::NoBaseline { .. }) => {}
                found => baselines.push((name.clone(), found?)),
            }
        }
        let rests_until_ms = at.plus(time::thread_cpu().saturating_sub(before) * REST).millis();
        *self.drift_counts.lock() = DriftCounts { seen: Some(now), rests_until_ms, groups, baselines };
        Ok(())
    }

    fn off_groups(&self) -> Vec<(String, u64)> {
        let snapshot = self.inventory_of_all();
        let mut groups = self.alike_hosts(&[]);
        groups.retain(|group| group.hosts.len() >= DRIFT_HOSTS_MIN);
        let hosts: Vec<&[HostId]> = groups.iter().map(|group| group.hosts.as_slice()).collect();
        let mut off = vec![BTreeSet::new(); groups.len()];
        for table in &TABLES {
            for (off, found) in off.iter_mut().zip(drift(&snapshot, table, &hosts, Norm::Majority, COUNTED)) {
                off.extend(found.by_host.iter().map(|(host, _)| *host));
            }
        }
        let counted = groups.iter().zip(off).map(|(group, off)| (group.name(), off.len() as u64));
        let mut all: Vec<(String, u64)> = counted.collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(GROUPS_TOLD_MAX);
        all
    }

    fn off_baseline(&self, name: &str) -> Result<u64, FleetError> {
        let (_, rows, hosts) = self.baseline(name)?;
        let snapshot = self.inventory_of_all();
        let mut off = BTreeSet::new();
        for table in TABLES.iter().filter(|table| rows.contains_key(&table.number)) {
            let norm = Norm::Baseline(rows.get(&table.number).map_or(&[][..], Vec::as_slice));
            let found = drift(&snapshot, table, &[&hosts], norm, COUNTED);
            off.extend(found.iter().flat_map(|found| found.by_host.iter().map(|(host, _)| *host)));
        }
        Ok(off.len() as u64)
    }
}
