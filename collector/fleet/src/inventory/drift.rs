//! Drift: what hosts that ought to be alike have otherwise than most of them, or otherwise than a baseline says.
//!
//! Pure, over the numbers of rows in a snapshot: what is true of a row is found out once, however many hosts have it. A value is expected
//! where more than half of a group's hosts have it, column by column; so a serial, an address or a time, which each host has for itself, is
//! expected of nobody. The same goes for keys: rows that more than half of the hosts have of their own, each another one, are no drift.

use std::collections::HashMap;

use muster_common::host::HostId;
use muster_common::inventory::{Row, Table, Value};

use super::book::RowBook;
use super::snapshot::{HostTable, InventorySnapshot};

/// Hosts of which a group has at least so many: of two that differ neither is the majority.
pub const DRIFT_HOSTS_MIN: usize = 3;

/// What is right of one key: a row of the table's columns, of which those count whose bit is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub row: Row,
    /// Bit 0 for the first column.
    pub judged: u32,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct DriftLimits {
    /// Only what this host has otherwise.
    pub host: Option<HostId>,
    /// Tell also rows that most hosts have of their own.
    pub with_own: bool,
    /// Rows of hosts that are told in all; those beyond are counted.
    pub told: usize,
}

/// One table of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDrift {
    pub table: &'static Table,
    /// Hosts of the group of which the table is known.
    pub hosts: usize,
    /// What is not alike, in the order of keys.
    pub keys: Vec<KeyDrift>,
    /// Rows of hosts that are otherwise, also those that are not told.
    pub rows: u64,
    /// Rows that are left out, since most hosts have such of their own.
    pub own: u64,
    /// Keys of which some column has no value that more than half have: nobody can be off it.
    pub undecided: u64,
    /// How many rows each host has otherwise, by id.
    pub by_host: Vec<(HostId, u64)>,
}

/// One key that hosts have otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDrift {
    pub key: Row,
    /// What most have, with nulls in the columns that do not count; `None`: there ought to be no such row.
    pub expected: Option<Row>,
    pub others: Vec<HostDrift>,
    /// Hosts with it otherwise that are not among `others`, since there are too many.
    pub left_out: u64,
}

/// What one host has instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDrift {
    pub host: HostId,
    /// `None`: it has no such row.
    pub row: Option<Row>,
    /// The columns that differ; none where the row is missing or ought not to be.
    pub columns: Vec<&'static str>,
}

/// What is right of the keys of a table: what most have, or these rows and no others.
#[derive(Clone, Copy)]
pub enum Norm<'n> {
    Majority,
    Baseline(&'n [Expected]),
}

/// A key's number where it has none.
const NONE: u32 = u32::MAX;
/// Of a row: it is not what is expected; nobody is to have it; its key is expected.
const OTHER: u8 = 1;
const EXTRA: u8 = 2;
const WANTED: u8 = 4;

/// The keys of a table's rows by number, found once for all groups.
struct Keys<'s> {
    keys: Vec<&'s [Value]>,
    /// The key's number of each row of the book.
    of: Vec<u32>,
    /// Of each key: those that differ in the last column alone are kin; of a table with one such column all are.
    kin: Vec<u32>,
    kins: usize,
}

impl<'s> Keys<'s> {
    fn new(table: &Table, book: &'s RowBook, more: &'s [Expected]) -> (Self, Vec<u32>) {
        let mut numbers: HashMap<&'s [Value], u32> = HashMap::new();
        let mut kins: HashMap<&'s [Value], u32> = HashMap::new();
        let (mut keys, mut kin) = (Vec::new(), Vec::new());
        let mut number = |row: &'s [Value]| {
            let Some(key) = row.get(..table.keys).filter(|_| !row.is_empty()) else { return NONE };
            *numbers.entry(key).or_insert_with(|| {
                let next = kins.len() as u32;
                kin.push(*kins.entry(key.get(..table.keys.saturating_sub(1)).unwrap_or_default()).or_insert(next));
                keys.push(key);
                // Bounded by the numbers of rows.
                keys.len() as u32 - 1
            })
        };
        let of = (0..book.end() as u32).map(|at| number(book.row(at))).collect();
        let more = more.iter().map(|one| number(&one.row)).collect();
        let kins = kins.len();
        (Self { keys, of, kin, kins }, more)
    }

    fn of(&self, row: u32) -> u32 {
        self.of.get(row as usize).copied().unwrap_or(NONE)
    }
}

