//! What differs from what was told last, and what time alone changes.

use muster_common::time::Timestamp;

use super::problem::Moment;
use super::step::unacknowledged;
use super::{FLEET, HostNow, Key, Outcome, StatusBook};
use crate::by::By;
use crate::outbox::{Event, EventKind};
use crate::rows::encode;
use crate::status::check_row::{Told, row_key};
use crate::status::condition::{Condition, EndReason, StatusChange, Subject};
use crate::status::downtime::ReadDowntime;
use crate::status::freshness;
use crate::tables::{CHECKS, Put};

impl StatusBook {
    /// Time has passed and the registry may have changed: these are all active hosts.
    pub(crate) fn tick(&mut self, now: Timestamp, hosts: Vec<HostNow>) {
        let now_ms = now.millis();
        self.ready(now_ms);
        self.sync_hosts(hosts, now_ms);
        let is_over = |id: &u64, downtime: &ReadDowntime| !self.keeping.contains(id) && downtime.is_over(now_ms);
        let over = self.downtimes.iter().filter(|(id, downtime)| is_over(id, downtime));
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_downtime(id, &By::MUSTER, now);
        }
        self.sweep_ended(now_ms);
        self.note_resumed(now_ms);
        self.note_stale(now);
        self.step_maintenances(now);
        self.touch_problems();
    }

    /// Checks of which nothing came for too long. Of a host that is away nothing is late: that it is away is told instead.
    fn note_stale(&mut self, now: Timestamp) {
        let Some(ready_ms) = self.ready_ms else { return };
        let mut stale = Vec::new();
        #[cfg(feature = "planted")]
        let is_anywhere = self.is_planted(crate::planted::Planted::StaleWhileAbsent);
        #[cfg(not(feature = "planted"))]
        let is_anywhere = false;
        for (id, host) in self.hosts.iter_mut().filter(|(_, host)| is_anywhere || host.now.absent.is_none()) {
            let heard_ms = host.heard_again_ms();
            for (check, row) in host.checks.iter_mut().filter(|(_, row)| row.stale_ms.is_none()) {
                let patience = freshness::patience_ms(row.definition.ttl_ms, row.definition.interval_ms);
                let due = patience.map(|patience| freshness::stale_at_ms(row.arrived_ms, patience, ready_ms, heard_ms));
                if due.is_some_and(|due| now.millis() >= due) {
                    row.stale_ms = Some(now.millis());
                    let words = freshness::words(row.arrived_ms);
                    let text = format!("check `{check}` of host `{}`: {words}", host.now.name);
                    let event = Event::new(EventKind::CheckState, &By::MUSTER, now, text).of(*id, &host.now.name);
                    self.gathered.events.push(event.with("check", check.as_str()).with("stale", "true"));
                    stale.push((*id, check.clone()));
                }
            }
        }
        stale.into_iter().for_each(|key| self.change(key));
    }

    /// Everything that has a problem, or had one, is to be compared.
    pub(super) fn touch_problems(&mut self) {
        for (id, host) in &self.hosts {
            if host.now.absent.is_some() || host.own.told.is_some() {
                self.touched.insert((*id, String::new()));
            }
            let problems = host.checks.iter().filter(|(_, row)| row.told.is_some() || row.severity().is_some());
            self.touched.extend(problems.map(|(check, _)| (*id, check.clone())));
        }
    }

    /// All that changed since the last settling, rows included.
    pub(crate) fn settle(&mut self, now: Timestamp) -> Outcome {
        // The fleet as a whole first: what it says holds its hosts.
        let moment = self.moment(now.millis());
        self.settle_one(&(FLEET, String::new()), &moment, now);
        // So does a maintenance.
        self.settle_maintenances(now);
        for key in std::mem::take(&mut self.touched) {
            self.settle_one(&key, &moment, now);
        }
        let changed = std::mem::take(&mut self.changed);
        self.gathered.moved.extend(changed.iter().cloned());
        for key in changed {
            let row = match (key.0, self.hosts.get(&key.0)) {
                (FLEET, _) => encode(&self.fleet),
                (_, Some(host)) if key.1.is_empty() => encode(&host.own),
                (_, Some(host)) => match host.checks.get(&key.1) {
                    Some(row) => encode(row),
                    None => continue,
                },
                (_, None) => continue,
            };
            self.gathered.rows.push(Put::set(CHECKS, &row_key(key.0, &key.1), row));
        }
        std::mem::take(&mut self.gathered)
    }

    fn settle_one(&mut self, key: &Key, moment: &Moment, now: Timestamp) {
        self.end_acknowledgement(key, now);
        let condition = self.condition(key, moment);
        let told = condition.as_ref().map(told);
        let (before, again, recovered_ms) = match self.check_mut(key) {
            Some(row) => {
                (std::mem::replace(&mut row.told, told.clone()), std::mem::take(&mut row.again), row.recovered_ms)
            }
            None if key.0 == FLEET => (std::mem::replace(&mut self.fleet.told, told.clone()), false, 0),
            None => {
                let Some(host) = self.hosts.get_mut(&key.0).filter(|_| key.1.is_empty()) else { return };
                (std::mem::replace(&mut host.own.told, told.clone()), false, 0)
            }
        };
        if before != told {
            self.changed.insert(key.clone());
            if key.0 == FLEET {
                if told.is_none() {
                    self.fleet.returned_ms = now.millis();
                }
                self.touch_problems();
            }
        } else if !again {
            return;
        }
        // Recovered and bad again between two settlings: two problems, not one.
        let has_recovered = before.as_ref().is_some_and(|before| before.since_ms < recovered_ms);
        let changes = &mut self.gathered.changes;
        if has_recovered || (before.is_some() && condition.is_none()) {
            let at_ms = if has_recovered { recovered_ms } else { now.millis() };
            let output = match self.hosts.get(&key.0).and_then(|host| host.checks.get(&key.1)) {
                Some(row) => row.output.clone(),
                None => String::new(),
            };
            changes.push(StatusChange::Ended { subject: subject(key), at_ms, why: EndReason::Recovered, output });
        }
        changes.extend(condition.map(StatusChange::Problem));
    }

    /// An acknowledgement ends by time, with the problem, or with this problem becoming another.
    fn end_acknowledgement(&mut self, key: &Key, now: Timestamp) {
        let stand = self.hosts.get(&key.0).and_then(|host| self.stand(host, now.millis()));
        let Some(host) = self.hosts.get_mut(&key.0) else { return };
        let (slot, problem) = match host.checks.get_mut(&key.1) {
            Some(row) => {
                let severity = row.severity();
                let is_another = row.told.as_ref().is_some_and(|told| Some(told.severity) != severity);
                (&mut row.acknowledgement, severity.map(|_| is_another))
            }
            None => {
                // That a silent host is unreachable is the same problem with a reason.
                let severity = stand.map(|(stand, _)| stand.severity());
                let is_another = host.own.told.as_ref().is_some_and(|told| Some(told.severity) != severity);
                (&mut host.own.acknowledgement, severity.map(|_| is_another))
            }
        };
        if let Some(ack) = slot.take_if(|ack| ack.is_over(now.millis(), problem)) {
            self.gathered.events.push(unacknowledged(&host.now, &key.1, &ack, &By::MUSTER, now));
            self.changed.insert(key.clone());
        }
    }
}

pub(super) fn told(condition: &Condition) -> Told {
    Told {
        name: condition.name.clone(),
        severity: condition.severity,
        since_ms: condition.since_ms,
        holds: condition.holds.clone(),
        labels: condition.labels.to_string(),
    }
}

pub(super) fn subject(key: &Key) -> Subject {
    match key {
        (FLEET, _) => Subject::Fleet,
        (host, check) if check.is_empty() => Subject::Host { host: *host },
        (host, check) => Subject::Check { host: *host, check: check.clone() },
    }
}
