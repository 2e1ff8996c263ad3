//! Runs the scripts of `testdata/`: they load series, evaluate expressions and say what must come out, so that people
//! who read no Rust can check what a query means.
//!
//! ```text
//! load 1m                                 series with a sample each minute from time 0 on
//!   name{label="value"} 1 2 _ 4           `_` no sample, `stale` ends the series
//!   other 0+10x5 7x3                      0 10 20 30 40 50, then 7 four times
//! clear                                   forgets all series
//! eval instant at 5m: expression
//!   {label="value"} 3                     a line a series; `NaN`, `+Inf`; alone: a scalar; in quotes: a string
//!   name 1@60 2@120                       samples of a range vector with their seconds
//! eval range from 0 to 5m step 1m: expression
//!   {} 1 2 _ 4 5 6
//! eval instant at 0: bad(
//!   expect fail part of the error
//! expect ordered | warn TEXT | info TEXT | differs        below an eval, too
//! ```
//! Every instant evaluation is also run as the middle step of a range, and every expression is printed, read again and
//! run again; all must agree (`expect differs` leaves the range out).

use std::sync::Arc;
use std::time::Duration;

use muster_common::label::{LabelSet, NAME};
use muster_common::matcher::{Matcher, Test};
use muster_common::sample::{MetricKind, is_stale, stale};

use crate::engine::Engine;
use crate::error::QueryError;
use crate::limits::{Control, Limits};
use crate::parse::{parse, parse_selector};
use crate::promql::eval::compare;
use crate::source::{Columns, Request, SourceError};
use crate::text::literal::span_ms;
use crate::value::{Answer, Value};

/// Answers requests from columns in memory as a store does.
pub(crate) fn fetch_from(series: &[Columns], request: &Request<'_>) -> Result<Vec<Columns>, SourceError> {
    let matches =
        |one: &&Columns| request.matchers.iter().all(|m: &Matcher| m.is_match(one.labels.get(&m.name).unwrap_or("")));
    let mut found = Vec::new();
    let mut samples = 0;
    for one in series.iter().filter(matches) {
        let kept = one.millis.iter().enumerate().filter(|(_, ms)| (request.from_ms..=request.to_ms).contains(ms));
        let kept: Vec<usize> = kept.map(|(index, _)| index).collect();
        if kept.is_empty() {
            continue;
        }
        samples += kept.len();
        if samples > request.samples_max || found.len() >= request.series_max {
            return Err(SourceError::TooMuch("the selector reads too much".into()));
        }
        found.push(Columns {
            labels: Arc::clone(&one.labels),
            kind: one.kind,
            millis: kept.iter().map(|index| one.millis[*index]).collect(),
            values: kept.iter().map(|index| one.values[*index]).collect(),
        });
    }
    found.sort_by(|a, b| compare(&a.labels, &b.labels));
    Ok(found)
}

pub(crate) fn instant(series: &[Columns], query: &str, at_ms: i64) -> Result<Answer, QueryError> {
    let control = Control::new(Duration::from_secs(60));
    Engine::new(Limits::default()).instant_over(&|request| fetch_from(series, request), query, at_ms, &control)
}

pub(crate) fn range(series: &[Columns], query: &str, times: (i64, i64, i64)) -> Result<Answer, QueryError> {
    let control = Control::new(Duration::from_secs(60));
    Engine::new(Limits::default()).range_over(&|request| fetch_from(series, request), query, times, &control)
}

/// One series of `name{...} 1 2 3` with a sample each `step` from 0 on.
pub(crate) fn series(line: &str, step: i64) -> Columns {
    let (labels, values) = labels_of(line);
    let mut columns =
        Columns { labels: Arc::new(labels), kind: MetricKind::Untyped, millis: Vec::new(), values: Vec::new() };
    for (index, value) in items(values).into_iter().enumerate() {
        if let Some(value) = value {
            columns.millis.push(i64::try_from(index).unwrap() * step);
            columns.values.push(value);
        }
    }
    columns
}

