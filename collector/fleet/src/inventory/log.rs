//! The log of changes: what a look found to be otherwise than the one before, and since when at the earliest.
//!
//! Two tables: by host and moment with the change itself, and by moment alone, so that the newest of all hosts and the oldest of all are
//! found without a scan. What goes before its time raises the moment since which its table can be told.

use muster_common::host::HostId;
use muster_common::inventory::{Row, Table, key_of, numbered};
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::packed::{VERSION, pack, put_row, row_of, split, take_row};
use super::state::{HostRow, key};
use super::step::InventoryStep;
use crate::projection::key_from;
use crate::rows::encode;
use crate::tables::{INVENTORY, INVENTORY_CHANGES, INVENTORY_TIMES};

/// How long changes are kept: a year, and some weeks to look back at it.
pub const CHANGES_KEPT_MS: i64 = 400 * 24 * 3_600_000;
/// Changes of all hosts, some 1.3 GB: 10,000 hosts with 500 each, or 1.4 a day. The oldest go first and are counted.
pub const CHANGES_MAX: u64 = 5_000_000;
/// Changes of one host: one that flaps must not push out what others did.
pub const CHANGES_A_HOST_MAX: u64 = 200_000;
/// Changes that one transaction drops at most, so that it takes milliseconds even after a long stop.
const DROPPED_AT_ONCE: u64 = 10_000;

const HAS_BEFORE: u8 = 1;
const HAS_AFTER: u8 = 2;
/// Where the table and the number stand in a key of either table: behind host and moment.
const TABLE_AT: usize = 24;
const KEY_BYTES: usize = 29;

/// How much is kept.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) kept_ms: i64,
    pub(super) all: u64,
    pub(super) of_host: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { kept_ms: CHANGES_KEPT_MS, all: CHANGES_MAX, of_host: CHANGES_A_HOST_MAX }
    }
}

/// One row that is otherwise than before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) table: &'static Table,
    /// It was not so yet then.
    pub(super) since_ms: i64,
    /// It was so then.
    pub(super) at_ms: i64,
    pub(super) arrived_ms: i64,
    /// `None`: there was no row of this key.
    pub(super) before: Option<Row>,
    /// `None`: there is none any more.
    pub(super) after: Option<Row>,
}

impl Change {
    /// The values of the row's key.
    pub(super) fn key(&self) -> Row {
        self.after.as_ref().or(self.before.as_ref()).map(|row| key_of(self.table, row)).unwrap_or_default()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.since_ms.to_le_bytes());
        bytes.extend_from_slice(&self.arrived_ms.to_le_bytes());
        let flag = |row: &Option<Row>, flag| if row.is_some() { flag } else { 0 };
        bytes.push(flag(&self.before, HAS_BEFORE) | flag(&self.after, HAS_AFTER));
        for row in [&self.before, &self.after].into_iter().flatten() {
            put_row(row, &mut bytes);
        }
        bytes
    }

    /// The change of these bytes under this key (by host), or what is wrong with it. `None`: its table is of a later version.
    pub(super) fn read(place: Place, bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(table) = numbered(place.table) else { return Ok(None) };
        let read = || -> Option<Self> {
            let mut rest = bytes;
            let time = |rest: &mut &[u8]| Some(i64::from_le_bytes(split(rest, 8)?.try_into().ok()?));
            if split(&mut rest, 1)? != [VERSION] {
                return None;
            }
            let (since_ms, arrived_ms) = (time(&mut rest)?, time(&mut rest)?);
            let flags = split(&mut rest, 1)?[0];
            let mut row = |flag| -> Option<Option<Row>> {
                if flags & flag == 0 { Some(None) } else { row_of(take_row(&mut rest)?).map(Some) }
            };
            let (before, after) = (row(HAS_BEFORE)?, row(HAS_AFTER)?);
            rest.is_empty().then_some(Self { table, since_ms, at_ms: place.at_ms, arrived_ms, before, after })
        };
        read().map(Some).ok_or_else(|| "the change cannot be read".to_owned())
    }
}

