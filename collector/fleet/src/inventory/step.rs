//! What reports change: decided over the rows in memory, before anything is written.
//!
//! Repeats change nothing: a word that is older than the last one of its table is passed over, and one that leads to the rows that are known
//! finds them as they are. So an inbox that is applied again, from any place, leads to the same rows and to the same changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::inventory::{
    Difference, DifferenceError, Digest, Row, Rows, RowsError, Table, Value, named, numbered,
};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};
use muster_common::wire::message::Report;

use super::log::{Change, Limits};
use super::packed::{TABLE_BYTES_MAX, bytes_of};
use super::snapshot::{HostInventory, HostTable, InventorySnapshot};
use super::state::{InventoryCounts, InventoryState};
use super::words::{self, Budget};
use crate::checks::Reported;
use crate::deploys::{PackageChange, VERSION_BYTES_MAX};
use crate::outbox::Event;
use crate::rows::cut_to;

/// Rows of whole tables of which not all parts have come, of all hosts: sixteen of the largest. The oldest go, and are asked for again.
const PARTIAL_BYTES_MAX: usize = 16 * TABLE_BYTES_MAX;

/// What reports change, whole or not at all.
#[derive(Default)]
pub(crate) struct InventoryStep {
    pub(super) base: Arc<InventorySnapshot>,
    pub(super) hosts: BTreeMap<HostId, HostStep>,
    /// `None`: it is complete, or given up.
    pub(super) partials: HashMap<(HostId, u8), Option<Partial>>,
    pub(super) budgets: HashMap<HostId, Budget>,
    /// Tables to be asked for, with the arrival of what could not be worked in.
    pub(super) wanted: BTreeMap<(HostId, u8), i64>,
    pub(super) counts: InventoryCounts,
    pub(super) newest_arrival_ms: i64,
    pub(super) limits: Limits,
    pub(crate) events: Vec<Event>,
}

/// One host afterwards.
#[derive(Default)]
pub(super) struct HostStep {
    pub(super) inventory: HostInventory,
    /// Tables that have other rows than before.
    pub(super) rows: BTreeMap<u8, Rows>,
    pub(super) changes: Vec<Change>,
}

/// The parts of a whole table that have come.
#[derive(Clone)]
pub(crate) struct Partial {
    told_ms: i64,
    arrived_ms: i64,
    digest: u64,
    parts: u16,
    bytes: usize,
    /// In their order.
    rows: Vec<Arc<Vec<Row>>>,
}

/// When a word was said.
#[derive(Clone, Copy)]
struct Said {
    /// When the table was looked at before, as the agent says.
    since_ms: i64,
    told_ms: i64,
    arrived_ms: i64,
}

/// What a word leads to.
enum Outcome {
    /// The rows that are known.
    Same,
    /// Other rows, which came about after this.
    Rows { rows: Box<Rows>, since_ms: i64 },
    /// More parts are to come.
    Waits,
    /// It cannot be worked in: the whole table is wanted.
    Wanted,
    /// It breaks a rule, and would again.
    Refused(String),
    /// The agent could not look.
    Failed(String),
}

impl InventoryState {
    /// What these reports change. `name`: of an active host; the reports of others are passed over. `None`: no report is of an inventory.
    pub(crate) fn plan(&self, reports: &[Reported], name: impl Fn(HostId) -> Option<String>) -> Option<InventoryStep> {
        let mut told = reports.iter().filter_map(|one| match &one.report {
            Report::Inventory(report) => Some((one.host, one.arrived.millis(), report)),
            _ => None,
        });
        let mut told = told.by_ref().peekable();
        told.peek()?;
        let mut step = InventoryStep { base: self.snapshot(), limits: self.limits, ..InventoryStep::default() };
        for (host, arrived_ms, report) in told {
            if let Some(name) = name(host) {
                step.report(self, (host, &name), report, arrived_ms);
            }
        }
        Some(step)
    }
}

impl InventoryStep {
    /// Hosts of which some table has other rows.
    pub(crate) fn changed_hosts(&self) -> impl Iterator<Item = HostId> {
        self.hosts.iter().filter(|(_, step)| !step.rows.is_empty()).map(|(host, _)| *host)
    }

    /// Packages that have another version than before, in the order in which they came to it.
    pub(crate) fn package_changes(&self) -> Vec<PackageChange> {
        let Some(table) = named("packages") else { return Vec::new() };
        let place = |name: &str| table.columns.iter().position(|column| column.name == name);
        let (Some(name), Some(version)) = (place("name"), place("version")) else { return Vec::new() };
        let text = |row: &Row, at: usize| match row.get(at) {
            Some(Value::Text(text)) => cut_to(text.trim(), VERSION_BYTES_MAX),
            _ => String::new(),
        };
        let of_host = |(host, stepped): (&HostId, &HostStep)| -> Vec<PackageChange> {
            let changed = stepped.changes.iter().filter(|change| change.table.number == table.number);
            let of = changed.filter_map(|change| {
                let after = change.after.as_ref()?;
                let before = change.before.as_ref().map(|row| text(row, version)).unwrap_or_default();
                let (package, version) = (text(after, name), text(after, version));
                let (since_ms, at_ms, arrived_ms) = (change.since_ms, change.at_ms, change.arrived_ms);
                let is_other = version != before && !version.is_empty();
                is_other.then_some(PackageChange { host: *host, package, before, version, since_ms, at_ms, arrived_ms })
            });
            of.collect()
        };
        let mut all: Vec<PackageChange> = self.hosts.iter().flat_map(of_host).collect();
        all.sort_by_key(|change| (change.at_ms, change.host));
        all
    }

