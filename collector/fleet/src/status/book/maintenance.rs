//! Maintenances in the book: their downtimes, what is judged when they are done, and the problem that one becomes whose hosts are not well.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::time::Timestamp;

use super::problem::{Moment, labels, problem_since};
use super::settle::told;
use super::{FLEET, HostBook, Key, StatusBook};
use crate::by::By;
use crate::outbox::{Event, EventKind};
use crate::rows::encode;
use crate::status::condition::{Condition, EndReason, Hold, HoldReason, Severity, StatusChange, Subject};
use crate::status::downtime::{Downtime, DowntimeSpec, ReadDowntime};
use crate::status::maintenance::{
    Due, MAINTENANCES_CLOSED_MAX, MAINTENANCES_KEPT_MS, MAINTENANCES_OPEN_MAX, Maintenance, MaintenanceSpec,
    MaintenanceState, UNRETURNED_MAX, Unreturned, check_spec,
};
use crate::tables::{DOWNTIMES, MAINTENANCES, Put};

const NOT_RECOVERED: &str = "MaintenanceNotRecovered";
const REMEDY: &str = "look at the hosts that are named, and silence this alert if they are to stay so; it ends when all of it has returned";

impl StatusBook {
    /// Takes the rows of table `maintenances` into a book that was just read.
    pub(crate) fn load_maintenances(&mut self, rows: Vec<Maintenance>) {
        for row in rows {
            if row.is_under_way() {
                self.keeping.insert(row.downtime);
            }
            self.unreturned.extend(row.unreturned.iter().map(|one| (key_of(one), row.id)));
            self.maintenances.insert(row.id, row);
        }
    }

    /// All that are known, by number.
    pub(crate) fn maintenances(&self) -> Vec<Maintenance> {
        self.maintenances.values().cloned().collect()
    }

    pub(crate) fn maintenance(&self, id: u64) -> Option<&Maintenance> {
        self.maintenances.get(&id)
    }

    /// The one that is under way under this reference.
    pub(crate) fn maintenance_for(&self, reference: &str) -> Option<u64> {
        let under_way = self.maintenances.values().filter(|row| row.is_under_way());
        under_way.filter(|row| row.spec.reference == reference).map(|row| row.id).next_back()
    }

    /// The maintenance that a downtime belongs to, while only that ends it.
    pub(crate) fn maintenance_of_downtime(&self, downtime: u64) -> Option<u64> {
        self.keeping.contains(&downtime).then_some(())?;
        self.maintenances.values().find(|row| row.is_under_way() && row.downtime == downtime).map(|row| row.id)
    }

    /// Opens a maintenance, with its downtime; the answer is its number.
    ///
    /// # Errors
    /// What is wrong with it, in words; then nothing is changed.
    pub(crate) fn begin_maintenance(&mut self, spec: MaintenanceSpec, by: &By, now: Timestamp) -> Result<u64, String> {
        self.begin_maintenance_of(spec, by.to_string(), by, now)
    }

    /// As [`Self::begin_maintenance`], where another one than who begins it answers for it.
    pub(super) fn begin_maintenance_of(
        &mut self,
        spec: MaintenanceSpec,
        owner: String,
        by: &By,
        now: Timestamp,
    ) -> Result<u64, String> {
        let now_ms = now.millis();
        check_spec(&spec, now_ms)?;
        let open = self.maintenances.values().filter(|row| row.state != MaintenanceState::Closed).count();
        if open >= MAINTENANCES_OPEN_MAX {
            return Err(format!(
                "there are {MAINTENANCES_OPEN_MAX} that are not closed, which is the most: finish some"
            ));
        }
        let downtime = downtime_of(&spec, now_ms, &owner);
        let read = ReadDowntime::new(Downtime { id: 0, spec: downtime.clone() })?;
        let covered = self.covered(&read);
        if covered.is_empty() {
            return Err("no active host is meant by it: `muster hosts list` shows names and labels".to_owned());
        }
        let downtime = self.open_downtime(downtime, now_ms)?;
        let id = self.fleet.maintenances_made + 1;
        self.fleet.maintenances_made = id;
        self.changed.insert((FLEET, String::new()));
        let text = format!("maintenance {id} ({}) of {} begins", spec.name, self.named(&covered));
        self.tell_maintenance(EventKind::MaintenanceBegun, id, &spec, by, now, text, &covered);
        self.keeping.insert(downtime);
        self.maintenances.insert(id, Maintenance::new(id, spec, owner, now_ms, downtime));
        self.maintenance_changed(id);
        Ok(id)
    }