/// Which change: its host, moment, table, and number among those of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: HostId,
    pub(super) at_ms: i64,
    pub(super) table: u8,
    pub(super) number: u32,
}

impl Place {
    /// In table `inventory_changes`.
    pub(super) fn by_host(self) -> Vec<u8> {
        [&self.host.0[..], &key_from(self.at_ms), &[self.table], &self.number.to_be_bytes()].concat()
    }

    /// In table `inventory_times`.
    pub(super) fn by_time(self) -> Vec<u8> {
        [&key_from(self.at_ms)[..], &self.host.0, &[self.table], &self.number.to_be_bytes()].concat()
    }

    pub(super) fn of_host_key(key: &[u8]) -> Option<Self> {
        let (host, rest) = key.split_first_chunk::<16>()?;
        let (at, _) = rest.split_first_chunk::<8>()?;
        Self::of(HostId(*host), *at, key)
    }

    pub(super) fn of_time_key(key: &[u8]) -> Option<Self> {
        let (at, rest) = key.split_first_chunk::<8>()?;
        let (host, _) = rest.split_first_chunk::<16>()?;
        Self::of(HostId(*host), *at, key)
    }

    fn of(host: HostId, at: [u8; 8], key: &[u8]) -> Option<Self> {
        let (table, number) = key.get(TABLE_AT..KEY_BYTES)?.split_first()?;
        let number = u32::from_be_bytes(number.try_into().ok()?);
        Some(Self { host, at_ms: i64::from_be_bytes(at) ^ i64::MIN, table: *table, number })
    }
}

/// Writes what a step changes, and drops what has been kept long enough or is too much.
pub(crate) fn write_inventory(transaction: &WriteTransaction, step: &mut InventoryStep) -> Result<(), redb::Error> {
    if step.hosts.is_empty() {
        return Ok(());
    }
    if step.hosts.values().any(|host| !host.changes.is_empty()) {
        let mut by_host = transaction.open_table(INVENTORY_CHANGES)?;
        let mut by_time = transaction.open_table(INVENTORY_TIMES)?;
        for (host, stepped) in &mut step.hosts {
            append(&mut by_host, &mut by_time, *host, &stepped.changes)?;
            stepped.inventory.changes += stepped.changes.len() as u64;
        }
        drop_oldest(&mut by_host, &mut by_time, step)?;
    }
    let mut table = transaction.open_table(INVENTORY)?;
    for (host, stepped) in &step.hosts {
        table.insert(key(*host, 0).as_slice(), encode(&HostRow::of(&stepped.inventory)).as_slice())?;
        for (number, rows) in &stepped.rows {
            let packed = pack(rows.digest(), rows.iter()).map_err(redb::Error::Io)?;
            table.insert(key(*host, *number).as_slice(), packed.as_slice())?;
        }
    }
    Ok(())
}

type Open<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

fn append(by_host: &mut Open<'_>, by_time: &mut Open<'_>, host: HostId, changes: &[Change]) -> Result<(), redb::Error> {
    let mut last: Option<Place> = None;
    for change in changes {
        let mut place = Place { host, at_ms: change.at_ms, table: change.table.number, number: 0 };
        let is_next = |last: &Place| (last.at_ms, last.table) == (place.at_ms, place.table);
        place.number = match last.filter(is_next) {
            Some(last) => last.number + 1,
            // An earlier look may have been dated the same.
            None => {
                let end = Place { number: u32::MAX, ..place }.by_host();
                let known = by_host.range(place.by_host().as_slice()..=end.as_slice())?.next_back().transpose()?;
                let known = known.and_then(|(key, _)| Place::of_host_key(key.value()));
                known.map_or(0, |known| known.number + 1)
            }
        };
        by_host.insert(place.by_host().as_slice(), change.bytes().as_slice())?;
        by_time.insert(place.by_time().as_slice(), &[][..])?;
        last = Some(place);
    }
    Ok(())
}

