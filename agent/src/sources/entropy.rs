//! The random number generator's pool.

use super::metric::Metric;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

pub(super) struct Entropy {
    numbers: [(ProcFile, Metric); 2],
}

impl Entropy {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join("sys/kernel/random").join(name), Shape::Record);
        Self {
            numbers: [
                (file("entropy_avail"), Metric::gauge("node_entropy_available_bits")),
                (file("poolsize"), Metric::gauge("node_entropy_pool_size_bits")),
            ],
        }
    }
}

impl Source for Entropy {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        for (file, metric) in &mut self.numbers {
            let value = parse::number(parse::trimmed(file.read(tick.scratch)?));
            file.close();
            metric.put(tick.rows, value.ok_or_else(|| file.malformed("number"))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn both_numbers_are_read() {
        let tree = Tree::new(&[
            ("proc/sys/kernel/random/entropy_avail", "256\n"),
            ("proc/sys/kernel/random/poolsize", "256\n"),
        ]);
        assert_eq!(
            sampled("entropy", &tree).unwrap(),
            ["node_entropy_available_bits 256", "node_entropy_pool_size_bits 256"]
        );
        tree.write("proc/sys/kernel/random/poolsize", "many\n");
        assert!(sampled("entropy", &tree).is_err());
    }
}
