//! The one path from inbox entries to the small state, live and at replay: one transaction of state.redb brings the entries'
//! records and the position reached, so that a crash between inbox and state costs nothing but reading them again.

use std::sync::Arc;

use muster_fleet::{Fleet, FleetError};
use muster_store::{Position, Replay, ReplayEntry, ReplayError};

/// Entries that may wait for state.redb in memory. Beyond it the collector takes nothing more, since a projection that is
/// stuck must slow the intake down and not pile up files.
const UNAPPLIED_MAX: usize = 10_000;

/// Why the small state could not be brought up to the inbox at start.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(
        "the inbox could not be read to bring state.redb up to it: repair the disk, or restore the whole data folder from one snapshot"
    )]
    Replay(#[from] ReplayError),
    #[error("state.redb could not take what the inbox holds: free room or repair the disk, then start again")]
    Fleet(#[from] FleetError),
}

/// The small state's place behind the inbox.
pub struct Apply {
    fleet: Arc<Fleet>,
    unapplied: Vec<ReplayEntry>,
}

impl Apply {
    /// Applies what an earlier run committed and did not apply. Gives the place that state.redb has reached.
    ///
    /// # Errors
    /// [`ApplyError`]: the collector cannot start with a state that contradicts its inbox.
    pub fn start(fleet: Arc<Fleet>, replay: &Replay) -> Result<(Self, Option<Position>), ApplyError> {
        let entries = replay.after(fleet.applied())?;
        let mut reached = fleet.applied();
        for some in entries.chunks(1000) {
            fleet.apply(some)?;
            reached = some.last().map(|entry| entry.position);
        }
        Ok((Self { fleet, unapplied: Vec::new() }, reached))
    }

    /// Notes what the store has committed.
    pub fn note(&mut self, entries: Vec<ReplayEntry>) {
        self.unapplied.extend(entries);
    }

    /// Brings state.redb up to everything noted.
    ///
    /// # Errors
    /// [`FleetError`]: the entries stay noted and are applied with the next ones.
    pub fn catch_up(&mut self) -> Result<(), FleetError> {
        if !self.unapplied.is_empty() {
            self.fleet.apply(&self.unapplied)?;
            self.unapplied.clear();
        }
        Ok(())
    }

    /// Whether entries wait.
    pub fn is_behind(&self) -> bool {
        !self.unapplied.is_empty()
    }

    /// Whether so many wait that nothing more may be committed.
    pub fn is_stuck(&self) -> bool {
        self.unapplied.len() >= UNAPPLIED_MAX
    }
}