fn drop_oldest(by_host: &mut Open<'_>, by_time: &mut Open<'_>, step: &mut InventoryStep) -> Result<(), redb::Error> {
    let oldest_ms = step.newest_arrival_ms - step.limits.kept_ms;
    for _ in 0..DROPPED_AT_ONCE {
        let first = by_time.first()?.and_then(|(key, _)| Place::of_time_key(key.value()));
        let Some(first) = first else { break };
        let is_old = first.at_ms < oldest_ms;
        if !is_old && by_time.len()? <= step.limits.all {
            break;
        }
        drop_one(by_host, by_time, step, first, is_old)?;
    }
    let over: Vec<HostId> = step
        .hosts
        .iter()
        .filter(|(_, one)| one.inventory.changes > step.limits.of_host)
        .map(|(host, _)| *host)
        .collect();
    for host in over {
        for _ in 0..DROPPED_AT_ONCE {
            if step.host(host).inventory.changes <= step.limits.of_host {
                break;
            }
            let first = by_host.range(&host.0[..]..)?.next().transpose()?;
            let first = first.and_then(|(key, _)| Place::of_host_key(key.value()));
            let Some(first) = first.filter(|first| first.host == host) else { break };
            drop_one(by_host, by_time, step, first, false)?;
        }
    }
    Ok(())
}

fn drop_one(
    by_host: &mut Open<'_>,
    by_time: &mut Open<'_>,
    step: &mut InventoryStep,
    place: Place,
    is_old: bool,
) -> Result<(), redb::Error> {
    by_time.remove(place.by_time().as_slice())?;
    by_host.remove(place.by_host().as_slice())?;
    step.counts.early_changes += u64::from(!is_old);
    let is_known = step.hosts.contains_key(&place.host) || step.base.host(place.host).is_some();
    if !is_known {
        return Ok(());
    }
    let inventory = &mut step.host(place.host).inventory;
    inventory.changes = inventory.changes.saturating_sub(1);
    // Before this change nothing of its table can be told any more.
    if let Some(known) = inventory.tables.get_mut(&place.table) {
        known.known_from_ms = known.known_from_ms.max(Some(place.at_ms));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::named;

    use super::*;

    #[test]
    fn places_sort_by_host_and_moment_and_are_read_back() {
        let place = |host, at_ms, table, number| Place { host: HostId([host; 16]), at_ms, table, number };
        let places = [
            place(1, -5, 6, 0),
            place(1, 5, 6, u32::MAX),
            place(1, 5, 7, 0),
            place(2, -9, 1, 1),
            place(2, i64::MAX, 255, 1),
        ];
        assert!(places.is_sorted_by_key(|place| place.by_host()));
        for place in places {
            assert_eq!(Place::of_host_key(&place.by_host()), Some(place));
            assert_eq!(Place::of_time_key(&place.by_time()), Some(place));
        }
        assert_eq!((Place::of_host_key(&[0; 28]), Place::of_time_key(&[0; 3])), (None, None));
    }

    #[test]
    fn a_change_is_read_back_and_damage_is_named() {
        let table = named("users").unwrap();
        let row = |uid: i64| Some(vec!["ann".into(), uid.into()]);
        for (before, after) in [(row(1), row(2)), (None, row(2)), (row(1), None)] {
            let change = Change { table, since_ms: -1, at_ms: 7, arrived_ms: 9, before, after };
            let place = Place { host: HostId([1; 16]), at_ms: 7, table: table.number, number: 3 };
            let bytes = change.bytes();
            assert_eq!(change.key(), vec!["ann".into()]);
            for cut in 0..bytes.len() {
                assert!(Change::read(place, &bytes[..cut]).is_err(), "cut at {cut}");
            }
            assert_eq!(Change::read(Place { table: 200, ..place }, &bytes), Ok(None), "of a later version");
            assert_eq!(Change::read(place, &bytes), Ok(Some(change)));
        }
    }
}
