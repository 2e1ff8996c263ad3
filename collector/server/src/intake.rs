//! Ingest as the rest of the collector sees it: looked at while it runs, taken once when it stops.

use std::sync::{Arc, PoisonError, RwLock};

use muster_api::{HostPresence, Problem};
use muster_common::stat::Stat;
use muster_common::wire::message::GoodbyeReason;
use muster_ingest::Ingest;
use muster_ingest::presence::{Presence, PresenceState};

/// A shared place for the one [`Ingest`]; empty once it stops.
#[derive(Clone)]
pub(crate) struct Intake(Arc<RwLock<Option<Ingest>>>);

impl Intake {
    pub(crate) fn new(ingest: Ingest) -> Self {
        Self(Arc::new(RwLock::new(Some(ingest))))
    }

    /// What `look` sees, or nothing when it stops.
    fn look<T: Default>(&self, look: impl FnOnce(&Ingest) -> T) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look).unwrap_or_default()
    }

    /// Takes it, to stop it.
    pub(crate) fn take(&self) -> Option<Ingest> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn stats(&self) -> Vec<Stat> {
        self.look(Ingest::stats)
    }

    pub(crate) fn remember_own(&self, stats: Vec<Stat>) {
        self.look(|ingest| ingest.remember_own(stats));
    }

    /// Commits so far, with those that the disk did not take and those that the store put off: it rises while the thread that commits goes on.
    pub(crate) fn commit_attempts(&self) -> u64 {
        const NAMES: [&str; 3] = [
            "muster_collector_ingest_commits_total",
            "muster_collector_ingest_commits_failed_total",
            "muster_collector_ingest_commits_throttled_total",
        ];
        let counts = self.stats().into_iter().filter(|stat| NAMES.contains(&stat.name));
        // Whole numbers far below 2^53.
        counts.map(|stat| stat.value as u64).sum()
    }

    /// Whether commits are not taken now.
    pub(crate) fn is_storage_failing(&self) -> bool {
        self.look(Ingest::is_storage_failing)
    }

    /// Whether nothing is committed any more until a new start.
    pub(crate) fn is_broken(&self) -> bool {
        self.look(|ingest| ingest.broken().is_cancelled())
    }

    pub(crate) fn presence(&self) -> Vec<HostPresence> {
        self.look(Ingest::presence).into_iter().map(host_presence).collect()
    }
}

fn host_presence(presence: Presence) -> HostPresence {
    let state = match presence.state {
        PresenceState::Up => "up",
        PresenceState::AgentStopped(GoodbyeReason::Reboot) => "rebooting",
        PresenceState::AgentStopped(_) => "agent_stopped",
        PresenceState::Silent => "silent",
    };
    let problem = |problem: &muster_common::wire::message::Problem| Problem {
        message: problem.message.clone(),
        place: problem.place.clone(),
        remedy: problem.remedy.clone(),
    };
    HostPresence {
        host: presence.host,
        state: state.to_owned(),
        last_arrival: Some(presence.last_arrival),
        newest_data: presence.newest_data,
        problems: presence.problems.iter().map(problem).collect(),
    }
}

#[cfg(test)]
mod tests {
    use muster_common::host::HostId;
    use muster_common::time::Timestamp;

    use super::*;

    #[test]
    fn each_state_has_its_word() {
        for (state, word) in [
            (PresenceState::Up, "up"),
            (PresenceState::Silent, "silent"),
            (PresenceState::AgentStopped(GoodbyeReason::Reboot), "rebooting"),
            (PresenceState::AgentStopped(GoodbyeReason::Upgrade), "agent_stopped"),
        ] {
            let problem = muster_common::wire::message::Problem {
                place: "/a".to_owned(),
                message: "closed".to_owned(),
                remedy: "open it".to_owned(),
            };
            let presence = Presence {
                host: HostId([1; 16]),
                state,
                last_arrival: Timestamp::default(),
                newest_data: None,
                connected: true,
                problems: vec![problem].into(),
            };
            let told = host_presence(presence);
            assert_eq!((told.state.as_str(), told.problems[0].place.as_str()), (word, "/a"));
        }
    }
}
