//! Agent and collector upgraded by their packages, under a real systemd, while lines are written and people would be told: what is lost,
//! doubled or told.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::harness::booted::Booted;
use crate::harness::packaged::{SHELF, deb};
use crate::harness::root::Root;
use crate::tail::{Counts, Judge, Plan, Rotate, Writer};

pub const AGENT: &str = "muster-agent.service";
pub const COLLECTOR: &str = "muster-collector.service";

/// Where lines are written, inside.
pub const LOGS: &str = "/var/log/app";
const SELECTOR: &str = "{job=\"logs\"}";
/// Between two upgrades, so that each meets a system that is under way again and not the one before.
const BETWEEN: Duration = Duration::from_secs(3);
/// Mails of 127.0.0.1:1 are refused and stay in the queue, where they are counted.
const ALERTING: &str = "global: { smtp_smarthost: \"127.0.0.1:1\", smtp_from: \"muster@example.org\", smtp_require_tls: false }\n\
    route: { receiver: ops, group_wait: 0s }\n\
    receivers: [{ name: ops, email_configs: [{ to: \"ops@example.org\" }] }]\n";

/// What it came to. `lost`, `doubled`, `reordered`, `damaged` and `mails` must be 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub upgrades: u32,
    pub written: u64,
    pub counts: Counts,
    /// Mails that the upgrades caused.
    pub mails: usize,
    /// Mails of a check that turned critical afterwards: 1, else `mails` says nothing.
    pub control: usize,
}

/// Upgrades `rounds` times: the agent, the collector, both, and so on, to the other of two versions each time, with so many lines a second.
///
/// # Errors
/// When a step fails, or a unit does not come back by itself.
pub fn run(old: &Path, new: &Path, rounds: u32, rate: u64) -> Result<Report> {
    let root = Root::with_systemd()?;
    let shelves = [old, new].map(|folder| (folder, format!("{SHELF}/{}", u8::from(folder == new))));
    for (folder, shelf) in &shelves {
        root.bring(folder, shelf)?;
    }
    let system = Booted::start(root)?;
    install(&system, &shelves[0].1)?;
    let packages = |round: u32| -> Result<Vec<String>> {
        let (folder, shelf) = &shelves[(round as usize + 1) % 2];
        let names: &[&str] = match round % 3 {
            0 => &["muster-agent_"],
            1 => &["muster-collector_"],
            _ => &["muster-agent_", "muster-collector_"],
        };
        names.iter().map(|name| inside(folder, shelf, name)).collect()
    };
    let (written, upgraded) = while_lines_are_written(&system, rate, || -> Result<()> {
        for round in 0..rounds {
            let packages = packages(round)?;
            let mut words = vec!["dpkg", "-i"];
            words.extend(packages.iter().map(String::as_str));
            system.run(&words)?.ok()?;
            is_back(&system)?;
            thread::sleep(BETWEEN);
        }
        Ok(())
    })?;
    upgraded?;
    let counts = account(&system, written)?;
    let mails = queued(&system)?;
    let push = ["muster-agent", "push", "control", "--state", "CRITICAL", "--output", "told"];
    system.run(&push)?.ok()?;
    system.until("a mail of the control", |system| {
        let rows = queued(system)?;
        Ok((rows > mails, format!("{rows} rows")))
    })?;
    Ok(Report { upgrades: rounds, written, counts, mails, control: queued(&system)? - mails })
}

/// The path inside of a package of a shelf.
fn inside(folder: &Path, shelf: &str, name: &str) -> Result<String> {
    let path = deb(folder, name)?;
    Ok(format!("{shelf}/{}", path.file_name().context("a package has a name")?.to_string_lossy()))
}

