//! What the pages cost the collector with many hosts.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench;

pub(super) fn page_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let hosts = if quick { "500" } else { "5000" };
    let values = bench::trial(programs, &["pages", "--programs", &programs.to_string_lossy(), "--hosts", hosts])?;
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let load =
        format!("{hosts} connected hosts with 20 checks each, one host of ten with a problem; mean of 40 answers");
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
    Ok(vec![one("problems", "Problems"), one("fleet", "Fleet")])
}
