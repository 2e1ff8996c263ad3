//! All groups, one after the other, and the table.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use super::agent::agent_rows;
use super::logs::{log_rows, new_file_rows};
use super::metrics::ingest_rows;
use super::product::{binary_rows, demo_rows, test_rows};
use super::row::{Row, row};
use super::tail::tail_rows;
use super::trials::{kill_rows, simulator_rows};
use crate::build;

/// Builds product and trial for release: separately, so that no switch of the tests reaches the product.
pub(crate) fn release_programs() -> Result<PathBuf> {
    build::programs(&["muster-tests"], true)?;
    build::programs(&build::PRODUCT, true)
}

/// `quick` shortens what only gains confidence by running longer (seeds, agent minutes); the table says so.
pub(crate) fn run(quick: bool) -> Result<()> {
    let programs = release_programs()?;
    let mut rows = Vec::new();
    // A failed measurement is a row, so that the others are still seen.
    let mut add = |name: &str, measured: Result<Vec<Row>>| match measured {
        Ok(measured) => rows.extend(measured),
        Err(error) => rows.push(row(name, "", format!("not measured: {error:#}"), "", Some(false))),
    };
    add("simulator", simulator_rows(&programs, if quick { 2_000 } else { 50_000 }));
    add("ingest", ingest_rows(&programs));
    add("kill", kill_rows(&programs));
    for name in ["log-wire", "loki-push"] {
        add(name, log_rows(&programs, name));
    }
    add("new files", new_file_rows(&programs));
    add("tail", tail_rows(&programs, quick));
    add("agent", agent_rows(&programs, Duration::from_secs(if quick { 60 } else { 600 })));
    add("binaries", binary_rows(&programs));
    add("demo", demo_rows());
    if !quick {
        add("test", test_rows());
    }
    let commit = build::commit();
    println!("\ncommit {commit}{}\n", if quick { " (quick run)" } else { "" });
    println!("| figure | goal | value | load | commit | verdict |\n|---|---|---|---|---|---|");
    for row in &rows {
        println!("{}", row.line(&commit));
    }
    let short = rows.iter().filter(|row| row.is_short()).count();
    println!("\n{} figures, {short} short", rows.len());
    if short == 0 { Ok(()) } else { bail!("{short} figures are short") }
}
