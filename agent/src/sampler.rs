//! Lets every source that is due fill one row, and adds what the agent has to tell of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use muster_common::sample::MetricKind;
use muster_common::time::{Timestamp, monotonic};

use crate::rows::{Rows, SeriesHandle};
use crate::sources::{
    Column, Devices, Info, Metric, Pace, Roots, SOURCES, Scratch, Source, SourceError, SourceKind, Tick,
};

/// `[metrics]` and `[sources.*]`: what is sampled, how often, and under which identity.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsConfig {
    /// From tick to tick: 1 s to 5 min.
    pub interval: Duration,
    /// Label `instance`, where the collector's default will not do. `{host}` stands for the registered name.
    pub instance: Option<String>,
    /// Label `job`, likewise.
    pub job: Option<String>,
    /// Where the kernel's files stand: other places in containers and tests.
    pub proc: PathBuf,
    pub sys: PathBuf,
    /// By the source's name; sources that are not here run as the table says.
    pub sources: BTreeMap<&'static str, SourceConfig>,
}

/// `[sources.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceConfig {
    /// As the source's own default, if it is not said.
    pub enabled: Option<bool>,
    /// Rounded up to whole ticks, within PromQL's lookback.
    pub interval: Option<Duration>,
}

impl MetricsConfig {
    /// Fine enough to see a minute's trouble, and the figure that dashboards' rate windows are made for.
    pub const INTERVAL: Duration = Duration::from_secs(10);

    /// The labels `instance` and `job` that every series of this host gets beside its own, where they are set; the
    /// collector gives its defaults to the rest. `host` is the registered name.
    pub fn identity_labels(&self, host: &str) -> Vec<(String, String)> {
        let instance = self.instance.as_ref().map(|form| ("instance".to_owned(), form.replace("{host}", host)));
        let job = self.job.as_ref().map(|job| ("job".to_owned(), job.clone()));
        instance.into_iter().chain(job).collect()
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            interval: Self::INTERVAL,
            instance: None,
            job: None,
            proc: PathBuf::from("/proc"),
            sys: PathBuf::from("/sys"),
            sources: BTreeMap::new(),
        }
    }
}

/// The time of a tick, as the host's clock has it and as it is to be stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The host's wall clock.
    pub clock: Timestamp,
    /// What to add to it, in ms: the measured difference to the collector's clock once that is over 5 s, else 0. Measuring
    /// and deciding is the uplink's.
    pub correction_ms: i64,
}

impl Moment {
    /// The host's clock, taken to be right.
    pub fn exact(clock: Timestamp) -> Self {
        Self { clock, correction_ms: 0 }
    }

    /// What the row is stamped with.
    pub fn stamp_ms(self) -> i64 {
        self.clock.millis().saturating_add(self.correction_ms)
    }
}

const SCRAPE_COLUMNS: &[Column] =
    &[Column::gauge("node_scrape_collector_duration_seconds"), Column::gauge("node_scrape_collector_success")];
const BUILD_LABELS: &[&str] = &["branch", "goarch", "goos", "version"];

/// All sources and the row that they fill. One thread owns it.
pub struct Sampler {
    rows: Rows,
    scratch: Scratch,
    running: Vec<Running>,
    scrapes: Devices,
    cycles: u64,
    cycle_seconds: f64,
    own: OwnSeries,
    told: Told,
}

struct Running {
    kind: &'static SourceKind,
    source: Box<dyn Source>,
    /// Runs in every tick whose number plus `shift` divides by this, and in the first one.
    every: u64,
    shift: u64,
    is_failing: bool,
}

/// What the sampler tells of itself.
struct Told {
    build: Info,
    cycles: Metric,
    cycle_seconds: Metric,
    calls: Metric,
    series: Metric,
    refused: Metric,
    correction: Metric,
}

impl Sampler {
    pub fn new(config: &MetricsConfig) -> Self {
        let roots = Roots { proc: config.proc.clone(), sys: config.sys.clone(), root: PathBuf::from("/") };
        Self::with_roots(config, &roots)
    }

