//! What moves the book: reports, and what people do.

use std::collections::BTreeSet;

use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::{CheckList, CheckReport, Report};

use super::clock::CLOCK_CHECK;
use super::{CHECKS_MAX, DOWNTIMES_MAX, ENDED_DOWNTIMES_KEPT_MS, ENDED_DOWNTIMES_MAX, FLEET, HostNow, Key, StatusBook};
use crate::by::By;
use crate::names::folded;
use crate::outbox::{Event, EventKind};
use crate::rows::encode;
use crate::status::acknowledgement::Acknowledgement;
use crate::status::check_row::{CheckRow, Definition, row_key};
use crate::status::condition::{EndReason, StatusChange, Subject};
use crate::status::downtime::{Downtime, DowntimeSpec, ReadDowntime};
use crate::status::machine::Step;
use crate::tables::{CHECKS, DOWNTIMES, ENDED_DOWNTIMES, Put};

/// Bytes of a result's first line that its event tells.
const EVENT_OUTPUT_BYTES_MAX: usize = 512;

/// A result that arrives so soon after it was made says how things stand: one that is pushed while its agent connects waits for nothing.
const FRESH_MS: i64 = 10_000;

impl StatusBook {
    /// Takes a report of an active host. `is_live`: it came as it was made, not from a spool.
    pub(crate) fn report(&mut self, host: &HostNow, report: &Report, arrived: Timestamp, is_live: bool) {
        self.take_host(host.clone(), arrived.millis());
        match report {
            // Only the collector says how a host's clock stands.
            Report::Check(result) if result.check == CLOCK_CHECK => self.refused += 1,
            Report::Check(result) => self.result(host, result, arrived, is_live),
            Report::Checks(list) => self.list(host, list, arrived),
            // Told by whoever takes events.
            Report::Event(_) => {}
            // Kept by the projection.
            Report::Processes(_) | Report::Inventory(_) => {}
        }
    }

    pub(super) fn result(&mut self, host: &HostNow, result: &CheckReport, arrived: Timestamp, is_live: bool) {
        let key: Key = (host.id, result.check.clone());
        // A host whose clock is ahead must not hold off its results until that time has come.
        let at_ms = result.at_ms.min(arrived.millis());
        #[cfg_attr(not(feature = "planted"), expect(unused_mut, reason = "planted bugs change it"))]
        let mut definition = Definition::from_wire(&result.definition);
        #[cfg(feature = "planted")]
        if self.is_planted(crate::planted::Planted::SoftIsHard) {
            definition.max_attempts = 1;
        }
        #[cfg(feature = "planted")]
        let is_live = is_live || self.is_planted(crate::planted::Planted::BacklogIsLive);
        // Made while the host could not be heard, and yet as good as live.
        let is_live = is_live || arrived.millis().saturating_sub(at_ms) < FRESH_MS;
        let Some(entry) = self.hosts.get_mut(&host.id) else { return };
        let known = entry.checks.get(&key.1);
        if key.1.is_empty() || at_ms <= known.map_or(0, |row| row.machine.at_ms) {
            return;
        }
        // A rule must not take the name of a check that the host has.
        if known.is_some_and(|row| !row.is_metric()) && definition.is_metric() {
            self.refused += 1;
            return;
        }
        if known.is_none() && entry.checks.len() >= CHECKS_MAX {
            self.refused += 1;
            return;
        }
        let row = entry.checks.entry(key.1.clone()).or_insert_with(|| CheckRow::new(definition.clone()));
        let (was, is_first) = (row.machine.state, row.machine.at_ms == 0);
        let old_parents = std::mem::replace(&mut row.definition, definition).parents;
        // A number that is none of the four is what a plugin must not answer.
        let state = CheckState::from_u8(result.state).unwrap_or(CheckState::Unknown);
        let step = row.machine.step(state, at_ms, row.definition.max_attempts);
        let flapping = row.flapping.step(!is_first && was != state);
        row.take_words(result);
        (row.arrived_ms, row.is_live, row.stale_ms) = (arrived.millis(), is_live, None);
        row.again |= row.definition.volatile && row.machine.is_hard_bad() && !matches!(step, Step::HardChange { .. });
        let mut events = Vec::new();
        if let Step::HardChange { from, to } = step {
            events.push(state_event(host, result, from, to, arrived));
            if to == CheckState::Ok {
                row.recovered_ms = at_ms;
                let over = row.acknowledgement.take();
                events.extend(over.map(|ack| unacknowledged(host, &key.1, &ack, &By::MUSTER, arrived)));
            }
        }
        events.extend(flapping.map(|is_on| flapping_event(host, &key.1, is_on, row.flapping.percent(), arrived)));
        let parents = row.definition.parents.clone();
        if is_first || old_parents != parents {
            self.disown(&key, &old_parents);
            self.adopt(&key, &parents);
        }
        self.gathered.events.append(&mut events);
        if matches!(step, Step::HardChange { .. }) {
            let name = format!("{}/{}", folded(&host.name), key.1);
            self.touched.extend(self.children.get(&name).into_iter().flatten().cloned());
        }
        self.change(key);
    }

