//! Inventories in memory: read at opening, and changed by what was made durable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::inventory::{TABLES, numbered};
use serde::{Deserialize, Serialize};

use super::book::Numbers;
use super::log::Limits;
use super::packed::{row_of, take_row, unpack};
use super::snapshot::{HostInventory, HostTable, InventorySnapshot, place};
use super::step::{InventoryStep, Partial};
use super::words::Budget;
use crate::rows::decode;
use crate::tables::{INVENTORY, Put};

/// How long until a host is asked again for a whole table: the answer to the first question may be under way.
const ASK_AGAIN_MS: i64 = 60_000;

/// All inventories, and what is on its way to them.
#[derive(Default)]
pub(crate) struct InventoryState {
    pub(super) current: Arc<InventorySnapshot>,
    /// In the order of [`TABLES`].
    numbers: Vec<Numbers>,
    /// Whole tables of which not all parts have come. A restart forgets them, and the next session tells those tables again.
    pub(super) partials: HashMap<(HostId, u8), Partial>,
    pub(super) budgets: HashMap<HostId, Budget>,
    /// Tables to be told whole, with when they were asked for last, by arrivals.
    asked: HashMap<(HostId, u8), i64>,
    wanted: BTreeMap<HostId, Vec<u8>>,
    pub(super) counts: InventoryCounts,
    pub(super) limits: Limits,
}

/// What this process counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct InventoryCounts {
    /// Changes taken.
    pub(crate) changes: u64,
    /// Changes that went before their time.
    pub(crate) early_changes: u64,
    /// Words that were not taken: their rows break a rule, or there are too many.
    pub(crate) refused: u64,
    /// Whole tables asked for, since what was told of them could not be worked in.
    pub(crate) asked: u64,
    /// Changes that no event tells, since their host had told too many in the hour.
    pub(crate) untold: u64,
}

/// Key (host, 0) of table `inventory`: all about a host's tables but their rows, so that a look that finds nothing new writes some hundred bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct HostRow {
    changes: u64,
    tables: Vec<TableRow>,
}

#[derive(Serialize, Deserialize)]
struct TableRow {
    table: u8,
    known_from_ms: Option<i64>,
    seen_ms: i64,
    changed_ms: i64,
    told_ms: i64,
    arrived_ms: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    problem: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl HostRow {
    pub(super) fn of(host: &HostInventory) -> Self {
        let row = |(number, table): (&u8, &HostTable)| TableRow {
            table: *number,
            known_from_ms: table.known_from_ms,
            seen_ms: table.seen_ms,
            changed_ms: table.changed_ms,
            told_ms: table.told_ms,
            arrived_ms: table.arrived_ms,
            dropped: table.dropped,
            problem: table.problem.clone(),
        };
        Self { changes: host.changes, tables: host.tables.iter().map(row).collect() }
    }
}

/// The key of a host's table, or with 0 of the host itself.
pub(super) fn key(host: HostId, table: u8) -> Vec<u8> {
    let mut key = host.0.to_vec();
    key.push(table);
    key
}

/// Reads table `inventory`, row by row in the order of keys.
pub(crate) struct Loading {
    snapshot: InventorySnapshot,
    numbers: Vec<Numbers>,
    /// Numbers by the bytes of rows, so that most rows are not even read.
    seen: Vec<HashMap<Box<[u8]>, u32>>,
}

impl Loading {
    pub(crate) fn new() -> Self {
        let numbers = TABLES.iter().map(|_| Numbers::default()).collect();
        let seen = TABLES.iter().map(|_| HashMap::new()).collect();
        Self { snapshot: InventorySnapshot::default(), numbers, seen }
    }

    /// Takes one row; the error says what is wrong with it.
    pub(crate) fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let (host, number) = key.split_first_chunk::<16>().ok_or("the key is no host and table")?;
        let [number] = number else { return Err("the key is no host and table".to_owned()) };
        let host = HostId(*host);
        if *number == 0 {
            let row: HostRow = decode(value)?;
            let tables = row.tables.into_iter().filter(|table| numbered(table.table).is_some()).map(|row| {
                let table = HostTable {
                    known_from_ms: row.known_from_ms,
                    seen_ms: row.seen_ms,
                    changed_ms: row.changed_ms,
                    dropped: row.dropped,
                    problem: row.problem,
                    told_ms: row.told_ms,
                    arrived_ms: row.arrived_ms,
                    ..HostTable::default()
                };
                (row.table, table)
            });
            let inventory = HostInventory { tables: tables.collect(), changes: row.changes };
            self.snapshot.hosts.insert(host, Arc::new(inventory));
            return Ok(());
        }
        // A table of a later version stays as it is.
        let Some(table) = numbered(*number) else { return Ok(()) };
        let packed = unpack(value)?;
        let at = place(table);
        let mut rest = packed.plain.as_slice();
        let mut rows = Vec::with_capacity(packed.rows);
        while !rest.is_empty() {
            let bytes = take_row(&mut rest).ok_or("a row ends too early")?;
            let number = match self.seen[at].get(bytes) {
                Some(number) => {
                    self.numbers[at].again(*number);
                    *number
                }
                None => {
                    let mut row = row_of(bytes).ok_or("a row is none")?;
                    // Written when the table had fewer columns.
                    row.resize(table.columns.len().max(row.len()), Default::default());
                    let number = self.numbers[at].take(&mut self.snapshot.books[at], &row);
                    self.seen[at].insert(bytes.into(), number);
                    number
                }
            };
            rows.push(number);
        }
        if rows.len() != packed.rows {
            return Err(format!("{} rows instead of {}", rows.len(), packed.rows));
        }
        let inventory = self.snapshot.hosts.entry(host).or_default();
        let known = Arc::make_mut(inventory).tables.entry(*number).or_default();
        (known.digest, known.rows) = (packed.digest, rows.into());
        Ok(())
    }

