//! How long to wait before the next attempt: exponential with full jitter, so that a thousand agents that lost the same collector do not
//! come back together. Pure: random numbers come in.

use std::time::Duration;

/// The first attempt comes after a random part of this.
pub const FIRST: Duration = Duration::from_secs(1);
/// No delay is longer, so that a host is back within a minute of its collector.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay after one more failure: a random part of a span that doubles from [`FIRST`] up to [`LONGEST`].
    pub fn next(&mut self, random: u64) -> Duration {
        let doublings = self.failures.min(10);
        self.failures = self.failures.saturating_add(1);
        part((FIRST * 2u32.pow(doublings)).min(LONGEST), random)
    }

    /// A session was welcomed: the next failure is a first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random part of this span, all lengths alike; at least 10 ms, so that an attempt never spins.
pub fn part(span: Duration, random: u64) -> Duration {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis((random % millis.saturating_add(1)).max(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_double_up_to_a_minute_and_start_over_after_a_welcome() {
        let mut backoff = Backoff::default();
        // u64::MAX - k leaves the largest part of each span only by chance, so ask for the largest outright.
        let longest = |backoff: &mut Backoff, span: u64| backoff.next(span);
        for span in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000] {
            assert_eq!(longest(&mut backoff, span), Duration::from_millis(span));
        }
        backoff.reset();
        assert_eq!(backoff.next(1_000), FIRST);
    }

    #[test]
    fn every_part_of_the_span_comes_up_and_none_outside() {
        let mut rng = fastrand::Rng::with_seed(1);
        let parts: Vec<u128> = (0..10_000).map(|_| part(LONGEST, rng.u64(..)).as_millis()).collect();
        assert!(parts.iter().all(|ms| (10..=60_000).contains(ms)));
        for tenth in 0..10 {
            let count = parts.iter().filter(|ms| **ms / 6_001 == tenth).count();
            assert!((800..1_200).contains(&count), "tenth {tenth}: {count}");
        }
    }
}
