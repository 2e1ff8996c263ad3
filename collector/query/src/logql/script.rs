//! Runs the scripts of `testdata/`: they load streams, evaluate queries and say what must come out, so that people who
//! read no Rust can check what a query means.
//!
//! ```text
//! load {app="web"}                        a stream and its lines
//!   0s GET / 200                          a time and the line
//!   5s {trace="7"} GET /x 500             with structured metadata
//!   10s+5sx3 tick                         at 10, 15, 20 and 25 seconds
//! clear                                   forgets all streams
//! eval lines from 0s to 60s: query        `limit N` and `backward` may stand before the colon
//!   {app="web"}                           a stream of the answer
//!   0s GET / 200                          its lines in their order
//! eval instant at 60s: query
//!   {app="web"} 3                         a line a series; alone: a scalar
//! eval range from 0s to 60s step 10s: query
//!   {app="web"} 1 2 _ 4
//! eval instant at 0s: bad(
//!   expect fail part of the error
//! expect ordered | warn TEXT              below an eval, too
//! ```
//! Every instant evaluation is also run as the middle step of a range, and every query is printed, read again and run
//! again; all must agree.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;

use crate::engine::Engine;
use crate::error::QueryError;
use crate::limits::{Control, Limits};
use crate::logql::parse::parse_log_query;
use crate::logql::source::{LogFields, LogLine, LogOrder, LogRequest, LogSourceError};
use crate::promql::script::{compare_series, items, labels_of, same};
use crate::text::literal::span_ms;
use crate::value::{Direction, LogAnswer, LogPage, LogValue};
use crate::vector::labels::compare;

/// One stored line.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) labels: Arc<LabelSet>,
    pub(crate) at_ns: i64,
    pub(crate) line: Vec<u8>,
    pub(crate) fields: LabelSet,
}

/// Answers requests from lines in memory as a store does; lines that lack a needle are never shown.
pub(crate) fn fetch_from(
    stored: &[Stored],
    request: &LogRequest<'_>,
    each: &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>,
) -> Result<(), LogSourceError> {
    let matches = |one: &&Stored| {
        let labels = |m: &Matcher| m.is_match(one.labels.get(&m.name).unwrap_or(""));
        let needle = |needle: &Vec<u8>| memchr::memmem::find(&one.line, needle).is_some();
        (request.from_ns..request.to_ns).contains(&one.at_ns)
            && request.matchers.iter().all(labels)
            && request.needles.iter().all(needle)
    };
    let mut found: Vec<&Stored> = stored.iter().filter(matches).collect();
    let time = |a: &&Stored, b: &&Stored| a.at_ns.cmp(&b.at_ns);
    let labels = |a: &&Stored, b: &&Stored| compare(&a.labels, &b.labels);
    match request.order {
        LogOrder::ByStream => found.sort_by(|a, b| labels(a, b).then(time(a, b))),
        _ => found.sort_by(|a, b| time(a, b).then(labels(a, b))),
    }
    if request.order == LogOrder::Backward {
        found.reverse();
    }
    let mut bytes = 0;
    for one in found {
        bytes += one.line.len() as u64;
        if bytes > request.bytes_max {
            return Err(LogSourceError::TooMuch("the selector reads too much".into()));
        }
        let fields = LogFields::canonical(one.fields.canonical());
        if each(&one.labels, &LogLine { at_ns: one.at_ns, line: &one.line, fields }).is_break() {
            break;
        }
    }
    Ok(())
}

pub(crate) fn control() -> Control {
    Control::new(Duration::from_secs(60))
}

pub(crate) fn instant(stored: &[Stored], query: &str, at_ns: i64) -> Result<LogAnswer, QueryError> {
    Engine::new(Limits::default()).log_instant_over(&|r, each| fetch_from(stored, r, each), query, at_ns, &control())
}

pub(crate) fn range(stored: &[Stored], query: &str, times: (i64, i64, i64)) -> Result<LogAnswer, QueryError> {
    asked(stored, query, times, 1_000, Direction::Forward)
}

pub(crate) fn asked(
    stored: &[Stored],
    query: &str,
    times: (i64, i64, i64),
    limit: usize,
    direction: Direction,
) -> Result<LogAnswer, QueryError> {
    let fetch = |r: &LogRequest<'_>, each: &mut dyn FnMut(&Arc<LabelSet>, &LogLine<'_>) -> ControlFlow<()>| {
        fetch_from(stored, r, each)
    };
    Engine::new(Limits::default()).log_range_over(&fetch, query, times, &LogPage::new(limit, direction), &control())
}

