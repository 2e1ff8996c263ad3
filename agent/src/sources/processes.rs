//! How many processes and threads there are, and how many there may be.
//!
//! The states of the processes (`node_processes_state`) would need a read of every one: more than all other sources
//! together. /proc/stat already tells how many run and how many are blocked.

use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::io::Errno;

use super::metric::Metric;
use super::procfs::{ProcFile, Scratch, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

pub(super) struct Processes {
    folder: Arc<Path>,
    load: ProcFile,
    limits: [(ProcFile, Metric); 2],
    processes: Metric,
    threads: Metric,
}

impl Processes {
    pub(super) fn new(roots: &Roots) -> Self {
        let file = |name: &str| ProcFile::new(&roots.proc.join(name), Shape::Record);
        Self {
            folder: Arc::from(roots.proc.as_path()),
            load: file("loadavg"),
            limits: [
                (file("sys/kernel/threads-max"), Metric::gauge("node_processes_max_threads")),
                (file("sys/kernel/pid_max"), Metric::gauge("node_processes_max_processes")),
            ],
            processes: Metric::gauge("node_processes_pids"),
            threads: Metric::gauge("node_processes_threads"),
        }
    }

    /// Folders of /proc whose name is a number.
    fn count(&self, scratch: &mut Scratch) -> Result<u32, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(&*self.folder, flags, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut entries = RawDir::new(&folder, &mut buffer);
        let mut count = 0u32;
        while let Some(entry) = entries.next() {
            count += u32::from(entry?.file_name().to_bytes().iter().all(u8::is_ascii_digit));
        }
        // Open, close, and about a hundred entries a call.
        scratch.calls += 3 + u64::from(count / 100);
        Ok(count)
    }
}

impl Source for Processes {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        // `0.44 0.46 0.50 1/100 15445`: of 100 threads, 1 is running.
        let load = parse::trimmed(self.load.read(tick.scratch)?);
        let threads = parse::words(load).nth(3).and_then(|word| word.split(|byte| *byte == b'/').nth(1));
        let threads = threads.and_then(parse::number).ok_or_else(|| self.load.malformed("number of threads"))?;
        self.load.close();
        self.threads.put(tick.rows, threads);
        for (file, metric) in &mut self.limits {
            metric.put_some(tick.rows, parse::number(parse::trimmed(file.read(tick.scratch)?)));
            file.close();
        }
        let count = self.count(tick.scratch).map_err(|errno| SourceError::of(&self.folder, errno))?;
        self.processes.put(tick.rows, f64::from(count));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn processes_threads_and_limits_are_told() {
        let tree = Tree::new(&[
            ("proc/loadavg", "0.44 0.46 0.50 1/100 15445\n"),
            ("proc/sys/kernel/threads-max", "192730\n"),
            ("proc/sys/kernel/pid_max", "4194304\n"),
            ("proc/1/stat", ""),
            ("proc/22/stat", ""),
        ]);
        assert_eq!(
            sampled("processes", &tree).unwrap(),
            [
                "node_processes_max_processes 4194304",
                "node_processes_max_threads 192730",
                "node_processes_pids 2",
                "node_processes_threads 100",
            ]
        );
        tree.write("proc/loadavg", "0.44 0.46 0.50\n");
        assert!(sampled("processes", &tree).is_err());
    }
}
