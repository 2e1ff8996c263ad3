//! The states of one alert, worked out from its whole history by episodes instead of step by step: the other opinion that the machine is
//! compared with.

/// What was seen at one time: the condition held, or it did not; what says nothing is left out.
pub(super) type Seen = (i64, bool);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Inactive,
    Pending,
    Firing,
}

/// The state after each time seen.
pub(super) fn states(seen: &[Seen], for_ms: i64, keep_ms: i64) -> Vec<State> {
    let mut states = vec![State::Inactive; seen.len()];
    let mut at = 0;
    while at < seen.len() {
        if seen[at].1 {
            at = episode(seen, at, for_ms, keep_ms, &mut states);
        } else {
            at += 1;
        }
    }
    states
}

/// Fills in the states of the episode that begins here. Answers where it has ended.
fn episode(seen: &[Seen], start: usize, for_ms: i64, keep_ms: i64, states: &mut [State]) -> usize {
    let first_gap = (start..seen.len()).find(|at| !seen[*at].1).unwrap_or(seen.len());
    let fires = (start..first_gap).find(|at| seen[*at].0 - seen[start].0 >= for_ms);
    states[start..first_gap].fill(State::Pending);
    let Some(fires) = fires else { return first_gap };
    let mut end = first_gap;
    // Gaps that are shorter than what it is kept for belong to it.
    while end < seen.len() {
        let back = (end..seen.len()).find(|at| seen[*at].1).unwrap_or(seen.len());
        if let Some(over) = (end..back).find(|at| seen[*at].0 - seen[end].0 >= keep_ms) {
            end = over;
            break;
        }
        end = (back..seen.len()).find(|at| !seen[*at].1).unwrap_or(seen.len());
    }
    states[fires..end].fill(State::Firing);
    end
}
