//! The thread that looks at processes: apart from sampling, which a host with 100,000 of them must not hold up.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use muster_common::redact::Redactor;
use muster_common::time;
use muster_common::wire::message::{ProcessLook, Report};

use super::ProcessesConfig;
use super::look::Looker;
use crate::own::Own;

/// How long a look may take: some 20,000 processes on a slow machine. The next one goes on behind.
const LOOK_WITHIN: Duration = Duration::from_millis(500);
/// How often a host that takes no looks says so: the collector keeps what it is told for a day.
const OFF_EVERY: Duration = Duration::from_secs(3_600);
/// How long the first word waits for the collector's welcome, before which nothing is known to be read there.
const OFF_AFTER: Duration = Duration::from_secs(10);
/// Reads of small files and lists; a redactor's expressions are compiled on it.
const STACK_BYTES: usize = 512 << 10;

/// The handle. Dropping it ends the thread with its look.
pub(crate) struct TopWorker {
    _stop: SyncSender<()>,
}

impl TopWorker {
    /// Starts the thread, which says each look but the first. `say` may wait.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(
        config: ProcessesConfig,
        proc: &Path,
        own: Arc<Own>,
        say: impl Fn(Report) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let proc = proc.to_owned();
        let body = move || {
            let say = |look: ProcessLook| {
                let at_ms = time::now().millis().saturating_add(own.clock_correction_ms.value());
                say(Report::Processes(ProcessLook { at_ms, ..look }));
            };
            if config.enabled { look_again(&config, &proc, &stopped, say) } else { say_off(&stopped, say) }
        };
        std::thread::Builder::new().name("muster-top".to_owned()).stack_size(STACK_BYTES).spawn(body)?;
        Ok(Self { _stop: stop })
    }
}

fn look_again(config: &ProcessesConfig, proc: &Path, stopped: &Receiver<()>, say: impl Fn(ProcessLook)) {
    // The built-in patterns always compile.
    let redactor = config.arguments.then(|| Redactor::new(&[]).ok()).flatten();
    let mut looker = Looker::new(proc, Path::new("/etc/passwd"), config.top, redactor);
    let mut due = time::monotonic();
    let mut failure = String::new();
    loop {
        let begin = time::monotonic();
        match looker.look(|| time::monotonic().saturating_sub(begin) >= LOOK_WITHIN) {
            Ok(Some(look)) => {
                let interval_ms = u64::try_from(config.interval.as_millis()).unwrap_or(u64::MAX);
                say(ProcessLook { interval_ms, ..look });
                failure.clear();
            }
            Ok(None) => {}
            Err(error) => {
                let problem = error.to_string();
                if problem != failure {
                    tracing::warn!("processes cannot be looked at in {}: {problem}", proc.display());
                    failure = problem;
                }
            }
        }
        // A machine that slept, or a look that took long, makes up for nothing.
        let now = time::monotonic();
        due = (due + config.interval).max(now);
        if ends(stopped, due.saturating_sub(now)) {
            return;
        }
    }
}

fn say_off(stopped: &Receiver<()>, say: impl Fn(ProcessLook)) {
    let mut wait = OFF_AFTER;
    while !ends(stopped, wait) {
        say(ProcessLook::default());
        wait = OFF_EVERY;
    }
}

/// Waits; `true`: the handle is gone.
fn ends(stopped: &Receiver<()>, wait: Duration) -> bool {
    !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
}
