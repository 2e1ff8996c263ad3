//! What is wrong with rule files, and what is probably not meant: what `muster rules lint` prints.

use std::collections::HashSet;
use std::fmt;

use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_query::{MetricUse, parse, parse_log_query};

use super::file::{AlertSpec, NoData, Rule, RuleExpr, RuleFile, RuleGroup, RuleKind};
use super::load::{RuleDefaults, load_rules};
use super::mistake::Mistake;
use crate::template::{Scope, Template};

/// A mistake, which keeps the files out of force, or a warning, which does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub is_mistake: bool,
    pub at: Mistake,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.is_mistake { "mistake" } else { "warning" }, self.at)
    }
}

/// The kind of a metric that the store has; `None`: it has none of this name.
pub type MetricLookup<'a> = &'a dyn Fn(&str) -> Option<MetricKind>;

/// Functions that are right for counters only, and those that are wrong for them.
const OF_COUNTERS: [&str; 4] = ["rate", "irate", "increase", "resets"];
const OF_GAUGES: [&str; 3] = ["delta", "idelta", "deriv"];

/// Judges rule files; with `metrics` also what they read.
pub fn lint_rules(
    sources: &[(String, String)],
    defaults: RuleDefaults,
    metrics: Option<MetricLookup<'_>>,
) -> Vec<Finding> {
    let files = match load_rules(sources, defaults) {
        Ok(files) => files,
        Err(mistakes) => return mistakes.into_iter().map(|at| Finding { is_mistake: true, at }).collect(),
    };
    let recorded: HashSet<&str> = rules_of(&files)
        .filter(|(_, rule)| matches!(rule.kind, RuleKind::Recording))
        .map(|(_, rule)| &*rule.name)
        .collect();
    let mut findings = Vec::new();
    let mut seen: HashSet<(String, String, String)> = HashSet::new();
    for (group, rule) in rules_of(&files) {
        let mut lint = Lint { group, rule, findings: &mut findings };
        let labels: Vec<String> = rule.labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
        if !seen.insert((rule.name.clone(), rule.expr.text().to_owned(), labels.join(","))) {
            lint.warn("stands twice with the same labels and expression", "leave one out");
        }
        lint.names();
        lint.language();
        if let RuleKind::Alerting(spec) = &rule.kind {
            lint.alert(spec);
        }
        if let (RuleExpr::Prom { query, .. }, Some(metrics)) = (&rule.expr, metrics) {
            for one in parse(query.text()).map(|expr| expr.metric_uses()).unwrap_or_default() {
                lint.metric(&one, &recorded, metrics);
            }
        }
    }
    findings
}

fn rules_of(files: &[RuleFile]) -> impl Iterator<Item = (&RuleGroup, &Rule)> {
    files.iter().flat_map(|file| &file.groups).flat_map(|group| group.rules.iter().map(move |rule| (&**group, rule)))
}

struct Lint<'a> {
    group: &'a RuleGroup,
    rule: &'a Rule,
    findings: &'a mut Vec<Finding>,
}

impl Lint<'_> {
    fn warn(&mut self, what: impl fmt::Display, remedy: impl Into<String>) {
        let what = format!("rule {:?} {what}", self.rule.name);
        let at = Mistake::new(&self.group.file, self.rule.place, what, remedy);
        self.findings.push(Finding { is_mistake: false, at });
    }

    /// Names that Prometheus before version 3 does not take.
    fn names(&mut self) {
        let is_plain = |name: &str| {
            let mut chars = name.chars();
            chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let odd: Vec<&String> = self.rule.labels.iter().map(|(name, _)| name).filter(|name| !is_plain(name)).collect();
        for name in odd {
            self.warn(format!("has label {name:?}"), "letters, digits and _ are what every tool reads");
        }
    }

    /// What is PromQL and LogQL alike was read as PromQL.
    fn language(&mut self) {
        let RuleExpr::Prom { query, .. } = &self.rule.expr else { return };
        let uses = parse(query.text()).map(|expr| expr.metric_uses()).unwrap_or_default();
        let nameless = uses.iter().any(|one| one.name.is_none());
        if nameless && parse_log_query(query.text()).is_ok_and(|log| log.is_metric()) {
            self.warn("could be PromQL or LogQL and is read as PromQL", "write `type: logql` if log lines are meant");
        }
    }

    fn alert(&mut self, spec: &AlertSpec) {
        if spec.for_ms == 0 {
            self.warn("has no `for`", "write `for: 5m`, so that one bad value wakes nobody");
        }
        if !spec.annotations.iter().any(|(name, _)| name == "summary") {
            self.warn("has no summary", "write below annotations what a person is to read first");
        }
        if !self.rule.labels.iter().any(|(name, _)| name == "severity") {
            self.warn(
                "has no severity",
                "write below labels `severity: critical` or `warning`, so that it can be routed",
            );
        }
        if spec.no_data == NoData::Alert && !matches!(self.rule.expr, RuleExpr::Prom { compared: Some(_), .. }) {
            self.warn(
                "has `no_data: alert`, but cannot tell what has data",
                "compare a vector to a number, as in x > 5",
            );
        }
        let templates = spec.annotations.iter().chain(&self.rule.labels);
        let faults: Vec<(String, String)> =
            templates.filter_map(|(name, template)| Some((name.clone(), comparison_fault(template)?))).collect();
        for (name, fault) in faults {
            self.warn(
                format!("cannot fill the template of {name:?}: {fault}"),
                "compare $value to a number with a point",
            );
        }
    }

    fn metric(&mut self, one: &MetricUse, recorded: &HashSet<&str>, metrics: MetricLookup<'_>) {
        let Some(name) = one.name.as_deref() else { return };
        if recorded.contains(name) || matches!(name, "ALERTS" | "ALERTS_FOR_STATE") {
            return;
        }
        let function = one.function.unwrap_or_default();
        match metrics(name) {
            None => {
                self.warn(format!("reads {name:?}, of which there is no series"), "correct the name, or collect it")
            }
            Some(MetricKind::Gauge) if OF_COUNTERS.contains(&function) => {
                self.warn(format!("takes {function}() of {name:?}, which is a gauge"), "use deriv() or delta()");
            }
            Some(MetricKind::Counter) if OF_GAUGES.contains(&function) => {
                self.warn(format!("takes {function}() of {name:?}, which is a counter"), "use rate() or increase()");
            }
            Some(_) => {}
        }
    }
}

