//! Which changes are the likeliest reason.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use muster_common::inventory::Row;

use super::deployed::{DeployBefore, DeploySuspect};
use super::tokens::{Fit, Meant};
use super::{BEFORE_MS, Behind, FleetFacts, Onset, Suspect, essence, thing_of};
use crate::inventory::InventoryChange;

/// After so long before the onset a change is half as suspect: most of what breaks something breaks it when it is first used.
pub const HALF_LIFE_MS: f64 = 30.0 * 60_000.0;
/// What breaks slowly: disks that fill, certificates that are read at the next restart, jobs of the night.
const SLOW_HALF_LIFE_MS: f64 = 6.0 * 3_600_000.0;
/// How much of the score goes by the slow one.
const SLOW_SHARE: f64 = 0.2;

/// How often more suspect a change is whose name the alert's own names share, whose name only its output has, whose table can explain the kind of
/// problem.
const NAMED: f64 = 16.0;
const SAID: f64 = 5.0;
const EXPLAINS: f64 = 3.0;
/// A change of a host that the problem depends on, against one of the host itself.
const NEAR: f64 = 0.6;
/// What a deploy loses at most if nearly all hosts that have it are well: new versions break on some hosts first. What is left is as much as the
/// best that a change of one host can have.
const DEPLOY_SPREAD: f64 = 0.25;
/// What a host that merely has the row is worth of one on which the thing changed: it may have restarted the program since.
const HAS_ROW: f64 = 0.2;
/// From so many hosts on, a change of this share of all of them is no suspect unless half of those have the problem.
const EVERYBODY_HOSTS_MIN: usize = 5;
const EVERYBODY: f64 = 0.8;
/// Names of hosts that the words of a score show.
const HOSTS_TOLD_MAX: usize = 2;

/// The changes and deploys that may be behind the problem, the likeliest first; changes of columns that change all the time are last.
///
/// A deploy counts as much as a change whose table can explain the problem and that the alert names. Changes of its packages on its hosts are part
/// of it and no suspects of their own; one that was recognised by such a change came about when this did.
///
/// A score is a product: how much of the time in which the change came about lies before the onset, by its half-life; how rare it is on hosts
/// without the problem, and on how many with it; whether it is of the thing that the alert names. The factors were set by hand and tried on the
/// faults of seeds 1 to 30 of `suspects::world`; they are judged on other seeds, after which no number was set.
pub fn rank(onset: &Onset, changes: &[InventoryChange], deploys: &[DeployBefore], facts: &FleetFacts) -> Vec<Suspect> {
    let meant = Meant::of(&onset.names, &onset.output);
    let judge = Judge { onset, facts, meant: &meant };
    let before: Vec<&InventoryChange> = changes.iter().filter(|change| may_be_before(change, onset.at_ms)).collect();
    let mut suspects = Vec::new();
    let mut is_part = vec![false; before.len()];
    for deploy in deploys {
        let parts: Vec<usize> = (0..before.len()).filter(|at| deploy.has(before[*at])).collect();
        let changes: Vec<&InventoryChange> = parts.iter().map(|at| before[*at]).collect();
        if let Some(suspect) = judge.deploy(deploy, &changes) {
            suspects.push(suspect);
            parts.into_iter().for_each(|at| is_part[at] = true);
        }
    }
    let mut alike: BTreeMap<(u8, Row, Option<Row>), Vec<&InventoryChange>> = BTreeMap::new();
    for (change, _) in before.into_iter().zip(is_part).filter(|(_, is_part)| !is_part) {
        let after = change.after.as_ref().map(|row| essence(change.table, row));
        alike.entry((change.table.number, change.key.clone(), after)).or_default().push(change);
    }
    suspects.extend(alike.values().filter_map(|changes| judge.suspect(changes)));
    suspects.sort_by(|one, other| {
        let order = |suspect: &Suspect| (!suspect.is_news(), Reverse(suspect.times().0));
        let by_score = || other.score.total_cmp(&one.score);
        order(one).0.cmp(&order(other).0).then_with(by_score).then_with(|| order(one).cmp(&order(other)))
    });
    suspects
}

/// Whether its time may lie in the day before the onset.
fn may_be_before(change: &InventoryChange, onset_ms: i64) -> bool {
    change.since_ms <= onset_ms && change.at_ms >= onset_ms.saturating_sub(BEFORE_MS)
}

