//! One alerting rule: what a round's result makes of its alerts. Pure: time, result and everything that is asked for are arguments.
//!
//! As in Prometheus an alert is its labels: those of the series without the name, those of the rule, and `alertname`. What differs is what a
//! series that is gone does (`no_data`), and that an alert goes on over a restart as if there had been none.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use muster_common::label::{LabelSet, NAME};
use muster_common::limits::LABEL_VALUE_BYTES_MAX;

use super::active::{Active, Phase};
use super::file::{AlertSpec, NoData, Rule};
use super::planted::Planted;
use super::rows;
use crate::alert::{Alert, AlertChange, AlertId, Origin};
use crate::template::{Asked, Scope, Template};
use muster_fleet::SmallRow;

/// Other words of a firing alert (a value in its summary) are told this often at most, milliseconds: as often as Prometheus sends them.
const WORDS_EVERY_MS: i64 = 60_000;
/// Label sets that a rule with `no_data: alert` remembers.
const SEEN_MAX: usize = 100_000;
/// How long a series that is gone is missed, milliseconds: what does not come back for a day was taken away.
const MISSED_MS: i64 = 86_400_000;
/// How long after the collector is ready missing data say nothing, milliseconds: hosts come back one after the other.
pub const SETTLING_MS: i64 = 120_000;

/// Series and their values.
pub type Vector = Vec<(Arc<LabelSet>, f64)>;

/// What a step looks at besides the result.
pub struct StepContext<'a> {
    pub file: &'a str,
    pub group: &'a str,
    pub external_labels: &'a LabelSet,
    pub external_url: &'a str,
    /// Series that the rule may make; 0: any number.
    pub limit: usize,
    /// When the collector was ready, milliseconds.
    pub ready_ms: i64,
    /// Whether this host has said that it would be away.
    pub is_away: &'a dyn Fn(&str) -> bool,
    /// What the rule compares, unfiltered; `Ok(None)`: it compares nothing that could be told. Asked only where it matters.
    pub compared: &'a dyn Fn() -> Result<Option<Vector>, String>,
    /// Queries of templates.
    pub ask: &'a dyn Fn(&str) -> Asked,
}

/// What a step made.
#[derive(Debug, Default)]
pub struct Stepped {
    pub changes: Vec<AlertChange>,
    /// Of [`muster_fleet::SmallTable::Alerts`].
    pub rows: Vec<SmallRow>,
    /// Templates that went wrong; their texts say how.
    pub template_faults: u64,
}

/// The alerts of one rule.
#[derive(Debug)]
pub struct AlertingState {
    /// What its rows begin with.
    pub(super) key: [u8; 16],
    pub(super) active: HashMap<AlertId, Active>,
    /// The alert of a series whose labels depend on nothing else, and is not built anew each time.
    known: HashMap<u128, (AlertId, Arc<LabelSet>)>,
    /// `no_data: alert`: when a series had data last.
    seen: HashMap<Arc<LabelSet>, i64>,
    pub(super) planted: Option<Planted>,
}

/// One row of the result with its alert.
struct Found {
    labels: Arc<LabelSet>,
    series: Arc<LabelSet>,
    value: f64,
    is_missing: bool,
}

impl AlertingState {
    pub fn new(key: [u8; 16]) -> Self {
        Self { key, active: HashMap::new(), known: HashMap::new(), seen: HashMap::new(), planted: None }
    }

    /// One round. With an error all alerts stay as they are.
    ///
    /// # Errors
    /// What Prometheus would say: the query's error, two series with one label set, more alerts than the limit.
    pub fn step(
        &mut self,
        rule: &Rule,
        spec: &AlertSpec,
        now_ms: i64,
        result: Result<Vector, String>,
        context: &StepContext<'_>,
    ) -> Result<Stepped, String> {
        let mut stepped = Stepped::default();
        let result = result?;
        let missing = self.missing(spec, now_ms, context)?;
        let found = self.found(rule, result, missing, now_ms, context, &mut stepped)?;
        if context.limit > 0 && found.len() > context.limit {
            return Err(format!("exceeded limit of {} with {} alerts", context.limit, found.len()));
        }
        let gone = self.gone(&found);
        let still_there = if gone.is_empty() || spec.no_data == NoData::Ok { None } else { present(context)? };
        for (id, one) in &found {
            self.holds(rule, spec, *id, one, now_ms, context, &mut stepped);
        }
        for id in gone {
            self.lacks(rule, spec, id, still_there.as_ref(), now_ms, context, &mut stepped);
        }
        Ok(stepped)
    }

