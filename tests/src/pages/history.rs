//! A day of one host's metrics: the series that a real agent has on this machine, with made-up values.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::harness::agent::run;
use crate::harness::collector::Collector;
use crate::load::remote_write::{Series, Writer};

/// Between two samples: the agent's own interval.
const STEP_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;
/// Samples of a series in one request.
const CHUNK: i64 = 360;

/// Writes the last day of the host's metrics up to `now_ms`; gives how many samples that were.
///
/// # Errors
/// When the agent shows no metrics, or the collector refuses them.
pub(super) fn fill(programs: &Path, collector: &Collector, host: &str, now_ms: i64) -> Result<u64> {
    let mut writer = Writer::open(collector.http, Some(&collector.token)).context("remote write")?;
    let (code, exposition, error) = run(programs, "muster-agent", &["collect", "--once"])?;
    if code != 0 {
        bail!("muster-agent collect: {error}");
    }
    let series: Vec<(Series, f64)> = exposition.lines().filter_map(|line| parse(line, host)).collect();
    if series.is_empty() {
        bail!("muster-agent collect has shown no metric");
    }
    let ticks = DAY_MS / STEP_MS;
    let start_ms = now_ms - ticks * STEP_MS;
    let mut samples = 0;
    for chunk in (0..ticks).step_by(usize::try_from(CHUNK)?) {
        let points = |series: &Series, value: f64| -> Vec<(i64, f64)> {
            let at = |tick| (start_ms + tick * STEP_MS, value_at(series.name(), value, tick));
            (chunk..ticks.min(chunk + CHUNK)).map(at).collect()
        };
        for few in series.chunks(100) {
            let batch: Vec<_> = few.iter().map(|(series, value)| (series, points(series, *value))).collect();
            samples += batch.iter().map(|(_, points)| points.len() as u64).sum::<u64>();
            writer.write(&batch)?;
        }
    }
    Ok(samples)
}

/// Counters rise, half of them in bursts; everything else swings around what it is.
fn value_at(name: &str, value: f64, tick: i64) -> f64 {
    let turn = tick as f64 / 90.0 + value.abs().ln_1p();
    if name.ends_with("_total") { value + tick as f64 * (1.0 + turn.sin()) } else { value * (1.0 + 0.1 * turn.sin()) }
}

/// `name{label="value"} 1.5`, with the host's label.
fn parse(line: &str, host: &str) -> Option<(Series, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value: f64 = value.parse().ok()?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let mut pairs = vec![("__name__".to_owned(), name.to_owned()), ("host".to_owned(), host.to_owned())];
    let mut rest = labels.trim_end_matches('}');
    while let Some((label, after)) = rest.split_once("=\"") {
        let end = closing(after)?;
        let value = after.get(..end)?.replace("\\\"", "\"").replace("\\n", "\n").replace("\\\\", "\\");
        pairs.push((label.trim_start_matches(',').to_owned(), value));
        rest = after.get(end + 1..)?;
    }
    Some((Series::new(pairs), value))
}

/// Where the quote is that ends a label's value.
fn closing(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let ends = letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_exposition_are_series_of_the_host() {
        let (series, value) = parse(r#"node_x{a="1",b="say \"hi\", }"} 2.5"#, "h").unwrap();
        assert_eq!((series.name(), value), ("node_x", 2.5));
        let text = format!("{series:?}");
        for part in [r#"("a", "1")"#, r#"say \"hi\", }"#, r#"("host", "h")"#] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert_eq!(parse("node_load1 0.5", "h").unwrap().0.name(), "node_load1");
        assert!(parse("# HELP x", "h").is_none() && parse("x NaNa", "h").is_none());
    }
}
