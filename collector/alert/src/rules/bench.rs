//! What a round of many rules costs: the figure is 5,000 rules over 100,000 series below 1.5 s of processor time.

use std::fmt::Write;
use std::sync::Arc;

use muster_common::label::LabelSet;

use super::ask::Ask;
use super::group::{Due, RuleContext};
use super::load::{RuleDefaults, load_rules};
use super::ruler::Ruler;

/// Series that one metric has in [`RulesBench`].
const HOSTS: usize = 100;
/// Rules of one group.
const GROUP_RULES: usize = 50;
const INTERVAL_MS: i64 = 30_000;

/// Rules, and the series that they read: half of the rules take a rate, a tenth record, and one host of each metric is over its limit.
pub struct RulesBench {
    ruler: Ruler,
    metrics: usize,
    round: u64,
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BenchRound {
    pub evaluations: u64,
    pub failures: u64,
    pub samples: usize,
}

impl RulesBench {
    /// # Panics
    /// When its own rules cannot be read.
    pub fn new(rules: usize, series: usize) -> Self {
        let metrics = (series / HOSTS).max(1);
        let mut text = String::from("groups:\n");
        for index in 0..rules {
            if index % GROUP_RULES == 0 {
                let _ = writeln!(text, "- name: g{index}\n  interval: 30s\n  rules:");
            }
            text.push_str(&rule(index, index % metrics));
        }
        let files = load_rules(&[("bench.yml".into(), text)], RuleDefaults::default());
        let files = files.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let mut ruler = Ruler::new([0; 16], 1);
        ruler.reload(&files, 0);
        Self { ruler, metrics, round: 0 }
    }

    /// The series, each with a sample every 10 s of a quarter of an hour, `(milliseconds, value)`.
    pub fn series(&self) -> impl Iterator<Item = (Arc<LabelSet>, Vec<(i64, f64)>)> {
        (0..self.metrics * HOSTS).map(|index| {
            let (name, host) = (format!("m_{}", index / HOSTS), format!("host-{}", index % HOSTS));
            let pairs = [("__name__", name.as_str()), ("host", &host), ("instance", &host), ("job", "node")];
            let rise = if index % HOSTS == 0 { 2.0 } else { 1.0 };
            let samples = (0..90i32).map(|step| (i64::from(step) * 10_000, f64::from(step) * 10.0 * rise));
            (Arc::new(LabelSet::new(pairs).unwrap_or_default()), samples.collect())
        })
    }

    /// Evaluates all groups once.
    pub fn round(&mut self, ask: &dyn Ask) -> BenchRound {
        let at_ms = 600_000 + INTERVAL_MS * i64::try_from(self.round % 10).unwrap_or(0);
        self.round += 1;
        let none = LabelSet::default();
        let mut done = BenchRound::default();
        for group in self.ruler.groups_mut() {
            let before = group.counts();
            let context = RuleContext { external_labels: &none, external_url: "", ready_ms: 0, is_away: &|_| false };
            let round = group.evaluate(Due { tick: self.round, at_ms, missed: 0 }, ask, &context);
            done.samples += round.batch.samples.len();
            done.evaluations += group.counts().evaluations - before.evaluations;
            done.failures += group.counts().failures - before.failures;
        }
        done
    }
}

fn rule(index: usize, metric: usize) -> String {
    if index.is_multiple_of(10) {
        return format!("  - record: sum_{index}\n    expr: sum by (job) (rate(m_{metric}[5m]))\n");
    }
    let expr = if index % 2 == 1 { format!("rate(m_{metric}[5m]) > 1.5") } else { format!("m_{metric} / 1000 > 1e9") };
    format!(
        "  - alert: A{index}\n    expr: {expr}\n    for: 5m\n    labels: {{severity: warning}}\n    annotations:\n      summary: \
         '{{{{ $labels.host }}}} has {{{{ $value | humanize }}}}'\n"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_common::disk::cut::CutDisk;
    use muster_common::sample::MetricKind;
    use muster_common::time::Timestamp;
    use muster_common::wire::message::Epoch;
    use muster_query::{Control, Engine, MemorySeries};
    use muster_store::{Append, Config, Record, Row, SampleBlock, SeriesTable, Source};

    use super::*;
    use crate::rules::{MemoryAsk, ViewAsk};

    #[test]
    fn a_round_of_many_rules_over_a_store_is_that_over_memory() {
        let mut bench = RulesBench::new(100, 1_000);
        let mut memory = MemorySeries::default();
        let (mut table, mut columns) = (Vec::new(), Vec::new());
        for (labels, samples) in bench.series() {
            samples.iter().for_each(|(at_ms, value)| memory.append(&labels, *at_ms, *value));
            table.push(((*labels).clone(), MetricKind::Counter));
            columns.push(samples);
        }
        let row = |step: usize| Row {
            at_ms: columns[0][step].0,
            present: None,
            values: columns.iter().map(|samples| samples[step].1).collect(),
        };
        let rows = (0..columns[0].len()).map(row).collect();
        let block = SampleBlock::Rows { table: Arc::new(SeriesTable::new(table)), rows };
        let now = Timestamp::from_millis(1_000_000);
        let mut parts = muster_store::open(Arc::new(CutDisk::new(1)), Config::new("/data"), now, &mut || 5).unwrap();
        let source = Source::Own { run: Epoch::new(1, 1), tick: 1 };
        parts
            .writer
            .commit(&[Append { source, records: vec![Record::Samples(block)], arrived: now, live: true }], now)
            .unwrap();
        let (engine, control, view) = (Engine::default(), Control::new(Duration::from_secs(600)), parts.reader.view());

        let first = bench.round(&ViewAsk { engine: &engine, view: &view, control: &control });
        assert_eq!((first.evaluations, first.failures), (100, 0));
        // 10 sums, and ALERTS with ALERTS_FOR_STATE of one host for each of 50 rules.
        assert_eq!(first.samples, 110);
        assert_eq!(bench.round(&MemoryAsk { engine: &engine, memory: &memory, control: &control }), first);
    }
}
