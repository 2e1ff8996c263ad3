//! Files of rule unit tests, as promtool takes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::matcher::Test;
use muster_common::sample::stale;
use muster_query::parse_selector;
use muster_yaml::{Key, Node, Place, Yaml};

use super::mistake::Mistake;
use super::reader::{Reader, read_yaml};

/// Samples of one series: what a case of a year of minutes needs.
const SAMPLES_MAX: usize = 600_000;

pub(super) struct UnitFile {
    pub(super) rule_files: Vec<(Place, String)>,
    pub(super) evaluation_interval_ms: i64,
    pub(super) group_eval_order: Vec<String>,
    pub(super) tests: Vec<UnitCase>,
}

pub(super) struct UnitCase {
    pub(super) name: String,
    pub(super) interval_ms: i64,
    pub(super) series: Vec<(Arc<LabelSet>, Vec<Option<f64>>)>,
    pub(super) external_labels: LabelSet,
    pub(super) external_url: String,
    pub(super) alerts: Vec<AlertCase>,
    pub(super) exprs: Vec<ExprCase>,
}

pub(super) struct AlertCase {
    pub(super) eval_ms: i64,
    pub(super) alert: String,
    pub(super) group: Option<String>,
    /// Labels (with `alertname`) and annotations.
    pub(super) expected: Vec<(LabelSet, BTreeMap<String, String>)>,
}

pub(super) struct ExprCase {
    pub(super) expr: String,
    pub(super) eval_ms: i64,
    pub(super) expected: Vec<(LabelSet, f64)>,
}

const FILE_KEYS: &[&str] = &["rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"];
const CASE_KEYS: &[&str] =
    &["name", "interval", "input_series", "alert_rule_test", "promql_expr_test", "external_labels", "external_url"];

type Keys<'y> = Vec<&'y (Key, Yaml)>;

fn find<'y>(keys: &Keys<'y>, name: &str) -> Option<&'y Yaml> {
    keys.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
}

impl UnitFile {
    pub(super) fn read(path: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let root = read_yaml(path, text).map_err(|mistake| vec![mistake])?;
        let mut reader = Reader::new(path, text);
        let file = reader.unit_file(&root);
        match file {
            Some(file) if reader.mistakes.is_empty() => Ok(file),
            _ => {
                reader.mistakes.sort_by_key(|mistake| mistake.place);
                Err(reader.mistakes)
            }
        }
    }
}

