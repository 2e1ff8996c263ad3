//! Whether the change behind a fault is found among decoys, and what separates hosts with a problem from others.

use muster_fleet::suspects::world::{DECOYS, found_among_three, group};

/// Faults of a set, as the figure has them.
const FAULTS: u64 = 30;
/// Seeds that no number of the ranking was tuned on.
const FIRST_SEED: u64 = 100_001;

/// Sets of 30 faults each, and so many groups with a separator and as many without: `key=value` words.
pub(super) fn trial(sets: u64, groups: u64) -> String {
    let found_of = |set: u64| found_among_three((0..FAULTS).map(|fault| FIRST_SEED + set * FAULTS + fault));
    let found: Vec<usize> = (0..sets).map(found_of).collect();
    let worst = found.iter().min().copied().unwrap_or(0);
    let enough = found.iter().filter(|found| **found as u64 * 100 >= FAULTS * 80).count();
    let seeds = || FIRST_SEED..FIRST_SEED + groups;
    let is_first = |seed: &u64| {
        let group = group(*seed, true);
        let found = group.separator().map(|separator| separator.fact);
        found.is_some() && found == group.planted
    };
    let first = seeds().filter(is_first).count();
    let nothing = seeds().filter(|seed| group(*seed, false).separator().is_none()).count();
    let (faults, total) = (sets * FAULTS, found.iter().sum::<usize>());
    format!(
        "faults={faults} decoys={DECOYS} found={total} sets={sets} sets_enough={enough} worst_set={worst} groups={groups} planted_first={first} nothing={nothing}"
    )
}
