//! A group in force: when it is due, and what a round of its rules makes.
//!
//! A group has its own grid of ticks, shifted by a hash of its name, so that groups of one interval do not all run at once. Tick `k` is at
//! `k * interval + shift` and looks `query_offset` behind; its samples are one batch with seq `k` of the group's own run (EXACTLY-ONCE.md rule
//! 21): a tick repeated after a crash is dropped whole by the store. A tick that was missed is counted and not made up, so a slow group does not
//! pile up. Rules run in order; what one records the later ones see in the same round, over the view of the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::{LabelSet, NAME, SeriesId};
use muster_common::sample::stale;
use muster_common::wire::message::Epoch;
use muster_fleet::SmallRow;
use muster_query::{MemorySeries, Prepared};
use xxhash_rust::xxh3::xxh3_64;

use super::active::Active;
use super::alerting::{AlertingState, StepContext, Stepped, Vector};
use super::ask::Ask;
use super::file::{AlertSpec, Rule, RuleExpr, RuleGroup, RuleKind};
use super::metric_check::{self, MetricResult};
use super::planted::Planted;
use super::recording::RecordingState;
use super::rows::rule_key;
use crate::alert::{Alert, AlertChange, AlertId};
use crate::template::Asked;

/// The metric of what is pending and firing.
const ALERTS: &str = "ALERTS";
/// The metric of since when.
const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// Samples of one tick: all that the group writes then.
#[derive(Clone, Debug)]
pub struct RuleBatch {
    pub run: Epoch,
    /// The seq.
    pub tick: u64,
    /// Series, milliseconds, value.
    pub samples: Vec<(Arc<LabelSet>, i64, f64)>,
}

/// A tick whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub tick: u64,
    pub at_ms: i64,
    /// Ticks before it that were missed.
    pub missed: u64,
}

/// What all groups look at.
pub struct RuleContext<'a> {
    pub external_labels: &'a LabelSet,
    pub external_url: &'a str,
    /// When the collector was ready, milliseconds.
    pub ready_ms: i64,
    /// Whether this host has said that it would be away.
    pub is_away: &'a dyn Fn(&str) -> bool,
}

/// What a round made.
#[derive(Debug)]
pub struct Round {
    pub batch: RuleBatch,
    /// Of checks of kind metric: for fleet.
    pub results: Vec<MetricResult>,
    pub changes: Vec<AlertChange>,
    /// Of `SmallTable::Alerts`; in the transaction of what follows of `changes`.
    pub rows: Vec<SmallRow>,
}

/// How a rule did last.
#[derive(Clone, Debug, Default)]
pub struct RuleHealth {
    /// `None`: not yet evaluated, or well.
    pub error: Option<String>,
    pub evaluated_ms: Option<i64>,
    pub evaluations: u64,
    pub failures: u64,
    pub template_faults: u64,
}

/// Counts of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupCounts {
    pub rounds: u64,
    pub missed: u64,
    pub evaluations: u64,
    pub failures: u64,
    pub template_faults: u64,
}

#[derive(Debug)]
pub(super) struct RunningRule {
    pub(super) key: [u8; 16],
    state: State,
    /// What it wrote last, to end what is gone.
    previous: HashMap<SeriesId, Arc<LabelSet>>,
    health: RuleHealth,
}

#[derive(Debug)]
enum State {
    Recording(RecordingState),
    Alerting {
        alerts: AlertingState,
        written: HashMap<(AlertId, bool), [Arc<LabelSet>; 2]>,
    },
    /// All that a check is lies with fleet.
    Check,
}

/// What one rule made.
#[derive(Default)]
struct Made {
    samples: Vector,
    stepped: Stepped,
    results: Vec<MetricResult>,
    /// What went wrong with a part of it.
    error: Option<String>,
}

/// A group in force.
#[derive(Debug)]
pub struct RunningGroup {
    spec: Arc<RuleGroup>,
    run: Epoch,
    shift_ms: i64,
    last_tick: Option<u64>,
    pub(super) rules: Vec<RunningRule>,
    /// Series of rules that are no longer there: to be ended by the next batch.
    orphans: Vec<Arc<LabelSet>>,
    missed: u64,
    rounds: u64,
    took: Duration,
    took_all: Duration,
}