impl Reader<'_> {
    fn unit_file(&mut self, root: &Yaml) -> Option<UnitFile> {
        let keys = self.keys(root, FILE_KEYS, "a file of unit tests")?;
        let interval = find(&keys, "evaluation_interval").and_then(|value| self.span(value, "evaluation_interval"));
        let evaluation_interval_ms = interval.filter(|ms| *ms > 0).unwrap_or(60_000);
        let rule_files = self.texts(find(&keys, "rule_files"), "rule_files");
        let order = self.texts(find(&keys, "group_eval_order"), "group_eval_order");
        let mut tests = Vec::new();
        for one in self.list(find(&keys, "tests"), "tests") {
            tests.extend(self.unit_case(one, evaluation_interval_ms));
        }
        let group_eval_order = order.into_iter().map(|(_, name)| name).collect();
        Some(UnitFile { rule_files, evaluation_interval_ms, group_eval_order, tests })
    }

    fn list<'y>(&mut self, value: Option<&'y Yaml>, what: &str) -> &'y [Yaml] {
        match value.map(|value| (value, &value.node)) {
            Some((_, Node::List(list))) => list,
            None | Some((_, Node::Null)) => &[],
            Some((value, _)) => {
                self.wrong_kind(value, what, "a list");
                &[]
            }
        }
    }

    fn texts(&mut self, value: Option<&Yaml>, what: &str) -> Vec<(Place, String)> {
        let list = self.list(value, what);
        list.iter().filter_map(|one| Some((one.place, self.scalar(one, what)?))).collect()
    }

    /// The entries below a key, as they are written.
    fn map(&mut self, value: Option<&Yaml>, what: &str) -> BTreeMap<String, String> {
        match value.map(|value| (value, &value.node)) {
            Some((_, Node::Map(entries))) => {
                let entry = |(key, value): &(Key, Yaml)| Some((key.name.clone(), self.scalar(value, what)?));
                entries.iter().filter_map(entry).collect()
            }
            None | Some((_, Node::Null)) => BTreeMap::new(),
            Some((value, _)) => {
                self.wrong_kind(value, what, "a map");
                BTreeMap::new()
            }
        }
    }

    fn label_map(&mut self, value: Option<&Yaml>, what: &str, more: &[(&str, &str)]) -> LabelSet {
        let mut all = self.map(value, what);
        more.iter().for_each(|(name, value)| drop(all.insert((*name).to_owned(), (*value).to_owned())));
        LabelSet::new(&all).unwrap_or_else(|error| {
            self.mistake(value.map_or(Place::START, |value| value.place), error.to_string(), "correct it there");
            LabelSet::default()
        })
    }

    fn unit_case(&mut self, yaml: &Yaml, evaluation_interval_ms: i64) -> Option<UnitCase> {
        let keys = self.keys(yaml, CASE_KEYS, "a test")?;
        let interval = find(&keys, "interval").and_then(|value| self.span(value, "interval")).filter(|ms| *ms > 0);
        let mut text = |name: &str| find(&keys, name).and_then(|value| self.scalar(value, name)).unwrap_or_default();
        let (name, external_url) = (text("name"), text("external_url"));
        let mut series = Vec::new();
        for one in self.list(find(&keys, "input_series"), "input_series") {
            series.extend(self.input(one));
        }
        let mut alerts = Vec::new();
        for one in self.list(find(&keys, "alert_rule_test"), "alert_rule_test") {
            alerts.extend(self.alert_case(one));
        }
        let mut exprs = Vec::new();
        for one in self.list(find(&keys, "promql_expr_test"), "promql_expr_test") {
            exprs.extend(self.expr_case(one));
        }
        let external_labels = self.label_map(find(&keys, "external_labels"), "external_labels", &[]);
        let interval_ms = interval.unwrap_or(evaluation_interval_ms);
        Some(UnitCase { name, interval_ms, series, external_labels, external_url, alerts, exprs })
    }

    fn input(&mut self, yaml: &Yaml) -> Option<(Arc<LabelSet>, Vec<Option<f64>>)> {
        let keys = self.keys(yaml, &["series", "values"], "an input series")?;
        let (series, values) = (find(&keys, "series")?, find(&keys, "values")?);
        let labels = self.labels_of(series)?;
        let text = self.scalar(values, "values")?;
        match values_of(&text) {
            Ok(values) => Some((Arc::new(labels), values)),
            Err(what) => {
                self.mistake(
                    values.place,
                    what,
                    "write numbers such as `1 2 3`, `0+10x5`, `7x3`, `_` for none, `stale`",
                );
                None
            }
        }
    }

    /// `name{label="value"}`; `{}` is no label.
    fn labels_of(&mut self, yaml: &Yaml) -> Option<LabelSet> {
        let text = self.scalar(yaml, "series")?;
        if text.trim() == "{}" {
            return Some(LabelSet::default());
        }
        let matchers = match parse_selector(text.trim()) {
            Ok(matchers) => matchers,
            Err(error) => {
                self.mistake(yaml.place, format!("series {text:?}: {error}"), "write name{label=\"value\"}");
                return None;
            }
        };
        let pair = |one: &muster_common::matcher::Matcher| match &one.test {
            Test::Equal(value) => Some((one.name.clone(), value.clone())),
            _ => None,
        };
        let pairs: Option<Vec<(String, String)>> = matchers.iter().map(pair).collect();
        let labels = pairs.and_then(|pairs| LabelSet::new(pairs).ok());
        if labels.is_none() {
            self.mistake(yaml.place, format!("{text:?} is no series"), "write name{label=\"value\"}, with = only");
        }
        labels
    }

    fn eval_time(&mut self, keys: &Keys<'_>, yaml: &Yaml) -> Option<i64> {
        match find(keys, "eval_time") {
            Some(value) => self.span(value, "eval_time"),
            None => {
                self.mistake(yaml.place, "eval_time is missing", "write `eval_time: 10m`");
                None
            }
        }
    }

    fn alert_case(&mut self, yaml: &Yaml) -> Option<AlertCase> {
        let keys = self.keys(yaml, &["eval_time", "groupname", "alertname", "exp_alerts"], "an alert test")?;
        let eval_ms = self.eval_time(&keys, yaml)?;
        let alert = find(&keys, "alertname").and_then(|value| self.scalar(value, "alertname")).unwrap_or_default();
        if alert.is_empty() {
            self.mistake(yaml.place, "alertname is missing", "write `alertname: Name`");
        }
        let group = find(&keys, "groupname").and_then(|value| self.scalar(value, "groupname"));
        let mut expected = Vec::new();
        for one in self.list(find(&keys, "exp_alerts"), "exp_alerts") {
            let Some(keys) = self.keys(one, &["exp_labels", "exp_annotations"], "an expected alert") else { continue };
            let labels = self.label_map(find(&keys, "exp_labels"), "exp_labels", &[("alertname", &alert)]);
            expected.push((labels, self.map(find(&keys, "exp_annotations"), "exp_annotations")));
        }
        Some(AlertCase { eval_ms, alert, group: group.filter(|name| !name.is_empty()), expected })
    }

    fn expr_case(&mut self, yaml: &Yaml) -> Option<ExprCase> {
        let keys = self.keys(yaml, &["expr", "eval_time", "exp_samples"], "an expression test")?;
        let eval_ms = self.eval_time(&keys, yaml)?;
        let expr = find(&keys, "expr").and_then(|value| self.scalar(value, "expr")).unwrap_or_default();
        let mut expected = Vec::new();
        for one in self.list(find(&keys, "exp_samples"), "exp_samples") {
            let Some(keys) = self.keys(one, &["labels", "value"], "an expected sample") else { continue };
            let labels = match find(&keys, "labels") {
                Some(value) => self.labels_of(value)?,
                None => LabelSet::default(),
            };
            let Some(value) = find(&keys, "value") else { continue };
            let text = self.scalar(value, "value")?;
            match number(&text) {
                Some(number) => expected.push((labels, number)),
                None => self.mistake(value.place, format!("value {text:?} is no number"), "write a number"),
            }
        }
        Some(ExprCase { expr, eval_ms, expected })
    }
}