    /// The work goes on: more hosts, a later end. One that was settling is open again. Told as `by` does it, if anybody is named.
    ///
    /// # Errors
    /// What is wrong with it, in words; then nothing is changed.
    pub(super) fn extend_maintenance(
        &mut self,
        id: u64,
        hosts: Vec<String>,
        ends_ms: i64,
        by: Option<&By>,
        now: Timestamp,
    ) -> Result<(), String> {
        let Some(row) = self.maintenances.get(&id).filter(|row| row.is_under_way()) else { return Ok(()) };
        let mut spec = row.spec.clone();
        let (downtime, before) = (row.downtime, spec.hosts.clone());
        spec.hosts.extend(hosts.into_iter().filter(|host| !before.contains(host)));
        spec.ends_ms = spec.ends_ms.max(ends_ms);
        check_spec(&spec, now.millis())?;
        if let Some(row) = self.maintenances.get_mut(&id) {
            (row.spec, row.state, row.finished_ms, row.overran) = (spec.clone(), MaintenanceState::Open, None, false);
        }
        let ends_ms = spec.ends_ms.saturating_add(spec.grace_ms);
        let hosts = spec.hosts.clone();
        self.change_downtime(downtime, |row| (row.hosts, row.ends_ms) = (hosts, ends_ms));
        if let Some(by) = by {
            let covered = self.downtimes.get(&downtime).map(|read| self.covered(read)).unwrap_or_default();
            let text = format!("maintenance {id} ({}) of {} goes on", spec.name, self.named(&covered));
            self.tell_maintenance(EventKind::MaintenanceBegun, id, &spec, by, now, text, &covered);
        }
        self.maintenance_changed(id);
        Ok(())
    }

    /// Somebody says that the work is done; whether one is under way under this number.
    pub(crate) fn finish_maintenance(&mut self, id: u64, by: &By, now: Timestamp) -> bool {
        let Some(row) = self.maintenances.get_mut(&id).filter(|row| row.is_under_way()) else { return false };
        if row.finished_ms.is_some() {
            return true;
        }
        (row.state, row.finished_ms) = (MaintenanceState::Settling, Some(now.millis()));
        let (spec, downtime, ends_ms) = (row.spec.clone(), row.downtime, row.judged_at_ms());
        let covered = self.downtimes.get(&downtime).map(|read| self.covered(read)).unwrap_or_default();
        let text = format!("maintenance {id} ({}) of {} is finished", spec.name, self.named(&covered));
        self.tell_maintenance(EventKind::MaintenanceFinished, id, &spec, by, now, text, &covered);
        self.change_downtime(downtime, |row| row.ends_ms = ends_ms.max(row.starts_ms.saturating_add(1)));
        self.maintenance_changed(id);
        true
    }

    /// What time brings about: overruns, judgements, and what has returned after all.
    pub(super) fn step_maintenances(&mut self, now: Timestamp) {
        let ids: Vec<u64> = self.maintenances.keys().copied().collect();
        for id in ids {
            match self.maintenances.get(&id).and_then(|row| row.due(now.millis(), self.ready_ms)) {
                Some(Due::Overrun) => self.overrun(id, now),
                Some(Due::Judge) => self.judge(id, now),
                None => self.note_returned(id, now),
            }
        }
        self.sweep_maintenances(now.millis());
    }

