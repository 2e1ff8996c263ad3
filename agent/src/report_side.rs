//! Between those who make reports and the session: the check engine and who looks at processes on their threads, and other processes
//! through files. Who answers questions stands here too.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::real::RealDisk;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Answer, Ask, CheckList, Report};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::ask;
use crate::ask::worker::AskWorker;
use crate::checks::settings::Checks;
use crate::checks::worker::{CheckError, CheckWorker};
use crate::handed::give::folder_of;
use crate::handed::worker::{HandedNews, HandedWorker};
use crate::inventory::InventoryConfig;
use crate::inventory::worker::InventoryWorker;
use crate::own::Own;
use crate::top::ProcessesConfig;
use crate::top::worker::TopWorker;
use crate::uplink::{HandedFrame, HandedOrder, InventoryOrder};

/// Results that may wait for the agent's loop, which takes them at once: as many as checks can end in a moment.
const REPORTS_MAX: usize = 256;
/// Answers that may wait for it: one question is answered at a time.
const ANSWERS_MAX: usize = 2;
/// How long a maker of results waits for a place: the loop takes them within a turn.
const FULL_WAIT: Duration = Duration::from_millis(10);
/// Results that are given to the session together.
const TOGETHER_MAX: usize = 64;

/// The makers' handles.
pub(crate) struct ReportSide {
    handed: HandedWorker,
    /// Held so that it ends with the agent, and its plugins with it. `None`: no check is configured.
    checks: Option<CheckWorker>,
    say: mpsc::Sender<Report>,
    _top: TopWorker,
    /// `None`: this host's configuration looks at no inventory.
    inventory: Option<InventoryWorker>,
    questions: AskWorker,
}

/// Why nobody can make reports.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(
        "the folder of handed reports cannot be used: {source}; give the state folder to the agent's user, or repair the disk"
    )]
    Handed {
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Checks(#[from] CheckError),
    #[error("no thread can be started to look at the inventory: {source}; raise the limit of tasks for this user")]
    Inventory {
        #[source]
        source: std::io::Error,
    },
    #[error("no thread can be started to answer questions: {source}; raise the limit of tasks for this user")]
    Questions {
        #[source]
        source: std::io::Error,
    },
    #[error("no thread can be started to look at processes: {source}; raise the limit of tasks for this user")]
    Processes {
        #[source]
        source: std::io::Error,
    },
}

/// What the agent hears of them.
pub(crate) struct ReportEars {
    pub(crate) results: mpsc::Receiver<Report>,
    pub(crate) handed: mpsc::Receiver<HandedFrame>,
    pub(crate) news: mpsc::Receiver<HandedNews>,
    pub(crate) answers: mpsc::Receiver<Answer>,
}

impl ReportSide {
    /// Starts what makes reports. Gives the handed ones that have a place already.
    ///
    /// # Errors
    /// When the folder of handed reports cannot be opened, or a thread not be started.
    pub(crate) fn start(
        state_dir: &Path,
        checks: Checks,
        (processes, proc, inventory, asked): (ProcessesConfig, &Path, InventoryConfig, ask::Host),
        own: &Arc<Own>,
        now: Timestamp,
    ) -> Result<(Self, ReportEars, Vec<HandedFrame>), ReportError> {
        let handed = HandedWorker::start(Arc::new(RealDisk), folder_of(state_dir));
        let (handed, (frames, news), placed) = handed.map_err(|source| ReportError::Handed { source })?;
        let (say, results) = mpsc::channel(REPORTS_MAX);
        let told = say.clone();
        let top = TopWorker::start(processes, proc, Arc::clone(own), move |report| hand_on(&told, report));
        let top = top.map_err(|source| ReportError::Processes { source })?;
        let told = say.clone();
        let tell = move |report| hand_on(&told, Report::Inventory(report));
        let inventory = inventory.enabled.then(|| InventoryWorker::start(inventory, Arc::clone(own), tell)).transpose();
        let inventory = inventory.map_err(|source| ReportError::Inventory { source })?;
        let (told, answers) = mpsc::channel(ANSWERS_MAX);
        // The receiver goes only with the program.
        let questions = AskWorker::start(asked, Arc::clone(own), move |answer| drop(told.blocking_send(answer)));
        let questions = questions.map_err(|source| ReportError::Questions { source })?;
        let checks = start_checks(checks, own, say.clone(), now)?;
        Ok((
            Self { handed, checks, say, _top: top, inventory, questions },
            ReportEars { results, handed: frames, news, answers },
            placed,
        ))
    }

    /// Where results go.
    pub(crate) fn say(&self) -> mpsc::Sender<Report> {
        self.say.clone()
    }

    /// Gives the check engine away, to be exchanged.
    pub(crate) fn take_checks(&mut self) -> Option<CheckWorker> {
        self.checks.take()
    }

    pub(crate) fn set_checks(&mut self, checks: Option<CheckWorker>) {
        self.checks = checks;
    }

    /// What the collector says of the inventory.
    pub(crate) fn obey_inventory(&self, order: InventoryOrder) {
        let Some(inventory) = &self.inventory else { return };
        match order {
            InventoryOrder::Known(digests) => inventory.welcome(digests),
            InventoryOrder::Wanted(tables) => inventory.wanted(tables),
        }
    }

    /// Puts a question of the collector. An answer comes at once where this host takes none now.
    pub(crate) fn ask(&self, ask: Ask) -> Option<Answer> {
        self.questions.ask(ask)
    }

    /// What the session says of a handed report.
    pub(crate) fn obey(&self, order: HandedOrder) {
        self.handed.obey(order);
    }
}

/// Starts the check engine, if there is any check.
///
/// # Errors
/// [`CheckError`]
pub(crate) fn start_checks(
    checks: Checks,
    own: &Arc<Own>,
    say: mpsc::Sender<Report>,
    now: Timestamp,
) -> Result<Option<CheckWorker>, CheckError> {
    if checks.checks.is_empty() {
        // Those that an earlier configuration had are no more: for that word no thread is needed.
        hand_on(&say, Report::Checks(CheckList { at_ms: now.millis(), checks: Vec::new() }));
        return Ok(None);
    }
    CheckWorker::start(checks, Arc::clone(own), move |report| hand_on(&say, report)).map(Some)
}

/// Puts a result into the channel; while that is full, its maker waits. (The maker has a runtime of its own, in which tokio lets nobody block.)
fn hand_on(say: &mpsc::Sender<Report>, report: Report) {
    let mut rest = Some(report);
    while let Some(report) = rest.take() {
        if let Err(TrySendError::Full(back)) = say.try_send(report) {
            rest = Some(back);
            std::thread::sleep(FULL_WAIT);
        }
    }
}

impl ReportEars {
    /// This result, and those that are there beside it.
    pub(crate) fn with_others(&mut self, first: Report) -> Vec<Report> {
        let mut reports = vec![first];
        while reports.len() < TOGETHER_MAX
            && let Ok(next) = self.results.try_recv()
        {
            reports.push(next);
        }
        reports
    }
}
