//! The one task that looks for changes, while somebody follows.
//!
//! It is woken by what fleet and alert have changed, and looks twice a second at what no one tells of: presence, and what time alone brings
//! about. Between two looks it rests, so that a topic has at most 4 messages a second, and so that a storm leaves most of a core to others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::monotonic;
use muster_fleet::{RegistryChange, StatusMoves};
use tokio::sync::watch;

use super::rows::{self, Made};
use super::topic::{Topic, Topics};
use super::tracker::{Delta, Tracker};
use crate::muster::event_json;
use crate::state::State;

/// How often is looked at what nothing tells of.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The least time between two looks: 4 messages a second of each topic.
const REST_MIN: Duration = Duration::from_millis(250);
/// The longest: with a look of 200 ms a change is told within a second.
const REST_MAX: Duration = Duration::from_millis(800);
/// How many times as long as a look took is rested: a fifth of a core at the most, up to [`REST_MAX`].
const REST_TIMES: u32 = 4;
/// How often time alone may have changed a row that is made anew.
const TIME_EVERY: Duration = Duration::from_millis(900);
/// How often all hosts are compared: what a hello told (version, facts) is told of by nothing else.
const HOSTS_EVERY: Duration = Duration::from_secs(10);
/// How long topics are followed on after the last stream: a page that comes back goes on where it was.
const LINGER: Duration = Duration::from_secs(60);
/// Events of one look; after more the list is loaded anew.
const EVENTS_MAX: usize = 500;

/// Looks for changes until [`crate::Live::end`].
pub async fn run(state: Arc<State>) {
    let (mut ending, mut wanted) = (state.live.places.ending(), state.live.wanted());
    let mut sources = Sources::new(&state);
    let mut work = Work::default();
    let shared = Arc::clone(&state);
    // Nobody waits for it: who comes meanwhile waits for the lock.
    drop(tokio::task::spawn_blocking(move || crate::muster::read_past(&shared)));
    loop {
        let is_idle = state.live.followed().is_empty() && wants(&wanted).is_empty();
        tokio::select! {
            _ = ending.wait_for(|ended| *ended) => return,
            _ = wanted.changed() => {}
            () = sources.changed(), if !is_idle => {}
            () = tokio::time::sleep(LOOK_EVERY), if !is_idle => {}
        }
        let (began, topics, dirty) = (monotonic(), wants(&wanted), sources.take());
        let shared = Arc::clone(&state);
        let looked = tokio::task::spawn_blocking(move || {
            work.look(&shared, topics, dirty, began);
            work
        });
        work = looked.await.unwrap_or_else(|error| {
            tracing::error!("the live feed's look ended in a panic: {error}");
            // Nothing is known any more: who follows loads everything anew.
            state.live.unfollow(Topics::ALL);
            Work::default()
        });
        let rest = (monotonic().saturating_sub(began) * REST_TIMES).clamp(REST_MIN, REST_MAX);
        tokio::select! {
            _ = ending.wait_for(|ended| *ended) => return,
            () = tokio::time::sleep(rest) => {}
        }
    }
}

fn wants(wanted: &watch::Receiver<[u32; Topic::ALL.len()]>) -> Topics {
    let counts = *wanted.borrow();
    let wanted = Topic::ALL.into_iter().filter(|topic| counts[*topic as usize] > 0);
    wanted.map(Topics::of).fold(Topics::NONE, Topics::with)
}

/// What rings.
struct Sources {
    alerts: watch::Receiver<u64>,
    status: watch::Receiver<u64>,
    registry: watch::Receiver<u64>,
    events: watch::Receiver<u64>,
    discovery: watch::Receiver<u64>,
    deploys: watch::Receiver<u64>,
    tasks: watch::Receiver<u64>,
}

/// What has rung since the last look.
#[derive(Clone, Copy)]
struct Dirty {
    alerts: bool,
    status: bool,
    registry: bool,
    events: bool,
    discovery: bool,
    deploys: bool,
    tasks: bool,
}

impl Sources {
    fn new(state: &State) -> Self {
        Self {
            alerts: state.alerting.subscribe(),
            status: state.fleet.subscribe_status(),
            registry: state.fleet.subscribe(),
            events: state.fleet.subscribe_events(),
            discovery: state.fleet.subscribe_discovery(),
            deploys: state.fleet.subscribe_deploys(),
            tasks: state.fleet.subscribe_task_orders(),
        }
    }

    async fn changed(&mut self) {
        // Their senders live as long as the state that this task holds.
        tokio::select! {
            _ = self.alerts.changed() => self.alerts.mark_changed(),
            _ = self.status.changed() => self.status.mark_changed(),
            _ = self.registry.changed() => self.registry.mark_changed(),
            _ = self.events.changed() => self.events.mark_changed(),
            _ = self.discovery.changed() => self.discovery.mark_changed(),
            _ = self.deploys.changed() => self.deploys.mark_changed(),
            _ = self.tasks.changed() => self.tasks.mark_changed(),
        }
    }

