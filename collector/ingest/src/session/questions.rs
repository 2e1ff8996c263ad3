//! Questions to a host and its answers: each question is answered once, on the session that it was sent on.

use muster_common::wire::message::{Answer, Ask, Message};
use muster_fleet::MissingWhy;

use super::machine::{Session, Stage};
use super::message::Effect;
use crate::counters::Count;

/// Questions without an answer that are remembered: twice as many as there can be under way, since one that has ended is not told here.
const UNANSWERED_MAX: usize = 2 * muster_fleet::QUESTIONS_MAX;

impl Session {
    /// Sends it, if the session is open: of one that is not, another one of this host may be.
    pub(super) fn ask(&mut self, ask: Ask) {
        if !matches!(self.stage, Stage::Open) {
            return;
        }
        if !self.reads_questions {
            self.effects.push(Effect::Unasked { id: ask.id, why: MissingWhy::TooOld });
            return;
        }
        if self.unanswered.len() >= UNANSWERED_MAX {
            self.unanswered.remove(0);
        }
        self.unanswered.push(ask.id);
        self.shared.counters.one(Count::QuestionsSent);
        self.send(Message::Ask(ask));
    }

    /// An answer to nothing, or a second one, is dropped: only fleet knows more, and has forgotten it.
    pub(super) fn answered(&mut self, answer: Answer) {
        match self.unanswered.iter().position(|id| *id == answer.id) {
            Some(place) => {
                self.unanswered.remove(place);
                self.shared.counters.one(Count::AnswersTaken);
                self.effects.push(Effect::Answer(answer));
            }
            None => self.shared.counters.one(Count::AnswersStray),
        }
    }

    /// The session ends: what it was asked stays without an answer.
    pub(super) fn leave_questions(&mut self) {
        for id in std::mem::take(&mut self.unanswered) {
            self.effects.push(Effect::Unasked { id, why: MissingWhy::Gone });
        }
    }
}
