//! What the agent costs its host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::row::{Row, row};
use crate::bench::Collector;
use crate::process::{self, Kept};

/// The agent's own cost at its default interval of 10 s, connected to a collector, over `span`.
pub(crate) fn agent_rows(programs: &Path, span: Duration) -> Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("muster-agent-cost-").tempdir()?;
    let mut collector = Collector::start(programs, folder.path())?;
    let muster = |words: &[&str]| collector.muster(programs, words);
    let word = muster(&["token", "new", "--name", "cost"])?.lines().last().unwrap_or_default().to_owned();
    let state = folder.path().join("agent").to_string_lossy().into_owned();
    let mut enrol = Command::new(programs.join("muster-agent"));
    enrol.args(["enrol", "--collector", &collector.agents, "--token", &word, "--name", "cost", "--state", &state]);
    process::output(&mut enrol)?;
    let mut run = Command::new(programs.join("muster-agent"));
    run.args(["run", "--state", &state]);
    let mut agent = Kept::start(&mut run)?;
    // The first cycles open descriptors and send contexts: not counted.
    std::thread::sleep(Duration::from_secs(25));
    let strace = Strace::attach(agent.id(), &folder.path().join("calls"))?;
    let traced = Duration::from_secs(30);
    std::thread::sleep(traced);
    let calls = strace.stop()?;
    // CPU is counted in a span of its own: tracing costs the traced process time.
    let traced_cpu = process::cpu_seconds(agent.id())?;
    std::thread::sleep(span);
    let used = process::cpu_seconds(agent.id())? - traced_cpu;
    let hour = used * 3600.0 / span.as_secs_f64();
    let peak = process::status_kib(agent.id(), "VmHWM")? as f64 / 1024.0;
    let fds = std::fs::read_dir(format!("/proc/{}/fd", agent.id()))?.count();
    let series = muster(&["-o", "csv", "query", "count({host=\"cost\"})"])?;
    let series: f64 = series.trim().rsplit([',', '\n']).next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    let wire = muster(&["-o", "csv", "query", "rate(muster_agent_sent_bytes_total{host=\"cost\"}[1m]) * 10"])?;
    let wire: f64 = wire.trim().rsplit([',', '\n']).next().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
    agent.stop()?;
    collector.kept.stop()?;
    let load = format!("10 s interval, {series:.0} series, sending included, {} s", span.as_secs());
    let a_cycle = calls / (traced.as_secs_f64() / 10.0);
    Ok(vec![
        row("agent peak memory", "<= 14 MiB", format!("{peak:.1} MiB"), &load, Some(peak <= 14.0)),
        row("agent CPU an hour", "<= 1.2 s", format!("{hour:.2} s"), &load, Some(hour <= 1.2)),
        row("agent system calls a cycle", "<= 120", format!("{a_cycle:.0}"), &load, Some(a_cycle <= 120.0)),
        row("agent descriptors", "<= 60", format!("{fds}"), &load, Some(fds <= 60)),
        row("agent series", ">= 480", format!("{series:.0}"), &load, Some(series >= 480.0)),
        row("wire bytes a scrape", "", format!("{wire:.0} B"), &load, None),
    ])
}

/// strace counting another process' system calls.
struct Strace {
    kept: Kept,
    file: PathBuf,
}

impl Strace {
    fn attach(id: u32, file: &Path) -> Result<Self> {
        let mut command = Command::new("strace");
        command.args(["-f", "-c", "-p", &id.to_string(), "-o"]).arg(file);
        Ok(Self { kept: Kept::start(&mut command)?, file: file.to_path_buf() })
    }

    /// All calls since the start.
    fn stop(self) -> Result<f64> {
        process::signal(self.kept.id(), "INT")?;
        // strace ends by the signal, which it gives as its own end.
        std::thread::sleep(Duration::from_millis(500));
        let text = std::fs::read_to_string(&self.file).context("strace wrote no table")?;
        let total = text.lines().rev().find(|line| line.trim_end().ends_with("total"));
        let words: Vec<&str> = total.context("strace's table has no total")?.split_whitespace().collect();
        // `100.00 seconds usecs/call calls [errors] total`
        words.get(3).and_then(|word| word.parse().ok()).context("strace's total has no calls")
    }
}
