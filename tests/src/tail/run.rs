//! One case, from an empty collector to the account; and kills at random moments under load.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use muster_common::time;

use super::cases::{Case, Fault};
use super::judge::{Counts, Judge};
use super::reader::{count, read_all};
use super::writer::{Plan, Rotate, Writer};
use crate::harness::agent::{Agent, AgentHome, until};
use crate::harness::collector::{Collector, Options};
use crate::harness::programs::cpu_seconds;
use crate::load::workload::mix;

/// What a case gave.
#[derive(Clone, Debug)]
pub struct Report {
    pub counts: Counts,
    /// The first numbers that are lost.
    pub lost: Vec<u64>,
    pub written: u64,
    pub bytes: u64,
    pub rotations: u64,
    /// User and system time of all the agent's lives, its start included.
    pub agent_cpu_seconds: f64,
    pub agent_peak_mib: f64,
    pub agent_fds: usize,
    pub collector_cpu_seconds: f64,
}

impl Report {
    /// Whether the promise was kept: nothing doubled, reordered or damaged, and lost only what the case allows.
    pub fn is_kept(&self, case: &Case) -> bool {
        let Counts { received, lost, doubled, reordered, damaged } = self.counts;
        let lost_max = self.written * case.lost_ppm_max / 1_000_000;
        received + lost == self.written && lost <= lost_max && doubled + reordered + damaged == 0
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts { received, lost, doubled, reordered, damaged } = self.counts;
        write!(
            f,
            "{received} of {} lines, lost {lost} {:?}, doubled {doubled}, reordered {reordered}, damaged {damaged}, {} rotations, \
             agent {:.2} CPU-s ({:.1} a GB), {:.1} MiB peak, {} descriptors, collector {:.2} CPU-s",
            self.written,
            self.lost,
            self.rotations,
            self.agent_cpu_seconds,
            self.agent_cpu_seconds / (self.bytes as f64 / 1e9),
            self.agent_peak_mib,
            self.agent_fds,
            self.collector_cpu_seconds
        )
    }
}

/// Longest wait for the last line: a starved machine drains a burst in half of it.
const DRAIN: Duration = Duration::from_secs(180);
/// What a host is: without these it would be another one.
const IDENTITY: [&str; 2] = ["identity.pem", "enrolment.json"];
pub(super) const SELECTOR: &str = "{job=\"logs\"}";

/// Both ends, and what their lives cost so far.
pub(super) struct Ends<'a> {
    options: Options,
    collector: Option<Collector>,
    home: AgentHome,
    agent: Option<Agent>,
    settings: Vec<String>,
    folder: &'a Path,
    agent_cpu: f64,
    collector_cpu: f64,
}

impl<'a> Ends<'a> {
    pub(super) fn start(programs: &Path, folder: &'a Path) -> Result<Self> {
        let mut options = Options::new(programs, &folder.join("data"));
        let collector = Collector::start(&options)?;
        (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
        let home = AgentHome::enrol(programs, &collector, folder, "tailed")?;
        let config = folder.join("agent.toml");
        let glob = folder.join("logs/app-*.log");
        std::fs::write(&config, format!("[[logs]]\npaths = [\"{}\"]\nfrom = \"start\"\n", glob.display()))?;
        let settings = vec!["--config".to_owned(), config.to_string_lossy().into_owned()];
        let (agent, agent_cpu, collector_cpu) = (None, 0.0, 0.0);
        Ok(Self { options, collector: Some(collector), home, agent, settings, folder, agent_cpu, collector_cpu })
    }

    pub(super) fn start_agent(&mut self) -> Result<()> {
        self.agent = Some(self.home.start_with(&self.settings)?);
        Ok(())
    }

    fn stop_agent(&mut self, signal: &str) -> Result<()> {
        let Some(agent) = self.agent.take() else { return Ok(()) };
        self.agent_cpu += cpu_seconds(agent.id())?;
        if signal == "KILL" { agent.kill() } else { agent.stop().map(drop) }
    }

    fn kill_collector(&mut self) -> Result<()> {
        let Some(collector) = self.collector.take() else { return Ok(()) };
        self.collector_cpu += cpu_seconds(collector.id)?;
        collector.kill()
    }

    fn start_collector(&mut self) -> Result<()> {
        self.collector = Some(Collector::start(&self.options)?);
        Ok(())
    }

    pub(super) fn collector(&self) -> Result<&Collector> {
        self.collector.as_ref().context("the collector runs")
    }

    /// Everything of the agent's state but its identity goes.
    fn wipe_state(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.home.state)?.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(&path)?;
            } else if !IDENTITY.contains(&name.as_str()) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Waits until as many lines as were written can be counted, or no more come; then reads and judges all of them.
    fn judge(&mut self, written: u64, started_ns: i64) -> Result<(Counts, Vec<u64>)> {
        let collector = self.collector()?;
        let mut best = (0, time::monotonic());
        let _ = until("all lines", DRAIN, || {
            let there = count(collector, &format!("{SELECTOR} |= \"seq=\""), Duration::from_secs(86_400))?;
            if there > best.0 {
                best = (there, time::monotonic());
            }
            // Nothing new for 15 s: what is missing now is lost.
            let settled = there >= written || time::monotonic() - best.1 > Duration::from_secs(15);
            Ok(settled.then_some(()))
        });
        let mut judge = Judge::default();
        let span = (started_ns - 3_600_000_000_000, time::now().nanos() + 3_600_000_000_000);
        read_all(collector, SELECTOR, span, &mut |_, text| judge.line(text))?;
        Ok(judge.finish(written))
    }
}

