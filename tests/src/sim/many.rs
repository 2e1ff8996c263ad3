//! Many worlds of hosts and a collector.

use super::ledger::Violation;
use super::planted::Bug;
use super::scenario::Scenario;
use super::world::{Report, run};
use crate::worlds;

pub type Found = worlds::Found<Report, Violation>;

/// Runs the seeds `from..from + seeds`, on `threads` threads.
pub fn many(from: u64, seeds: u64, bug: Option<Bug>, threads: u64) -> Found {
    worlds::many((from, seeds), threads, |seed| one(seed, bug), add)
}

fn add(sum: &mut Report, report: &Report) {
    sum.rows += report.rows;
    sum.crashes += report.crashes;
    sum.restores += report.restores;
    sum.from_snapshots += report.from_snapshots;
    sum.inboxes_lost += report.inboxes_lost;
    sum.gaps += report.gaps;
    sum.lines += report.lines;
    sum.reports += report.reports;
    sum.wipes += report.wipes;
    sum.deletes += report.deletes;
}

/// The first seed below `seeds` whose world shows the bug, and how.
pub fn catch(bug: Bug, seeds: u64) -> Option<(u64, Violation)> {
    worlds::first(seeds, |seed| one(seed, Some(bug)))
}

fn one(seed: u64, bug: Option<Bug>) -> Result<Report, Violation> {
    worlds::one(|| run(&Scenario::new(seed, bug)), || Violation("a panic".to_owned()))
}
