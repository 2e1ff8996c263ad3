//! Hellos: what a host tells of itself, and whether it is the machine it says it is.
//!
//! What hello tells is kept in memory and rides to disk with the next change or with [`crate::Fleet::maintain`]: when 10,000 hosts
//! come back after a restart, they must not wait for 10,000 commits. A crash before that loses nothing, since hello tells it again.
//! A machine that is set aside is written at once.

use std::collections::HashMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Hello, RefusalCode, Refused};

use crate::by::By;
use crate::changes::RegistryChange;
use crate::draft::Draft;
use crate::enrol::WAITING_MAX;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::machines::{Machines, Trace, Verdict, traces_of};
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::refuse::refuse;
use crate::rows::{Facts, Registration, Sighting, cut, hex};
use crate::status::Goodbye;

/// How long after its last arrival a host counts as live: a machine that takes its place within that time is a second one, and
/// after it the same one with another disk or board.
pub(crate) const LIVE_FOR: Duration = Duration::from_secs(300);
/// Events that wait for a ride at most; beyond it they are written at once.
const RIDING_EVENTS_MAX: usize = 4_096;
/// Traces kept of a machine that was set aside, the newest.
const SECOND_TRACES_MAX: usize = 64;

/// The answer to a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is the host: fence its older session and go on.
    Welcome,
    /// It is another machine with the same identity: end this session, and leave the older one alone.
    Refused(Refused),
}

/// What hosts told last, and the memory of their machines.
pub(crate) struct Sightings {
    hosts: HashMap<HostId, Watched>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Watched {
    last: Sighting,
    machines: Machines,
    /// Grows with each hello; on disk is the state at `written`.
    version: u64,
    written: u64,
}

/// What rides with a commit.
pub(crate) struct Riding {
    hosts: Vec<(HostId, u64)>,
    events: usize,
}

impl Sightings {
    pub(crate) fn new(loaded: HashMap<HostId, Sighting>) -> Self {
        let watched = |last| Watched { last, ..Watched::default() };
        Self { hosts: loaded.into_iter().map(|(host, last)| (host, watched(last))).collect(), events: Vec::new() }
    }

    /// What this host told last.
    pub(crate) fn last(&self, host: HostId) -> Option<&Sighting> {
        self.hosts.get(&host).map(|watched| &watched.last).filter(|last| last.last_hello_ms != 0)
    }

    /// Whether an event waits for a ride.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Whether something is not on disk yet.
    pub(crate) fn waits(&self) -> bool {
        !self.events.is_empty() || self.hosts.values().any(|watched| watched.version != watched.written)
    }

    /// Adds what is not on disk yet to a draft.
    pub(crate) fn ride(&mut self, draft: &mut Draft) -> Riding {
        let changed = |(_, watched): &(&HostId, &Watched)| watched.version != watched.written;
        let hosts: Vec<_> = self.hosts.iter().filter(changed).map(|(host, watched)| (*host, watched.version)).collect();
        let rows = hosts.iter().filter_map(|(host, _)| self.hosts.get(host).map(|w| (*host, w.last.clone())));
        draft.sightings.extend(rows.filter(|(host, _)| !draft.forgotten.contains(host)));
        // They happened before what is being committed.
        draft.events.splice(0..0, self.events.iter().cloned());
        Riding { hosts, events: self.events.len() }
    }

    /// What rode is durable.
    pub(crate) fn landed(&mut self, riding: &Riding) {
        self.events.drain(..riding.events.min(self.events.len()));
        for (host, version) in &riding.hosts {
            if let Some(watched) = self.hosts.get_mut(host) {
                watched.written = *version;
            }
        }
    }

    /// Forgets hosts whose rows went.
    pub(crate) fn forget(&mut self, hosts: &[HostId]) {
        for host in hosts {
            self.hosts.remove(host);
        }
    }

    /// What the machine that bears this identity is known by.
    pub(crate) fn traces(&self, host: HostId, machine_id: &str) -> Vec<Trace> {
        let mut traces: Vec<Trace> = Trace::of_machine(machine_id).into_iter().collect();
        if let Some(watched) = self.hosts.get(&host) {
            traces.extend(Trace::of_sighting(&watched.last));
            traces.extend(watched.machines.last());
        }
        traces.sort_unstable();
        traces.dedup();
        traces
    }

    /// Another machine bears this identity from now on.
    pub(crate) fn reset(&mut self, host: HostId) {
        if let Some(watched) = self.hosts.get_mut(&host) {
            watched.machines.reset();
            watched.last = Sighting { last_hello_ms: watched.last.last_hello_ms, ..Sighting::default() };
            watched.version += 1;
        }
    }

