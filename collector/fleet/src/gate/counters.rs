//! Counters as they were sampled, counted by slots of time: whole numbers, as a comparison takes them.
//!
//! What lies between two samples of a counter is counted in the slot of the later one, as it is. PromQL's `increase` stretches it to the ends of
//! its window, which makes 1.07 of one failure; a test that counts failures needs the failures. GATE.md tells the rules.

/// Samples that lie further apart say nothing of when it was counted; Prometheus calls a series gone after as long.
pub const COUNTER_GAP_MS: i64 = 300_000;

/// Samples of one counter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counter {
    /// What it was read of: job and instance, as one text. Counters of one target are sampled at once.
    pub target: String,
    /// Milliseconds since 1970, rising strictly.
    pub millis: Vec<i64>,
    /// As many. What is no number counts as not sampled.
    pub values: Vec<f64>,
}

/// Slots of time: a sample at the very beginning tells of what was before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotTimes {
    pub from_ms: i64,
    pub slot_ms: i64,
    pub count: usize,
}

impl SlotTimes {
    fn slot(self, at_ms: i64) -> Option<usize> {
        let into = at_ms.checked_sub(self.from_ms)?.checked_sub(1).filter(|into| *into >= 0)?;
        usize::try_from(into / self.slot_ms.max(1)).ok().filter(|slot| *slot < self.count)
    }
}

/// How much the counters of one host rose, by slot. `all` are all counters of the rate on that host, which tell whether one that begins is new.
/// Samples from [`COUNTER_GAP_MS`] before the first slot on are wanted.
pub fn increases(counters: &[Counter], all: &[Counter], times: SlotTimes) -> Vec<u64> {
    let mut slots = vec![0.0; times.count];
    for counter in counters {
        let mut last: Option<(i64, f64)> = None;
        for (at_ms, value) in counter.millis.iter().copied().zip(counter.values.iter().copied()) {
            if !value.is_finite() {
                continue;
            }
            if let Some(slot) = times.slot(at_ms) {
                // One that is lower than before began anew.
                let since_last = last.map_or(value, |(_, last)| if value < last { value } else { value - last });
                let is_near = last.is_some_and(|(ms, _)| at_ms.saturating_sub(ms) <= COUNTER_GAP_MS);
                if is_near || goes_on(all, &counter.target, at_ms) {
                    slots[slot] += since_last.max(0.0);
                }
            }
            last = Some((at_ms, value));
        }
    }
    slots.into_iter().map(|sum| sum.round() as u64).collect()
}

/// Whether another counter of the target was sampled both before this moment and since: then one that begins here began at zero. Where all of
/// them begin they may have got other labels, and what they stand at was counted long ago.
fn goes_on(all: &[Counter], target: &str, at_ms: i64) -> bool {
    all.iter().filter(|counter| counter.target == target).any(|counter| {
        let next = counter.millis.partition_point(|ms| *ms < at_ms);
        let before = next.checked_sub(1).and_then(|last| counter.millis.get(last));
        let near = |ms: Option<&i64>| ms.is_some_and(|ms| ms.abs_diff(at_ms) <= COUNTER_GAP_MS.unsigned_abs());
        near(before) && near(counter.millis.get(next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// Sampled each half minute from this one on.
    fn counter(from: i64, values: &[f64]) -> Counter {
        let millis = (0..values.len() as i64).map(|at| (from + at) * MINUTE / 2).collect();
        Counter { target: "shop web-1:80".to_owned(), millis, values: values.to_vec() }
    }

    fn by_minute(counters: &[Counter], all: &[Counter], count: usize) -> Vec<u64> {
        increases(counters, all, SlotTimes { from_ms: 0, slot_ms: MINUTE, count })
    }

    #[test]
    fn few_are_counted_exactly_where_they_were_seen() {
        let one = counter(-1, &[7.0, 7.0, 7.0, 8.0, 8.0, 8.0, 10.0]);
        assert_eq!(by_minute(std::slice::from_ref(&one), &[], 3), [1, 0, 2]);
        assert_eq!(by_minute(&[one.clone(), one.clone()], &[], 2), [2, 0]);
        let late = SlotTimes { from_ms: i64::MAX - 1, slot_ms: 0, count: 2 };
        assert_eq!(increases(&[one], &[], late), [0, 0]);
    }

    #[test]
    fn what_begins_anew_counts_from_zero_and_what_is_no_number_was_not_sampled() {
        let reset = counter(0, &[1_000.0, 1_001.0, 2.0, f64::NAN, 5.0]);
        assert_eq!(by_minute(&[reset], &[], 2), [3, 3]);
        let falls_below = counter(0, &[1.0, -4.0, -3.0]);
        assert_eq!(by_minute(&[falls_below], &[], 1), [1]);
    }

    #[test]
    fn a_new_counter_counts_from_zero_where_others_of_its_target_go_on() {
        let new = || counter(3, &[4.0, 5.0]);
        let goes_on = counter(0, &[50.0, 60.0, 70.0, 80.0, 90.0]);
        assert_eq!(by_minute(&[new()], &[goes_on.clone(), new()], 2), [0, 5]);
        // All of them begin there: they may be old ones by another name.
        assert_eq!(by_minute(&[new()], &[new(), counter(3, &[9_000.0, 9_001.0])], 2), [0, 1]);
        let elsewhere = Counter { target: "shop web-2:80".to_owned(), ..goes_on };
        assert_eq!(by_minute(&[new()], &[elsewhere, new()], 2), [0, 1]);
    }

    #[test]
    fn what_was_counted_in_a_long_gap_is_in_no_slot() {
        let mut gap = counter(0, &[10.0, 11.0, 500.0, 501.0]);
        gap.millis[2] = 20 * MINUTE;
        gap.millis[3] = 21 * MINUTE;
        let counts = by_minute(std::slice::from_ref(&gap), std::slice::from_ref(&gap), 22);
        assert_eq!((counts.iter().sum::<u64>(), counts[0], counts[20]), (2, 1, 1));
    }
}
