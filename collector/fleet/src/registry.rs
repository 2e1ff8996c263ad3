//! What operators do to hosts: approve, rename, relabel, replace, retire.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::time::{Span, Timestamp};

use crate::by::By;
use crate::changes::RegistryChange;
use crate::deny::deny_rows;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::memory::Memory;
use crate::names::{check_labels, check_name, folded};
use crate::outbox::{Event, EventKind};
use crate::rows::{Registration, cut};

impl Fleet {
    /// The host of this id or name. Among rows of one name the active one is meant, else the only one that waits, else the only one.
    ///
    /// # Errors
    /// [`FleetError::NoHost`], [`FleetError::Ambiguous`].
    pub fn find(&self, asked: &str) -> Result<HostId, FleetError> {
        let memory = self.memory.read();
        if let Some(row) = HostId::parse(asked).and_then(|id| memory.host(id)) {
            return Ok(row.id);
        }
        if let Some(row) = memory.named(asked) {
            return Ok(row.id);
        }
        let wanted = folded(asked);
        let same: Vec<_> = memory.hosts().filter(|row| folded(&row.name) == wanted).collect();
        let waiting: Vec<_> = same.iter().filter(|row| row.state != HostState::Retired).collect();
        match (waiting.as_slice(), same.as_slice()) {
            ([one], _) => Ok(one.id),
            ([], [one]) => Ok(one.id),
            ([], []) => Err(FleetError::NoHost { asked: asked.chars().take(300).collect() }),
            _ => Err(FleetError::Ambiguous { asked: asked.chars().take(300).collect(), count: same.len() }),
        }
    }

    /// The host that is to be approved: the only one that waits under this name, whoever has it, else as [`Fleet::find`].
    ///
    /// # Errors
    /// As [`Fleet::find`].
    pub fn find_waiting(&self, asked: &str) -> Result<HostId, FleetError> {
        let wanted = folded(asked);
        let waiting =
            |row: &&std::sync::Arc<Registration>| row.state == HostState::Pending && folded(&row.name) == wanted;
        let waiting: Vec<HostId> = self.memory.read().hosts().filter(waiting).map(|row| row.id).collect();
        match waiting[..] {
            [one] => Ok(one),
            _ => self.find(asked),
        }
    }

    /// Lets a waiting machine in, under another name if one is given; its next question is answered with a certificate. Of a quarantined
    /// machine: it bears the identity from now on, and the machine before is set aside.
    ///
    /// # Errors
    /// [`FleetError`]: no such host, not waiting, name wrong or taken, or the disk or the file failed.
    pub fn approve(&self, host: HostId, name: Option<&str>, by: &By, now: Timestamp) -> Result<(), FleetError> {
        let swapped = self.change(|memory, draft| {
            let row = wanted(memory, host)?;
            match row.state {
                HostState::Pending => approve_pending(memory, draft, row, name, by, now).map(|()| None),
                HostState::Quarantined => {
                    let own = row.of.and_then(|of| memory.host(of)).ok_or_else(|| no_host(host))?;
                    let old = self.sightings.lock().traces(own.id, &own.machine_id);
                    swap_machines(draft, own, row, old, by, now);
                    Ok(Some(own.id))
                }
                state => {
                    Err(wrong_state(row, state, "approved", "only hosts that wait can be: see `muster hosts list`"))
                }
            }
        })?;
        if let Some(host) = swapped {
            self.sightings.lock().reset(host);
        }
        Ok(())
    }