    fn overrun(&mut self, id: u64, now: Timestamp) {
        let Some(row) = self.maintenances.get_mut(&id) else { return };
        (row.state, row.overran) = (MaintenanceState::Settling, true);
        let (spec, downtime) = (row.spec.clone(), row.downtime);
        let covered = self.downtimes.get(&downtime).map(|read| self.covered(read)).unwrap_or_default();
        let text = format!(
            "maintenance {id} ({}) of {} was not finished by its expected end",
            spec.name,
            self.named(&covered)
        );
        self.tell_maintenance(EventKind::MaintenanceOverran, id, &spec, &By::MUSTER, now, text, &covered);
        self.maintenance_changed(id);
    }

    /// Whether health has returned: of the hosts that are meant now, no problem would be told that was not there before.
    fn judge(&mut self, id: u64, now: Timestamp) {
        let Some(row) = self.maintenances.get(&id) else { return };
        let (spec, downtime, begun_ms) = (row.spec.clone(), row.downtime, row.begun_ms);
        let covered = self.downtimes.get(&downtime).map(|read| self.covered(read)).unwrap_or_default();
        self.keeping.remove(&downtime);
        self.close_downtime(downtime, now.millis());
        let moment = self.moment(now.millis());
        let left = self.left_over(&covered, begun_ms, &moment);
        let severity = left.iter().map(|(_, severity)| *severity).max();
        let unreturned: Vec<Unreturned> = left.into_iter().map(|(one, _)| one).collect();
        let alert_labels = self.labels_of_all(&spec.name, &unreturned);
        self.unreturned.extend(unreturned.iter().map(|one| (key_of(one), id)));
        let Some(row) = self.maintenances.get_mut(&id) else { return };
        row.judged_ms = Some(now.millis());
        (row.unreturned, row.severity, row.labels) = (unreturned, severity, alert_labels);
        if row.unreturned.is_empty() {
            return self.close_maintenance(id, now, &covered);
        }
        row.state = MaintenanceState::NotRecovered;
        let text = row.summary();
        self.tell_maintenance(EventKind::MaintenanceNotRecovered, id, &spec, &By::MUSTER, now, text, &covered);
        self.maintenance_changed(id);
    }

    /// Problems of these hosts that are to be told and were not there before, the worst hosts' absence first of each.
    fn left_over(&self, hosts: &[HostId], begun_ms: i64, moment: &Moment) -> Vec<(Unreturned, Severity)> {
        let mut left = Vec::new();
        for (id, host) in hosts.iter().filter_map(|id| Some((*id, self.hosts.get(id)?))) {
            let own = host.now.absent.map(|absent| (String::new(), absent.since_ms, host.own.told.as_ref()));
            let bad = host.checks.iter().filter(|(_, row)| row.severity().is_some());
            let checks = bad.map(|(check, row)| (check.clone(), problem_since(row), row.told.as_ref()));
            for (check, since_ms, before) in own.into_iter().chain(checks) {
                // What is told already needs no other notice.
                let is_told = before.is_some_and(|told| told.holds.is_empty());
                if since_ms < begun_ms || is_told || left.len() >= UNRETURNED_MAX {
                    continue;
                }
                let key: Key = (id, check);
                let Some(condition) = self.condition(&key, moment).filter(|one| one.holds.is_empty()) else { continue };
                left.push((Unreturned::new(id, &host.now.name, &key.1, &condition.output), condition.severity));
            }
        }
        left
    }

    /// Of what had not returned what has now. A problem that became another one is told by itself from then on.
    fn note_returned(&mut self, id: u64, now: Timestamp) {
        let Some(row) = self.maintenances.get(&id).filter(|row| row.state == MaintenanceState::NotRecovered) else {
            return;
        };
        let judged_ms = row.judged_ms.unwrap_or(i64::MAX);
        let goes_on = |one: &Unreturned| self.since_of(&key_of(one)).is_some_and(|since_ms| since_ms <= judged_ms);
        let (left, gone): (Vec<_>, Vec<_>) = row.unreturned.iter().cloned().partition(goes_on);
        if gone.is_empty() {
            return;
        }
        for one in &gone {
            self.unreturned.remove(&key_of(one));
        }
        let is_well = left.is_empty();
        if let Some(row) = self.maintenances.get_mut(&id) {
            row.unreturned = left;
        }
        self.maintenance_changed(id);
        if is_well {
            let hosts: Vec<HostId> = gone.iter().map(|one| one.host).collect();
            self.close_maintenance(id, now, &hosts);
        }
    }

