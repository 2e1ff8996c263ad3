//! What the pages ask of a collector with many hosts, checks and problems: processor time and bytes of an answer.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::harness::agent::until;
use crate::harness::collector::{Collector, Options};
use crate::load::wire::{self, Load};
use crate::load::workload::host_name;

use super::reporting::{PROBLEM_EVERY, Reporting, runtime};

/// Answers that are measured.
const ANSWERS: u32 = 20;
/// Longer than a long answer is given again (1 s): each is made anew.
const APART: Duration = Duration::from_millis(1_100);

/// What one path's answers cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Processor time of the first answer of the process, and of one of those after it.
    pub first_ms: f64,
    pub mean_ms: f64,
    pub bytes: usize,
}

/// A collector with this many hosts, each connected, with checks that report each minute.
pub struct Large {
    pub collector: Collector,
    reporting: Reporting,
    runtime: tokio::runtime::Runtime,
}

impl Large {
    /// # Errors
    /// When the collector does not start or refuses a host.
    pub fn start(programs: &Path, data: &Path, hosts: usize) -> Result<Self> {
        let mut options = Options::new(programs, data);
        options.arguments = ["--set", "agents.spread=0s"].map(str::to_owned).into();
        let collector = Collector::start(&options)?;
        let load = Load::idle(&collector, hosts, r#"{"env":"prod"}"#)?;
        let runtime = runtime()?;
        let enrolled = runtime.block_on(wire::enrol(&load))?;
        let reporting = runtime.block_on(Reporting::start(collector.agents, &enrolled))?;
        let problems = hosts.div_ceil(PROBLEM_EVERY);
        until("all problems", Duration::from_secs(120), || {
            let json = collector.get("/api/muster/v1/problems")?.json()?;
            let count = json["problems"].as_array().map_or(0, Vec::len);
            Ok((count >= problems).then_some(()))
        })?;
        Ok(Self { collector, reporting, runtime })
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
        self.runtime.block_on(self.reporting.make_problem(number))
    }

    /// Whether all hosts are still reporting, so that what was measured was measured beside them.
    ///
    /// # Errors
    /// Why one is not.
    pub fn check(&mut self) -> Result<()> {
        self.reporting.check()
    }

    /// What answers of this path cost, by the collector's own account.
    ///
    /// # Errors
    /// When it is refused, or was not made anew each time.
    pub fn cost(&self, path: &str) -> Result<Cost> {
        let (first, bytes) = self.asked(path, 1)?;
        let (all, _) = self.asked(path, ANSWERS)?;
        Ok(Cost { first_ms: first * 1_000.0, mean_ms: all * 1_000.0 / f64::from(ANSWERS), bytes })
    }

    /// CPU seconds of so many answers, each made anew, and the bytes of the last.
    fn asked(&self, path: &str, times: u32) -> Result<(f64, usize)> {
        let before = self.account()?;
        let mut bytes = 0;
        for _ in 0..times {
            let answer = self.collector.get(path)?;
            if answer.status != 200 {
                bail!("{path}: {}: {}", answer.status, answer.text());
            }
            bytes = answer.body.len();
            std::thread::sleep(APART);
        }
        let after = self.account()?;
        let made = after.0 - before.0;
        if made != f64::from(times) {
            bail!("{path}: {made} of {times} answers were made anew");
        }
        Ok((after.1 - before.1, bytes))
    }

    /// Long answers that were made, and their processor seconds. That of the whole process has what 5,000 hosts report in it, too.
    fn account(&self) -> Result<(f64, f64)> {
        let text = self.collector.get("/metrics")?.text();
        let value = |series: &str| -> Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(series));
            Ok(line.with_context(|| format!("no {series} in /metrics"))?.trim().parse()?)
        };
        Ok((
            value("muster_collector_http_long_answers_total{how=\"made\"}")?,
            value("muster_collector_http_long_answers_cpu_seconds_total")?,
        ))
    }
}