    /// Hosts that have told something.
    pub(crate) fn hosts(&self) -> Vec<HostId> {
        self.hosts.keys().copied().collect()
    }

    fn report(
        &mut self,
        state: &InventoryState,
        (host, name): (HostId, &str),
        report: &InventoryReport,
        arrived_ms: i64,
    ) {
        self.newest_arrival_ms = self.newest_arrival_ms.max(arrived_ms);
        // A host whose clock is ahead must not hold off its own looks until that time has come.
        let told_ms = report.at_ms.min(arrived_ms);
        let said = Said { since_ms: report.since_ms, told_ms, arrived_ms };
        let before = self.hosts.get(&host).map_or(0, |stepped| stepped.changes.len());
        for one in &report.tables {
            // One of a later version is none of ours.
            if let Some(table) = numbered(one.table) {
                self.word(state, host, table, one, said);
            }
        }
        let Some(stepped) = self.hosts.get(&host) else { return };
        let changes = &stepped.changes[before..];
        if changes.is_empty() {
            return;
        }
        self.counts.changes += changes.len() as u64;
        let known = || state.budgets.get(&host).cloned().unwrap_or_default();
        let budget = self.budgets.entry(host).or_insert_with(known);
        let (event, untold) = words::event(budget, (host, name), changes, arrived_ms);
        self.counts.untold += untold;
        self.events.extend(event);
    }

    fn word(&mut self, state: &InventoryState, host: HostId, table: &'static Table, one: &TableReport, said: Said) {
        let mut known = self.host(host).inventory.tables.get(&table.number).cloned().unwrap_or_default();
        if (said.arrived_ms, said.told_ms) < (known.arrived_ms, known.told_ms) {
            return;
        }
        // The log of a table only grows: a look that was dated back counts as of the one before.
        let at_ms = said.told_ms.max(known.seen_ms);
        let outcome = self.outcome(state, (host, table), &known, one, said);
        if !matches!(outcome, Outcome::Waits) && self.partial(state, (host, table.number)).is_some() {
            self.partials.insert((host, table.number), None);
        }
        (known.told_ms, known.arrived_ms) = (said.told_ms, said.arrived_ms);
        match outcome {
            Outcome::Waits => return,
            Outcome::Wanted => {
                self.wanted.insert((host, table.number), said.arrived_ms);
                return;
            }
            Outcome::Failed(problem) => known.problem = problem,
            Outcome::Refused(problem) => {
                self.counts.refused += 1;
                known.problem = problem;
            }
            Outcome::Same => {
                known.problem.clear();
                (known.seen_ms, known.dropped) = (at_ms, one.dropped);
            }
            Outcome::Rows { rows, since_ms } => {
                let times = (since_ms.max(known.seen_ms).min(at_ms), at_ms, said.arrived_ms);
                if known.known_from_ms.is_some() {
                    let before = self.rows(host, table);
                    let changes = changes(&before, &rows, times);
                    self.host(host).changes.extend(changes);
                }
                known.problem.clear();
                known.known_from_ms.get_or_insert(at_ms);
                (known.seen_ms, known.changed_ms, known.dropped) = (at_ms, at_ms, one.dropped);
                known.digest = rows.digest();
                self.host(host).rows.insert(table.number, *rows);
            }
        }
        self.host(host).inventory.tables.insert(table.number, known);
    }