    fn close_maintenance(&mut self, id: u64, now: Timestamp, hosts: &[HostId]) {
        let Some(row) = self.maintenances.get_mut(&id) else { return };
        (row.state, row.closed_ms) = (MaintenanceState::Closed, Some(now.millis()));
        let spec = row.spec.clone();
        let text = format!("health has returned after maintenance {id} ({})", spec.name);
        self.tell_maintenance(EventKind::MaintenanceRecovered, id, &spec, &By::MUSTER, now, text, hosts);
        self.maintenance_changed(id);
    }

    /// Since when a subject has the problem that it has, milliseconds.
    fn since_of(&self, key: &Key) -> Option<i64> {
        let host = self.hosts.get(&key.0)?;
        match key.1.as_str() {
            "" => host.now.absent.map(|absent| absent.since_ms),
            check => host.checks.get(check).filter(|row| row.severity().is_some()).map(problem_since),
        }
    }

    /// That this problem, which began then, is told by what a maintenance left over.
    pub(super) fn maintenance_hold(&self, key: &Key, since_ms: i64) -> Option<Hold> {
        let id = self.unreturned.get(key)?;
        let judged_ms = self.maintenances.get(id)?.judged_ms?;
        let by = id.to_string();
        (since_ms <= judged_ms).then_some(Hold { why: HoldReason::Maintenance, by, until_ms: None })
    }

    /// The problem that a maintenance is.
    pub(super) fn maintenance_condition(row: &Maintenance) -> Option<Condition> {
        let (severity, judged_ms) = (row.severity?, row.judged_ms?);
        if row.unreturned.is_empty() {
            return None;
        }
        let id = row.id.to_string();
        // A label over a limit leaves one that is known by its number.
        let labels = LabelSet::new(&row.labels).or_else(|_| LabelSet::new([("maintenance", &id)])).unwrap_or_default();
        Some(Condition {
            subject: Subject::Maintenance { id: row.id },
            name: NOT_RECOVERED.to_owned(),
            severity,
            labels,
            since_ms: judged_ms,
            at_ms: judged_ms,
            output: row.summary(),
            long_output: row.description(),
            perfdata: Vec::new(),
            remedy: REMEDY.to_owned(),
            is_one_of_many: false,
            again: false,
            holds: Vec::new(),
        })
    }

    /// What differs from what was told of each maintenance, and the rows that changed.
    pub(super) fn settle_maintenances(&mut self, now: Timestamp) {
        for row in self.maintenances.values_mut() {
            let condition = Self::maintenance_condition(row);
            let is = condition.as_ref().map(told);
            let was = std::mem::replace(&mut row.told, is);
            if was == row.told {
                continue;
            }
            self.changed_maintenances.insert(row.id);
            let change = match condition {
                Some(condition) => StatusChange::Problem(condition),
                None => StatusChange::Ended {
                    subject: Subject::Maintenance { id: row.id },
                    at_ms: now.millis(),
                    why: EndReason::Recovered,
                    output: String::new(),
                },
            };
            self.gathered.changes.push(change);
        }
        for id in std::mem::take(&mut self.changed_maintenances) {
            let row = self.maintenances.get(&id).map(encode);
            self.gathered.rows.push(Put { table: MAINTENANCES, key: id.to_be_bytes().to_vec(), value: row });
            self.gathered.moved.insert((FLEET, String::new()));
        }
    }

    /// Every alert of a maintenance that was told and has not ended.
    pub(super) fn standing_maintenances(&self) -> impl Iterator<Item = Condition> {
        self.maintenances.values().filter(|row| row.told.is_some()).filter_map(Self::maintenance_condition)
    }

