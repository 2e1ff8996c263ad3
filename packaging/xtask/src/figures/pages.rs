//! What the pages cost with many hosts: the collector's answers, and a browser.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::{bench, tools};

pub(super) fn page_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    tools::ensure_browser()?;
    let hosts = if quick { "500" } else { "5000" };
    let values =
        bench::trial(programs, &["pages", "--programs", &programs.to_string_lossy(), "--hosts", hosts, "--seen"])?;
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let load = format!(
        "{hosts} connected hosts with 20 checks each, one host of ten with a problem; mean of 20 answers, each made anew"
    );
    let one = |name: &str, of: &str| {
        let [mean, first, bytes] = ["ms", "first_ms", "bytes"].map(|key| get(&format!("{name}_{key}")));
        row(
            &format!("answer of {of}"),
            "<= 50 ms CPU",
            format!("{mean:.1} ms, the first of a process {first:.0} ms; {:.2} MB", bytes / 1e6),
            &load,
            Some(mean <= 50.0 && first <= 50.0),
        )
    };
    let shown = |name: &str, of: &str| {
        let [paint, rows, task] = ["paint_ms", "rows_ms", "task_ms"].map(|key| get(&format!("{name}_{key}")));
        let load = format!("Chromium on this machine, {hosts} hosts");
        [
            row(
                &format!("first paint of {of}"),
                "<= 1 s",
                format!("{paint:.0} ms, rows after {rows:.0} ms"),
                &load,
                Some(paint <= 1_000.0),
            ),
            row(
                &format!("longest task while {of} scrolls"),
                "<= 100 ms",
                format!("{task:.0} ms"),
                &load,
                Some(task <= 100.0),
            ),
        ]
    };
    let mut rows = vec![one("problems", "Problems"), one("fleet", "Fleet")];
    rows.extend(shown("problems", "Problems"));
    rows.extend(shown("fleet", "Fleet"));
    let (took, plots) = (get("host_ms"), get("host_plots"));
    rows.push(row(
        "Host page with 24 h of 40 plots",
        "<= 1 s",
        format!("{took:.0} ms from the question for the page until the last of {plots:.0} plots is drawn"),
        &format!("a real agent's series each 10 s, {:.1} million samples", get("samples") / 1e6),
        Some(took <= 1_000.0 && plots >= 35.0),
    ));
    rows.push(row(
        "a problem is on an open page",
        "<= 1 s after it is known",
        format!("{:.0} ms", get("live_ms")),
        &format!("{hosts} hosts; the page shows Problems"),
        Some(get("live_ms") <= 1_000.0),
    ));
    Ok(rows)
}