/// The run of a group's batches. `store` and `incarnation`: the data folder's.
fn run_of(store: [u8; 16], incarnation: u64, group: &RuleGroup) -> Epoch {
    // The first half sorts as a creation time; the incarnation stands for it, as for the other runs of the collector.
    let created = i64::try_from(incarnation).unwrap_or(i64::MAX).max(1);
    // The interval too: ticks of another grid are other ticks.
    let name = [&b"rules\0"[..], group.file.as_bytes(), b"\0", group.name.as_bytes(), b"\0"].concat();
    Epoch::new(created, xxh3_64(&[store.as_slice(), &name, &group.interval_ms.to_le_bytes()].concat()))
}

impl RunningGroup {
    /// A group that has not run yet: its first tick is the first after now.
    pub fn new(spec: Arc<RuleGroup>, store: [u8; 16], incarnation: u64, now_ms: i64) -> Self {
        let run = run_of(store, incarnation, &spec);
        let name = [spec.file.as_bytes(), b"\0", spec.name.as_bytes()].concat();
        #[expect(clippy::cast_possible_wrap, reason = "only the rest of the division counts")]
        let shift_ms = (xxh3_64(&name) as i64).rem_euclid(spec.interval_ms);
        let rules = spec.rules.iter().map(|rule| RunningRule::new(&spec, rule)).collect();
        let mut group = Self {
            spec,
            run,
            shift_ms,
            last_tick: None,
            rules,
            orphans: Vec::new(),
            missed: 0,
            rounds: 0,
            took: Duration::ZERO,
            took_all: Duration::ZERO,
        };
        group.last_tick = group.tick_at(now_ms);
        group
    }

    pub fn spec(&self) -> &Arc<RuleGroup> {
        &self.spec
    }

    pub fn run(&self) -> Epoch {
        self.run
    }

    /// The last tick at or before this time.
    fn tick_at(&self, now_ms: i64) -> Option<u64> {
        u64::try_from((now_ms - self.shift_ms).div_euclid(self.spec.interval_ms)).ok()
    }

    /// The time of a tick.
    fn time_of(&self, tick: u64) -> i64 {
        i64::try_from(tick).unwrap_or(i64::MAX).saturating_mul(self.spec.interval_ms).saturating_add(self.shift_ms)
    }

    /// When the next tick is, as long as nobody sets the clock back: whoever waits for it looks again each second or so.
    pub fn next_ms(&self) -> i64 {
        self.time_of(self.last_tick.map_or(0, |tick| tick + 1))
    }

    /// The tick that is to be evaluated now, if one is: the latest; those before it are missed. Where the clock was set back by more than a
    /// tick the group goes on from there: alerts are told, while the store drops the batches until its mark is passed.
    pub fn due(&self, now_ms: i64) -> Option<Due> {
        let tick = self.tick_at(now_ms)?;
        let missed = match self.last_tick {
            Some(last) if tick == last || tick + 1 == last => return None,
            Some(last) => tick.saturating_sub(last + 1),
            None => 0,
        };
        Some(Due { tick, at_ms: self.time_of(tick), missed })
    }

    /// Evaluates all rules at a tick.
    pub fn evaluate(&mut self, due: Due, ask: &dyn Ask, context: &RuleContext<'_>) -> Round {
        self.last_tick = Some(due.tick);
        self.missed += due.missed;
        self.rounds += 1;
        let spec = Arc::clone(&self.spec);
        let sample_ms = due.at_ms - spec.query_offset_ms;
        let (mut samples, mut over) = (Vec::new(), MemorySeries::default());
        let (mut changes, mut rows, mut results) = (Vec::new(), Vec::new(), Vec::new());
        samples.extend(self.orphans.drain(..).map(|labels| (labels, sample_ms, stale())));
        for (rule, running) in spec.rules.iter().zip(&mut self.rules) {
            let round = RuleRound { spec: &spec, rule, at_ms: due.at_ms, sample_ms, ask, context, over: &over };
            let Ok(made) = running.evaluate(&round) else { continue };
            changes.extend(made.stepped.changes);
            rows.extend(made.stepped.rows);
            results.extend(made.results);
            let before = samples.len();
            running.write(made.samples, sample_ms, &mut samples);
            if !matches!(running.state, State::Recording(_)) {
                continue;
            }
            for (labels, at_ms, value) in &samples[before..] {
                over.append(labels, *at_ms, *value);
            }
        }
        Round { batch: RuleBatch { run: self.run, tick: due.tick, samples }, results, changes, rows }
    }