    fn sweep_maintenances(&mut self, now_ms: i64) {
        let closed = self.maintenances.values().filter_map(|row| Some((row.closed_ms?, row.id, row.told.is_none())));
        let mut closed: Vec<(i64, u64)> = closed.filter(|one| one.2).map(|(at_ms, id, _)| (at_ms, id)).collect();
        closed.sort_unstable();
        let over = closed.len().saturating_sub(MAINTENANCES_CLOSED_MAX);
        let old = closed.iter().filter(|(at_ms, _)| at_ms.saturating_add(MAINTENANCES_KEPT_MS) <= now_ms).count();
        for (_, id) in &closed[..over.max(old)] {
            self.maintenances.remove(id);
            self.maintenance_changed(*id);
        }
    }

    fn maintenance_changed(&mut self, id: u64) {
        self.changed_maintenances.insert(id);
        self.touch_problems();
    }

    /// The active hosts that a downtime is about as hosts.
    fn covered(&self, downtime: &ReadDowntime) -> Vec<HostId> {
        let active = self.hosts.values().map(|host| &host.now).filter(|now| !now.name.is_empty());
        active.filter(|now| downtime.is_about(now.id, &now.name, &now.labels, None)).map(|now| now.id).collect()
    }

    fn change_downtime(&mut self, id: u64, change: impl FnOnce(&mut DowntimeSpec)) {
        let Some(read) = self.downtimes.get(&id) else { return };
        let mut row = read.row.clone();
        change(&mut row.spec);
        // Hosts by id and times make no spec wrong that was right.
        if let Ok(read) = ReadDowntime::new(row) {
            self.gathered.rows.push(Put::set(DOWNTIMES, &id.to_be_bytes(), encode(&read.row)));
            self.downtimes.insert(id, read);
        }
    }

    /// The labels that the alert has: a single host's own, else what all of them have in common.
    fn labels_of_all(&self, name: &str, unreturned: &[Unreturned]) -> BTreeMap<String, String> {
        let hosts: std::collections::BTreeSet<HostId> = unreturned.iter().map(|one| one.host).collect();
        let mut sets = hosts.iter().filter_map(|id| self.hosts.get(id)).map(|host: &HostBook| labels(host, None));
        let own = |set: LabelSet| -> BTreeMap<String, String> {
            set.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let mut common = sets.next().map(own).unwrap_or_default();
        for set in sets {
            common.retain(|name, value| set.get(name) == Some(value.as_str()));
        }
        common.insert("maintenance".to_owned(), name.to_owned());
        common
    }

    /// Hosts in a few words.
    fn named(&self, hosts: &[HostId]) -> String {
        const NAMED_MAX: usize = 3;
        let names = hosts.iter().take(NAMED_MAX).filter_map(|id| self.hosts.get(id)).map(|host| host.now.name.clone());
        let mut names: Vec<String> = names.collect();
        names.extend((hosts.len() > NAMED_MAX).then(|| format!("{} more hosts", hosts.len() - NAMED_MAX)));
        names.join(", ")
    }

    #[expect(clippy::too_many_arguments, reason = "an event's parts, each of another type")]
    fn tell_maintenance(
        &mut self,
        kind: EventKind,
        id: u64,
        spec: &MaintenanceSpec,
        by: &By,
        now: Timestamp,
        text: String,
        hosts: &[HostId],
    ) {
        let mut event = Event::new(kind, by, now, text).with("maintenance", id.to_string()).with("name", &spec.name);
        if !spec.reference.is_empty() {
            event = event.with("reference", &spec.reference);
        }
        // Of a single host it belongs to what happened to that.
        if let ([host], Some(entry)) = (hosts, hosts.first().and_then(|id| self.hosts.get(id))) {
            event = event.of(*host, &entry.now.name);
        }
        self.gathered.events.push(event);
    }
}

fn key_of(one: &Unreturned) -> Key {
    (one.host, one.check.clone())
}

/// The downtime of a maintenance: from its beginning until it is judged.
fn downtime_of(spec: &MaintenanceSpec, now_ms: i64, by: &str) -> DowntimeSpec {
    DowntimeSpec {
        matchers: spec.matchers.clone(),
        starts_ms: now_ms,
        ends_ms: spec.ends_ms.saturating_add(spec.grace_ms),
        owner: by.to_owned(),
        reason: format!("maintenance: {}", spec.name),
        hosts: spec.hosts.clone(),
        ..DowntimeSpec::default()
    }
}
