//! Which segments are too old: a pure decision.

use std::time::Duration;

use muster_common::time::Timestamp;

use crate::catalog::CatalogState;

/// Segments, those set aside included, whose newest sample is older than the retention.
pub(crate) fn expired(state: &CatalogState, now: Timestamp, retention: Duration) -> Vec<u64> {
    let oldest_ms = now.minus(retention).millis();
    let rows = state.segments.iter();
    let aside = state.quarantined.iter().map(|(number, (row, _))| (number, row));
    rows.chain(aside).filter(|(_, row)| row.max_ms < oldest_ms).map(|(number, _)| *number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::SegmentRow;

    #[test]
    fn a_segment_goes_when_its_newest_sample_is_too_old() {
        let row = |max_ms| SegmentRow { lo: 1, hi: 1, day: None, min_ms: 0, max_ms, samples: 1, bytes: 1 };
        let mut state = CatalogState::default();
        state.segments.extend([(1, row(999)), (2, row(1_000)), (3, row(5_000))]);
        state.quarantined.insert(4, (row(10), "damaged".into()));
        assert_eq!(expired(&state, Timestamp::from_millis(3_000), Duration::from_secs(2)), [1, 4]);
        let ages = Duration::from_secs(100 * 365 * 86_400);
        assert_eq!(expired(&state, Timestamp::from_millis(3_000), ages), [0u64; 0]);
    }
}
