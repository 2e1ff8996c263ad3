//! Parts of the agent that run by a configuration, stopped and started anew.

use std::path::PathBuf;
use std::sync::Arc;

use muster_common::wire::message::{Problem, Report};
use tokio::sync::mpsc;

use crate::checks::worker::CheckWorker;
use crate::config::Config;
use crate::log_side::LogSide;
use crate::logs::worker::LogNews;
use crate::own::Own;
use crate::report_side::start_checks;
use crate::uplink::Moment;

/// Parts of the agent that are exchanged for others; what stays is not among them.
pub(crate) struct Parts {
    pub(crate) logs: Option<Option<LogSide>>,
    pub(crate) checks: Option<Option<CheckWorker>>,
}

/// The new ones, and what hindered their start.
pub(crate) struct Switched {
    pub(crate) logs: Option<(Option<LogSide>, mpsc::Receiver<LogNews>)>,
    pub(crate) checks: Option<Option<CheckWorker>>,
    pub(super) outcome: Result<(), Problem>,
}

/// Old parts end before new ones begin: two readers would share their files' spool, and two workers their plugins.
pub(super) fn exchange(
    to: &Config,
    parts: Parts,
    state_dir: PathBuf,
    own: &Arc<Own>,
    say: Option<mpsc::Sender<Report>>,
) -> Switched {
    let mut problems = Vec::new();
    let failed = |what: &str, error: String| Problem {
        place: what.to_owned(),
        message: format!("it cannot be started: {error}"),
        remedy: "look at the agent's log".to_owned(),
    };
    let logs = parts.logs.map(|old| {
        drop(old);
        LogSide::start(to.logs.clone(), state_dir, Arc::clone(own)).unwrap_or_else(|error| {
            problems.push(failed("the reader of logs", error.to_string()));
            (None, mpsc::channel(1).1)
        })
    });
    let checks = parts.checks.zip(say).map(|(old, say)| {
        drop(old);
        start_checks(to.checks.clone(), own, say, Moment::read().wall).unwrap_or_else(|error| {
            problems.push(failed("the engine of checks", error.to_string()));
            None
        })
    });
    Switched { logs, checks, outcome: problems.into_iter().next().map_or(Ok(()), Err) }
}
