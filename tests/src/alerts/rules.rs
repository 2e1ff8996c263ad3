//! What rounds of many rules cost over a store on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use muster_alert::{RulesBench, ViewAsk};
use muster_common::disk::real::RealDisk;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::Epoch;
use muster_query::{Control, Engine};
use muster_store::{Append, Config, Outcome, Parts, Record, Row, SampleBlock, SeriesTable, Source};

use crate::harness::programs::cpu_seconds;

const RULES: usize = 5_000;
const SERIES: usize = 100_000;
/// Series of one append: a host's scrape has about as many.
const APPEND_SERIES: usize = 1_000;
/// The samples are of the first quarter of an hour of all times; this is soon after it.
const NOW: Timestamp = Timestamp::from_millis(1_000_000);
/// No round takes as long.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the rounds did.
#[derive(Clone, Debug, Default)]
pub struct RulesCost {
    /// Rules evaluated in each round.
    pub rules: u64,
    pub series: usize,
    /// Evaluations that failed, of all rounds.
    pub failures: u64,
    /// Samples that all rounds recorded.
    pub samples: usize,
    /// Processor seconds of each round.
    pub cpu_seconds: Vec<f64>,
}

impl RulesCost {
    pub fn mean_cpu_seconds(&self) -> f64 {
        self.cpu_seconds.iter().sum::<f64>() / self.cpu_seconds.len() as f64
    }
}

/// Writes the series into a store in this folder and evaluates all rules so many times.
///
/// # Errors
/// When the store does not take the samples, or a round leaves rules out.
pub fn rules_cost(folder: &Path, rounds: u32) -> Result<RulesCost> {
    let mut bench = RulesBench::new(RULES, SERIES);
    let mut seed = 0;
    let mut random = || {
        seed += 1;
        seed
    };
    let mut parts = muster_store::open(Arc::new(RealDisk), Config::new(folder.join("data")), NOW, &mut random)?;
    let series = fill(&mut parts, &bench)?;
    let (engine, control, view) = (Engine::default(), Control::new(PATIENCE), parts.reader.view());
    let ask = ViewAsk { engine: &engine, view: &view, control: &control };
    let mut cost = RulesCost { series, ..RulesCost::default() };
    for _ in 0..rounds {
        let before = cpu_seconds(std::process::id())?;
        let round = bench.round(&ask);
        cost.cpu_seconds.push(cpu_seconds(std::process::id())? - before);
        if round.evaluations != RULES as u64 {
            bail!("a round evaluated {} of {RULES} rules", round.evaluations);
        }
        cost.rules = round.evaluations;
        cost.failures += round.failures;
        cost.samples += round.samples;
    }
    Ok(cost)
}

/// Commits all series, with the upkeep between that a collector has; gives how many they are.
fn fill(parts: &mut Parts, bench: &RulesBench) -> Result<usize> {
    let all: Vec<_> = bench.series().collect();
    for (tick, some) in (1..).zip(all.chunks(APPEND_SERIES)) {
        let table = some.iter().map(|(labels, _)| ((**labels).clone(), MetricKind::Counter)).collect();
        let steps = some.first().map_or(0, |(_, samples)| samples.len());
        let row = |step: usize| Row {
            at_ms: some[0].1[step].0,
            present: None,
            values: some.iter().map(|(_, samples)| samples[step].1).collect(),
        };
        let rows = (0..steps).map(row).collect();
        let block = SampleBlock::Rows { table: Arc::new(SeriesTable::new(table)), rows };
        let source = Source::Own { run: Epoch::new(1, 1), tick };
        let append = Append { source, records: vec![Record::Samples(block)], arrived: NOW, live: true };
        match parts.writer.commit(&[append], NOW)?.as_slice() {
            [Outcome::Committed { position }] => parts.writer.state_reached(*position),
            other => bail!("the store answered {other:?} to new samples"),
        }
        // Nobody projects these; what waits for that is taken off the list.
        drop(parts.writer.take_entries());
        parts.admin.maintain(NOW)?;
    }
    Ok(all.len())
}
