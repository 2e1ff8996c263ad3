//! How a subject stands: its condition, and what holds it back.

use std::collections::BTreeMap;

use muster_common::label::LabelSet;

use super::{FLEET, HostBook, Key, StatusBook, folded_parent};
use crate::status::acknowledgement::Acknowledgement;
use crate::status::check_row::CheckRow;
use crate::status::condition::{Condition, Hold, HoldReason, Severity, Subject};
use crate::status::freshness;

/// Checks, or hosts, that are looked at to find out whether a parent leads back to its child.
const ANCESTORS_MAX: usize = 64;
/// Downtimes named as holds of one problem: one is enough to hold it.
const DOWNTIMES_TOLD_MAX: usize = 8;
const NOTHING_RECEIVED: &str = "NothingReceived";
/// When something is received again not all hosts are heard in the same second: those that are still away are held for as long, milliseconds.
const RETURNING_MS: i64 = 120_000;
/// Names that alerts give themselves.
const NOT_A_LABEL: [&str; 2] = ["alertname", "severity"];

/// A time, and the downtimes that are on then, with their ends: found once for all problems.
pub(super) struct Moment {
    pub now_ms: i64,
    on: Vec<(u64, Option<i64>)>,
}

impl StatusBook {
    pub(super) fn moment(&self, now_ms: i64) -> Moment {
        let on = self.downtimes.iter().filter(|(id, downtime)| self.keeping.contains(id) || downtime.is_on(now_ms));
        Moment { now_ms, on: on.map(|(id, downtime)| (*id, downtime.next_change(now_ms))).collect() }
    }

    /// The problem that this subject has now, if it has one.
    pub(super) fn condition(&self, key: &Key, moment: &Moment) -> Option<Condition> {
        if key.0 == FLEET {
            return self.fleet_condition(moment);
        }
        let host = self.hosts.get(&key.0)?;
        if key.1.is_empty() { self.host_condition(host, moment) } else { self.check_condition(host, key, moment) }
    }

    fn fleet_condition(&self, moment: &Moment) -> Option<Condition> {
        let (count, since_ms) = self.all_absent_since(moment.now_ms)?;
        let output = format!("nothing is received from any of {count} hosts");
        Some(Condition {
            subject: Subject::Fleet,
            name: NOTHING_RECEIVED.to_owned(),
            severity: Severity::Critical,
            labels: LabelSet::default(),
            since_ms,
            at_ms: since_ms,
            output,
            long_output: String::new(),
            perfdata: Vec::new(),
            remedy: "look at the collector's network first: `muster status` shows when each host was heard last"
                .to_owned(),
            is_one_of_many: false,
            again: false,
            holds: self.all_planned(moment),
        })
    }

    /// What holds each host's absence, where something holds that of all of them: a wave that boots a whole fleet is no failure of the collector.
    fn all_planned(&self, moment: &Moment) -> Vec<Hold> {
        let mut holds: Vec<Hold> = Vec::new();
        for host in self.hosts.values() {
            let Some(absent) = host.now.absent.filter(|_| self.counts(host, moment.now_ms)) else { continue };
            let key = (host.now.id, String::new());
            let own = self.common_holds(host, None, None, moment).into_iter();
            let own: Vec<Hold> = own.chain(self.maintenance_hold(&key, absent.since_ms)).collect();
            if own.is_empty() {
                return Vec::new();
            }
            for hold in own {
                if !holds.contains(&hold) && holds.len() < DOWNTIMES_TOLD_MAX {
                    holds.push(hold);
                }
            }
        }
        holds
    }

    /// Whether a host is one that ought to be heard.
    fn counts(&self, host: &HostBook, now_ms: i64) -> bool {
        !host.now.name.is_empty() && !self.is_booting(host, now_ms)
    }

    /// How many hosts are away and since when, where that is all of at least three and they went within a minute; once that was told, all
    /// of them are enough. Those that boot as they said, or are no active hosts, do not count.
    fn all_absent_since(&self, now_ms: i64) -> Option<(usize, i64)> {
        const HOSTS_MIN: usize = 3;
        const WITHIN_MS: i64 = 60_000;
        let (mut count, mut first, mut last) = (0, i64::MAX, i64::MIN);
        for host in self.hosts.values().filter(|host| self.counts(host, now_ms)) {
            let since_ms = host.now.absent?.since_ms;
            (count, first, last) = (count + 1, first.min(since_ms), last.max(since_ms));
        }
        let is_at_once = self.fleet.told.is_some() || last.saturating_sub(first) <= WITHIN_MS;
        (count >= HOSTS_MIN && is_at_once).then_some((count, last))
    }

