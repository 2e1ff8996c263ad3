//! What is bad and what holds it back, from what was done to the world alone: written from the promises of STATUS.md and ALERTING.md.

use std::collections::{BTreeMap, BTreeSet};

use super::Key;
use super::routes::Form;
use super::rule_truth::RuleTruth;
use super::rules::RULE;

/// How long what time alone brings may go unseen: the world looks every 30 s at the latest.
pub(super) const SLACK_MS: i64 = 31_000;
/// Of every check of these worlds.
pub(super) const INTERVAL_MS: i64 = 60_000;
/// How long hosts may take to be heard again once any is.
const RETURNING_MS: i64 = 120_000;
/// A result that is younger at its arrival came out of no spool.
const FRESH_MS: i64 = 10_000;
/// As long after the last result out of a spool.
const CATCHING_UP_MS: i64 = 60_000;
/// What the name of a host has behind it once it is renamed.
pub(super) const RENAMED: &str = "-new";

/// One result, as the script made it.
#[derive(Clone, Debug)]
pub(super) struct Result {
    pub(super) key: Key,
    /// The plugin's exit code.
    pub(super) state: u8,
    pub(super) at_ms: i64,
    pub(super) arrived_ms: i64,
    pub(super) is_live: bool,
    pub(super) max_attempts: u16,
    pub(super) is_volatile: bool,
    pub(super) parents: Vec<Key>,
}

/// How a host stands, as was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Present,
    Silent,
    Stopped,
}

#[derive(Clone, Debug, Default)]
struct Check {
    newest_ms: i64,
    arrived_ms: i64,
    is_live: bool,
    last: u8,
    bad_in_a_row: u16,
    /// 0: no problem that counts.
    hard: u8,
    recovered_ms: i64,
    parents: Vec<Key>,
    changes: Vec<bool>,
    is_flapping: bool,
    is_stale: bool,
    ack: Option<Ack>,
}

#[derive(Clone, Debug)]
struct Ack {
    until_ms: Option<i64>,
    is_sticky: bool,
}

#[derive(Clone, Debug)]
struct Span {
    /// Host, and check or all of them.
    host: String,
    check: Option<String>,
    from_ms: i64,
    to_ms: i64,
}

impl Span {
    fn is_about(&self, key: &Key) -> bool {
        self.host == key.0 && self.check.as_ref().is_none_or(|check| *check == key.1)
    }

    /// On now, and not only since a moment: it may not have been seen yet.
    fn is_surely_on(&self, now_ms: i64) -> bool {
        (self.from_ms + SLACK_MS..self.to_ms).contains(&now_ms)
    }

    fn is_perhaps_on(&self, now_ms: i64) -> bool {
        (self.from_ms..self.to_ms + SLACK_MS).contains(&now_ms)
    }
}

/// The world as it is.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    hosts: BTreeMap<String, (Stand, i64)>,
    /// Who knows of a host's absence.
    taken: BTreeMap<String, Ack>,
    /// Hosts that have another name now: see [`Truth::shown`].
    renamed: BTreeSet<String>,
    /// Hosts with the label of the laboratory.
    labs: BTreeSet<String>,
    returned: BTreeMap<String, i64>,
    /// Until when hosts said that they are away, and whether that is durable.
    expected: BTreeMap<String, (i64, bool)>,
    /// When those were back that said so.
    resumed: BTreeMap<String, i64>,
    checks: BTreeMap<Key, Check>,
    downtimes: Vec<Span>,
    /// By id.
    silences: BTreeMap<String, Span>,
    is_fleet_away: bool,
    fleet_back_ms: i64,
    ready_ms: i64,
    pub(super) form: Form,
    pub(super) rules: RuleTruth,
}

impl Truth {
    pub(super) fn new(hosts: impl Iterator<Item = String>, form: Form, rules: RuleTruth) -> Self {
        Self {
            hosts: hosts.map(|host| (host, (Stand::Present, 0))).collect(),
            taken: BTreeMap::new(),
            renamed: BTreeSet::new(),
            labs: BTreeSet::new(),
            returned: BTreeMap::new(),
            expected: BTreeMap::new(),
            resumed: BTreeMap::new(),
            checks: BTreeMap::new(),
            downtimes: Vec::new(),
            silences: BTreeMap::new(),
            is_fleet_away: false,
            fleet_back_ms: i64::MIN / 2,
            ready_ms: 0,
            form,
            rules,
        }
    }

