//! The thread itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use muster_common::time::{self, Timestamp};
use muster_common::wire::message::Throttle;
use muster_store::{Append, CommitError, Outcome, Position, Writer};
use tokio::sync::{Semaphore, watch};

use super::answer::Answer;
use super::gather::Gather;
use super::job::{HelloAsked, Job, Queued, Round, Waiting, fail};
use super::queue::{BYTES_A_PERMIT, CommitQueue, Health, QueueLimits};
use crate::apply::Apply;
use crate::counters::{Count, Counters};
use crate::error_text::chain;
use crate::session::Greeting;

/// The thread's own side.
pub struct Committer {
    writer: Writer,
    apply: Apply,
    /// The last commit that the store has not been told state.redb has.
    reached: Option<Position>,
    counters: Arc<Counters>,
    limits: QueueLimits,
    jobs: Receiver<Job>,
    slots: Arc<Semaphore>,
    health: Arc<Health>,
    throttle: watch::Sender<Throttle>,
    gather: Gather,
}

/// The committer and the queue before it. The caller runs [`Committer::run`] on a thread of its own.
pub fn new(writer: Writer, apply: Apply, counters: Arc<Counters>, limits: QueueLimits) -> (Committer, CommitQueue) {
    let (sender, jobs) = sync_channel(limits.appends_max + 16);
    let slots = Arc::new(Semaphore::new(limits.appends_max));
    let bytes = Arc::new(Semaphore::new(limits.bytes_max / BYTES_A_PERMIT));
    let health = Arc::new(Health::default());
    let throttle = watch::Sender::new(Throttle { linger_ms: LINGER_MS[0], hold_ms: 0 });
    let queue = CommitQueue {
        jobs: sender,
        slots: slots.clone(),
        bytes,
        limits,
        health: health.clone(),
        throttle: throttle.subscribe(),
    };
    let gather = Gather::new(limits.gather_min, limits.gather_max);
    (Committer { writer, apply, reached: None, counters, limits, jobs, slots, health, throttle, gather }, queue)
}

/// What agents are told to gather before they send: at rest, at half a queue, and near a full one.
const LINGER_MS: [u32; 3] = [1_000, 5_000, 10_000];

/// How soon what state.redb did not take is tried again when nothing is committed.
const APPLY_AGAIN: Duration = Duration::from_secs(1);

/// The thread's end, also in a panic: what waits is answered, and an end that nobody asked for is told.
struct Ending {
    committer: Committer,
    is_orderly: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.is_orderly {
            self.committer.health.set_broken();
        }
        while let Ok(job) = self.committer.jobs.try_recv() {
            if let Job::Append(queued) = job {
                fail(vec![queued], None);
            }
        }
    }
}

impl Committer {
    /// Serves the queue until it is told to stop.
    pub fn run(self) {
        let mut ending = Ending { committer: self, is_orderly: false };
        ending.committer.serve_all();
        ending.is_orderly = true;
    }

    fn serve_all(&mut self) {
        while let Some(first) = self.next_job() {
            let mut round = Round::default();
            round.add(first);
            self.fill(&mut round);
            let stops = round.stops;
            self.serve(round);
            self.tell_load();
            if stops {
                break;
            }
        }
    }

