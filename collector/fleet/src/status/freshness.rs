//! Freshness: a check of which nothing comes any more is no check that is well.

use jiff::Timestamp;

/// Runs that may be missed before nothing is known any more.
const MISSED_RUNS: u64 = 3;
/// For the way from the agent to here, on top of those runs.
const MARGIN_MS: u64 = 60_000;
/// After the collector is ready, and after a host is heard again: what waited in spools arrives first.
pub(crate) const GRACE_MS: i64 = 120_000;

/// How long after a result's arrival the next one must have come, milliseconds; `None`: nothing says that one comes.
pub(crate) fn patience_ms(ttl_ms: u64, interval_ms: u64) -> Option<i64> {
    let patience = match (ttl_ms, interval_ms) {
        (0, 0) => return None,
        (0, interval) => interval.saturating_mul(MISSED_RUNS).saturating_add(MARGIN_MS),
        (ttl, _) => ttl,
    };
    Some(i64::try_from(patience).unwrap_or(i64::MAX))
}

/// When a result that arrived then is stale. By arrival: what was delivered late was not late for nothing.
pub(crate) fn stale_at_ms(arrived_ms: i64, patience_ms: i64, ready_ms: i64, returned_ms: i64) -> i64 {
    let grace = ready_ms.max(returned_ms).saturating_add(GRACE_MS);
    arrived_ms.saturating_add(patience_ms).max(grace)
}

/// What is said of a stale check.
pub(crate) fn words(arrived_ms: i64) -> String {
    match Timestamp::from_millisecond(arrived_ms) {
        Ok(at) => format!("no result since {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")),
        Err(_) => "no result".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_the_ttl_or_three_runs() {
        for (ttl, interval, patience) in [
            (0, 0, None),
            (5_000, 0, Some(5_000)),
            (5_000, 60_000, Some(5_000)),
            (0, 60_000, Some(240_000)),
            (u64::MAX, 0, Some(i64::MAX)),
            (0, u64::MAX, Some(i64::MAX)),
        ] {
            assert_eq!(patience_ms(ttl, interval), patience, "{ttl} {interval}");
        }
    }

    #[test]
    fn nothing_is_stale_before_what_waited_can_have_come() {
        for (arrived, ready, returned, stale) in [
            (1_000_000, 0, 0, 1_060_000),
            (1_000_000, 1_000_000, 0, 1_120_000),
            (1_000_000, 0, 2_000_000, 2_120_000),
            (i64::MAX, 0, 0, i64::MAX),
        ] {
            assert_eq!(stale_at_ms(arrived, 60_000, ready, returned), stale);
        }
        assert_eq!(words(0), "no result since 1970-01-01 00:00:00 UTC");
    }
}