    /// Of the checks that the agent runs by itself those that it does not name any more are no more.
    fn list(&mut self, host: &HostNow, list: &CheckList, arrived: Timestamp) {
        let Some(entry) = self.hosts.get(&host.id) else { return };
        let gone = entry.checks.iter().filter(|(check, row)| {
            row.is_scheduled_by_agent() && row.machine.at_ms <= list.at_ms && !list.checks.contains(check)
        });
        let gone: Vec<_> = gone.map(|(check, _)| check.clone()).collect();
        for check in gone {
            self.forget(host.id, &check, &By::AGENT, arrived);
        }
    }

    /// Of the checks that the collector evaluates those that are not named are no more.
    pub(crate) fn keep_metric_checks(&mut self, named: &BTreeSet<&str>, now: Timestamp) {
        let gone = self.hosts.iter().flat_map(|(host, entry)| {
            let own = entry.checks.iter().filter(|(check, row)| row.is_metric() && !named.contains(check.as_str()));
            own.map(|(check, _)| (*host, check.clone()))
        });
        for (host, check) in gone.collect::<Vec<_>>() {
            self.forget(host, &check, &By::MUSTER, now);
        }
    }

    /// Removes a check; whether there was one. It comes back with its next result.
    pub(crate) fn forget(&mut self, host: HostId, check: &str, by: &By, now: Timestamp) -> bool {
        let key: Key = (host, check.to_owned());
        let Some(entry) = self.hosts.get_mut(&host) else { return false };
        let Some(row) = entry.checks.remove(check) else { return false };
        let name = entry.now.name.clone();
        if row.told.is_some() {
            let subject = Subject::Check { host, check: check.to_owned() };
            let (at_ms, why, output) = (now.millis(), EndReason::Removed, String::new());
            self.gathered.changes.push(StatusChange::Ended { subject, at_ms, why, output });
        }
        let text = format!("check `{check}` of host `{name}` is no more");
        let event = Event::new(EventKind::CheckRemoved, by, now, text).of(host, &name);
        self.gathered.events.push(event.with("check", check));
        self.gathered.rows.push(Put::remove(CHECKS, &row_key(host, check)));
        self.gathered.moved.insert(key.clone());
        self.disown(&key, &row.definition.parents);
        let parent = format!("{}/{check}", folded(&name));
        self.touched.extend(self.children.get(&parent).into_iter().flatten().cloned());
        self.touched.remove(&key);
        self.changed.remove(&key);
        true
    }

    /// Somebody takes a problem of a check, or of the host itself with an empty name; whether there is one.
    pub(crate) fn acknowledge(
        &mut self,
        host: HostId,
        check: &str,
        ack: Acknowledgement,
        by: &By,
        now: Timestamp,
    ) -> bool {
        let Some(entry) = self.hosts.get_mut(&host) else { return false };
        let slot = if check.is_empty() {
            entry.now.absent.is_some().then_some(&mut entry.own.acknowledgement)
        } else {
            let row = entry.checks.get_mut(check).filter(|row| row.severity().is_some());
            row.map(|row| &mut row.acknowledgement)
        };
        let Some(slot) = slot else { return false };
        let text = format!("{} of host `{}` is acknowledged: {}", shown(check), entry.now.name, ack.comment);
        let event = Event::new(EventKind::Acknowledged, by, now, text).of(host, &entry.now.name);
        self.gathered.events.push(event.with("check", check));
        *slot = Some(ack);
        self.change((host, check.to_owned()));
        true
    }

    /// Takes an acknowledgement back; whether there was one.
    pub(crate) fn unacknowledge(&mut self, host: HostId, check: &str, by: &By, now: Timestamp) -> bool {
        let Some(entry) = self.hosts.get_mut(&host) else { return false };
        let taken = match entry.checks.get_mut(check) {
            Some(row) => row.acknowledgement.take(),
            None if check.is_empty() => entry.own.acknowledgement.take(),
            None => None,
        };
        let Some(ack) = taken else { return false };
        self.gathered.events.push(unacknowledged(&entry.now, check, &ack, by, now));
        self.change((host, check.to_owned()));
        true
    }

