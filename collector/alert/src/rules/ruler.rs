//! All groups in force: reloading, restoring, and which is due.

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::stat::Stat;

use super::alerting::{AlertingState, Stepped};
use super::file::RuleFile;
use super::group::RunningGroup;
use super::planted::Planted;
use super::rows;
use crate::alert::AlertChange;

/// The groups of all rule files.
#[derive(Debug)]
pub struct Ruler {
    store: [u8; 16],
    incarnation: u64,
    groups: Vec<RunningGroup>,
    restore_faults: u64,
    planted: Option<Planted>,
}

impl Ruler {
    /// Without rules. `store` and `incarnation`: the data folder's.
    pub fn new(store: [u8; 16], incarnation: u64) -> Self {
        Self { store, incarnation, groups: Vec::new(), restore_faults: 0, planted: None }
    }

    /// Switches a deliberate bug on, before the first [`Ruler::reload`].
    #[cfg(any(test, feature = "planted"))]
    pub fn plant(&mut self, bug: Planted) {
        self.planted = Some(bug);
    }

    pub fn groups(&self) -> &[RunningGroup] {
        &self.groups
    }

    pub fn groups_mut(&mut self) -> &mut [RunningGroup] {
        &mut self.groups
    }

    /// Puts these rules into force. Rules that mean the same go on as they are; alerts of others end, and their series.
    pub fn reload(&mut self, files: &[RuleFile], now_ms: i64) -> Stepped {
        let mut older: Vec<RunningGroup> = std::mem::take(&mut self.groups);
        let mut all = Stepped::default();
        for spec in files.iter().flat_map(|file| &file.groups) {
            let mut group = RunningGroup::new(Arc::clone(spec), self.store, self.incarnation, now_ms);
            let same = |other: &RunningGroup| other.spec().file == spec.file && other.spec().name == spec.name;
            if let Some(place) = older.iter().position(same) {
                add(&mut all, group.adopt(older.swap_remove(place), now_ms));
            }
            self.groups.push(group);
        }
        let mut orphans: Vec<Arc<LabelSet>> = Vec::new();
        for group in older {
            let (ended, series) = group.end(now_ms);
            add(&mut all, ended);
            orphans.extend(series);
        }
        // Any group can end a series. Without one they end by lookback.
        if let Some(group) = self.groups.first_mut() {
            group.end_series(orphans);
        }
        self.groups.iter_mut().for_each(|group| group.plant(self.planted));
        if Planted::RemovedRuleGoesOn.is(self.planted) {
            all.changes.clear();
        }
        all
    }

    /// Takes in the rows of `SmallTable::Alerts`, once, after the first [`Ruler::reload`]. Firing alerts are told again as they were, so that
    /// whoever follows can compare; those whose rule is no longer there end. A row that cannot be read is removed, and counted.
    pub fn restore<'r>(&mut self, stored: impl IntoIterator<Item = (&'r [u8], &'r [u8])>, now_ms: i64) -> Stepped {
        let mut places = HashMap::new();
        for (at, group) in self.groups.iter().enumerate() {
            for (place, rule) in group.rules.iter().enumerate() {
                places.entry(rule.key).or_insert((at, place));
            }
        }
        let mut all = Stepped::default();
        for (key, value) in stored {
            let Some((rule, id)) = rows::read_key(key) else { continue };
            let active = match rows::decode(value).and_then(rows::AlertRow::restored) {
                Ok(active) => active,
                Err(_) => {
                    self.restore_faults += 1;
                    all.rows.push(rows::removed(rule, id));
                    continue;
                }
            };
            match places.get(&rule) {
                Some((at, place)) => self.groups[*at].restore(*place, id, active, now_ms),
                None => {
                    let mut gone = AlertingState::new(rule);
                    gone.active.insert(id, active);
                    add(&mut all, gone.end_all(now_ms, "its rule is no longer there"));
                }
            }
        }
        for group in &self.groups {
            let firing = group.rules().flat_map(|(_, _, alerts)| alerts).filter(|(state, _)| *state == "firing");
            all.changes.extend(firing.map(|(_, alert)| AlertChange::Firing(Box::new(alert))));
        }
        all
    }

    /// When the next group is due.
    pub fn next_ms(&self) -> Option<i64> {
        self.groups.iter().map(RunningGroup::next_ms).min()
    }

    /// Own numbers.
    pub fn stats(&self) -> Vec<Stat> {
        let mut sum = super::group::GroupCounts::default();
        for counts in self.groups.iter().map(RunningGroup::counts) {
            sum.rounds += counts.rounds;
            sum.missed += counts.missed;
            sum.evaluations += counts.evaluations;
            sum.failures += counts.failures;
            sum.template_faults += counts.template_faults;
        }
        let firing = |state: &str| {
            let alerts = self.groups.iter().flat_map(RunningGroup::rules).flat_map(|(_, _, alerts)| alerts);
            alerts.filter(|(own, _)| *own == state).count() as f64
        };
        let took: f64 = self.groups.iter().map(|group| group.times().1.as_secs_f64()).sum();
        #[expect(clippy::cast_precision_loss, reason = "an interval is far below 2^53 ms")]
        let busy = |group: &RunningGroup| group.times().0.as_secs_f64() * 1000.0 / group.spec().interval_ms as f64;
        let busiest = self.groups.iter().map(busy).fold(0.0, f64::max);
        vec![
            Stat {
                value: took,
                ..Stat::counter("muster_collector_rule_seconds_total", "Seconds that rounds of rule groups took.", 0)
            },
            Stat::gauge(
                "muster_collector_rule_busy_ratio",
                "The longest latest round of a rule group over its interval; at 1 ticks are missed.",
                busiest,
            ),
            Stat::gauge("muster_collector_rule_groups", "Rule groups in force.", self.groups.len() as f64),
            Stat::counter("muster_collector_rule_rounds_total", "Rounds of rule groups.", sum.rounds),
            Stat::counter(
                "muster_collector_rule_rounds_missed_total",
                "Ticks of rule groups that came too late and were left out.",
                sum.missed,
            ),
            Stat::counter("muster_collector_rule_evaluations_total", "Evaluations of rules.", sum.evaluations),
            Stat::counter("muster_collector_rule_failures_total", "Evaluations of rules that failed.", sum.failures),
            Stat::counter(
                "muster_collector_rule_template_faults_total",
                "Templates of rules that went wrong.",
                sum.template_faults,
            ),
            Stat::counter(
                "muster_collector_rule_restore_faults_total",
                "Stored alerts that could not be read.",
                self.restore_faults,
            ),
            Stat::gauge("muster_collector_rule_alerts", "Alerts of rules.", firing("pending")).with("state", "pending"),
            Stat::gauge("muster_collector_rule_alerts", "Alerts of rules.", firing("firing")).with("state", "firing"),
        ]
    }
}

fn add(all: &mut Stepped, more: Stepped) {
    all.changes.extend(more.changes);
    all.rows.extend(more.rows);
    all.template_faults += more.template_faults;
}
