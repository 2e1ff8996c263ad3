//! What taking and asking log lines costs, and how soon they are seen.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::row::{Row, row};
use crate::bench::{self, Loaded};
use crate::process;

/// Hosts of the load, and batches of 256 KiB of lines that each sends: 1.07 GB together.
const HOSTS: u32 = 50;
const BATCHES: u32 = 82;
/// Questions whose CPU is averaged: the kernel counts it in steps of 10 ms.
const ASKED: u32 = 5;
/// (Figure, what is looked for, lines that have it): the words that the loads' corpus promises in `tests/src/load/corpus.rs`.
/// A filter is of any part of a line; with its separators around it, a word can be looked up as such.
const QUESTIONS: [(&str, &str, usize); 5] = [
    ("absent word", "zzzabsentword", 0),
    ("absent word between spaces", " zzzabsentword ", 0),
    ("absent middle of words", "qzjv", 0),
    ("word of one line", "needle4c1be9d0", 1),
    ("word of one line between spaces", " needle4c1be9d0 ", 1),
];

/// One load of lines (`log-wire` or `loki-push`) against a fresh collector; by wire also questions over what it left.
pub(crate) fn log_rows(programs: &Path, name: &str) -> Result<Vec<Row>> {
    let mut loaded = bench::load(programs, name, HOSTS, BATCHES)?;
    let bytes = loaded.value("line_bytes")?;
    let load = format!("{:.2} GB of access, application and system lines, {HOSTS} hosts, 256 KiB a batch", bytes / 1e9);
    let (rate, ratio) = (bytes / 1e6 / loaded.cpu_seconds, bytes / loaded.disk_bytes);
    let (wire, peak) = (bytes / loaded.value("wire_bytes")?, loaded.peak_mib);
    let named = |figure: &str| format!("{figure}, {name}");
    let mut rows = vec![
        row(&named("durable lines, CPU until flushed"), "", format!("{rate:.0} MB/CPU-s"), &load, None),
        row(&named("bytes of lines : bytes in segments"), "", format!("{ratio:.1} : 1"), &load, None),
        row(&named("bytes of lines : bytes on the wire"), "", format!("{wire:.1} : 1"), &load, None),
        row(&named("collector peak memory"), "", format!("{peak:.0} MiB"), &load, None),
    ];
    if name == "log-wire" {
        for (figure, text, lines) in QUESTIONS {
            let cpu_ms = question(programs, &loaded, text, lines)?;
            let load = format!("`|= \"{text}\"` over {:.2} GB, mean of {ASKED}", bytes / 1e9);
            rows.push(row(&format!("{figure}, collector CPU"), "", format!("{cpu_ms:.0} ms"), &load, None));
        }
    }
    loaded.collector.kept.stop()?;
    Ok(rows)
}

/// The collector's CPU for one question, in ms. An answer with another number of lines is an error.
fn question(programs: &Path, loaded: &Loaded, text: &str, lines: usize) -> Result<f64> {
    let id = loaded.collector.kept.id();
    let query = format!("{{job=\"logs\"}} |= \"{text}\"");
    let before = process::cpu_seconds(id)?;
    for _ in 0..ASKED {
        let found = loaded.collector.muster(programs, &["-o", "raw", "logs", &query, "--since", "2h"])?;
        if found.lines().count() != lines {
            bail!("`{query}` answers {} lines, not {lines}", found.lines().count());
        }
    }
    Ok((process::cpu_seconds(id)? - before) * 1e3 / f64::from(ASKED))
}

/// New files, one by one, below a pattern that the agent follows.
pub(crate) fn new_file_rows(programs: &Path) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy().into_owned();
    let values = bench::trial(programs, &["new-files", "--programs", &product, "--count", "30"])?;
    let get = |key: &str| values.get(key).copied().with_context(|| format!("the trial tells no {key}"));
    let (files, median, worst) = (get("files")?, get("median_ms")?, get("worst_ms")?);
    Ok(vec![row(
        "first line of a new file visible in a query",
        "<= 1 s",
        format!("median {median} ms, worst {worst} ms"),
        &format!("{files} new files, real agent and collector"),
        Some(files >= 20.0 && worst <= 1_000.0),
    )])
}
