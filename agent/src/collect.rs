//! `muster-agent collect --once`: one row in Prometheus' text form, for people who want to see what would be sent.

use std::io::{self, Write};

use muster_common::sample::{MetricKind, is_stale};
use muster_common::time::Timestamp;

use crate::rows::{Rows, Series};
use crate::sampler::{MetricsConfig, Moment, Sampler};

/// Samples once and writes what was found. `now` is the host's clock.
///
/// # Errors
/// The writer's.
pub fn collect_once(config: &MetricsConfig, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut sampler = Sampler::new(config);
    write_exposition(sampler.sample(Moment::exact(now), &mut |_| {}), out)
}

/// Writes the present values, sorted by name and labels, with one TYPE line a name.
///
/// # Errors
/// The writer's.
pub fn write_exposition(rows: &Rows, out: &mut dyn Write) -> io::Result<()> {
    let mut lines: Vec<(&Series, String, f64)> = rows
        .series()
        .iter()
        .zip(rows.values())
        .enumerate()
        .filter(|(index, (_, value))| rows.is_present(*index) && !is_stale(**value))
        .map(|(_, (series, value))| (series, labels(series), *value))
        .collect();
    lines.sort_unstable_by(|a, b| (&a.0.name, &a.1).cmp(&(&b.0.name, &b.1)));
    let mut last = "";
    for (series, labels, value) in lines {
        if series.name != last {
            writeln!(out, "# TYPE {} {}", series.name, kind(series.kind))?;
            last = &series.name;
        }
        writeln!(out, "{}{labels} {}", series.name, number(value))?;
    }
    Ok(())
}

/// The text form's word; it says `untyped` where the API says `unknown`.
fn kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Untyped => "untyped",
        other => other.name(),
    }
}

fn labels(series: &Series) -> String {
    let mut pairs: Vec<&(String, String)> = series.labels.iter().collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// As Go's parser reads it: infinities have their own words.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_typed_once_and_labels_escaped() {
        let mut rows = Rows::default();
        rows.begin(0);
        rows.source(0);
        for (name, labels, kind, value) in [
            ("z_total", &[("device", "b")][..], MetricKind::Counter, 2.0),
            ("z_total", &[("device", "a\"\\\n"), ("cpu", "0")], MetricKind::Counter, 1.5),
            ("a", &[], MetricKind::Untyped, 18_446_744_073_709_551_615.0),
            ("b", &[], MetricKind::Gauge, f64::NEG_INFINITY),
        ] {
            let handle = rows.add(name, labels, kind).unwrap();
            rows.set(handle, value);
        }
        let absent = rows.add("c", &[], MetricKind::Gauge).unwrap();
        rows.retire(absent);
        rows.finish();
        let mut text = Vec::new();
        write_exposition(&rows, &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "# TYPE a untyped\na 18446744073709552000\n# TYPE b gauge\nb -Inf\n# TYPE z_total counter\n\
             z_total{cpu=\"0\",device=\"a\\\"\\\\\\n\"} 1.5\nz_total{device=\"b\"} 2\n"
        );
    }
}