/// The labels at the start of a line, and its rest.
pub(crate) fn labels_of(line: &str) -> (LabelSet, &str) {
    let name_end = line.find(['{', ' ']).unwrap_or(line.len());
    let end = match line.as_bytes().get(name_end) {
        Some(b'{') => line.find("} ").map_or(line.len(), |at| at + 1),
        _ => name_end,
    };
    let (text, rest) = line.split_at(end);
    if matches!(text, "{}" | "") {
        return (LabelSet::default(), rest);
    }
    let matchers = parse_selector(text).unwrap_or_else(|error| panic!("labels `{text}`: {error}"));
    let pair = |m: &Matcher| match &m.test {
        Test::Equal(value) => (m.name.clone(), value.clone()),
        _ => panic!("labels `{text}` need `=`"),
    };
    (LabelSet::new(matchers.iter().map(pair)).unwrap(), rest)
}

/// The values of `1 2+3x4 _ stale`.
pub(crate) fn items(text: &str) -> Vec<Option<f64>> {
    let mut all = Vec::new();
    for item in text.split_whitespace() {
        let (body, times) = match item.split_once('x') {
            Some((body, times)) => (body, times.parse::<usize>().unwrap_or_else(|_| panic!("item `{item}`"))),
            None => (item, 0),
        };
        if body == "_" {
            all.extend(std::iter::repeat_n(None, times.max(1)));
            continue;
        }
        if body == "stale" {
            all.push(Some(stale()));
            continue;
        }
        // The step's sign is the last one that is no exponent's and not the first character.
        let bytes = body.as_bytes();
        let sign = (1..bytes.len()).rev().find(|i| matches!(bytes[*i], b'+' | b'-') && bytes[i - 1] != b'e');
        let (start, step) = sign.map_or((body, "0"), |at| body.split_at(at));
        let number = |text: &str| text.parse::<f64>().unwrap_or_else(|_| panic!("item `{item}`"));
        let (mut value, step) = (number(start), number(step));
        for _ in 0..=times {
            all.push(Some(value));
            value += step;
        }
    }
    all
}

#[derive(Default)]
struct Expected {
    series: Vec<(LabelSet, Vec<Option<f64>>)>,
    samples: Vec<(LabelSet, Vec<(i64, f64)>)>,
    scalar: Option<f64>,
    text: Option<String>,
    fail: Option<String>,
    notes: Vec<(bool, String)>,
    ordered: bool,
    differs: bool,
}

impl Expected {
    fn read(lines: &[&str]) -> Self {
        let mut expected = Self::default();
        for line in lines {
            if let Some(rest) = line.strip_prefix("expect ") {
                let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
                match word {
                    "fail" => expected.fail = Some(text.to_owned()),
                    "warn" => expected.notes.push((true, text.to_owned())),
                    "info" => expected.notes.push((false, text.to_owned())),
                    "ordered" => expected.ordered = true,
                    "differs" => expected.differs = true,
                    _ => panic!("`{line}`"),
                }
            } else if let Some(text) = line.strip_prefix('"') {
                expected.text = Some(text.trim_end_matches('"').to_owned());
            } else if let Ok(value) = line.parse() {
                expected.scalar = Some(value);
            } else {
                let (labels, rest) = labels_of(line);
                if rest.contains('@') {
                    let sample = |item: &str| {
                        let (value, seconds) = item.split_once('@').unwrap();
                        #[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
                        ((seconds.parse::<f64>().unwrap() * 1000.0) as i64, value.parse().unwrap())
                    };
                    expected.samples.push((labels, rest.split_whitespace().map(sample).collect()));
                } else {
                    expected.series.push((labels, items(rest)));
                }
            }
        }
        expected
    }

