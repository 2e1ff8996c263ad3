//! A check made ready, and one run of it.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use super::native::{self, Ask, Host, Look, Moment, Net, Probe};
use super::outcome::Outcome;
use super::plugin;
use super::schedule::Pool;
use super::settings::{Check, Checks, Plugin, Work};
use crate::fence::Fence;

/// Beyond the limit that asks keep by themselves: only what hangs takes it.
const ASK_GRACE: Duration = Duration::from_secs(1);

/// What a check does, made ready.
enum Task {
    /// The flag: a process of an earlier run does not die.
    Plugin(Arc<Plugin>, Arc<AtomicBool>),
    Look(Box<dyn Look>),
    SlowLook(Arc<Mutex<Box<dyn Look>>>),
    Ask(Arc<dyn Ask>),
}

/// A run's result, for the outcome's reader and for counting.
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) timed_out: bool,
    pub(super) unparsed: usize,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, timed_out: false, unparsed: 0 }
    }
}

/// A started run: over at once, or to be waited for.
pub(super) enum Started {
    Done(Done),
    Waiting(Pin<Box<dyn Future<Output = Done> + Send>>),
}

/// A check that can run.
pub(super) struct Runner {
    task: Task,
    fence: Option<Arc<Fence>>,
    timeout: Duration,
    launcher: PathBuf,
    proc: PathBuf,
}

impl Runner {
    /// # Errors
    /// What the configuration should have found: keys of a native check that do not fit.
    pub(super) fn new(check: &Check, checks: &Checks) -> Result<Self, String> {
        let task = match &check.work {
            Work::Plugin(plugin) => Task::Plugin(Arc::new(plugin.clone()), Arc::default()),
            Work::Native { kind, keys } => {
                let kind = native::kind(kind).ok_or_else(|| format!("there is no kind `{kind}`"))?;
                let probe = (kind.build)(keys, &checks.proc);
                match probe.map_err(|error| format!("{} {}: {}", error.key, error.message, error.remedy))? {
                    Probe::Look(look) => Task::Look(look),
                    Probe::SlowLook(look) => Task::SlowLook(Arc::new(Mutex::new(look))),
                    Probe::Ask(ask) => Task::Ask(ask),
                }
            }
        };
        let (fence, timeout) = (check.fence.clone(), check.timeout);
        Ok(Self { task, fence, timeout, launcher: checks.launcher.clone(), proc: checks.proc.clone() })
    }

    /// What a run takes up. A look that may hang has a helper of its own, at most one a check.
    pub(super) fn pool(&self) -> Pool {
        match self.task {
            Task::Plugin(..) => Pool::Programs,
            Task::Ask(_) => Pool::Network,
            Task::Look(_) | Task::SlowLook(_) => Pool::Free,
        }
    }

    /// Starts a run; inside of a runtime. `host` has the present time.
    pub(super) fn start(&mut self, host: &mut Host, net: &Arc<Net>) -> Started {
        let limit = self.timeout;
        host.fence.clone_from(&self.fence);
        match &mut self.task {
            Task::Look(look) => Started::Done(look.look(host).unwrap_or_else(Outcome::unknown).into()),
            Task::SlowLook(look) => {
                let mut own = Host::new(&self.proc, host.now, host.steady);
                own.fence.clone_from(&self.fence);
                Started::Waiting(Box::pin(look_slowly(Arc::clone(look), own, limit)))
            }
            Task::Ask(ask) => {
                let moment = Moment { now: host.now, limit, fence: self.fence.clone() };
                let (ask, net) = (Arc::clone(ask), Arc::clone(net));
                Started::Waiting(Box::pin(async move {
                    match tokio::time::timeout(limit + ASK_GRACE, ask.ask(&net, moment)).await {
                        Ok(outcome) => outcome.unwrap_or_else(Outcome::unknown).into(),
                        Err(_) => late(limit, "it hangs"),
                    }
                }))
            }
            Task::Plugin(plugin, is_undead) => {
                let (plugin, is_undead, launcher) = (Arc::clone(plugin), Arc::clone(is_undead), self.launcher.clone());
                Started::Waiting(Box::pin(run_plugin(plugin, is_undead, launcher, limit)))
            }
        }
    }
}