    /// Takes over what rules of the same meaning were at. What is left of the other's rules ends.
    pub fn adopt(&mut self, mut older: Self, now_ms: i64) -> Stepped {
        if older.run == self.run {
            self.last_tick = older.last_tick;
        }
        for own in &mut self.rules {
            if let Some(place) = older.rules.iter().position(|other| other.key == own.key) {
                let other = older.rules.swap_remove(place);
                (own.state, own.previous, own.health) = (other.state, other.previous, other.health);
            }
        }
        (self.missed, self.rounds) = (older.missed, older.rounds);
        (self.took, self.took_all) = (older.took, older.took_all);
        let (stepped, orphans) = older.end(now_ms);
        self.orphans.extend(orphans);
        stepped
    }

    /// The group is no longer there: its alerts end, and so do these series.
    pub fn end(self, now_ms: i64) -> (Stepped, Vec<Arc<LabelSet>>) {
        let (mut all, mut orphans) = (Stepped::default(), self.orphans);
        for mut rule in self.rules {
            orphans.extend(rule.previous.into_values());
            if let State::Alerting { alerts, .. } = &mut rule.state {
                let ended = alerts.end_all(now_ms, "its rule is no longer there");
                all.changes.extend(ended.changes);
                all.rows.extend(ended.rows);
            }
        }
        (all, orphans)
    }

    /// Switches a deliberate bug on.
    pub(super) fn plant(&mut self, bug: Option<Planted>) {
        for rule in &mut self.rules {
            if let State::Alerting { alerts, .. } = &mut rule.state {
                alerts.planted = bug;
            }
        }
    }

    /// Series to be ended by the next batch.
    pub(super) fn end_series(&mut self, series: Vec<Arc<LabelSet>>) {
        self.orphans.extend(series);
    }

    /// An alert as it was before a restart.
    pub(super) fn restore(&mut self, place: usize, id: AlertId, active: Active, now_ms: i64) {
        let Some((rule, spec)) = self.rules.get_mut(place).zip(self.spec.rules.get(place)) else { return };
        if let (State::Alerting { alerts, written }, RuleKind::Alerting(spec)) = (&mut rule.state, &spec.kind) {
            // So that its series end when it does.
            let [alert, since] = series_of(&active);
            rule.previous.extend([(alert.id(), Arc::clone(&alert)), (since.id(), Arc::clone(&since))]);
            written.insert((id, active.is_firing()), [alert, since]);
            alerts.restore(spec, id, active, now_ms);
        }
    }

    /// How long its latest round took, as whoever ran it has measured.
    pub fn note_time(&mut self, took: Duration) {
        self.took = took;
        self.took_all += took;
    }

    /// How long its latest round took, and all of them.
    pub fn times(&self) -> (Duration, Duration) {
        (self.took, self.took_all)
    }

    pub fn counts(&self) -> GroupCounts {
        let sum = |of: fn(&RuleHealth) -> u64| self.rules.iter().map(|rule| of(&rule.health)).sum();
        GroupCounts {
            rounds: self.rounds,
            missed: self.missed,
            evaluations: sum(|health| health.evaluations),
            failures: sum(|health| health.failures),
            template_faults: sum(|health| health.template_faults),
        }
    }

    /// Each rule with how it did, and the alerts that it has, as they are told.
    pub fn rules(&self) -> impl Iterator<Item = (&Rule, &RuleHealth, Vec<(&'static str, Alert)>)> {
        self.spec.rules.iter().zip(&self.rules).map(|(rule, running)| {
            let State::Alerting { alerts, .. } = &running.state else { return (rule, &running.health, Vec::new()) };
            let at_ms = running.health.evaluated_ms.unwrap_or(0);
            let told = alerts.alerts().into_iter().map(|(id, active)| {
                let alert = super::alerting::alert_of(rule, &self.spec.file, &self.spec.name, id, active, at_ms);
                (active.state(), alert)
            });
            (rule, &running.health, told.collect())
        })
    }
}

/// What one rule is evaluated with.
struct RuleRound<'a> {
    spec: &'a RuleGroup,
    rule: &'a Rule,
    at_ms: i64,
    sample_ms: i64,
    ask: &'a dyn Ask,
    context: &'a RuleContext<'a>,
    over: &'a MemorySeries,
}

impl RunningRule {
    fn new(group: &RuleGroup, rule: &Rule) -> Self {
        let key = rule_key(&group.file, &group.name, rule);
        let state = match rule.kind {
            RuleKind::Recording => State::Recording(RecordingState::default()),
            RuleKind::Alerting(_) => State::Alerting { alerts: AlertingState::new(key), written: HashMap::new() },
            RuleKind::Check(_) => State::Check,
        };
        Self { key, state, previous: HashMap::new(), health: RuleHealth::default() }
    }

