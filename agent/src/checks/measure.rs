//! What native checks cost on this host: a mixed set of them, run by the real worker, and the processor time of the process over that.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::native::{self, keys::Keys, keys::Raw};
use super::settings::{Check, Checks, RETRY, TIMEOUT, Work};
use super::worker::{CheckError, CheckWorker};
use crate::own::Own;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub runs: u64,
    /// Processor time of the whole process, which should do nothing else.
    pub processor: Duration,
}

impl Cost {
    /// Processor seconds an hour if so many checks run a minute.
    pub fn seconds_an_hour(&self, checks_a_minute: f64) -> f64 {
        self.processor.as_secs_f64() / (self.runs.max(1) as f64) * checks_a_minute * 60.0
    }
}

/// So many native checks of all kinds that start no process, each every `interval`. `tcp`: a port of this host that takes connections.
pub fn natives(count: usize, interval: Duration, tcp: u16) -> Checks {
    let text = |text: &str| Raw::Text(text.to_owned());
    let port = Raw::Integer(i64::from(tcp));
    let kinds: [(&str, Vec<(&str, Raw)>); 10] = [
        ("disk", vec![("path", text("/"))]),
        ("inode", vec![]),
        ("load", vec![("per_core", Raw::Flag(true))]),
        ("memory", vec![]),
        ("swap", vec![]),
        ("process", vec![("process", text("init"))]),
        ("tcp", vec![("host", text("127.0.0.1")), ("port", port.clone())]),
        ("file_age", vec![("path", text("/etc/passwd")), ("crit", text("1000d"))]),
        ("port", vec![("port", port)]),
        ("time", vec![]),
    ];
    let check = |number: usize| {
        let (name, values) = &kinds[number % kinds.len()];
        let kind = native::kind(name)?;
        let mut keys = Keys::default();
        for (name, raw) in values {
            let key = kind.keys.iter().find(|key| key.name == *name)?;
            keys.set(*key, raw.clone()).ok()?;
        }
        let work = Work::Native { kind: kind.name, keys };
        Some(Check::new(format!("{name}-{number}"), work, interval, RETRY.max(interval), TIMEOUT))
    };
    Checks { checks: (0..count).filter_map(check).collect(), proc: PathBuf::from("/proc"), ..Checks::default() }
}

/// Lets them run for this long.
///
/// # Errors
/// [`CheckError`]
pub fn measure(checks: Checks, span: Duration) -> Result<Cost, CheckError> {
    let own = Arc::new(Own::default());
    let before = processor_time();
    let mut worker = CheckWorker::start(checks, Arc::clone(&own), drop)?;
    std::thread::sleep(span);
    worker.stop();
    Ok(Cost { runs: own.checks.runs.value(), processor: processor_time().saturating_sub(before) })
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
