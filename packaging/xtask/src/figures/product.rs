//! The programs' sizes, and the project's own commands on a fresh clone.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::row::{Row, row};
use crate::{build, process};

pub(super) fn binary_rows(programs: &Path) -> Result<Vec<Row>> {
    let size = |path: &Path| std::fs::metadata(path).map(|data| data.len() as f64 / 1e6);
    let agent = size(&build::packaged_agent()?)?;
    let (collector, muster) = (size(&programs.join("muster-collector"))?, size(&programs.join("muster"))?);
    let others = format!("{collector:.1} MB and {muster:.1} MB");
    let load = "as packaged: profile dist-agent";
    Ok(vec![
        row("agent binary, stripped", "<= 8 MB", format!("{agent:.1} MB"), load, Some(agent <= 8.0)),
        row("collector and muster binaries", "", others, "release build", None),
    ])
}

pub(super) fn demo_rows() -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("muster-clone-").tempdir()?;
    let clone = folder.path().join("muster");
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(build::root()).arg(&clone))?;
    let status = Command::new("cargo")
        .args(["xtask", "demo", "--once"])
        .current_dir(&clone)
        .env_remove("CARGO_TARGET_DIR")
        .status()?;
    let value = format!("exit {}", status.code().unwrap_or(-1));
    Ok(vec![row(
        "`demo --once` on a fresh clone",
        "exit 0",
        value,
        "clean clone, cold target folder",
        Some(status.success()),
    )])
}

/// `test` on a fresh clone, with a cold target folder and again with a warm one.
pub(super) fn test_rows() -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("muster-clone-").tempdir()?;
    let clone = folder.path().join("muster");
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(build::root()).arg(&clone))?;
    let mut rows = Vec::new();
    for (figure, minutes) in [("`test`, cold", 20.0), ("`test`, warm", 5.0)] {
        #[expect(clippy::disallowed_methods, reason = "a command that tells how long it took; nothing decides by it")]
        let start = std::time::Instant::now();
        let mut command = Command::new("cargo");
        let status = command.args(["xtask", "test"]).current_dir(&clone).env_remove("CARGO_TARGET_DIR").status()?;
        let took = start.elapsed().as_secs_f64() / 60.0;
        let value = format!("{took:.1} min, exit {}", status.code().unwrap_or(-1));
        let pass = status.success() && took <= minutes;
        rows.push(row(figure, &format!("<= {minutes} min"), value, "clean clone", Some(pass)));
    }
    Ok(rows)
}
