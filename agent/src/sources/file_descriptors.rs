//! /proc/sys/fs/file-nr: open files of the whole host, and the limit.

use super::metric::Metric;
use super::procfs::{ProcFile, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

pub(super) struct FileDescriptors {
    file: ProcFile,
    allocated: Metric,
    maximum: Metric,
}

impl FileDescriptors {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            file: ProcFile::new(&roots.proc.join("sys/fs/file-nr"), Shape::Record),
            allocated: Metric::gauge("node_filefd_allocated"),
            maximum: Metric::gauge("node_filefd_maximum"),
        }
    }
}

impl Source for FileDescriptors {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        // Allocated, allocated but unused (0 since Linux 2.6), maximum.
        let text = parse::trimmed(self.file.read(tick.scratch)?);
        let mut words = parse::words(text).map(parse::number);
        let (allocated, maximum) = (words.next().flatten(), words.nth(1).flatten());
        self.allocated.put_some(tick.rows, allocated);
        self.maximum.put_some(tick.rows, maximum);
        if allocated.is_some() { Ok(()) } else { Err(self.file.malformed("number")) }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn the_first_and_third_numbers_are_read() {
        let tree = |text: &str| Tree::new(&[("proc/sys/fs/file-nr", text)]);
        let seen = sampled("filefd", &tree("601\t0\t9223372036854775807\n")).unwrap();
        assert_eq!(seen, ["node_filefd_allocated 601", "node_filefd_maximum 9223372036854776000"]);
        assert_eq!(sampled("filefd", &tree("601\n")).unwrap(), ["node_filefd_allocated 601"]);
        assert!(sampled("filefd", &tree("x\t0\t1\n")).is_err());
    }
}
