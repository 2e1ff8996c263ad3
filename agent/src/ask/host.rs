//! What a question looks at.

use std::cell::RefCell;

use muster_common::redact::Redactor;

use super::AskConfig;
use super::tables::Disks;
use crate::config::Config;
use crate::inventory::Scene;

/// What the agent says of itself: its version and what its configuration makes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentFacts {
    pub(crate) interval_ms: i64,
    pub(crate) checks: i64,
    /// `None`: the default, the journal or the classic files.
    pub(crate) log_groups: Option<i64>,
    pub(crate) spool_max_bytes: i64,
    /// `None`: no inventory is told.
    pub(crate) inventory_interval_s: Option<i64>,
    /// When this process began, seconds since 1970.
    pub(crate) started_s: i64,
}

/// Everything that questions need, made once.
pub(crate) struct Host {
    pub(crate) ask: AskConfig,
    pub(super) facts: AgentFacts,
    /// Tells arguments of processes, without secrets; `None`: they are not told.
    pub(super) redactor: Option<Redactor>,
    /// Makes the scene of one look.
    pub(super) scene: Box<dyn Fn() -> Scene + Send>,
    pub(super) disks: RefCell<Disks>,
}

impl Host {
    /// This host under its configuration, for a process that began at `started_s` (seconds since 1970).
    pub(crate) fn new(config: &Config, started_s: i64) -> Self {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let inventory = config.inventory.clone();
        let facts = AgentFacts {
            interval_ms: i64::try_from(config.metrics.interval.as_millis()).unwrap_or(i64::MAX),
            checks: number(config.checks.checks.len()),
            log_groups: config.logs.groups.as_ref().map(|groups| number(groups.len())),
            spool_max_bytes: i64::try_from(config.spool.max_bytes).unwrap_or(i64::MAX),
            inventory_interval_s: inventory
                .enabled
                .then(|| i64::try_from(inventory.interval.as_secs()).unwrap_or(i64::MAX)),
            started_s,
        };
        Self {
            ask: config.ask.clone(),
            facts,
            // The built-in patterns always compile.
            redactor: config.processes.arguments.then(|| Redactor::new(&[]).ok()).flatten(),
            scene: Box::new(move || Scene::of_host(&inventory)),
            disks: RefCell::default(),
        }
    }
}
