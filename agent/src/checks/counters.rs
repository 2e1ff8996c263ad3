//! What the checks count.

use muster_common::sample::MetricKind;

use crate::own::{Count, Level, OwnNumber};

/// Part of [`crate::own::Own`].
#[derive(Debug, Default)]
pub struct CheckNumbers {
    pub runs: Count,
    pub timeouts: Count,
    pub late: Count,
    pub missed: Count,
    pub unparsed: Count,
    pub running: Level,
}

impl CheckNumbers {
    /// What [`CheckNumbers::each`] shows.
    pub const SERIES: usize = 6;

    /// Shows every number, always all and in the same order, without allocating.
    pub fn each(&self, show: &mut dyn FnMut(OwnNumber)) {
        for (name, help, count) in [
            ("muster_agent_check_runs_total", "Runs of checks.", &self.runs),
            ("muster_agent_check_timeouts_total", "Runs ended at their time limit.", &self.timeouts),
            ("muster_agent_check_late_total", "Runs that started more than a second late.", &self.late),
            ("muster_agent_check_missed_total", "Runs left out, since the one before went on.", &self.missed),
            ("muster_agent_check_unparsed_total", "Pieces of perfdata not understood.", &self.unparsed),
        ] {
            show((name, help, MetricKind::Counter, None, count.value() as f64));
        }
        let help = "Checks that run now.";
        show(("muster_agent_checks_running", help, MetricKind::Gauge, None, self.running.value() as f64));
    }
}
