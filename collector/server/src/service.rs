//! What the collector tells its service manager (sd_notify(3)); where there is none, nothing happens.

use std::time::Duration;

use muster_common::watchdog::{Feeding, Progress};
use sd_notify::NotifyState;

/// How long the thread that commits may show no sign: its own numbers and `up` give it work every 15 s, so four of them are missed then.
/// A disk that takes a minute for one commit is one on which nothing works.
const COMMITS_WITHIN: Duration = Duration::from_secs(60);

/// The manager, as the collector's main loop sees it.
#[derive(Debug)]
pub struct Service {
    feeding: Feeding,
    commits: Progress,
}

impl Service {
    /// As the environment names it. `now`: monotonic.
    pub fn from_environment(now: Duration) -> Self {
        Self::new(sd_notify::watchdog_enabled(), now)
    }

    fn new(patience: Option<Duration>, now: Duration) -> Self {
        Self { feeding: Feeding::new(patience, now), commits: Progress::new(COMMITS_WITHIN, now) }
    }

    /// Everything runs.
    pub fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is read anew; [`Service::ready`] follows.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The end was asked for, and begins.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// How long the loop may do other things.
    pub fn wait(&self, now: Duration) -> Duration {
        self.feeding.next().saturating_sub(now)
    }

    /// The loop came by; `attempts`: commits so far, failed ones and ones put off among them.
    pub fn alive(&mut self, attempts: u64, now: Duration) {
        if self.is_fed(attempts, now) {
            tell(&[NotifyState::Watchdog]);
        }
    }

    fn is_fed(&mut self, attempts: u64, now: Duration) -> bool {
        let goes_on = self.commits.goes_on(attempts, now);
        let is_due = self.feeding.is_due(now);
        if is_due && !goes_on {
            tracing::error!(
                "the thread that commits has shown no sign for {} s: the service manager will start the collector again",
                COMMITS_WITHIN.as_secs()
            );
        }
        is_due && goes_on
    }
}

/// A manager that does not listen is its own problem: the collector works without.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_committer_that_hangs_is_no_longer_fed_for() {
        let at = Duration::from_secs;
        let mut service = Service::new(Some(at(120)), at(0));
        assert!(service.is_fed(1, at(0)));
        assert_eq!(service.wait(at(10)), at(30));
        assert!(!service.is_fed(2, at(20)), "not due yet");
        assert!(service.is_fed(3, at(40)));
        assert!(service.is_fed(3, at(80)));
        assert!(!service.is_fed(3, at(120)), "no commit for 80 s");
        assert!(service.is_fed(4, at(160)), "it goes on again");
        assert_eq!(Service::new(None, at(0)).wait(at(5)), Duration::MAX - at(5));
    }
}
