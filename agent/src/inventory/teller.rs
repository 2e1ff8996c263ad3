//! What looks make the agent tell: a table whole, what changed in it, that it is as it was, that it could not be looked at. Pure.
//!
//! It tells nothing before it is told what the collector has ([`Teller::welcome`]). From then on each report leads on from the one before it,
//! whether or not that has been acknowledged: reports travel on a lane that loses and doubles none. After a restart the collector's digests
//! say where things stand.

mod size;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use muster_common::inventory::{Difference, Digest, Row, Rows};
use muster_common::wire::inventory::{InventoryReport, InventoryWord, TableReport};

use size::{rows_bytes, table_bytes, word_bytes};

/// A report's rows, encoded: a frame's payload with room for what stands around them.
pub(super) const PART_BYTES_MAX: usize = 200_000;
/// A table beyond this is no inventory: it would take minutes of a slow line, and its rows stay in memory here.
pub(super) const TABLE_BYTES_MAX: usize = 4 << 20;
/// A text of a problem.
const PROBLEM_BYTES_MAX: usize = 1 << 10;

/// What was told of one table.
#[derive(Debug, Default)]
struct Told {
    /// Of the rows that the collector has once it has read all reports; `None`: it has none.
    digest: Option<Digest>,
    /// Those rows, if they were told by this process, or found as the digest says.
    rows: Option<Rows>,
    /// The problem that was told last, if the last look failed.
    problem: Option<String>,
    /// When the last look that saw its rows began; 0: none did.
    looked_ms: i64,
    /// The collector wants it whole.
    is_wanted: bool,
    /// Looks without news since the last report of it: the look before the first one, and the last one.
    quiet: Option<(i64, i64)>,
}

/// When looks were taken that are told together, ms since 1970: all that they saw was so at some moment between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) begun_ms: i64,
    pub(super) ended_ms: i64,
}

/// The machine.
#[derive(Debug, Default)]
pub(super) struct Teller {
    is_welcome: bool,
    tables: BTreeMap<u8, Told>,
    /// What waits for the welcome: the last look at each table.
    waiting: BTreeMap<u8, (Taken, Result<Rows, String>)>,
    ready: Vec<InventoryReport>,
}

impl Teller {
    /// What the collector has committed, by table number; tables that are not named it does not have. Only the first call counts: later
    /// ones do not know what is under way.
    pub(super) fn welcome(&mut self, digests: &[(u8, Digest)]) {
        if std::mem::replace(&mut self.is_welcome, true) {
            return;
        }
        for (table, digest) in digests {
            self.tables.entry(*table).or_default().digest = Some(*digest);
        }
        for (table, (taken, look)) in std::mem::take(&mut self.waiting) {
            self.look(table, taken, look);
        }
    }

    /// A look at a table; a problem is the text of one. What changed did so after the last look began, and not after this one ended.
    pub(super) fn look(&mut self, table: u8, taken: Taken, look: Result<Rows, String>) {
        if !self.is_welcome {
            self.waiting.insert(table, (taken, look));
            return;
        }
        let look = look.and_then(|rows| match table_bytes(&rows) {
            bytes if bytes > TABLE_BYTES_MAX => {
                Err(format!("the table has {bytes} bytes, more than {TABLE_BYTES_MAX}: see what fills it on the host"))
            }
            _ => Ok(rows),
        });
        let told = self.tables.entry(table).or_default();
        // A clock that was set back must not turn the order around.
        let since_ms = told.looked_ms.min(taken.ended_ms);
        if look.is_ok() {
            told.looked_ms = taken.begun_ms;
        }
        let reports = told.reports(table, look);
        if reports.is_empty() {
            let first = told.quiet.map_or(since_ms, |(first, _)| first);
            told.quiet = Some((first, taken.begun_ms));
        } else {
            told.quiet = None;
            for report in reports {
                self.add(taken.ended_ms, since_ms, report);
            }
        }
    }

    /// The collector wants these tables whole. Gives those that must be looked at for it, since their rows are not here.
    pub(super) fn wanted(&mut self, tables: &[u8]) -> Vec<u8> {
        let mut unknown = Vec::new();
        for table in tables {
            let told = self.tables.entry(*table).or_default();
            match &told.rows {
                Some(rows) if self.is_welcome => {
                    let (at_ms, parts) = (told.looked_ms, whole(*table, rows));
                    told.quiet = None;
                    // When they were looked at before is of no use to a collector that lacks them.
                    parts.into_iter().for_each(|part| self.add(at_ms, 0, part));
                }
                _ => {
                    told.is_wanted = true;
                    unknown.push(*table);
                }
            }
        }
        unknown
    }

