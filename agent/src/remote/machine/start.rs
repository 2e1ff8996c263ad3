//! A process starts: what its predecessor left, by the host's present file.

use muster_common::wire::message::{ConfigurationWord, Problem};

use super::super::store::Refusal;
use super::{Effect, Found, Machine, Note, Offer, Phase, Times, place_of, word_of};
use crate::uplink::Moment;

impl Machine {
    /// A process starts with what it found. `is_enabled`: whether the host's file takes remote configurations.
    pub fn start(found: Found, is_enabled: bool, times: Times, now: Moment, effects: &mut Vec<Effect>) -> Self {
        let Found { kept, good } = found;
        let mut machine = Self {
            is_enabled,
            times,
            record: kept.record,
            runs_good: false,
            word: ConfigurationWord::None,
            problems: kept.problems,
            since_ms: now.wall.millis(),
            phase: Phase::Idle,
            next: None,
            stands: false,
            has_stood: false,
        };
        if !is_enabled {
            machine.word = ConfigurationWord::Disabled;
            machine.problems.clear();
            return machine;
        }
        let trouble = machine.problems.iter().map(|problem| Effect::Note(Note::Trouble { problem: problem.clone() }));
        effects.extend(trouble);
        let before = machine.record.clone();
        machine.start_good(good, now, effects);
        machine.start_trial(kept.trial, now, effects);
        if machine.record != before {
            machine.keep(effects);
        } else {
            machine.go_on(now, effects);
        }
        machine
    }

    fn start_good(&mut self, good: Option<Result<Vec<Problem>, Vec<Problem>>>, now: Moment, effects: &mut Vec<Effect>) {
        if matches!(good, Some(Ok(_))) {
            // It did not fit for a while: the host's file was mended.
            let is_good =
                |refused: &Refusal| self.record.good.as_ref().is_some_and(|good| good.digest == refused.mark.digest);
            if self.record.refused.as_ref().is_some_and(is_good) {
                self.record.refused = None;
            }
        }
        let refused = self.record.refused.clone().filter(|refused| self.is_last_offered(&refused.mark));
        match (self.record.good.clone(), good) {
            // The host's file was changed: the document stays, and does not run.
            (Some(mark), Some(Err(problems))) => return self.refuse(mark, problems, now, effects),
            (Some(mark), Some(Ok(warnings))) => {
                self.runs_good = true;
                (self.word, self.since_ms) = (ConfigurationWord::InForce, mark.since_ms);
                if refused.is_none() {
                    self.problems.extend(warnings);
                }
            }
            _ => {
                // The host's own file alone, as the collector wished.
                if self.record.offered.as_ref().is_some_and(|offered| offered.digest == [0; 16]) {
                    self.word = ConfigurationWord::InForce;
                }
            }
        }
        if let Some(refused) = refused {
            (self.word, self.since_ms) = (word_of(&refused), refused.mark.since_ms);
            self.problems.extend(refused.problems.iter().map(Problem::from));
        }
    }

    fn start_trial(&mut self, document: Option<String>, now: Moment, effects: &mut Vec<Effect>) {
        let Some(mark) = self.record.trial.clone() else { return };
        match document.filter(|_| self.record.is_trial_left) {
            Some(document) => self.next = Some(Offer { number: mark.number, digest: mark.digest, document }),
            None => {
                let why = Problem {
                    place: place_of(&mark),
                    message: "the agent ended, or was killed, while it was on trial".to_owned(),
                    remedy: "look at the agent's log, and correct the profile that it is of".to_owned(),
                };
                self.problems.clear();
                // It runs by the good one from the start: only the record is to be written.
                self.revert(mark, why, now, effects);
            }
        }
    }
}
