//! Kill trials: real processes, kill -9 at chosen system calls and at random moments, and a count of what is lost or doubled.

mod mails;
mod moments;
mod points;
mod stored;

pub use mails::{MailReport, with_mails};
pub use moments::at_moments;
pub use points::at_points;
pub(crate) use stored::compare;
pub use stored::count as stored_samples;

use std::time::Duration;

/// What a trial found. All three counts must be 0.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Acknowledged (or once visible) samples that are not there any more.
    pub lost: u64,
    /// Samples stored more than once.
    pub doubled: u64,
    /// Questions about the past whose answers differ after a kill.
    pub answers_changed: u64,
    /// Kills that happened where they were meant to.
    pub hits: u64,
    /// Samples acknowledged in all.
    pub samples: u64,
    /// The slowest time from start to ready.
    pub slowest_return: Duration,
    /// One line a kill: where, and what came of it.
    pub kills: Vec<String>,
}
