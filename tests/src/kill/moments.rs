//! kill -9 of collector, agent or both at random moments; what was visible before must be there after.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use muster_common::time;

use super::{Report, stored};
use crate::harness::agent::{AgentHome, until};
use crate::harness::collector::{Collector, Options};
use crate::load::workload::mix;

/// The host's name, and the series that are compared: one a source, so that every batch is seen.
const HOST: &str = "killed";
const SERIES: &str = "{host=\"killed\",__name__=~\"node_load1|node_context_switches_total|node_time_seconds|node_memory_MemFree_bytes\"}";
const SETTINGS: [&str; 1] = ["metrics.interval=1s"];
const LIMIT: Duration = Duration::from_secs(60);

/// (series, milliseconds) -> value as printed.
type Seen = BTreeMap<(String, i64), String>;

/// `count` kills with moments drawn from `seed`: the first half of either end, the rest of the collector alone, so that the
/// last agent's whole life is checked for missing scrapes.
///
/// # Errors
/// When a program does not start.
pub fn at_moments(programs: &Path, folder: &Path, count: u32, seed: u64) -> Result<Report> {
    let mut options = Options::new(programs, &folder.join("data"));
    let mut collector = Collector::start(&options)?;
    (options.http_port, options.agents_port) = (collector.http.port(), collector.agents.port());
    let home = AgentHome::enrol(programs, &collector, folder, HOST)?;
    let mut agent = Some(home.start(&SETTINGS)?);
    let mut last_start = time::now().millis();
    let mut report = Report::default();
    for number in 0..count {
        wait_newer(&collector, time::now().millis() - 1_500)?;
        let luck = mix(seed ^ u64::from(number));
        std::thread::sleep(Duration::from_millis(luck % 2_000));
        let before = seen(&collector)?;
        let both_ends = number < count / 2;
        let what = match luck >> 32 & 1 {
            0 if both_ends => "agent",
            1 if both_ends => "both",
            _ => "collector",
        };
        if what != "collector"
            && let Some(agent) = agent.take()
        {
            agent.kill()?;
        }
        let start = time::monotonic();
        if what != "agent" {
            collector.kill()?;
            collector = Collector::start(&options).context("after a kill")?;
        }
        let back = time::monotonic() - start;
        if agent.is_none() {
            agent = Some(home.start(&SETTINGS)?);
            last_start = time::now().millis();
        }
        let after = seen(&collector)?;
        let lost = before.keys().filter(|key| !after.contains_key(*key)).count() as u64;
        let changed = before.iter().filter(|(key, value)| after.get(*key).is_some_and(|now| now != *value)).count();
        report.lost += lost;
        report.answers_changed += changed as u64;
        report.hits += 1;
        report.slowest_return = report.slowest_return.max(back);
        report.kills.push(format!("{what}: back in {:.2} s, {lost} lost, {changed} changed", back.as_secs_f64()));
    }
    // The agent's last life must have no hole once its backlog is in.
    let want = time::now().millis();
    wait_newer(&collector, want)?;
    report.lost += until("the backlog", LIMIT, || {
        let missing = missing_scrapes(&seen(&collector)?, last_start + 3_000);
        Ok((missing == 0).then_some(0))
    })
    .unwrap_or_else(|_| missing_scrapes(&seen(&collector).unwrap_or_default(), last_start + 3_000));
    if let Some(agent) = agent {
        agent.stop()?;
    }
    collector.stop()?;
    let (raw, distinct) = stored::count(&options.data, HOST)?;
    report.samples = distinct;
    report.doubled = raw - distinct;
    Ok(report)
}

/// Everything of the compared series in the last half hour.
fn seen(collector: &Collector) -> Result<Seen> {
    let mut all = Seen::new();
    for row in collector.query(&format!("{SERIES}[30m]"), None)? {
        for value in row["values"].as_array().into_iter().flatten() {
            let millis = (value[0].as_f64().unwrap_or(0.0) * 1000.0).round() as i64;
            all.insert((row["metric"].to_string(), millis), value[1].to_string());
        }
    }
    Ok(all)
}

/// Waits until a sample later than this is visible.
fn wait_newer(collector: &Collector, than_ms: i64) -> Result<()> {
    until("a fresh sample", LIMIT, || {
        let newest = seen(collector)?.keys().map(|(_, millis)| *millis).max();
        Ok(newest.is_some_and(|newest| newest > than_ms).then_some(()))
    })
}

/// Whole intervals without a scrape after this time.
fn missing_scrapes(seen: &Seen, from_ms: i64) -> u64 {
    let mut times: Vec<i64> = seen
        .keys()
        .filter(|(name, millis)| name.contains("node_load1") && *millis >= from_ms)
        .map(|key| key.1)
        .collect();
    times.sort_unstable();
    times.windows(2).map(|pair| u64::try_from((pair[1] - pair[0] - 500) / 1_000).unwrap_or(0)).sum()
}
