//! Many worlds of alerting.

use super::Violation;
use super::faults::Faults;
use super::planted::Bug;
use super::world::{Report, run};
use crate::worlds;

pub type Found = worlds::Found<Report, Violation>;

/// Runs the seeds `from..from + seeds`, on `threads` threads.
pub fn many(from: u64, seeds: u64, threads: u64) -> Found {
    worlds::many((from, seeds), threads, |seed| one(seed, None), Report::add)
}

/// The first seed below `seeds` whose world shows the bug, and how.
pub fn catch(bug: Bug, seeds: u64) -> Option<(u64, Violation)> {
    worlds::first(seeds, |seed| one(seed, Some(bug)))
}

fn one(seed: u64, bug: Option<Bug>) -> Result<Report, Violation> {
    worlds::one(|| run(&Faults::new(seed, bug)), || Violation("a panic".to_owned()))
}
