//! The agent's settings: one TOML file, overridden by `--set section.key=value`, checked whole before anything starts.
//!
//! [`load`] answers with a [`Config`] in which every value has been checked, or with every mistake at once, each with its
//! place, its key and what to write instead. The parts' own structs live with the parts; only wiring sees [`Config`].

mod checks;
mod load;
mod logs;
mod offered;
mod remote;

pub use load::{KEYS, load, parse};
pub use muster_common::settings::{ConfigErrors, Place, Problem};
pub use offered::parse_remote;

use std::path::PathBuf;

use crate::ask::AskConfig;
use crate::checks::settings::Checks as ChecksConfig;
use crate::inventory::InventoryConfig;
use crate::logs::settings::LogsConfig;
use crate::remote::bounds::RemoteConfig;
use crate::sampler::MetricsConfig;
use crate::top::ProcessesConfig;

/// Where the configuration stands unless told otherwise. Its absence is no error.
pub const DEFAULT_FILE: &str = "/etc/muster/agent.toml";
/// Where enrolment, spool and status live unless told otherwise.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/muster-agent";
/// What the spool may hold unless told otherwise: about 20 days of one host's metrics.
pub const DEFAULT_SPOOL_BYTES: u64 = 1 << 30;

/// All settings, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub collector: CollectorConfig,
    pub agent: AgentConfig,
    pub metrics: MetricsConfig,
    pub spool: SpoolConfig,
    pub processes: ProcessesConfig,
    pub inventory: InventoryConfig,
    pub ask: AskConfig,
    /// `[[logs]]`, `[journal]` and `[redaction]`
    pub logs: LogsConfig,
    /// `[[checks]]`, `agent.host_checks` and `agent.check_concurrency`
    pub checks: ChecksConfig,
    /// What a remote configuration may do.
    pub remote: RemoteConfig,
}

/// `[collector]`
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorConfig {
    /// `HOST:PORT`, tried in order; addresses of one store. Empty when the file names none: enrolment remembers its own.
    pub addresses: Vec<String>,
}

/// `[agent]`
#[derive(Clone, Debug, PartialEq)]
pub struct AgentConfig {
    /// The name to ask for at enrolment; the host's own name if absent.
    pub name: Option<String>,
    pub state_dir: PathBuf,
    /// Where `muster-task` listens, if it is there.
    pub task_socket: PathBuf,
}

/// `[spool]`
#[derive(Clone, Debug, PartialEq)]
pub struct SpoolConfig {
    pub max_bytes: u64,
}
