//! The agent's clock against the collector's (EXACTLY-ONCE.md rule 29), and steps of the agent's own. Pure.

use std::time::Duration;

use muster_common::time::Timestamp;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Step {
    #[default]
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
    /// A step that nobody was told of yet.
    step: Step,
    /// The clock stepped since the last question: the next one is due at once.
    doubted: bool,
}

impl Clock {
    /// Added to the wall clock for every time stamp.
    pub fn correction_ms(&self) -> i64 {
        self.correction_ms
    }

    pub fn corrected_ms(&self, now: Moment) -> i64 {
        now.wall.millis().saturating_add(self.correction_ms)
    }

    /// Compares both clocks with the last call. A step takes the correction along, so that corrected time goes on as it did.
    pub fn observe(&mut self, now: Moment) {
        let Some(last) = self.last.replace(now) else { return };
        let steady = i64::try_from(now.steady.saturating_sub(last.steady).as_millis()).unwrap_or(i64::MAX);
        let wall = now.wall.millis().saturating_sub(last.wall.millis());
        let shift = wall.saturating_sub(steady);
        let step = if wall < 0 || shift <= -SLEW_BACK_MS {
            Step::Back
        } else if shift >= LEAP_AHEAD_MS {
            Step::Ahead
        } else {
            return;
        };
        (self.step, self.doubted) = (step, true);
        // The answer to a question under way counts from it, and is to fit the clock as it is now.
        if let Some(asked) = &mut self.asked {
            asked.wall = Timestamp::from_millis(asked.wall.millis().saturating_add(shift));
        }
        // Nothing but setting turns a clock back. One that leapt ahead to where it should be was set; else the host was more likely asleep,
        // and is as far off as before. A clock that was right until now was either, so only the collector can tell.
        let after = self.correction_ms.saturating_sub(shift);
        if self.correction_ms != 0
            && (step == Step::Back || after.saturating_abs() < self.correction_ms.saturating_abs())
        {
            self.correction_ms = if after.saturating_abs() > TOLERANCE_MS { after } else { 0 };
        }
    }

    /// What the wall clock did since this was asked last.
    pub fn take_step(&mut self) -> Step {
        std::mem::take(&mut self.step)
    }

    /// A question goes out now: hello or a probe.
    pub fn ask(&mut self, now: Moment) {
        self.asked = Some(now);
        self.doubted = false;
    }

    /// When the next probe is due; `None` while one is under way.
    pub fn probe_at(&self, last_answer: Duration) -> Option<Duration> {
        let due = if self.doubted { Duration::ZERO } else { last_answer.saturating_add(PROBE_EVERY) };
        self.asked.is_none().then_some(due)
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
        clock.observe(moment(0, 0));
        assert_eq!(clock.take_step(), Step::None);
        for (wall, steady, step) in [
            (10_000, 10_000, Step::None),
            (19_200, 20_000, Step::None),
            (28_300, 30_000, Step::None),
            (28_299, 30_000, Step::Back),
            (48_000, 40_000, Step::None),
            (59_000, 41_000, Step::Ahead),
            (60_000, 43_000, Step::Back),
        ] {
            clock.observe(moment(wall, steady));
            assert_eq!(clock.take_step(), step, "{wall} {steady}");
            assert_eq!(clock.take_step(), Step::None, "told once");
        }
    }

    #[test]
    fn a_step_takes_the_correction_along_unless_it_looks_like_sleep() {
        for (correction, shift, after) in [
            (60_000, 60_000, 0),
            (60_000, 58_000, 0),
            (60_000, 20_000, 40_000),
            (60_000, -20_000, 80_000),
            (-60_000, -60_000, 0),
            (-60_000, -90_000, 30_000),
            (60_000, 7_200_000, 60_000),
            (-60_000, 7_200_000, -60_000),
            (0, -60_000, 0),
            (0, 60_000, 0),
        ] {
            let mut clock = Clock { correction_ms: correction, ..Clock::default() };
            clock.observe(moment(0, 0));
            clock.observe(moment(1_000 + shift, 1_000));
            assert_eq!(clock.correction_ms(), after, "{correction} {shift}");
            assert_eq!(clock.probe_at(Duration::from_secs(9)), Some(Duration::ZERO));
            clock.ask(moment(1_000 + shift, 1_000));
            clock.answered(0, moment(1_000 + shift, 1_000));
            assert_eq!(clock.probe_at(Duration::ZERO), Some(PROBE_EVERY), "asked once for each step");
        }
    }

    #[test]
    fn an_answer_across_a_step_fits_the_clock_after_it() {
        let mut clock = Clock::default();
        clock.observe(moment(0, 0));
        clock.ask(moment(0, 0));
        clock.observe(moment(60_100, 100));
        assert_eq!(clock.answered(60_100, moment(60_200, 200)), Some((0, Duration::from_millis(200))));
    }
}