    fn take(&mut self) -> Dirty {
        let take = |receiver: &mut watch::Receiver<u64>| {
            let is_dirty = receiver.has_changed().unwrap_or(false);
            receiver.mark_unchanged();
            is_dirty
        };
        Dirty {
            alerts: take(&mut self.alerts),
            status: take(&mut self.status),
            registry: take(&mut self.registry),
            events: take(&mut self.events),
            discovery: take(&mut self.discovery),
            deploys: take(&mut self.deploys),
            tasks: take(&mut self.tasks),
        }
    }
}

/// What is known of the topics that are followed.
#[derive(Default)]
struct Work {
    trackers: [Tracker; Topic::ALL.len()],
    /// By monotonic time: the last look at what time changes, and at all hosts.
    timed: Duration,
    hosts_at: Duration,
    /// Since when no stream wants anything.
    unwanted: Option<Duration>,
    presence: HashMap<HostId, u64>,
    registry: u64,
    events: u64,
}

impl Work {
    /// One look: what is wanted now and was not is read, the rest is compared.
    fn look(&mut self, state: &State, wanted: Topics, dirty: Dirty, at: Duration) {
        let mut followed = state.live.followed();
        if wanted.is_empty() {
            let since = *self.unwanted.get_or_insert(at);
            if at.saturating_sub(since) >= LINGER {
                state.live.unfollow(Topics::ALL);
                state.fleet.unfollow_status();
                *self = Self::default();
                return;
            }
        } else {
            self.unwanted = None;
        }
        let fresh = wanted.without(followed);
        fresh.iter().for_each(|topic| self.begin(state, topic, at));
        if !fresh.is_empty() {
            state.live.follow(fresh);
        }
        followed = followed.without(fresh);
        let is_time = at.saturating_sub(self.timed) >= TIME_EVERY;
        if is_time {
            self.timed = at;
        }
        let now_ms = state.now().millis();
        for topic in followed.iter() {
            match topic {
                Topic::Alerts if dirty.alerts || is_time => self.made(state, topic, &rows::alerts(state, now_ms)),
                Topic::Silences if dirty.alerts || is_time => self.made(state, topic, &rows::silences(state, now_ms)),
                Topic::Downtimes if dirty.status || is_time => {
                    self.made(state, topic, &rows::downtimes(state, now_ms));
                }
                Topic::Maintenances if dirty.status || dirty.registry => {
                    self.made(state, topic, &rows::maintenances(state));
                }
                Topic::Checks => self.checks(state, dirty.registry),
                Topic::Hosts => self.hosts(state, dirty.registry, at),
                Topic::Events if dirty.events => self.new_events(state),
                Topic::Discovery if dirty.discovery => self.made(state, topic, &rows::discovery(state)),
                Topic::Deploys if dirty.deploys => self.made(state, topic, &rows::deploys(state)),
                Topic::Tasks if dirty.tasks => self.made(state, topic, &rows::tasks(state)),
                _ => {}
            }
        }
    }

    /// Takes up how a topic is, so that from now on differences are told.
    fn begin(&mut self, state: &State, topic: Topic, at: Duration) {
        let now_ms = state.now().millis();
        self.trackers[topic as usize] = Tracker::default();
        match topic {
            Topic::Alerts => drop(self.step_made(topic, &rows::alerts(state, now_ms))),
            Topic::Silences => drop(self.step_made(topic, &rows::silences(state, now_ms))),
            Topic::Downtimes => drop(self.step_made(topic, &rows::downtimes(state, now_ms))),
            Topic::Maintenances => drop(self.step_made(topic, &rows::maintenances(state))),
            Topic::Checks => {
                // Before they are read, so that nothing moves in between unseen.
                state.fleet.follow_status();
                self.registry = state.fleet.changes_after(u64::MAX).version;
                let told = state.fleet.check_digests(rows::check_digest);
                let told = told.iter().map(|(key, digest)| (rows::check_id(key), *digest));
                drop(self.trackers[topic as usize].step_all(told));
            }
            Topic::Hosts => drop(self.all_hosts(state, at)),
            Topic::Discovery => drop(self.step_made(topic, &rows::discovery(state))),
            Topic::Deploys => drop(self.step_made(topic, &rows::deploys(state))),
            Topic::Tasks => drop(self.step_made(topic, &rows::tasks(state))),
            Topic::Events => self.events = state.fleet.outbox().next_seq.saturating_sub(1),
        }
    }

    fn step_made(&mut self, topic: Topic, rows: &Made) -> Delta {
        self.trackers[topic as usize].step_all(rows.iter().map(|(id, row)| (id.clone(), rows::made_digest(row))))
    }

    fn made(&mut self, state: &State, topic: Topic, rows: &Made) {
        let delta = self.step_made(topic, rows);
        let changed: Vec<_> = delta.changed.iter().filter_map(|id| rows.get(id).cloned()).collect();
        tell(state, topic, &changed, &delta);
    }

