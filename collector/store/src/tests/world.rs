//! A store under test: a folder, a clock, and short ways to append and ask.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::host::HostId;
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::sample::MetricKind;
use muster_common::time::Timestamp;
use muster_common::wire::message::{Epoch, GapReason, Lane};

use crate::{
    Append, CommitError, Config, GapRecord, Outcome, Parts, Record, Row, SampleBlock, Select, SeriesTable, Source, open,
};

/// When tests begin: 2024-01-01 12:00 UTC.
pub(super) const BEGIN_MS: i64 = 1_704_110_400_000;

/// A folder of the real disk that goes when it is dropped.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("muster-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An open store.
pub(super) struct World {
    pub(super) parts: Parts,
    pub(super) now: Timestamp,
}

/// A configuration for tests: small caches, and nothing merges or expires by itself.
pub(super) fn config(folder: &Path) -> Config {
    Config {
        inbox_cache_bytes: 1 << 20,
        catalog_cache_bytes: 1 << 20,
        merge_segments_min: 1_000,
        retention: std::time::Duration::from_secs(100 * 365 * 86_400),
        ..Config::new(folder)
    }
}

pub(super) fn open_at(disk: &Arc<dyn Disk>, config: Config) -> World {
    let now = Timestamp::from_millis(BEGIN_MS);
    let mut seed = 1u64;
    let parts = open(disk.clone(), config, now, &mut || {
        seed += 1;
        seed
    });
    World { parts: parts.unwrap(), now }
}

pub(super) fn open_real(folder: &Folder) -> World {
    open_at(&(Arc::new(RealDisk) as Arc<dyn Disk>), config(&folder.0))
}

pub(super) const HOST: HostId = HostId([7; 16]);

pub(super) fn epoch(number: i64) -> Epoch {
    Epoch::new(BEGIN_MS + number, 9)
}

/// Series `metric{host,i}` for i below `count`.
pub(super) fn table(metric: &str, host: &str, count: usize) -> Arc<SeriesTable> {
    let series = (0..count).map(|i| {
        let labels = LabelSet::new([("__name__", metric), ("host", host), ("i", &format!("{i:03}"))]).unwrap();
        (labels, MetricKind::Gauge)
    });
    Arc::new(SeriesTable::new(series.collect()))
}

/// One scrape of a whole table: series i has `base + i`.
pub(super) fn scrape(table: &Arc<SeriesTable>, at_ms: i64, base: f64) -> Record {
    let values = (0..table.len()).map(|i| base + i as f64).collect();
    let rows = vec![Row { at_ms, present: None, values }];
    Record::Samples(SampleBlock::Rows { table: table.clone(), rows })
}

pub(super) fn append(source: Source, records: Vec<Record>, now: Timestamp) -> Append {
    Append { source, records, arrived: now, live: true }
}

pub(super) fn batch(epoch: Epoch, seq: u64, records: Vec<Record>) -> Append {
    append(Source::Batch { host: HOST, epoch, lane: Lane::P1, seq }, records, Timestamp::from_millis(BEGIN_MS))
}

pub(super) fn gap(epoch: Epoch, from: u64, to: u64) -> Append {
    let (lane, reason) = (Lane::P1, GapReason::SpoolFull);
    let record = GapRecord { host: HOST, epoch, lane, from, to, reason, from_ms: 0, to_ms: 0, arrived_ms: BEGIN_MS };
    append(
        Source::Gap { host: HOST, epoch, lane, from, to },
        vec![Record::Gap(record)],
        Timestamp::from_millis(BEGIN_MS),
    )
}

impl World {
    pub(super) fn commit(&mut self, appends: &[Append]) -> Vec<Outcome> {
        self.try_commit(appends).unwrap()
    }

    pub(super) fn try_commit(&mut self, appends: &[Append]) -> Result<Vec<Outcome>, CommitError> {
        self.parts.writer.commit(appends, self.now)
    }

    /// Everything as text: `labels ms=value ms=value`, by label set.
    pub(super) fn dump(&self) -> Vec<String> {
        self.dump_of(&[])
    }

    pub(super) fn dump_of(&self, matchers: &[Matcher]) -> Vec<String> {
        let found = self.parts.reader.view().select(&Select::all_times(matchers)).unwrap();
        let line = |one: &crate::SeriesColumns| {
            assert!(one.millis.is_sorted_by(|a, b| a < b), "{:?}", one.millis);
            let samples = one.millis.iter().zip(&one.values).map(|(ms, value)| format!(" {}={value}", ms - BEGIN_MS));
            format!("{}{}", one.labels, samples.collect::<String>())
        };
        found.iter().map(line).collect()
    }

    pub(super) fn raw_count(&self) -> u64 {
        self.parts.reader.view().raw_count(&Select::all_times(&[])).unwrap()
    }

    pub(super) fn stat(&self, name: &str) -> f64 {
        let stats = self.parts.admin.stats();
        stats.iter().filter(|stat| stat.name.ends_with(name)).map(|stat| stat.value).sum()
    }
}

/// Positions of the committed, refusals as they are.
pub(super) fn entries(outcomes: &[Outcome]) -> Vec<Result<(u64, u64), Outcome>> {
    let one = |outcome: &Outcome| match outcome {
        Outcome::Committed { position } => Ok((position.generation, position.entry)),
        other => Err(other.clone()),
    };
    outcomes.iter().map(one).collect()
}
