//! Unit tests of rules, in promtool's form: input series, then what must fire and what expressions must answer. They run over series in memory,
//! with the machines that run in the collector.
//!
//! As in promtool, groups are evaluated each `evaluation_interval` from time 0 on, whatever interval they have, and look at the time of the
//! round itself unless they set `query_offset`.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::label::LabelSet;
use muster_query::{Control, Engine, MemorySeries, Prepared, Value};

use super::ask::MemoryAsk;
use super::file::RuleFile;
use super::group::{Due, RuleContext};
use super::load::{RuleDefaults, load_rules};
use super::mistake::Mistake;
use super::ruler::Ruler;
use super::unit_file::{AlertCase, ExprCase, UnitCase, UnitFile};

/// Rounds of one case: a year of minutes.
const ROUNDS_MAX: i64 = 600_000;
/// Time for one expression. Tests are small; one that takes longer does not end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What one file of unit tests came to.
#[derive(Debug, Default)]
pub struct UnitReport {
    pub cases: usize,
    /// What was otherwise than expected; empty: all is well.
    pub failures: Vec<String>,
}

/// Gives path and text of the files that an entry of `rule_files` names.
pub type ReadRules<'a> = &'a dyn Fn(&str) -> Result<Vec<(String, String)>, String>;

/// Runs a file of unit tests.
///
/// # Errors
/// The mistakes of the file, or those of its rule files.
pub fn run_unit_tests(path: &str, text: &str, read: ReadRules<'_>) -> Result<UnitReport, Vec<Mistake>> {
    let file = UnitFile::read(path, text)?;
    let mut sources = Vec::new();
    for (place, pattern) in &file.rule_files {
        let found = read(pattern);
        sources.extend(found.map_err(|why| vec![Mistake::new(path, *place, why, "name a file that is there")])?);
    }
    let defaults = RuleDefaults { interval_ms: file.evaluation_interval_ms, query_offset_ms: 0 };
    let rules = load_rules(&sources, defaults)?;
    let mut report = UnitReport { cases: file.tests.len(), ..UnitReport::default() };
    for (index, case) in file.tests.iter().enumerate() {
        let name = if case.name.is_empty() { format!("test {}", index + 1) } else { case.name.clone() };
        let failures = Bench::new(&rules, case, &file).run();
        report.failures.extend(failures.into_iter().map(|failure| format!("{name}: {failure}")));
    }
    Ok(report)
}

/// One case in progress.
struct Bench<'a> {
    case: &'a UnitCase,
    step_ms: i64,
    order: &'a [String],
    ruler: Ruler,
    memory: MemorySeries,
    engine: Engine,
    external_labels: LabelSet,
    failures: Vec<String>,
}

impl<'a> Bench<'a> {
    fn new(rules: &[RuleFile], case: &'a UnitCase, file: &'a UnitFile) -> Self {
        let mut ruler = Ruler::new([0; 16], 1);
        ruler.reload(rules, 0);
        let mut memory = MemorySeries::default();
        for (labels, values) in &case.series {
            let mut at_ms = 0;
            for value in values {
                if let Some(value) = value {
                    memory.append(labels, at_ms, *value);
                }
                at_ms += case.interval_ms;
            }
        }
        Self {
            case,
            step_ms: file.evaluation_interval_ms,
            order: &file.group_eval_order,
            ruler,
            memory,
            engine: Engine::default(),
            external_labels: case.external_labels.clone(),
            failures: Vec::new(),
        }
    }

    fn run(mut self) -> Vec<String> {
        let alerts = self.case.alerts.iter().map(|one| one.eval_ms);
        let last_ms = alerts.chain(self.case.exprs.iter().map(|one| one.eval_ms)).max().unwrap_or(0);
        if last_ms / self.step_ms > ROUNDS_MAX {
            return vec![format!("more than {ROUNDS_MAX} rounds: choose a longer evaluation_interval")];
        }
        let mut now_ms = 0;
        while now_ms <= last_ms {
            self.round(now_ms);
            let case = self.case;
            for alert in &case.alerts {
                if (now_ms..now_ms + self.step_ms).contains(&alert.eval_ms) {
                    self.check_alerts(alert);
                }
            }
            now_ms += self.step_ms;
        }
        let case = self.case;
        case.exprs.iter().for_each(|one| self.check_expr(one));
        self.failures
    }

