//! Reads one rule: its keys, its expression, its labels and templates.

use muster_common::label::NAME;
use muster_common::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX};
use muster_query::{Prepared, PreparedLog, QueryError, ValueType};
use muster_yaml::{Key, Node, Yaml};

use super::file::{AlertSpec, NoData, Rule, RuleExpr, RuleKind};
use super::load_check::{CHECK_KEYS, check_labels, check_name, check_spec};
use super::reader::Reader;
use crate::template::Template;

const RULE_KEYS: &[&str] = &[
    "alert",
    "record",
    "check",
    "expr",
    "for",
    "keep_firing_for",
    "clear_for",
    "labels",
    "annotations",
    "no_data",
    "type",
    "warn",
    "crit",
    "unit",
    "max_attempts",
    "remedy",
    "parents",
    "ttl",
];
/// Keys that mean something only for alerts.
const ALERT_KEYS: &[&str] = &["for", "keep_firing_for", "clear_for", "annotations", "no_data"];

/// The language of an expression, where it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Prom,
    Log,
}

/// The rule, as far as it can be read; what is wrong with it has been told.
pub(super) fn rule(
    reader: &mut Reader<'_>,
    yaml: &Yaml,
    group_labels: &[(String, Template)],
    group_language: Option<Language>,
) -> Option<Rule> {
    let keys = reader.keys(yaml, RULE_KEYS, "a rule")?;
    let find = |name: &str| keys.iter().find(|(key, _)| key.name == name).map(|(_, value)| value);
    let (name, what) = name(reader, yaml, &find)?;
    let own_language = find("type").and_then(|value| language(reader, value));
    let expr = match find("expr") {
        Some(value) => expression(reader, value, own_language.or(group_language)),
        None => {
            reader.mistake(yaml.place, format!("rule {name:?} has no expr"), "write `expr: ...`");
            None
        }
    };
    let own_labels = find("labels").map_or_else(Vec::new, |value| labels(reader, value));
    let mut all = group_labels.to_vec();
    all.retain(|(name, _)| !own_labels.iter().any(|(own, _)| own == name));
    all.extend(own_labels);
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let misplaced: &[(&[&str], &str)] = match what {
        What::Alert => &[(CHECK_KEYS, "leave it out, or write `check:` instead of `alert:`")],
        What::Record => &[
            (ALERT_KEYS, "leave it out, or write `alert:` instead of `record:`"),
            (CHECK_KEYS, "leave it out, or write `check:` instead of `record:`"),
        ],
        What::Check => &[(ALERT_KEYS, "leave it out: a check has `max_attempts` and `remedy`")],
    };
    for (known, remedy) in misplaced {
        for (key, _) in keys.iter().filter(|(key, _)| known.contains(&&*key.name)) {
            reader.mistake(key.place, format!("{} {name:?} has key {:?}", what.words(), key.name), *remedy);
        }
    }
    let kind = match what {
        What::Alert => RuleKind::Alerting(alert_spec(reader, &find)),
        What::Record => RuleKind::Recording,
        What::Check => {
            check_labels(reader, yaml, &all);
            RuleKind::Check(check_spec(reader, yaml, &name, &find))
        }
    };
    Some(Rule { name, expr: expr?, labels: all, kind, place: yaml.place })
}

/// What a rule makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Alert,
    Record,
    Check,
}

impl What {
    const ALL: [(&'static str, Self); 3] = [("alert", Self::Alert), ("record", Self::Record), ("check", Self::Check)];

    const fn words(self) -> &'static str {
        match self {
            Self::Alert => "alerting rule",
            Self::Record => "recording rule",
            Self::Check => "metric check",
        }
    }
}

/// The name, and what it is of.
fn name<'y>(reader: &mut Reader<'_>, yaml: &Yaml, find: &impl Fn(&str) -> Option<&'y Yaml>) -> Option<(String, What)> {
    let named: Vec<(&str, What, &Yaml)> =
        What::ALL.iter().filter_map(|(key, what)| Some((*key, *what, find(key)?))).collect();
    let (key, what, value) = match named.as_slice() {
        [one] => *one,
        [(first, ..), (second, _, place), ..] => {
            reader.mistake(place.place, format!("the rule has both {first} and {second}"), "make two rules of it");
            return None;
        }
        [] => {
            let remedy = "write `alert: Name`, `record: name` or `check: name`";
            reader.mistake(yaml.place, "the rule has neither alert nor record nor check", remedy);
            return None;
        }
    };
    let name = reader.scalar(value, key)?;
    if name.is_empty() {
        reader.mistake(value.place, format!("{key} is empty"), "give the rule a name");
    } else if what == What::Check {
        check_name(reader, value, &name);
    } else if name.len() > LABEL_VALUE_BYTES_MAX {
        reader.mistake(value.place, format!("the name has {} bytes", name.len()), "shorten it");
    } else if what == What::Record && name.contains(['{', '}']) {
        reader.mistake(
            value.place,
            format!("metric name {name:?} has braces"),
            "write labels below `labels:`, the rest into expr",
        );
    }
    Some((name, what))
}

/// Key `type`.
pub(super) fn language(reader: &mut Reader<'_>, value: &Yaml) -> Option<Language> {
    let text = reader.scalar(value, "type")?;
    match &*text {
        "promql" | "prometheus" => Some(Language::Prom),
        "logql" | "loki" => Some(Language::Log),
        _ => {
            reader.mistake(value.place, format!("unknown type {text:?}"), "write promql or logql");
            None
        }
    }
}