/// The mean of `2^(-age / half-life)` over the time in which a change came about; what of it is after the onset counts as nothing.
fn weight_of_time(since_ms: i64, at_ms: i64, onset_ms: i64, half_life_ms: f64) -> f64 {
    let age = |ms: i64| onset_ms.saturating_sub(ms).max(0) as f64;
    let halved = |age: f64| (-age / half_life_ms).exp2();
    let span = at_ms.saturating_sub(since_ms) as f64;
    if span < 1_000.0 {
        return if at_ms > onset_ms.saturating_add(1_000) { 0.0 } else { halved(age(at_ms)) };
    }
    (halved(age(at_ms)) - halved(age(since_ms))) * half_life_ms / (std::f64::consts::LN_2 * span)
}

struct Judge<'a> {
    onset: &'a Onset,
    facts: &'a FleetFacts,
    meant: &'a Meant,
}

/// Where a change or a deploy is: on hosts with the problem, beside it, and elsewhere.
struct Spread {
    affected: usize,
    near: usize,
    /// Hosts without the problem on which the same thing changed.
    others: usize,
    /// Further hosts without it that have the same row.
    have: usize,
}

impl Judge<'_> {
    fn suspect(&self, changes: &[&InventoryChange]) -> Option<Suspect> {
        let (best, time) = self.closest(changes)?;
        let hosts: BTreeSet<HostId> = changes.iter().map(|change| change.host).collect();
        let spread = self.spread(best, &hosts);
        let with = spread.affected + spread.others;
        let is_everybodys = self.facts.hosts >= EVERYBODY_HOSTS_MIN
            && with as f64 >= EVERYBODY * self.facts.hosts as f64
            && spread.affected * 2 < with;
        // Too little of its time lies before the onset to be told in words.
        if is_everybodys || time <= 0.0 {
            return None;
        }
        let fit = self.meant.fit(best);
        let score = time * self.rarity(&spread) * self.entity(&fit) / (NAMED * EXPLAINS);
        let when = when((best.since_ms, best.at_ms), self.onset.at_ms);
        let why = [Some(when), Some(self.place(&spread, &hosts)), self.meaning(best, &fit)];
        let why = why.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Some(Suspect { behind: Behind::Change(best.clone()), hosts: hosts.into_iter().collect(), score, why })
    }

    /// A deploy with the changes that are part of it.
    fn deploy(&self, before: &DeployBefore, parts: &[&InventoryChange]) -> Option<Suspect> {
        let onset_ms = self.onset.at_ms;
        let (since_ms, at_ms) = if before.is_recognised() {
            let (best, _) = self.closest(parts)?;
            (best.since_ms, best.at_ms)
        } else {
            (before.deploy.started_ms, before.deploy.ended_ms.unwrap_or(onset_ms).min(onset_ms))
        };
        let time = self.weight((since_ms, at_ms));
        let is_asked = |host: &&HostId| self.onset.affected.contains(host) || self.onset.near.contains(host);
        let hosts: BTreeSet<HostId> = before.hosts.iter().filter(is_asked).copied().collect();
        if hosts.is_empty() || time <= 0.0 {
            return None;
        }
        let is_affected = |host: &&HostId| self.onset.affected.contains(host);
        let affected = hosts.iter().filter(is_affected).count();
        let others = before.hosts.len() - hosts.len();
        let spread = Spread { affected, near: hosts.len() - affected, others, have: 0 };
        let well = others as f64 / before.hosts.len() as f64;
        let rarity = self.explained(&spread) * (1.0 - DEPLOY_SPREAD * well);
        let when = if before.is_recognised() || before.has_ended(onset_ms) {
            when((since_ms, at_ms), onset_ms)
        } else {
            format!("began {} before", span(onset_ms.saturating_sub(since_ms)))
        };
        let named = self.meant.names_text(&before.deploy.service).map(|word| format!("names {word}"));
        let part = parts.first().map(|change| format!("with {}", change.words));
        let why = [Some(when), Some(self.place(&spread, &hosts)), named, part];
        let why = why.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let deploy = before.deploy.clone();
        let behind = Behind::Deploy(DeploySuspect { words: before.words(onset_ms), deploy, since_ms, at_ms });
        Some(Suspect { behind, hosts: hosts.into_iter().collect(), score: time * rarity, why })
    }

    /// How much of a time lies shortly before the onset, from 0 to 1.
    fn weight(&self, (since_ms, at_ms): (i64, i64)) -> f64 {
        let of = |half_life_ms| weight_of_time(since_ms, at_ms, self.onset.at_ms, half_life_ms);
        (1.0 - SLOW_SHARE) * of(HALF_LIFE_MS) + SLOW_SHARE * of(SLOW_HALF_LIFE_MS)
    }

    /// The change that weighs most by its time, and how much.
    fn closest<'c>(&self, changes: &[&'c InventoryChange]) -> Option<(&'c InventoryChange, f64)> {
        let weighed = changes.iter().map(|one| (*one, self.weight((one.since_ms, one.at_ms))));
        weighed.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    fn spread(&self, change: &InventoryChange, hosts: &BTreeSet<HostId>) -> Spread {
        let is_affected = |host: &HostId| self.onset.affected.contains(host);
        let is_asked = |host: &HostId| is_affected(host) || self.onset.near.contains(host);
        let none = BTreeSet::new();
        let changed = self.facts.changed_on.get(&thing_of(change)).unwrap_or(&none);
        let row = change.after.as_ref().map(|row| (change.table.number, essence(change.table, row)));
        let have = row.and_then(|row| self.facts.have_now.get(&row)).unwrap_or(&none);
        Spread {
            affected: hosts.iter().filter(|host| is_affected(host)).count(),
            near: hosts.iter().filter(|host| !is_affected(host)).count(),
            others: changed.iter().filter(|host| !is_asked(host)).count(),
            have: have.iter().filter(|host| !is_asked(host) && !changed.contains(host)).count(),
        }
    }

    /// The share of hosts with this change that have the problem, with half a host added to either side since few are known; times the share
    /// of hosts with the problem that it can explain.
    fn rarity(&self, spread: &Spread) -> f64 {
        let with = if spread.affected == 0 { spread.near } else { spread.affected } as f64;
        let without = spread.others as f64 + HAS_ROW * spread.have as f64;
        self.explained(spread) * (with + 0.5) / (with + without + 1.0)
    }

    /// The share of hosts with the problem that it can explain.
    fn explained(&self, spread: &Spread) -> f64 {
        match spread.affected {
            0 => NEAR,
            with => (with as f64 / self.onset.affected.len().max(1) as f64).min(1.0),
        }
    }

    fn entity(&self, fit: &Fit) -> f64 {
        let named = if fit.named.is_some() {
            NAMED
        } else if fit.said.is_some() {
            SAID
        } else {
            1.0
        };
        // Of what kind it is is not known: then no table stands out.
        let explains = if fit.explains.is_some() && self.meant.has_kind() { EXPLAINS } else { 1.0 };
        named * explains
    }

    fn place(&self, spread: &Spread, hosts: &BTreeSet<HostId>) -> String {
        let others = match spread.others {
            0 => String::new(),
            1 => " and on 1 host without the problem".to_owned(),
            count => format!(" and on {count} hosts without the problem"),
        };
        let name = |host: &HostId| self.facts.names.get(host).cloned().unwrap_or_else(|| host.to_string());
        let on = match (spread.affected, self.onset.affected.len()) {
            (0, _) => {
                let names: Vec<String> = hosts.iter().take(HOSTS_TOLD_MAX).map(name).collect();
                format!("on {}, which it depends on", names.join(" and "))
            }
            (1, 0 | 1) => "on this host".to_owned(),
            (with, all) if with == all => format!("on all {all} hosts with the problem"),
            (with, all) => format!("on {with} of {all} hosts with the problem"),
        };
        if spread.others == 0 && spread.near == 0 { format!("only {on}") } else { format!("{on}{others}") }
    }

    fn meaning(&self, change: &InventoryChange, fit: &Fit) -> Option<String> {
        let state = (!change.is_news).then(|| "only a state".to_owned());
        let named = fit.named.as_ref().map(|word| format!("names {word}"));
        let said = fit.said.as_ref().map(|word| format!("its output names {word}"));
        let explains = fit.explains.map(|kind| format!("can explain trouble with {kind}"));
        let parts: Vec<String> = [state, named.or(said), explains].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// How long before the onset, as far as is known.
fn when((since_ms, at_ms): (i64, i64), onset_ms: i64) -> String {
    let (most, least) = (onset_ms.saturating_sub(since_ms), onset_ms.saturating_sub(at_ms));
    if least <= 0 {
        return if most < 1_000 { "at the same time".to_owned() } else { format!("at most {} before", span(most)) };
    }
    let (most, least) = (span(most), span(least));
    match (most.split_once(' '), least.split_once(' ')) {
        _ if most == least => format!("{least} before"),
        (Some((_, unit)), Some((number, same))) if unit == same => format!("{number} to {most} before"),
        _ => format!("{least} to {most} before"),
    }
}

fn span(ms: i64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        ..60 => format!("{seconds} s"),
        60..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
