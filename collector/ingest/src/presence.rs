//! Who was heard when, and how each host's silence is to be read. Pure; arrival by the collector's clock is all that counts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::limits::PROBLEMS_MAX;
use muster_common::time::Timestamp;
use muster_common::wire::message::{GoodbyeReason, Problem};

/// How a host stands with the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresenceState {
    /// Something of it arrived lately.
    Up,
    /// Its agent said that it stops, and why.
    AgentStopped(GoodbyeReason),
    /// Nothing arrived for longer than is allowed.
    Silent,
}

/// One host that was heard since this collector started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub host: HostId,
    pub state: PresenceState,
    pub last_arrival: Timestamp,
    /// The newest time (by the host's clock) of its samples that arrived since the start; `None`: none has.
    pub newest_data: Option<Timestamp>,
    /// Whether a session of it is open now.
    pub connected: bool,
    /// What its agent said last that is wrong there.
    pub problems: Arc<[Problem]>,
}

#[derive(Clone, Debug)]
struct Heard {
    last_arrival: Timestamp,
    newest_data: Option<Timestamp>,
    goodbye: Option<GoodbyeReason>,
    sessions: u32,
    problems: Arc<[Problem]>,
}

/// Bytes of texts that are kept of one host's problems: some hundred usual ones, and no more of a host that means harm.
const PROBLEM_BYTES_MAX: usize = 256 << 10;

/// All hosts heard since this collector started.
#[derive(Debug)]
pub struct Presences {
    silent_after: Duration,
    hosts: HashMap<HostId, Heard>,
}

impl Presences {
    /// `silent_after`: how long after its last arrival a host counts as silent.
    pub fn new(silent_after: Duration) -> Self {
        Self { silent_after, hosts: HashMap::new() }
    }

    /// A session was welcomed: the host is there again, whatever it said before.
    pub fn connected(&mut self, host: HostId, now: Timestamp) {
        let fresh =
            || Heard { last_arrival: now, newest_data: None, goodbye: None, sessions: 0, problems: Arc::default() };
        let heard = self.hosts.entry(host).or_insert_with(fresh);
        heard.last_arrival = heard.last_arrival.max(now);
        heard.goodbye = None;
        // Told anew where there are any.
        heard.problems = Arc::default();
        heard.sessions += 1;
    }

    /// A batch of a welcomed session arrived. What was still on its way when the agent said goodbye does not bring it back.
    pub fn heard(&mut self, host: HostId, now: Timestamp) {
        if let Some(heard) = self.hosts.get_mut(&host) {
            heard.last_arrival = heard.last_arrival.max(now);
        }
    }

    /// Samples of this time are on their way into the store.
    pub fn data_of(&mut self, host: HostId, at: Timestamp) {
        if let Some(heard) = self.hosts.get_mut(&host) {
            heard.newest_data = heard.newest_data.max(Some(at));
        }
    }

    /// All that is wrong on this host now, instead of what was told before; gives how many are not kept.
    pub fn problems(&mut self, host: HostId, mut problems: Vec<Problem>) -> usize {
        let told = problems.len();
        let mut bytes = 0;
        problems.truncate(PROBLEMS_MAX);
        problems.retain(|problem| {
            bytes += problem.place.len() + problem.message.len() + problem.remedy.len();
            bytes <= PROBLEM_BYTES_MAX
        });
        let kept = problems.len();
        if let Some(heard) = self.hosts.get_mut(&host) {
            heard.problems = problems.into();
        }
        told - kept
    }

    /// How many problems all hosts together have.
    pub fn problems_count(&self) -> usize {
        self.hosts.values().map(|heard| heard.problems.len()).sum()
    }

    pub fn goodbye(&mut self, host: HostId, reason: GoodbyeReason) {
        if let Some(heard) = self.hosts.get_mut(&host) {
            heard.goodbye = Some(reason);
        }
    }

    /// A welcomed session ended.
    pub fn disconnected(&mut self, host: HostId) {
        if let Some(heard) = self.hosts.get_mut(&host) {
            heard.sessions = heard.sessions.saturating_sub(1);
        }
    }

    pub fn forget(&mut self, host: HostId) {
        self.hosts.remove(&host);
    }

