//! /proc/schedstat: running and waiting time of each processor's run queue.

use super::metric::{Column, Devices};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const NS_PER_SECOND: f64 = 1e9;
const COLUMNS: &[Column; 3] = &[
    Column::counter("node_schedstat_running_seconds_total"),
    Column::counter("node_schedstat_waiting_seconds_total"),
    Column::counter("node_schedstat_timeslices_total"),
];
/// Words between a processor's name and the three.
const WORDS_BEFORE: usize = 6;

pub(super) struct Scheduler {
    file: ProcFile,
    processors: Devices,
}

impl Scheduler {
    pub(super) fn new(roots: &Roots) -> Self {
        Self { file: ProcFile::new(&roots.proc.join("schedstat"), Shape::LongLines), processors: Devices::new(COLUMNS) }
    }
}

impl Source for Scheduler {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.processors.begin();
        for line in parse::lines(text) {
            let Some(rest) = line.strip_prefix(b"cpu") else { continue };
            let mut words = parse::words(rest);
            let Some(number) = words.next().filter(|word| word.iter().all(u8::is_ascii_digit)) else { continue };
            let processor = self.processors.device("cpu", number);
            for (column, word) in words.skip(WORDS_BEFORE).enumerate().take(COLUMNS.len()) {
                let Some(value) = parse::number(word) else { continue };
                let value = if column < 2 { value / NS_PER_SECOND } else { value };
                self.processors.put(tick.rows, processor, column, value);
            }
        }
        self.processors.finish(tick.rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn the_last_three_words_of_a_processor_are_read() {
        let text = "version 15\ntimestamp 4294\ncpu0 0 0 0 0 0 0 2500000000 500000000 77\ndomain0 3 1 2\ncpu1 0 0\n";
        assert_eq!(
            sampled("schedstat", &Tree::new(&[("proc/schedstat", text)])).unwrap(),
            [
                "node_schedstat_running_seconds_total{cpu=\"0\"} 2.5",
                "node_schedstat_timeslices_total{cpu=\"0\"} 77",
                "node_schedstat_waiting_seconds_total{cpu=\"0\"} 0.5",
            ]
        );
    }
}
