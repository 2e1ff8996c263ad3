//! When a program says to its service manager that it lives. Pure: times are arguments, as `time::monotonic` gives them.
//!
//! What is fed must be fed by the loop that does the work: a watchdog that a timer feeds only proves that timers run.

use std::time::Duration;

/// Feeds are three times as frequent as the manager's patience: one may come late, and one be lost.
const FEEDS_A_PATIENCE: u32 = 3;

/// When the next sign is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feeding {
    every: Option<Duration>,
    due: Duration,
}

impl Feeding {
    /// `patience`: how long the manager waits for a sign; `None`: nobody waits. The first sign is due at once.
    pub fn new(patience: Option<Duration>, now: Duration) -> Self {
        Self { every: patience.map(|patience| patience / FEEDS_A_PATIENCE), due: now }
    }

    /// When the loop has to come by; [`Duration::MAX`] where nobody waits.
    pub fn next(&self) -> Duration {
        self.every.map_or(Duration::MAX, |_| self.due)
    }

    /// Whether a sign is to be given now; the next one is due a third of the patience later.
    pub fn is_due(&mut self, now: Duration) -> bool {
        match self.every {
            Some(every) if now >= self.due => {
                self.due = now + every;
                true
            }
            _ => false,
        }
    }
}

/// Whether a part that counts what it does still does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    count: u64,
    moved: Duration,
    limit: Duration,
}

impl Progress {
    /// `limit`: how long the count may stand still; longer than the part ever has nothing to do.
    pub fn new(limit: Duration, now: Duration) -> Self {
        Self { count: 0, moved: now, limit }
    }

    /// Takes the present count; `false` once it has stood still for the limit.
    pub fn goes_on(&mut self, count: u64, now: Duration) -> bool {
        if count != self.count {
            self.count = count;
            self.moved = now;
        }
        now.saturating_sub(self.moved) < self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn signs_come_three_times_within_the_managers_patience() {
        let mut feeding = Feeding::new(Some(60 * SECOND), 100 * SECOND);
        assert!(feeding.is_due(100 * SECOND));
        let fed: Vec<u64> =
            (101..=160).filter(|second| feeding.is_due(Duration::from_secs(*second))).collect::<Vec<_>>();
        assert_eq!(fed, [120, 140, 160]);
        assert_eq!(feeding.next(), 180 * SECOND);
    }

    #[test]
    fn without_a_manager_nothing_is_ever_due() {
        let mut feeding = Feeding::new(None, Duration::ZERO);
        assert!(!feeding.is_due(1_000_000 * SECOND));
        assert_eq!(feeding.next(), Duration::MAX);
    }

    #[test]
    fn what_stands_still_for_its_limit_no_longer_goes_on_until_it_moves() {
        let mut progress = Progress::new(60 * SECOND, 10 * SECOND);
        assert!(progress.goes_on(0, 69 * SECOND), "a start has its time");
        assert!(!progress.goes_on(0, 70 * SECOND));
        assert!(progress.goes_on(1, 71 * SECOND));
        assert!(progress.goes_on(1, 130 * SECOND));
        assert!(!progress.goes_on(1, 131 * SECOND));
    }
}
