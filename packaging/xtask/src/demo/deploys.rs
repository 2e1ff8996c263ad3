//! The part about deploys: one is told of and leaves its mark, the gate says go, and no-go once something is wrong; a task waits for approval.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::run::{Demo, HOST};
use crate::process::output;

const SERVICE: &str = "shop";
/// What is deployed, and what is to go out next.
const NOW: &str = "1.4.2";
const NEXT: &str = "1.4.3";
/// The demo's host has it as its label env.
const ENV: &str = "demo";

/// One service on the demo's host. Its freeze is of an environment that is not there, so that the demo is the same on each day.
const DEPLOYS: &str = "[[services]]\nname = \"shop\"\nhosts = [\"env=demo\"]\n\n[[freezes]]\nname = \"weekend\"\nmatchers = [\"env=production\"]\n\
     recurrence = \"fri 16:00-00:00\"\nzone = \"Europe/Berlin\"\nreason = \"nobody is there to mend it\"\n";

/// A catalogue of one task. It never expires while a demo runs.
const CATALOGUE: &str = "version = 1\nexpires = 2099-01-01T00:00:00Z\n\n[tasks.show-uptime]\nabout = \"Says how long the host is up\"\n\
     argv = [\"/usr/bin/uptime\", \"-p\"]\naccount = \"nobody\"\n";

/// The file of services that the collector is given.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf> {
    let file = folder.join("deploy.toml");
    std::fs::write(&file, DEPLOYS).with_context(|| file.display().to_string())?;
    Ok(file)
}

impl Demo {
    /// A deploy from the command line, and a go for the version after it.
    pub(super) fn show_deploy(&self) -> Result<()> {
        let about = ["--service", SERVICE, "--version", NOW, "--env", ENV];
        output(&mut self.muster(&[&["deploy", "start"], &about[..]].concat()))?;
        let ended = ["deploy", "finish", "--result", "ok", "--service", SERVICE, "--env", ENV];
        output(&mut self.muster(&ended))?;
        self.wait_for(&["deploy", "list"], "the deploy", |text| text.contains(NOW))?;
        println!(
            "\ndeploy      $ muster deploy start --service {SERVICE} --version {NOW} --env {ENV} (and finish --result ok)"
        );
        // What plots of the host draw their marks from.
        let events = format!("{{source=\"muster\", host=\"{HOST}\"}} |= \"deploy of {SERVICE}\"");
        let is_told = |text: &str| text.contains("ended well");
        self.wait_for(&["logs", &events, "-o", "raw"], "the deploy's event on its host", is_told)?;
        let told = output(&mut self.muster(&["logs", &events, "-o", "raw"]))?;
        println!("            its mark stands on the plots of {}/hosts/{HOST}:", self.url);
        told.lines().rev().take(2).for_each(|line| println!("            {line}"));
        self.show_gate(0, "go")
    }

    /// No-go, since something is wrong by now: what the demo leaves to see.
    pub(super) fn show_no_go(&self) -> Result<()> {
        self.show_gate(1, "disk /srv")
    }

    /// Asks the gate until it ends with this code and names this.
    fn show_gate(&self, code: i32, named: &str) -> Result<()> {
        let words = ["gate", "--service", SERVICE, "--version", NEXT, "--to", ENV];
        let what = format!("exit code {code} of the gate, with `{named}`");
        self.wait_for(&words, &what, |text| text.contains(named))?;
        let answer = self.muster(&words).output()?;
        let text = String::from_utf8_lossy(&answer.stdout);
        if answer.status.code() != Some(code) {
            bail!("{what}: it ended with {}:\n{text}", answer.status);
        }
        println!("gate        $ muster {}; echo $?", words.join(" "));
        text.lines().filter(|line| !line.is_empty()).for_each(|line| println!("  {line}"));
        println!("  {code}");
        Ok(())
    }

    /// A key, a catalogue that it signs, and an order that waits for somebody else's approval.
    pub(super) fn leave_an_order(&self, folder: &Path) -> Result<()> {
        let [key, catalogue] = ["signer.pem", "tasks.toml"].map(|name| folder.join(name).display().to_string());
        std::fs::write(&catalogue, CATALOGUE).with_context(|| catalogue.clone())?;
        for words in [
            &["task", "key", "new", &key][..],
            &["task", "sign", &catalogue, "--key", &key],
            &["task", "add", &catalogue],
            &["task", "run", "show-uptime", "--host", HOST, "--reason", "to see how long it is up"],
        ] {
            output(&mut self.muster(words))?;
        }
        println!("task        an order of `show-uptime` waits for approval: {}/tasks", self.url);
        Ok(())
    }
}
