//! Many worlds: a range of seeds on some threads, and the search for a planted bug.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::Violation;
use super::faults::Faults;
use super::planted::Bug;
use super::world::{Report, run};

/// What many worlds gave.
#[derive(Debug, Default)]
pub struct Found {
    /// By seed.
    pub violations: Vec<(u64, Violation)>,
    pub report: Report,
}

/// Runs the seeds `from..from + seeds`, on `threads` threads.
pub fn many(from: u64, seeds: u64, threads: u64) -> Found {
    let (next, found) = (AtomicU64::new(from), Mutex::new(Found::default()));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let result = one(seed, None);
                    let mut found = found.lock();
                    match result {
                        Ok(report) => found.report.add(&report),
                        Err(violation) => found.violations.push((seed, violation)),
                    }
                }
            });
        }
    });
    let mut found = found.into_inner();
    found.violations.sort_by_key(|(seed, _)| *seed);
    found
}

/// The first seed below `seeds` whose world shows the bug, and how.
pub fn catch(bug: Bug, seeds: u64) -> Option<(u64, Violation)> {
    (0..seeds).find_map(|seed| one(seed, Some(bug)).err().map(|violation| (seed, violation)))
}

/// One world. An invariant of the product that panics is a violation too.
fn one(seed: u64, bug: Option<Bug>) -> Result<Report, Violation> {
    let world = AssertUnwindSafe(|| run(&Faults::new(seed, bug)));
    catch_unwind(world).unwrap_or_else(|_| Err(Violation("a panic".to_owned())))
}
