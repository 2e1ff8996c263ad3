//! What happens to a world under faults: reloads, copies and restores, absences, and what people change and hold.

use muster_alert::routing::Silence;
use muster_common::disk::cut::DiskImage;
use muster_common::matcher::Matcher;
use muster_fleet::By;
use muster_fleet::status::{Acknowledgement, DowntimeSpec};

use super::Violation;
use super::node::{START_MS, at, later};
use super::rules::METRICS;
use super::script::Away;
use super::truth::{RENAMED, Result as CheckResult, Stand, Truth};
use super::world::{MINUTE_MS, Stop, World};

/// Who does what people do.
const ANN: By = By::Itself("ann");

/// A snapshot, with the world as it was.
pub(super) struct Copy {
    pub(super) image: DiskImage,
    pub(super) truth: Truth,
    pub(super) stands: Vec<Stand>,
    pub(super) next_notice: u64,
    /// What arrived since: the agents still hold it.
    pub(super) since: Vec<CheckResult>,
}

impl World {
    pub(super) fn reload(&mut self) -> Result<(), Violation> {
        self.truth.reload(self.truth.form.other(), self.now_ms);
        self.calm_ms = self.now_ms;
        self.tell(|| format!("{:?} is in force", self.truth.form));
        let failed = self.node.configure(self.truth.form, self.now_ms)?;
        let done = failed.map_or(Ok(()), |error| Err(Stop::Disk(error))).and_then(|()| self.pump());
        self.survive(done)
    }

    /// Takes a copy of the folder, or puts the last one back: agents send what they still hold.
    pub(super) fn copies(&mut self) -> Result<(), Violation> {
        if self.faults.restore == 0 {
            return Ok(());
        }
        if self.copy.is_none() || self.chance(20) {
            let stands = self.hosts.iter().map(|host| host.told).collect();
            let (truth, next_notice) = (self.truth.clone(), self.running()?.next_notice());
            self.tell(|| "the folder is copied".to_owned());
            self.copy = Some(Copy { image: self.node.copy(), truth, stands, next_notice, since: Vec::new() });
        }
        if !self.chance(self.faults.restore) {
            return Ok(());
        }
        let Some(copy) = self.copy.take() else { return Ok(()) };
        self.tell(|| format!("the copy before notice {} is put back", copy.next_notice));
        self.node.put_back(self.rng.u64(..), &copy.image);
        let form = self.truth.form;
        let names: Vec<String> = self.hosts.iter().map(|host| host.name.clone()).collect();
        for name in names.iter().filter(|name| !copy.truth.is_renamed(name)) {
            if self.truth.is_renamed(name) {
                self.end_values(name);
            }
        }
        self.truth = copy.truth;
        self.truth.reload(form, self.now_ms);
        for (host, stand) in self.hosts.iter_mut().zip(copy.stands) {
            host.told = stand;
        }
        self.refused.clear();
        let known: Vec<String> = names.into_iter().filter(|name| self.truth.is_host(name)).collect();
        self.ledger.restore(copy.next_notice, &known);
        self.restored_ms = Some(self.now_ms);
        self.start()?;
        let mut late = copy.since;
        late.retain(|one| self.truth.is_host(&one.key.0));
        late.iter_mut().for_each(|one| (one.arrived_ms, one.is_live) = (self.now_ms, false));
        self.deliver(&late)
    }

    /// Somebody changes what there is.
    pub(super) fn change(&mut self) -> Result<(), Stop> {
        let number = self.rng.usize(..self.hosts.len());
        let (name, id, now) = (self.hosts[number].name.clone(), self.node.hosts[number], at(self.now_ms));
        if !self.truth.is_host(&name) {
            return Ok(());
        }
        let what = self.rng.u32(..6);
        let fleet = &self.running()?.fleet;
        match what {
            0 if self.hosts[number].is_mover => {
                fleet.retire(id, "scrapped", &ANN, now)?;
                self.tell(|| format!("{name} is retired"));
                self.end_values(&name);
                self.truth.retire(&name, self.now_ms);
                self.ledger.retire(&name);
            }
            1 | 2 if self.hosts[number].is_mover && !self.truth.is_renamed(&name) => {
                fleet.rename(id, &format!("{name}{RENAMED}"), &ANN, now)?;
                self.tell(|| format!("{name} has another name"));
                self.end_values(&name);
                self.truth.rename(&name);
            }
            3 => {
                let is_lab = !self.truth.is_lab(&name);
                let labels = is_lab.then(|| ("env".to_owned(), "lab".to_owned())).into_iter().collect();
                fleet.relabel(id, &labels, &ANN, now)?;
                self.tell(|| format!("{name} is of the laboratory: {is_lab}"));
                self.truth.relabel(&name, is_lab);
            }
            0..=2 => return Ok(()),
            _ => {
                let checks = self.truth.checks();
                let Some(key) = checks.iter().find(|key| key.0 == name) else { return Ok(()) };
                fleet.forget_check(id, &key.1, &ANN, now)?;
                self.tell(|| format!("{key:?} is forgotten"));
                self.truth.forget(key);
                self.ledger.forget(key, self.now_ms);
            }
        }
        self.look()
    }

    /// Nothing more comes under this name.
    fn end_values(&mut self, name: &str) {
        let shown = self.truth.shown(name);
        (0..METRICS).for_each(|metric| self.values.note(metric, &shown, self.now_ms, None));
    }

