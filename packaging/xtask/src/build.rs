//! Building the programs, and where they lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// The packages of the four programs that people run.
pub(crate) const PRODUCT: [&str; 4] = ["muster-server", "muster-cli", "muster-agent", "muster-task"];

/// What this and every program that it builds runs on, as `uname -m` names it.
pub(crate) const MACHINE: &str = std::env::consts::ARCH;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command.args(words).current_dir(root());
    command
}

/// Builds these packages and gives the folder of their programs.
pub(crate) fn programs(packages: &[&str], release: bool) -> Result<PathBuf> {
    let mut command = cargo(&["build", "--locked"]);
    for package in packages {
        command.args(["--package", package]);
    }
    if release {
        command.arg("--release");
    }
    process::run(&mut command)?;
    folder(release)
}

/// The agent as its package has it.
pub(crate) fn packaged_agent() -> Result<PathBuf> {
    packaged_small("muster-agent")
}

/// `muster-task` as the agent's package has it: built by itself, so that neither brings features into the other.
pub(crate) fn packaged_task() -> Result<PathBuf> {
    packaged_small("muster-task")
}

fn packaged_small(package: &str) -> Result<PathBuf> {
    process::run(&mut cargo(&["build", "--locked", "--profile", "dist-agent", "--package", package]))?;
    Ok(folder(true)?.with_file_name("dist-agent").join(package))
}

/// Collector and `muster` as their packages have them: the folder of both.
pub(crate) fn packaged_others() -> Result<PathBuf> {
    let words =
        ["build", "--locked", "--profile", "dist-programs", "--package", "muster-server", "--package", "muster-cli"];
    process::run(&mut cargo(&words))?;
    Ok(folder(true)?.with_file_name("dist-programs"))
}

/// The folder of the programs of this profile, built or not.
pub(crate) fn folder(release: bool) -> Result<PathBuf> {
    let metadata = process::output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata is JSON")?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names the target folder")?;
    Ok(Path::new(target).join(if release { "release" } else { "debug" }))
}

/// The commit that is measured, with a mark when the tree differs from it.
pub(crate) fn commit() -> String {
    let git = |words: &[&str]| process::output(Command::new("git").args(words).current_dir(root()));
    let id = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|_| "unknown".into());
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_ok_and(|text| !text.trim().is_empty());
    format!("{}{}", id.trim(), if changed { "+changes" } else { "" })
}
