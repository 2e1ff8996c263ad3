//! `[[checks]]`, checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use muster_common::check::CheckKind;
use muster_common::wire::message::{CheckDefinition, WireLabel};

use super::exec_check::ExecLimits;
use super::native::keys::Keys;
use super::schedule::{Pool, Timing};
use crate::fence::Fence;

/// Between runs unless set otherwise.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// Between runs from the first bad result until it is hard.
pub const RETRY: Duration = Duration::from_secs(15);
/// What a run may take. Plugins end themselves after 10 s by convention.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// Bad results in a row that make a problem hard.
pub const MAX_CHECK_ATTEMPTS: u16 = 3;

/// Everything that the agent checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Checks {
    pub checks: Vec<Check>,
    /// Whether the check pack of the host itself is added.
    pub host_pack: bool,
    /// Plugins that run at once; `None`: twice the processors.
    pub concurrency: Option<usize>,
    /// Spreads the starts together with each check's name. Empty: the host's own name.
    pub host: String,
    /// Where the kernel's numbers are.
    pub proc: PathBuf,
    /// The program that sets a plugin's limits: the agent's own.
    pub launcher: PathBuf,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            checks: Vec::new(),
            host_pack: true,
            concurrency: None,
            host: String::new(),
            proc: PathBuf::from("/proc"),
            // Stays this very program when a package has replaced its file.
            launcher: PathBuf::from("/proc/self/exe"),
        }
    }
}

/// One `[[checks]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub name: String,
    pub work: Work,
    pub interval: Duration,
    pub retry: Duration,
    pub timeout: Duration,
    pub max_check_attempts: u16,
    pub volatile: bool,
    pub parents: Vec<String>,
    pub labels: Vec<WireLabel>,
    pub remedy: String,
    /// What its own paths may lead to; `None`: everything, since it is of the host's own file.
    pub fence: Option<Arc<Fence>>,
}

/// What a check does.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    Plugin(Plugin),
    Native { kind: &'static str, keys: Keys },
}

/// A program that follows the plugin interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// The program's path and its arguments; never empty.
    pub command: Vec<String>,
    /// All of its environment beside PATH and LC_ALL, which it may name too.
    pub env: BTreeMap<String, String>,
    pub limits: ExecLimits,
}

impl Check {
    /// With the defaults of all that is not named.
    pub fn new(name: String, work: Work, interval: Duration, retry: Duration, timeout: Duration) -> Self {
        let (parents, labels, remedy) = (Vec::new(), Vec::new(), String::new());
        Self {
            name,
            work,
            interval,
            retry,
            timeout,
            max_check_attempts: MAX_CHECK_ATTEMPTS,
            volatile: false,
            parents,
            labels,
            remedy,
            fence: None,
        }
    }

    pub(super) fn timing(&self, pool: Pool) -> Timing {
        let (interval, retry, max_attempts) = (self.interval, self.retry, self.max_check_attempts);
        Timing { name: self.name.clone(), pool, interval, retry, max_attempts }
    }

    /// What the collector is told with each result.
    pub fn definition(&self) -> CheckDefinition {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let kind = match self.work {
            Work::Plugin(_) => CheckKind::Plugin,
            Work::Native { .. } => CheckKind::Native,
        };
        CheckDefinition {
            kind: kind as u8,
            interval_ms: ms(self.interval),
            retry_ms: ms(self.retry),
            max_attempts: self.max_check_attempts,
            // A run that uses all of its time, and the next one too, is not stale yet.
            ttl_ms: ms(self.interval * 2 + self.timeout * 2),
            volatile: self.volatile,
            parents: self.parents.clone(),
            labels: self.labels.clone(),
            remedy: self.remedy.clone(),
        }
    }
}
