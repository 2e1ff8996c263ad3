//! What a host may send: when its samples may lie, and how many series it may have. Pure; every refusal has a reason
//! that [`crate::counters`] counts.

use std::time::Duration;

use muster_common::label::SeriesId;
use muster_common::limits::FUTURE_MS_MAX;
use muster_common::time::Timestamp;

/// Why a sample's time is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeRefusal {
    /// More than 10 min ahead of the collector's clock.
    Future,
    /// Older than what retention keeps.
    TooOld,
}

/// The times that samples may have just now, ms since 1970, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBounds {
    pub from_ms: i64,
    pub to_ms: i64,
}

impl TimeBounds {
    pub fn at(now: Timestamp, retention: Duration) -> Self {
        let kept = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        Self { from_ms: now.millis().saturating_sub(kept), to_ms: now.millis().saturating_add(FUTURE_MS_MAX) }
    }

    /// # Errors
    /// [`TimeRefusal`] says which bound it breaks.
    pub fn admit(&self, at_ms: i64) -> Result<(), TimeRefusal> {
        if at_ms > self.to_ms {
            Err(TimeRefusal::Future)
        } else if at_ms < self.from_ms {
            Err(TimeRefusal::TooOld)
        } else {
            Ok(())
        }
    }
}

/// How many different series one host may send in an hour: each costs memory in head and segments until the hour's
/// generation is merged, so a label that changes with every scrape must end at its own host.
#[derive(Debug)]
pub struct SeriesBudget {
    series_max: usize,
    since: Timestamp,
    /// Hashes of the series admitted since then, sorted: 8 bytes a series, kept for every connected host.
    seen: Vec<u64>,
}

/// After this the count begins anew, with the series in use.
const WINDOW: Duration = Duration::from_secs(3600);

impl SeriesBudget {
    pub fn new(series_max: usize, now: Timestamp) -> Self {
        Self { series_max, since: now, seen: Vec::new() }
    }

    /// Which of these series may be taken: those seen before in this hour, and new ones until the limit is reached.
    pub fn admit(&mut self, ids: &[SeriesId], now: Timestamp) -> Vec<bool> {
        if now.since(self.since) >= WINDOW {
            self.since = now;
            self.seen.clear();
        }
        // The low half of a hash is a hash; two series of one host that share it would only both count as one.
        let hash = |id: &SeriesId| (id.0 & u128::from(u64::MAX)) as u64;
        let known = self.seen.len();
        let mut room = self.series_max.saturating_sub(known);
        let mut admitted = Vec::with_capacity(ids.len());
        for id in ids {
            let seen = self.seen[..known].binary_search(&hash(id)).is_ok();
            if !seen && room > 0 {
                room -= 1;
                self.seen.push(hash(id));
                admitted.push(true);
            } else {
                admitted.push(seen);
            }
        }
        self.seen.sort_unstable();
        self.seen.dedup();
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bound_by_ten_minutes_ahead_and_by_retention() {
        let bounds = TimeBounds::at(Timestamp::from_millis(10_000_000), Duration::from_millis(4_000_000));
        let cases = [
            (10_600_000, Ok(())),
            (10_600_001, Err(TimeRefusal::Future)),
            (i64::MAX, Err(TimeRefusal::Future)),
            (6_000_000, Ok(())),
            (5_999_999, Err(TimeRefusal::TooOld)),
            (i64::MIN, Err(TimeRefusal::TooOld)),
        ];
        for (at_ms, expect) in cases {
            assert_eq!(bounds.admit(at_ms), expect, "{at_ms}");
        }
        let forever = TimeBounds::at(Timestamp::from_millis(0), Duration::MAX);
        assert_eq!(forever.admit(i64::MIN + 1), Ok(()));
    }

    #[test]
    fn new_series_are_taken_until_the_limit_and_known_ones_always() {
        let now = Timestamp::from_millis(0);
        let ids = |range: std::ops::Range<u128>| range.map(SeriesId).collect::<Vec<_>>();
        let taken = |admitted: Vec<bool>| admitted.iter().filter(|admitted| **admitted).count();
        let mut budget = SeriesBudget::new(5, now);
        assert_eq!(taken(budget.admit(&ids(0..3), now)), 3);
        assert_eq!(budget.admit(&ids(2..7), now), [true, true, true, false, false]);
        assert_eq!(taken(budget.admit(&ids(0..5), now)), 5, "the same again costs nothing");
        assert_eq!(taken(budget.admit(&ids(10..20), now)), 0);
        let later = now.plus(WINDOW);
        assert_eq!(taken(budget.admit(&ids(10..20), later)), 5, "a new hour begins anew");
    }
}
