//! Which refusals become rows of the audit: one a second and source at most, and not so many in all that they push the changes out; the
//! rest is summed in the next row. Pure; lies in memory only.

use std::time::Duration;

use muster_common::time::Timestamp;

use crate::bounded::Bounded;

/// At most one row of a source in so long.
const SOURCE_EVERY: Duration = Duration::from_secs(1);
/// Sources remembered.
const SOURCES_MAX: usize = 10_000;
/// Rows of all sources that may come at once.
const BURST: u64 = 100;
/// Then one in so long: 8,640 a day, so that even a flood from everywhere leaves 11 days of what else happened in the audit.
const ONE_MORE_EVERY: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Source {
    /// Of its last row, milliseconds; `None`: it had none.
    told_ms: Option<i64>,
    untold: u64,
}

pub(crate) struct Refusals {
    sources: Bounded<Source>,
    /// Of sources that are remembered no more.
    others: u64,
    left: u64,
    /// When `left` was filled last.
    filled: Option<Timestamp>,
}

/// What a row tells beside its own refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summed {
    /// Refusals of this source that have no row.
    pub(crate) of_source: u64,
    /// And of sources that were forgotten meanwhile.
    pub(crate) of_others: u64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { sources: Bounded::new(SOURCES_MAX), others: 0, left: BURST, filled: None }
    }
}

impl Refusals {
    /// A request from this source was refused; `Some`: it becomes a row.
    pub(crate) fn step(&mut self, source: &str, now: Timestamp) -> Option<Summed> {
        self.fill(now);
        let (row, gone) = self.sources.touch(source, now);
        self.others += gone.iter().map(|gone| gone.untold).sum::<u64>();
        let is_early = row.told_ms.is_some_and(|told| now.since(Timestamp::from_millis(told)) < SOURCE_EVERY);
        if is_early || self.left == 0 {
            row.untold += 1;
            return None;
        }
        self.left -= 1;
        let of_source = std::mem::take(&mut row.untold);
        row.told_ms = Some(now.millis());
        Some(Summed { of_source, of_others: std::mem::take(&mut self.others) })
    }

    fn fill(&mut self, now: Timestamp) {
        let Some(filled) = self.filled else {
            self.filled = Some(now);
            return;
        };
        let every = ONE_MORE_EVERY.as_millis().max(1);
        let more = u64::try_from(now.since(filled).as_millis() / every).unwrap_or(u64::MAX);
        if more > 0 {
            self.left = self.left.saturating_add(more).min(BURST);
            self.filled = Some(now);
        }
    }
}

impl Summed {
    /// In words, for the end of a row's text.
    pub(crate) fn text(self) -> String {
        let Self { of_source, of_others } = self;
        match (of_source, of_others) {
            (0, 0) => String::new(),
            (own, 0) => format!("; {own} more of this source before it"),
            (own, others) => format!("; {own} more of this source before it, {others} of others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).plus(Duration::from_millis(ms))
    }

    fn summed(of_source: u64, of_others: u64) -> Option<Summed> {
        Some(Summed { of_source, of_others })
    }

    #[test]
    fn a_source_has_one_row_a_second_and_the_rest_is_summed() {
        let mut refusals = Refusals::default();
        assert_eq!(refusals.step("a", at(0)), summed(0, 0));
        for ms in [1, 500, 999] {
            assert_eq!(refusals.step("a", at(ms)), None);
        }
        assert_eq!(refusals.step("b", at(999)), summed(0, 0));
        assert_eq!(refusals.step("a", at(1_000)), summed(3, 0));
        assert_eq!(refusals.step("a", at(2_000)), summed(0, 0));
        assert_eq!(Summed { of_source: 3, of_others: 2 }.text(), "; 3 more of this source before it, 2 of others");
    }

    #[test]
    fn a_flood_from_everywhere_is_no_flood_of_rows() {
        let mut refusals = Refusals::default();
        // A day of 2 a second from sources that are never the same.
        let told: Vec<Summed> =
            (0..2 * 86_400_u64).filter_map(|n| refusals.step(&format!("s{n}"), at(n * 500))).collect();
        assert!((8_640..=8_640 + 100 + 1).contains(&told.len()), "{}", told.len());
        assert!(refusals.sources.len() <= SOURCES_MAX);
        let others: u64 = told.iter().map(|row| row.of_others).sum();
        assert!(
            others + SOURCES_MAX as u64 + told.len() as u64 >= 2 * 86_400,
            "all but those remembered are told: {others}"
        );
    }
}