    fn compare(&self, answer: &Answer, times: &[i64]) -> Result<(), String> {
        match &answer.value {
            Value::Scalar { value, .. } => same(self.scalar.unwrap_or(-77.77), *value)?,
            Value::String { value, .. } if Some(value) == self.text.as_ref() => {}
            Value::String { value, .. } => return Err(format!("string {value:?}")),
            Value::Vector(points) => {
                let own: Vec<_> = points.iter().map(|p| (&*p.labels, vec![Some(p.value)])).collect();
                compare_series(&self.series, &own, self.ordered)?;
            }
            Value::Matrix(all) if !self.samples.is_empty() => {
                if all.len() != self.samples.len() {
                    return Err(format!("{} series: {all:?}", all.len()));
                }
                for (one, (labels, samples)) in all.iter().zip(&self.samples) {
                    let own: Vec<_> = one.millis.iter().copied().zip(one.values.iter().copied()).collect();
                    if *one.labels != *labels || own != *samples {
                        return Err(format!("{labels}: {own:?}"));
                    }
                }
            }
            Value::Matrix(all) => {
                let at = |one: &crate::value::Series, ms: &i64| {
                    one.millis.iter().position(|own| own == ms).map(|index| one.values[index])
                };
                let own: Vec<_> =
                    all.iter().map(|one| (&*one.labels, times.iter().map(|ms| at(one, ms)).collect())).collect();
                compare_series(&self.series, &own, self.ordered)?;
            }
        }
        for (warning, text) in &self.notes {
            let notes = if *warning { &answer.warnings } else { &answer.infos };
            if !notes.iter().any(|note| note.contains(text)) {
                return Err(format!("notes {notes:?}"));
            }
        }
        Ok(())
    }
}

/// Whether these are the series expected, at each step; `None` is a hole.
pub(crate) fn compare_series(
    wanted: &[(LabelSet, Vec<Option<f64>>)],
    own: &[(&LabelSet, Vec<Option<f64>>)],
    ordered: bool,
) -> Result<(), String> {
    let shown = || {
        let line = |(labels, values): &(&LabelSet, Vec<Option<f64>>)| {
            let cell = |value: &Option<f64>| value.map_or("_".into(), |value| value.to_string());
            format!("\n  {labels} {}", values.iter().map(cell).collect::<Vec<_>>().join(" "))
        };
        format!("got:{}", own.iter().map(line).collect::<String>())
    };
    if own.len() != wanted.len() {
        return Err(shown());
    }
    for (index, (labels, values)) in own.iter().enumerate() {
        let expected = if ordered {
            wanted.get(index).filter(|(expected, _)| expected == *labels)
        } else {
            wanted.iter().find(|(expected, _)| expected == *labels)
        };
        let Some((_, expected)) = expected else { return Err(shown()) };
        if expected.len() != values.len() {
            return Err(shown());
        }
        for pair in expected.iter().zip(values) {
            let fits = match pair {
                (Some(a), Some(b)) => same(*a, *b).is_ok(),
                (None, None) => true,
                _ => false,
            };
            if !fits {
                return Err(shown());
            }
        }
    }
    Ok(())
}

pub(crate) fn same(a: f64, b: f64) -> Result<(), String> {
    let near = (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
    // A stale marker is no value: it must never come out.
    if near && !is_stale(b) { Ok(()) } else { Err(format!("got {b}")) }
}

fn run(script: &str) {
    let lines: Vec<(usize, &str)> = script
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim_end()))
        .filter(|(_, line)| !line.is_empty() && !line.trim_start().starts_with('#'))
        .collect();
    let mut loaded = Vec::new();
    let mut index = 0;
    let mut evaluated = 0;
    while index < lines.len() {
        let (number, head) = lines[index];
        let body: Vec<&str> =
            lines[index + 1..].iter().map(|(_, line)| *line).take_while(|line| line.starts_with(' ')).collect();
        index += 1 + body.len();
        let body: Vec<&str> = body.iter().map(|line| line.trim()).collect();
        if head == "clear" {
            loaded.clear();
        } else if let Some(step) = head.strip_prefix("load ") {
            let step = span_ms(step).unwrap();
            loaded.extend(body.iter().map(|line| series(line, step)));
        } else if let Some(rest) = head.strip_prefix("eval ") {
            evaluated += 1;
            if let Err(trouble) = evaluate(&loaded, rest, &Expected::read(&body)) {
                panic!("line {number}: {head}\n{trouble}");
            }
        } else {
            panic!("line {number}: `{head}`");
        }
    }
    assert!(evaluated > 0);
}

