//! Soft and hard: whether a check's problem has been seen often enough to count, decided from its results' states and times alone.

use muster_common::check::CheckState;
use serde::{Deserialize, Serialize};

use crate::rows::check_state;

/// Where a check stands. The state before its first result is OK, hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Of the newest result.
    #[serde(with = "check_state")]
    pub state: CheckState,
    /// The last one that counted.
    #[serde(with = "check_state")]
    pub hard_state: CheckState,
    /// Bad results in a row, at most what made it hard; 0: it is OK.
    pub attempt: u16,
    /// The first bad result of the problem that goes on, or the first OK after the last one; milliseconds.
    pub since_ms: i64,
    /// Since when `hard_state` is what it is.
    pub hard_since_ms: i64,
    /// The newest result; 0: none yet.
    pub at_ms: i64,
}

/// What a result made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing changed.
    None,
    /// Bad, but not often enough to count.
    Soft,
    HardChange {
        from: CheckState,
        to: CheckState,
    },
    /// OK before it counted.
    SoftRecovery,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Self { state: CheckState::Ok, hard_state: CheckState::Ok, attempt: 0, since_ms: 0, hard_since_ms: 0, at_ms: 0 }
    }

    /// Takes a result. One that is not newer than the last changes nothing: what is delivered twice or late tells nothing new.
    pub(crate) fn step(&mut self, state: CheckState, at_ms: i64, max_attempts: u16) -> Step {
        if at_ms <= self.at_ms {
            return Step::None;
        }
        if self.at_ms == 0 || (self.state == CheckState::Ok) != (state == CheckState::Ok) {
            self.since_ms = at_ms;
        }
        if self.at_ms == 0 {
            self.hard_since_ms = at_ms;
        }
        let before = std::mem::replace(&mut self.state, state);
        self.at_ms = at_ms;
        let from = self.hard_state;
        if state == CheckState::Ok {
            self.attempt = 0;
            return match (before, from) {
                (CheckState::Ok, CheckState::Ok) => Step::None,
                (_, CheckState::Ok) => Step::SoftRecovery,
                _ => self.harden(at_ms),
            };
        }
        if from == CheckState::Ok {
            self.attempt = self.attempt.saturating_add(1);
            return if self.attempt >= max_attempts.max(1) { self.harden(at_ms) } else { Step::Soft };
        }
        if from == state { Step::None } else { self.harden(at_ms) }
    }

    fn harden(&mut self, at_ms: i64) -> Step {
        let from = std::mem::replace(&mut self.hard_state, self.state);
        self.hard_since_ms = at_ms;
        Step::HardChange { from, to: self.state }
    }

    /// Whether it has a problem that counts.
    pub(crate) fn is_hard_bad(&self) -> bool {
        self.hard_state != CheckState::Ok
    }
}

#[cfg(test)]
mod tests {
    use CheckState::{Critical as C, Ok as O, Unknown as U, Warning as W};

    use super::*;

    const fn hard(from: CheckState, to: CheckState) -> Step {
        Step::HardChange { from, to }
    }

    /// Attempts, results, what they made of it, and attempt, since and hard since at the end.
    type Row<'a> = (u16, &'a [CheckState], &'a [Step], u16, i64, i64);

    #[test]
    fn results_count_from_the_first_bad_one_until_they_are_hard() {
        // The first result is at 1, each next one 1 later.
        let table: &[Row<'_>] = &[
            (3, &[O, O], &[Step::None, Step::None], 0, 1, 1),
            (3, &[C, C, C], &[Step::Soft, Step::Soft, hard(O, C)], 3, 1, 3),
            (1, &[W], &[hard(O, W)], 1, 1, 1),
            (0, &[W], &[hard(O, W)], 1, 1, 1),
            (3, &[O, C, C, O], &[Step::None, Step::Soft, Step::Soft, Step::SoftRecovery], 0, 4, 1),
            (3, &[W, C, U], &[Step::Soft, Step::Soft, hard(O, U)], 3, 1, 3),
            (2, &[W, W, C, C], &[Step::Soft, hard(O, W), hard(W, C), Step::None], 2, 1, 3),
            (2, &[W, W, O, W], &[Step::Soft, hard(O, W), hard(W, O), Step::Soft], 1, 4, 3),
        ];
        for (max, results, steps, attempt, since, hard_since) in table {
            let mut machine = Machine::new();
            let told: Vec<_> = (1..).zip(*results).map(|(at, state)| machine.step(*state, at, *max)).collect();
            assert_eq!(told, *steps, "{results:?}");
            let stands = (machine.attempt, machine.since_ms, machine.hard_since_ms);
            assert_eq!(stands, (*attempt, *since, *hard_since), "{results:?}");
        }
    }

    #[test]
    fn what_is_not_newer_changes_nothing() {
        let mut machine = Machine::new();
        machine.step(C, 10, 1);
        let before = machine;
        for at in [10, 9, 0, -5] {
            assert_eq!((machine.step(O, at, 1), machine), (Step::None, before));
        }
        assert_eq!(machine.step(O, 11, 1), hard(C, O));
    }

    #[test]
    fn fewer_attempts_count_from_the_next_result_on() {
        let mut machine = Machine::new();
        assert_eq!((machine.step(C, 1, 5), machine.step(C, 2, 5)), (Step::Soft, Step::Soft));
        assert_eq!((machine.step(C, 3, 2), machine.is_hard_bad()), (hard(O, C), true));
    }
}