/// Runs one case.
///
/// # Errors
/// When a program does not start or the collector does not answer.
pub fn run(programs: &Path, folder: &Path, case: &Case) -> Result<Report> {
    let started_ns = time::now().nanos();
    let mut ends = Ends::start(programs, folder)?;
    let mut writer = Writer::new(case.plan.clone(), &folder.join("logs"))?;
    writer.prefill()?;
    ends.start_agent()?;
    let done = AtomicBool::new(false);
    let begun = time::monotonic();
    std::thread::scope(|scope| -> Result<()> {
        let writing = scope.spawn(|| {
            let written = writer.run();
            done.store(true, Ordering::Relaxed);
            written
        });
        meet(&mut ends, case.fault, || time::monotonic() - begun)?;
        while !done.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        writing.join().unwrap_or_else(|_| anyhow::bail!("the writer panicked"))
    })?;
    let (counts, lost) = ends.judge(writer.written, started_ns)?;
    report(ends, &writer, counts, lost)
}

fn report(mut ends: Ends<'_>, writer: &Writer, counts: Counts, lost: Vec<u64>) -> Result<Report> {
    let id = ends.agent.as_ref().context("the agent runs")?.id();
    let agent_peak_mib = peak_mib(id)?;
    let agent_fds = std::fs::read_dir(format!("/proc/{id}/fd"))?.count();
    ends.stop_agent("TERM")?;
    ends.collector_cpu += cpu_seconds(ends.collector()?.id)?;
    let log = ends.home.state.with_extension("log");
    if counts.lost + counts.doubled > 0 {
        // For whoever looks why.
        let _ = std::fs::copy(log, ends.folder.join("agent.log"));
    }
    if let Some(collector) = ends.collector.take() {
        collector.stop()?;
    }
    Ok(Report {
        counts,
        lost,
        written: writer.written,
        bytes: writer.bytes,
        rotations: writer.rotations,
        agent_cpu_seconds: ends.agent_cpu,
        agent_peak_mib,
        agent_fds,
        collector_cpu_seconds: ends.collector_cpu,
    })
}

fn meet(ends: &mut Ends<'_>, fault: Fault, elapsed: impl Fn() -> Duration) -> Result<()> {
    let wait = |at: Duration| std::thread::sleep(at.saturating_sub(elapsed()));
    match fault {
        Fault::None => Ok(()),
        Fault::Agent { signal, at, down } => {
            wait(at);
            ends.stop_agent(signal)?;
            wait(at + down);
            ends.start_agent()
        }
        Fault::WipedState { at, down } => {
            wait(at);
            ends.stop_agent("KILL")?;
            ends.wipe_state()?;
            wait(at + down);
            ends.start_agent()
        }
        Fault::Collector { at, down } => {
            wait(at);
            ends.kill_collector()?;
            wait(at + down);
            ends.start_collector()
        }
        Fault::Outage { at, restart, down } => {
            wait(at);
            ends.kill_collector()?;
            wait(at + restart);
            ends.stop_agent("TERM")?;
            ends.start_agent()?;
            wait(at + down);
            ends.start_collector()
        }
    }
}

/// `kills` kills of either end at random moments, 0.2 to 1.2 s apart, under 10,000 lines a second with a rotation each second;
/// with `wipe` the agent's state folder is deleted at every third of its deaths.
///
/// # Errors
/// When a program does not start or the collector does not answer.
pub fn under_kills(programs: &Path, folder: &Path, kills: u32, seed: u64, wipe: bool) -> Result<Report> {
    let started_ns = time::now().nanos();
    let mut ends = Ends::start(programs, folder)?;
    // The rotated files outlive an agent that is down; their number bounds the disk.
    let plan = Plan { lines: u64::MAX, rotate: Rotate::Rename, keep: 60, ..Plan::default() };
    let mut writer = Writer::new(plan, &folder.join("logs"))?;
    ends.start_agent()?;
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| -> Result<()> {
        let writing = scope.spawn(|| {
            writer.run_while(|lines| {
                written.store(lines, Ordering::Relaxed);
                !stop.load(Ordering::Relaxed)
            })
        });
        let mut killed = || -> Result<()> {
            for number in 0..kills {
                let luck = mix(seed ^ u64::from(number));
                std::thread::sleep(Duration::from_millis(200 + luck % 1_000));
                if luck >> 32 & 1 == 0 {
                    ends.stop_agent("KILL")?;
                    if wipe && number % 3 == 0 {
                        ends.wipe_state()?;
                    }
                    ends.start_agent()?;
                } else {
                    ends.kill_collector()?;
                    ends.start_collector()?;
                }
            }
            Ok(())
        };
        let done = killed();
        stop.store(true, Ordering::Relaxed);
        writing.join().unwrap_or_else(|_| anyhow::bail!("the writer panicked"))?;
        done
    })?;
    let (counts, lost) = ends.judge(writer.written, started_ns)?;
    report(ends, &writer, counts, lost)
}

fn peak_mib(id: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("no VmHWM")? / 1024.0)
}
