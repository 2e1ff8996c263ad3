//! `muster query EXPR`: one moment as a table, a time span as a summary, its points, or a graph.

use serde_json::{Value, json};

use super::Printed;
use crate::arguments::{Output, QueryArguments};
use crate::client::Client;
use crate::error::Failure;
use crate::plot::{Line, Plot, short, sparkline};
use crate::table::Rows;
use crate::time::{moment, parse_moment, parse_positive_span};

/// Points of a range when `--step` is not given: a graph as wide as a terminal shows no more.
pub(super) const POINTS_WANTED: i64 = 200;
/// Rows of a histogram when `--step` is not given: they fit on a screen.
pub(super) const ROWS_WANTED: i64 = 20;
/// Columns of a sparkline.
const SPARK_COLUMNS: usize = 20;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    pub columns: usize,
    pub colours: bool,
}

/// The picture that is asked for, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    None,
    Graph,
    Bars,
}

/// The times of a query, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    At(i64),
    Range { from: i64, to: i64, step: i64 },
}

/// # Errors
/// [`Failure`] in the collector's words, or on wrong times.
pub async fn run(
    client: &Client,
    arguments: &QueryArguments,
    output: Output,
    terminal: Terminal,
    now_ms: i64,
) -> Result<Printed, Failure> {
    let when = when(arguments, now_ms)?;
    let query = ("query", arguments.expression.clone());
    let answer = match when {
        When::At(at) => client.post_form("/api/v1/query", &[query, ("time", seconds(at))]).await?,
        When::Range { from, to, step } => {
            let form = [query, ("start", seconds(from)), ("end", seconds(to)), ("step", seconds(step))];
            client.post_form("/api/v1/query_range", &form).await?
        }
    };
    let width = arguments.width.unwrap_or(terminal.columns);
    let picture = if arguments.plot { Picture::Graph } else { Picture::None };
    print(&answer, when, output, picture, Terminal { columns: width, ..terminal })
}

/// Seconds with three decimals, as the collector takes times and steps.
pub(super) fn seconds(millis: i64) -> String {
    let (sign, millis) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
    format!("{sign}{}.{:03}", millis / 1_000, millis % 1_000)
}

fn when(arguments: &QueryArguments, now_ms: i64) -> Result<When, Failure> {
    let at = arguments.at.as_deref().map_or(Ok(now_ms), |text| parse_moment(text, now_ms))?;
    let Some(since) = &arguments.since else { return Ok(When::At(at)) };
    let span = parse_positive_span("--since", since)?;
    let step = match &arguments.step {
        Some(step) => parse_positive_span("--step", step)?,
        None => default_step(span, POINTS_WANTED),
    };
    Ok(When::Range { from: at.saturating_sub(span), to: at, step })
}

/// The round step that gives at most `points` points.
pub(super) fn default_step(span_ms: i64, points: i64) -> i64 {
    const SECONDS: [i64; 17] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];
    let least = span_ms / points;
    SECONDS.into_iter().map(|seconds| seconds * 1_000).find(|step| *step >= least).unwrap_or(least)
}

pub(super) fn print(
    answer: &Value,
    when: When,
    output: Output,
    picture: Picture,
    terminal: Terminal,
) -> Result<Printed, Failure> {
    let data = &answer["data"];
    let unreadable =
        || Failure::Unknown("the collector's answer has no result: is muster older than the collector?".to_owned());
    let kind = data["resultType"].as_str().ok_or_else(unreadable)?;
    let notes = ["warnings", "infos"].into_iter().flat_map(|key| {
        let said = answer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        said.map(move |text| format!("{}: {text}", if key == "warnings" { "warning" } else { "note" }))
    });
    let mut printed = Printed { notes: notes.collect(), ..Printed::default() };
    if output == Output::Json && picture == Picture::None {
        let mut json = json!({"version": 1, "resultType": kind, "result": data["result"]});
        for key in ["warnings", "infos"] {
            json[key] = if answer[key].is_array() { answer[key].clone() } else { json!([]) };
        }
        printed.text = format!("{json:#}\n");
        return Ok(printed);
    }
    let found = read(kind, &data["result"]).ok_or_else(unreadable)?;
    printed.text = match found {
        Found::One { at_ms, text } => match output {
            Output::Csv => {
                let mut rows = Rows::new(&["TIMESTAMP", ">VALUE"]);
                rows.rows.push(vec![at_ms.to_string(), text]);
                rows.to_csv()
            }
            _ => format!("{text}\n"),
        },
        Found::Series(series) => match (picture, output) {
            (Picture::Graph | Picture::Bars, _) => draw(series, when, picture, terminal),
            (Picture::None, Output::Csv) => points(&series).to_csv(),
            (Picture::None, _) if kind == "matrix" => summary(&series).to_table(&nothing(when)),
            (Picture::None, _) => vector(&series).to_table(&nothing(when)),
        },
    };
    Ok(printed)
}

/// One series of an answer. A vector has one point each.
#[derive(Clone, Debug, PartialEq)]
struct Series {
    labels: Vec<(String, String)>,
    /// Milliseconds, value, and the value as the collector wrote it.
    points: Vec<(i64, f64, String)>,
}

enum Found {
    One { at_ms: i64, text: String },
    Series(Vec<Series>),
}