    /// The series of `no_data: alert` that had data and have none.
    fn missing(&mut self, spec: &AlertSpec, now_ms: i64, context: &StepContext<'_>) -> Result<Vector, String> {
        if spec.no_data != NoData::Alert {
            return Ok(Vec::new());
        }
        let Some(all) = (context.compared)()? else { return Ok(Vec::new()) };
        let present: HashSet<Arc<LabelSet>> = all.into_iter().map(|(labels, _)| nameless(&labels)).collect();
        self.seen.retain(|labels, at_ms| now_ms - *at_ms <= MISSED_MS || present.contains(labels));
        for labels in &present {
            if self.seen.len() < SEEN_MAX || self.seen.contains_key(labels) {
                self.seen.insert(Arc::clone(labels), now_ms);
            }
        }
        let is_held = |labels: &LabelSet| hold_reason(labels, now_ms, context).is_some();
        let gone = self.seen.iter().filter(|(labels, _)| !present.contains(*labels) && !is_held(labels));
        Ok(gone.map(|(labels, _)| (Arc::clone(labels), f64::NAN)).collect())
    }

    /// The alerts of this round's rows.
    fn found(
        &mut self,
        rule: &Rule,
        result: Vector,
        missing: Vector,
        now_ms: i64,
        context: &StepContext<'_>,
        stepped: &mut Stepped,
    ) -> Result<HashMap<AlertId, Found>, String> {
        let is_of_labels = rule.labels.iter().all(|(_, template)| template.is_of_labels());
        let mut known = HashMap::with_capacity(result.len());
        let mut found = HashMap::with_capacity(result.len());
        let rows = result.into_iter().map(|row| (row, false)).chain(missing.into_iter().map(|row| (row, true)));
        for ((series, value), is_missing) in rows {
            let key = series.id().0;
            let (id, labels) = match self.known.get(&key).filter(|_| is_of_labels) {
                Some((id, labels)) => (*id, Arc::clone(labels)),
                None => {
                    let labels = Arc::new(alert_labels(rule, &series, value, now_ms, context, stepped)?);
                    (AlertId::of_labels(&labels), labels)
                }
            };
            if is_of_labels {
                known.insert(key, (id, Arc::clone(&labels)));
            }
            if found
                .insert(id, Found { labels, series, value, is_missing })
                .is_some_and(|other| !other.is_missing && !is_missing)
            {
                return Err("vector contains metrics with the same labelset after applying alert labels".into());
            }
        }
        self.known = known;
        Ok(found)
    }

    fn gone(&self, found: &HashMap<AlertId, Found>) -> Vec<AlertId> {
        let mut gone: Vec<AlertId> = self.active.keys().filter(|id| !found.contains_key(id)).copied().collect();
        gone.sort();
        gone
    }

