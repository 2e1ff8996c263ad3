//! What became of questions, as numbers.

use muster_common::sample::MetricKind;
use muster_common::wire::message::AnswerWord;

use crate::own::{Count, OwnNumber};

const WORDS: [AnswerWord; 6] = [
    AnswerWord::Rows,
    AnswerWord::Busy,
    AnswerWord::Refused,
    AnswerWord::Unknown,
    AnswerWord::Failed,
    AnswerWord::Late,
];

const fn name(word: AnswerWord) -> &'static str {
    match word {
        AnswerWord::Rows => "rows",
        AnswerWord::Busy => "busy",
        AnswerWord::Refused => "refused",
        AnswerWord::Unknown => "unknown",
        AnswerWord::Failed => "failed",
        AnswerWord::Late => "late",
    }
}

/// Counted by the worker and by the session.
#[derive(Debug, Default)]
pub struct AskNumbers {
    answers: [Count; WORDS.len()],
    /// Answers whose connection was gone before they were ready.
    pub unsent: Count,
}

impl AskNumbers {
    /// What [`AskNumbers::each`] shows.
    pub const SERIES: usize = WORDS.len() + 1;

    pub fn answered(&self, word: AnswerWord) {
        if let Some(place) = WORDS.iter().position(|known| *known == word) {
            self.answers[place].add(1);
        }
    }

    pub fn answers(&self, word: AnswerWord) -> u64 {
        WORDS.iter().position(|known| *known == word).map_or(0, |place| self.answers[place].value())
    }

    /// Shows every number, always all and in the same order, without allocating.
    pub fn each(&self, show: &mut dyn FnMut(OwnNumber)) {
        let help = "Questions of the collector, by what was answered.";
        for (word, count) in WORDS.into_iter().zip(&self.answers) {
            let label = Some(("word", name(word)));
            show(("muster_agent_questions_total", help, MetricKind::Counter, label, count.value() as f64));
        }
        let help = "Answers that were not sent: the connection they were asked on was gone.";
        show(("muster_agent_answers_unsent_total", help, MetricKind::Counter, None, self.unsent.value() as f64));
    }
}
