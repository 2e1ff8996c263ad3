//! /proc/stat: seconds of each processor by mode, interrupts, context switches, forks, boot time, running and blocked.

use super::metric::{Column, Devices, Metric};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};
use crate::rows::Rows;

/// The kernel counts in 1/100 s for user space, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
/// Place of idle among the columns.
const IDLE: usize = 3;
/// Idle time that falls by this much was reset (the processor went away and came back); by less, it is the kernel's
/// rounding, and a counter must not go back for that.
const RESET_SECONDS: f64 = 3.0;

#[rustfmt::skip]
const COLUMNS: &[Column] = &[
    Column::counter("node_cpu_seconds_total").with(&[("mode", "user")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "nice")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "system")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "idle")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "iowait")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "irq")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "softirq")]),
    Column::counter("node_cpu_seconds_total").with(&[("mode", "steal")]),
    Column::counter("node_cpu_guest_seconds_total").with(&[("mode", "user")]),
    Column::counter("node_cpu_guest_seconds_total").with(&[("mode", "nice")]),
];

pub(super) struct Stat {
    file: ProcFile,
    processors: Devices,
    /// By the first word of their lines.
    totals: [(&'static [u8], Metric); 6],
}

impl Stat {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            file: ProcFile::new(&roots.proc.join("stat"), Shape::Record),
            processors: Devices::new(COLUMNS),
            totals: [
                (b"intr", Metric::counter("node_intr_total")),
                (b"ctxt", Metric::counter("node_context_switches_total")),
                (b"btime", Metric::gauge("node_boot_time_seconds")),
                (b"processes", Metric::counter("node_forks_total")),
                (b"procs_running", Metric::gauge("node_procs_running")),
                (b"procs_blocked", Metric::gauge("node_procs_blocked")),
            ],
        }
    }
}

/// Stores one processor's seconds. Counters of the kernel may step back a little; ours only when it was reset.
fn put_processor(processors: &mut Devices, rows: &mut Rows, number: &[u8], values: &[Option<f64>; COLUMNS.len()]) {
    let processor = processors.device("cpu", number);
    let idle_before = processors.last(rows, processor, IDLE).unwrap_or(0.0);
    let was_reset = values[IDLE].is_some_and(|idle| idle_before - idle >= RESET_SECONDS);
    for (column, value) in values.iter().enumerate() {
        let Some(value) = *value else { continue };
        let before = processors.last(rows, processor, column).unwrap_or(0.0);
        processors.put(rows, processor, column, if was_reset { value } else { value.max(before) });
    }
}

impl Source for Stat {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.processors.begin();
        let mut found = false;
        for line in parse::lines(text) {
            let mut words = parse::words(line);
            let Some(head) = words.next() else { continue };
            if let Some(number) = head.strip_prefix(b"cpu") {
                // The line without a number is the sum of the others.
                if !number.is_empty() && number.iter().all(u8::is_ascii_digit) {
                    let mut values = [None; COLUMNS.len()];
                    for (value, word) in values.iter_mut().zip(words) {
                        *value = parse::number(word).map(|ticks| ticks / TICKS_PER_SECOND);
                    }
                    put_processor(&mut self.processors, tick.rows, number, &values);
                    found = true;
                }
            } else if let Some((_, metric)) = self.totals.iter_mut().find(|(word, _)| *word == head) {
                metric.put_some(tick.rows, words.next().and_then(parse::number));
            }
        }
        if !found {
            return Err(self.file.malformed("processor"));
        }
        self.processors.finish(tick.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::rows::Rows;
    use crate::sources::{Scratch, Source, Tick};
    use crate::testing::{Tree, sampled, shown};

    const TEXT: &str = "cpu  10 0 0 0 0 0 0 0 0 0\n\
        cpu0 100 200 300 400 500 600 700 800 900 1000\n\
        cpu1 1 2\n\
        intr 42 1 2 3\nctxt 7\nbtime 1700000000\nprocesses 9\nprocs_running 2\nprocs_blocked 0\n\
        softirq 1 2 3\nsomething new 5\n";

    #[test]
    fn processors_and_totals_are_read_and_other_lines_left() {
        let seen = sampled("stat", &Tree::new(&[("proc/stat", TEXT)])).unwrap();
        assert_eq!(
            seen,
            [
                "node_boot_time_seconds 1700000000",
                "node_context_switches_total 7",
                "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"nice\"} 10",
                "node_cpu_guest_seconds_total{cpu=\"0\",mode=\"user\"} 9",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 4",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"iowait\"} 5",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"irq\"} 6",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"nice\"} 2",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"softirq\"} 7",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"steal\"} 8",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"system\"} 3",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 1",
                "node_cpu_seconds_total{cpu=\"1\",mode=\"nice\"} 0.02",
                "node_cpu_seconds_total{cpu=\"1\",mode=\"user\"} 0.01",
                "node_forks_total 9",
                "node_intr_total 42",
                "node_procs_blocked 0",
                "node_procs_running 2",
            ]
        );
    }

    #[test]
    fn odd_kernels_give_what_they_have() {
        for text in ["", "cpu 1 2 3\n", "garbage\nintr\nctxt x\n"] {
            assert!(sampled("cpu", &Tree::new(&[("proc/stat", text)])).is_err(), "{text:?}");
        }
        assert!(sampled("cpu", &Tree::new(&[])).unwrap_err().is_absence());
        let huge = "cpu0 18446744073709551615 99999999999999999999999999 x -5\nintr y\ncpu7x 1 2\ncpu1";
        assert_eq!(
            sampled("cpu", &Tree::new(&[("proc/stat", huge)])).unwrap(),
            [
                "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 0",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"nice\"} 1000000000000000000000000",
                "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 184467440737095520",
            ]
        );
    }

    #[test]
    fn counters_step_back_only_when_the_processor_was_reset() {
        let tree = Tree::new(&[("proc/stat", "cpu0 100 0 0 1000\n")]);
        let (mut rows, mut source) = (Rows::default(), super::Stat::new(&tree.roots()));
        let mut idle = |text: &str| {
            tree.write("proc/stat", text);
            rows.begin(0);
            rows.source(0);
            let now = muster_common::time::Timestamp::default();
            source.sample(&mut Tick { now, rows: &mut rows, scratch: &mut Scratch::new() }).unwrap();
            rows.finish();
            shown(&rows).iter().filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).collect::<Vec<_>>()
        };
        assert_eq!(idle("cpu0 100 0 0 1000\n"), [10.0, 0.0, 0.0, 1.0]);
        assert_eq!(idle("cpu0 90 0 0 990\n"), [10.0, 0.0, 0.0, 1.0]);
        assert_eq!(idle("cpu0 5 0 0 20\n"), [0.2, 0.0, 0.0, 0.05]);
    }
}