    /// The condition of this alert holds.
    #[expect(clippy::too_many_arguments, reason = "all of a step, of which this is a part")]
    fn holds(
        &mut self,
        rule: &Rule,
        spec: &AlertSpec,
        id: AlertId,
        found: &Found,
        now_ms: i64,
        context: &StepContext<'_>,
        stepped: &mut Stepped,
    ) {
        let is_new = !self.active.contains_key(&id);
        let active =
            self.active.entry(id).or_insert_with(|| Active::new(found.labels.clone(), nameless(&found.series), now_ms));
        let words_changed = active.fill(
            spec,
            &found.series,
            found.value,
            found.is_missing,
            |template, stepped| expand(template, &found.series, found.value, now_ms, context, stepped),
            stepped,
        );
        let was_kept = active.keep_since_ms.take().is_some();
        let was_held = active.held.take().is_some();
        let fires = active.phase == Phase::Pending && now_ms - active.active_ms >= spec.for_ms;
        if fires {
            active.phase = Phase::Firing { since_ms: now_ms };
        }
        let tells_words = words_changed && now_ms - active.told_ms >= WORDS_EVERY_MS;
        active.owes_words |= words_changed && !tells_words;
        let owed = active.owes_words && now_ms - active.told_ms >= WORDS_EVERY_MS;
        if active.is_firing() && (fires || was_held || tells_words || owed) {
            active.told_ms = now_ms;
            active.owes_words = false;
            stepped.changes.push(firing(rule, context, id, active, now_ms));
        }
        if is_new || fires || was_kept || was_held {
            stepped.rows.push(rows::written(self.key, rule, context, id, active));
        }
    }

    /// The result has no row for this alert: its condition does not hold, or nothing is known.
    #[expect(clippy::too_many_arguments, reason = "all of a step, of which this is a part")]
    fn lacks(
        &mut self,
        rule: &Rule,
        spec: &AlertSpec,
        id: AlertId,
        still_there: Option<&HashSet<Arc<LabelSet>>>,
        now_ms: i64,
        context: &StepContext<'_>,
        stepped: &mut Stepped,
    ) {
        let Some(active) = self.active.get_mut(&id) else { return };
        let is_there = still_there.is_some_and(|all| all.contains(&active.series));
        let is_unknown = spec.no_data != NoData::Ok && !is_there && !Planted::HeldEnds.is(self.planted);
        let reason = hold_reason(&active.labels, now_ms, context).filter(|_| is_unknown);
        if let Some(by) = reason {
            if active.held.as_ref() != Some(&by) {
                active.held = Some(by);
                if active.is_firing() {
                    active.told_ms = now_ms;
                    stepped.changes.push(firing(rule, context, id, active, now_ms));
                }
                stepped.rows.push(rows::written(self.key, rule, context, id, active));
            }
            return;
        }
        if active.is_firing() && spec.keep_firing_for_ms > 0 && !Planted::NothingIsKept.is(self.planted) {
            let since_ms = *active.keep_since_ms.get_or_insert(now_ms);
            if now_ms - since_ms < spec.keep_firing_for_ms {
                // There are data again, so that nothing holds it while it is kept.
                let was_held = active.held.take().is_some();
                if was_held {
                    active.told_ms = now_ms;
                    stepped.changes.push(firing(rule, context, id, active, now_ms));
                }
                if was_held || since_ms == now_ms {
                    stepped.rows.push(rows::written(self.key, rule, context, id, active));
                }
                return;
            }
        }
        if active.is_firing() {
            let why = if still_there.is_some() && !is_there { "no data" } else { "the condition no longer holds" };
            stepped.changes.push(AlertChange::Ended { id, at_ms: now_ms, why, is_quiet: false });
        }
        stepped.rows.push(rows::removed(self.key, id));
        self.active.remove(&id);
    }

    /// Takes in an alert as it was before a restart. Its series had data or was missed then, so that it can be missed now.
    pub(super) fn restore(&mut self, spec: &AlertSpec, id: AlertId, mut active: Active, now_ms: i64) {
        if Planted::RestartForgetsFor.is(self.planted) {
            active.active_ms = 0;
        }
        if spec.no_data == NoData::Alert {
            self.seen.insert(Arc::clone(&active.series), now_ms);
        }
        self.active.insert(id, active);
    }

    /// All of its alerts end, since the rule is no longer there.
    pub fn end_all(&mut self, now_ms: i64, why: &'static str) -> Stepped {
        let mut stepped = Stepped::default();
        let mut ids: Vec<AlertId> = self.active.keys().copied().collect();
        ids.sort();
        for id in ids {
            if self.active.remove(&id).is_some_and(|active| active.is_firing()) {
                stepped.changes.push(AlertChange::Ended { id, at_ms: now_ms, why, is_quiet: false });
            }
            stepped.rows.push(rows::removed(self.key, id));
        }
        stepped
    }