    fn host_condition(&self, host: &HostBook, moment: &Moment) -> Option<Condition> {
        let absent = host.now.absent?;
        let (stand, own_hold) = self.stand(host, moment.now_ms)?;
        let mut holds = self.common_holds(host, None, host.own.acknowledgement.as_ref(), moment);
        holds.extend(self.maintenance_hold(&(host.now.id, String::new()), absent.since_ms));
        let returning_ms = self.fleet.returned_ms.saturating_add(RETURNING_MS);
        if self.fleet.told.is_some() {
            holds.push(hold(HoldReason::HostAbsent, NOTHING_RECEIVED));
        } else if moment.now_ms < returning_ms {
            let (by, until_ms) = (NOTHING_RECEIVED.to_owned(), Some(returning_ms));
            holds.push(Hold { why: HoldReason::HostAbsent, by, until_ms });
        }
        holds.extend(own_hold.or_else(|| expected(host, moment.now_ms)));
        Some(Condition {
            subject: Subject::Host { host: host.now.id },
            name: stand.name().to_owned(),
            severity: stand.severity(),
            labels: labels(host, None),
            since_ms: absent.since_ms,
            at_ms: absent.since_ms,
            output: stand.words(&host.now.name),
            long_output: String::new(),
            perfdata: Vec::new(),
            remedy: String::new(),
            is_one_of_many: host.now.is_ephemeral,
            again: false,
            holds,
        })
    }

    fn check_condition(&self, host: &HostBook, key: &Key, moment: &Moment) -> Option<Condition> {
        let (check, row) = host.checks.get_key_value(&key.1)?;
        let severity = row.severity()?;
        let mut holds = self.common_holds(host, Some(check), row.acknowledgement.as_ref(), moment);
        holds.extend(self.maintenance_hold(key, problem_since(row)));
        if let Some((stand, _)) = self.stand(host, moment.now_ms) {
            holds.push(hold(HoldReason::HostAbsent, stand.name()));
        }
        holds.extend(self.parents_down(key, row));
        if row.flapping.is_on {
            holds.push(hold(HoldReason::Flapping, ""));
        }
        if row.is_catching_up(moment.now_ms) {
            holds.push(hold(HoldReason::CatchingUp, ""));
        }
        holds.extend(expected(host, moment.now_ms));
        let is_hard_bad = row.machine.is_hard_bad();
        let since_ms = if is_hard_bad { row.machine.since_ms } else { row.stale_ms.unwrap_or(row.machine.since_ms) };
        Some(Condition {
            subject: Subject::Check { host: key.0, check: check.clone() },
            name: check.clone(),
            severity,
            labels: labels(host, Some((check, row))),
            since_ms,
            at_ms: row.machine.at_ms,
            output: if row.stale_ms.is_some() { freshness::words(row.arrived_ms) } else { row.output.clone() },
            long_output: row.long_output.clone(),
            perfdata: row.perfdata.iter().map(|one| one.to_wire()).collect(),
            remedy: row.definition.remedy.clone(),
            is_one_of_many: false,
            again: row.again,
            holds,
        })
    }

    fn common_holds(
        &self,
        host: &HostBook,
        check: Option<&str>,
        ack: Option<&Acknowledgement>,
        moment: &Moment,
    ) -> Vec<Hold> {
        let by_ack = ack.map(|ack| Hold { why: HoldReason::Acknowledged, by: ack.by.clone(), until_ms: ack.until_ms });
        let about = moment.on.iter().filter(|(id, _)| {
            let downtime = self.downtimes.get(id);
            downtime.is_some_and(|downtime| downtime.is_about(host.now.id, &host.now.name, &host.now.labels, check))
        });
        let by_downtimes = about.take(DOWNTIMES_TOLD_MAX).map(|(id, until_ms)| Hold {
            why: HoldReason::Downtime,
            by: id.to_string(),
            until_ms: *until_ms,
        });
        by_ack.into_iter().chain(by_downtimes).collect()
    }