fn late(limit: Duration, why: &str) -> Done {
    let text = format!("no end within {} s: {why}", limit.as_secs_f64());
    Done { outcome: Outcome::unknown(text), timed_out: true, unparsed: 0 }
}

/// On a helper of the runtime, which may hang for ever: then the next run says so and no second helper is used up.
async fn look_slowly(look: Arc<Mutex<Box<dyn Look>>>, mut host: Host, limit: Duration) -> Done {
    if matches!(look.try_lock(), Err(TryLockError::WouldBlock)) {
        let text = "the run before still hangs in the kernel: is a network mount or a disk dead?";
        return Outcome::unknown(text).into();
    }
    let looking = tokio::task::spawn_blocking(move || {
        let mut look = look.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        look.look(&mut host)
    });
    match tokio::time::timeout(limit, looking).await {
        Ok(Ok(outcome)) => outcome.unwrap_or_else(Outcome::unknown).into(),
        Ok(Err(error)) => Outcome::unknown(format!("the check itself failed: {error}")).into(),
        Err(_) => late(limit, "the kernel gives no answer (is a network mount or a disk dead?)"),
    }
}

async fn run_plugin(plugin: Arc<Plugin>, is_undead: Arc<AtomicBool>, launcher: PathBuf, limit: Duration) -> Done {
    if is_undead.load(Ordering::Relaxed) {
        let text = "the process of an earlier run still hangs in the kernel, SIGKILL has not ended it: is a mount or a disk dead?";
        return Outcome::unknown(text).into();
    }
    let run = plugin::run(&plugin, &launcher, limit).await;
    if let Some(child) = run.undead {
        is_undead.store(true, Ordering::Relaxed);
        tokio::spawn(async move {
            plugin::bury(child).await;
            is_undead.store(false, Ordering::Relaxed);
        });
    }
    Done { outcome: run.outcome, timed_out: run.timed_out, unparsed: run.unparsed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::check::CheckState;
    use muster_common::time::Timestamp;
    use std::sync::mpsc::{Receiver, sync_channel};

    /// Comes back when it is told to.
    struct Gated(Receiver<()>);

    impl Look for Gated {
        fn look(&mut self, _: &mut Host) -> Result<Outcome, String> {
            self.0.recv().map_err(|error| error.to_string())?;
            Ok(Outcome::line(CheckState::Ok, "OK - back"))
        }
    }

    #[test]
    fn a_look_that_hangs_costs_its_time_and_one_helper() {
        let (open, gate) = sync_channel(8);
        let task = Task::SlowLook(Arc::new(Mutex::new(Box::new(Gated(gate)))));
        let (timeout, proc) = (Duration::from_millis(50), PathBuf::from("/proc"));
        let mut runner = Runner { task, fence: None, timeout, launcher: PathBuf::new(), proc: proc.clone() };
        let runtime = super::super::worker::runtime().unwrap();
        let mut host = Host::new(&proc, Timestamp::default(), Duration::ZERO);
        let net = Arc::new(Net::new());
        let mut run = || {
            runtime.block_on(async {
                match runner.start(&mut host, &net) {
                    Started::Done(done) => done,
                    Started::Waiting(run) => run.await,
                }
            })
        };
        let first = run();
        assert!(first.timed_out && first.outcome.output.contains("the kernel gives no answer"), "{:?}", first.outcome);
        let second = run();
        assert!(!second.timed_out && second.outcome.output.contains("still hangs"), "{:?}", second.outcome);
        open.send(()).unwrap();
        open.send(()).unwrap();
        let begun = muster_common::time::monotonic();
        while run().outcome.output != "OK - back" {
            assert!(muster_common::time::monotonic() - begun < Duration::from_secs(20));
            // Full: some still wait to be taken.
            let _ = open.try_send(());
        }
    }
}