    /// Its alerts, those that began first first.
    pub fn alerts(&self) -> Vec<(AlertId, &Active)> {
        let mut all: Vec<(AlertId, &Active)> = self.active.iter().map(|(id, active)| (*id, active)).collect();
        all.sort_by_key(|(id, active)| (active.active_ms, *id));
        all
    }
}

/// What has data of what the rule compares; `None`: cannot be told.
fn present(context: &StepContext<'_>) -> Result<Option<HashSet<Arc<LabelSet>>>, String> {
    let all = (context.compared)()?;
    Ok(all.map(|all| all.into_iter().map(|(labels, _)| nameless(&labels)).collect()))
}

/// Why missing data of these labels say nothing.
fn hold_reason(labels: &LabelSet, now_ms: i64, context: &StepContext<'_>) -> Option<String> {
    if now_ms < context.ready_ms.saturating_add(SETTLING_MS) {
        return Some("the collector has just started".into());
    }
    let host = labels.get("host").filter(|host| (context.is_away)(host))?;
    Some(format!("{host} said that it would be away"))
}

fn nameless(labels: &Arc<LabelSet>) -> Arc<LabelSet> {
    if labels.name().is_empty() {
        return Arc::clone(labels);
    }
    // Taking a label away breaks no limit.
    labels.with(&[(NAME, "")]).map_or_else(|_| Arc::clone(labels), Arc::new)
}

fn expand(
    template: &Template,
    series: &LabelSet,
    value: f64,
    now_ms: i64,
    context: &StepContext<'_>,
    stepped: &mut Stepped,
) -> String {
    let (external_labels, external_url) = (context.external_labels, context.external_url);
    let scope = Scope { labels: series, external_labels, external_url, value, now_ms, ask: context.ask };
    let (text, failed) = template.expand_or_tell(&scope);
    stepped.template_faults += u64::from(failed);
    text
}

fn alert_labels(
    rule: &Rule,
    series: &LabelSet,
    value: f64,
    now_ms: i64,
    context: &StepContext<'_>,
    stepped: &mut Stepped,
) -> Result<LabelSet, String> {
    let mut all: BTreeMap<&str, String> = series.iter().map(|(name, value)| (name, value.to_owned())).collect();
    all.remove(NAME);
    for (name, template) in &rule.labels {
        let mut text = expand(template, series, value, now_ms, context, stepped);
        if text.len() > LABEL_VALUE_BYTES_MAX {
            let mut end = LABEL_VALUE_BYTES_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            stepped.template_faults += 1;
        }
        all.insert(name, text);
    }
    all.insert("alertname", rule.name.clone());
    LabelSet::new(all).map_err(|error| error.to_string())
}

/// The alert as it is told.
pub(super) fn alert_of(rule: &Rule, file: &str, group: &str, id: AlertId, active: &Active, now_ms: i64) -> Alert {
    let origin = Origin::Rule { file: file.to_owned(), group: group.to_owned(), rule: rule.name.clone() };
    let starts_ms = match active.phase {
        Phase::Firing { since_ms } => since_ms,
        Phase::Pending => active.active_ms,
    };
    Alert {
        id,
        labels: (*active.labels).clone(),
        annotations: active.annotations.clone(),
        origin,
        active_ms: active.active_ms,
        starts_ms,
        ends_ms: None,
        updated_ms: now_ms,
        value: Some(active.value).filter(|value| !value.is_nan()),
        expression: rule.expr.text().to_owned(),
        again: false,
        holds: active.holds(),
        is_quiet_end: false,
        is_one_of_many: false,
    }
}

fn firing(rule: &Rule, context: &StepContext<'_>, id: AlertId, active: &Active, now_ms: i64) -> AlertChange {
    AlertChange::Firing(Box::new(alert_of(rule, context.file, context.group, id, active, now_ms)))
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
