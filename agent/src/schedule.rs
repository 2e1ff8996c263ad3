//! When to sample: ticks on a fixed grid whose phase is the host's own, so that a thousand hosts that started together
//! do not send together. Pure: time comes in as a span on a clock that never steps.

use std::time::Duration;

/// The grid `phase + k * interval`.
///
/// The missed-tick rule: whoever wakes late samples once, at the true time, and goes on with the next point of the grid.
/// Points that passed meanwhile are counted and never made up, since numbers read late would be numbers of another time.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Duration,
    next: Duration,
    missed: u64,
}

/// What a wake-up means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Too early: sleep until [`Schedule::next`].
    Early,
    /// Sample now. `missed` grid points have passed without a sample since the tick before.
    Tick { missed: u64 },
}

impl Schedule {
    /// A grid from `start` on (on the steady clock), its phase taken from `seed` (a hash of the host's identity). The
    /// first point lies within one interval after `start`. `interval` is at least 1 ms.
    pub fn new(interval: Duration, seed: u64, start: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        let length = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self { interval, next: start + Duration::from_nanos(seed % length), missed: 0 }
    }

    /// The next point of the grid.
    pub fn next(&self) -> Duration {
        self.next
    }

    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Grid points that passed without a sample, in total.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Takes a wake-up at `now`.
    pub fn wake(&mut self, now: Duration) -> Wake {
        let Some(late) = now.checked_sub(self.next) else { return Wake::Early };
        let missed = u64::try_from(late.as_nanos() / self.interval.as_nanos()).unwrap_or(u64::MAX);
        let steps = u32::try_from(missed.saturating_add(1)).unwrap_or(u32::MAX);
        self.next += self.interval.saturating_mul(steps);
        self.missed = self.missed.saturating_add(missed);
        Wake::Tick { missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn ticks_stay_on_the_grid_however_late_the_wake_ups_are() {
        let mut schedule = Schedule::new(at(10_000), 3_000_000_000, at(500));
        assert_eq!(schedule.next(), at(3_500));
        assert_eq!(schedule.wake(at(3_499)), Wake::Early);
        assert_eq!(schedule.wake(at(3_500)), Wake::Tick { missed: 0 });
        assert_eq!(schedule.wake(at(13_900)), Wake::Tick { missed: 0 });
        assert_eq!(schedule.next(), at(23_500));
    }

    #[test]
    fn missed_points_are_counted_and_not_made_up() {
        let mut schedule = Schedule::new(at(1_000), 0, at(0));
        assert_eq!(schedule.wake(at(0)), Wake::Tick { missed: 0 });
        assert_eq!(schedule.wake(at(4_200)), Wake::Tick { missed: 3 });
        assert_eq!(schedule.wake(at(4_300)), Wake::Early);
        assert_eq!((schedule.next(), schedule.missed()), (at(5_000), 3));
    }

    #[test]
    fn hosts_that_start_together_tick_apart() {
        let phases: Vec<Duration> = (0..100u64)
            .map(|i| Schedule::new(at(10_000), i.wrapping_mul(0x9e37_79b9_7f4a_7c15), at(0)).next())
            .collect();
        assert!(phases.iter().all(|phase| *phase < at(10_000)));
        for second in 0..10u64 {
            let inside = phases.iter().filter(|phase| phase.as_secs() == second).count();
            assert!((2..=25).contains(&inside), "{inside} of 100 hosts tick in second {second}");
        }
    }
}
