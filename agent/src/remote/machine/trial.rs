//! The trial: how long sessions stood, when it is over, and the way back.

use std::time::Duration;

use muster_common::wire::message::{ConfigurationWord, Problem};

use super::super::store::{Mark, Refusal, Told};
use super::{Effect, Machine, Note, Phase, place_of};
use crate::uplink::Moment;

/// Beside the reason itself: the warnings that it was tried with may say why.
const PROBLEMS_KEPT: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    pub(super) mark: Mark,
    pub(super) since: Duration,
    /// Before the session that stands now.
    pub(super) stood: Duration,
    pub(super) standing_since: Option<Duration>,
    pub(super) has_stood: bool,
    /// A session stood in this process before the switch.
    pub(super) stood_before: bool,
    /// The disk did not take it: not before this.
    pub(super) confirm_at: Duration,
}

impl Trial {
    fn stood_for(&self, now: Duration) -> Duration {
        self.stood + self.standing_since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }
}

impl Machine {
    /// When the next [`Input::Tick`] must come, on the steady clock.
    pub fn deadline(&self) -> Option<Duration> {
        let Phase::Trial(trial) = &self.phase else { return None };
        match trial.standing_since {
            Some(since) => Some((since + self.times.stood.saturating_sub(trial.stood)).max(trial.confirm_at)),
            None if trial.stood >= self.times.stood => Some(trial.confirm_at),
            None if trial.stood_before && !trial.has_stood => Some(trial.since + self.times.within),
            None => None,
        }
    }

    pub(super) fn session(&mut self, stands: bool, now: Moment) {
        self.stands = stands;
        self.has_stood |= stands;
        let (Phase::Trial(trial) | Phase::Confirming { trial, .. }) = &mut self.phase else { return };
        trial.has_stood |= stands;
        if stands {
            trial.standing_since.get_or_insert(now.steady);
        } else if let Some(since) = trial.standing_since.take() {
            trial.stood += now.steady.saturating_sub(since);
        }
    }

    pub(super) fn watch_trial(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Phase::Trial(trial) = &self.phase else { return };
        let mark = trial.mark.clone();
        if trial.stood_for(now.steady) >= self.times.stood {
            if now.steady >= trial.confirm_at {
                let good = Some(Mark { since_ms: now.wall.millis(), ..mark });
                let (trial, mut record) = (trial.clone(), self.record.clone());
                (record.good, record.trial, record.refused) = (good, None, None);
                effects.push(Effect::Confirm(record.clone()));
                self.phase = Phase::Confirming { trial, record };
            }
        } else if trial.stood_before && !trial.has_stood && now.steady >= trial.since + self.times.within {
            let problem = Problem {
                place: place_of(&mark),
                message: format!(
                    "no session with the collector stood within {} s of the switch",
                    self.times.within.as_secs()
                ),
                remedy: "look at the agent's log and the collector's, and correct the profile that it is of".to_owned(),
            };
            self.set_back(mark, problem, now, effects);
        }
    }

    /// The trial did not do: the last good document runs again.
    pub(super) fn set_back(&mut self, mark: Mark, problem: Problem, now: Moment, effects: &mut Vec<Effect>) {
        self.revert(mark, problem, now, effects);
        self.phase = Phase::GoingBack { word: ConfigurationWord::Reverted };
        effects.push(Effect::GoBack(self.record.clone()));
    }

    pub(super) fn revert(&mut self, mark: Mark, problem: Problem, now: Moment, effects: &mut Vec<Effect>) {
        let mark = Mark { since_ms: now.wall.millis(), ..mark };
        (self.word, self.since_ms) = (ConfigurationWord::Reverted, now.wall.millis());
        self.problems.truncate(PROBLEMS_KEPT);
        self.problems.insert(0, problem);
        let problems = self.problems.clone();
        effects.push(Effect::Note(Note::Reverted { number: mark.number, problems: problems.clone() }));
        let problems = problems.iter().map(Told::from).collect();
        (self.record.trial, self.record.is_trial_left) = (None, false);
        self.record.refused = Some(Refusal { mark, is_reverted: true, problems });
    }
}