    /// Parents that are bad, or have recovered after the newest result of this check. A parent that depends on this check itself is no
    /// reason: of a circle everything is told.
    fn parents_down<'a>(&'a self, key: &'a Key, row: &'a CheckRow) -> impl Iterator<Item = Hold> + 'a {
        let down = row.definition.parents.iter().filter(move |parent| {
            self.parent(parent).is_some_and(|parent| {
                let (is_bad, recovered_ms) = self.parent_stands(&parent);
                (is_bad || row.machine.at_ms <= recovered_ms)
                    && !leads_to(&parent, key, |key| self.check_parents_of(key))
            })
        });
        down.map(|parent| hold(HoldReason::ParentDown, parent))
    }

    fn parent(&self, parent: &str) -> Option<Key> {
        let folded = folded_parent(parent);
        let (host, check) = folded.split_once('/').unwrap_or((&folded, ""));
        let id = *self.names.get(host)?;
        (check.is_empty() || self.hosts.get(&id)?.checks.contains_key(check)).then(|| (id, check.to_owned()))
    }

    /// Whether it is bad, and when it recovered last.
    fn parent_stands(&self, key: &Key) -> (bool, i64) {
        let Some(host) = self.hosts.get(&key.0) else { return (false, 0) };
        #[cfg(feature = "planted")]
        if self.is_planted(crate::planted::Planted::ParentRecoveryFrees) {
            let is_bad = host.checks.get(&key.1).map_or(host.now.absent.is_some(), |row| row.machine.is_hard_bad());
            return (is_bad, 0);
        }
        match host.checks.get(&key.1) {
            Some(row) => (row.machine.is_hard_bad(), row.recovered_ms),
            None => (host.now.absent.is_some(), host.own.returned_ms),
        }
    }

    fn check_parents_of(&self, key: &Key) -> Vec<Key> {
        let row = self.hosts.get(&key.0).and_then(|host| host.checks.get(&key.1));
        let parents = row.into_iter().flat_map(|row| &row.definition.parents);
        parents.filter_map(|parent| self.parent(parent)).collect()
    }
}

/// Whether parents lead from here to there: a parent that depends on its own child says nothing of it.
pub(super) fn leads_to<T: Clone + PartialEq>(from: &T, to: &T, parents: impl Fn(&T) -> Vec<T>) -> bool {
    let (mut seen, mut next) = (vec![from.clone()], 0);
    while next < seen.len() && seen.len() <= ANCESTORS_MAX {
        if seen[next] == *to {
            return true;
        }
        for parent in parents(&seen[next]) {
            if !seen.contains(&parent) {
                seen.push(parent);
            }
        }
        next += 1;
    }
    false
}

fn hold(why: HoldReason, by: &str) -> Hold {
    Hold { why, by: by.to_owned(), until_ms: None }
}

fn expected(host: &HostBook, now_ms: i64) -> Option<Hold> {
    let until_ms = host.own.expected.map(|expected| expected.until_ms).filter(|until| *until > now_ms);
    until_ms.map(|until| Hold { why: HoldReason::ExpectedAbsence, by: host.now.name.clone(), until_ms: Some(until) })
}

/// Since when a check has the problem that it has.
pub(super) fn problem_since(row: &CheckRow) -> i64 {
    let hard_ms = row.machine.hard_since_ms;
    if row.machine.is_hard_bad() { hard_ms } else { row.stale_ms.unwrap_or(hard_ms) }
}

/// The host's name and labels, and the check's, of which the host's win: a check must not pass for another host's.
pub(super) fn labels(host: &HostBook, check: Option<(&String, &CheckRow)>) -> LabelSet {
    let mut labels = BTreeMap::new();
    if let Some((_, row)) = check {
        labels.extend(row.definition.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }
    labels.extend(host.now.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut own = vec![("host", host.now.name.as_str())];
    own.extend(check.map(|(name, _)| ("check", name.as_str())));
    labels.extend(own.iter().copied());
    labels.retain(|name, _| !NOT_A_LABEL.contains(name));
    // Labels over a limit leave a problem that is known by its host and check alone, which is better than none.
    LabelSet::new(labels).or_else(|_| LabelSet::new(own)).unwrap_or_default()
}