/// Comparing a float to a whole number goes wrong whatever the data are.
fn comparison_fault(template: &Template) -> Option<String> {
    let none = LabelSet::default();
    let ask = |_: &str| Ok(Vec::new());
    let scope = Scope { labels: &none, external_labels: &none, external_url: "", value: 1.0, now_ms: 0, ask: &ask };
    template.expand(&scope).err().filter(|error| error.contains("incompatible types"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lint(rules: &str, metrics: Option<MetricLookup<'_>>) -> Vec<String> {
        let text = format!("groups:\n- name: g\n  rules:\n{rules}");
        let findings = lint_rules(&[("f.yml".into(), text)], RuleDefaults::default(), metrics);
        findings.iter().map(ToString::to_string).collect()
    }

    const WELL: &str = "  - alert: A\n    expr: up == 0\n    for: 5m\n    labels: {severity: critical}\n    annotations: {summary: x}\n";

    #[test]
    fn what_is_probably_not_meant_is_told() {
        assert_eq!(lint(WELL, None), [""; 0]);
        assert_eq!(
            lint("  - alert: A\n    expr: up == 0\n", None),
            [
                "warning: f.yml:4:5: rule \"A\" has no `for`: write `for: 5m`, so that one bad value wakes nobody",
                "warning: f.yml:4:5: rule \"A\" has no summary: write below annotations what a person is to read first",
                "warning: f.yml:4:5: rule \"A\" has no severity: write below labels `severity: critical` or `warning`, so that it can be routed",
            ]
        );
        for (rules, part) in [
            (format!("{WELL}{WELL}"), "stands twice with the same labels"),
            (WELL.replace("summary: x", "summary: '{{ if gt $value 5 }}x{{ end }}'"), "write 5.0: compare $value"),
            (WELL.replace("up == 0\n", "absent(up)\n    no_data: alert\n"), "cannot tell what has data"),
            (WELL.replace("severity:", "'a-b': c, severity:"), "has label \"a-b\""),
            ("  - record: r\n    expr: sum(rate({job=\"logs\"}[5m]))\n".to_owned(), "write `type: logql`"),
        ] {
            let told = lint(&rules, None);
            assert!(told.len() == 1 && told[0].contains(part), "{part}: {told:?}");
        }
        let told = lint("  - alert: A\n    expr: sum(\n", None);
        assert!(told.len() == 1 && told[0].starts_with("mistake: f.yml:5:15: expr cannot be read"), "{told:?}");
    }

    #[test]
    fn what_is_read_is_judged_by_what_there_is() {
        let metrics = |name: &str| match name {
            "c_total" => Some(MetricKind::Counter),
            "g" => Some(MetricKind::Gauge),
            _ => None,
        };
        for (expr, part) in [
            ("rate(c_total[5m])", None),
            ("rate(g[5m])", Some("takes rate() of \"g\", which is a gauge")),
            ("delta(c_total[5m])", Some("which is a counter")),
            ("absent(nothing)", Some("reads \"nothing\", of which there is no series")),
            ("r + ALERTS", None),
        ] {
            let told = lint(&format!("  - record: r\n    expr: {expr}\n"), Some(&metrics));
            assert_eq!(told.len(), usize::from(part.is_some()), "{expr}: {told:?}");
            assert!(told.iter().all(|one| one.contains(part.unwrap_or_default())), "{told:?}");
        }
    }
}
