//! Which segments to merge: a pure decision by rule 24.
//!
//! Only neighbours: between two of them lies no other segment of that day, unsplit level 0 or set aside ones included. So the
//! generation intervals of one day never overlap, and "higher generation wins" stays a comparison of intervals.

use crate::catalog::{CatalogState, SegmentRow};

pub(crate) const DAY_MS: i64 = 86_400_000;

/// A day's segments beyond this number are merged whatever their sizes: every query opens them all.
const SEGMENTS_A_DAY_MAX: usize = 24;

/// What a merge is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// As many neighbours of like size as the setting says.
    Due { segments_min: usize },
    /// Asked for: as few segments a day as can be.
    Asked,
}

/// A segment as the planner sees it.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// `None`: set aside, it only stands between others.
    number: Option<u64>,
    row: SegmentRow,
}

impl Piece {
    fn has_day(&self, day: i32) -> bool {
        match self.row.day {
            Some(own) => own == day,
            None => (self.first_day()..=self.last_day()).contains(&day),
        }
    }

    fn first_day(&self) -> i32 {
        self.row.day.unwrap_or_else(|| day_of(self.row.min_ms))
    }

    fn last_day(&self) -> i32 {
        self.row.day.unwrap_or_else(|| day_of(self.row.max_ms))
    }
}

/// The UTC day of a time, since 1970.
pub(crate) fn day_of(ms: i64) -> i32 {
    i32::try_from(ms.div_euclid(DAY_MS)).unwrap_or(if ms < 0 { i32::MIN } else { i32::MAX })
}

/// The segments to merge next, in the order of generations; none: nothing is due. `across_gaps` is the planted bug.
pub(crate) fn plan(state: &CatalogState, why: Why, across_gaps: bool) -> Option<Vec<u64>> {
    let mut pieces: Vec<Piece> =
        state.segments.iter().map(|(number, row)| Piece { number: Some(*number), row: *row }).collect();
    pieces.extend(state.quarantined.values().map(|(row, _)| Piece { number: None, row: *row }));
    pieces.sort_by_key(|piece| (piece.row.lo, piece.row.hi));
    if across_gaps && let Some(found) = across(&pieces) {
        return Some(found);
    }
    plan_level_0(&pieces, why).or_else(|| plan_days(&pieces, why))
}

/// The longest run of unsplit segments between which nothing else lies that has a day of any of them.
fn plan_level_0(pieces: &[Piece], why: Why) -> Option<Vec<u64>> {
    let mut best: Vec<u64> = Vec::new();
    let mut run: Vec<&Piece> = Vec::new();
    // Split and set aside ones since the run began: they meet none of it, but may meet one that would join later.
    let mut between: Vec<&Piece> = Vec::new();
    for piece in pieces {
        let joins = piece.number.is_some() && piece.row.day.is_none();
        let meets = |others: &[&Piece]| others.iter().any(|other| days_meet(other, piece));
        if if joins { meets(&between) } else { meets(&run) } {
            run.clear();
            between.clear();
        }
        match joins {
            true => run.push(piece),
            false if run.is_empty() => {}
            false => between.push(piece),
        }
        if run.len() > best.len() {
            best = run.iter().filter_map(|piece| piece.number).collect();
        }
    }
    let enough = match why {
        Why::Due { segments_min } => best.len() >= segments_min.max(2),
        Why::Asked => best.len() >= 2 || best.first().is_some_and(|number| is_to_be_split(pieces, *number)),
    };
    enough.then_some(best)
}

fn days_meet(a: &Piece, b: &Piece) -> bool {
    a.first_day() <= b.last_day() && b.first_day() <= a.last_day()
}

/// Whether splitting one unsplit segment brings its days nearer to one segment each.
fn is_to_be_split(pieces: &[Piece], number: u64) -> bool {
    let Some(one) = pieces.iter().find(|piece| piece.number == Some(number)) else { return false };
    let others = pieces.iter().filter(|piece| piece.number.is_some() && piece.row.day.is_some());
    one.first_day() != one.last_day() || others.into_iter().any(|other| days_meet(one, other))
}

/// Neighbours of one day that are due.
fn plan_days(pieces: &[Piece], why: Why) -> Option<Vec<u64>> {
    let mut days: Vec<i32> = pieces.iter().filter_map(|piece| piece.row.day).collect();
    days.sort_unstable();
    days.dedup();
    days.into_iter().find_map(|day| {
        let of_day: Vec<&Piece> = pieces.iter().filter(|piece| piece.has_day(day)).collect();
        let mergeable = |piece: &Piece| piece.number.is_some() && piece.row.day.is_some();
        of_day.chunk_by(|a, b| mergeable(a) && mergeable(b)).find_map(|run| {
            let due = due_window(run, why)?;
            let numbers: Vec<u64> = due.iter().filter_map(|piece| piece.number).collect();
            (mergeable(due[0]) && numbers.len() >= 2).then_some(numbers)
        })
    })
}