    fn checks(&mut self, state: &State, is_registry_dirty: bool) {
        let StatusMoves { subjects, mut missed } = state.fleet.take_status_moves();
        if is_registry_dirty {
            // A host's new name is in the rows of all its checks.
            let changes = state.fleet.changes_after(self.registry);
            self.registry = changes.version;
            missed |= changes.missed;
            missed |= changes.changes.iter().any(|change| matches!(change, RegistryChange::Renamed { .. }));
        }
        let tracker = &mut self.trackers[Topic::Checks as usize];
        let id = |check: &muster_fleet::status::CheckView| rows::check_id(&rows::key_of(check));
        let (views, delta) = if missed {
            let all = state.fleet.check_digests(rows::check_digest);
            let delta = tracker.step_all(all.iter().map(|(key, digest)| (rows::check_id(key), *digest)));
            let told: HashSet<&str> = delta.changed.iter().map(String::as_str).collect();
            let changed = all.iter().map(|(key, _)| key).filter(|key| told.contains(rows::check_id(key).as_str()));
            (state.fleet.checks_of(changed), delta)
        } else {
            let views = state.fleet.checks_of(subjects.iter().filter(|(_, check)| !check.is_empty()));
            let known: HashMap<String, u64> =
                views.iter().map(|check| (id(check), rows::check_digest(&check.into()))).collect();
            let ids = subjects.iter().filter(|(_, check)| !check.is_empty()).map(rows::check_id);
            let delta = tracker.step_some(ids.map(|id| {
                let digest = known.get(&id).copied();
                (id, digest)
            }));
            (views, delta)
        };
        if delta.is_empty() {
            return;
        }
        let by_id: HashMap<String, _> = views.iter().map(|check| (id(check), check)).collect();
        let changed: Vec<_> =
            delta.changed.iter().filter_map(|id| by_id.get(id)).map(|check| rows::check_row(check)).collect();
        tell(state, Topic::Checks, &changed, &delta);
    }

    fn hosts(&mut self, state: &State, is_registry_dirty: bool, at: Duration) {
        if is_registry_dirty || at.saturating_sub(self.hosts_at) >= HOSTS_EVERY {
            let (delta, changed) = self.all_hosts(state, at);
            return tell(state, Topic::Hosts, &changed, &delta);
        }
        let presence = state.presence();
        let now: HashMap<HostId, u64> = presence.iter().map(|(id, one)| (*id, rows::presence_digest(one))).collect();
        let differs = now.iter().filter(|(id, digest)| self.presence.get(*id) != Some(*digest)).map(|(id, _)| *id);
        let gone = self.presence.keys().filter(|id| !now.contains_key(*id)).copied();
        let moved: Vec<HostId> = differs.chain(gone).collect();
        self.presence = now;
        if moved.is_empty() {
            return;
        }
        let found: HashMap<String, _> =
            moved.iter().filter_map(|id| Some((id.to_string(), state.fleet.host(*id)?))).collect();
        let digest = |id: &HostId| found.get(&id.to_string()).and_then(|row| rows::host_digest(row, presence.get(id)));
        let delta = self.trackers[Topic::Hosts as usize].step_some(moved.iter().map(|id| (id.to_string(), digest(id))));
        let rows = delta.changed.iter().filter_map(|id| found.get(id));
        let changed: Vec<_> = rows.map(|row| rows::host_row(row, presence.get(&row.id))).collect();
        tell(state, Topic::Hosts, &changed, &delta);
    }

    /// Compares all hosts; what differs, and its rows.
    fn all_hosts(&mut self, state: &State, at: Duration) -> (Delta, Vec<serde_json::Value>) {
        self.hosts_at = at;
        let (presence, hosts) = (state.presence(), state.fleet.hosts());
        self.presence = presence.iter().map(|(id, one)| (*id, rows::presence_digest(one))).collect();
        let digests = hosts
            .iter()
            .filter_map(|row| rows::host_digest(row, presence.get(&row.id)).map(|digest| (row.id.to_string(), digest)));
        let delta = self.trackers[Topic::Hosts as usize].step_all(digests);
        let is_told: HashSet<&str> = delta.changed.iter().map(String::as_str).collect();
        let changed = hosts.iter().filter(|row| is_told.contains(row.id.to_string().as_str()));
        let changed = changed.map(|row| rows::host_row(row, presence.get(&row.id))).collect();
        (delta, changed)
    }

    fn new_events(&mut self, state: &State) {
        let newest = state.fleet.outbox().next_seq.saturating_sub(1);
        if newest.saturating_sub(self.events) > EVENTS_MAX as u64 {
            self.events = newest;
            return state.live.skip(Topic::Events);
        }
        match state.fleet.events_after(self.events, EVENTS_MAX) {
            Ok(events) => {
                self.events = events.last().map_or(self.events, |event| event.seq);
                // As the list has them: the newest first.
                let changed: Vec<_> = events.into_iter().rev().map(event_json).collect();
                if !changed.is_empty() {
                    state.live.tell(Topic::Events, &changed, &[]);
                }
            }
            Err(error) => {
                tracing::error!("events are not told live: {error}");
                self.events = newest;
                state.live.skip(Topic::Events);
            }
        }
    }
}

fn tell(state: &State, topic: Topic, changed: &[serde_json::Value], delta: &Delta) {
    if !delta.is_empty() {
        state.live.tell(topic, changed, &delta.gone);
    }
}
