//! Questions about inventories: rows now and at any moment that is kept, changes, and since when a row is as it is.
//!
//! The past is the present with the changes since then undone, so both are read as of one commit.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::inventory::{Difference, Digest, Row, Rows, Table, Value, key_of, numbered, row_hash};
use muster_common::time::Timestamp;
use tokio::sync::watch;

use super::log::{Change, Place};
use super::snapshot::{HostTable, InventorySnapshot, place};
use super::words;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::rows::hex;
use crate::state::Reading;
use crate::tables::{INVENTORY_CHANGES, INVENTORY_TIMES};

/// Changes that one question looks at, a second's work; a page that ends there names where to go on.
const SCANNED_MAX: usize = 200_000;

/// What is known of one table of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableKnown {
    pub table: &'static Table,
    pub digest: Digest,
    pub rows: usize,
    /// Since when every moment can be told; `None`: its rows were never told whole.
    pub known_from_ms: Option<i64>,
    /// The last look that told it, and the last that found it changed (the first one, if none did).
    pub seen_ms: i64,
    pub changed_ms: i64,
    pub dropped: u64,
    /// Why the last look did not tell it, or why that could not be taken; empty: it was.
    pub problem: String,
}

/// Which changes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeQuery {
    /// Of these hosts; `None`: of all, also of those that are gone.
    pub hosts: Option<Vec<HostId>>,
    pub table: Option<&'static Table>,
    /// The first values of the row's key; none: any.
    pub key: Row,
    /// A part of any text of the row, before or after, in either case of ASCII letters; empty: any.
    pub text: String,
    /// The moment of the look that found it, both ends included.
    pub from_ms: i64,
    pub to_ms: i64,
    pub limit: usize,
    /// What the page before named.
    pub before: Option<ChangeCursor>,
}

impl Default for ChangeQuery {
    fn default() -> Self {
        let (from_ms, to_ms, limit) = (i64::MIN, i64::MAX, 100);
        Self { hosts: None, table: None, key: Row::new(), text: String::new(), from_ms, to_ms, limit, before: None }
    }
}

/// Changes, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangePage {
    pub changes: Vec<InventoryChange>,
    /// Where older ones begin; `None`: there are none.
    pub next: Option<ChangeCursor>,
}

/// One row that is otherwise than before.
#[derive(Clone, Debug, PartialEq)]
pub struct InventoryChange {
    pub host: HostId,
    pub table: &'static Table,
    /// It came about after this and not after `at_ms`, by the looks of the host.
    pub since_ms: i64,
    pub at_ms: i64,
    /// When it was told, by the collector's clock.
    pub arrived_ms: i64,
    pub key: Row,
    /// `None`: there was no such row.
    pub before: Option<Row>,
    /// `None`: there is none any more.
    pub after: Option<Row>,
    /// As people say it: `package openssl 3.0.1 -> 3.0.2`.
    pub words: String,
    /// More than columns that change all the time.
    pub is_news: bool,
    /// Its place in the log, by which a page may end or begin.
    pub cursor: ChangeCursor,
}

/// A place in the log of changes; its text is what a later question begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeCursor(Place);

/// Since when a row is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSince {
    /// It became so after `since_ms` and not after `at_ms`.
    Changed { since_ms: i64, at_ms: i64 },
    /// It is so at least since then: no change of it is known.
    AtLeast { at_ms: i64 },
}

/// A row that two tables do not have alike.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    pub key: Row,
    pub before: Option<Row>,
    pub after: Option<Row>,
}

impl fmt::Display for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0.by_time()))
    }
}

impl ChangeCursor {
    /// Reads what it is shown as; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let digits = text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        let bytes = digits.collect::<Option<Vec<u8>>>()?;
        let place = Place::of_time_key(&bytes)?;
        (place.by_time() == bytes).then_some(Self(place))
    }
}

impl ChangeQuery {
    fn wants(&self, change: &Change) -> bool {
        let has_text =
            |row: &Row| row.iter().any(|value| matches!(value, Value::Text(text) if contains(text, &self.text)));
        let rows = || [&change.before, &change.after].into_iter().flatten();
        let key = change.key();
        key.starts_with(&self.key) && (self.text.is_empty() || rows().any(has_text))
    }

    fn wants_place(&self, place: Place) -> bool {
        let is_of = |hosts: &Vec<HostId>| hosts.contains(&place.host);
        self.hosts.as_ref().is_none_or(is_of) && self.table.is_none_or(|table| table.number == place.table)
    }
}

fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

impl Fleet {
    /// What is known of each table of a host, by number.
    pub fn inventory_tables(&self, host: HostId) -> Vec<TableKnown> {
        let snapshot = self.inventory_of_all();
        let tables = snapshot.host(host).into_iter().flat_map(super::HostInventory::tables);
        tables.filter_map(|(number, known)| table_known(number, known)).collect()
    }

