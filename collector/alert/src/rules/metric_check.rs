//! Checks of kind `metric`: from an expression's result to one result of the check a host, and the series that every check has.
//!
//! They cost no host anything (features.md C1) and are checks like all others from there on: soft and hard, acknowledged, in downtime.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::check::{CheckKind, CheckState, PERFDATA_SERIES, STATE_SERIES};
use muster_common::label::{LabelSet, NAME};
use muster_common::wire::message::{CheckDefinition, CheckReport, Perfdata, WireLabel};

use super::alerting::Vector;
use super::file::{CheckSpec, Rule};
use crate::plot::with_unit;

/// Values of one host that are kept, the worst first; a check with more is no check but a report.
const VALUES_MAX: usize = 20;
/// Values in the first line.
const SHOWN_MAX: usize = 5;
/// Characters of a value's name.
const NAME_MAX: usize = 100;
/// Labels that say nothing of which value it is.
const COMMON: [&str; 4] = [NAME, "host", "instance", "job"];

/// The result of a check for one host.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricResult {
    /// The host's name.
    pub host: String,
    pub report: CheckReport,
}

/// What one evaluation gave.
pub(super) struct Judged {
    pub(super) results: Vec<MetricResult>,
    pub(super) samples: Vector,
    /// What is wrong with a part of the result.
    pub(super) error: Option<String>,
}

struct Reading {
    name: String,
    value: f64,
    state: CheckState,
}

/// One result for every host that the vector has a series of.
pub(super) fn judge(rule: &Rule, spec: &CheckSpec, interval_ms: i64, at_ms: i64, vector: Vector) -> Judged {
    let mut hosts: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
    let mut without_host = 0usize;
    for (labels, value) in vector {
        let Some(host) = labels.get("host").filter(|host| !host.is_empty()) else {
            without_host += 1;
            continue;
        };
        hosts.entry(host.to_owned()).or_default().push(Reading {
            name: name_of(&labels),
            value,
            state: state_of(spec, value),
        });
    }
    let definition = definition(rule, spec, interval_ms);
    let (mut results, mut samples) = (Vec::with_capacity(hosts.len()), Vec::new());
    for (host, mut readings) in hosts {
        readings.sort_by(|a, b| b.state.rank().cmp(&a.state.rank()).then_with(|| a.name.cmp(&b.name)));
        let report = report(rule, spec, &definition, at_ms, &readings);
        samples.extend(series(rule, spec, &host, &report));
        results.push(MetricResult { host, report });
    }
    let error = (without_host > 0).then(|| {
        format!("{without_host} series have no label `host`, so nobody has this check by them: keep it, as in `max by (host) (...)`")
    });
    Judged { results, samples, error }
}

/// A number that is none is unknown; else the worst range that it breaks.
fn state_of(spec: &CheckSpec, value: f64) -> CheckState {
    let breaks = |range: &Option<muster_common::range::Range>| range.is_some_and(|range| range.alerts(value));
    match value {
        value if value.is_nan() => CheckState::Unknown,
        _ if breaks(&spec.crit) => CheckState::Critical,
        _ if breaks(&spec.warn) => CheckState::Warning,
        _ => CheckState::Ok,
    }
}

/// What tells a host's values apart: the values of its labels. The only one of all is `value`.
fn name_of(labels: &LabelSet) -> String {
    let parts: Vec<&str> = labels
        .iter()
        .filter(|(name, _)| !COMMON.contains(name))
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
        .collect();
    if parts.is_empty() { "value".to_owned() } else { parts.join(" ").chars().take(NAME_MAX).collect() }
}

fn definition(rule: &Rule, spec: &CheckSpec, interval_ms: i64) -> CheckDefinition {
    let interval_ms = u64::try_from(interval_ms).unwrap_or(0);
    let label = |(name, template): &(String, crate::template::Template)| WireLabel {
        name: name.clone(),
        value: template.text().to_owned(),
    };
    CheckDefinition {
        kind: CheckKind::Metric as u8,
        interval_ms,
        retry_ms: interval_ms,
        max_attempts: spec.max_attempts,
        ttl_ms: spec.ttl_ms,
        volatile: false,
        parents: spec.parents.clone(),
        labels: rule.labels.iter().map(label).collect(),
        remedy: spec.remedy.clone(),
    }
}

fn report(
    rule: &Rule,
    spec: &CheckSpec,
    definition: &CheckDefinition,
    at_ms: i64,
    readings: &[Reading],
) -> CheckReport {
    let state = readings.first().map_or(CheckState::Unknown, |reading| reading.state);
    let range = |range: &Option<muster_common::range::Range>| range.map_or_else(String::new, |range| range.to_string());
    let shown = |reading: &Reading| {
        let limit = match reading.state {
            CheckState::Critical => format!(" (good is {})", range(&spec.crit)),
            CheckState::Warning => format!(" (good is {})", range(&spec.warn)),
            CheckState::Ok | CheckState::Unknown => String::new(),
        };
        let name = if reading.name == "value" { String::new() } else { format!("{} ", reading.name) };
        let value = if reading.value.is_nan() { "no number".to_owned() } else { with_unit(reading.value, &spec.unit) };
        format!("{name}{value}{limit}")
    };
    // Of a problem what is bad, else what there is.
    let told: Vec<&Reading> =
        readings.iter().filter(|reading| reading.state != CheckState::Ok || state == CheckState::Ok).collect();
    let more = if told.len() > SHOWN_MAX { format!(", {} more", told.len() - SHOWN_MAX) } else { String::new() };
    let words = told.iter().take(SHOWN_MAX).map(|reading| shown(reading)).collect::<Vec<_>>().join(", ");
    let number = |reading: &Reading| Perfdata {
        label: reading.name.clone(),
        value: reading.value,
        unit: spec.unit.clone(),
        warn: range(&spec.warn),
        crit: range(&spec.crit),
        min: f64::NAN,
        max: f64::NAN,
    };
    CheckReport {
        at_ms,
        check: rule.name.clone(),
        state: state as u8,
        output: format!("{state}: {words}{more}"),
        long_output: String::new(),
        perfdata: readings.iter().take(VALUES_MAX).map(number).collect(),
        duration_ms: 0,
        definition: definition.clone(),
    }
}