fn number(text: &str) -> Option<f64> {
    match text.trim_start_matches('.') {
        "inf" | "Inf" | "+Inf" => Some(f64::INFINITY),
        "-inf" | "-Inf" => Some(f64::NEG_INFINITY),
        "nan" | "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

/// The values of promtool's notation: `1 2 _ 4`, `0+10x5` (six values), `7x3` (four), `_x3` (three), `stale`.
fn values_of(text: &str) -> Result<Vec<Option<f64>>, String> {
    let mut all = Vec::new();
    for item in text.split_whitespace() {
        let wrong = || format!("{item:?} in values cannot be read");
        if item.starts_with("{{") {
            return Err("histograms are not supported in values".into());
        }
        let (body, times) = match item.rsplit_once('x') {
            Some((body, times)) => (body, Some(times.parse::<usize>().map_err(|_| wrong())?)),
            None => (item, None),
        };
        if times.unwrap_or(0) + all.len() >= SAMPLES_MAX {
            return Err(format!("more than {SAMPLES_MAX} values"));
        }
        match body {
            "_" => all.extend(std::iter::repeat_n(None, times.unwrap_or(1))),
            "stale" => all.push(Some(stale())),
            _ => {
                let (start, step) = start_and_step(body).ok_or_else(wrong)?;
                let mut value = start;
                for _ in 0..=times.unwrap_or(0) {
                    all.push(Some(value));
                    value += step;
                }
            }
        }
    }
    Ok(all)
}

/// `5`, `5+2`, `5-2`; the sign of the step is the last one that is no exponent's and not the first character.
fn start_and_step(body: &str) -> Option<(f64, f64)> {
    let bytes = body.as_bytes();
    let is_sign = |at: &usize| matches!(bytes[*at], b'+' | b'-') && !matches!(bytes[at - 1], b'e' | b'E');
    match (1..bytes.len()).rev().find(is_sign) {
        Some(at) => Some((number(&body[..at])?, number(body[at..].trim_start_matches('+'))?)),
        None => Some((number(body)?, 0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_promtool_reads_them() {
        let shown = |text: &str| {
            let word = |value: &Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
            values_of(text).map(|all| all.iter().map(word).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(shown("1 -2 0+10x3 7x2 _ _x2 5-1x2 1e2").as_deref(), Ok("1 -2 0 10 20 30 7 7 7 _ _ _ 5 4 3 100"));
        assert_eq!(shown("-1-1x1 inf NaN").as_deref(), Ok("-1 -2 inf NaN"));
        for text in ["a", "1x", "1+x3", "{{schema:0}}", "1x99999999"] {
            assert!(values_of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mistakes_of_test_files_have_their_place() {
        let told = |text: &str| {
            let Err(mistakes) = UnitFile::read("t.yml", text) else { panic!("{text}") };
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(
            told("test:\n- x")
                .contains("t.yml:1:1: unknown key \"test\" of a file of unit tests: did you mean \"tests\"?")
        );
        let series = "tests:\n- input_series:\n  - series: 'up{'\n    values: '1'\n  - series: up\n    values: 'one'\n  alert_rule_test:\n  - alertname: A\n";
        let told = told(series);
        for part in ["t.yml:3:13: series \"up{\"", "t.yml:6:13: \"one\" in values", "t.yml:8:5: eval_time is missing"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
