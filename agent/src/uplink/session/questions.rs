//! Questions of the collector: handed on as they come, and answered on the connection that they came on and on no other.

use muster_common::wire::message::{Answer, Ask, Message};

use super::{Effect, Session};

/// Questions without an answer that are remembered: the host takes no more than a few at once, and answers the others at once.
const UNANSWERED_MAX: usize = 64;

impl Session {
    /// What else a broken collector asks is let be, as it would be by a host that is too busy.
    pub(super) fn asked(&mut self, ask: Ask) {
        if self.unanswered.len() < UNANSWERED_MAX {
            self.unanswered.push(ask.id);
            self.effects.push(Effect::Ask(ask));
        }
    }

    /// An answer is ready. One whose connection is gone meanwhile is of no use to anybody.
    pub(super) fn answer(&mut self, answer: Answer) {
        match self.unanswered.iter().position(|id| *id == answer.id) {
            Some(place) if self.is_open() => {
                self.unanswered.swap_remove(place);
                self.control(Message::Answer(answer));
            }
            _ => self.own.ask.unsent.add(1),
        }
    }
}