    /// Puts all that had no news since it was told last into one report.
    pub(super) fn gather(&mut self) {
        let quiet: Vec<(u8, (i64, i64), TableReport)> = self
            .tables
            .iter_mut()
            .filter_map(|(table, told)| Some((*table, told.quiet.take()?, told.as_before(*table)?)))
            .collect();
        // All of them were so at the earliest of their last looks.
        let Some(at_ms) = quiet.iter().map(|(_, (_, last), _)| *last).min() else { return };
        let since_ms = quiet.iter().map(|(_, (first, _), _)| *first).min().unwrap_or(0).min(at_ms);
        let tables = quiet.into_iter().map(|(_, _, report)| report).collect();
        self.ready.push(InventoryReport { at_ms, since_ms, tables, extensions: Vec::new() });
    }

    /// What is to be told now, in its order.
    pub(super) fn take(&mut self) -> Vec<InventoryReport> {
        std::mem::take(&mut self.ready)
    }

    /// Joins tables of the same look as long as they fit.
    fn add(&mut self, at_ms: i64, since_ms: i64, report: TableReport) {
        let bytes = word_bytes(&report.word);
        // Not into an earlier one: parts follow each other, and what leads on from a report follows it.
        if let Some(last) = self.ready.last_mut()
            && (last.at_ms, last.since_ms) == (at_ms, since_ms)
            && last.tables.iter().map(|table| word_bytes(&table.word)).sum::<usize>() + bytes <= PART_BYTES_MAX
        {
            last.tables.push(report);
        } else {
            self.ready.push(InventoryReport { at_ms, since_ms, tables: vec![report], extensions: Vec::new() });
        }
    }
}

impl Told {
    /// What a look makes of what was told; nothing: it has no news.
    fn reports(&mut self, table: u8, look: Result<Rows, String>) -> Vec<TableReport> {
        let now = match look {
            Ok(rows) => rows,
            Err(mut problem) => {
                problem.truncate(problem.floor_char_boundary(PROBLEM_BYTES_MAX));
                if self.problem.as_ref() == Some(&problem) {
                    return Vec::new();
                }
                self.problem = Some(problem);
                return self.as_before(table).into_iter().collect();
            }
        };
        let had_failed = self.problem.take().is_some();
        let before = self.rows.take();
        let from = self.digest.replace(now.digest());
        let is_wanted = std::mem::take(&mut self.is_wanted);
        let is_same = from == self.digest && !is_wanted;
        let reports = match (&before, from) {
            _ if is_same && had_failed => vec![report(table, &now, InventoryWord::Unchanged)],
            _ if is_same => Vec::new(),
            (Some(before), Some(from)) if from == before.digest() && !is_wanted => {
                let difference = Difference::between(before, &now);
                let bytes = rows_bytes(&difference.gone) + rows_bytes(&difference.now);
                if bytes <= PART_BYTES_MAX {
                    let word = InventoryWord::Changed { from: from.0, gone: difference.gone, now: difference.now };
                    vec![report(table, &now, word)]
                } else {
                    whole(table, &now)
                }
            }
            _ => whole(table, &now),
        };
        self.rows = Some(now);
        reports
    }

    /// How it was, once more; `None`: it was never looked at.
    fn as_before(&self, table: u8) -> Option<TableReport> {
        let (digest, dropped) = (self.digest.unwrap_or_default().0, self.rows.as_ref().map_or(0, Rows::dropped));
        let word = match &self.problem {
            Some(problem) => InventoryWord::Failed { problem: problem.clone() },
            None => self.rows.as_ref().map(|_| InventoryWord::Unchanged)?,
        };
        Some(TableReport { table, digest, dropped, word })
    }
}

fn report(table: u8, rows: &Rows, word: InventoryWord) -> TableReport {
    TableReport { table, digest: rows.digest().0, dropped: rows.dropped(), word }
}

/// All rows, in as many parts as they need.
fn whole(table: u8, rows: &Rows) -> Vec<TableReport> {
    let mut parts: Vec<Vec<Row>> = vec![Vec::new()];
    let mut bytes = 0;
    for row in rows.iter() {
        let more = rows_bytes(std::slice::from_ref(row));
        if bytes + more > PART_BYTES_MAX && bytes > 0 {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += more;
        if let Some(part) = parts.last_mut() {
            part.push(row.clone());
        }
    }
    // A table has at most some 20 parts by its own bound.
    let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    let word = |(part, rows)| InventoryWord::Whole { part, parts: count, rows };
    (0..count).zip(parts).map(|part| report(table, rows, word(part))).collect()
}