    pub(crate) fn with_roots(config: &MetricsConfig, roots: &Roots) -> Self {
        let mut running = Vec::new();
        for kind in SOURCES {
            let config_of = kind.collectors.first().and_then(|name| config.sources.get(name));
            if !config_of.and_then(|source| source.enabled).unwrap_or(kind.on) {
                continue;
            }
            let pace = match (config_of.and_then(|source| source.interval), kind.pace) {
                (Some(interval), _) | (None, Pace::Every(interval)) => interval,
                (None, Pace::EachTick) => config.interval,
            };
            let every = ticks(pace, config.interval);
            // Slow sources are spread over the ticks, so that none becomes the one that does everything.
            let shift = running.len() as u64 % every;
            running.push(Running { kind, source: (kind.build)(roots), every, shift, is_failing: false });
        }
        Self {
            rows: Rows::default(),
            scratch: Scratch::new(),
            running,
            scrapes: Devices::new(SCRAPE_COLUMNS),
            cycles: 0,
            cycle_seconds: 0.0,
            own: OwnSeries::default(),
            told: Told {
                build: Info::new("node_exporter_build_info", BUILD_LABELS),
                cycles: Metric::counter("muster_agent_cycles_total"),
                cycle_seconds: Metric::counter("muster_agent_cycle_seconds_total"),
                calls: Metric::counter("muster_agent_source_calls_total"),
                series: Metric::gauge("muster_agent_series"),
                refused: Metric::counter("muster_agent_series_refused_total"),
                correction: Metric::gauge("muster_agent_clock_correction_seconds"),
            },
        }
    }

    /// Reads every source that is due. `own` is called last, for the numbers of the agent's other parts.
    pub fn sample(&mut self, moment: Moment, own: &mut dyn FnMut(&mut OwnNumbers<'_>)) -> &Rows {
        let began = monotonic();
        self.rows.begin(moment.stamp_ms());
        self.scrapes.begin();
        let mut source_began = began;
        for (number, running) in self.running.iter_mut().enumerate() {
            if self.cycles != 0 && !(self.cycles + running.shift).is_multiple_of(running.every) {
                continue;
            }
            // The table has a few dozen lines.
            self.rows.source(number as u16);
            let tick = &mut Tick { now: moment.clock, rows: &mut self.rows, scratch: &mut self.scratch };
            let result = running.source.sample(tick);
            let source_ended = monotonic();
            let seconds = in_seconds(source_ended.saturating_sub(source_began));
            source_began = source_ended;
            for collector in running.kind.collectors {
                let scrape = self.scrapes.device("collector", collector.as_bytes());
                self.scrapes.put(&mut self.rows, scrape, 0, seconds);
                self.scrapes.put(&mut self.rows, scrape, 1, f64::from(u8::from(result.is_ok())));
            }
            running.tell(result.err());
        }
        self.rows.source(self.running.len() as u16);
        self.tell_own(moment, own);
        self.rows.finish();
        self.cycle_seconds += monotonic().saturating_sub(began).as_secs_f64();
        &self.rows
    }

    /// The row that was filled last.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    fn tell_own(&mut self, moment: Moment, own: &mut dyn FnMut(&mut OwnNumbers<'_>)) {
        self.cycles += 1;
        let Self { rows, told, .. } = self;
        let machine = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        told.build.put(rows, &["muster", machine, std::env::consts::OS, env!("CARGO_PKG_VERSION")], 1.0);
        told.cycles.put(rows, self.cycles as f64);
        told.cycle_seconds.put(rows, (self.cycle_seconds * 1e6).round() / 1e6);
        told.calls.put(rows, self.scratch.calls as f64);
        told.correction.put(rows, moment.correction_ms as f64 / 1000.0);
        let (series, refused) = (rows.active() as f64, rows.refused() as f64);
        told.series.put(rows, series);
        told.refused.put(rows, refused);
        self.own.cursor = 0;
        own(&mut OwnNumbers { rows, series: &mut self.own });
    }
}

impl Running {
    /// Says once when a source begins to fail and once when it is well again: each tick would be noise.
    fn tell(&mut self, error: Option<SourceError>) {
        let name = self.kind.collectors.first().copied().unwrap_or_default();
        match error {
            Some(error) if !self.is_failing && error.is_absence() => {
                tracing::debug!(source = name, "nothing to read: {error}")
            }
            Some(error) if !self.is_failing => tracing::warn!(source = name, "the source fails: {error}"),
            None if self.is_failing => tracing::info!(source = name, "the source is well again"),
            _ => return,
        }
        self.is_failing = !self.is_failing;
    }
}