/// What is found of one group, before it is told.
struct Found {
    /// Key, host's place, and row (`NONE`: it is missing).
    differ: Vec<(u32, u32, u32)>,
    /// By number of the key.
    expected: HashMap<u32, Expected>,
    own: u64,
    undecided: u64,
}

/// What hosts of each group have in this table otherwise than most of them. Hosts of which the table is not known are no part of their group; of a
/// group of fewer than [`DRIFT_HOSTS_MIN`] nothing is found by majority.
pub fn drift(
    snapshot: &InventorySnapshot,
    table: &'static Table,
    groups: &[&[HostId]],
    norm: Norm<'_>,
    mut limits: DriftLimits,
) -> Vec<TableDrift> {
    let book = snapshot.book(table);
    let baseline = if let Norm::Baseline(rows) = norm { rows } else { &[] };
    let (keys, wanted) = Keys::new(table, book, baseline);
    let mut tally = Tally::new(table, book, &keys);
    let mut all = Vec::with_capacity(groups.len());
    for hosts in groups {
        let hosts = known(snapshot, table, hosts);
        let found = match norm {
            Norm::Majority if hosts.len() < DRIFT_HOSTS_MIN => None,
            Norm::Majority => Some(tally.by_majority(&hosts)),
            Norm::Baseline(rows) => {
                let pairs = wanted.iter().zip(rows).filter(|(key, _)| **key != NONE);
                Some(tally.by_norm(&hosts, pairs.map(|(key, one)| (*key, one.clone())).collect()))
            }
        };
        let mut told = TableDrift {
            table,
            hosts: hosts.len(),
            keys: Vec::new(),
            rows: 0,
            own: 0,
            undecided: 0,
            by_host: Vec::new(),
        };
        if let Some(mut found) = found {
            tally.leave_out_own(&hosts, &mut found, limits.with_own);
            tell(&tally, &hosts, found, &mut limits, &mut told);
        }
        all.push(told);
    }
    all
}

/// What more than half of these hosts have in a table, by key. Empty for fewer than [`DRIFT_HOSTS_MIN`] hosts.
pub fn majority(snapshot: &InventorySnapshot, table: &'static Table, hosts: &[HostId]) -> Vec<Expected> {
    let hosts = known(snapshot, table, hosts);
    if hosts.len() < DRIFT_HOSTS_MIN {
        return Vec::new();
    }
    let book = snapshot.book(table);
    let (keys, _) = Keys::new(table, book, &[]);
    let mut tally = Tally::new(table, book, &keys);
    let mut rows: Vec<Expected> = tally.by_majority(&hosts).expected.into_values().collect();
    rows.sort_unstable_by(|a, b| a.row.get(..table.keys).cmp(&b.row.get(..table.keys)));
    rows
}

type Hosts<'s> = Vec<(HostId, &'s [u32])>;

fn known<'s>(snapshot: &'s InventorySnapshot, table: &Table, hosts: &[HostId]) -> Hosts<'s> {
    let rows = |host: &HostId| {
        let known = snapshot.host(*host)?.table(table)?;
        known.known_from_ms.map(|_| (*host, HostTable::numbers(known)))
    };
    hosts.iter().filter_map(rows).collect()
}

/// All bits of the columns that say how a thing is and are no news to be otherwise.
pub(super) fn judged(table: &Table) -> u32 {
    let judges = |at: &usize| !table.is_quiet(*at);
    (table.keys..table.columns.len()).filter(judges).fold(0, |all, at| all | 1 << at)
}

fn is_judged(judged: u32, at: usize) -> bool {
    judged >> at & 1 == 1
}

fn value(row: &[Value], at: usize) -> &Value {
    row.get(at).unwrap_or(&Value::Null)
}

/// The counts of one table, used again for each group.
struct Tally<'s, 'k> {
    table: &'static Table,
    book: &'s RowBook,
    keys: &'k Keys<'s>,
    /// By number of the row; all are 0 between groups.
    count: Vec<u32>,
    verdict: Vec<u8>,
    /// By number of the key: in which round a host had it.
    marks: Vec<u32>,
    round: u32,
}

impl<'s, 'k> Tally<'s, 'k> {
    fn new(table: &'static Table, book: &'s RowBook, keys: &'k Keys<'s>) -> Self {
        let (count, verdict) = (vec![0; book.end()], vec![0; book.end()]);
        Self { table, book, keys, count, verdict, marks: vec![0; keys.keys.len()], round: 0 }
    }