    /// Adds a downtime; the answer is its number.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn add_downtime(&mut self, spec: DowntimeSpec, by: &By, now: Timestamp) -> Result<u64, String> {
        let text = format!("{}: {}", spec.matchers, spec.reason);
        let id = self.open_downtime(spec, now.millis())?;
        let event = Event::new(EventKind::DowntimeSet, by, now, format!("downtime {id} of {text}"));
        self.gathered.events.push(event.with("downtime", id.to_string()));
        Ok(id)
    }

    /// Adds a downtime without a word; the answer is its number.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn open_downtime(&mut self, spec: DowntimeSpec, now_ms: i64) -> Result<u64, String> {
        if self.downtimes.len() >= DOWNTIMES_MAX {
            return Err(format!("there are {DOWNTIMES_MAX} downtimes, which is the most: end some"));
        }
        let id = self.fleet.downtimes_made + 1;
        let read = ReadDowntime::new(Downtime { id, spec })?;
        if read.is_over(now_ms) {
            return Err("it is over already: give an end that is to come".to_owned());
        }
        self.gathered.rows.push(Put::set(DOWNTIMES, &id.to_be_bytes(), encode(&read.row)));
        self.fleet.downtimes_made = id;
        self.downtimes.insert(id, read);
        self.changed.insert((FLEET, String::new()));
        self.touch_problems();
        Ok(id)
    }

    /// Ends a downtime; whether there was one.
    pub(crate) fn end_downtime(&mut self, id: u64, by: &By, now: Timestamp) -> bool {
        // Only its maintenance ends such a one.
        if self.keeping.contains(&id) {
            return false;
        }
        let Some(matchers) = self.close_downtime(id, now.millis()) else { return false };
        let text = format!("downtime {id} of {matchers} has ended");
        let event = Event::new(EventKind::DowntimeEnded, by, now, text);
        self.gathered.events.push(event.with("downtime", id.to_string()));
        true
    }

    /// Ends a downtime without a word; the answer is its matchers, if there was one.
    pub(super) fn close_downtime(&mut self, id: u64, now_ms: i64) -> Option<String> {
        let read = self.downtimes.remove(&id)?;
        let matchers = read.row.spec.matchers.clone();
        self.gathered.rows.push(Put::remove(DOWNTIMES, &id.to_be_bytes()));
        self.keep_ended(read.row, now_ms);
        self.gathered.moved.insert((FLEET, String::new()));
        self.touch_problems();
        Some(matchers)
    }

    /// Remembers a downtime that was on, with the end that it had.
    fn keep_ended(&mut self, mut row: Downtime, now_ms: i64) {
        row.spec.ends_ms = row.spec.ends_ms.min(now_ms);
        if row.spec.ends_ms <= row.spec.starts_ms {
            return;
        }
        self.gathered.rows.push(Put::set(ENDED_DOWNTIMES, &row.id.to_be_bytes(), encode(&row)));
        self.ended_downtimes.insert(row.id, row);
        while self.ended_downtimes.len() > ENDED_DOWNTIMES_MAX {
            let oldest = self.ended_downtimes.values().min_by_key(|row| row.spec.ends_ms).map(|row| row.id);
            oldest.into_iter().for_each(|id| self.forget_ended(id));
        }
    }

    /// Forgets those that ended long ago.
    pub(super) fn sweep_ended(&mut self, now_ms: i64) {
        let is_old = |row: &&Downtime| row.spec.ends_ms.saturating_add(ENDED_DOWNTIMES_KEPT_MS) <= now_ms;
        let old: Vec<u64> = self.ended_downtimes.values().filter(is_old).map(|row| row.id).collect();
        old.into_iter().for_each(|id| self.forget_ended(id));
    }

    fn forget_ended(&mut self, id: u64) {
        self.ended_downtimes.remove(&id);
        self.gathered.rows.push(Put::remove(ENDED_DOWNTIMES, &id.to_be_bytes()));
    }
}

fn shown(check: &str) -> String {
    if check.is_empty() { "absence".to_owned() } else { format!("check `{check}`") }
}

pub(super) fn unacknowledged(host: &HostNow, check: &str, ack: &Acknowledgement, by: &By, now: Timestamp) -> Event {
    let text = format!("the acknowledgement by {} of {} of host `{}` has ended", ack.by, shown(check), host.name);
    Event::new(EventKind::Unacknowledged, by, now, text).of(host.id, &host.name).with("check", check)
}

fn state_event(host: &HostNow, result: &CheckReport, from: CheckState, to: CheckState, now: Timestamp) -> Event {
    let (check, name) = (&result.check, &host.name);
    let mut end = result.output.len().min(EVENT_OUTPUT_BYTES_MAX);
    while !result.output.is_char_boundary(end) {
        end -= 1;
    }
    let text = format!("check `{check}` of host `{name}` is {to} after {from}: {}", &result.output[..end]);
    let event =
        Event::new(EventKind::CheckState, &By::AGENT, now, text).of(host.id, name).with("check", check.as_str());
    event.with("from", from.as_str()).with("to", to.as_str()).with("at_ms", result.at_ms.to_string())
}

fn flapping_event(host: &HostNow, check: &str, is_on: bool, percent: f64, now: Timestamp) -> Event {
    let does = if is_on { "flaps" } else { "flaps no more" };
    let text =
        format!("check `{check}` of host `{}` {does}: {percent:.0} % of its results change its state", host.name);
    let event = Event::new(EventKind::CheckFlapping, &By::MUSTER, now, text).of(host.id, &host.name);
    event.with("check", check).with("flapping", if is_on { "true" } else { "false" })
}
