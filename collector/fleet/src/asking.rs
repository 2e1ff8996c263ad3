//! Questions to many hosts at once: who is asked, what is answered, who is missing.
//!
//! [`machine`] decides (pure), [`merge`] joins equal rows. An asker holds a [`Waiting`] and keeps the time: it ends the question at its
//! deadline, or gives it up by going. Ingest takes what is to be sent ([`Fleet::take_questions`]) and hands back what came of it. Nothing of
//! it is durable: a question whose collector ends has no answer.

mod machine;
mod merge;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::ask::Sieve;
use muster_common::host::HostId;
use muster_common::stat::Stat;
use muster_common::wire::message::{Answer, Ask, AskFilter};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

pub use self::machine::{AnswerCounts, MissingWhy, QUESTIONS_MAX, WITHIN_DEFAULT, WITHIN_MAX};
use self::machine::{Asking, Effect, Event, MAKING_PART};
pub use self::merge::{HOSTS_NAMED_MAX, ROWS_MAX as ASKED_ROWS_MAX};
use crate::fleet::Fleet;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The table with the columns told, judged.
    pub sieve: Sieve,
    /// The conditions that `sieve` was made with.
    pub filters: Vec<AskFilter>,
    /// All columns are told: a host of another version tells those that it knows.
    pub is_whole: bool,
    /// Rows of one host at most.
    pub rows_max: u32,
    /// From the question to its answer.
    pub within: Duration,
}

/// What came of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskOutcome {
    /// Most common first, then by their values.
    pub rows: Vec<AskedRow>,
    pub asked: usize,
    /// Hosts that told their rows, which may be none.
    pub answered: usize,
    /// Hosts that did not, in the order in which they were asked.
    pub missing: Vec<Missing>,
    /// What hosts that answered could not tell, such as a mount that hangs.
    pub notes: Vec<(HostId, String)>,
    /// Rows that are left out, by hosts and here.
    pub dropped: u64,
    pub took: Duration,
}

/// Equal rows of all hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedRow {
    pub values: muster_common::inventory::Row,
    /// Rows with these values.
    pub count: u64,
    /// Hosts that have them.
    pub on_hosts: u64,
    /// The first of these that answered, at most [`HOSTS_NAMED_MAX`].
    pub hosts: Vec<HostId>,
}

/// A host without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub host: HostId,
    pub why: MissingWhy,
    /// The host's own words, if it has said any.
    pub problem: String,
}

/// Why nobody is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    #[error("{QUESTIONS_MAX} questions are under way already: ask again in a moment")]
    Busy,
    #[error("no host is asked: name hosts, or matchers that fit some")]
    NoHosts,
}

/// A question to be sent to each of these hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionDue {
    pub ask: Ask,
    pub hosts: Vec<HostId>,
}

/// All questions of one collector, shared with those that wait.
pub(crate) struct Desk {
    state: Mutex<DeskState>,
    /// Moves when something is to be sent.
    due: watch::Sender<u64>,
}

struct DeskState {
    asking: Asking,
    waiters: HashMap<u64, oneshot::Sender<AskOutcome>>,
    due: Vec<QuestionDue>,
}

impl Desk {
    /// `first`: the number of the first question. Random, so that a late answer to one of the process before is none to any of this one.
    pub(crate) fn new(first: u64) -> Self {
        let state = DeskState { asking: Asking::new(first), waiters: HashMap::new(), due: Vec::new() };
        Self { state: Mutex::new(state), due: watch::Sender::new(0) }
    }

    fn tell(&self, now: Duration, event: Event) {
        let mut state = self.state.lock();
        for effect in state.asking.step(now, event) {
            let Effect::Done { id, outcome } = effect else { continue };
            // One that ends before ingest came to it is asked of nobody.
            state.due.retain(|due| due.ask.id != id);
            if let Some(waiter) = state.waiters.remove(&id) {
                // Who waited may be gone.
                let _ = waiter.send(outcome);
            }
        }
    }
}

