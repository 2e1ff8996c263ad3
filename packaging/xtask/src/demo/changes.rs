//! The part about what changed: a service's configuration is edited, as somebody does just before it fails.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::run::{Demo, HOST};
use crate::process::output;

/// The file that is edited.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("etc/shop.conf")
}

/// What the agent is told of it, below the rest of its configuration.
pub(super) fn agent_config(folder: &Path) -> String {
    format!("\n[inventory]\nfiles = [\"{}\"]\n", file(folder).display())
}

/// The file as it is before.
pub(super) fn prepare(folder: &Path) -> Result<()> {
    let file = file(folder);
    let parent = file.parent().context("a folder of its own")?;
    std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    std::fs::write(&file, "workers = 4\n").with_context(|| file.display().to_string())
}

impl Demo {
    /// Edits the file, and shows that the collector knows: what, between when, and what this host has.
    pub(super) fn show_change(&self, folder: &Path) -> Result<()> {
        let file = file(folder);
        let name = file.display().to_string();
        let known = format!("SELECT sha256 FROM files WHERE path = '{name}'");
        self.wait_for(&["inventory", "query", &known], "the file", |text| text.lines().count() > 1)?;
        std::fs::write(&file, "workers = 400\n").with_context(|| name.clone())?;
        self.wait_for(&["changes", "--host", HOST, "--table", "files"], "the change", |text| text.contains(&name))?;
        let changes = output(&mut self.muster(&["changes", "--host", HOST, "--table", "files"]))?;
        let line = changes.lines().find(|line| line.contains(&name)).unwrap_or_default();
        println!("\nchange      $ muster changes --host {HOST} --table files\n  {line}");
        println!("            the same mark stands on the plots of {}/hosts/{HOST}", self.url);
        let question = "SELECT count(*) AS packages FROM packages";
        let answer = output(&mut self.muster(&["inventory", "query", question]))?;
        println!("inventory   $ muster inventory query \"{question}\"");
        answer.lines().for_each(|line| println!("  {line}"));
        Ok(())
    }
}