    /// Which rows are known of a host, for its agent to compare with.
    pub fn inventory_digests(&self, host: HostId) -> Vec<(u8, Digest)> {
        let snapshot = self.inventory_of_all();
        let tables = snapshot.host(host).into_iter().flat_map(super::HostInventory::tables);
        let known = tables.filter(|(_, table)| table.known_from_ms.is_some());
        known.map(|(number, table)| (number, table.digest)).collect()
    }

    /// The rows of a host's table, now or as of a moment: as the last look until then found them. `None`: they are not known for then.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_rows(
        &self,
        host: HostId,
        table: &'static Table,
        at: Option<Timestamp>,
    ) -> Result<Option<Rows>, FleetError> {
        let Some(at) = at else {
            let snapshot = self.inventory_of_all();
            return Ok(is_known(&snapshot, host, table, i64::MAX).then(|| snapshot.to_rows(host, table)));
        };
        self.scan_inventory(|reading, snapshot| rows_at(reading, snapshot, host, table, at.millis()))
    }

    /// All inventories as they are now, to be read without a lock.
    pub fn inventory_of_all(&self) -> Arc<InventorySnapshot> {
        self.inventory.read().snapshot()
    }

    /// All inventories as of a moment, of hosts that are known now. Tables that are not known for then are left out; what is known of the others
    /// beside their rows (last look, last change) is as of now, but not later than the moment.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_of_all_at(&self, at: Timestamp) -> Result<Arc<InventorySnapshot>, FleetError> {
        self.scan_inventory(|reading, snapshot| all_at(reading, snapshot, at.millis()))
    }

    /// Changes, newest first.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_changes(&self, query: &ChangeQuery) -> Result<ChangePage, FleetError> {
        self.inventory_changes_if(query, |_| true)
    }

    /// As [`Self::inventory_changes`], only those that `keep` takes. The lock of nothing that changes the fleet is held while it is asked.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_changes_if(
        &self,
        query: &ChangeQuery,
        mut keep: impl FnMut(&InventoryChange) -> bool,
    ) -> Result<ChangePage, FleetError> {
        self.scan(|reading| {
            let mut page = ChangePage::default();
            let (mut scanned, mut last) = (0, None);
            let mut take = |place: Place, value: Option<&[u8]>| -> Result<bool, FleetError> {
                if page.changes.len() >= query.limit || scanned >= SCANNED_MAX {
                    page.next = last.map(ChangeCursor);
                    return Ok(false);
                }
                scanned += 1;
                last = Some(place);
                if !query.wants_place(place) {
                    return Ok(true);
                }
                let change = match value {
                    Some(value) => Change::read(place, value),
                    None => change_at(reading, place)?,
                };
                let change = change.map_err(|what| reading.damage(INVENTORY_CHANGES, &place.by_host(), what))?;
                let change = change.filter(|one| query.wants(one)).map(|one| shown(place, one));
                page.changes.extend(change.filter(&mut keep));
                Ok(true)
            };
            let (from, to) = ends(query);
            match query.hosts.as_deref() {
                Some([host]) => {
                    let key = |place: Place| Place { host: *host, ..place }.by_host();
                    // A cursor is of this host, unless somebody made it up: then the bound by moment is what is left of it.
                    reading.newest_first(
                        INVENTORY_CHANGES,
                        &key(from),
                        &key(to),
                        |key, value| match Place::of_host_key(key) {
                            Some(place) => take(place, Some(value)),
                            None => Ok(true),
                        },
                    )
                }
                _ => reading.newest_first(INVENTORY_TIMES, &from.by_time(), &to.by_time(), |key, _| {
                    match Place::of_time_key(key) {
                        Some(place) => take(place, None),
                        None => Ok(true),
                    }
                }),
            }?;
            Ok(page)
        })
    }

    /// Since when the row of this key is as it is; `None`: there is no such row.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_since(
        &self,
        host: HostId,
        table: &'static Table,
        key: &[Value],
    ) -> Result<Option<RowSince>, FleetError> {
        let all = self.inventory_since_all(host, table)?;
        Ok(all.into_iter().find(|(row, _)| row.starts_with(key)).map(|(_, since)| since))
    }

    /// Since when each row of a host's table is as it is, in the order of their keys.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_since_all(&self, host: HostId, table: &'static Table) -> Result<Vec<(Row, RowSince)>, FleetError> {
        self.scan_inventory(|reading, snapshot| {
            let Some(from_ms) = snapshot.host(host).and_then(|host| host.table(table)?.known_from_ms) else {
                return Ok(Vec::new());
            };
            let mut newest: HashMap<Row, RowSince> = HashMap::new();
            changes_after(reading, host, i64::MIN, |change| {
                if change.table == table {
                    let since = RowSince::Changed { since_ms: change.since_ms, at_ms: change.at_ms };
                    newest.entry(change.key()).or_insert(since);
                }
            })?;
            let since = |row: &[Value]| {
                let least = RowSince::AtLeast { at_ms: from_ms };
                (row.to_vec(), newest.get(&key_of(table, row)).copied().unwrap_or(least))
            };
            Ok(snapshot.rows(host, table).map(since).collect())
        })
    }

    /// What leads from a host's table at one moment to another's, or its own, at another; `None` as the moment: now. `None`: one of them is not
    /// known for then.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails, or a change is damaged.
    pub fn inventory_difference(
        &self,
        (one, one_at): (HostId, Option<Timestamp>),
        (other, other_at): (HostId, Option<Timestamp>),
        table: &'static Table,
    ) -> Result<Option<Vec<RowChange>>, FleetError> {
        self.scan_inventory(|reading, snapshot| {
            let rows = |host, at: Option<Timestamp>| {
                rows_at(reading, snapshot, host, table, at.map_or(i64::MAX, Timestamp::millis))
            };
            let (Some(before), Some(after)) = (rows(one, one_at)?, rows(other, other_at)?) else { return Ok(None) };
            let Difference { gone, now } = Difference::between(&before, &after);
            let gone = gone.into_iter().map(|key| {
                let row = before.get(&key).cloned();
                RowChange { key, before: row, after: None }
            });
            let now = now.into_iter().map(|row| {
                let key = key_of(table, &row);
                let old = before.get(&key).cloned();
                RowChange { key, before: old, after: Some(row) }
            });
            Ok(Some(gone.chain(now).collect()))
        })
    }

    /// How many changes were taken since the start, to wait on.
    pub fn subscribe_inventory(&self) -> watch::Receiver<u64> {
        self.inventory_moved.subscribe()
    }

    /// Moves when tables are wanted whole: ask [`Self::take_inventory_wanted`] then.
    pub fn subscribe_inventory_wanted(&self) -> watch::Receiver<u64> {
        self.inventory_asks.subscribe()
    }

    /// Tables that hosts are to tell whole, since what they told could not be worked in; each is given out once.
    pub fn take_inventory_wanted(&self) -> Vec<(HostId, Vec<u8>)> {
        self.inventory.write().take_wanted()
    }
}