/// Both at work, with somebody to tell and a folder of logs to tail.
fn install(system: &Booted, shelf: &str) -> Result<()> {
    let ls = system.run(&["ls", shelf])?.ok()?;
    let deb = |start: &str| {
        let name = ls.lines().find(|name| name.starts_with(start) && name.ends_with(".deb"));
        name.map(|name| format!("{shelf}/{name}")).with_context(|| format!("no {start} in {ls}"))
    };
    system.run(&["dpkg", "-i", &deb("muster-collector_")?, &deb("muster_")?])?.ok()?;
    let write = |path: &str, text: &str| std::fs::write(system.root.path(path), text).context(path.to_owned());
    write("/etc/muster/alerting.yml", ALERTING)?;
    // Else the agent waits up to 30 s, so that many do not come back at once.
    write("/etc/muster/collector.toml", "[agents]\nspread = \"0s\"\n")?;
    system.run(&["systemctl", "restart", COLLECTOR])?.ok()?;
    std::fs::create_dir_all(system.root.path(LOGS))?;
    let token = system.run(&["muster", "token", "new", "--name", "upgraded"])?.ok()?;
    let word = token.lines().last().context("muster token new printed nothing")?;
    let script = format!("{shelf}/install.sh");
    let words = ["sh", &script, "--collector", "127.0.0.1:9471", "--token", word, "--from", shelf];
    system.run(&words)?.ok()?;
    let settings =
        format!("[[logs]]\npaths = [\"{LOGS}/app-*.log\"]\nfrom = \"start\"\n\n[journal]\nenabled = false\n");
    write("/etc/muster/agent.toml", &settings)?;
    system.run(&["systemctl", "restart", AGENT])?.ok()?;
    is_back(system)
}

/// Both were started by their package and by nothing else, and the agent sends.
///
/// # Errors
/// With what their journals say.
fn is_back(system: &Booted) -> Result<()> {
    for unit in [AGENT, COLLECTOR] {
        let [state, restarts] = [system.property(unit, "ActiveState")?, system.property(unit, "NRestarts")?];
        if (state.as_str(), restarts.as_str()) != ("active", "0") {
            bail!("{unit} is {state} after {restarts} restarts: {}", system.journal(unit)?);
        }
    }
    system.until("agent that sends", |system| {
        let said = system.property(AGENT, "StatusText")?;
        Ok((said.starts_with("samples and sends"), said))
    })?;
    Ok(())
}

/// Lines go to a file that is rotated each 2 s, all while `work` runs; gives how many were written, and what came of the work.
///
/// # Errors
/// When the disk does not take the lines.
pub fn while_lines_are_written<T>(system: &Booted, rate: u64, work: impl FnOnce() -> T) -> Result<(u64, T)> {
    let (rotate, rotate_every) = (Rotate::Rename, Duration::from_secs(2));
    let plan = Plan { lines: u64::MAX, rate, rotate, rotate_every, ..Plan::default() };
    let folder = system.root.path(LOGS);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut writer = Writer::new(plan, &folder)?;
            writer.run_while(|_| !is_done.load(Ordering::Relaxed))?;
            anyhow::Ok(writer.written)
        });
        let done = work();
        is_done.store(true, Ordering::Relaxed);
        let written = writer.join().map_err(|_| anyhow!("the writer of lines failed"))??;
        Ok((written, done))
    })
}

/// Waits for the last line, then takes account of all of them, as an operator reads them.
///
/// # Errors
/// When the collector does not answer.
pub fn account(system: &Booted, written: u64) -> Result<Counts> {
    let query = format!("sum(count_over_time({SELECTOR}[1h]))");
    let waited = system.until("line of the last ones", |system| {
        let said = system.run(&["muster", "--output", "csv", "logs", &query, "--since", "1m", "--step", "1m"])?;
        let last = said.out.trim_end().rsplit([',', '\n']).next().unwrap_or_default();
        let count = last.parse::<f64>().unwrap_or_default() as u64;
        Ok((count >= written, format!("{count} of {written} lines: {}", said.error)))
    });
    // What never comes is lost, and counted so below.
    let limit = (written.saturating_mul(2)).to_string();
    let words = ["muster", "--output", "raw", "logs", SELECTOR, "--since", "1h", "--forward", "--limit", &limit];
    let text = system.run(&words)?.ok()?;
    let mut judge = Judge::default();
    text.lines().for_each(|line| judge.line(line));
    let (counts, first) = judge.finish(written);
    if let (Err(error), true) = (waited, counts.lost == 0) {
        return Err(error.context("all lines are there, and their count never said so"));
    }
    if counts.lost > 0 {
        eprintln!("muster-trial: lost lines: {first:?}");
    }
    Ok(counts)
}

/// Mails that wait to be sent.
fn queued(system: &Booted) -> Result<usize> {
    let said = system.run(&["muster", "--output", "json", "mail", "queue"])?;
    let answer: Value = serde_json::from_str(&said.out).with_context(|| format!("{said:?}"))?;
    answer["rows"].as_array().map(Vec::len).with_context(|| format!("no rows in {answer}"))
}