/// The longest stretch of a run in which no segment is larger than all the others together: then a sample is written again
/// only into something at least twice as large.
fn due_window<'a, 'b>(run: &'a [&'b Piece], why: Why) -> Option<&'a [&'b Piece]> {
    let segments_min = match why {
        Why::Asked => return (run.len() >= 2).then_some(run),
        Why::Due { .. } if run.len() > SEGMENTS_A_DAY_MAX => return Some(run),
        Why::Due { segments_min } => segments_min.max(2),
    };
    for length in (segments_min..=run.len()).rev() {
        for window in run.windows(length) {
            let total: u64 = window.iter().map(|piece| piece.row.samples).sum();
            let largest = window.iter().map(|piece| piece.row.samples).max().unwrap_or(0);
            if largest <= total - largest {
                return Some(window);
            }
        }
    }
    None
}

/// The planted bug: the first and the last of three neighbours.
fn across(pieces: &[Piece]) -> Option<Vec<u64>> {
    let level_0: Vec<u64> =
        pieces.iter().filter(|piece| piece.row.day.is_none()).filter_map(|piece| piece.number).collect();
    match level_0[..] {
        [first, _, last, ..] => Some(vec![first, last]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(rows: &[(u64, u64, u64, Option<i32>, u64)]) -> CatalogState {
        let mut state = CatalogState::default();
        for &(number, lo, hi, day, samples) in rows {
            // Unsplit ones are of days 1 and 2 here.
            let (min_ms, max_ms) =
                day.map_or((DAY_MS, 3 * DAY_MS - 1), |day| (i64::from(day) * DAY_MS, i64::from(day) * DAY_MS + 1));
            state.segments.insert(number, SegmentRow { lo, hi, day, min_ms, max_ms, samples, bytes: 1 });
        }
        state
    }

    const DUE: Why = Why::Due { segments_min: 3 };

    #[test]
    fn unsplit_neighbours_are_merged_once_there_are_enough() {
        let two = state(&[(1, 1, 1, None, 5), (2, 2, 2, None, 5)]);
        assert_eq!((plan(&two, DUE, false), plan(&two, Why::Asked, false)), (None, Some(vec![1, 2])));
        let three = state(&[(1, 1, 1, None, 5), (3, 2, 2, None, 5), (2, 3, 3, None, 5)]);
        assert_eq!(plan(&three, DUE, false), Some(vec![1, 3, 2]), "by generation, not by number");
    }

    #[test]
    fn a_segment_of_the_day_in_between_ends_the_run() {
        let day = |day| state(&[(1, 1, 1, None, 5), (2, 2, 3, Some(day), 9), (3, 4, 4, None, 5), (4, 5, 5, None, 5)]);
        assert_eq!(plan(&day(2), DUE, false), None);
        assert_eq!(plan(&day(2), Why::Asked, false), Some(vec![3, 4]));
        assert_eq!(plan(&day(7), DUE, false), Some(vec![1, 3, 4]), "another day does not stand between");
        let mut aside = day(2);
        aside.quarantine(2, "damaged");
        assert_eq!(plan(&aside, DUE, false), None, "one that is set aside keeps its place");
        // One that does not meet the run so far, but those that would join it: put back later, it must not win over them.
        let mut later = state(&[(1, 1, 1, None, 5), (2, 2, 2, None, 5), (3, 3, 3, None, 5), (4, 4, 8, None, 5)]);
        for (number, row) in &mut later.segments {
            let day = if *number == 1 { 10 } else { 11 };
            (row.min_ms, row.max_ms) = (day * DAY_MS, day * DAY_MS + 1);
        }
        later.quarantine(2, "damaged");
        assert_eq!(plan(&later, DUE, false), None);
        assert_eq!(plan(&later, Why::Asked, false), Some(vec![3, 4]));
        assert_eq!(
            plan(&state(&[(1, 1, 1, None, 5), (2, 2, 2, None, 5), (3, 3, 3, None, 5)]), DUE, true),
            Some(vec![1, 3])
        );
    }

    #[test]
    fn segments_of_a_day_merge_among_their_like() {
        let rows =
            [(1, 1, 6, Some(1), 1_000), (2, 7, 12, Some(1), 10), (3, 13, 18, Some(1), 10), (4, 19, 24, Some(1), 10)];
        assert_eq!(plan(&state(&rows), DUE, false), Some(vec![2, 3, 4]), "the large one is left alone");
        assert_eq!(plan(&state(&rows), Why::Asked, false), Some(vec![1, 2, 3, 4]));
        assert_eq!(plan(&state(&rows[..3]), DUE, false), None);
        // An unsplit segment of that day between them keeps them apart.
        let apart = [(1, 1, 6, Some(1), 10), (2, 7, 7, None, 10), (3, 8, 12, Some(1), 10), (4, 13, 18, Some(1), 10)];
        assert_eq!(plan(&state(&apart), DUE, false), None);
        assert_eq!(plan(&state(&apart), Why::Asked, false), Some(vec![2]), "it is split first");
    }

    #[test]
    fn when_asked_it_ends_with_one_segment_a_day() {
        assert_eq!(plan(&state(&[(1, 1, 9, Some(1), 10), (2, 1, 9, Some(2), 10)]), Why::Asked, false), None);
        assert_eq!(plan(&CatalogState::default(), Why::Asked, false), None);
        assert_eq!(day_of(-1), -1);
    }
}
