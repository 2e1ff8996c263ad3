//! The agent itself as a process: processor time, memory, descriptors, start.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, RawDir};
use rustix::process::Resource;

use super::metric::Metric;
use super::procfs::{ProcFile, Scratch, Shape};
use super::{Roots, Source, SourceError, Tick, parse};

const TICKS_PER_SECOND: f64 = 100.0;
/// Ticks between two looks at the limits: they change by `prlimit` only.
const LIMIT_TICKS: u32 = 30;
/// Places of words after the name's closing bracket in /proc/self/stat.
const UTIME: usize = 11;
const STIME: usize = 12;
const START: usize = 19;
const VIRTUAL: usize = 20;
const RESIDENT: usize = 21;

pub(super) struct Process {
    stat: ProcFile,
    boot: ProcFile,
    folder: PathBuf,
    descriptors: Option<OwnedFd>,
    page_bytes: f64,
    boot_seconds: Option<f64>,
    ticks: u32,
    limits: [f64; 2],
    cpu: Metric,
    resident: Metric,
    virtual_memory: Metric,
    virtual_max: Metric,
    start: Metric,
    open: Metric,
    open_max: Metric,
}

impl Process {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            stat: ProcFile::new(&roots.proc.join("self/stat"), Shape::Record),
            boot: ProcFile::new(&roots.proc.join("stat"), Shape::Record),
            folder: roots.proc.join("self/fd"),
            descriptors: None,
            page_bytes: rustix::param::page_size() as f64,
            boot_seconds: None,
            ticks: 0,
            limits: [0.0; 2],
            cpu: Metric::counter("process_cpu_seconds_total"),
            resident: Metric::gauge("process_resident_memory_bytes"),
            virtual_memory: Metric::gauge("process_virtual_memory_bytes"),
            virtual_max: Metric::gauge("process_virtual_memory_max_bytes"),
            start: Metric::gauge("process_start_time_seconds"),
            open: Metric::gauge("process_open_fds"),
            open_max: Metric::gauge("process_max_fds"),
        }
    }

    /// Open descriptors. Since Linux 6.2 the folder's size is their number; before, the folder is read.
    fn count_descriptors(&mut self, scratch: &mut Scratch) -> Option<f64> {
        if self.descriptors.is_none() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.descriptors = rustix::fs::open(&self.folder, flags, Mode::empty()).ok();
            scratch.calls += 1;
        }
        let folder = self.descriptors.as_ref()?;
        scratch.calls += 1;
        let size = rustix::fs::fstat(folder).ok()?.st_size;
        if size > 0 {
            return Some(size as f64);
        }
        scratch.calls += 3;
        rustix::fs::seek(folder, rustix::fs::SeekFrom::Start(0)).ok()?;
        let mut buffer = [MaybeUninit::uninit(); 2048];
        let mut entries = RawDir::new(folder, &mut buffer);
        let mut count = 0u32;
        while let Some(entry) = entries.next() {
            count += u32::from(entry.ok()?.file_name().to_bytes() != b"." && count < u32::MAX);
        }
        // Without `..`.
        Some(f64::from(count.saturating_sub(1)))
    }

    /// When the host booted, in seconds since 1970. It moves only when the clock is set.
    fn boot_seconds(&mut self, scratch: &mut Scratch) -> Option<f64> {
        if self.boot_seconds.is_none() {
            let text = self.boot.read(scratch).ok()?;
            self.boot.close();
            let line = parse::lines(text).find_map(|line| line.strip_prefix(b"btime "))?;
            self.boot_seconds = parse::number(parse::trimmed(line));
        }
        self.boot_seconds
    }
}

impl Source for Process {
    fn sample(&mut self, tick: &mut Tick<'_>) -> Result<(), SourceError> {
        let text = self.stat.read(tick.scratch)?;
        // The name may hold anything, brackets and blanks included; what follows its last bracket does not.
        let Some(bracket) = text.iter().rposition(|byte| *byte == b')') else {
            return Err(self.stat.malformed("name"));
        };
        let mut values = [None; RESIDENT + 1];
        for (value, word) in values.iter_mut().zip(parse::words(&text[bracket + 1..])) {
            *value = parse::number(word);
        }
        let rows = &mut *tick.rows;
        let busy = values[UTIME].zip(values[STIME]).map(|(user, system)| (user + system) / TICKS_PER_SECOND);
        self.cpu.put_some(rows, busy);
        self.virtual_memory.put_some(rows, values[VIRTUAL]);
        self.resident.put_some(rows, values[RESIDENT].map(|pages| pages * self.page_bytes));
        let boot = self.boot_seconds(tick.scratch);
        let start = values[START].zip(boot).map(|(ticks, boot)| boot + ticks / TICKS_PER_SECOND);
        self.start.put_some(rows, start);
        let open = self.count_descriptors(tick.scratch);
        self.open.put_some(rows, open);
        if self.ticks.is_multiple_of(LIMIT_TICKS) {
            tick.scratch.calls += 2;
            // Without a limit, the largest number the kernel could have said.
            let limit = |resource| rustix::process::getrlimit(resource).current.unwrap_or(u64::MAX) as f64;
            self.limits = [Resource::Nofile, Resource::As].map(limit);
        }
        self.ticks = self.ticks.wrapping_add(1);
        self.open_max.put(rows, self.limits[0]);
        self.virtual_max.put(rows, self.limits[1]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Tree, sampled};

    #[test]
    fn numbers_are_read_whatever_the_name_is() {
        let words: Vec<String> = (3..=52).map(|place| (place * 100).to_string()).collect();
        let stat = format!("77 (mu) ster) {}\n", words.join(" "));
        let tree =
            Tree::new(&[("proc/self/stat", &stat), ("proc/stat", "cpu 1\nbtime 1700000000\n"), ("proc/self/fd/0", "")]);
        let seen = sampled("process", &tree).unwrap();
        let resident = 2_400 * rustix::param::page_size();
        for line in [
            "process_cpu_seconds_total 29".to_owned(),
            "process_virtual_memory_bytes 2300".to_owned(),
            format!("process_resident_memory_bytes {resident}"),
            "process_start_time_seconds 1700000022".to_owned(),
        ] {
            assert!(seen.contains(&line), "{line} is not in {seen:#?}");
        }
        assert!(sampled("process", &Tree::new(&[("proc/self/stat", "garbage\n")])).is_err());
    }
}
