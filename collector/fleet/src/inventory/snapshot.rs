//! All inventories at one moment, as readers hold them: nothing in it changes, and no lock is held.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::inventory::{Digest, Row, Rows, TABLES, Table, Value};

use super::book::RowBook;

/// What is known of all hosts.
#[derive(Clone)]
pub struct InventorySnapshot {
    pub(super) hosts: BTreeMap<HostId, Arc<HostInventory>>,
    /// In the order of [`TABLES`].
    pub(super) books: Vec<RowBook>,
}

/// What is known of one host.
#[derive(Clone, Default)]
pub struct HostInventory {
    pub(super) tables: BTreeMap<u8, HostTable>,
    /// Changes of it that are kept.
    pub(super) changes: u64,
}

/// What is known of one table of a host. Times are milliseconds since 1970.
#[derive(Clone, Default)]
pub struct HostTable {
    pub digest: Digest,
    /// Since when every moment can be told; `None`: its rows were never told whole.
    pub known_from_ms: Option<i64>,
    /// The last look that told it.
    pub seen_ms: i64,
    /// The last look that found it changed; the first one, if none did.
    pub changed_ms: i64,
    /// Rows that the host has and nobody was told of, since there are too many.
    pub dropped: u64,
    /// Why the last look did not tell it, or why that could not be taken; empty: it was.
    pub problem: String,
    /// Of the last word, also of one that failed: what is older is a repeat.
    pub(super) told_ms: i64,
    pub(super) arrived_ms: i64,
    /// Numbers in the table's [`RowBook`], in the order of the rows' keys.
    pub(super) rows: Arc<[u32]>,
}

impl Default for InventorySnapshot {
    fn default() -> Self {
        Self { hosts: BTreeMap::new(), books: vec![RowBook::default(); TABLES.len()] }
    }
}

/// The place of a table in lists of all tables.
pub(super) fn place(table: &Table) -> usize {
    // Numbers count from 1 without a gap.
    usize::from(table.number).saturating_sub(1)
}

impl InventorySnapshot {
    /// Of rows that are known whole, as of one moment: for fleets that are made up.
    #[cfg(any(test, feature = "planted"))]
    pub fn of(hosts: impl IntoIterator<Item = (HostId, Vec<Rows>)>, at_ms: i64) -> Self {
        let mut all = Self::default();
        let mut numbers: Vec<super::book::Numbers> = TABLES.iter().map(|_| super::book::Numbers::default()).collect();
        for (host, tables) in hosts {
            let mut inventory = HostInventory::default();
            for rows in tables {
                let at = place(rows.table());
                let (book, numbers) = (&mut all.books[at], &mut numbers[at]);
                let table = HostTable {
                    digest: rows.digest(),
                    known_from_ms: Some(at_ms),
                    seen_ms: at_ms,
                    changed_ms: at_ms,
                    rows: rows.iter().map(|row| numbers.take(book, row)).collect(),
                    ..HostTable::default()
                };
                inventory.tables.insert(rows.table().number, table);
            }
            all.hosts.insert(host, Arc::new(inventory));
        }
        all
    }

    /// Every host of which anything is known, by id.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &HostInventory)> {
        self.hosts.iter().map(|(host, inventory)| (*host, inventory.as_ref()))
    }

    pub fn host(&self, host: HostId) -> Option<&HostInventory> {
        self.hosts.get(&host).map(Arc::as_ref)
    }

    /// The rows of one table of all hosts by number: the same number is the same row, so what is true of a row is to be found out once.
    pub fn book(&self, table: &Table) -> &RowBook {
        static EMPTY: RowBook = RowBook::new();
        self.books.get(place(table)).unwrap_or(&EMPTY)
    }

    /// The rows of a host's table, by key. None where nothing is known of it.
    pub fn rows(&self, host: HostId, table: &Table) -> impl Iterator<Item = &[Value]> {
        let numbers = self.host(host).and_then(|host| host.table(table)).map_or(&[][..], HostTable::numbers);
        numbers.iter().map(|number| self.book(table).row(*number))
    }

    /// The same rows, to be worked on.
    pub(super) fn to_rows(&self, host: HostId, table: &'static Table) -> Rows {
        let rows = self.rows(host, table).map(<[Value]>::to_vec);
        // They were taken by the same rules.
        Rows::of(table, rows.collect::<Vec<Row>>()).unwrap_or_else(|_| Rows::new(table))
    }
}

impl HostInventory {
    /// Tables of which anything is known, by number.
    pub fn tables(&self) -> impl Iterator<Item = (u8, &HostTable)> {
        self.tables.iter().map(|(number, table)| (*number, table))
    }

    pub fn table(&self, table: &Table) -> Option<&HostTable> {
        self.tables.get(&table.number)
    }
}

impl HostTable {
    /// Its rows in the table's [`InventorySnapshot::book`], in the order of their keys.
    pub fn numbers(&self) -> &[u32] {
        &self.rows
    }

    /// The same, to be held.
    pub fn shared_numbers(&self) -> Arc<[u32]> {
        Arc::clone(&self.rows)
    }
}