fn read(kind: &str, result: &Value) -> Option<Found> {
    if kind == "scalar" || kind == "string" {
        let (at_ms, text) = point(result)?;
        return Some(Found::One { at_ms, text });
    }
    let rows = result.as_array()?.iter().map(|row| {
        let labels = row["metric"].as_object()?.iter();
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned())).collect();
        let points: Option<Vec<_>> = match row["values"].as_array() {
            Some(values) => values.iter().map(sample).collect(),
            None => sample(&row["value"]).map(|one| vec![one]),
        };
        Some(Series { labels, points: points? })
    });
    rows.collect::<Option<Vec<_>>>().map(Found::Series)
}

fn point(pair: &Value) -> Option<(i64, String)> {
    let at = pair.get(0)?.as_f64()?;
    Some(((at * 1_000.0).round() as i64, pair.get(1)?.as_str()?.to_owned()))
}

fn sample(pair: &Value) -> Option<(i64, f64, String)> {
    let (at_ms, text) = point(pair)?;
    let value = text.parse().ok()?;
    Some((at_ms, value, text))
}

fn nothing(when: When) -> String {
    match when {
        When::At(at) => {
            format!("no series at {}: nothing of that name, or nothing heard in the 5 min before", moment(at))
        }
        When::Range { from, to, .. } => format!("no series from {} to {}", moment(from), moment(to)),
    }
}

/// `name{a="b"}`, without the labels that `left_out` names.
pub(super) fn name(labels: &[(String, String)], left_out: &[(String, String)]) -> String {
    let shown = labels.iter().filter(|pair| !left_out.contains(pair));
    let (mut metric, mut pairs) = (String::new(), Vec::new());
    for (name, value) in shown {
        if name == "__name__" {
            metric.clone_from(value);
        } else {
            pairs.push(format!("{name}={value:?}"));
        }
    }
    if pairs.is_empty() && !metric.is_empty() { metric } else { format!("{metric}{{{}}}", pairs.join(", ")) }
}

/// The labels that all series have with the same value.
fn shared(series: &[Series]) -> Vec<(String, String)> {
    let Some((first, others)) = series.split_first() else { return Vec::new() };
    first.labels.iter().filter(|pair| others.iter().all(|one| one.labels.contains(pair))).cloned().collect()
}

fn vector(series: &[Series]) -> Rows {
    let mut rows = Rows::new(&["SERIES", ">VALUE"]);
    for one in series {
        let value = one.points.first().map_or(String::new(), |(_, _, text)| text.clone());
        rows.rows.push(vec![name(&one.labels, &[]), value]);
    }
    rows
}

fn summary(series: &[Series]) -> Rows {
    let mut rows = Rows::new(&["SERIES", ">POINTS", ">MIN", ">AVG", ">MAX", ">LAST", "SHAPE"]);
    for one in series {
        let values: Vec<f64> = one.points.iter().map(|(_, value, _)| *value).collect();
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let of = |pick: f64| if finite.is_empty() { String::new() } else { short(pick) };
        rows.rows.push(vec![
            name(&one.labels, &[]),
            values.len().to_string(),
            of(finite.iter().copied().fold(f64::INFINITY, f64::min)),
            of(finite.iter().sum::<f64>() / finite.len() as f64),
            of(finite.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            values.last().map_or(String::new(), |last| short(*last)),
            sparkline(&values, SPARK_COLUMNS),
        ]);
    }
    rows
}

/// One row a sample: the labels' columns, the time in milliseconds, the value as the collector wrote it.
fn points(series: &[Series]) -> Rows {
    let mut names: Vec<&str> = series.iter().flat_map(|one| &one.labels).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let headings = names.iter().copied().chain(["timestamp", "value"]);
    let mut rows = Rows::under_names(headings.map(str::to_owned).collect());
    for one in series {
        let labels: Vec<String> = names
            .iter()
            .map(|name| one.labels.iter().find(|(n, _)| n == name).map_or(String::new(), |(_, value)| value.clone()))
            .collect();
        for (at_ms, _, text) in &one.points {
            let mut row = labels.clone();
            row.extend([at_ms.to_string(), text.clone()]);
            rows.rows.push(row);
        }
    }
    rows
}

fn draw(series: Vec<Series>, when: When, picture: Picture, terminal: Terminal) -> String {
    let When::Range { from, to, step } = when else {
        return "nothing to draw: --plot needs --since\n".to_owned();
    };
    if series.is_empty() {
        return format!("{}\n", nothing(when));
    }
    let common = if series.len() > 1 { shared(&series) } else { Vec::new() };
    let caption = if common.is_empty() { String::new() } else { format!("all: {}\n", name(&common, &[])) };
    let lines = series
        .into_iter()
        .map(|one| Line {
            name: name(&one.labels, &common),
            points: one.points.into_iter().map(|(at_ms, value, _)| (at_ms, value)).collect(),
        })
        .collect();
    let (width, colours) = (terminal.columns, terminal.colours);
    let plot = Plot { lines, from_ms: from, to_ms: to, step_ms: step, width, colours };
    let drawn = if picture == Picture::Bars { plot.bars() } else { plot.draw() };
    format!("{drawn}{caption}")
}

#[cfg(test)]
#[path = "query/tests.rs"]
mod tests;