    /// Gives a host another name; its id and history stay, the old name is free.
    ///
    /// # Errors
    /// [`FleetError`]: no such host, retired, name wrong or taken, or the disk or the file failed.
    pub fn rename(&self, host: HostId, name: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let row = wanted(memory, host)?;
            if !matches!(row.state, HostState::Active | HostState::Pending) {
                return Err(wrong_state(row, row.state, "renamed", "only active and waiting hosts can be"));
            }
            check_name(name)?;
            if row.state == HostState::Active {
                check_free(memory, name, host)?;
            }
            if row.name == name {
                return Ok(());
            }
            let text = format!("host `{}` was renamed `{name}`", row.name);
            let event = Event::new(EventKind::HostRenamed, by, now, text).of(host, name);
            draft.events.push(event.with("from", row.name.as_str()).with("to", name));
            if row.state == HostState::Active {
                let (from, to) = (row.name.clone(), name.to_owned());
                draft.changes.push(RegistryChange::Renamed { host, from, to });
            }
            draft.hosts.push(Registration { name: name.to_owned(), ..Registration::clone(row) });
            Ok(())
        })
    }

    /// Gives a host these labels and no others.
    ///
    /// # Errors
    /// [`FleetError`]: no such host, retired, a label wrong, or the disk or the file failed.
    pub fn relabel(
        &self,
        host: HostId,
        labels: &BTreeMap<String, String>,
        by: &By,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let row = wanted(memory, host)?;
            if !matches!(row.state, HostState::Active | HostState::Pending) {
                return Err(wrong_state(row, row.state, "relabelled", "only active and waiting hosts can be"));
            }
            check_labels(labels)?;
            if row.labels == *labels {
                return Ok(());
            }
            let text =
                format!("host `{}` has the labels {} now, before {}", row.name, shown(labels), shown(&row.labels));
            draft.events.push(Event::new(EventKind::HostRelabelled, by, now, text).of(host, &row.name));
            if row.state == HostState::Active {
                let (from, to) = (row.labels.clone(), labels.clone());
                draft.changes.push(RegistryChange::Relabelled { host, from, to });
            }
            draft.hosts.push(Registration { labels: labels.clone(), ..Registration::clone(row) });
            Ok(())
        })
    }

    /// Lets a waiting machine take the place of an active host: the id, name and labels stay, the certificates of the machine before
    /// are denied. `waiting` may be left out when exactly one waits under the host's name.
    ///
    /// # Errors
    /// [`FleetError`]: no such host, nobody waits, several wait, or the disk or the file failed.
    pub fn replace(&self, host: HostId, waiting: Option<HostId>, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let row = wanted(memory, host)?;
            if row.state != HostState::Active {
                return Err(wrong_state(row, row.state, "replaced", "only active hosts can be"));
            }
            let newcomer = waiting_for(memory, row, waiting)?;
            let text = format!("the machine at {} takes the place of host `{}`", newcomer.peer, row.name);
            let event = Event::new(EventKind::HostReplaced, by, now, text).of(host, &row.name);
            draft.events.push(event.with("machine_id", newcomer.machine_id.as_str()));
            deny_rows(draft, row, "another machine took the host's place", now);
            draft.changes.push(RegistryChange::Replaced { host });
            draft.forgotten.push(newcomer.id);
            draft.hosts.push(Registration {
                machine_id: newcomer.machine_id.clone(),
                key: newcomer.key,
                certificates: Vec::new(),
                token: newcomer.token.clone(),
                peer: newcomer.peer.clone(),
                replaced_ms: Some(now.millis()),
                ..Registration::clone(row)
            });
            Ok(())
        })?;
        self.sightings.lock().reset(host);
        Ok(())
    }

    /// Retires a host for good: certificates denied, series ended, name free, history kept. A waiting machine is turned down by it.
    ///
    /// # Errors
    /// [`FleetError`]: no such host, retired before, or the disk or the file failed.
    pub fn retire(&self, host: HostId, reason: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            let row = wanted(memory, host)?;
            let reason = cut(reason);
            match row.state {
                HostState::Retired => return Err(wrong_state(row, row.state, "retired again", "it is gone already")),
                HostState::Active => {
                    deny_rows(draft, row, "the host was retired", now);
                    let (name, labels) = (row.name.clone(), row.labels.clone());
                    draft.changes.push(RegistryChange::Retired { host, name, labels });
                    let seconds = memory.seconds_of(host).map(|second| second.id);
                    draft.forgotten.extend(seconds);
                }
                HostState::Pending | HostState::Quarantined => {}
            }
            let what = if row.state == HostState::Active { "was retired" } else { "was turned down" };
            let text = format!("host `{}` {what}: {reason}", row.name);
            draft.events.push(Event::new(EventKind::HostRetired, by, now, text).of(host, &row.name));
            draft.hosts.push(Registration {
                state: HostState::Retired,
                retired_ms: Some(now.millis()),
                reason,
                ..Registration::clone(row)
            });
            Ok(())
        })
    }

    /// Ephemeral hosts whose silence has lasted: the caller retires them. Silence counts from the last arrival (`last_arrival`, of this
    /// process), the last hello or the enrolment, but never from before `ready_since`, when this collector began to listen.
    pub fn due_retirements(
        &self,
        now: Timestamp,
        ready_since: Timestamp,
        last_arrival: impl Fn(HostId) -> Option<Timestamp>,
    ) -> Vec<HostId> {
        let memory = self.memory.read();
        let sightings = self.sightings.lock();
        let due = |row: &&std::sync::Arc<Registration>| {
            let silence_ms = row.ephemeral_ms.filter(|_| row.state == HostState::Active)?;
            let hello = sightings.last(row.id).map(|last| last.last_hello_ms);
            let known_ms = hello.or(row.enrolled_ms).unwrap_or(row.asked_ms);
            let heard =
                last_arrival(row.id).unwrap_or(ready_since).max(Timestamp::from_millis(known_ms)).max(ready_since);
            let silence = Duration::from_millis(u64::try_from(silence_ms).unwrap_or(u64::MAX));
            (now.since(heard) > silence).then_some(row.id)
        };
        memory.hosts().filter_map(|row| due(&row)).collect()
    }
}

