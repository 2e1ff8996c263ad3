//! The agent's clock against the collector's (EXACTLY-ONCE.md rule 29), and steps of the agent's own. Pure.

use std::time::Duration;

use super::moment::Moment;

/// Below this the agent's own clock is taken as it is.
pub const TOLERANCE_MS: i64 = 5_000;
/// How often the collector is asked.
pub const PROBE_EVERY: Duration = Duration::from_secs(600);
/// The wall clock may lag the steady one by this between two readings: slewing does that.
const SLEW_BACK_MS: i64 = 1_000;
/// The wall clock ran ahead of the steady one by this: it was set, or the machine was suspended or reverted.
const LEAP_AHEAD_MS: i64 = 10_000;

/// What the wall clock did since it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    None,
    Back,
    Ahead,
}

/// Offset and correction. Corrected time = own wall clock + correction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    correction_ms: i64,
    last: Option<Moment>,
    asked: Option<Moment>,
}

impl Clock {
    /// Added to the wall clock for every time stamp.
    pub fn correction_ms(&self) -> i64 {
        self.correction_ms
    }

    pub fn corrected_ms(&self, now: Moment) -> i64 {
        now.wall.millis().saturating_add(self.correction_ms)
    }

    /// Compares both clocks with the last call.
    pub fn observe(&mut self, now: Moment) -> Step {
        let Some(last) = self.last.replace(now) else { return Step::None };
        let steady = i64::try_from(now.steady.saturating_sub(last.steady).as_millis()).unwrap_or(i64::MAX);
        let wall = now.wall.millis().saturating_sub(last.wall.millis());
        if wall < 0 || steady.saturating_sub(wall) >= SLEW_BACK_MS {
            Step::Back
        } else if wall.saturating_sub(steady) >= LEAP_AHEAD_MS {
            Step::Ahead
        } else {
            Step::None
        }
    }

    /// A question goes out now: hello or a probe.
    pub fn ask(&mut self, now: Moment) {
        self.asked = Some(now);
    }

    /// When the next probe is due; `None` while one is under way.
    pub fn probe_at(&self, last_answer: Duration) -> Option<Duration> {
        self.asked.is_none().then(|| last_answer.saturating_add(PROBE_EVERY))
    }

    /// The answer to the last question: (offset, round trip). The offset is the collector's clock minus ours, in ms.
    pub fn answered(&mut self, collector_ms: i64, now: Moment) -> Option<(i64, Duration)> {
        let asked = self.asked.take()?;
        let round_trip = now.steady.saturating_sub(asked.steady);
        let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or(i64::MAX);
        // Counted from the question on, so that a step of our clock in between does not show.
        let at_answer = asked.wall.millis().saturating_add(half);
        Some((collector_ms.saturating_sub(at_answer), round_trip))
    }

    /// The connection is gone: what was asked is not answered any more.
    pub fn forget(&mut self) {
        self.asked = None;
    }

    /// Takes a measured offset; returns the change of the correction where there is one. An error smaller than the tolerance and half the
    /// round trip changes nothing, so the correction does not follow the noise.
    pub fn measured(&mut self, offset_ms: i64, round_trip: Duration) -> Option<i64> {
        let half = i64::try_from(round_trip.as_millis() / 2).unwrap_or(i64::MAX);
        let error = offset_ms.saturating_sub(self.correction_ms);
        if error.saturating_abs() <= TOLERANCE_MS.saturating_add(half) {
            return None;
        }
        let wanted = if offset_ms.saturating_abs() > TOLERANCE_MS { offset_ms } else { 0 };
        let change = wanted.saturating_sub(self.correction_ms);
        self.correction_ms = wanted;
        (change != 0).then_some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::time::Timestamp;

    fn moment(wall_ms: i64, steady_ms: u64) -> Moment {
        Moment { wall: Timestamp::from_millis(wall_ms), steady: Duration::from_millis(steady_ms) }
    }

    #[test]
    fn a_correction_comes_once_over_the_tolerance_and_goes_when_the_clock_is_right_again() {
        let mut clock = Clock::default();
        let rtt = Duration::from_millis(40);
        for (offset, change, correction) in [
            (5_000, None, 0),
            (5_019, None, 0),
            (7_000, Some(7_000), 7_000),
            (9_000, None, 7_000),
            (60_000, Some(53_000), 60_000),
            (-90_000, Some(-150_000), -90_000),
            (100, Some(90_000), 0),
        ] {
            assert_eq!((clock.measured(offset, rtt), clock.correction_ms()), (change, correction), "{offset}");
        }
        assert_eq!(clock.measured(8_000, Duration::from_secs(10)), None, "a slow answer proves nothing");
    }

    #[test]
    fn offsets_count_from_the_middle_of_the_round_trip() {
        let mut clock = Clock::default();
        clock.ask(moment(1_000, 0));
        assert_eq!(clock.probe_at(Duration::ZERO), None);
        // Our own clock stepped by an hour in between: it does not matter.
        let answer = clock.answered(11_100, moment(3_601_200, 200));
        assert_eq!(answer, Some((10_000, Duration::from_millis(200))));
        assert_eq!(clock.answered(1, moment(0, 300)), None, "nobody asked");
        assert_eq!(clock.probe_at(Duration::ZERO), Some(PROBE_EVERY));
    }

    #[test]
    fn steps_are_seen_and_slewing_is_not() {
        let mut clock = Clock::default();
        assert_eq!(clock.observe(moment(0, 0)), Step::None);
        for (wall, steady, step) in [
            (10_000, 10_000, Step::None),
            (19_200, 20_000, Step::None),
            (28_300, 30_000, Step::None),
            (28_299, 30_000, Step::Back),
            (48_000, 40_000, Step::None),
            (59_000, 41_000, Step::Ahead),
            (60_000, 43_000, Step::Back),
        ] {
            assert_eq!(clock.observe(moment(wall, steady)), step, "{wall} {steady}");
        }
    }
}
