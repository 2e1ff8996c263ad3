//! The part about monitoring that sets itself up: a profile is planned and applied, the host runs by it, its line arrives; what is found; a question.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::run::{Demo, HOST};
use crate::process::output;

fn logs(folder: &Path) -> PathBuf {
    folder.join("shop")
}

/// What the host's own file lets a collector add, below the rest of its configuration.
pub(super) fn agent_config(folder: &Path) -> String {
    format!("\n[remote]\nlog_paths = [\"{}\"]\n", logs(folder).display())
}

/// The folder of the service's log.
pub(super) fn prepare(folder: &Path) -> Result<()> {
    let logs = logs(folder);
    std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())
}

impl Demo {
    /// Plans and applies a profile, and waits until the host runs by it and its line is here.
    pub(super) fn show_set_up(&self, folder: &Path) -> Result<()> {
        let (logs, file) = (logs(folder), folder.join("shop.yml"));
        let profile = format!(
            "profile: shop\ndescription: The shop's log, and its front door.\nselector:\n  labels: '{{env=\"demo\"}}'\nlogs:\n\
             - paths: ['{}/*.log']\n  labels: {{service: shop}}\nchecks:\n- {{name: shop-door, kind: port, port: {}, interval: 5s}}\n",
            logs.display(),
            self.url.rsplit(':').next().unwrap_or_default(),
        );
        std::fs::write(&file, profile).with_context(|| file.display().to_string())?;
        let named = file.display().to_string();
        println!("\nprofile     $ muster plan shop.yml");
        let plan = output(&mut self.muster(&["plan", &named]))?;
        plan.lines().filter(|line| !line.is_empty()).for_each(|line| println!("  {line}"));
        let applied = output(&mut self.muster(&["apply", &named, "--reason", "a shop opens"]))?;
        println!("            $ muster apply shop.yml --reason 'a shop opens'\n  {}", applied.trim_end());
        let line = logs.join("shop.log");
        std::fs::write(&line, "the shop is open\n").with_context(|| line.display().to_string())?;
        self.wait_for(&["logs", "{service=\"shop\"}"], "a line of the profile's log", |text| text.contains("is open"))?;
        self.wait_for(&["checks", "list"], "the profile's check", |text| text.contains("shop-door"))?;
        let own = output(&mut self.muster(&["profiles", "host", HOST]))?;
        println!("            $ muster profiles host {HOST}");
        own.lines().take_while(|line| !line.is_empty()).for_each(|line| println!("  {line}"));
        let found = output(&mut self.muster(&["discovery", "--host", HOST]))?;
        println!("discovery   $ muster discovery --host {HOST}");
        found.lines().take(4).for_each(|line| println!("  {line}"));
        let question = ["ask", "processes", "--where", "name = muster-agent", "--columns", "name,user", "--host", HOST];
        self.wait_for(&question, "an answer of the host", |text| text.contains("muster-agent"))?;
        let answer = output(&mut self.muster(&question))?;
        println!("ask         $ muster ask processes --where 'name = muster-agent' --columns name,user --host {HOST}");
        answer.lines().for_each(|line| println!("  {line}"));
        Ok(())
    }
}
