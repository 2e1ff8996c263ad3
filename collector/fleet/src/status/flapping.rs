//! Flapping: a check that changes too often is told once and then held back, until it has calmed down.

use serde::{Deserialize, Serialize};

/// Results that are looked at.
const RESULTS: u32 = 20;
/// What the oldest change weighs, and the newest.
const WEIGHTS: (f64, f64) = (0.8, 1.15);
/// It starts above this share of changes, percent.
const STARTS: f64 = 30.0;
/// It ends below this one. Between both nothing changes, so that flapping does not flap.
const ENDS: f64 = 25.0;

/// The last results of one check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flapping {
    /// Bit 0 is the newest result: whether it had another state than the one before.
    bits: u32,
    pub is_on: bool,
}

impl Flapping {
    /// Takes a result; the answer is whether it began or ended to flap with it.
    pub(crate) fn step(&mut self, is_changed: bool) -> Option<bool> {
        self.bits = (self.bits << 1 | u32::from(is_changed)) & ((1 << RESULTS) - 1);
        let percent = self.percent();
        let is_on = if self.is_on { percent >= ENDS } else { percent > STARTS };
        (std::mem::replace(&mut self.is_on, is_on) != is_on).then_some(is_on)
    }

    /// The weighted share of changes, percent.
    pub(crate) fn percent(&self) -> f64 {
        let (oldest, newest) = WEIGHTS;
        let weight = |age: u32| newest - (newest - oldest) * f64::from(age) / f64::from(RESULTS - 1);
        let sum: f64 = (0..RESULTS).filter(|age| self.bits >> age & 1 == 1).map(weight).sum();
        100.0 * sum / f64::from(RESULTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The percents after these results, oldest first: `x` changed, `.` did not.
    fn run(flapping: &mut Flapping, results: &str) -> Vec<Option<bool>> {
        results.chars().map(|one| flapping.step(one == 'x')).collect()
    }

    #[test]
    fn newer_changes_weigh_more() {
        for (results, percent) in
            [("", 0.0), ("x", 5.75), ("x...................", 4.0), ("x....................", 0.0)]
        {
            let mut flapping = Flapping::default();
            run(&mut flapping, results);
            assert!((flapping.percent() - percent).abs() < 1e-9, "{results}: {}", flapping.percent());
        }
        let mut flapping = Flapping::default();
        run(&mut flapping, &"x".repeat(20));
        assert!((flapping.percent() - 97.5).abs() < 1e-9, "{}", flapping.percent());
    }

    #[test]
    fn it_starts_above_thirty_and_ends_below_twenty_five() {
        let mut flapping = Flapping::default();
        assert_eq!(run(&mut flapping, "xxxxx"), [None; 5], "five changes are under 30 %");
        assert_eq!(run(&mut flapping, "x"), [Some(true)]);
        // Six changes that age by one each: 6 * 5.6 % and falling by 0.55 % a result, until the first leaves the window.
        let calm = run(&mut flapping, &".".repeat(20));
        let ended: Vec<_> = calm.iter().enumerate().filter_map(|(at, told)| told.map(|on| (at, on))).collect();
        assert_eq!(ended, [(14, false)]);
        assert_eq!((flapping.bits, flapping.is_on), (0, false));
    }

    #[test]
    fn one_outage_with_its_recovery_is_no_flapping() {
        let mut flapping = Flapping::default();
        assert_eq!(run(&mut flapping, "x....x....x....x...."), [None; 20]);
    }
}
