//! All groups, one after the other, and the table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::agent::agent_rows;
use super::alerts::alert_rows;
use super::gate::gate_rows;
use super::inventory::inventory_rows;
use super::logs::{log_rows, new_file_rows};
use super::maintenance::maintenance_rows;
use super::metrics::ingest_rows;
use super::packages::package_rows;
use super::pages::page_rows;
use super::product::{binary_rows, demo_rows, test_rows};
use super::row::{Row, row};
use super::snapshots::snapshot_rows;
use super::tail::tail_rows;
use super::tasks::task_rows;
use super::trials::{kill_rows, simulator_rows};
use crate::{build, web};

/// Builds product and trial for release: separately, so that no switch of the tests reaches the product, and with the pages, which a browser is
/// to open.
pub(crate) fn release_programs() -> Result<PathBuf> {
    web::build()?;
    build::programs(&["muster-tests"], true)?;
    build::programs(&build::PRODUCT, true)
}

/// Measures one group; `true`: in short.
type Measure = fn(&Path, bool) -> Result<Vec<Row>>;

/// The groups, in the order in which they are measured.
const GROUPS: &[(&str, Measure)] = &[
    ("simulator", |programs, quick| {
        simulator_rows(programs, ["sim", "planted"], "simulator", if quick { 2_000 } else { 50_000 })
    }),
    ("alerts", alert_rows),
    ("maintenance", maintenance_rows),
    ("ingest", |programs, _| ingest_rows(programs)),
    ("kill", |programs, _| kill_rows(programs)),
    ("log-wire", |programs, _| log_rows(programs, "log-wire")),
    ("loki-push", |programs, _| log_rows(programs, "loki-push")),
    ("new-files", |programs, _| new_file_rows(programs)),
    ("tail", tail_rows),
    ("snapshot", snapshot_rows),
    ("inventory", inventory_rows),
    ("gate", gate_rows),
    ("tasks", task_rows),
    ("pages", page_rows),
    ("agent", |programs, quick| agent_rows(programs, Duration::from_secs(if quick { 60 } else { 600 }))),
    ("binaries", |programs, _| binary_rows(programs)),
    ("packages", package_rows),
    // Last: both commands build anew in a clone.
    (
        "commands",
        |_, quick| if quick { demo_rows() } else { Ok([demo_rows()?, test_rows()?].into_iter().flatten().collect()) },
    ),
];

/// `quick` shortens what only gains confidence by running longer (seeds, agent minutes); the table says so. `only`: these groups, else all.
pub(crate) fn run(quick: bool, only: &[&str]) -> Result<()> {
    if let Some(name) = only.iter().find(|name| GROUPS.iter().all(|(group, _)| group != *name)) {
        let names: Vec<&str> = GROUPS.iter().map(|(group, _)| *group).collect();
        bail!("there is no group of figures `{name}`; there are {}", names.join(", "));
    }
    let programs = release_programs()?;
    let mut rows = Vec::new();
    for (name, measure) in GROUPS.iter().filter(|(group, _)| only.is_empty() || only.contains(group)) {
        match measure(&programs, quick) {
            Ok(measured) => rows.extend(measured),
            // A failed measurement is a row, so that the others are still seen.
            Err(error) => rows.push(row(name, "", format!("not measured: {error:#}"), "", Some(false))),
        }
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
