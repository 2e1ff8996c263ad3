//! What became of an append, and where that is told.

use std::time::Duration;

use muster_store::{Append, Outcome, Record};
use tokio::sync::{mpsc, oneshot};

use crate::session::Input;

/// What became of an append.
#[derive(Debug)]
pub enum Answer {
    /// Decided: `append` comes back where it was not taken for its order.
    Settled { outcome: Outcome, append: Option<Append> },
    /// Not durable as far as is known; to be tried again, not before `retry_after` if the store said so.
    Failed { append: Append, retry_after: Option<Duration> },
    /// Its form is refused.
    Malformed { why: &'static str },
}

/// Where an answer goes.
#[derive(Debug)]
pub enum Reply {
    /// A session's inbox, which has room for every commit that it may have under way.
    Session {
        token: u64,
        to: mpsc::Sender<Input>,
    },
    Once(oneshot::Sender<Answer>),
}

impl Reply {
    pub(super) fn send(self, answer: Answer) {
        match self {
            // A receiver that is gone needs no answer.
            Self::Once(to) => drop(to.send(answer)),
            Self::Session { token, to } => {
                let input = match answer {
                    Answer::Settled { outcome, append } => Input::Settled { token, outcome, append },
                    Answer::Failed { append, retry_after: None } => Input::Failed { token, append },
                    Answer::Failed { append, retry_after: Some(retry_after) } => {
                        Input::PutOff { token, append, retry_after }
                    }
                    Answer::Malformed { why } => Input::Malformed { token, why },
                };
                if let Err(mpsc::error::TrySendError::Full(_)) = to.try_send(input) {
                    tracing::error!("a session's inbox is full: its commit's outcome is lost to it");
                }
            }
        }
    }
}

/// What an append costs in memory until it is committed, in bytes.
pub(crate) fn size_of(append: &Append) -> usize {
    let of = |record: &Record| match record {
        Record::Samples(block) => 128 + 24 * block.samples(),
        Record::Gap(_) => 256,
        Record::Logs(block) => 256 + block.bytes() + 64 * block.entries.len(),
        Record::Report(report) => 128 + report.report.len(),
        Record::Range(range) => 256 + range.source.path.len() + range.skipped.len(),
    };
    128 + append.records.iter().map(of).sum::<usize>()
}
