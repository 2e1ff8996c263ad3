//! The rules of a world, as text for the collector and as what they mean, and the values that they look at.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use muster_alert::{Ask, RuleDefaults, RuleFile, Vector, load_rules};
use muster_common::label::LabelSet;
use muster_query::{MemorySeries, Prepared, PreparedLog};

use super::Violation;
use super::routes::Form;

const MINUTE_MS: i64 = 60_000;
/// Above this a rule's condition holds.
pub(super) const LIMIT: f64 = 5.0;
/// Metrics of each host.
pub(super) const METRICS: usize = 3;
/// The metric of the rule for which missing data are bad.
pub(super) const WATCHED: usize = 2;
/// How long a host's last value is still seen: the lookback of queries.
pub(super) const LOOKBACK_MS: i64 = 5 * MINUTE_MS;
/// Name, interval and how far behind its rules look.
const GROUPS: [(&str, i64, i64); 2] = [("fast", 30_000, 0), ("slow", 60_000, 5_000)];

/// Names of rules begin with it, and no other alert's.
pub(super) const RULE: char = 'r';

/// What missing data mean to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Hold,
    Ok,
    Alert,
}

/// One alerting rule.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) metric: usize,
    /// In the first form, and in the second; `None`: it is not in that one.
    for_ms: [Option<i64>; 2],
    pub(super) keep_ms: i64,
    pub(super) missing: Missing,
}

impl Spec {
    /// How long its condition must hold in this form; `None`: it is no rule of it.
    pub(super) const fn for_ms(&self, form: Form) -> Option<i64> {
        self.for_ms[if matches!(form, Form::First) { 0 } else { 1 }]
    }

    pub(super) fn interval_ms(&self) -> i64 {
        GROUPS.iter().find(|group| group.0 == self.group).map_or(MINUTE_MS, |group| group.1)
    }
}

/// The rules of a world.
pub(super) fn specs(seed: u64) -> Vec<Spec> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x7a1e_0000);
    let mut minutes = |most: i64| rng.i64(0..=most) * MINUTE_MS;
    let (first, second) = (Some(minutes(10)), Some(minutes(10)));
    let watched = Some(minutes(5));
    let (brief, keep_ms, late) = (Some(minutes(2)), minutes(5), Some(minutes(3)));
    let missing = if rng.bool() { Missing::Ok } else { Missing::Hold };
    let hold = Missing::Hold;
    vec![
        Spec { name: "r0", group: "fast", metric: 0, for_ms: [first, second], keep_ms: 0, missing: hold },
        Spec { name: "r1", group: "fast", metric: 1, for_ms: [brief, None], keep_ms, missing },
        Spec { name: "r2", group: "slow", metric: WATCHED, for_ms: [watched; 2], keep_ms: 0, missing: Missing::Alert },
        Spec { name: "r3", group: "slow", metric: 1, for_ms: [None, late], keep_ms, missing: hold },
    ]
}

/// The rule file of this form, as it is in force.
pub(super) fn files(specs: &[Spec], form: Form) -> Result<Vec<RuleFile>, Violation> {
    let mut text = "groups:\n".to_owned();
    for (name, interval_ms, offset_ms) in GROUPS {
        let offset_s = offset_ms / 1_000;
        let _ = writeln!(text, "- name: {name}\n  interval: {}s\n  query_offset: {offset_s}s", interval_ms / 1_000);
        text.push_str("  rules:\n");
        for (spec, for_ms) in specs.iter().filter_map(|spec| spec.for_ms(form).map(|for_ms| (spec, for_ms))) {
            if spec.group != name {
                continue;
            }
            let missing = match spec.missing {
                Missing::Hold => "hold",
                Missing::Ok => "ok",
                Missing::Alert => "alert",
            };
            let (own, metric, keep_s) = (spec.name, spec.metric, spec.keep_ms / 1_000);
            // r0 and r2 are led by a label.
            let way = if metric == 1 { "none" } else { "x" };
            let _ = writeln!(
                text,
                "  - alert: {own}\n    expr: m{metric} > {LIMIT}\n    for: {}s\n    keep_firing_for: {keep_s}s\n    \
                 no_data: {missing}\n    labels: {{severity: critical, way: {way}}}\n    annotations: {{summary: 'it is {{{{ $value }}}}'}}",
                for_ms / 1_000
            );
        }
    }
    load_rules(&[("rules.yml".to_owned(), text)], RuleDefaults::default()).map_err(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Violation(format!("the rules do not load: {}", all.join("; ")))
    })
}