    /// All groups at one time, in the order asked for.
    fn round(&mut self, now_ms: i64) {
        let order = self.order;
        let place = |name: &str| order.iter().position(|own| own == name).unwrap_or(usize::MAX);
        let mut turns: Vec<usize> = (0..self.ruler.groups().len()).collect();
        turns.sort_by_key(|index| place(&self.ruler.groups()[*index].spec().name));
        for turn in turns {
            let control = Control::new(TIMEOUT);
            let context = RuleContext {
                external_labels: &self.external_labels,
                external_url: &self.case.external_url,
                // Long ago, and nobody is away: what is missing is gone, as in Prometheus.
                ready_ms: i64::MIN / 2,
                is_away: &|_| false,
            };
            let due = Due { tick: u64::try_from(now_ms / self.step_ms).unwrap_or(0), at_ms: now_ms, missed: 0 };
            let ask = MemoryAsk { engine: &self.engine, memory: &self.memory, control: &control };
            let round = self.ruler.groups_mut()[turn].evaluate(due, &ask, &context);
            for (labels, at_ms, value) in &round.batch.samples {
                self.memory.append(labels, *at_ms, *value);
            }
            for (rule, health, _) in self.ruler.groups()[turn].rules() {
                if let Some(error) = &health.error {
                    self.failures.push(format!("rule {:?} at {}: {error}", rule.name, seconds(now_ms)));
                }
            }
        }
    }

    fn check_alerts(&mut self, case: &AlertCase) {
        let mut got: Vec<(String, BTreeMap<String, String>)> = Vec::new();
        for group in self.ruler.groups() {
            if case.group.as_ref().is_some_and(|name| *name != group.spec().name) {
                continue;
            }
            let alerts = group.rules().filter(|(rule, ..)| rule.alert().is_some() && rule.name == case.alert);
            let firing = alerts.flat_map(|(.., alerts)| alerts).filter(|(state, _)| *state == "firing");
            got.extend(firing.map(|(_, alert)| (alert.labels.to_string(), alert.annotations)));
        }
        let mut expected: Vec<_> =
            case.expected.iter().map(|(labels, annotations)| (labels.to_string(), annotations.clone())).collect();
        got.sort();
        expected.sort();
        if got != expected {
            let (alert, at) = (&case.alert, seconds(case.eval_ms));
            self.failures.push(format!("alertname: {alert}, time: {at}: expected {expected:?}, got {got:?}"));
        }
    }

    fn check_expr(&mut self, case: &ExprCase) {
        let control = Control::new(TIMEOUT);
        let none = MemorySeries::default();
        let answer = Prepared::new(&case.expr)
            .and_then(|query| self.engine.instant_memory(&self.memory, &none, &query, case.eval_ms, &control));
        let got = answer.map_err(|error| error.to_string()).and_then(|answer| match answer.value {
            Value::Vector(points) => Ok(points.iter().map(|point| ((*point.labels).clone(), point.value)).collect()),
            Value::Scalar { value, .. } => Ok(vec![(LabelSet::default(), value)]),
            other => Err(format!("the expression answers a {}", other.type_name())),
        });
        let mut got: Vec<(LabelSet, f64)> = match got {
            Ok(got) => got,
            Err(error) => {
                self.failures.push(format!("expr: {:?}, time: {}: {error}", case.expr, seconds(case.eval_ms)));
                return;
            }
        };
        let mut expected = case.expected.clone();
        let order = |a: &(LabelSet, f64), b: &(LabelSet, f64)| a.0.to_string().cmp(&b.0.to_string());
        got.sort_by(order);
        expected.sort_by(order);
        let is_same = got.len() == expected.len()
            && got.iter().zip(&expected).all(|(own, other)| own.0 == other.0 && same(own.1, other.1));
        if !is_same {
            let (expr, at) = (&case.expr, seconds(case.eval_ms));
            self.failures.push(format!("expr: {expr:?}, time: {at}: expected {expected:?}, got {got:?}"));
        }
    }
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

fn seconds(ms: i64) -> String {
    muster_common::time::Span(Duration::from_millis(u64::try_from(ms).unwrap_or(0))).to_string()
}

#[cfg(test)]
mod tests;