/// PromQL looks back this far: samples farther apart are a series that comes and goes.
const LOOKBACK: Duration = Duration::from_secs(300);

/// Ticks of `interval` that a pace of `pace` takes, rounded up, but not beyond [`LOOKBACK`]; at least one.
fn ticks(pace: Duration, interval: Duration) -> u64 {
    let interval = interval.as_millis().max(1);
    let most = LOOKBACK.as_millis() / interval;
    u64::try_from(pace.as_millis().div_ceil(interval).min(most)).unwrap_or(u64::MAX).max(1)
}

/// To the microsecond, which is what the wire's decimal differences can carry cheaply.
fn in_seconds(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

/// Where the agent's other parts put what they count about themselves, once a tick.
pub struct OwnNumbers<'r> {
    rows: &'r mut Rows,
    series: &'r mut OwnSeries,
}

/// The series told so, in the order of telling.
#[derive(Default)]
struct OwnSeries {
    known: Vec<OwnEntry>,
    cursor: usize,
}

struct OwnEntry {
    name: String,
    labels: Vec<(String, String)>,
    handle: Option<SeriesHandle>,
}

impl OwnEntry {
    fn is(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        let same = |(own, other): (&(String, String), &(&str, &str))| own.0 == other.0 && own.1 == other.1;
        self.name == name && self.labels.len() == labels.len() && self.labels.iter().zip(labels).all(same)
    }
}

