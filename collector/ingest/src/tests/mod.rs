//! The crate as a whole: a real store on a temporary folder, a real fleet, real QUIC and HTTP requests.

mod agent;
mod agents;
mod events;
mod http;
mod lines;
mod listener;
mod push;
mod questions;
mod registry;
mod reports;
mod storage;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::Disk;
use muster_common::disk::real::RealDisk;
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::time;
use muster_fleet::{Binding, Fleet, TokenSpec};
use muster_store::{Config, LogEntryRef, LogLimits, LogOrder, LogSelect, Parts, Reader, Select};

use crate::{Ingest, IngestConfig, start};

/// A collector of this crate, the store and the fleet.
struct Collector {
    ingest: Ingest,
    fleet: Arc<Fleet>,
    reader: Reader,
    folder: tempfile::TempDir,
}

fn config() -> IngestConfig {
    let mut config = IngestConfig::new("127.0.0.1:0".parse().unwrap());
    config.interval = Duration::from_millis(20);
    config
}

impl Collector {
    async fn start() -> Self {
        Self::open(tempfile::tempdir().unwrap(), config()).await
    }

    async fn open(folder: tempfile::TempDir, config: IngestConfig) -> Self {
        Self::open_on([Arc::new(RealDisk), Arc::new(RealDisk)], folder, config).await
    }

    /// On two disks: the store's and the fleet's.
    async fn open_on([disk, fleet_disk]: [Arc<dyn Disk>; 2], folder: tempfile::TempDir, config: IngestConfig) -> Self {
        let now = time::now();
        let mut random = || fastrand::u64(..);
        let parts = muster_store::open(disk, Config::new(folder.path()), now, &mut random).unwrap();
        let Parts { writer, reader, replay, .. } = parts;
        let fleet = Arc::new(muster_fleet::open(fleet_disk, folder.path(), now).unwrap());
        let ingest = start(config, writer, reader.clone(), replay, fleet.clone()).await.unwrap();
        Self { ingest, fleet, reader, folder }
    }

    /// Stops it and opens the same folder again.
    async fn restart(self) -> Self {
        let Self { ingest, fleet, reader, folder } = self;
        ingest.stop("test").await;
        drop((fleet, reader));
        Self::open(folder, config()).await
    }

    fn token(&self, name: &str) -> String {
        let spec = TokenSpec { binding: Binding::Name(name.to_owned()), ..TokenSpec::default() };
        self.fleet.new_token(spec, time::now()).unwrap()
    }

    /// `labels value value ...` of each series with these labels, stale markers as `stale`.
    fn samples(&self, labels: &[(&str, &str)]) -> Vec<String> {
        let matchers: Vec<Matcher> = labels.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
        let found = self.reader.view().select(&Select::all_times(&matchers)).unwrap();
        let text = |value: &f64| match muster_common::sample::is_stale(*value) {
            true => "stale".to_owned(),
            false => value.to_string(),
        };
        let line = |series: &muster_store::SeriesColumns| {
            let values: Vec<String> = series.values.iter().map(text).collect();
            format!("{} {}", series.labels, values.join(" "))
        };
        found.iter().map(line).collect()
    }

    /// How often samples of these labels were appended, doubles included.
    fn appended(&self, labels: &[(&str, &str)]) -> u64 {
        let matchers: Vec<Matcher> = labels.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
        self.reader.view().raw_count(&Select::all_times(&matchers)).unwrap()
    }

    /// Waits until these series are what is expected of them.
    async fn until(&self, labels: &[(&str, &str)], expect: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..4000 {
            let samples = self.samples(labels);
            if expect(&samples) {
                return samples;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{labels:?} stay {:?}", self.samples(labels));
    }

    /// `labels@at_ns line fields` of each line of these labels, of all classes, by time.
    fn stored_lines(&self, labels: &[(&str, &str)]) -> Vec<String> {
        lines_of(&self.reader, labels)
    }

    fn stat(&self, name: &str, label: &str) -> f64 {
        let stats = self.ingest.stats();
        let wanted = stats.iter().filter(|stat| stat.name.ends_with(name));
        wanted
            .filter(|stat| label.is_empty() || stat.labels.iter().any(|(_, value)| value == label))
            .map(|stat| stat.value)
            .sum()
    }
}

/// `labels@at_ns line fields` of each line of these labels, of all classes, by time.
fn lines_of(reader: &Reader, labels: &[(&str, &str)]) -> Vec<String> {
    let matchers: Vec<Matcher> = labels.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
    let request = LogSelect {
        matchers: &matchers,
        from_ns: i64::MIN,
        to_ns: i64::MAX,
        order: LogOrder::Forward,
        needles: &[],
        limits: LogLimits { streams_max: 100_000, bytes_max: 1 << 30 },
        cancelled: None,
    };
    let mut lines = Vec::new();
    let mut each = |labels: &Arc<LabelSet>, entry: &LogEntryRef<'_>| {
        let fields: Vec<(&str, &str)> = entry.fields.iter().collect();
        let fields = LabelSet::new(fields).unwrap();
        lines.push(format!("{labels}@{} {} {fields}", entry.at_ns, String::from_utf8_lossy(entry.line)));
        ControlFlow::Continue(())
    };
    reader.view().logs(&request, &mut each).unwrap();
    lines
}
