//! /proc/loadavg: the load averages of 1, 5 and 15 minutes.

use super::metric::Metric;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

pub(super) struct Load {
    file: ProcFile,
    averages: [Metric; 3],
}

impl Load {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            file: ProcFile::new(&roots.proc.join("loadavg"), Shape::Record),
            averages: [Metric::gauge("node_load1"), Metric::gauge("node_load5"), Metric::gauge("node_load15")],
        }
    }
}

impl Source for Load {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = parse::trimmed(self.file.read(tick.scratch)?);
        let mut words = parse::words(text);
        for average in &mut self.averages {
            let value = words.next().and_then(parse::number).ok_or_else(|| self.file.malformed("load average"))?;
            average.put(tick.rows, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn three_averages_are_read() {
        let tree = Tree::new(&[("proc/loadavg", "0.05 12.5 100.00 1/100 15445\n")]);
        assert_eq!(sampled("loadavg", &tree).unwrap(), ["node_load1 0.05", "node_load15 100", "node_load5 12.5"]);
        assert!(sampled("loadavg", &Tree::new(&[("proc/loadavg", "0.05 x\n")])).is_err());
    }
}
