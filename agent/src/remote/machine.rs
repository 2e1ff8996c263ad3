//! What becomes of a configuration that the collector offers: the decision alone. Pure: `step` takes one input and says what to do.
//!
//! Offered, judged; then refused, or on trial; then in force, or set back. One thing is under way at a time, and of what is offered meanwhile
//! the newest waits. A trial is confirmed when sessions with the collector have stood for [`STOOD`] in all since the switch, and the agent
//! lived through it. It is set back when a part cannot be started, when the agent died during it (the next process finds its record), and when
//! no session stands within [`WITHIN`] of the switch although one stood before. What was refused or set back is not tried again under its
//! number or a lower one.
//!
//! What holds at all times: what the next process starts with was confirmed, or is nothing.

mod start;
mod trial;

use std::time::Duration;

use muster_common::wire::message::{Configuration, ConfigurationState, ConfigurationWord, Problem};

use self::trial::Trial;
use super::store::{Kept, Mark, Record, Refusal, Told};
use crate::uplink::Moment;

/// Sessions must have stood for so long: what breaks the way out breaks it at once, and lines and results have gone over it by then.
pub const STOOD: Duration = Duration::from_secs(30);
/// Without a session for so long the trial is taken for the cause: a collector that is started anew is back sooner.
pub const WITHIN: Duration = Duration::from_secs(120);
/// A disk that did not take the confirmation is asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// How long a trial takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// As [`STOOD`].
    pub stood: Duration,
    /// As [`WITHIN`].
    pub within: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { stood: STOOD, within: WITHIN }
    }
}

/// A document with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub number: u64,
    pub digest: [u8; 16],
    pub document: String,
}

impl From<Configuration> for Offer {
    fn from(configuration: Configuration) -> Self {
        let Configuration { number, digest, document, .. } = configuration;
        Self { number, digest, document }
    }
}

/// What a process finds at its start.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub kept: Kept,
    /// What the present file of the host says to the good document, if there is one: its warnings, or why it cannot be run by.
    pub good: Option<Result<Vec<Problem>, Vec<Problem>>>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Offered(Offer),
    /// The answer to [`Effect::Judge`]: warnings, or what is wrong.
    Judged(Result<Vec<Problem>, Vec<Problem>>),
    /// The answer to [`Effect::Try`] and [`Effect::GoBack`]: it runs, or why it does not.
    Switched(Result<(), Problem>),
    /// The answer to [`Effect::Confirm`] and [`Effect::Keep`].
    Written(Result<(), Problem>),
    /// Whether a session with the collector stands.
    Stands(bool),
    Tick,
    /// The agent ends in order.
    Stop,
}

/// Something to be done. Each but the last two is answered once; until then none of the others comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Say whether it could be run by.
    Judge(Offer),
    /// Keep it as a trial with this record, then run by it.
    Try(Offer, Record),
    /// Keep the trial's document as the good one, with this record.
    Confirm(Record),
    /// Keep this record, then run by its good document, or by the host's own file alone.
    GoBack(Record),
    /// Keep this record.
    Keep(Record),
    /// Nothing to be waited for: the state is another one.
    Tell,
    /// For the log.
    Note(Note),
}

/// Something that people should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    Refused {
        number: u64,
        problems: Vec<Problem>,
    },
    Trial {
        number: u64,
    },
    InForce {
        number: u64,
    },
    Reverted {
        number: u64,
        problems: Vec<Problem>,
    },
    /// Back to the host's own file alone, as the collector wishes.
    Cleared {
        number: u64,
    },
    /// Something of the disk that hinders it.
    Trouble {
        problem: Problem,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Judging(Offer),
    Switching {
        offer: Offer,
        warnings: Vec<Problem>,
    },
    Trial(Trial),
    Confirming {
        trial: Trial,
        record: Record,
    },
    /// To the good document; `word` is told when it runs.
    GoingBack {
        word: ConfigurationWord,
    },
    Keeping,
}

/// The machine. See the module's page.
#[derive(Clone, Debug)]
pub struct Machine {
    is_enabled: bool,
    times: Times,
    record: Record,
    /// Whether the record's good document runs; where it does not fit the host's file any more it is kept and does not.
    runs_good: bool,
    word: ConfigurationWord,
    problems: Vec<Problem>,
    since_ms: i64,
    phase: Phase,
    /// What was offered while something was under way.
    next: Option<Offer>,
    stands: bool,
    has_stood: bool,
}