    /// When anything of this host arrived last; `None`: not since the start.
    pub fn last_arrival(&self, host: HostId) -> Option<Timestamp> {
        self.hosts.get(&host).map(|heard| heard.last_arrival)
    }

    /// How this host stands; `None`: not heard since the start.
    pub fn state(&self, host: HostId, now: Timestamp) -> Option<PresenceState> {
        self.hosts.get(&host).map(|heard| self.state_of(heard, now))
    }

    /// All of them, by host id.
    pub fn all(&self, now: Timestamp) -> Vec<Presence> {
        let all = self.hosts.iter().map(|(host, heard)| Presence {
            host: *host,
            state: self.state_of(heard, now),
            last_arrival: heard.last_arrival,
            newest_data: heard.newest_data,
            connected: heard.sessions > 0,
            problems: heard.problems.clone(),
        });
        let mut all: Vec<Presence> = all.collect();
        all.sort_by_key(|presence| presence.host);
        all
    }

    fn state_of(&self, heard: &Heard, now: Timestamp) -> PresenceState {
        match heard.goodbye {
            Some(reason) => PresenceState::AgentStopped(reason),
            None if now.since(heard.last_arrival) > self.silent_after => PresenceState::Silent,
            None => PresenceState::Up,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: HostId = HostId([1; 16]);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn silence_counts_from_the_last_arrival() {
        let mut presences = Presences::new(Duration::from_secs(60));
        assert_eq!(presences.state(HOST, at(0)), None);
        presences.heard(HOST, at(0));
        assert_eq!(presences.state(HOST, at(0)), None, "only a welcomed session makes a host present");
        presences.connected(HOST, at(10));
        presences.heard(HOST, at(30));
        presences.disconnected(HOST);
        assert_eq!(presences.state(HOST, at(90)), Some(PresenceState::Up));
        assert_eq!(presences.state(HOST, at(91)), Some(PresenceState::Silent));
        presences.connected(HOST, at(100));
        assert_eq!(presences.all(at(100))[0].newest_data, None);
        for second in [90, 95, 80] {
            presences.data_of(HOST, at(second));
        }
        assert_eq!(presences.all(at(100))[0].newest_data, Some(at(95)), "what a spool gives up later is older");
        assert_eq!(presences.state(HOST, at(91)), Some(PresenceState::Up));
    }

    #[test]
    fn the_latest_set_of_problems_counts_until_the_next_welcome_and_is_bounded() {
        let mut presences = Presences::new(Duration::from_secs(60));
        let problem = |place: &str| Problem { place: place.into(), message: "m".into(), remedy: "r".into() };
        assert_eq!(presences.problems(HOST, vec![problem("/a")]), 0);
        assert_eq!(presences.problems_count(), 0, "of a host that is not there nothing is kept");
        presences.connected(HOST, at(0));
        presences.problems(HOST, vec![problem("/a"), problem("/b")]);
        presences.problems(HOST, vec![problem("/b")]);
        assert_eq!(*presences.all(at(0))[0].problems, [problem("/b")]);
        assert_eq!(presences.problems(HOST, vec![problem("/c"); PROBLEMS_MAX + 3]), 3);
        assert_eq!(presences.problems(HOST, vec![problem(&"x".repeat(1_022)); 300]), 300 - 256);
        assert_eq!(presences.problems_count(), 256);
        presences.connected(HOST, at(1));
        assert_eq!(presences.problems_count(), 0);
        presences.problems(HOST, vec![problem("/a")]);
        presences.forget(HOST);
        assert_eq!(presences.problems_count(), 0);
    }

    #[test]
    fn a_goodbye_holds_until_the_next_welcome() {
        let mut presences = Presences::new(Duration::from_secs(60));
        presences.connected(HOST, at(0));
        presences.goodbye(HOST, GoodbyeReason::Reboot);
        presences.heard(HOST, at(1));
        assert_eq!(presences.state(HOST, at(1)), Some(PresenceState::AgentStopped(GoodbyeReason::Reboot)));
        presences.connected(HOST, at(2));
        let all = presences.all(at(2));
        assert_eq!((all[0].state, all[0].connected, all[0].last_arrival), (PresenceState::Up, true, at(2)));
    }
}