fn evaluate(loaded: &[Columns], head: &str, expected: &Expected) -> Result<(), String> {
    let (when, query) = head.split_once(": ").ok_or("no `: `")?;
    let words: Vec<&str> = when.split_whitespace().collect();
    let ms = |text: &str| match text.strip_prefix('-') {
        Some(text) => -span_ms(text).unwrap(),
        None => span_ms(text).unwrap_or(0),
    };
    let (answer, times) = match words[..] {
        ["instant", "at", at] => (instant(loaded, query, ms(at)), vec![ms(at)]),
        ["range", "from", from, "to", to, "step", step] => {
            let (from, to, step) = (ms(from), ms(to), ms(step));
            let times = (0..).map(|i| from + i * step).take_while(|t| *t <= to).collect();
            (range(loaded, query, (from, to, step)), times)
        }
        _ => return Err("no such eval".into()),
    };
    let answer = match (&expected.fail, answer) {
        (Some(text), Err(error)) if error.to_string().contains(text) => return Ok(()),
        (Some(_), Err(error)) => return Err(format!("failed: {error}")),
        (Some(_), Ok(answer)) => return Err(format!("did not fail: {answer:?}")),
        (None, Err(error)) => return Err(format!("failed: {error}")),
        (None, Ok(answer)) => answer,
    };
    expected.compare(&answer, &times)?;
    let printed = parse(query).map_err(|error| error.to_string())?.to_string();
    let again = parse(&printed).map_err(|error| format!("printed `{printed}`: {error}"))?.to_string();
    if printed != again {
        return Err(format!("printed `{printed}`, then `{again}`"));
    }
    if words[0] == "instant" {
        let answer = instant(loaded, &printed, times[0]).map_err(|error| format!("printed `{printed}`: {error}"))?;
        expected.compare(&answer, &times).map_err(|trouble| format!("printed `{printed}`: {trouble}"))?;
        let points = matches!(answer.value, Value::Vector(_)) && !expected.ordered && !expected.differs;
        if points {
            let around = (times[0] - 60_000, times[0] + 60_000, 60_000);
            let answer = range(loaded, query, around).map_err(|error| format!("as a range: {error}"))?;
            middle(expected, answer, times[0])?;
        }
    }
    Ok(())
}

/// The middle step of a range must be the instant answer.
fn middle(expected: &Expected, answer: Answer, at: i64) -> Result<(), String> {
    let Value::Matrix(mut all) = answer.value else { return Err("no matrix".into()) };
    all.retain(|one| one.millis.contains(&at));
    let answer = Answer { value: Value::Matrix(all), ..answer };
    let bare = Expected { series: expected.series.clone(), ..Expected::default() };
    bare.compare(&answer, &[at]).map_err(|trouble| format!("as a range: {trouble}"))
}

macro_rules! scripts {
    ($($name:ident: $file:literal,)*) => {
        $(#[test]
        fn $name() {
            run(include_str!(concat!("testdata/", $file)));
        })*
    };
}

scripts! {
    selectors_answer_as_written: "selectors.test",
    counters_rise_and_reset: "counters.test",
    windows_aggregate_over_time: "over_time.test",
    aggregations_group_series: "aggregations.test",
    operators_combine_vectors: "operators.test",
    functions_change_values: "functions.test",
    labels_are_replaced_and_joined: "labels.test",
    histograms_have_quantiles: "histograms.test",
    subqueries_are_aligned: "subqueries.test",
    times_are_shifted_and_fixed: "at_and_offset.test",
    dates_are_taken_apart: "dates.test",
    errors_say_what_is_wrong: "errors.test",
}

#[test]
fn every_function_has_a_script() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/promql/testdata");
    let read = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(entry.unwrap().path()).unwrap();
    let scripts: String = std::fs::read_dir(folder).unwrap().map(read).collect();
    let evaluated: Vec<&str> = scripts.lines().filter(|line| line.starts_with("eval ")).collect();
    for function in crate::promql::functions::FUNCTIONS {
        let call = format!("{}(", function.name);
        let is_called = |line: &&&str| {
            line.match_indices(&call)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
        };
        assert!(evaluated.iter().find(is_called).is_some(), "no script calls {}", function.name);
    }
}

#[test]
fn the_name_is_a_label_like_others() {
    assert_eq!(labels_of("up{a=\"b\"} 1").0.get(NAME), Some("up"));
}