    fn mark(&mut self, key: u32) {
        if let Some(mark) = self.marks.get_mut(key as usize) {
            *mark = self.round;
        }
    }

    /// Every row that a host of the group has, once, by its key.
    fn count(&mut self, hosts: &Hosts<'_>) -> Vec<(u32, u32)> {
        let mut touched = Vec::new();
        for number in hosts.iter().flat_map(|(_, rows)| rows.iter()) {
            if let Some(count) = self.count.get_mut(*number as usize) {
                if *count == 0 {
                    touched.push((self.keys.of(*number), *number));
                }
                *count += 1;
            }
        }
        touched.retain(|(key, _)| *key != NONE);
        touched.sort_unstable();
        touched
    }

    fn by_majority(&mut self, hosts: &Hosts<'_>) -> Found {
        let touched = self.count(hosts);
        let (mut expected, mut undecided) = (HashMap::new(), 0);
        let mut open = Vec::new();
        for rows in touched.chunk_by(|a, b| a.0 == b.0) {
            let count = |row: &(u32, u32)| self.count[row.1 as usize] as usize;
            let having: usize = rows.iter().map(count).sum();
            if 2 * having < hosts.len() {
                continue;
            }
            if 2 * having == hosts.len() {
                open.push(rows[0].0);
                undecided += 1;
                continue;
            }
            let right = self.right(rows, hosts.len());
            undecided += u64::from(right.judged != judged(self.table));
            expected.insert(rows[0].0, right);
        }
        self.judge(hosts, &touched, expected, &open, undecided)
    }

    /// Column by column what more than half of all hosts have.
    fn right(&self, rows: &[(u32, u32)], hosts: usize) -> Expected {
        let count = |row: &(u32, u32)| self.count[row.1 as usize] as usize;
        // A row that most have is right in all columns: the usual case.
        let whole = rows.iter().find(|row| 2 * count(row) > hosts);
        let mut right = Expected { row: vec![Value::Null; self.table.columns.len()], judged: 0 };
        for at in 0..self.table.columns.len() {
            if at >= self.table.keys && self.table.is_quiet(at) {
                continue;
            }
            // The vote of Boyer and Moore: only what is left at its end can be had by more than half.
            let rows = whole.map_or(rows, std::slice::from_ref);
            let value_of = |row: &(u32, u32)| value(self.book.row(row.1), at);
            let (mut left, mut lead) = (&Value::Null, 0);
            for row in rows {
                let (of, votes) = (value_of(row), count(row));
                (left, lead) = match of == left {
                    true => (left, lead + votes),
                    false if votes > lead => (of, votes - lead),
                    false => (left, lead - votes),
                };
            }
            let having: usize = rows.iter().filter(|row| value_of(row) == left).map(count).sum();
            if 2 * having > hosts {
                right.row[at] = left.clone();
                right.judged |= u32::from(at >= self.table.keys) << at;
            }
        }
        right
    }

    fn by_norm(&mut self, hosts: &Hosts<'_>, expected: HashMap<u32, Expected>) -> Found {
        let touched = self.count(hosts);
        self.judge(hosts, &touched, expected, &[], 0)
    }

    /// Judges each row once, then looks which host has those that are wrong, and which one lacks some.
    fn judge(
        &mut self,
        hosts: &Hosts<'_>,
        touched: &[(u32, u32)],
        expected: HashMap<u32, Expected>,
        open: &[u32],
        undecided: u64,
    ) -> Found {
        for (key, row) in touched {
            self.verdict[*row as usize] = match expected.get(key) {
                Some(right) => WANTED | if self.differs(right, *row).next().is_some() { OTHER } else { 0 },
                // In the order of keys, as what is touched.
                None if open.binary_search(key).is_ok() => 0,
                None => EXTRA,
            };
        }
        let mut differ = Vec::new();
        for (place, (_, rows)) in hosts.iter().enumerate() {
            let (place, mut wanted) = (place as u32, 0);
            for row in *rows {
                let verdict = self.verdict.get(*row as usize).copied().unwrap_or(0);
                wanted += usize::from(verdict & WANTED != 0);
                if verdict & (OTHER | EXTRA) != 0 {
                    differ.push((self.keys.of(*row), place, *row));
                }
            }
            if wanted < expected.len() {
                self.round += 1;
                rows.iter().for_each(|row| self.mark(self.keys.of(*row)));
                let lacks = |key: &&u32| self.marks[**key as usize] != self.round;
                differ.extend(expected.keys().filter(lacks).map(|key| (*key, place, NONE)));
            }
        }
        for (_, row) in touched {
            (self.count[*row as usize], self.verdict[*row as usize]) = (0, 0);
        }
        Found { differ, expected, own: 0, undecided }
    }

