//! The thread that answers questions, one after the other: apart from sampling, which no question may hold up. Idle it waits and costs nothing.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use muster_common::ask::{AskError, Sieve};
use muster_common::time;
use muster_common::wire::message::{Answer, AnswerWord, Ask};

use super::answer::{Stop, Taker, without_rows};
use super::budget::Budget;
use super::host::Host;
use super::tables::READERS;
use crate::inventory::{Problem, SOURCES, Scene, give_back, look};
use crate::own::Own;

/// Questions that may wait while one is answered: people who look into the same incident. Beyond it they are told to come again.
const WAITING_MAX: usize = 4;
/// As for the inventory, whose sources run here too.
const STACK_BYTES: usize = 1 << 20;

/// The handle. Dropping it ends the thread after the question that it is at.
pub(crate) struct AskWorker {
    /// With the moment at which each came. `None`: this host answers none.
    questions: Option<SyncSender<(Ask, Duration)>>,
    own: Arc<Own>,
}

impl AskWorker {
    /// Starts the thread, if this host answers questions. `say` may wait.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(host: Host, own: Arc<Own>, say: impl Fn(Answer) + Send + 'static) -> std::io::Result<Self> {
        if !host.ask.enabled {
            return Ok(Self { questions: None, own });
        }
        let (questions, asked) = sync_channel(WAITING_MAX);
        let counts = Arc::clone(&own);
        let body = move || answer_all(&host, &asked, &counts, say);
        std::thread::Builder::new().name("muster-ask".to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { questions: Some(questions), own })
    }

    /// Puts a question. An answer comes at once where this host takes none now; else by `say`.
    pub(crate) fn ask(&self, ask: Ask) -> Option<Answer> {
        let id = ask.id;
        let refusal = match &self.questions {
            None => without_rows(
                id,
                AnswerWord::Refused,
                "this host answers no questions: set `enabled = true` under [ask] of its agent.toml and restart the agent",
            ),
            Some(questions) => match questions.try_send((ask, time::monotonic())) {
                Ok(()) => return None,
                Err(TrySendError::Full(_)) => without_rows(
                    id,
                    AnswerWord::Busy,
                    format!("{WAITING_MAX} questions wait on this host already: ask again in a moment"),
                ),
                Err(TrySendError::Disconnected(_)) => {
                    without_rows(id, AnswerWord::Failed, "the thread that answers has ended: restart the agent")
                }
            },
        };
        self.own.ask.answered(refusal.word);
        Some(refusal)
    }
}

fn answer_all(host: &Host, asked: &Receiver<(Ask, Duration)>, own: &Own, say: impl Fn(Answer)) {
    while let Ok((ask, came)) = asked.recv() {
        let answer = answer(host, &ask, came);
        own.ask.answered(answer.word);
        say(answer);
        give_back();
    }
}

/// Answers a question that came at this moment of the steady clock.
pub(super) fn answer(host: &Host, ask: &Ask, came: Duration) -> Answer {
    let budget = Budget::new(came, Duration::from_millis(u64::from(ask.within_ms)));
    let sieve = match Sieve::of(&ask.table, &ask.columns, &ask.filters) {
        Ok(sieve) => sieve,
        Err(error) => return unknown(ask, &error),
    };
    // Made anew, so that all of it is of now, and nothing of it stays in memory.
    let scene = (host.scene)();
    let mut taker = Taker::new(ask, &sieve, &budget);
    let looked = taker.go_on().and_then(|()| read(host, &scene, &mut taker));
    scene.take_notes().into_iter().for_each(|note| taker.note(note));
    match looked {
        Ok(()) => taker.into_answer(ask),
        Err(Stop::Problem(problem)) => without_rows(ask.id, AnswerWord::Failed, problem.to_string()),
        Err(Stop::Late(why)) => without_rows(ask.id, AnswerWord::Late, why),
    }
}

/// The table is one of a later version, or the question was not judged where it was asked.
fn unknown(ask: &Ask, error: &AskError) -> Answer {
    let version = env!("CARGO_PKG_VERSION");
    without_rows(ask.id, AnswerWord::Unknown, format!("{error} (agent {version})"))
}

fn read(host: &Host, scene: &Scene, taker: &mut Taker<'_>) -> Result<(), Stop> {
    let name = taker.sieve.table().name;
    if let Some((_, reader)) = READERS.iter().find(|(table, _)| *table == name) {
        return reader(host, scene, taker);
    }
    let Some(source) = SOURCES.iter().find(|source| source.table.name == name) else {
        let problem = "nothing looks at it: this is a fault of the agent".to_owned();
        return Err(Problem { place: format!("table {name}"), problem }.into());
    };
    let rows = look(scene, source)?;
    taker.drop_unseen(rows.dropped());
    rows.iter().try_for_each(|row| taker.take(row))
}
