//! The part about pages: who may log in, and something on each page to see.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::run::{Demo, HOST};
use crate::process::{Kept, output};

/// Who may log in to the demo's pages. It listens on loopback alone and is gone with its end, so that its password may be known.
const USER: &str = "demo";
const PASSWORD: &str = "demo-password";
/// Who sees everything and changes nothing.
const VIEWER: &str = "wall";

/// Rules: one whose alert waits for its time, one that records.
pub(super) const RULES: &str = "groups:
- name: demo
  interval: 5s
  rules:
  - record: host:cpu_busy:ratio
    expr: 1 - avg by (host) (rate(node_cpu_seconds_total{mode=\"idle\"}[30s]))
  - alert: UpForAnHour
    expr: up == 1
    for: 1h
    labels: {severity: info}
    annotations: {summary: '{{ $labels.host }} sends data for an hour'}
";

impl Demo {
    /// Makes users for the pages and says how to open them.
    pub(super) fn make_users(&self, folder: &Path) -> Result<()> {
        let file = folder.join("password");
        std::fs::write(&file, PASSWORD)?;
        for (user, role) in [(USER, "admin"), (VIEWER, "viewer")] {
            output(self.muster(&["user", "add", user, "--role", role, "--password-file"]).arg(&file))?;
        }
        println!(
            "pages       {}/ users `{USER}` and `{VIEWER}` (sees all, changes nothing), password `{PASSWORD}`",
            self.url
        );
        Ok(())
    }

    /// Leaves problems, a silence, downtimes, a machine that waits and tokens, by the same commands that people use.
    pub(super) fn leave_something_to_see(&self, folder: &Path) -> Result<()> {
        for (check, state, text, number) in [
            ("backup", "WARNING", "the newest backup is 26 hours old", "age=93600s;90000;180000"),
            ("disk /srv", "CRITICAL", "96 % of /srv are used", "used=96%;80;90"),
            ("fans", "OK", "all four turn", "rpm=4200"),
        ] {
            let mut push = Command::new(self.programs.join("muster-agent"));
            push.args(["push", check, "--state", state, "--output", text, "--perfdata", number, "--ttl", "1h"]);
            push.arg("--state-dir").arg(&self.state);
            output(&mut push)?;
        }
        self.wait_for(&["-o", "json", "checks", "list"], "three pushed results", |text| {
            ["backup", "disk /srv", "fans"].iter().all(|check| text.contains(check))
        })?;
        let host = format!("host={HOST}");
        for words in [
            &["checks", "ack", HOST, "backup", "--comment", "the tape is being changed"][..],
            &["silence", "add", "alertname=fans", "--comment", "fans are loud in summer", "--for", "2h"],
            &[
                "checks",
                "downtime",
                "add",
                &host,
                "--reason",
                "kernel update",
                "--every",
                "sun 02:00-04:00",
                "--for",
                "30d",
            ],
            &["hosts", "label", HOST, "role=demo"],
            &["token", "new", "--pattern", "web-*", "--uses", "10", "--label", "role=web"],
            &["token", "new", "--scope", "read"],
        ] {
            output(&mut self.muster(words))?;
        }
        self.let_one_wait()?;
        self.show_no_go()?;
        self.leave_an_order(folder)?;
        self.see_each_page()
    }

    /// A machine that comes under a name that is taken: somebody has to say whether it replaces the first.
    fn let_one_wait(&self) -> Result<()> {
        let printed = output(&mut self.muster(&["token", "new", "--pattern", "demo-*"]))?;
        let word = printed.lines().last().context("`muster token new` printed nothing")?.to_owned();
        let state = self.state.with_extension("second");
        let mut enrol = Command::new(self.programs.join("muster-agent"));
        enrol.args(["enrol", "--collector", &self.agents, "--token", &word, "--name", HOST, "--state"]).arg(state);
        // It would wait for as long as it takes.
        let waits = Kept::start(&mut enrol)?;
        self.wait_for(&["-o", "json", "hosts", "list"], "Set up", |text| text.contains("\"pending\""))?;
        waits.kill()
    }

    /// Each page's question has something in its answer.
    fn see_each_page(&self) -> Result<()> {
        let has = |what: &str, words: &[&str], expected: &str| {
            self.wait_for(&[&["-o", "json"], words].concat(), what, |text| text.contains(expected))
        };
        has("Problems", &["checks", "list", "--problems"], "disk /srv")?;
        has("Alerts", &["alerts"], "backup")?;
        has("Rules", &["rules", "list"], "UpForAnHour")?;
        has("Calendar", &["silence", "list"], "fans are loud")?;
        has("Calendar", &["checks", "downtime", "list"], "kernel update")?;
        has("Users", &["user", "list"], VIEWER)?;
        has("Audit", &["audit", "list"], "kernel update")?;
        has("Metrics", &["query", "host:cpu_busy:ratio"], HOST)?;
        has("Deploys", &["deploy", "list"], "shop")?;
        has("Deploys", &["freeze", "list"], "weekend")?;
        has("Gate", &["gate", "decisions"], "no-go")?;
        has("Tasks", &["task", "list"], "show-uptime")?;
        println!(
            "\npages       {}/ two problems, one of them taken; a silence and a weekly downtime; a machine that waits to be let in; two rules; a deploy, a go, a no-go, and an order that waits",
            self.url
        );
        Ok(())
    }
}