    pub(crate) fn finish(self) -> InventoryState {
        InventoryState { current: Arc::new(self.snapshot), numbers: self.numbers, ..InventoryState::default() }
    }
}

impl InventoryState {
    /// All of it as it is now.
    pub(crate) fn snapshot(&self) -> Arc<InventorySnapshot> {
        Arc::clone(&self.current)
    }

    pub(crate) fn counts(&self) -> InventoryCounts {
        self.counts
    }

    /// Hosts known, and different rows of all of them.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.current.hosts.len(), self.numbers.iter().map(Numbers::len).sum())
    }

    /// Goes on where another left off that the file was read anew after.
    pub(crate) fn go_on(&mut self, before: &mut Self) {
        self.counts = before.counts;
        // Parts that the failed commit was to bring are told again, or do not follow and are asked for.
        self.partials = std::mem::take(&mut before.partials);
        self.limits = before.limits;
        self.budgets = std::mem::take(&mut before.budgets);
        self.asked = std::mem::take(&mut before.asked);
        self.wanted = std::mem::take(&mut before.wanted);
    }

    /// Takes in what was made durable. The answer is how many changes it has, and whether tables are wanted.
    pub(crate) fn take(&mut self, step: InventoryStep) -> (u64, bool) {
        let InventoryStep { base, hosts, partials, budgets, wanted, counts, .. } = step;
        // Else what is current would be copied for the sake of its own plan.
        drop(base);
        if !hosts.is_empty() {
            let current = Arc::make_mut(&mut self.current);
            for (host, stepped) in hosts {
                let mut inventory = stepped.inventory;
                for (number, rows) in stepped.rows {
                    let (Some(table), Some(known)) = (numbered(number), inventory.tables.get_mut(&number)) else {
                        continue;
                    };
                    let (numbers, book) = (&mut self.numbers[place(table)], &mut current.books[place(table)]);
                    let before =
                        std::mem::replace(&mut known.rows, rows.iter().map(|row| numbers.take(book, row)).collect());
                    before.iter().for_each(|number| numbers.give_back(book, *number));
                }
                current.hosts.insert(host, Arc::new(inventory));
            }
        }
        for (key, partial) in partials {
            match partial {
                Some(partial) => self.partials.insert(key, partial),
                None => self.partials.remove(&key),
            };
        }
        self.budgets.extend(budgets);
        let mut asks = false;
        for ((host, table), arrived_ms) in wanted {
            let asked = self.asked.entry((host, table)).or_insert(i64::MIN);
            if arrived_ms.saturating_sub(*asked) < ASK_AGAIN_MS {
                continue;
            }
            *asked = arrived_ms;
            asks = true;
            self.counts.asked += 1;
            let tables = self.wanted.entry(host).or_default();
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        self.counts.changes += counts.changes;
        self.counts.early_changes += counts.early_changes;
        self.counts.refused += counts.refused;
        self.counts.untold += counts.untold;
        (counts.changes, asks)
    }

    /// Which tables are to be told whole, by host: told to whoever asks first.
    pub(crate) fn take_wanted(&mut self) -> Vec<(HostId, Vec<u8>)> {
        std::mem::take(&mut self.wanted).into_iter().collect()
    }

    /// The rows that go with a host.
    pub(crate) fn removals(&self, host: HostId) -> Vec<Put> {
        let Some(inventory) = self.current.host(host) else { return Vec::new() };
        let numbers = inventory.tables.keys().copied().chain([0]);
        numbers.map(|number| Put::remove(INVENTORY, &key(host, number))).collect()
    }

    /// Forgets hosts. Their changes stay in the log.
    pub(crate) fn forget(&mut self, hosts: &[HostId]) {
        let known: Vec<HostId> = hosts.iter().copied().filter(|host| self.current.host(*host).is_some()).collect();
        if known.is_empty() {
            return;
        }
        let current = Arc::make_mut(&mut self.current);
        for host in &known {
            let Some(inventory) = current.hosts.remove(host) else { continue };
            for (number, table) in &inventory.tables {
                let Some(at) = numbered(*number).map(place) else { continue };
                table.rows.iter().for_each(|row| self.numbers[at].give_back(&mut current.books[at], *row));
            }
            self.budgets.remove(host);
            self.wanted.remove(host);
        }
        self.partials.retain(|(host, _), _| !known.contains(host));
        self.asked.retain(|(host, _), _| !known.contains(host));
    }

    /// The rows of a table that the file does not show as bytes: for tests and figures.
    #[cfg(test)]
    pub(super) fn different(&self, table: &muster_common::inventory::Table) -> usize {
        self.numbers[place(table)].len()
    }
}
