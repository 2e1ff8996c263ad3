//! Planned work and the same unplanned, with real programs and a real mail server: who is told how often.
//!
//! Three hosts go down by SIGKILL, which no goodbye announces, beside one that stays: one in a maintenance that it comes back from, one without,
//! and one in a maintenance that it does not come back from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::harness::agent::{AgentHome, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::mailbox::{Mail, Mailbox};

/// Longer than anything here takes on a starved machine.
const LIMIT: Duration = Duration::from_secs(120);
/// How long one waits for a mail that must not come.
const QUIET: Duration = Duration::from_secs(3);
/// How long health may take to return: enough for the way of a mail that would come too early.
const GRACE_MS: i64 = 4_000;

/// The hosts, and what happens to them.
const HOSTS: [&str; 4] = ["planned", "unplanned", "lost", "bystander"];
const ALERTING: &str = "\
global: {smtp_smarthost: 'ADDRESS', smtp_from: muster@example.org, smtp_require_tls: false}
route: {receiver: ops, group_by: [alertname, host], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: ops
  email_configs: [{to: ann@example.org, send_resolved: true}]
";

/// What `muster-trial maintenance` is given.
#[derive(clap::Args)]
pub struct MaintenanceArguments {
    /// Folder of the built programs.
    #[arg(long)]
    programs: PathBuf,
}

/// Mails of problems that were sent of each case, and what the one of the lost host says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Planned work after which the host came back.
    pub planned: usize,
    /// The same without a word.
    pub unplanned: usize,
    /// Planned work after which the host did not come back.
    pub lost: usize,
    /// Of the host that nothing happened to.
    pub bystander: usize,
    /// Mails that tell ends, when all are back.
    pub ends: usize,
    /// Name of the alert, and the text of its mail.
    pub lost_alert: String,
    pub lost_text: String,
}

/// Goes through all cases at once.
///
/// # Errors
/// When a program or the API does not do as asked, or something that must come does not.
pub fn run(programs: &Path) -> Result<Told> {
    let folder = tempfile::tempdir()?;
    let mailbox = Mailbox::start(None)?;
    let alerting = folder.path().join("alerting.yml");
    std::fs::write(&alerting, ALERTING.replace("ADDRESS", &mailbox.address.to_string()))?;
    let mut options = Options::new(programs, &folder.path().join("data"));
    options.arguments = vec!["--alerting".to_owned(), alerting.to_string_lossy().into_owned()];
    options.arguments.extend(["--set", "agents.silent_after=10s"].map(str::to_owned));
    let collector = Collector::start(&options)?;
    let homes = HOSTS.map(|name| AgentHome::enrol(programs, &collector, folder.path(), name));
    let homes = homes.into_iter().collect::<Result<Vec<_>>>()?;
    let start = |home: &AgentHome| home.start(&["metrics.interval=1s"]);
    let mut agents = homes.iter().map(start).collect::<Result<Vec<_>>>()?;
    for name in HOSTS {
        wait_presence(&collector, name, "up")?;
    }

    let planned = begin(&collector, "planned")?;
    let lost = begin(&collector, "lost")?;
    let bystander = agents.pop().context("four agents")?;
    for agent in agents {
        agent.kill()?;
    }
    for name in ["planned", "unplanned", "lost"] {
        wait_presence(&collector, name, "silent")?;
    }
    mailbox.wait(1, LIMIT)?;
    let _planned = start(&homes[0])?;
    wait_presence(&collector, "planned", "up")?;
    wait_well(&collector, "planned")?;
    finish(&collector, planned)?;
    finish(&collector, lost)?;
    wait_state(&collector, planned, "closed")?;
    wait_state(&collector, lost, "not_recovered")?;
    mailbox.wait(2, LIMIT)?;
    no_more(&mailbox, 2)?;
    let problems = mailbox.mails();

    let _back = [start(&homes[1])?, start(&homes[2])?];
    wait_state(&collector, lost, "closed")?;
    let all = mailbox.wait(4, LIMIT)?;
    no_more(&mailbox, 4)?;
    drop(bystander);
    let of = |host: &str| problems.iter().filter(|mail| host_of(mail) == host).count();
    let about_lost = problems.iter().find(|mail| host_of(mail) == "lost").context("no mail of the lost host")?;
    Ok(Told {
        planned: of("planned"),
        unplanned: of("unplanned"),
        lost: of("lost"),
        bystander: of("bystander"),
        ends: all.len() - problems.len(),
        lost_alert: about_lost.header("x-muster-alert").unwrap_or_default(),
        lost_text: about_lost.text(),
    })
}

