//! The thread that runs the checks: with a runtime of its own, so that nothing a plugin does holds up the sampling.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use muster_common::check::CheckState;
use muster_common::time;
use muster_common::wire::message::{CheckList, Report};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::native::{Host, Net};
use super::runner::{Done, Runner, Started};
use super::schedule::{NETWORK_MAX, Schedule};
use super::settings::{Check, Checks};
use crate::own::Own;

/// Helpers for calls that may hang, of which each check holds at most one, and for names that are looked up. When all hang, further calls
/// wait until their own time is over, and are told as hanging.
const HELPERS_MAX: usize = 2 * NETWORK_MAX;
/// A helper's stack: it calls the kernel or the C library's resolver.
const HELPER_STACK_BYTES: usize = 256 << 10;
/// A helper that is not needed goes after this: once a minute most have something to do.
const HELPER_KEEP: Duration = Duration::from_secs(90);

/// The thread's stack: handshakes of TLS are the deepest that it does. What is never touched costs nothing.
const STACK_BYTES: usize = 1 << 20;
/// How long a stop waits for the thread, which ends at once unless its listener takes no word any more.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The handle. Dropping it ends the thread, and all that it has started.
pub struct CheckWorker {
    stop: Option<oneshot::Sender<()>>,
    /// Closed by the end of the thread.
    ended: Receiver<()>,
}

/// Why the checks cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error("no thread can be started for checks: {source}; raise the limit of tasks for this user")]
    Thread {
        #[source]
        source: std::io::Error,
    },
    #[error("check {name}: {problem}")]
    Check { name: String, problem: String },
    #[error("no check is named {name}: the configuration has {known}")]
    Unknown { name: String, known: String },
}

impl CheckWorker {
    /// Starts the thread. It says the list of all checks once, then each result, stamped with this host's clock plus
    /// [`Own::clock_correction_ms`], which the session sets. `say` may wait: then the schedule does too.
    ///
    /// # Errors
    /// [`CheckError`]
    pub fn start(config: Checks, own: Arc<Own>, say: impl Fn(Report) + Send + 'static) -> Result<Self, CheckError> {
        let runners = runners(&config)?;
        let runtime = runtime().map_err(|source| CheckError::Thread { source })?;
        let (stop, stopped) = oneshot::channel();
        let (alive, ended) = sync_channel(1);
        let body = move || {
            let _alive: SyncSender<()> = alive;
            let worker = Worker::new(config, runners, own, say);
            runtime.block_on(worker.run(stopped));
            // A helper that hangs is left to itself.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("muster-checks".to_owned()).stack_size(STACK_BYTES).spawn(body);
        thread.map_err(|source| CheckError::Thread { source })?;
        Ok(Self { stop: Some(stop), ended })
    }

    /// Ends all runs, with their processes, and waits for the thread, though not for a `say` that never returns.
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that has ended needs no word.
            let _ = stop.send(());
        }
        // Nothing is ever said over it: it closes, or the time is over.
        let _ = self.ended.recv_timeout(STOP_WITHIN);
    }
}

impl Drop for CheckWorker {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What checks run in.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(HELPERS_MAX)
        .thread_stack_size(HELPER_STACK_BYTES)
        .thread_keep_alive(HELPER_KEEP)
        .thread_name("muster-check")
        .build()
}

/// Makes every check ready, and lets it be.
///
/// # Errors
/// What [`CheckWorker::start`] would say of the first one that cannot run.
pub(crate) fn try_runners(config: &Checks) -> Result<(), CheckError> {
    runners(config).map(|_| ())
}

fn runners(config: &Checks) -> Result<Vec<Runner>, CheckError> {
    let runner = |check: &Check| {
        Runner::new(check, config).map_err(|problem| CheckError::Check { name: check.name.clone(), problem })
    };
    config.checks.iter().map(runner).collect()
}

struct Worker<S> {
    checks: Vec<Check>,
    runners: Vec<Runner>,
    schedule: Schedule,
    host: Host,
    net: Arc<Net>,
    own: Arc<Own>,
    say: S,
    /// Index of the check, when it began, what came of it.
    runs: JoinSet<(usize, Duration, Done)>,
}

impl<S: Fn(Report)> Worker<S> {
    fn new(config: Checks, runners: Vec<Runner>, own: Arc<Own>, say: S) -> Self {
        let steady = time::monotonic();
        let own_name = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host_name = if config.host.is_empty() { own_name() } else { config.host.clone() };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency = config.concurrency.unwrap_or(2 * cores);
        let timings = config.checks.iter().zip(&runners).map(|(check, runner)| check.timing(runner.pool()));
        let schedule = Schedule::new(&host_name, timings, concurrency, steady);
        let host = Host::new(&config.proc, time::now(), steady);
        Self {
            checks: config.checks,
            runners,
            schedule,
            host,
            net: Arc::new(Net::new()),
            own,
            say,
            runs: JoinSet::new(),
        }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let checks = self.checks.iter().map(|check| check.name.clone()).collect();
        (self.say)(Report::Checks(CheckList { at_ms: self.at_ms(), checks }));
        loop {
            self.start_due();
            let wait = match self.schedule.next_wake() {
                Some(wake) => wake.saturating_sub(time::monotonic()),
                // Only the end of a run, or of all, changes anything.
                None => Duration::from_secs(3_600),
            };
            tokio::select! {
                // Also when the handle went without a word.
                _ = &mut stopped => break,
                Some(ended) = self.runs.join_next() => match ended {
                    Ok((index, begun, done)) => self.ended(index, begun, done),
                    Err(error) => tracing::error!(%error, "a check's run failed"),
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
        // Dropping a run kills its group.
        self.runs.shutdown().await;
    }

    fn start_due(&mut self) {
        let now = time::monotonic();
        let starts = self.schedule.step(now);
        self.own.checks.late.add(starts.late);
        self.own.checks.missed.add(starts.missed);
        for index in starts.checks {
            (self.host.now, self.host.steady) = (time::now(), time::monotonic());
            let begun = self.host.steady;
            match self.runners[index].start(&mut self.host, &self.net) {
                Started::Done(done) => self.ended(index, begun, done),
                Started::Waiting(run) => drop(self.runs.spawn(async move { (index, begun, run.await) })),
            }
        }
        self.own.checks.running.set_size(self.runs.len() as u64);
    }

    fn ended(&mut self, index: usize, begun: Duration, done: Done) {
        let now = time::monotonic();
        let numbers = &self.own.checks;
        numbers.runs.add(1);
        numbers.timeouts.add(u64::from(done.timed_out));
        numbers.unparsed.add(done.unparsed as u64);
        numbers.running.set_size(self.runs.len() as u64);
        self.schedule.ended(index, done.outcome.state == CheckState::Ok, now);
        let report = done.outcome.into_report(&self.checks[index], self.at_ms(), now.saturating_sub(begun));
        (self.say)(Report::Check(report));
    }

    fn at_ms(&self) -> i64 {
        time::now().millis().saturating_add(self.own.clock_correction_ms.value())
    }
}