fn table_known(number: u8, known: &HostTable) -> Option<TableKnown> {
    Some(TableKnown {
        table: numbered(number)?,
        digest: known.digest,
        rows: known.rows.len(),
        known_from_ms: known.known_from_ms,
        seen_ms: known.seen_ms,
        changed_ms: known.changed_ms,
        dropped: known.dropped,
        problem: known.problem.clone(),
    })
}

fn is_known(snapshot: &InventorySnapshot, host: HostId, table: &Table, at_ms: i64) -> bool {
    let from_ms = snapshot.host(host).and_then(|host| host.table(table)?.known_from_ms);
    from_ms.is_some_and(|from_ms| from_ms <= at_ms)
}

fn shown(place: Place, change: Change) -> InventoryChange {
    InventoryChange {
        host: place.host,
        words: words::words(&change),
        is_news: words::is_news(&change),
        key: change.key(),
        table: change.table,
        since_ms: change.since_ms,
        at_ms: change.at_ms,
        arrived_ms: change.arrived_ms,
        before: change.before,
        after: change.after,
        cursor: ChangeCursor(place),
    }
}

/// The first place that is asked for, and the first that is not any more.
fn ends(query: &ChangeQuery) -> (Place, Place) {
    let from = Place { host: HostId([0; 16]), at_ms: query.from_ms, table: 0, number: 0 };
    let to = Place { host: HostId([0xff; 16]), at_ms: query.to_ms, table: u8::MAX, number: u32::MAX };
    let before = query.before.map(|cursor| cursor.0).filter(|before| before.by_time() < to.by_time());
    (from, before.unwrap_or(to))
}

pub(super) fn change_at(reading: &Reading, place: Place) -> Result<Result<Option<Change>, String>, FleetError> {
    let value = reading.value(INVENTORY_CHANGES, &place.by_host())?;
    Ok(value.map_or_else(|| Err("the change is missing".to_owned()), |value| Change::read(place, &value)))
}

/// Hands on each change of a host after a moment, newest first.
fn changes_after(reading: &Reading, host: HostId, at_ms: i64, mut each: impl FnMut(Change)) -> Result<(), FleetError> {
    let after = Place { host, at_ms, table: u8::MAX, number: u32::MAX };
    let end = Place { at_ms: i64::MAX, ..after };
    reading.newest_first(INVENTORY_CHANGES, &after.by_host(), &end.by_host(), |key, value| {
        let Some(place) = Place::of_host_key(key).filter(|place| place.at_ms > at_ms || at_ms == i64::MIN) else {
            return Ok(true);
        };
        let change = Change::read(place, value).map_err(|what| reading.damage(INVENTORY_CHANGES, key, what))?;
        change.into_iter().for_each(&mut each);
        Ok(true)
    })
}