/// A question under way. Dropping it gives the question up.
pub struct Waiting {
    id: u64,
    desk: Arc<Desk>,
    outcome: oneshot::Receiver<AskOutcome>,
    until: Duration,
    is_over: bool,
}

impl Waiting {
    /// When [`Waiting::end`] is due, on the steady clock.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// Waits until every host has answered or cannot. May be dropped and called again.
    pub async fn all(&mut self) -> AskOutcome {
        match (&mut self.outcome).await {
            Ok(outcome) => {
                self.is_over = true;
                outcome
            }
            // The desk gives an outcome to everybody who waits before it forgets them.
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends the question: hosts that have not answered by now are late.
    pub fn end(mut self, now: Duration) -> AskOutcome {
        self.desk.tell(now, Event::End { id: self.id });
        self.is_over = true;
        self.outcome.try_recv().unwrap_or_default()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.desk.state.lock();
            state.waiters.remove(&self.id);
            state.due.retain(|due| due.ask.id != self.id);
            // Nothing comes of a question that is given up.
            let _ = state.asking.step(Duration::ZERO, Event::Cancel { id: self.id });
        }
    }
}

impl Fleet {
    /// Asks these hosts. `now` is of the steady clock, as everywhere here.
    ///
    /// # Errors
    /// [`QuestionError`]
    pub fn ask(&self, question: Question, hosts: Vec<HostId>, now: Duration) -> Result<Waiting, QuestionError> {
        if hosts.is_empty() {
            return Err(QuestionError::NoHosts);
        }
        let within = question.within.min(WITHIN_MAX);
        let until = now + (within - within / MAKING_PART);
        let desk = Arc::clone(&self.questions);
        let mut state = desk.state.lock();
        let mut asked = None;
        for effect in state.asking.step(now, Event::Ask { question, hosts }) {
            if let Effect::Send(due) = effect {
                asked = Some(due.ask.id);
                state.due.push(due);
            }
        }
        let id = asked.ok_or(QuestionError::Busy)?;
        let (waiter, outcome) = oneshot::channel();
        state.waiters.insert(id, waiter);
        drop(state);
        desk.due.send_modify(|due| *due += 1);
        Ok(Waiting { id, desk, outcome, until, is_over: false })
    }

    /// Moves when questions are to be sent: ask [`Self::take_questions`] then.
    pub fn subscribe_questions(&self) -> watch::Receiver<u64> {
        self.questions.due.subscribe()
    }

    /// Questions to be sent; each is given out once.
    pub fn take_questions(&self) -> Vec<QuestionDue> {
        std::mem::take(&mut self.questions.state.lock().due)
    }

    /// A host has answered.
    pub fn answered(&self, host: HostId, answer: Answer, now: Duration) {
        self.questions.tell(now, Event::Answer { host, answer });
    }

    /// A host was not asked, or will not answer any more.
    pub fn unasked(&self, host: HostId, id: u64, why: MissingWhy, now: Duration) {
        self.questions.tell(now, Event::Unasked { host, id, why });
    }
}

/// Numbers of questions.
pub(crate) fn question_stats(desk: &Desk) -> Vec<Stat> {
    let state = desk.state.lock();
    let AnswerCounts { asked, answers, missing, stray, dropped } = state.asking.counts();
    let answers_help = "Answers of hosts to questions, by what became of them.";
    let name = "muster_collector_answers_total";
    vec![
        Stat::counter("muster_collector_questions_total", "Questions asked of hosts.", asked),
        Stat::gauge("muster_collector_questions", "Questions under way.", state.asking.under_way() as f64),
        Stat::counter(name, answers_help, answers).with("result", "taken"),
        Stat::counter(name, answers_help, missing).with("result", "missing"),
        Stat::counter(name, answers_help, stray).with("result", "stray"),
        Stat::counter("muster_collector_answer_rows_dropped_total", "Rows of answers beyond the bounds.", dropped),
    ]
}
