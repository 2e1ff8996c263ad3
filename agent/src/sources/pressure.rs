//! /proc/pressure: time in which some or all tasks waited for processor, disk or memory.

use super::metric::Metric;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const US_PER_SECOND: f64 = 1e6;

pub(super) struct Pressure {
    resources: [Resource; 4],
}

struct Resource {
    file: ProcFile,
    /// Kernels before 6.1 have no irq pressure.
    is_optional: bool,
    some: Option<Metric>,
    full: Option<Metric>,
}

impl Pressure {
    pub(super) fn new(roots: &Roots) -> Self {
        let resource = |name: &str, some, full| {
            let file = ProcFile::new(&roots.proc.join("pressure").join(name), Shape::Record);
            Resource { file, is_optional: name == "irq", some, full }
        };
        let counter = |name| Some(Metric::counter(name));
        Self {
            resources: [
                resource("cpu", counter("node_pressure_cpu_waiting_seconds_total"), None),
                resource(
                    "io",
                    counter("node_pressure_io_waiting_seconds_total"),
                    counter("node_pressure_io_stalled_seconds_total"),
                ),
                resource(
                    "memory",
                    counter("node_pressure_memory_waiting_seconds_total"),
                    counter("node_pressure_memory_stalled_seconds_total"),
                ),
                resource("irq", None, counter("node_pressure_irq_stalled_seconds_total")),
            ],
        }
    }
}

impl Source for Pressure {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        for resource in &mut self.resources {
            let text = match resource.file.read(tick.scratch) {
                Ok(text) => text,
                Err(error) if resource.is_optional && error.is_absence() => continue,
                Err(error) => return Err(error),
            };
            for line in parse::lines(text) {
                let mut words = parse::words(line);
                let metric = match words.next() {
                    Some(b"some") => &mut resource.some,
                    Some(b"full") => &mut resource.full,
                    _ => continue,
                };
                let total = words.find_map(|word| word.strip_prefix(b"total=")).and_then(parse::number);
                if let (Some(metric), Some(total)) = (metric, total) {
                    metric.put(tick.rows, total / US_PER_SECOND);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    const TEXT: &str =
        "some avg10=0.23 avg60=1.33 avg300=1.80 total=40482484\nfull avg10=0.00 total=7\nodd\nsome total=x\n";

    #[test]
    fn waiting_and_stalled_seconds_are_given_and_irq_may_be_missing() {
        let mut files = vec![("proc/pressure/cpu", TEXT), ("proc/pressure/io", TEXT), ("proc/pressure/memory", TEXT)];
        let five = sampled("pressure", &Tree::new(&files)).unwrap();
        assert_eq!(
            five,
            [
                "node_pressure_cpu_waiting_seconds_total 40.482484",
                "node_pressure_io_stalled_seconds_total 0.000007",
                "node_pressure_io_waiting_seconds_total 40.482484",
                "node_pressure_memory_stalled_seconds_total 0.000007",
                "node_pressure_memory_waiting_seconds_total 40.482484",
            ]
        );
        files.push(("proc/pressure/irq", "full total=1000000\n"));
        let six = sampled("pressure", &Tree::new(&files)).unwrap();
        assert!(six.contains(&"node_pressure_irq_stalled_seconds_total 1".to_owned()));
        assert!(sampled("pressure", &Tree::new(&[])).unwrap_err().is_absence());
    }
}