    /// Places of the columns that count and that this row has otherwise.
    fn differs<'a>(&'a self, right: &'a Expected, row: u32) -> impl Iterator<Item = usize> + 'a {
        let row = self.book.row(row);
        let is_other = move |at: &usize| is_judged(right.judged, *at) && value(row, *at) != value(&right.row, *at);
        (self.table.keys..self.table.columns.len()).filter(is_other)
    }

    /// Takes out rows that nobody is to have where more than half of the hosts have kin of them. A key that most hosts share, which a baseline does
    /// not have, is nobody's own.
    fn leave_out_own(&self, hosts: &Hosts<'_>, found: &mut Found, with_own: bool) {
        if with_own {
            return;
        }
        let (mut having, mut last) = (vec![0_usize; self.keys.kins], vec![NONE; self.keys.kins]);
        let mut sharing: HashMap<u32, usize> = HashMap::new();
        found.differ.iter().for_each(|(key, _, _)| *sharing.entry(*key).or_default() += 1);
        let is_extra = |found: &HashMap<u32, Expected>, key: u32| {
            !found.contains_key(&key) && sharing.get(&key).is_none_or(|sharing| 2 * sharing <= hosts.len())
        };
        let kin = |key: u32| self.keys.kin.get(key as usize).map_or(0, |kin| *kin as usize);
        // By host, as they were found.
        for (key, place, _) in found.differ.iter().filter(|one| is_extra(&found.expected, one.0)) {
            let kin = kin(*key);
            if last[kin] != *place {
                (last[kin], having[kin]) = (*place, having[kin] + 1);
            }
        }
        let before = found.differ.len();
        let expected = &found.expected;
        // Of one or two hosts nothing is common.
        let is_own =
            |key: u32| hosts.len() >= DRIFT_HOSTS_MIN && is_extra(expected, key) && 2 * having[kin(key)] > hosts.len();
        found.differ.retain(|(key, _, _)| !is_own(*key));
        found.own = (before - found.differ.len()) as u64;
    }
}

fn tell(tally: &Tally<'_, '_>, hosts: &Hosts<'_>, found: Found, limits: &mut DriftLimits, told: &mut TableDrift) {
    let Found { mut differ, expected, own, undecided } = found;
    (told.own, told.undecided) = (own, undecided);
    differ.retain(|(_, place, _)| limits.host.is_none_or(|only| hosts[*place as usize].0 == only));
    told.rows = differ.len() as u64;
    let mut counts = vec![0_u64; hosts.len()];
    differ.iter().for_each(|(_, place, _)| counts[*place as usize] += 1);
    let by_host = hosts.iter().zip(counts).filter(|(_, count)| *count > 0);
    told.by_host = by_host.map(|((host, _), count)| (*host, count)).collect();
    told.by_host.sort_unstable();
    differ.sort_unstable();
    let mut runs: Vec<_> = differ.chunk_by(|a, b| a.0 == b.0).collect();
    runs.sort_unstable_by_key(|run| tally.keys.keys[run[0].0 as usize]);
    for run in runs {
        let right = expected.get(&run[0].0);
        let kept = run.len().min(limits.told);
        limits.told -= kept;
        let other = |(_, place, row): &(u32, u32, u32)| {
            let row = Some(*row).filter(|row| *row != NONE);
            let columns = right.zip(row).map(|(right, row)| {
                tally.differs(right, row).filter_map(|at| Some(tally.table.columns.get(at)?.name)).collect()
            });
            let host = hosts[*place as usize].0;
            HostDrift { host, row: row.map(|row| tally.book.row(row).to_vec()), columns: columns.unwrap_or_default() }
        };
        if kept > 0 {
            told.keys.push(KeyDrift {
                key: tally.keys.keys[run[0].0 as usize].to_vec(),
                expected: right.map(|right| right.row.clone()),
                others: run[..kept].iter().map(other).collect(),
                left_out: (run.len() - kept) as u64,
            });
        }
    }
}
