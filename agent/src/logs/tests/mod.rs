//! The reader against a scripted file system and against a real one, with a collector that takes only what goes on from its positions.

mod cases;
pub(crate) mod collector;
mod fenced;
mod random;
mod real;
mod rescue;
mod restored;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::cut::CutDisk;
use muster_common::time::Timestamp;
use muster_common::wire::message::WireLabel;

use self::collector::Collector;
use super::batch::Batch;
use super::files::Files;
use super::glob::Glob;
use super::hints::Hints;
use super::log_spool::{self, LogSpool};
use super::multiline::Starts;
use super::reader::{LogReader, Scope};
use super::settings::{From, LogGroup};
use crate::own::Own;
use crate::uplink::Moment;
use muster_common::redact::Redactor;

pub(super) fn group(patterns: &[&str]) -> LogGroup {
    LogGroup {
        paths: patterns.iter().map(|text| Glob::new(text).unwrap()).collect(),
        exclude: Vec::new(),
        labels: vec![WireLabel { name: "job".to_owned(), value: "app".to_owned() }],
        from: From::Start,
        multiline: None,
    }
}

/// A reader with its clock and its collector.
pub(super) struct Bench<F: Files + Clone> {
    pub(super) files: F,
    pub(super) groups: Vec<LogGroup>,
    pub(super) reader: LogReader<F>,
    pub(super) collector: Collector,
    pub(super) own: Arc<Own>,
    pub(super) now: Moment,
    /// Where the spool is.
    pub(super) disk: CutDisk,
    pub(super) spool_bytes_max: u64,
}

impl<F: Files + Clone> Bench<F> {
    pub(super) fn new(files: F, groups: Vec<LogGroup>) -> Self {
        let own = Arc::new(Own::default());
        let disk = CutDisk::new(1);
        let mut reader = reader(&files, &groups, &own, Hints::default());
        reader.set_spool(spool(&disk, log_spool::BYTES_MAX));
        let now = Moment { wall: Timestamp::from_millis(1_800_000_000_000), steady: Duration::from_secs(100) };
        Self {
            files,
            groups,
            reader,
            collector: Collector::default(),
            own,
            now,
            disk,
            spool_bytes_max: log_spool::BYTES_MAX,
        }
    }

    /// As [`Bench::new`], with the collector's first answer.
    pub(super) fn answered(files: F, patterns: &[&str]) -> Self {
        let mut bench = Self::new(files, vec![group(patterns)]);
        bench.answer();
        bench
    }

    pub(super) fn answer(&mut self) {
        let positions = self.collector.positions();
        self.reader.seek(&positions, Scope::All, self.now);
    }

    pub(super) fn wait(&mut self, span: Duration) {
        self.now = Moment { wall: self.now.wall.plus(span), steady: self.now.steady + span };
    }

    /// Looks at the folders and hands everything that can be read to the collector.
    pub(super) fn settle(&mut self) {
        self.wait(Duration::from_millis(200));
        self.reader.look_soon(self.now);
        for _ in 0..200 {
            match self.reader.turn(self.now) {
                Some(batch) => self.deliver(batch),
                None if self.reader.next_due(self.now) > self.now.steady => break,
                None => {}
            }
        }
    }

    /// Lets time go by in small steps.
    pub(super) fn settle_for(&mut self, span: Duration) {
        let end = self.now.steady + span;
        while self.now.steady < end {
            self.settle();
            self.wait(Duration::from_millis(800));
        }
    }

    pub(super) fn deliver(&mut self, batch: Batch) {
        for part in batch.split(&mut |_| true) {
            match self.collector.take(&part) {
                Ok(()) => part.ranges.iter().for_each(|range| self.reader.acked(&range.source, range.to)),
                Err(problem) => panic!("{problem}"),
            }
        }
    }

    /// A new process; `is_wiped`: with an empty state folder.
    pub(super) fn restart(&mut self, is_wiped: bool) {
        let hints = if is_wiped { Hints::default() } else { self.reader.hints("") };
        if is_wiped {
            self.disk = CutDisk::new(2);
        }
        self.reader = reader(&self.files, &self.groups, &self.own, hints);
        self.reader.set_spool(spool(&self.disk, self.spool_bytes_max));
        self.wait(Duration::from_millis(500));
    }

    /// An orderly end, then a new process.
    pub(super) fn stop_and_start(&mut self) {
        self.reader.rescue(self.now, true);
        self.restart(false);
    }

    /// What is handed out now and lost on the way.
    pub(super) fn lose(&mut self) {
        self.wait(Duration::from_millis(200));
        self.reader.look_soon(self.now);
        assert!(self.reader.turn(self.now).is_some(), "something is handed out");
    }

    pub(super) fn lines(&self) -> String {
        self.collector.text()
    }
}

fn reader<F: Files + Clone>(files: &F, groups: &[LogGroup], own: &Arc<Own>, hints: Hints) -> LogReader<F> {
    LogReader::new(files.clone(), groups.to_vec(), Redactor::new(&[]).unwrap(), Arc::clone(own), hints)
}

fn spool(disk: &CutDisk, bytes_max: u64) -> LogSpool {
    LogSpool::open(Arc::new(disk.clone()), Path::new("/state"), bytes_max)
}

pub(super) fn starts(text: &str) -> Option<Starts> {
    Some(Starts::new(text).unwrap())
}

/// Some lines, by their numbers.
pub(super) fn numbered(range: std::ops::Range<u32>) -> Vec<u8> {
    range.flat_map(|number| format!("line {number}\n").into_bytes()).collect()
}

pub(super) fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