    /// Takes a hello that is the host's. `is_boot_announced`: its agent's goodbye was for a boot.
    fn take(&mut self, row: &Registration, hello: &Hello, is_boot_announced: bool, now: Timestamp) {
        let watched = self.hosts.entry(row.id).or_default();
        let boot_id = hex(&hello.boot_id);
        if watched.last.boot_id != boot_id && !watched.last.boot_id.is_empty() {
            let (word, announced) = if is_boot_announced { ("", "true") } else { (" unannounced", "false") };
            let text = format!("host `{}` has booted{word}", row.name);
            let event = Event::new(EventKind::HostBooted, &By::AGENT, now, text).of(row.id, &row.name);
            self.events.push(event.with("boot_id", boot_id.as_str()).with("announced", announced));
        } else if watched.last.started_ms != hello.started_ms && watched.last.last_hello_ms != 0 {
            let text = format!("the agent of host `{}` has started anew", row.name);
            let event = Event::new(EventKind::AgentRestarted, &By::AGENT, now, text).of(row.id, &row.name);
            let event = event.with("started_ms", hello.started_ms.to_string());
            self.events.push(event.with("agent_version", cut(&hello.agent_version)));
        }
        let watched = self.hosts.entry(row.id).or_default();
        watched.last = Sighting {
            last_hello_ms: now.millis(),
            agent_version: cut(&hello.agent_version),
            boot_id,
            started_ms: hello.started_ms,
            facts: Facts::from_wire(&hello.facts),
        };
        watched.version += 1;
    }
}

/// What is to be done about a hello.
enum Step {
    Welcome,
    /// Welcome, and the row changes: the machine has another id, or told one for the first time.
    Adopt {
        machine_id: String,
    },
    /// Refuse, and set a machine aside with these traces.
    SetAside {
        traces: Vec<Trace>,
        reason: String,
        machine_id: String,
        refuse: bool,
    },
    /// A machine set aside before speaks again; new traces of it are worth a row.
    Again {
        second: HostId,
        traces: Vec<Trace>,
    },
    Gone,
}

impl Fleet {
    /// Takes a hello of an admitted host: remembers what it tells, and finds out whether it is the one machine that bears this identity
    /// (EXACTLY-ONCE.md rule 9). To be asked before the host's older session is fenced. `last_arrival` is when this process last
    /// received anything from the host, `None`: never.
    ///
    /// # Errors
    /// [`FleetError`] when a machine had to be set aside and the disk or the file failed.
    pub fn saw(
        &self,
        host: HostId,
        hello: &Hello,
        last_arrival: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Seen, FleetError> {
        let (step, full) = {
            let memory = self.memory.read();
            let expected = self.book.lock().expected(host);
            let is_boot_announced = expected.is_some_and(|expected| expected.goodbye == Goodbye::Reboot);
            let mut sightings = self.sightings.lock();
            let hello = Heard { hello, is_boot_announced, last_arrival, now };
            let step = step(&memory, &mut sightings, host, &hello);
            (step, sightings.events.len() > RIDING_EVENTS_MAX)
        };
        let name = self.memory.read().host(host).map(|row| row.name.clone()).unwrap_or_default();
        let refused = |reason: &str| {
            let refused = refuse(
                RefusalCode::Quarantined,
                format!("two machines use the identity of host `{name}`, and this one is set aside: {reason}"),
                format!(
                    "if it is a copy, stop its agent, remove the agent's state folder and enrol it under its own name; if it is the right one, run `muster hosts approve` with the id of the quarantined row of `{name}`"
                ),
            );
            self.count_refusal(RefusalCode::Quarantined);
            Ok(Seen::Refused(refused))
        };
        match step {
            Step::Welcome => {
                if full {
                    self.flush()?;
                }
                Ok(Seen::Welcome)
            }
            Step::Adopt { machine_id } => {
                self.change(|memory, draft| {
                    adopt(memory, draft, host, &machine_id, now);
                    Ok(())
                })?;
                Ok(Seen::Welcome)
            }
            Step::SetAside { traces, reason, machine_id, refuse } => {
                self.change(|memory, draft| set_aside(memory, draft, host, &machine_id, &traces, &reason, now))?;
                if refuse { refused(&reason) } else { Ok(Seen::Welcome) }
            }
            Step::Again { second, traces } => {
                if !traces.is_empty() {
                    self.change(|memory, draft| {
                        draft.hosts.extend(memory.host(second).map(|row| with_traces(row, &traces)));
                        Ok(())
                    })?;
                }
                let reason = self.memory.read().host(second).map(|row| row.reason.clone()).unwrap_or_default();
                refused(&reason)
            }
            Step::Gone => {
                self.count_refusal(RefusalCode::Certificate);
                Ok(Seen::Refused(refuse(
                    RefusalCode::Certificate,
                    format!("host {host} is not active here"),
                    "see `muster hosts list` on the collector; enrol the host anew if it was retired by mistake",
                )))
            }
        }
    }
}

/// A hello with what is known where it arrives.
struct Heard<'a> {
    hello: &'a Hello,
    /// The agent's goodbye before was for a boot.
    is_boot_announced: bool,
    /// When anything of the host arrived last.
    last_arrival: Option<Timestamp>,
    now: Timestamp,
}

fn step(memory: &Memory, sightings: &mut Sightings, host: HostId, heard: &Heard<'_>) -> Step {
    let Heard { hello, is_boot_announced, last_arrival, now } = *heard;
    let Some(row) = memory.host(host).filter(|row| row.state == HostState::Active) else { return Step::Gone };
    let traces = traces_of(hello);
    let own = sightings.traces(host, &row.machine_id);
    let foreign = |traces: &[Trace]| traces.iter().filter(|t| !own.contains(t)).copied().collect::<Vec<_>>();
    let told = cut(&hello.facts.machine_id);
    if let Some(second) = memory.seconds_of(host).find(|row| row.traces.iter().any(|trace| traces.contains(trace))) {
        let unknown = foreign(&traces).into_iter().filter(|trace| !second.traces.contains(trace)).collect();
        return Step::Again { second: second.id, traces: unknown };
    }
    let other_machine = !told.is_empty() && told != row.machine_id;
    if other_machine && !row.machine_id.is_empty() {
        let silent = last_arrival.map(|at| now.since(at));
        if let Some(silent) = silent.filter(|silent| *silent <= LIVE_FOR) {
            let reason = format!(
                "its machine id is `{told}`, but that of `{}` is `{}`, which was heard {} s ago",
                row.name,
                row.machine_id,
                silent.as_secs()
            );
            return Step::SetAside { traces: foreign(&traces), reason, machine_id: told, refuse: true };
        }
    }
    let watched = sightings.hosts.entry(host).or_default();
    match watched.machines.step(&traces, now) {
        Verdict::TwoLive { second_speaks, second } => {
            let reason = format!("it took turns with another one that says it is `{}`", row.name);
            if !second_speaks {
                sightings.take(row, hello, is_boot_announced, now);
            }
            return Step::SetAside { traces: second, reason, machine_id: told, refuse: second_speaks };
        }
        Verdict::Returned => {
            let text =
                format!("host `{}` is back at an earlier state: its disk was reverted, or it has a copy", row.name);
            sightings.events.push(Event::new(EventKind::HostReverted, &By::AGENT, now, text).of(host, &row.name));
        }
        Verdict::Same => {}
    }
    sightings.take(row, hello, is_boot_announced, now);
    if other_machine { Step::Adopt { machine_id: told } } else { Step::Welcome }
}

fn adopt(memory: &Memory, draft: &mut Draft, host: HostId, machine_id: &str, now: Timestamp) {
    let Some(row) = memory.host(host) else { return };
    if !row.machine_id.is_empty() {
        let text = format!("host `{}` has machine id `{machine_id}` now, before it was `{}`", row.name, row.machine_id);
        let event = Event::new(EventKind::MachineChanged, &By::AGENT, now, text).of(host, &row.name);
        draft.events.push(event.with("from", row.machine_id.as_str()).with("to", machine_id));
    }
    draft.hosts.push(Registration { machine_id: machine_id.to_owned(), ..Registration::clone(row) });
}

fn set_aside(
    memory: &Memory,
    draft: &mut Draft,
    host: HostId,
    machine_id: &str,
    traces: &[Trace],
    reason: &str,
    now: Timestamp,
) -> Result<(), FleetError> {
    let Some(row) = memory.host(host) else { return Ok(()) };
    let known = memory.seconds_of(host).find(|second| second.machine_id == machine_id);
    match known {
        Some(second) => draft.hosts.push(with_traces(second, traces)),
        // Beyond the cap the machine is refused all the same, only not listed.
        None if memory.waiting() >= WAITING_MAX => {}
        None => draft.hosts.push(Registration {
            id: crate::tokens::new_host_id(now)?,
            state: HostState::Quarantined,
            machine_id: machine_id.to_owned(),
            key: None,
            certificates: Vec::new(),
            token: None,
            asked_ms: now.millis(),
            enrolled_ms: None,
            ephemeral_ms: None,
            replaced_ms: None,
            absence: None,
            reason: reason.to_owned(),
            of: Some(host),
            traces: traces.to_vec(),
            ..Registration::clone(row)
        }),
    }
    let text = format!("a second machine uses the identity of host `{}` and was set aside: {reason}", row.name);
    let event = Event::new(EventKind::HostQuarantined, &By::MUSTER, now, text).of(host, &row.name);
    draft.events.push(event.with("machine_id", machine_id));
    draft.changes.push(RegistryChange::Quarantined { host });
    Ok(())
}

/// The row of a machine set aside, also known by these traces.
fn with_traces(second: &Registration, traces: &[Trace]) -> Registration {
    let mut row = second.clone();
    row.traces.extend(traces.iter().filter(|trace| !second.traces.contains(trace)));
    let over = row.traces.len().saturating_sub(SECOND_TRACES_MAX);
    row.traces.drain(..over);
    row
}

#[cfg(test)]
mod tests;
