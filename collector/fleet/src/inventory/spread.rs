//! On how many hosts things changed, and who has a row now: what makes a change common or rare.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::host::HostId;
use muster_common::inventory::{Row, TABLES, Table, Value};

use super::log::Place;
use super::query::change_at;
use super::snapshot::InventorySnapshot;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::tables::{INVENTORY_CHANGES, INVENTORY_TIMES};

/// Places of the log that are passed by, a fifth of a second's work, and changes that are read.
const PLACES_MAX: usize = 500_000;
const READ_MAX: usize = 50_000;

/// Hosts by thing: number of the table, and key (or row).
pub(crate) type HostsOf = BTreeMap<(u8, Row), BTreeSet<HostId>>;

impl Fleet {
    /// On which hosts these things changed from one moment to another, both included. The second value: not all of that time was looked at, since
    /// too much changed in it.
    pub(crate) fn inventory_spread(
        &self,
        wanted: &BTreeSet<(u8, Row)>,
        (from_ms, to_ms): (i64, i64),
    ) -> Result<(HostsOf, bool), FleetError> {
        let tables: BTreeSet<u8> = wanted.iter().map(|(table, _)| *table).collect();
        let mut found = HostsOf::new();
        let (mut places, mut read, mut is_partial) = (0, 0, false);
        if tables.is_empty() {
            return Ok((found, false));
        }
        self.scan(|reading| {
            let from = Place { host: HostId([0; 16]), at_ms: from_ms, table: 0, number: 0 };
            let to = Place { host: HostId([0xff; 16]), at_ms: to_ms, table: u8::MAX, number: u32::MAX };
            reading.newest_first(INVENTORY_TIMES, &from.by_time(), &to.by_time(), |key, _| {
                places += 1;
                is_partial = places > PLACES_MAX || read > READ_MAX;
                if is_partial {
                    return Ok(false);
                }
                let Some(place) = Place::of_time_key(key).filter(|place| tables.contains(&place.table)) else {
                    return Ok(true);
                };
                read += 1;
                let change = change_at(reading, place)?;
                let change = change.map_err(|what| reading.damage(INVENTORY_CHANGES, &place.by_host(), what))?;
                let thing = change.map(|change| (place.table, change.key())).filter(|thing| wanted.contains(thing));
                if let Some(thing) = thing {
                    found.entry(thing).or_default().insert(place.host);
                }
                Ok(true)
            })
        })?;
        Ok((found, is_partial))
    }
}

/// Which hosts have a row that `as_wanted` makes one of these.
pub(crate) fn hosts_with(
    snapshot: &InventorySnapshot,
    wanted: &BTreeSet<(u8, Row)>,
    as_wanted: fn(&Table, &[Value]) -> Row,
) -> HostsOf {
    let mut found = HostsOf::new();
    for table in &TABLES {
        if !wanted.iter().any(|(number, _)| *number == table.number) {
            continue;
        }
        // What is true of a row is found out once for all hosts.
        let numbers: HashMap<u32, (u8, Row)> = snapshot
            .book(table)
            .rows()
            .zip(0..)
            .map(|(row, number)| (number, (table.number, as_wanted(table, &row))))
            .filter(|(_, row)| wanted.contains(row))
            .collect();
        for (host, inventory) in snapshot.hosts() {
            let own = inventory.table(table).into_iter().flat_map(|table| table.numbers());
            for row in own.filter_map(|number| numbers.get(number)) {
                found.entry(row.clone()).or_default().insert(host);
            }
        }
    }
    found
}