/// The reason that the retirement of an ephemeral host carries whose machine was shut down.
pub const EPHEMERAL_STOPPED: &str = "it is ephemeral and its machine was shut down";

/// The reason that an ephemeral host's retirement carries.
pub fn ephemeral_reason(silence: Duration) -> String {
    format!("it is ephemeral and was silent for {}", Span(silence))
}

fn approve_pending(
    memory: &Memory,
    draft: &mut Draft,
    row: &Registration,
    name: Option<&str>,
    by: &By,
    now: Timestamp,
) -> Result<(), FleetError> {
    let name = name.unwrap_or(&row.name);
    check_name(name)?;
    check_free(memory, name, row.id)?;
    let text = format!("host `{name}` at {} was approved", row.peer);
    let event = Event::new(EventKind::HostApproved, by, now, text).of(row.id, name);
    draft.events.push(event.with("key", row.key.map(String::from).unwrap_or_default()));
    draft.changes.push(RegistryChange::Activated { host: row.id });
    draft.hosts.push(Registration {
        name: name.to_owned(),
        state: HostState::Active,
        // From now on the approval lets it in; the token was not enough.
        token: None,
        reason: String::new(),
        ..row.clone()
    });
    Ok(())
}

/// The machine set aside bears the identity, and the one before is set aside.
fn swap_machines(
    draft: &mut Draft,
    own: &Registration,
    second: &Registration,
    old: Vec<crate::machines::Trace>,
    by: &By,
    now: Timestamp,
) {
    let text = format!("another machine bears the identity of host `{}` now; the one before is set aside", own.name);
    let event = Event::new(EventKind::MachineChanged, by, now, text).of(own.id, &own.name);
    draft.events.push(event.with("from", own.machine_id.as_str()).with("to", second.machine_id.as_str()));
    draft.changes.push(RegistryChange::Replaced { host: own.id });
    draft.hosts.push(Registration { machine_id: second.machine_id.clone(), ..own.clone() });
    let mut traces = old;
    traces.retain(|trace| !second.traces.contains(trace));
    if own.machine_id == second.machine_id {
        // A trace of the machine id would set aside both.
        let shared = crate::machines::Trace::of_machine(&own.machine_id);
        traces.retain(|trace| Some(*trace) != shared);
    }
    if traces.is_empty() {
        draft.forgotten.push(second.id);
    } else {
        draft.hosts.push(Registration {
            machine_id: own.machine_id.clone(),
            reason: format!("an operator approved the other machine of `{}`", own.name),
            asked_ms: now.millis(),
            traces,
            ..second.clone()
        });
    }
}

fn wanted(memory: &Memory, host: HostId) -> Result<&Registration, FleetError> {
    memory.host(host).map(|row| &**row).ok_or_else(|| no_host(host))
}

fn no_host(host: HostId) -> FleetError {
    FleetError::NoHost { asked: host.to_string() }
}

/// The machine that shall take this host's place.
fn waiting_for<'a>(
    memory: &'a Memory,
    row: &Registration,
    waiting: Option<HostId>,
) -> Result<&'a Registration, FleetError> {
    if let Some(id) = waiting {
        let newcomer = wanted(memory, id)?;
        if newcomer.state != HostState::Pending {
            let remedy = "only a machine that waits can take another's place: see `muster hosts list`";
            return Err(wrong_state(newcomer, newcomer.state, "put in another's place", remedy));
        }
        return Ok(newcomer);
    }
    let name = folded(&row.name);
    let mut waits = memory.hosts().filter(|other| other.state == HostState::Pending && folded(&other.name) == name);
    match (waits.next(), waits.count()) {
        (None, _) => Err(FleetError::NobodyWaits { name: row.name.clone() }),
        (Some(one), 0) => Ok(one),
        (Some(_), more) => Err(FleetError::Ambiguous { asked: row.name.clone(), count: more + 1 }),
    }
}

fn check_free(memory: &Memory, name: &str, host: HostId) -> Result<(), FleetError> {
    match memory.named(name) {
        Some(holder) if holder.id != host => {
            Err(FleetError::Taken { name: holder.name.clone(), host: holder.id.to_string() })
        }
        _ => Ok(()),
    }
}

fn wrong_state(row: &Registration, state: HostState, action: &'static str, remedy: &'static str) -> FleetError {
    FleetError::WrongState { name: row.name.clone(), state: state.as_str(), action, remedy }
}

fn shown(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests;
