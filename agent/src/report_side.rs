//! Between those who make reports of checks and the session: the check engine on its thread, and other processes through files.

use std::path::Path;
use std::sync::Arc;

use muster_common::disk::real::RealDisk;
use muster_common::wire::message::Report;
use tokio::sync::mpsc;

use crate::handed::give::folder_of;
use crate::handed::worker::{HandedNews, HandedWorker};
use crate::uplink::{HandedFrame, HandedOrder};

/// Results that may wait for the agent's loop, which takes them at once: as many as checks can end in a moment.
const REPORTS_MAX: usize = 256;
/// Results that are given to the session together.
const TOGETHER_MAX: usize = 64;

/// The makers' handles.
pub(crate) struct ReportSide {
    handed: HandedWorker,
    /// HERE THE CHECK ENGINE IS CONNECTED: `CheckWorker::start(config, own, move |report| say.blocking_send(report))` with a clone of this.
    #[expect(dead_code, reason = "held so that the channel lives; the check engine gets a clone")]
    say: mpsc::Sender<Report>,
}

/// What the agent hears of them.
pub(crate) struct ReportEars {
    pub(crate) results: mpsc::Receiver<Report>,
    pub(crate) handed: mpsc::Receiver<HandedFrame>,
    pub(crate) news: mpsc::Receiver<HandedNews>,
}

impl ReportSide {
    /// Starts what makes reports. Gives the handed ones that have a place already.
    ///
    /// # Errors
    /// When the folder of handed reports cannot be opened, or a thread not be started.
    pub(crate) fn start(state_dir: &Path) -> std::io::Result<(Self, ReportEars, Vec<HandedFrame>)> {
        let (handed, (frames, news), placed) = HandedWorker::start(Arc::new(RealDisk), folder_of(state_dir))?;
        let (say, results) = mpsc::channel(REPORTS_MAX);
        Ok((Self { handed, say }, ReportEars { results, handed: frames, news }, placed))
    }

    /// What the session says of a handed report.
    pub(crate) fn obey(&self, order: HandedOrder) {
        self.handed.obey(order);
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