/// From when on it has which value, in order of time.
type Line = Vec<(i64, Option<f64>)>;

/// What the store would answer: since when each metric of each host has which value, and none.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    series: BTreeMap<(usize, String), Line>,
}

impl Values {
    /// From this time on it is this.
    pub(super) fn note(&mut self, metric: usize, host: &str, at_ms: i64, value: Option<f64>) {
        let all = self.series.entry((metric, host.to_owned())).or_default();
        if all.last().map(|last| last.1) != Some(value) {
            all.push((at_ms, value));
        }
    }

    pub(super) fn at(&self, metric: usize, host: &str, at_ms: i64) -> Option<f64> {
        self.series.get(&(metric, host.to_owned())).and_then(|all| value_at(all, at_ms))
    }

    /// Every host that ever had this metric.
    pub(super) fn hosts(&self, metric: usize) -> impl Iterator<Item = &str> {
        self.series.keys().filter(move |(own, _)| *own == metric).map(|(_, host)| host.as_str())
    }

    /// Since when it is above the limit, as far as it is.
    pub(super) fn bad_since_ms(&self, metric: usize, host: &str, at_ms: i64) -> Option<i64> {
        let all = self.series.get(&(metric, host.to_owned()))?;
        let before = all.iter().rev().skip_while(|one| one.0 > at_ms);
        before.take_while(|one| one.1.is_some_and(|value| value > LIMIT)).last().map(|one| one.0)
    }

    /// Whether it was well for a whole interval of any group at some time after `from_ms` and before `to_ms`.
    pub(super) fn was_well(&self, metric: usize, host: &str, from_ms: i64, to_ms: i64) -> bool {
        let Some(all) = self.series.get(&(metric, host.to_owned())) else { return false };
        let ends = all.iter().skip(1).map(|one| one.0).chain([i64::MAX]);
        all.iter().zip(ends).any(|((began_ms, value), end_ms)| {
            let span_ms = end_ms.min(to_ms) - from_ms.max(*began_ms);
            value.is_some_and(|value| value <= LIMIT) && span_ms > MINUTE_MS
        })
    }
}

fn value_at(all: &Line, at_ms: i64) -> Option<f64> {
    all.iter().rev().find(|one| one.0 <= at_ms).and_then(|one| one.1)
}

impl Ask for Values {
    /// `m0`, or `m0 > 5`.
    fn prom(&self, query: &Prepared, _: &MemorySeries, at_ms: i64) -> Result<Vector, String> {
        let (metric, limit) = match query.text().split_once(" > ") {
            Some((metric, _)) => (metric, LIMIT),
            None => (query.text(), f64::NEG_INFINITY),
        };
        let number: usize = metric.trim_start_matches('m').parse().map_err(|error| format!("{metric}: {error}"))?;
        let all = self.series.iter().filter(|((own, _), _)| *own == number);
        let found =
            all.filter_map(|((_, host), all)| Some((host, value_at(all, at_ms).filter(|value| *value > limit)?)));
        let point = |(host, value): (&String, f64)| {
            let labels = LabelSet::new([("__name__", metric), ("host", host)]).map_err(|error| error.to_string())?;
            Ok((Arc::new(labels), value))
        };
        found.map(point).collect()
    }

    fn log(&self, _: &PreparedLog, _: i64) -> Result<Vector, String> {
        Err("no log lines".to_owned())
    }
}