/// [`run`], as the words of a trial.
///
/// # Errors
/// As [`run`].
pub fn trial(arguments: &MaintenanceArguments) -> Result<String> {
    let Told { planned, unplanned, lost, bystander, ends, lost_alert, .. } = run(&arguments.programs)?;
    let named = usize::from(lost_alert == "MaintenanceNotRecovered");
    Ok(format!(
        "planned={planned} unplanned={unplanned} not_returned={lost} not_returned_named={named} bystander={bystander} ends={ends}"
    ))
}

fn host_of(mail: &Mail) -> String {
    mail.header("x-muster-host").unwrap_or_default()
}

/// # Errors
/// When one more comes.
fn no_more(mailbox: &Mailbox, count: usize) -> Result<()> {
    match mailbox.wait(count + 1, QUIET) {
        Err(_) => Ok(()),
        Ok(mails) => {
            let subjects: Vec<_> = mails.iter().filter_map(|mail| mail.header("subject")).collect();
            bail!("{} mails came instead of {count}: {subjects:?}", mails.len())
        }
    }
}

fn begin(collector: &Collector, host: &str) -> Result<u64> {
    let ends_ms = muster_common::time::now().millis() + 600_000;
    let body = json!({"name": "new kernel", "hosts": [host], "ends_ms": ends_ms, "grace_ms": GRACE_MS});
    let answer = collector.request("POST", "/api/muster/v1/maintenances", body.to_string().as_bytes())?;
    let number = answer.json()?["maintenance"]["id"].as_u64();
    number.with_context(|| format!("no maintenance of {host}: {}", answer.text()))
}

fn finish(collector: &Collector, number: u64) -> Result<()> {
    let answer = collector.request("POST", &format!("/api/muster/v1/maintenances/{number}/finish"), b"")?;
    if answer.status == 200 { Ok(()) } else { bail!("finish {number}: {}", answer.text()) }
}

fn wait_state(collector: &Collector, number: u64, state: &str) -> Result<()> {
    until(&format!("maintenance {number} {state}"), LIMIT, || {
        let all = collector.get("/api/muster/v1/maintenances?closed=true")?.json()?;
        let rows = all["maintenances"].as_array().cloned().unwrap_or_default();
        let is = |row: &Value| row["id"] == number && row["state"] == state;
        Ok(rows.iter().any(is).then_some(()))
    })
}

fn wait_presence(collector: &Collector, host: &str, presence: &str) -> Result<()> {
    until(&format!("host {host} {presence}"), LIMIT, || {
        let row = collector.get(&format!("/api/muster/v1/hosts/{host}"))?.json()?;
        Ok((row["host"]["presence"] == presence).then_some(()))
    })
}

/// Waits until a host is no problem itself: it is back once it was heard for a while.
fn wait_well(collector: &Collector, host: &str) -> Result<()> {
    until(&format!("host {host} well"), LIMIT, || {
        let all = collector.get(&format!("/api/muster/v1/problems?host={host}"))?.json()?;
        let problems = all["problems"].as_array().cloned().unwrap_or_default();
        Ok((!problems.iter().any(|one| one["kind"] == "host")).then_some(()))
    })
}