    /// What the rule makes in the round. An error leaves all as it is.
    fn evaluate(&mut self, round: &RuleRound<'_>) -> Result<Made, ()> {
        self.health.evaluations += 1;
        self.health.evaluated_ms = Some(round.at_ms);
        let result = round.rule.expr.ask(round.ask, round.over, round.sample_ms);
        let made = match (&mut self.state, &round.rule.kind) {
            (State::Recording(recording), _) => {
                recording.step(round.rule, result, round.spec.limit).map(|samples| Made { samples, ..Made::default() })
            }
            (State::Alerting { alerts, written }, RuleKind::Alerting(spec)) => round
                .step(alerts, spec, result)
                .map(|stepped| Made { samples: alert_samples(alerts, written), stepped, ..Made::default() }),
            (State::Check, RuleKind::Check(spec)) => result.map(|vector| {
                let judged = metric_check::judge(round.rule, spec, round.spec.interval_ms, round.sample_ms, vector);
                Made { samples: judged.samples, results: judged.results, error: judged.error, ..Made::default() }
            }),
            _ => Err("the rule has changed its kind".to_owned()),
        };
        match made {
            Ok(made) => {
                self.health.template_faults += made.stepped.template_faults;
                self.health.error.clone_from(&made.error);
                Ok(made)
            }
            Err(error) => {
                self.health.failures += 1;
                self.health.error = Some(error);
                Err(())
            }
        }
    }

    /// Puts its samples into the batch, with markers for series that it had and has no longer.
    fn write(&mut self, vector: Vector, sample_ms: i64, samples: &mut Vec<(Arc<LabelSet>, i64, f64)>) {
        let mut now = HashMap::with_capacity(vector.len());
        for (labels, value) in vector {
            now.insert(labels.id(), Arc::clone(&labels));
            samples.push((labels, sample_ms, value));
        }
        let gone = self.previous.iter().filter(|(id, _)| !now.contains_key(id)).map(|(_, labels)| labels);
        let mut gone: Vec<_> = gone.cloned().collect();
        gone.sort_by(|a, b| a.canonical().cmp(b.canonical()));
        samples.extend(gone.into_iter().map(|labels| (labels, sample_ms, stale())));
        self.previous = now;
    }
}

impl RuleRound<'_> {
    fn step(
        &self,
        alerts: &mut AlertingState,
        spec: &AlertSpec,
        result: Result<Vector, String>,
    ) -> Result<Stepped, String> {
        let compared = || match &self.rule.expr {
            RuleExpr::Prom { compared: Some(query), .. } => self.ask.prom(query, self.over, self.sample_ms).map(Some),
            _ => Ok(None),
        };
        let ask = |text: &str| -> Asked {
            let query = Prepared::new(text).map_err(|error| error.to_string())?;
            self.ask.prom(&query, self.over, self.sample_ms)
        };
        let context = StepContext {
            file: &self.spec.file,
            group: &self.spec.name,
            external_labels: self.context.external_labels,
            external_url: self.context.external_url,
            limit: self.spec.limit,
            ready_ms: self.context.ready_ms,
            is_away: self.context.is_away,
            compared: &compared,
            ask: &ask,
        };
        alerts.step(self.rule, spec, self.at_ms, result, &context)
    }
}

/// `ALERTS` and `ALERTS_FOR_STATE` of an alert. Its labels may fill the set to the last: then the alert has no series.
fn series_of(active: &Active) -> [Arc<LabelSet>; 2] {
    let state = active.state();
    let of = |changes: &[(&str, &str)]| Arc::new(active.labels.with(changes).unwrap_or_default());
    [of(&[(NAME, ALERTS), ("alertstate", state)]), of(&[(NAME, ALERTS_FOR_STATE)])]
}

fn alert_samples(alerts: &AlertingState, written: &mut HashMap<(AlertId, bool), [Arc<LabelSet>; 2]>) -> Vector {
    let mut samples = Vec::with_capacity(2 * alerts.active.len());
    let mut kept = HashMap::with_capacity(alerts.active.len());
    for (id, active) in alerts.alerts() {
        let key = (id, active.is_firing());
        let series = written.remove(&key).unwrap_or_else(|| series_of(active));
        if !series[0].is_empty() {
            samples.push((Arc::clone(&series[0]), 1.0));
            // Seconds, as Prometheus writes it.
            samples.push((Arc::clone(&series[1]), active.active_ms.div_euclid(1000) as f64));
        }
        kept.insert(key, series);
    }
    *written = kept;
    samples
}

#[cfg(test)]
mod tests;