impl OwnNumbers<'_> {
    /// Tells a counter, `muster_agent_..._total`. Nothing is allocated once the same series have been told in an earlier
    /// tick, above all if in the same order.
    pub fn counter(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.tell(name, labels, MetricKind::Counter, value as f64);
    }

    /// Tells a gauge.
    pub fn gauge(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.tell(name, labels, MetricKind::Gauge, value);
    }

    /// Tells a number of this kind.
    pub fn tell(&mut self, name: &str, labels: &[(&str, &str)], kind: MetricKind, value: f64) {
        let OwnSeries { known, cursor } = &mut *self.series;
        let expected = known.get(*cursor).is_some_and(|entry| entry.is(name, labels));
        let found = if expected { Some(*cursor) } else { known.iter().position(|entry| entry.is(name, labels)) };
        let index = found.unwrap_or_else(|| {
            let handle = self.rows.add(name, labels, kind);
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            known.push(OwnEntry { name: name.to_owned(), labels, handle });
            known.len() - 1
        });
        *cursor = index + 1;
        if let Some(handle) = known[index].handle {
            self.rows.set(handle, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tree, allocations, shown};

    fn at(seconds: i64) -> Moment {
        Moment::exact(Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000))
    }

    fn nothing(_: &mut OwnNumbers<'_>) {}

    #[test]
    fn a_source_that_fails_is_marked_and_the_others_go_on() {
        let tree = Tree::new(&[("proc/loadavg", "1 2 3\n"), ("proc/stat", "nothing\n")]);
        let mut sampler = Sampler::with_roots(&MetricsConfig::default(), &tree.roots());
        let seen = shown(sampler.sample(at(0), &mut nothing));
        for line in [
            "node_load1 1",
            "node_scrape_collector_success{collector=\"loadavg\"} 1",
            "node_scrape_collector_success{collector=\"cpu\"} 0",
            "node_scrape_collector_success{collector=\"stat\"} 0",
            "node_scrape_collector_success{collector=\"netclass\"} 0",
            "muster_agent_cycles_total 1",
        ] {
            assert!(seen.iter().any(|found| found == line), "{line} is not in {seen:#?}");
        }
        tree.write("proc/stat", "cpu0 1 2 3 4\n");
        for second in 1..40 {
            sampler.sample(at(second), &mut nothing);
        }
        let seen = shown(sampler.rows());
        assert!(seen.contains(&"node_scrape_collector_success{collector=\"cpu\"} 1".to_owned()), "{seen:#?}");
    }

    #[test]
    fn slow_sources_run_at_their_own_pace_and_end_nothing_between() {
        let tree = Tree::new(&[("proc/loadavg", "1 2 3\n")]);
        let sources = BTreeMap::from([
            ("loadavg", SourceConfig { enabled: None, interval: Some(Duration::from_secs(25)) }),
            ("uname", SourceConfig { enabled: Some(false), interval: None }),
        ]);
        let config = MetricsConfig { sources, ..MetricsConfig::default() };
        let mut sampler = Sampler::with_roots(&config, &tree.roots());
        let mut turns = Vec::new();
        for tick in 0..12 {
            let seen = shown(sampler.sample(at(tick * 10), &mut nothing));
            assert!(!seen.iter().any(|line| line.contains("stale") || line.contains("uname")), "{seen:#?}");
            if seen.iter().any(|line| line.starts_with("node_load1 ")) {
                turns.push(tick);
            }
        }
        assert_eq!(turns.len(), 5, "{turns:?}");
        assert!(turns.windows(2).skip(1).all(|pair| pair[1] - pair[0] == 3), "{turns:?}");
    }

    #[test]
    fn a_slow_source_stays_within_the_lookback_of_promql() {
        let seconds = Duration::from_secs;
        for (pace, interval, expect) in
            [(60, 10, 6), (25, 10, 3), (300, 240, 1), (300, 90, 3), (300, 300, 1), (5, 10, 1)]
        {
            assert_eq!(ticks(seconds(pace), seconds(interval)), expect, "{pace} {interval}");
        }
    }

    #[test]
    fn the_stamp_is_corrected_and_the_hosts_clock_is_told_as_it_is() {
        let tree = Tree::new(&[]);
        let mut sampler = Sampler::with_roots(&MetricsConfig::default(), &tree.roots());
        let moment = Moment { clock: Timestamp::from_millis(50_000), correction_ms: -7_000 };
        let rows = sampler.sample(moment, &mut |own| {
            own.counter("muster_agent_missed_ticks_total", &[], 3);
            own.gauge("muster_agent_spool_bytes", &[("lane", "p1")], 9.0);
        });
        assert_eq!(rows.at_ms(), 43_000);
        let seen = shown(rows);
        for line in [
            "node_time_seconds 50",
            "muster_agent_clock_correction_seconds -7",
            "muster_agent_missed_ticks_total 3",
            "muster_agent_spool_bytes{lane=\"p1\"} 9",
        ] {
            assert!(seen.iter().any(|found| found == line), "{line} is not in {seen:#?}");
        }
    }

    #[test]
    fn the_identity_labels_are_those_that_were_set() {
        let mut config = MetricsConfig::default();
        assert!(config.identity_labels("web1").is_empty());
        config.instance = Some("{host}:9100".to_owned());
        config.job = Some("node".to_owned());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(config.identity_labels("web1"), [pair("instance", "web1:9100"), pair("job", "node")]);
    }

    #[test]
    fn a_hundred_ticks_of_this_host_allocate_nothing() {
        let mut sampler = Sampler::new(&MetricsConfig::default());
        let mut tick = 0;
        let mut run = |ticks: i64| {
            for _ in 0..ticks {
                tick += 1;
                sampler.sample(at(tick * 10), &mut |own| own.counter("muster_agent_missed_ticks_total", &[], 0));
            }
            sampler.rows().generation()
        };
        run(20);
        // Another process may mount something or bring an interface meanwhile, which rightly allocates: try again then.
        let mut counts = Vec::new();
        for _ in 0..5 {
            let before = run(0);
            let (mut after, mut count) = (0, 0);
            count += allocations(|| after = run(100));
            counts.push((count, after - before));
            if count == 0 {
                return;
            }
        }
        panic!("(allocations, dictionary changes) in each hundred ticks: {counts:?}");
    }

    #[test]
    fn this_host_gives_each_series_once() {
        let mut sampler = Sampler::new(&MetricsConfig::default());
        let rows = sampler.sample(at(0), &mut nothing);
        let mut seen: Vec<_> = rows
            .series()
            .iter()
            .map(|series| {
                let mut labels = series.labels.clone();
                labels.sort();
                (series.name.clone(), labels)
            })
            .collect();
        seen.sort();
        for pair in seen.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        assert!(seen.len() > 300, "{} series", seen.len());
    }
}
