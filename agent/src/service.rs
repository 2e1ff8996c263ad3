//! What the agent tells its service manager (sd_notify(3)); where there is none, nothing happens.

use std::time::Duration;

use muster_common::watchdog::Feeding;
use sd_notify::NotifyState;

/// The manager, as the loop of the agent sees it.
#[derive(Debug)]
pub(crate) struct Service {
    feeding: Feeding,
}

impl Service {
    /// As the environment names it. `now`: monotonic.
    pub(crate) fn from_environment(now: Duration) -> Self {
        Self { feeding: Feeding::new(sd_notify::watchdog_enabled(), now) }
    }

    /// Everything runs.
    pub(crate) fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The end was asked for, and begins.
    pub(crate) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// When the loop must come by.
    pub(crate) fn next(&self) -> Duration {
        self.feeding.next()
    }

    /// The loop came by.
    pub(crate) fn alive(&mut self, now: Duration) {
        if self.feeding.is_due(now) {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// A manager that does not listen is its own problem: the agent works without.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