    pub(super) fn result(&mut self, one: &Result) {
        let is_first = !self.checks.contains_key(&one.key);
        let check = self.checks.entry(one.key.clone()).or_default();
        if one.at_ms <= check.newest_ms {
            return;
        }
        check.changes.push(!is_first && check.last != one.state);
        if check.changes.len() > 20 {
            check.changes.remove(0);
        }
        let count = check.changes.len();
        let weight = |age: usize| 1.15 - 0.35 * age as f64 / 19.0;
        let sum: f64 = (0..count).filter(|age| check.changes[count - 1 - age]).map(weight).sum();
        check.is_flapping = if check.is_flapping { sum * 5.0 >= 25.0 } else { sum * 5.0 > 30.0 };
        (check.newest_ms, check.arrived_ms, check.is_live) =
            (one.at_ms, one.arrived_ms, one.is_live || one.arrived_ms - one.at_ms < FRESH_MS);
        (check.last, check.is_stale) = (one.state, false);
        check.parents.clone_from(&one.parents);
        let before = check.hard;
        if one.state == 0 {
            if check.hard != 0 {
                check.recovered_ms = one.at_ms;
            }
            (check.hard, check.bad_in_a_row) = (0, 0);
        } else {
            check.bad_in_a_row += 1;
            if check.bad_in_a_row >= one.max_attempts {
                check.hard = one.state;
            }
        }
        let ends = |ack: &Ack| check.hard == 0 || (before != check.hard && !ack.is_sticky);
        if check.ack.as_ref().is_some_and(ends) {
            check.ack = None;
        }
    }

    pub(super) fn stand(&mut self, host: &str, stand: Stand, now_ms: i64) {
        let Some(before) = self.hosts.insert(host.to_owned(), (stand, now_ms)) else { return };
        if before.0 != Stand::Present && stand == Stand::Present {
            self.returned.insert(host.to_owned(), now_ms);
        }
        if self.taken.get(host).is_some_and(|ack| stand == Stand::Present || !ack.is_sticky) {
            self.taken.remove(host);
        }
        self.compare_all(now_ms);
    }

    fn compare_all(&mut self, now_ms: i64) {
        let away: Vec<i64> = self.hosts.values().filter(|one| one.0 != Stand::Present).map(|one| one.1).collect();
        let apart = away.iter().max().zip(away.iter().min()).map_or(0, |(last, first)| last - first);
        let all = away.len() == self.hosts.len() && away.len() >= 3;
        let was_away = self.is_fleet_away;
        self.is_fleet_away = all && (was_away || apart <= 60_000);
        if was_away && !self.is_fleet_away {
            self.fleet_back_ms = now_ms;
        }
    }

    pub(super) fn expect(&mut self, host: &str, until_ms: i64) {
        self.expected.insert(host.to_owned(), (until_ms, false));
    }

    pub(super) fn expect_no_more(&mut self, host: &str, now_ms: i64) {
        if self.expected.remove(host).is_some() {
            self.resumed.insert(host.to_owned(), now_ms);
        }
    }

    /// A host is no more: nothing is said of it from now on.
    pub(super) fn retire(&mut self, host: &str, now_ms: i64) {
        self.hosts.remove(host);
        self.checks.retain(|key, _| key.0 != host);
        self.compare_all(now_ms);
    }

    pub(super) fn is_host(&self, host: &str) -> bool {
        self.hosts.contains_key(host)
    }

    /// A host has another name: what was said of the old one no longer concerns it.
    pub(super) fn rename(&mut self, host: &str) {
        self.renamed.insert(host.to_owned());
    }

    pub(super) fn is_renamed(&self, host: &str) -> bool {
        self.renamed.contains(host)
    }

    /// The name that a host has now; here it keeps the one that it began with.
    pub(super) fn shown(&self, host: &str) -> String {
        if self.renamed.contains(host) { format!("{host}{RENAMED}") } else { host.to_owned() }
    }

    /// A host has the label of the laboratory, or no more.
    pub(super) fn relabel(&mut self, host: &str, is_lab: bool) {
        if is_lab {
            self.labs.insert(host.to_owned());
        } else {
            self.labs.remove(host);
        }
    }

    pub(super) fn is_lab(&self, host: &str) -> bool {
        self.labs.contains(host)
    }

