//! Many worlds of a simulator: a range of seeds on some threads, and the search for a planted bug.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// What many worlds gave.
#[derive(Debug)]
pub struct Found<R, V> {
    /// By seed.
    pub violations: Vec<(u64, V)>,
    pub report: R,
}

/// Runs the seeds `from..from + seeds` on `threads` threads; `add` sums up what worlds report.
pub fn many<R: Default + Send, V: Send>(
    (from, seeds): (u64, u64),
    threads: u64,
    run: impl Fn(u64) -> Result<R, V> + Sync,
    add: impl Fn(&mut R, &R) + Sync,
) -> Found<R, V> {
    let next = AtomicU64::new(from);
    let found = Mutex::new(Found { violations: Vec::new(), report: R::default() });
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let result = run(seed);
                    let mut found = found.lock();
                    match result {
                        Ok(report) => add(&mut found.report, &report),
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

/// The first seed below `seeds` whose world fails, and how.
pub fn first<R, V>(seeds: u64, run: impl Fn(u64) -> Result<R, V>) -> Option<(u64, V)> {
    (0..seeds).find_map(|seed| run(seed).err().map(|violation| (seed, violation)))
}

/// One world. An invariant of the product that panics is a violation too.
pub fn one<R, V>(world: impl FnOnce() -> Result<R, V>, panicked: impl FnOnce() -> V) -> Result<R, V> {
    catch_unwind(AssertUnwindSafe(world)).unwrap_or_else(|_| Err(panicked()))
}
