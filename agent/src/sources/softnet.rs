//! /proc/net/softnet_stat: packets each processor took in, and those it had no room or time for.

use super::metric::{Column, Devices};
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

/// Places of the columns in a line of hexadecimal numbers; newer kernels have more of them.
const PLACES: [usize; 7] = [0, 1, 2, 8, 9, 10, 11];
const COLUMNS: &[Column; PLACES.len()] = &[
    Column::counter("node_softnet_processed_total"),
    Column::counter("node_softnet_dropped_total"),
    Column::counter("node_softnet_times_squeezed_total"),
    Column::counter("node_softnet_cpu_collision_total"),
    Column::counter("node_softnet_received_rps_total"),
    Column::counter("node_softnet_flow_limit_count_total"),
    Column::gauge("node_softnet_backlog_len"),
];
/// Where newer kernels write the processor's number. Before, the line's number is all there is.
const PROCESSOR: usize = 12;
const WORDS: usize = PROCESSOR + 1;

pub(super) struct Softnet {
    file: ProcFile,
    processors: Devices,
}

impl Softnet {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            file: ProcFile::new(&roots.proc.join("net/softnet_stat"), Shape::Lines),
            processors: Devices::new(COLUMNS),
        }
    }
}

impl Source for Softnet {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.file.read(tick.scratch)?;
        self.processors.begin();
        let mut found = false;
        for (line_number, line) in parse::lines(text).enumerate() {
            let mut values = [None; WORDS];
            for (value, word) in values.iter_mut().zip(parse::words(line)) {
                *value = parse::hex(word);
            }
            if values[0].is_none() {
                continue;
            }
            let number = values[PROCESSOR].unwrap_or(line_number as u64);
            let mut digits = [0; 20];
            let processor = self.processors.device("cpu", decimal(number, &mut digits));
            for (column, place) in PLACES.into_iter().enumerate() {
                if let Some(value) = values[place] {
                    self.processors.put(tick.rows, processor, column, value as f64);
                }
            }
            found = true;
        }
        if !found {
            return Err(self.file.malformed("processor"));
        }
        self.processors.finish(tick.rows);
        Ok(())
    }
}

/// The number's digits, without an allocation.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        // A remainder of 10 is one digit.
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, sampled};

    #[test]
    fn columns_are_hexadecimal_and_the_processor_stands_in_its_own() {
        let text = "00000013 00000001 00000002 0 0 0 0 0 0000000a 0000000b 0000000c 0000000d 00000004 0 0\n";
        let seen = sampled("softnet", &Tree::new(&[("proc/net/softnet_stat", text)])).unwrap();
        assert_eq!(seen.len(), 7);
        assert!(seen.contains(&"node_softnet_processed_total{cpu=\"4\"} 19".to_owned()), "{seen:?}");
        assert!(seen.contains(&"node_softnet_backlog_len{cpu=\"4\"} 13".to_owned()), "{seen:?}");
    }

    #[test]
    fn old_kernels_have_fewer_columns_and_no_processor_number() {
        let text = "00000013 00000001 00000002\nnot hexadecimal\n00000014\n";
        assert_eq!(
            sampled("softnet", &Tree::new(&[("proc/net/softnet_stat", text)])).unwrap(),
            [
                "node_softnet_dropped_total{cpu=\"0\"} 1",
                "node_softnet_processed_total{cpu=\"0\"} 19",
                "node_softnet_processed_total{cpu=\"2\"} 20",
                "node_softnet_times_squeezed_total{cpu=\"0\"} 2",
            ]
        );
        assert!(sampled("softnet", &Tree::new(&[("proc/net/softnet_stat", "")])).is_err());
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 4_095, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
