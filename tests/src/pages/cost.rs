//! What the pages ask of a collector with many hosts, checks and problems: processor time and bytes of an answer.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_common::time;
use muster_common::wire::frame::Frame;
use muster_common::wire::message::{CheckDefinition, CheckReport, Epoch, Lane, Message, Report, ReportBatch};

use crate::harness::agent::until;
use crate::harness::collector::{Collector, Options};
use crate::harness::programs::cpu_seconds;
use crate::load::wire::{self, Crowd, Host, Load};
use crate::load::workload::host_name;

/// Checks of a host, as a usual configuration has them.
const CHECKS: usize = 20;
/// Every so manieth host has a problem: 500 of 5,000.
const PROBLEM_EVERY: usize = 10;
/// Answers that are measured, so that ticks of 10 ms do not matter.
const ANSWERS: u32 = 40;
/// Hosts that report at once while the trial begins.
const REPORTERS: usize = 32;
/// Longer than a long answer is given again (1 s): each is made anew.
const APART: Duration = Duration::from_millis(1_100);

/// What one path's answers cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Of the first answer of the process, and of one of those after it; what the collector does meanwhile is taken off.
    pub first_ms: f64,
    pub mean_ms: f64,
    pub bytes: usize,
}

/// A collector with this many hosts, each connected, with checks.
pub struct Large {
    pub collector: Collector,
    hosts: Vec<Host>,
    _crowd: Crowd,
    runtime: tokio::runtime::Runtime,
}

impl Large {
    /// # Errors
    /// When the collector does not start or refuses a host.
    pub fn start(programs: &Path, data: &Path, hosts: usize) -> Result<Self> {
        let mut options = Options::new(programs, data);
        options.arguments = ["--set", "agents.spread=0s"].map(str::to_owned).into();
        let collector = Collector::start(&options)?;
        let body =
            format!(r#"{{"kind":"enrolment","pattern":"node-*","uses":{hosts},"ttl":"2h","labels":{{"env":"prod"}}}}"#);
        let answer = collector.request("POST", "/api/muster/v1/tokens", body.as_bytes())?.json()?;
        let word = answer["token"]["word"].as_str().with_context(|| format!("no word in {answer}"))?.to_owned();
        let load = Load {
            target: collector.agents,
            word,
            seed: 1,
            hosts,
            ticks: 0,
            start_ms: time::now().millis(),
            window: 1,
            pause: Duration::ZERO,
            reconnects: 0,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let enrolled = runtime.block_on(wire::enrol(&load))?;
        report_all(collector.agents, &enrolled)?;
        let crowd = runtime.block_on(wire::connect(collector.agents, &enrolled))?;
        let problems = hosts.div_ceil(PROBLEM_EVERY);
        until("all problems", Duration::from_secs(120), || {
            let json = collector.get("/api/muster/v1/problems")?.json()?;
            let count = json["problems"].as_array().map_or(0, Vec::len);
            Ok((count >= problems).then_some(()))
        })?;
        Ok(Self { collector, hosts: enrolled, _crowd: crowd, runtime })
    }

    /// The name of a host.
    pub fn host(&self, number: usize) -> String {
        host_name(number)
    }

    /// The first check of a host that was well becomes critical; returns when that is durable.
    ///
    /// # Errors
    /// When there is no such host, or the collector does not take it.
    pub fn make_problem(&self, number: usize) -> Result<()> {
        let host = self.hosts.get(number).with_context(|| format!("there is no host {number}"))?;
        self.runtime.block_on(report(self.collector.agents, host, true))
    }

    /// What answers of this path cost.
    ///
    /// # Errors
    /// When it is refused.
    pub fn cost(&self, path: &str) -> Result<Cost> {
        let (first, bytes) = self.asked(path, 1)?;
        let (all, _) = self.asked(path, ANSWERS)?;
        Ok(Cost { first_ms: first * 1_000.0, mean_ms: all * 1_000.0 / f64::from(ANSWERS), bytes })
    }

    /// CPU seconds of so many answers, each made anew, and the bytes of the last.
    fn asked(&self, path: &str, times: u32) -> Result<(f64, usize)> {
        let (begun, before) = (time::monotonic(), cpu_seconds(self.collector.id)?);
        let mut bytes = 0;
        for _ in 0..times {
            let answer = self.collector.get(path)?;
            if answer.status != 200 {
                bail!("{path}: {}: {}", answer.status, answer.text());
            }
            bytes = answer.body.len();
            std::thread::sleep(APART);
        }
        let (took, cost) = (time::monotonic() - begun, cpu_seconds(self.collector.id)? - before);
        // As long again without questions: keeping 5,000 hosts connected costs something too.
        let idle_for = took.max(Duration::from_secs(2));
        let before = cpu_seconds(self.collector.id)?;
        std::thread::sleep(idle_for);
        let idle = (cpu_seconds(self.collector.id)? - before) * took.as_secs_f64() / idle_for.as_secs_f64();
        Ok(((cost - idle).max(0.0), bytes))
    }
}

/// Each host's results, several hosts at once: one after the other waits for 5,000 commits.
fn report_all(target: std::net::SocketAddr, hosts: &[Host]) -> Result<()> {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..REPORTERS)
            .map(|worker| {
                scope.spawn(move || -> Result<()> {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    for (number, host) in hosts.iter().enumerate().skip(worker).step_by(REPORTERS) {
                        runtime.block_on(report(target, host, number.is_multiple_of(PROBLEM_EVERY)))?;
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.join().map_err(|_| anyhow::anyhow!("a reporter panicked"))??;
        }
        Ok(())
    })
}

/// One result of each of a host's checks; the first may be bad.
async fn report(target: std::net::SocketAddr, host: &Host, has_problem: bool) -> Result<()> {
    let at_ms = time::now().millis();
    let reports = (0..CHECKS).map(|check| {
        let is_bad = has_problem && check == 0;
        Report::Check(CheckReport {
            at_ms,
            check: format!("check-{check:02}"),
            state: if is_bad { 2 } else { 0 },
            output: if is_bad { "CRITICAL: 96 % of /var are used".into() } else { "OK: 41 %".into() },
            long_output: String::new(),
            perfdata: Vec::new(),
            duration_ms: 3,
            definition: CheckDefinition { ttl_ms: 7_200_000, ..CheckDefinition::default() },
        })
    });
    let batch = ReportBatch { reports: reports.collect(), extensions: Vec::new() };
    let frame = Frame::batch(Lane::P0, Epoch::new(at_ms, host.number as u64), 1, Message::Reports(batch));
    wire::send(target, host, &[frame]).await
}
