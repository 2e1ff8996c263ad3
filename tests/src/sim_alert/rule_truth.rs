//! Which rules fire for which hosts, from the values of the script and the times at which rules were looked at: written from ALERTING.md.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::routes::Form;
use super::rules::{LIMIT, Missing, Spec, Values};
use super::{Key, Violation};

/// How long after a start missing data say nothing.
const SETTLING_MS: i64 = 120_000;
/// The longest interval of a group, how far behind it looks, and a look that a crash took.
const LATE_MS: i64 = 3 * 60_000;

/// A condition that holds, or is taken to.
#[derive(Clone, Debug)]
struct Active {
    since_ms: i64,
    firing_ms: Option<i64>,
    kept_ms: Option<i64>,
    /// Nothing is known of it.
    is_held: bool,
}

#[derive(Clone, Debug)]
pub(super) struct RuleTruth {
    specs: Arc<[Spec]>,
    form: Form,
    /// By host and rule.
    active: BTreeMap<Key, Active>,
    /// Metrics that had data since the start, of rules that miss them.
    seen: BTreeSet<Key>,
    /// Since when nothing delays a rule.
    calm_ms: i64,
    ready_ms: i64,
}

/// A tick of a group.
pub(super) struct Look<'a> {
    pub(super) group: &'a str,
    pub(super) at_ms: i64,
    /// The time of the values that it sees.
    pub(super) sample_ms: i64,
    pub(super) values: &'a Values,
    /// Names of hosts that are known to be away.
    pub(super) away: &'a [String],
}

impl RuleTruth {
    pub(super) fn new(specs: Vec<Spec>, form: Form) -> Self {
        Self { specs: specs.into(), form, active: BTreeMap::new(), seen: BTreeSet::new(), calm_ms: 0, ready_ms: 0 }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.specs.iter().map(|spec| spec.name)
    }

    /// Other rules are in force: alerts of those that are no more have ended.
    pub(super) fn reload(&mut self, form: Form, now_ms: i64) {
        (self.form, self.calm_ms) = (form, now_ms);
        let is_there = |key: &Key| self.specs.iter().any(|spec| spec.name == key.1 && spec.for_ms(form).is_some());
        self.active.retain(|key, _| is_there(key));
        self.seen.retain(is_there);
    }

    /// A new process: it knows what is active, and not what had data before.
    pub(super) fn restarted(&mut self, now_ms: i64) {
        (self.ready_ms, self.calm_ms) = (now_ms, now_ms);
        self.seen.retain(|key| self.active.contains_key(key));
    }

    pub(super) fn fires(&self, key: &Key) -> bool {
        self.active.get(key).is_some_and(|one| one.firing_ms.is_some())
    }

    pub(super) fn is_held(&self, key: &Key) -> bool {
        self.active.get(key).is_some_and(|one| one.is_held)
    }

    pub(super) fn firing(&self) -> impl Iterator<Item = &Key> {
        self.active.iter().filter(|(_, one)| one.firing_ms.is_some()).map(|(key, _)| key)
    }

    /// A group was looked at.
    pub(super) fn look(&mut self, look: &Look<'_>) -> Result<(), Violation> {
        for spec in self.specs.clone().iter() {
            let Some(for_ms) = spec.for_ms(self.form).filter(|_| spec.group == look.group) else { continue };
            for host in look.values.hosts(spec.metric) {
                self.step(spec, for_ms, host, look)?;
            }
        }
        Ok(())
    }

    fn step(&mut self, spec: &Spec, for_ms: i64, host: &str, look: &Look<'_>) -> Result<(), Violation> {
        let key = (host.to_owned(), spec.name.to_owned());
        let value = look.values.at(spec.metric, host, look.sample_ms);
        let is_settling = look.at_ms < self.ready_ms + SETTLING_MS;
        let is_unknown =
            value.is_none() && spec.missing != Missing::Ok && (is_settling || look.away.iter().any(|one| one == host));
        if value.is_some() && spec.missing == Missing::Alert {
            self.seen.insert(key.clone());
        }
        let is_missed = value.is_none() && self.seen.contains(&key) && spec.missing == Missing::Alert && !is_unknown;
        if is_missed || value.is_some_and(|value| value > LIMIT) {
            let fresh = Active { since_ms: look.at_ms, firing_ms: None, kept_ms: None, is_held: false };
            let one = self.active.entry(key).or_insert(fresh);
            (one.kept_ms, one.is_held) = (None, false);
            if one.firing_ms.is_none() && look.at_ms - one.since_ms >= for_ms {
                one.firing_ms = Some(look.at_ms);
                let from_ms = look.sample_ms - for_ms;
                if self.calm_ms < from_ms && look.values.was_well(spec.metric, host, from_ms, look.sample_ms) {
                    return Err(Violation(format!("the account is wrong: {} fires for {host} too early", spec.name)));
                }
            }
            return Ok(());
        }
        let Some(one) = self.active.get_mut(&key) else { return Ok(()) };
        one.is_held = is_unknown;
        if is_unknown {
            return Ok(());
        }
        if one.firing_ms.is_some() && spec.keep_ms > 0 {
            let kept_ms = *one.kept_ms.get_or_insert(look.at_ms);
            if look.at_ms - kept_ms < spec.keep_ms {
                return Ok(());
            }
        }
        self.active.remove(&key);
        Ok(())
    }

    /// What holds since long must fire: by the script and the clock alone.
    pub(super) fn overdue(&self, values: &Values, now_ms: i64) -> Result<(), Violation> {
        for spec in self.specs.iter() {
            let Some(for_ms) = spec.for_ms(self.form) else { continue };
            for host in values.hosts(spec.metric) {
                let Some(bad_ms) = values.bad_since_ms(spec.metric, host, now_ms) else { continue };
                let key = (host.to_owned(), spec.name.to_owned());
                let due_ms = bad_ms.max(self.calm_ms) + for_ms + spec.interval_ms() + LATE_MS;
                if now_ms > due_ms && !self.fires(&key) {
                    return Err(Violation(format!("{key:?} holds since {bad_ms} and was not looked at")));
                }
            }
        }
        Ok(())
    }
}