    /// Who is told of this.
    pub(super) fn receivers(&self, key: &Key) -> &'static [&'static str] {
        self.form.receivers(&key.1, self.labs.contains(&key.0) && !key.1.starts_with(RULE))
    }

    /// A check is forgotten until its next result.
    pub(super) fn forget(&mut self, key: &Key) {
        self.checks.remove(key);
    }

    pub(super) fn checks(&self) -> Vec<Key> {
        self.checks.keys().cloned().collect()
    }

    /// Hosts that are known to be away.
    pub(super) fn away(&self) -> Vec<String> {
        self.hosts.iter().filter(|(_, one)| one.0 != Stand::Present).map(|(host, _)| host.clone()).collect()
    }

    /// Somebody knows that this host is away.
    pub(super) fn acknowledge_host(&mut self, host: &str, until_ms: Option<i64>, is_sticky: bool) {
        self.taken.insert(host.to_owned(), Ack { until_ms, is_sticky });
    }

    /// What hosts said so far is on disk.
    pub(super) fn settled(&mut self) {
        self.expected.values_mut().for_each(|one| one.1 = true);
    }

    pub(super) fn acknowledge(&mut self, key: &Key, until_ms: Option<i64>, is_sticky: bool) {
        if let Some(check) = self.checks.get_mut(key) {
            check.ack = Some(Ack { until_ms, is_sticky });
        }
    }

    pub(super) fn downtime(&mut self, host: &str, check: Option<&str>, from_ms: i64, to_ms: i64) {
        let (host, check) = (host.to_owned(), check.map(str::to_owned));
        self.downtimes.push(Span { host, check, from_ms, to_ms });
    }

    pub(super) fn silence(&mut self, id: &str, key: &Key, from_ms: i64, to_ms: i64) {
        let span = Span { host: key.0.clone(), check: Some(key.1.clone()), from_ms, to_ms };
        self.silences.insert(id.to_owned(), span);
    }

    pub(super) fn expire(&mut self, id: &str, now_ms: i64) {
        if let Some(span) = self.silences.get_mut(id) {
            span.to_ms = span.to_ms.min(now_ms);
        }
    }

    /// A new process: what hosts said of their absence it knows as far as that was on disk.
    pub(super) fn restarted(&mut self, now_ms: i64) {
        self.ready_ms = now_ms;
        self.expected.retain(|_, one| one.1);
        self.rules.restarted(now_ms);
    }

    pub(super) fn reload(&mut self, form: Form, now_ms: i64) {
        self.form = form;
        self.rules.reload(form, now_ms);
    }

    pub(super) fn hard_checks(&self) -> Vec<Key> {
        self.checks.iter().filter(|(_, check)| check.hard != 0).map(|(key, _)| key.clone()).collect()
    }

    /// Time has passed: of what did nothing come for too long? Of a host that is away, or expected back, nothing is late.
    pub(super) fn look(&mut self, now_ms: i64) {
        for (key, check) in &mut self.checks {
            let expected_ms = self.expected.get(&key.0).map(|one| one.0);
            let heard = [self.returned.get(&key.0).copied(), self.resumed.get(&key.0).copied(), expected_ms];
            let grace_ms = heard.into_iter().flatten().fold(self.ready_ms, i64::max) + 120_000;
            let due_ms = (check.arrived_ms + 3 * INTERVAL_MS + 60_000).max(grace_ms);
            let is_present = self.hosts.get(&key.0).is_some_and(|one| one.0 == Stand::Present);
            check.is_stale |= is_present && now_ms >= due_ms;
        }
    }

    /// Whether it may be told to fire.
    pub(super) fn may_fire(&self, key: &Key) -> bool {
        match key.1.as_str() {
            "NothingReceived" => self.is_fleet_away,
            "HostSilent" => self.hosts.get(&key.0).is_some_and(|one| one.0 == Stand::Silent),
            "HostStopped" => self.hosts.get(&key.0).is_some_and(|one| one.0 == Stand::Stopped),
            name if name.starts_with(RULE) => self.rules.fires(key),
            _ => self.checks.get(key).is_some_and(|check| check.hard != 0 || check.is_stale),
        }
    }

    /// Whether it fires for certain, so that nobody may be told its end.
    pub(super) fn must_fire(&self, key: &Key) -> bool {
        match self.checks.get(key) {
            Some(check) => check.hard != 0 || check.is_stale,
            None => self.may_fire(key),
        }
    }

    fn is_bad(&self, parent: &Key) -> bool {
        match self.checks.get(parent) {
            Some(check) => check.hard != 0,
            None => self.hosts.get(&parent.0).is_some_and(|one| parent.1.is_empty() && one.0 != Stand::Present),
        }
    }

    /// When a parent was well again; one that nobody knows is no parent.
    fn recovered_ms(&self, parent: &Key) -> i64 {
        match self.checks.get(parent) {
            Some(check) => check.recovered_ms,
            None if parent.1.is_empty() && self.is_host(&parent.0) => {
                self.returned.get(&parent.0).copied().unwrap_or(0)
            }
            None => i64::MIN,
        }
    }

    /// What a problem is about, by the name that people see.
    fn shown_key(&self, key: &Key) -> Key {
        if key.1.starts_with(RULE) { key.clone() } else { (self.shown(&key.0), key.1.clone()) }
    }

    /// Why it must not be told to this receiver. Of what begins or ends by time only what has been so for a moment counts.
    pub(super) fn held(&self, key: &Key, now_ms: i64) -> Option<&'static str> {
        let shown = &self.shown_key(key);
        let span = |spans: &mut dyn Iterator<Item = &Span>| {
            spans.filter(|span| span.is_about(shown)).any(|span| span.is_surely_on(now_ms))
        };
        if span(&mut self.silences.values()) {
            return Some("a silence");
        }
        if key.1.starts_with(RULE) {
            return self.rules.is_held(key).then_some("missing data");
        }
        if span(&mut self.downtimes.iter()) {
            return Some("a downtime");
        }
        if self.form.is_muted(&key.1, now_ms) && self.form.is_muted(&key.1, now_ms - SLACK_MS) {
            return Some("a mute time");
        }
        let stand = self.hosts.get(&key.0).map_or(Stand::Present, |one| one.0);
        let is_on = |ack: &Ack| ack.until_ms.is_none_or(|until_ms| now_ms < until_ms);
        let Some(check) = self.checks.get(key) else {
            if self.taken.get(&key.0).is_some_and(is_on) {
                return Some("an acknowledgement");
            }
            let is_all = self.is_fleet_away || now_ms < self.fleet_back_ms + RETURNING_MS;
            return (is_all && !key.0.is_empty()).then_some("that nothing is received");
        };
        if stand != Stand::Present {
            return Some("its host's absence");
        }
        if check.ack.as_ref().is_some_and(is_on) {
            return Some("an acknowledgement");
        }
        if check.is_flapping {
            return Some("flapping");
        }
        if !check.is_live && !check.is_stale && now_ms < check.arrived_ms + CATCHING_UP_MS {
            return Some("catching up");
        }
        let is_down = |parent: &Key| self.is_bad(parent) || check.newest_ms <= self.recovered_ms(parent);
        if check.parents.iter().filter(|parent| !self.renamed.contains(&parent.0)).any(is_down) {
            return Some("a parent");
        }
        let source = (key.0.clone(), "c3".to_owned());
        if key.1 == "c1" && self.checks.get(&source).is_some_and(|source| source.hard == 2) {
            return Some("an inhibiting alert");
        }
        self.expected.get(&key.0).is_some_and(|one| now_ms < one.0).then_some("an expected absence")
    }

    /// Everybody who must know of it now, for the rule that all that is free is told.
    pub(super) fn free(&self, now_ms: i64) -> BTreeSet<(Key, &'static str)> {
        let own = |host: &String| ["HostSilent", "HostStopped"].map(|name| (host.clone(), name.to_owned()));
        let mut keys: Vec<Key> = self.checks.keys().cloned().collect();
        keys.extend(self.hosts.keys().flat_map(own));
        keys.push((String::new(), "NothingReceived".to_owned()));
        keys.extend(self.rules.firing().cloned());
        let mut free = BTreeSet::new();
        for key in keys {
            let shown = self.shown_key(&key);
            let is_perhaps = |span: &Span| span.is_about(&shown) && span.is_perhaps_on(now_ms);
            let downtimes = self.downtimes.iter().filter(|_| !key.1.starts_with(RULE));
            let is_perhaps_held = downtimes.chain(self.silences.values()).any(is_perhaps)
                || self.form.is_muted(&key.1, now_ms)
                || self.form.is_muted(&key.1, now_ms - SLACK_MS);
            if self.must_fire(&key) && !is_perhaps_held && self.held(&key, now_ms).is_none() {
                free.extend(self.receivers(&key).iter().map(|receiver| (key.clone(), *receiver)));
            }
        }
        free
    }
}