    /// Waits for a job; meanwhile, state.redb is brought up to the inbox where it is behind.
    fn next_job(&mut self) -> Option<Job> {
        while self.apply.is_behind() {
            match self.jobs.recv_timeout(APPLY_AGAIN) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {
                    self.catch_up();
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.jobs.recv().ok()
    }

    /// Takes what waits, and gathers for a moment when several intakes are at work.
    fn fill(&mut self, round: &mut Round) {
        while round.fits(&self.limits) {
            match self.jobs.try_recv() {
                Ok(job) => round.add(job),
                Err(_) => break,
            }
        }
        let until = time::monotonic() + self.gather.wait(round.appends.len());
        while round.fits(&self.limits) {
            let left = until.saturating_sub(time::monotonic());
            if left.is_zero() {
                break;
            }
            match self.jobs.recv_timeout(left) {
                Ok(job) => round.add(job),
                Err(_) => break,
            }
        }
        self.gather.committed(round.appends.len());
    }

    /// Appends first: a hello is asked only when nothing of its host is queued, so it may come after all others.
    fn serve(&mut self, round: Round) {
        let now = time::now();
        self.commit(round.appends, now);
        for HelloAsked { host, held, reply } in round.hellos {
            let marks = self.writer.hello(host, &held, now);
            let standing = marks.and_then(|marks| Ok((marks, self.writer.positions(host)?)));
            let answer = match standing {
                Ok((marks, positions)) => {
                    let (store_id, incarnation) = (self.writer.store_id(), self.writer.incarnation());
                    Ok(Greeting { store_id, incarnation, marks, positions, inventory: Vec::new() })
                }
                Err(error) => {
                    self.counters.one(Count::CommitsFailed);
                    tracing::error!("hello's marks: {}", chain(&error));
                    Err(error.to_string())
                }
            };
            // The session may be gone.
            let _ = reply.send(answer);
        }
        for host in round.forgotten {
            if let Err(error) = self.writer.forget(host, now) {
                tracing::error!(%host, "a retired host's marks stay until it is retired again: {}", chain(&error));
            }
        }
        for reply in round.marked {
            let hosts = self.writer.marked_hosts(now).unwrap_or_else(|error| {
                tracing::error!("hosts with marks cannot be read, those of retired hosts stay: {}", chain(&error));
                Vec::new()
            });
            let _ = reply.send(hosts);
        }
        for barrier in round.barriers {
            let _ = barrier.send(());
        }
    }

    fn commit(&mut self, mut queued: Vec<Queued>, now: Timestamp) {
        while !queued.is_empty() {
            if self.apply.is_stuck() && self.catch_up().is_none() {
                self.counters.one(Count::CommitsThrottled);
                fail(queued, Some(Duration::from_secs(5)));
                return;
            }
            let (appends, waiting): (Vec<Append>, Vec<Waiting>) = queued.into_iter().map(Queued::split).unzip();
            let before = time::monotonic();
            let result = self.writer.commit(&appends, now);
            let micros = u64::try_from((time::monotonic() - before).as_micros()).unwrap_or(u64::MAX);
            self.counters.add(Count::CommitMicros, micros);
            match result {
                Ok(outcomes) => {
                    self.committed(appends, waiting, &outcomes);
                    return;
                }
                Err(CommitError::Malformed { append, reason }) => {
                    tracing::error!("an append was refused by the store: {reason}");
                    queued = Queued::join(appends, waiting);
                    if append < queued.len() {
                        queued.remove(append).reply.send(Answer::Malformed { why: reason });
                    }
                }
                Err(error) => {
                    self.not_committed(&error);
                    fail(Queued::join(appends, waiting), error.retry_after());
                    return;
                }
            }
        }
    }

    fn committed(&mut self, appends: Vec<Append>, waiting: Vec<Waiting>, outcomes: &[Outcome]) {
        self.counters.one(Count::Commits);
        self.health.set(false);
        self.apply.note(self.writer.take_entries());
        let reached = outcomes.iter().rev().find_map(|outcome| match outcome {
            Outcome::Committed { position } => Some(*position),
            _ => None,
        });
        self.reached = reached.or(self.reached);
        self.catch_up();
        for ((append, waiting), outcome) in appends.into_iter().zip(waiting).zip(outcomes) {
            let append = matches!(outcome, Outcome::NotNext { .. }).then_some(append);
            waiting.reply.send(Answer::Settled { outcome: outcome.clone(), append });
        }
    }

    fn not_committed(&self, error: &CommitError) {
        if matches!(error, CommitError::Throttled { .. }) {
            self.counters.one(Count::CommitsThrottled);
            tracing::warn!("{}", chain(error));
        } else {
            self.counters.one(Count::CommitsFailed);
            self.health.set(true);
            tracing::error!("{}", chain(error));
        }
    }

    /// `Some`: state.redb has everything that was committed.
    fn catch_up(&mut self) -> Option<()> {
        match self.apply.catch_up() {
            Ok(()) => {
                // Told after every success: files that wait for state.redb go, also when it recovered while commits are refused.
                if let Some(position) = self.reached.take() {
                    self.writer.state_reached(position);
                }
                Some(())
            }
            Err(error) => {
                self.counters.one(Count::ApplyFailed);
                tracing::error!("state.redb is behind the inbox: {}", chain(&error));
                None
            }
        }
    }

    fn tell_load(&self) {
        let used = self.limits.appends_max.saturating_sub(self.slots.available_permits());
        let before = self.throttle.borrow().linger_ms;
        let linger_ms = if self.health.is_failing() || used * 5 >= self.limits.appends_max * 4 {
            LINGER_MS[2]
        } else if used * 2 >= self.limits.appends_max {
            before.max(LINGER_MS[1])
        } else if used * 4 < self.limits.appends_max {
            LINGER_MS[0]
        } else {
            before
        };
        if linger_ms != before {
            self.throttle.send_replace(Throttle { linger_ms, hold_ms: 0 });
        }
    }
}
