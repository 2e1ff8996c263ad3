//! What a round of many rules costs: the figure is 5,000 rules over 100,000 series below 1.5 s of processor time.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::LabelSet;
use muster_query::{Control, Engine, MemorySeries};

use super::ask::MemoryAsk;
use super::group::{Due, RuleContext};
use super::load::{RuleDefaults, load_rules};
use super::ruler::Ruler;

/// Series that one metric has in [`RulesBench`].
const HOSTS: usize = 100;
/// Rules of one group.
const GROUP_RULES: usize = 50;
const INTERVAL_MS: i64 = 30_000;

/// Rules over series in memory, with samples of a quarter of an hour: half of the rules take a rate, a tenth record, and one host of each
/// metric is over its limit.
pub struct RulesBench {
    ruler: Ruler,
    memory: MemorySeries,
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
            let metric = index % metrics;
            let _ = match index % 10 {
                0 => writeln!(text, "  - record: sum_{index}\n    expr: sum by (job) (rate(m_{metric}[5m]))"),
                at => {
                    let read = if at % 2 == 1 { format!("rate(m_{metric}[5m])") } else { format!("m_{metric} / 1000") };
                    let limit = if at % 2 == 1 { "1.5" } else { "1e9" };
                    writeln!(
                        text,
                        "  - alert: A{index}\n    expr: {read} > {limit}\n    for: 5m\n    labels: {{severity: warning}}\n    annotations:\n      \
                         summary: '{{{{ $labels.host }}}} has {{{{ $value | humanize }}}}'"
                    )
                }
            };
        }
        let files = load_rules(&[("bench.yml".into(), text)], RuleDefaults::default());
        let files = files.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let mut ruler = Ruler::new([0; 16], 1);
        ruler.reload(&files, 0);
        let mut memory = MemorySeries::default();
        for index in 0..series {
            let (name, host) = (format!("m_{}", index / HOSTS), format!("host-{}", index % HOSTS));
            let pairs = [("__name__", name.as_str()), ("host", &host), ("instance", &host), ("job", "node")];
            let labels = Arc::new(LabelSet::new(pairs).unwrap_or_default());
            let rise = if index % HOSTS == 0 { 2.0 } else { 1.0 };
            for step in 0..90 {
                memory.append(&labels, step * 10_000, step as f64 * 10.0 * rise);
            }
        }
        Self { ruler, memory, round: 0 }
    }

    /// Evaluates all groups once.
    pub fn round(&mut self) -> BenchRound {
        let at_ms = 600_000 + INTERVAL_MS * i64::try_from(self.round % 10).unwrap_or(0);
        self.round += 1;
        let (engine, none) = (Engine::default(), LabelSet::default());
        let control = Control::new(Duration::from_secs(600));
        let mut done = BenchRound::default();
        for group in self.ruler.groups_mut() {
            let before = group.counts();
            let ask = MemoryAsk { engine: &engine, memory: &self.memory, control: &control };
            let context = RuleContext { external_labels: &none, external_url: "", ready_ms: 0, is_away: &|_| false };
            let round = group.evaluate(Due { tick: self.round, at_ms, missed: 0 }, &ask, &context);
            done.samples += round.batch.samples.len();
            done.evaluations += group.counts().evaluations - before.evaluations;
            done.failures += group.counts().failures - before.failures;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_of_many_rules_works() {
        let mut bench = RulesBench::new(100, 1_000);
        let first = bench.round();
        assert_eq!((first.evaluations, first.failures), (100, 0));
        // 10 sums, and ALERTS with ALERTS_FOR_STATE of one host for each of 50 rules.
        assert_eq!(first.samples, 110);
        assert_eq!(bench.round(), first);
    }

    #[test]
    #[ignore = "tmp"]
    fn tmp() {
        let mut bench = RulesBench::new(5_000, 100_000);
        for _ in 0..4 {
            let before = muster_common::time::monotonic();
            let done = bench.round();
            eprintln!("{done:?} {:?}", muster_common::time::monotonic() - before);
        }
    }
}