/// Without a type, what is no PromQL but a LogQL query of numbers is LogQL: so Loki's rule files load as they are. What is both is PromQL.
fn expression(reader: &mut Reader<'_>, value: &Yaml, language: Option<Language>) -> Option<RuleExpr> {
    let text = reader.scalar(value, "expr")?;
    if text.trim().is_empty() {
        reader.mistake(value.place, "expr is empty", "write an expression");
        return None;
    }
    let error = match language {
        Some(Language::Log) => match PreparedLog::new(&text) {
            Ok(query) => return Some(RuleExpr::Log(query)),
            Err(error) => error,
        },
        _ => match Prepared::new(&text) {
            Ok(query) if matches!(query.value_type(), ValueType::Vector | ValueType::Scalar) => {
                let compared = query.compared();
                return Some(RuleExpr::Prom { query, compared });
            }
            Ok(query) => {
                let what = format!("expr is a {}", query.value_type());
                reader.mistake(
                    value.place,
                    what,
                    "a rule needs a vector or a number: put a range vector into a function such as rate()",
                );
                return None;
            }
            Err(error) => match (language, PreparedLog::new(&text)) {
                (None, Ok(query)) => return Some(RuleExpr::Log(query)),
                (None, Err(log_error)) if looks_like_lines(&text) => log_error,
                _ => error,
            },
        },
    };
    faulty(reader, value, &text, &error);
    None
}

/// A LogQL query that answers lines, or whose filters no PromQL has.
fn looks_like_lines(text: &str) -> bool {
    ["|=", "|~", "| json", "| logfmt", "|>"].iter().any(|sign| text.contains(sign))
}

fn faulty(reader: &mut Reader<'_>, value: &Yaml, text: &str, error: &QueryError) {
    let place = error.at().map_or(value.place, |at| value.place.inside(reader.text, text, at));
    reader.mistake(place, format!("expr cannot be read: {error}"), "correct the expression there");
}

fn alert_spec<'y>(reader: &mut Reader<'_>, find: &impl Fn(&str) -> Option<&'y Yaml>) -> AlertSpec {
    let for_ms = find("for").and_then(|value| reader.span(value, "for")).unwrap_or(0);
    if let (Some(_), Some(twice)) = (find("keep_firing_for"), find("clear_for")) {
        reader.mistake(
            twice.place,
            "clear_for is another name of keep_firing_for, and both stand here",
            "write one of them",
        );
    }
    let keep = find("keep_firing_for").or(find("clear_for"));
    let keep_firing_for_ms = keep.and_then(|value| reader.span(value, "keep_firing_for")).unwrap_or(0);
    let annotations = find("annotations").map_or_else(Vec::new, |value| annotations(reader, value));
    let no_data = find("no_data").and_then(|value| no_data(reader, value)).unwrap_or_default();
    AlertSpec { for_ms, keep_firing_for_ms, annotations, no_data }
}

fn no_data(reader: &mut Reader<'_>, value: &Yaml) -> Option<NoData> {
    let text = reader.scalar(value, "no_data")?;
    let found = NoData::WORDS.iter().find(|(word, _)| *word == text).map(|(_, own)| *own);
    if found.is_none() {
        reader.mistake(value.place, format!("no_data {text:?} is unknown"), "write hold, ok or alert");
    }
    found
}

/// The labels below a key, by name.
pub(super) fn labels(reader: &mut Reader<'_>, yaml: &Yaml) -> Vec<(String, Template)> {
    let labels = templates(reader, yaml, "labels");
    if labels.len() > LABELS_MAX / 2 {
        let what = format!("{} labels", labels.len());
        reader.mistake(yaml.place, what, format!("a rule may add {}: leave some out", LABELS_MAX / 2));
    }
    labels
}

fn annotations(reader: &mut Reader<'_>, yaml: &Yaml) -> Vec<(String, Template)> {
    templates(reader, yaml, "annotations")
}

fn templates(reader: &mut Reader<'_>, yaml: &Yaml, what: &str) -> Vec<(String, Template)> {
    let entries = match &yaml.node {
        Node::Map(entries) => entries,
        Node::Null => return Vec::new(),
        _ => {
            reader.wrong_kind(yaml, what, "a map: `name: text` below it");
            return Vec::new();
        }
    };
    let mut all: Vec<(String, Template)> = Vec::new();
    for (key, value) in entries {
        if all.iter().any(|(name, _)| *name == key.name) {
            reader.mistake(key.place, format!("{:?} stands twice in {what}", key.name), "write it once");
            continue;
        }
        check_label_name(reader, key, what);
        let Some(text) = reader.scalar(value, &key.name) else { continue };
        match Template::parse(&text) {
            Ok(template) => all.push((key.name.clone(), template)),
            Err(error) => {
                let at = byte_of(&text, error.line, error.column);
                let place = value.place.inside(reader.text, &text, at);
                let message = &error.message;
                reader.mistake(place, format!("template of {:?}: {message}", key.name), "correct it there");
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn check_label_name(reader: &mut Reader<'_>, key: &Key, what: &str) {
    let name = &key.name;
    if name.is_empty() {
        reader.mistake(key.place, format!("an empty name in {what}"), "give it a name");
    } else if name == NAME && what == "labels" {
        reader.mistake(key.place, "label __name__ cannot be set", "the name is the value of `record:`");
    } else if name.len() > LABEL_NAME_BYTES_MAX {
        reader.mistake(key.place, format!("a name of {} bytes in {what}", name.len()), "shorten it");
    } else if name.contains(|c: char| c.is_whitespace() || c.is_control() || "{}\"'=,".contains(c)) {
        reader.mistake(key.place, format!("{name:?} is no name"), "use letters, digits and _");
    }
}

/// The byte at a line and a column, both from 1.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    start + text[start..].chars().take(column - 1).map(char::len_utf8).sum::<usize>()
}