impl Machine {
    /// Takes one input and appends what is to be done, in order, to `effects`.
    pub fn step(&mut self, now: Moment, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Offered(offer) => self.next = Some(offer),
            Input::Judged(verdict) => self.judged(verdict, now, effects),
            Input::Switched(outcome) => self.switched(outcome, now, effects),
            Input::Written(outcome) => self.written(outcome, now, effects),
            Input::Stands(stands) => self.session(stands, now),
            Input::Tick => {}
            Input::Stop => return self.stop(effects),
        }
        self.watch_trial(now, effects);
        self.go_on(now, effects);
    }

    fn go_on(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        while self.phase == Phase::Idle
            && let Some(offer) = self.next.take()
        {
            self.offered(offer, now, effects);
        }
    }

    fn offered(&mut self, offer: Offer, now: Moment, effects: &mut Vec<Effect>) {
        let mark = Mark { number: offer.number, digest: offer.digest, since_ms: now.wall.millis() };
        let was_offered = self.record.offered.replace(mark.clone());
        if !self.is_enabled {
            effects.push(Effect::Tell);
            return;
        }
        if offer.document.is_empty() {
            self.record.refused = None;
            self.problems.clear();
            if self.record.good.take().is_some() || self.runs_good {
                self.runs_good = false;
                self.phase = Phase::GoingBack { word: ConfigurationWord::InForce };
                effects.push(Effect::GoBack(self.record.clone()));
                effects.push(Effect::Note(Note::Cleared { number: offer.number }));
            } else {
                self.settle(ConfigurationWord::InForce, now, effects);
            }
            return;
        }
        let is_same = |refused: &&Refusal| refused.mark.digest == offer.digest && offer.number <= refused.mark.number;
        if let Some(refused) = self.record.refused.as_ref().filter(is_same) {
            self.word = word_of(refused);
            self.problems = refused.problems.iter().map(Problem::from).collect();
            return self.keep(effects);
        }
        let is_good = self.record.good.as_ref().is_some_and(|good| good.digest == offer.digest);
        if is_good && self.runs_good {
            if let Some(good) = &mut self.record.good {
                good.number = offer.number;
            }
            let is_new =
                self.word != ConfigurationWord::InForce || was_offered.is_none_or(|old| old.number != offer.number);
            self.record.refused = None;
            if self.word != ConfigurationWord::InForce {
                self.problems.clear();
                self.settle(ConfigurationWord::InForce, now, effects);
            } else if is_new {
                self.keep(effects);
            } else {
                effects.push(Effect::Tell);
            }
            return;
        }
        self.judge(offer, effects);
    }

    fn judge(&mut self, offer: Offer, effects: &mut Vec<Effect>) {
        effects.push(Effect::Judge(offer.clone()));
        self.phase = Phase::Judging(offer);
    }

    fn judged(&mut self, verdict: Result<Vec<Problem>, Vec<Problem>>, now: Moment, effects: &mut Vec<Effect>) {
        let Phase::Judging(offer) = std::mem::replace(&mut self.phase, Phase::Idle) else { return };
        let mark = Mark { number: offer.number, digest: offer.digest, since_ms: now.wall.millis() };
        match verdict {
            Ok(warnings) => {
                self.record.trial = Some(mark);
                self.record.is_trial_left = false;
                effects.push(Effect::Try(offer.clone(), self.record.clone()));
                self.phase = Phase::Switching { offer, warnings };
            }
            Err(problems) => {
                self.refuse(mark, problems, now, effects);
                self.keep(effects);
            }
        }
    }

    fn switched(&mut self, outcome: Result<(), Problem>, now: Moment, effects: &mut Vec<Effect>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Switching { offer, warnings } => {
                let mark = Mark { number: offer.number, digest: offer.digest, since_ms: now.wall.millis() };
                match outcome {
                    Ok(()) => {
                        let number = mark.number;
                        let standing_since = self.stands.then_some(now.steady);
                        let (has_stood, stood_before) = (self.stands, self.has_stood);
                        let (since, stood, confirm_at) = (now.steady, Duration::ZERO, Duration::ZERO);
                        let trial = Trial { mark, since, stood, standing_since, has_stood, stood_before, confirm_at };
                        self.phase = Phase::Trial(trial);
                        self.problems = warnings;
                        effects.push(Effect::Note(Note::Trial { number }));
                        self.turn(ConfigurationWord::Trial, now, effects);
                    }
                    Err(problem) => self.set_back(mark, problem, now, effects),
                }
            }
            Phase::GoingBack { word } => {
                // One that did not fit the host's file before the trial does not run after it either.
                self.runs_good &= self.record.good.is_some() && outcome.is_ok();
                if let Err(problem) = outcome {
                    effects.push(Effect::Note(Note::Trouble { problem: problem.clone() }));
                    self.problems.push(problem);
                }
                self.turn(word, now, effects);
            }
            other => self.phase = other,
        }
    }

    fn written(&mut self, outcome: Result<(), Problem>, now: Moment, effects: &mut Vec<Effect>) {
        if let Err(problem) = &outcome {
            effects.push(Effect::Note(Note::Trouble { problem: problem.clone() }));
        }
        match (std::mem::replace(&mut self.phase, Phase::Idle), outcome) {
            (Phase::Confirming { trial, record }, Ok(())) => {
                (self.record, self.runs_good) = (record, true);
                effects.push(Effect::Note(Note::InForce { number: trial.mark.number }));
                self.turn(ConfigurationWord::InForce, now, effects);
            }
            // It runs and does well; that the disk does not take it is another thing's fault.
            (Phase::Confirming { mut trial, .. }, Err(problem)) => {
                trial.confirm_at = now.steady + AGAIN_AFTER;
                self.phase = Phase::Trial(trial);
                if !self.problems.contains(&problem) {
                    self.problems.insert(0, problem);
                    effects.push(Effect::Tell);
                }
            }
            (Phase::Keeping, outcome) => {
                self.problems.extend(outcome.err());
                effects.push(Effect::Tell);
            }
            (other, _) => self.phase = other,
        }
    }

    fn refuse(&mut self, mark: Mark, problems: Vec<Problem>, now: Moment, effects: &mut Vec<Effect>) {
        (self.word, self.since_ms) = (ConfigurationWord::Refused, now.wall.millis());
        effects.push(Effect::Note(Note::Refused { number: mark.number, problems: problems.clone() }));
        let told = problems.iter().map(Told::from).collect();
        self.record.refused = Some(Refusal { mark, is_reverted: false, problems: told });
        (self.record.trial, self.record.is_trial_left) = (None, false);
        self.problems = problems;
    }

    fn turn(&mut self, word: ConfigurationWord, now: Moment, effects: &mut Vec<Effect>) {
        (self.word, self.since_ms) = (word, now.wall.millis());
        effects.push(Effect::Tell);
    }

    fn settle(&mut self, word: ConfigurationWord, now: Moment, effects: &mut Vec<Effect>) {
        (self.word, self.since_ms) = (word, now.wall.millis());
        self.keep(effects);
    }

    fn keep(&mut self, effects: &mut Vec<Effect>) {
        self.phase = Phase::Keeping;
        effects.push(Effect::Keep(self.record.clone()));
    }

    /// A trial that is left like this is begun anew.
    fn stop(&mut self, effects: &mut Vec<Effect>) {
        if self.record.trial.is_some() {
            self.record.is_trial_left = true;
            effects.push(Effect::Keep(self.record.clone()));
        }
    }

    fn is_last_offered(&self, mark: &Mark) -> bool {
        self.record.offered.as_ref().is_none_or(|offered| offered.digest == mark.digest)
    }

    /// What the collector is told.
    pub fn state(&self) -> ConfigurationState {
        let offered = self.record.offered.clone().unwrap_or_default();
        let good = self.record.good.as_ref().filter(|_| self.runs_good);
        ConfigurationState {
            number: offered.number,
            in_force: good.map(|mark| mark.digest).unwrap_or_default(),
            offered: offered.digest,
            word: self.word,
            problems: super::judge::bounded(self.problems.clone()),
            extensions: Vec::new(),
        }
    }

    /// Since when it is so, ms since 1970 by this host's clock.
    pub fn since_ms(&self) -> i64 {
        self.since_ms
    }

    /// The number of the confirmed document that runs; 0: none.
    pub fn number_in_force(&self) -> u64 {
        self.record.good.as_ref().filter(|_| self.runs_good).map_or(0, |mark| mark.number)
    }
}

fn word_of(refused: &Refusal) -> ConfigurationWord {
    if refused.is_reverted { ConfigurationWord::Reverted } else { ConfigurationWord::Refused }
}

/// How a document is called in messages.
pub fn name_of(number: u64) -> String {
    format!("configuration {number}")
}

fn place_of(mark: &Mark) -> String {
    name_of(mark.number)
}

#[cfg(test)]
mod tests;