    fn outcome(
        &mut self,
        state: &InventoryState,
        (host, table): (HostId, &'static Table),
        known: &HostTable,
        one: &TableReport,
        said: Said,
    ) -> Outcome {
        let is_known = known.known_from_ms.is_some();
        let is_same = is_known && known.digest.0 == one.digest;
        match &one.word {
            InventoryWord::Failed { problem } => Outcome::Failed(problem.clone()),
            _ if is_same => Outcome::Same,
            InventoryWord::Unchanged => Outcome::Wanted,
            InventoryWord::Changed { from, .. } if !is_known || known.digest.0 != *from => Outcome::Wanted,
            InventoryWord::Changed { from, gone, now } => {
                let before = self.rows(host, table);
                let difference = Difference { gone: gone.clone(), now: now.clone() };
                match difference.apply(&before, (Digest(*from), Digest(one.digest))) {
                    Ok(rows) => fitting(rows, said.since_ms),
                    Err(DifferenceError::Row(error)) => refused(&error),
                    Err(_) => Outcome::Wanted,
                }
            }
            InventoryWord::Whole { part, parts, rows } => {
                self.part(state, (host, table), (*part, *parts, rows.as_slice()), one.digest, said)
            }
        }
    }

    /// Takes one part of a whole table; with the last one there are rows.
    fn part(
        &mut self,
        state: &InventoryState,
        (host, table): (HostId, &'static Table),
        (part, parts, rows): (u16, u16, &[Row]),
        digest: u64,
        said: Said,
    ) -> Outcome {
        let key = (host, table.number);
        let Said { told_ms, arrived_ms, .. } = said;
        let mut partial = if part == 0 {
            Partial { told_ms, arrived_ms, digest, parts, bytes: 0, rows: Vec::new() }
        } else {
            match self.partial(state, key) {
                Some(partial) if partial.follows(part, parts, digest, told_ms) => partial.clone(),
                // The parts before were lost with a restart, or are of another look.
                _ => return Outcome::Wanted,
            }
        };
        partial.bytes += bytes_of(rows);
        if partial.bytes > TABLE_BYTES_MAX {
            let most = TABLE_BYTES_MAX >> 20;
            return Outcome::Refused(format!("its rows are more than {most} MiB: leave some of them out on the host"));
        }
        partial.rows.push(Arc::new(rows.to_vec()));
        partial.arrived_ms = arrived_ms;
        if part + 1 < parts {
            self.partials.insert(key, Some(partial));
            self.bound_partials(state, key);
            return Outcome::Waits;
        }
        let all = partial.rows.iter().flat_map(|rows| rows.iter().cloned());
        match Rows::of(table, all) {
            Ok(rows) if rows.digest().0 == digest => Outcome::Rows { rows: Box::new(rows), since_ms: 0 },
            Ok(_) => Outcome::Wanted,
            Err(error) => refused(&error),
        }
    }

    fn bound_partials(&mut self, state: &InventoryState, newest: (HostId, u8)) {
        let all = |step: &Self| -> Vec<((HostId, u8), i64, usize)> {
            let old = state.partials.iter().filter(|(key, _)| !step.partials.contains_key(*key));
            let new = step.partials.iter().filter_map(|(key, partial)| Some((key, partial.as_ref()?)));
            old.chain(new).map(|(key, partial)| (*key, partial.arrived_ms, partial.bytes)).collect()
        };
        let mut partials = all(self);
        partials.sort_unstable_by_key(|(key, arrived_ms, _)| (*arrived_ms, *key));
        let mut bytes: usize = partials.iter().map(|(_, _, bytes)| bytes).sum();
        for (key, _, of_one) in partials {
            if bytes <= PARTIAL_BYTES_MAX {
                break;
            }
            if key != newest {
                bytes -= of_one;
                self.partials.insert(key, None);
            }
        }
    }

    fn partial<'a>(&'a self, state: &'a InventoryState, key: (HostId, u8)) -> Option<&'a Partial> {
        self.partials.get(&key).map_or_else(|| state.partials.get(&key), Option::as_ref)
    }

    /// A host as it is after what was taken so far.
    pub(super) fn host(&mut self, host: HostId) -> &mut HostStep {
        let base = &self.base;
        self.hosts.entry(host).or_insert_with(|| HostStep {
            inventory: base.host(host).cloned().unwrap_or_default(),
            ..HostStep::default()
        })
    }

    fn rows(&self, host: HostId, table: &'static Table) -> Rows {
        let stepped = self.hosts.get(&host).and_then(|stepped| stepped.rows.get(&table.number));
        stepped.cloned().unwrap_or_else(|| self.base.to_rows(host, table))
    }
}

impl Partial {
    fn follows(&self, part: u16, parts: u16, digest: u64, told_ms: i64) -> bool {
        (usize::from(part), parts, digest, told_ms) == (self.rows.len(), self.parts, self.digest, self.told_ms)
    }
}

fn fitting(rows: Rows, since_ms: i64) -> Outcome {
    let most = TABLE_BYTES_MAX >> 20;
    let bytes: usize = rows.iter().map(|row| bytes_of(std::slice::from_ref(row))).sum();
    if bytes > TABLE_BYTES_MAX {
        return Outcome::Refused(format!("its rows are more than {most} MiB: leave some of them out on the host"));
    }
    Outcome::Rows { rows: Box::new(rows), since_ms }
}

fn refused(error: &RowsError) -> Outcome {
    let remedy = match error {
        RowsError::Length { .. } | RowsError::Kind { .. } => "upgrade whichever of agent and collector is older",
        RowsError::Text { .. } | RowsError::TooMany { .. } => "upgrade the agent",
    };
    Outcome::Refused(format!("{error}: {remedy}"))
}

/// Row by row, in the order of keys: those that are gone, then those that are new or another.
fn changes(before: &Rows, after: &Rows, (since_ms, at_ms, arrived_ms): (i64, i64, i64)) -> Vec<Change> {
    let table = before.table();
    let change = |before: Option<Row>, after: Option<Row>| Change { table, since_ms, at_ms, arrived_ms, before, after };
    let Difference { gone, now } = Difference::between(before, after);
    let gone = gone.iter().map(|key| change(before.get(key).cloned(), None));
    let now = now.into_iter().map(|row| {
        let old = before.get(&muster_common::inventory::key_of(table, &row)).cloned();
        change(old, Some(row))
    });
    gone.chain(now).collect()
}