/// Nanoseconds of `1h30m`, `-5s`, `1500ms`.
fn ns(text: &str) -> i64 {
    let (sign, span) = text.strip_prefix('-').map_or((1, text), |span| (-1, span));
    sign * span_ms(span).unwrap_or_else(|_| panic!("time `{text}`")) * 1_000_000
}

/// The lines of `10s+5sx3 {trace="7"} the line`.
fn stored(labels: &Arc<LabelSet>, text: &str) -> Vec<Stored> {
    let (when, mut line) = text.split_once(' ').unwrap_or((text, ""));
    let mut fields = LabelSet::default();
    if line.starts_with('{') && line[1..].starts_with(|c: char| c.is_ascii_alphabetic()) && line.contains("} ") {
        (fields, line) = labels_of(line);
        line = line.trim_start();
    }
    let (start, step, times) = match when.split_once('+') {
        Some((start, rest)) => {
            let (step, times) = rest.split_once('x').unwrap();
            (ns(start), ns(step), times.parse::<i64>().unwrap())
        }
        None => (ns(when), 0, 0),
    };
    let at = |index| Stored {
        labels: Arc::clone(labels),
        at_ns: start + step * index,
        line: line.as_bytes().to_vec(),
        fields: fields.clone(),
    };
    (0..=times).map(at).collect()
}

/// Of expected lines: their stream, seconds and text.
type Lines = Vec<(LabelSet, Vec<(i64, String)>)>;

#[derive(Default)]
struct Expected {
    lines: Lines,
    series: Vec<(LabelSet, Vec<Option<f64>>)>,
    scalar: Option<f64>,
    fail: Option<String>,
    warns: Vec<String>,
    ordered: bool,
}

impl Expected {
    fn read(lines: &[&str], of_lines: bool) -> Self {
        let mut expected = Self::default();
        for line in lines {
            if let Some(rest) = line.strip_prefix("expect ") {
                let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
                match word {
                    "fail" => expected.fail = Some(text.to_owned()),
                    "warn" => expected.warns.push(text.to_owned()),
                    "ordered" => expected.ordered = true,
                    _ => panic!("`{line}`"),
                }
            } else if of_lines && line.starts_with('{') {
                expected.lines.push((labels_of(line).0, Vec::new()));
            } else if of_lines {
                let (at, text) = line.split_once(' ').unwrap_or((line, ""));
                expected.lines.last_mut().unwrap().1.push((ns(at), text.to_owned()));
            } else if let Ok(value) = line.parse() {
                expected.scalar = Some(value);
            } else {
                let (labels, rest) = labels_of(line);
                expected.series.push((labels, items(rest)));
            }
        }
        expected
    }

    fn compare(&self, answer: &LogAnswer, times: &[i64]) -> Result<(), String> {
        match &answer.value {
            LogValue::Scalar { value, .. } => same(self.scalar.unwrap_or(-77.77), *value)?,
            LogValue::Vector(points) => {
                let own: Vec<_> = points.iter().map(|p| (&*p.labels, vec![Some(p.value)])).collect();
                compare_series(&self.series, &own, self.ordered)?;
            }
            LogValue::Matrix(all) => {
                let at = |one: &crate::value::Series, ns: &i64| {
                    one.millis.iter().position(|own| *own == ns / 1_000_000).map(|index| one.values[index])
                };
                let own: Vec<_> =
                    all.iter().map(|one| (&*one.labels, times.iter().map(|ns| at(one, ns)).collect())).collect();
                compare_series(&self.series, &own, self.ordered)?;
            }
            LogValue::Streams(streams) => {
                let mut own: Lines = Vec::new();
                for stream in streams {
                    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
                    let lines = stream.entries.iter().map(|entry| (entry.at_ns, text(&entry.line))).collect();
                    own.push((stream.labels.clone(), lines));
                }
                if own != self.lines {
                    return Err(format!("got: {own:#?}"));
                }
            }
        }
        match self.warns.iter().find(|text| !answer.warnings.iter().any(|own| own.contains(*text))) {
            Some(_) => Err(format!("warnings {:?}", answer.warnings)),
            None => Ok(()),
        }
    }
}

