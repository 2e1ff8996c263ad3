//! When to try again.

/// 30 s, 1, 2, 5, 10 min while somebody may be repairing it, then ever more seldom up to once an hour.
const ROW_STEPS_MS: [i64; 8] = [30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000, 1_800_000, 3_600_000];
/// A server that does not answer is asked every 5 min at the latest, so that what waits goes out soon after it returns.
const SERVER_STEPS_MS: [i64; 4] = [30_000, 60_000, 120_000, 300_000];

/// Pause after the `attempts`-th failed attempt (from 1) of one row.
pub(super) fn of_row(attempts: u32) -> i64 {
    at(&ROW_STEPS_MS, attempts)
}

/// Pause after the `failures`-th failure in a row (from 1) to reach a server.
pub(super) fn of_server(failures: u32) -> i64 {
    at(&SERVER_STEPS_MS, failures)
}

fn at(steps: &[i64], count: u32) -> i64 {
    let index = usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    steps[index.min(steps.len() - 1)]
}

#[cfg(test)]
mod tests {
    #[test]
    fn pauses_grow_and_stay_at_the_last() {
        assert_eq!([1, 2, 3, 4, 5].map(super::of_row), [30_000, 60_000, 120_000, 300_000, 600_000]);
        assert_eq!(super::of_row(1000), 3_600_000);
        assert_eq!(super::of_server(9), 300_000);
    }
}
