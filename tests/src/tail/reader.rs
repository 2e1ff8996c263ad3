//! Reads every line of a stream selector from a collector, page by page.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::harness::collector::Collector;
use crate::harness::http::escape;

/// Lines of one page: what the collector allows by default.
const PAGE: usize = 5_000;
/// Pages of one reading: 20 million lines.
const PAGES_MAX: usize = 4_000;

/// All lines between these times (ns, the end excluded) by time, given to `each` as (stream's file name, text). A line that was cut at
/// its limit says so in a field, and so stands in another stream of the answer than its neighbours.
///
/// # Errors
/// When the collector refuses, or the paging does not end.
pub fn read_all(
    collector: &Collector,
    selector: &str,
    (start, end): (i64, i64),
    each: &mut dyn FnMut(&str, &str),
) -> Result<u64> {
    let (mut count, mut after) = (0, String::new());
    for _ in 0..PAGES_MAX {
        let path = format!(
            "/loki/api/v1/query_range?query={}&start={start}&end={end}&direction=forward&limit={PAGE}{after}",
            escape(selector)
        );
        let answer = collector.get(&path)?.json()?;
        let streams = answer.pointer("/data/result").and_then(Value::as_array);
        let mut lines = Vec::new();
        for stream in streams.with_context(|| format!("no streams in {answer}"))? {
            let file = stream["stream"]["filename"].as_str().unwrap_or_default();
            for value in stream["values"].as_array().into_iter().flatten() {
                let at = value[0].as_str().and_then(|text| text.parse::<i64>().ok());
                let at = at.with_context(|| format!("no time in {value}"))?;
                lines.push((at, file, value[1].as_str().unwrap_or_default()));
            }
        }
        // Lines of one file have times of their own.
        lines.sort_by_key(|(at, ..)| *at);
        for (_, file, text) in &lines {
            each(file, text);
        }
        count += lines.len() as u64;
        match answer.pointer("/data/next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={}", escape(next)),
            None => return Ok(count),
        }
    }
    bail!("the paging did not end after {PAGES_MAX} pages of {PAGE} lines")
}

/// How many lines match, by the collector's own count over all times until now.
///
/// # Errors
/// When the collector refuses.
pub(super) fn count(collector: &Collector, selector: &str, span: Duration) -> Result<u64> {
    let query = format!("sum(count_over_time({selector}[{}s]))", span.as_secs().max(1));
    let answer = collector.get(&format!("/loki/api/v1/query?query={}", escape(&query)))?.json()?;
    let rows = answer.pointer("/data/result").and_then(Value::as_array);
    let first = rows.with_context(|| format!("no result in {answer}"))?.first();
    let text = first.and_then(|row| row["value"][1].as_str()).unwrap_or("0");
    text.parse::<f64>().map(|number| number as u64).with_context(|| format!("{text:?} is no number"))
}