fn run(script: &str) {
    let kept = |(_, line): &(usize, &str)| !line.is_empty() && !line.trim_start().starts_with('#');
    let lines: Vec<(usize, &str)> =
        script.lines().enumerate().map(|(number, line)| (number + 1, line.trim_end())).filter(kept).collect();
    let mut loaded = Vec::new();
    let (mut index, mut evaluated) = (0, 0);
    while index < lines.len() {
        let (number, head) = lines[index];
        let body: Vec<&str> =
            lines[index + 1..].iter().map(|(_, line)| *line).take_while(|line| line.starts_with(' ')).collect();
        index += 1 + body.len();
        let body: Vec<&str> = body.iter().map(|line| line.trim()).collect();
        if head == "clear" {
            loaded.clear();
        } else if let Some(labels) = head.strip_prefix("load ") {
            let labels = Arc::new(labels_of(labels).0);
            loaded.extend(body.iter().flat_map(|line| stored(&labels, line)));
        } else if let Some(rest) = head.strip_prefix("eval ") {
            evaluated += 1;
            let expected = Expected::read(&body, rest.starts_with("lines"));
            if let Err(trouble) = evaluate(&loaded, rest, &expected) {
                panic!("line {number}: {head}\n{trouble}");
            }
        } else {
            panic!("line {number}: `{head}`");
        }
    }
    assert!(evaluated > 0);
}

/// Evaluates a query as its head says.
fn answered(loaded: &[Stored], words: &[&str], query: &str) -> (Result<LogAnswer, QueryError>, Vec<i64>) {
    match *words {
        ["instant", "at", at] => (instant(loaded, query, ns(at)), vec![ns(at)]),
        ["range", "from", from, "to", to, "step", step] => {
            let (from, to, step) = (ns(from), ns(to), ns(step));
            let times = (0..).map(|i| from + i * step).take_while(|t| *t <= to).collect();
            (range(loaded, query, (from, to, step)), times)
        }
        ["lines", "from", from, "to", to, ref rest @ ..] => {
            let limit = rest.iter().position(|word| *word == "limit").map_or(1_000, |at| rest[at + 1].parse().unwrap());
            let direction = if rest.contains(&"backward") { Direction::Backward } else { Direction::Forward };
            (asked(loaded, query, (ns(from), ns(to), 1), limit, direction), Vec::new())
        }
        _ => panic!("no such eval: {words:?}"),
    }
}

fn evaluate(loaded: &[Stored], head: &str, expected: &Expected) -> Result<(), String> {
    let (when, query) = head.split_once(": ").ok_or("no `: `")?;
    let words: Vec<&str> = when.split_whitespace().collect();
    let (answer, times) = answered(loaded, &words, query);
    let answer = match (&expected.fail, answer) {
        (Some(text), Err(error)) if error.to_string().contains(text) => return Ok(()),
        (Some(_), Err(error)) => return Err(format!("failed: {error}")),
        (Some(_), Ok(answer)) => return Err(format!("did not fail: {answer:?}")),
        (None, Err(error)) => return Err(format!("failed: {error}")),
        (None, Ok(answer)) => answer,
    };
    expected.compare(&answer, &times)?;
    let printed = parse_log_query(query).map_err(|error| error.to_string())?.to_string();
    let again = parse_log_query(&printed).map_err(|error| format!("printed `{printed}`: {error}"))?.to_string();
    if printed != again {
        return Err(format!("printed `{printed}`, then `{again}`"));
    }
    let answer = answered(loaded, &words, &printed).0.map_err(|error| format!("printed `{printed}`: {error}"))?;
    expected.compare(&answer, &times).map_err(|trouble| format!("printed `{printed}`: {trouble}"))?;
    if let (LogValue::Vector(_), false) = (&answer.value, expected.ordered) {
        let around = (times[0] - 60_000_000_000, times[0] + 60_000_000_000, 60_000_000_000);
        let mut answer = range(loaded, query, around).map_err(|error| format!("as a range: {error}"))?;
        if let LogValue::Matrix(all) = &mut answer.value {
            all.retain(|one| one.millis.contains(&(times[0] / 1_000_000)));
        }
        expected.compare(&answer, &times).map_err(|trouble| format!("as a range: {trouble}"))?;
    }
    Ok(())
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
    lines_are_selected_and_filtered: "lines.test",
    parsers_extract_labels: "parsers.test",
    labels_filter_and_format: "labels.test",
    lines_are_counted_in_windows: "counts.test",
    numbers_are_unwrapped: "unwrap.test",
    vectors_are_aggregated_and_combined: "vectors.test",
    errors_say_what_is_wrong: "errors.test",
}