/// The series of a result, as those of an agent's check are. A label set that is over a limit is left out.
fn series(rule: &Rule, spec: &CheckSpec, host: &str, report: &CheckReport) -> Vector {
    let own: Vec<(&str, &str)> = rule.labels.iter().map(|(name, template)| (name.as_str(), template.text())).collect();
    let of = |more: &[(&str, &str)]| {
        let mut pairs = own.clone();
        pairs.extend([("host", host), ("check", rule.name.as_str())]);
        pairs.extend(more.iter().copied());
        LabelSet::new(pairs).ok().map(Arc::new)
    };
    let state = of(&[(NAME, STATE_SERIES)]).map(|labels| (labels, f64::from(report.state)));
    let numbers = report.perfdata.iter().filter(|one| !one.value.is_nan());
    let numbers = numbers.filter_map(|one| {
        Some((of(&[(NAME, PERFDATA_SERIES), ("label", &one.label), ("unit", &spec.unit)])?, one.value))
    });
    state.into_iter().chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleDefaults, load_rules};

    fn rule(text: &str) -> Rule {
        let text = format!("groups:\n- name: g\n  rules:\n  - check: filling\n    expr: x\n{text}");
        load_rules(&[("r.yml".to_owned(), text)], RuleDefaults::default()).unwrap()[0].groups[0].rules[0].clone()
    }

    fn judged(rule: &Rule, series: &[(&[(&str, &str)], f64)]) -> Judged {
        let of = |pairs: &[(&str, &str)]| Arc::new(LabelSet::new(pairs.iter().copied()).unwrap());
        let vector = series.iter().map(|(pairs, value)| (of(pairs), *value)).collect();
        judge(rule, rule.check().unwrap(), 30_000, 7_000, vector)
    }

    #[test]
    fn a_host_has_one_result_of_its_worst_value() {
        let rule = rule(
            "    warn: 80\n    crit: 90\n    unit: '%'\n    labels: {team: ops}\n    max_attempts: 3\n    parents: [gw]\n    ttl: 5m\n",
        );
        let made = judged(
            &rule,
            &[
                (&[("host", "a"), ("instance", "a:1"), ("mountpoint", "/")], 50.0),
                (&[("host", "a"), ("instance", "a:1"), ("mountpoint", "/var")], 95.5),
                (&[("host", "a"), ("instance", "a:1"), ("mountpoint", "/srv")], 85.0),
                (&[("host", "b")], 10.0),
                (&[("host", "c")], f64::NAN),
                (&[("job", "x")], 99.0),
            ],
        );
        let told: Vec<_> =
            made.results.iter().map(|one| (one.host.as_str(), one.report.state, one.report.output.as_str())).collect();
        assert_eq!(
            told,
            [
                ("a", 2, "CRITICAL: /var 95.5 % (good is 90), /srv 85 % (good is 80)"),
                ("b", 0, "OK: 10 %"),
                ("c", 3, "UNKNOWN: no number"),
            ]
        );
        assert!(made.error.unwrap().starts_with("1 series have no label `host`"));
        let report = &made.results[0].report;
        assert_eq!((report.at_ms, report.perfdata.len(), report.perfdata[0].label.as_str()), (7_000, 3, "/var"));
        let own = &report.definition;
        assert_eq!(
            (own.kind, own.max_attempts, own.interval_ms, own.ttl_ms),
            (CheckKind::Metric as u8, 3, 30_000, 300_000)
        );
        assert_eq!((own.parents.as_slice(), own.labels[0].value.as_str()), (&["gw".to_owned()][..], "ops"));
        let samples: Vec<String> = made.samples.iter().map(|(labels, value)| format!("{labels} {value}")).collect();
        assert!(
            samples
                .iter()
                .any(|one| one.contains("muster_check_state") && one.contains("team=\"ops\"") && one.ends_with(" 2")),
            "{samples:?}"
        );
        assert_eq!(samples.iter().filter(|one| one.contains("muster_check_perfdata")).count(), 4, "NaN has no sample");
    }

    #[test]
    fn many_values_are_named_the_worst_first_and_bounded() {
        let rule = rule("    crit: '@5:'\n");
        let names: Vec<String> = (0..40).map(|number| format!("d{number:02}")).collect();
        let pairs: Vec<[(&str, &str); 2]> =
            names.iter().map(|name| [("host", "a"), ("device", name.as_str())]).collect();
        let series: Vec<(&[(&str, &str)], f64)> =
            pairs.iter().zip(0..).map(|(pairs, value)| (pairs.as_slice(), f64::from(value))).collect();
        let report = judged(&rule, &series).results.remove(0).report;
        assert!(
            report.output.starts_with("CRITICAL: d05 5 (good is @5:), d06 6") && report.output.ends_with(", 30 more"),
            "{}",
            report.output
        );
        assert_eq!((report.perfdata.len(), report.perfdata[0].label.as_str()), (20, "d05"));
    }
}