    pub(super) fn absences(&mut self) -> Result<(), Violation> {
        let is_upgrade = self.chance(self.faults.upgrade);
        for number in 0..self.hosts.len() {
            if self.hosts[number].away.is_some() || !self.truth.is_host(&self.hosts[number].name) {
                continue;
            }
            let away = if is_upgrade {
                let until_ms = self.now_ms + self.rng.i64(20..=90) * 1_000;
                Away { until_ms, spools: true, is_stopped: false, is_restart: true }
            } else if self.chance(self.faults.absence / self.hosts.len() as u32) {
                let until_ms = self.now_ms + self.rng.i64(1..=40) * MINUTE_MS;
                Away { until_ms, spools: self.rng.bool(), is_stopped: self.rng.u32(..4) == 0, is_restart: false }
            } else {
                continue;
            };
            let host = &mut self.hosts[number];
            (host.away, host.heard_ms) = (Some(away), self.now_ms);
            let name = host.name.clone();
            self.tell(|| format!("{name} is away: {away:?}"));
            if away.is_restart {
                let until = later(self.now_ms, 120_000);
                self.truth.expect(&name, until.millis());
                self.running()?.fleet.expect_absence(self.node.hosts[number], until);
            }
        }
        if is_upgrade {
            let done = self.look();
            self.survive(done)?;
        }
        Ok(())
    }

    /// Somebody holds something, or lets it go.
    pub(super) fn hold(&mut self) -> Result<(), Stop> {
        let number = self.rng.usize(..self.hosts.len());
        let name = self.truth.shown(&self.hosts[number].name);
        let check = format!("c{}", self.rng.u32(..4));
        let (now_ms, span_ms) = (self.now_ms, self.rng.i64(2..=40) * MINUTE_MS);
        match self.rng.u32(..5) {
            0 | 1 => self.acknowledge(span_ms)?,
            2 => {
                let rules: Vec<&str> = self.truth.rules.names().collect();
                let check = if self.rng.bool() { check } else { rules[self.rng.usize(..rules.len())].to_owned() };
                let id = format!("s{}", self.silences.len());
                let matchers = vec![Matcher::equal("host", name.clone()), Matcher::equal("alertname", check.clone())];
                let (starts_ms, ends_ms) = (now_ms, now_ms + span_ms);
                let (created_by, comment) = ("ann".to_owned(), "at work".to_owned());
                let silence =
                    Silence { id: id.clone(), matchers, starts_ms, ends_ms, created_by, comment, updated_ms: now_ms };
                self.tell(|| format!("{name} {check} is silenced for {span_ms}"));
                self.truth.silence(&id, &(name, check), starts_ms, ends_ms);
                self.silences.push(id);
                self.running()?.change(now_ms, |desk| desk.silence(now_ms, silence, &ANN).unwrap_or_default())?;
            }
            3 if !self.silences.is_empty() => {
                let id = self.silences[self.rng.usize(..self.silences.len())].clone();
                self.tell(|| format!("silence {id} ends"));
                self.truth.expire(&id, now_ms);
                self.running()?.change(now_ms, |desk| desk.expire(now_ms, &id, &ANN).unwrap_or_default())?;
            }
            _ => {
                let check = self.rng.bool().then_some(check);
                let about = check.as_ref().map_or_else(String::new, |check| format!(", check={check}"));
                let mut spec = DowntimeSpec {
                    matchers: format!("host={name}{about}"),
                    starts_ms: now_ms + self.rng.i64(0..=10) * MINUTE_MS,
                    ends_ms: now_ms + 10 * MINUTE_MS + span_ms,
                    owner: "ann".to_owned(),
                    reason: "disks".to_owned(),
                    ..DowntimeSpec::default()
                };
                let (mut from_ms, mut to_ms) = (spec.starts_ms, spec.ends_ms);
                if self.rng.u32(..3) == 0 {
                    "daily 00:30-01:10".clone_into(&mut spec.recurrence);
                    (from_ms, to_ms) = (from_ms.max(START_MS + 30 * MINUTE_MS), to_ms.min(START_MS + 70 * MINUTE_MS));
                }
                self.tell(|| format!("downtime of {} {from_ms} to {to_ms}", spec.matchers));
                self.truth.downtime(&name, check.as_deref(), from_ms, to_ms);
                self.running()?.fleet.add_downtime(spec, &ANN, at(now_ms))?;
            }
        }
        self.pump()
    }

    fn acknowledge(&mut self, span_ms: i64) -> Result<(), Stop> {
        let mut bad = self.truth.hard_checks();
        bad.extend(self.truth.away().into_iter().map(|host| (host, String::new())));
        let Some(key) = self.rng.choice(&bad).cloned() else { return Ok(()) };
        let (until_ms, is_sticky) = (self.rng.bool().then_some(self.now_ms + span_ms), self.rng.bool());
        let Some(number) = self.hosts.iter().position(|host| host.name == key.0) else { return Ok(()) };
        let (by, comment) = ("ann".to_owned(), "I look".to_owned());
        let ack = Acknowledgement { by, comment, at_ms: self.now_ms, until_ms, is_sticky };
        self.tell(|| format!("{key:?} is acknowledged until {until_ms:?}, sticky {is_sticky}"));
        let check = Some(key.1.as_str()).filter(|check| !check.is_empty());
        match check {
            Some(_) => self.truth.acknowledge(&key, until_ms, is_sticky),
            None => self.truth.acknowledge_host(&key.0, until_ms, is_sticky),
        }
        let host = self.node.hosts[number];
        Ok(self.running()?.fleet.acknowledge(host, check, ack, &ANN, at(self.now_ms))?)
    }
}