fn rows_at(
    reading: &Reading,
    snapshot: &InventorySnapshot,
    host: HostId,
    table: &'static Table,
    at_ms: i64,
) -> Result<Option<Rows>, FleetError> {
    if !is_known(snapshot, host, table, at_ms) {
        return Ok(None);
    }
    let mut rows = snapshot.to_rows(host, table);
    if at_ms == i64::MAX {
        return Ok(Some(rows));
    }
    let mut refused = None;
    changes_after(reading, host, at_ms, |change| {
        if change.table != table {
            return;
        }
        rows.remove(&change.key());
        if let Some(before) = change.before {
            refused = rows.put(before).err().or(refused.take());
        }
    })?;
    match refused {
        None => Ok(Some(rows)),
        Some(error) => Err(reading.damage(INVENTORY_CHANGES, &host.0, error.to_string())),
    }
}

fn all_at(reading: &Reading, snapshot: &InventorySnapshot, at_ms: i64) -> Result<Arc<InventorySnapshot>, FleetError> {
    let mut past = Past::new(snapshot, at_ms);
    let after = Place { host: HostId([0xff; 16]), at_ms, table: u8::MAX, number: u32::MAX };
    let end = Place { at_ms: i64::MAX, ..after };
    reading.newest_first(INVENTORY_TIMES, &after.by_time(), &end.by_time(), |key, _| {
        let Some(place) = Place::of_time_key(key).filter(|place| place.at_ms > at_ms) else { return Ok(true) };
        let Some(table) = numbered(place.table).filter(|table| is_known(snapshot, place.host, table, at_ms)) else {
            return Ok(true);
        };
        let change = change_at(reading, place)?.map_err(|what| reading.damage(INVENTORY_CHANGES, key, what))?;
        if let Some(change) = change {
            past.undo(place.host, table, change);
        }
        Ok(true)
    })?;
    Ok(Arc::new(past.finish()))
}

/// All inventories on their way back to a moment.
struct Past {
    snapshot: InventorySnapshot,
    at_ms: i64,
    /// Tables that were otherwise: numbers of rows by key.
    other: BTreeMap<(HostId, u8), BTreeMap<Row, u32>>,
    /// Numbers of rows that were pushed back into a book.
    pushed: HashMap<(u8, Row), u32>,
}

impl Past {
    fn new(snapshot: &InventorySnapshot, at_ms: i64) -> Self {
        Self { snapshot: snapshot.clone(), at_ms, other: BTreeMap::new(), pushed: HashMap::new() }
    }

    fn undo(&mut self, host: HostId, table: &'static Table, change: Change) {
        let snapshot = &mut self.snapshot;
        let rows = self.other.entry((host, table.number)).or_insert_with(|| {
            let numbers = snapshot.host(host).and_then(|host| host.table(table)).map_or(&[][..], HostTable::numbers);
            numbers.iter().map(|number| (key_of(table, snapshot.book(table).row(*number)), *number)).collect()
        });
        rows.remove(&change.key());
        if let Some(mut before) = change.before {
            before.resize(table.columns.len().max(before.len()), Value::Null);
            let key = key_of(table, &before);
            let book = &mut snapshot.books[place(table)];
            let number = self
                .pushed
                .entry((table.number, before))
                .or_insert_with_key(|(_, row)| book.push(Arc::new(row.clone())));
            rows.insert(key, *number);
        }
    }

    fn finish(mut self) -> InventorySnapshot {
        for ((host, number), rows) in self.other {
            let (Some(inventory), Some(table)) = (self.snapshot.hosts.get_mut(&host), numbered(number)) else {
                continue;
            };
            let Some(known) = Arc::make_mut(inventory).tables.get_mut(&number) else { continue };
            known.rows = rows.into_values().collect();
            let book = &self.snapshot.books[place(table)];
            let hashes = known.rows.iter().map(|number| row_hash(book.row(*number)));
            known.digest = Digest(hashes.fold(0, u64::wrapping_add));
        }
        let at_ms = self.at_ms;
        for inventory in self.snapshot.hosts.values_mut() {
            let inventory = Arc::make_mut(inventory);
            inventory.tables.retain(|_, table| table.known_from_ms.is_some_and(|from_ms| from_ms <= at_ms));
            for table in inventory.tables.values_mut() {
                (table.seen_ms, table.changed_ms) = (table.seen_ms.min(at_ms), table.changed_ms.min(at_ms));
            }
        }
        self.snapshot
    }
}
