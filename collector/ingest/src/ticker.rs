//! The one writer of `up`: for each expected host one sample at each time of a fixed grid.
//!
//! The decision is pure. The expected set is the registry, not the series that happen to live: 1 when the host is fresh, 0
//! when it is silent or its agent stopped, nothing while the collector is young and has not heard it, and the stale marker
//! once for a label set that is not expected any more. Backlog never changes a sample that was written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::{LabelSet, SeriesId};
use muster_common::sample::{MetricKind, stale};
use muster_common::time::Timestamp;
use muster_store::{Row, SampleBlock, SeriesTable};

use crate::host_labels::HostLabels;
use crate::presence::PresenceState;

/// How long after ready a host that was not heard yet gets no sample: it may only not have reconnected.
pub const GRACE: Duration = Duration::from_secs(120);

/// The number of the grid time at or before `now`, and that time.
pub fn tick_at(now: Timestamp, interval: Duration) -> (u64, Timestamp) {
    let step = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    let tick = now.millis().div_euclid(step);
    (u64::try_from(tick).unwrap_or(0), Timestamp::from_millis(tick.saturating_mul(step)))
}

/// What `up` is of this host now; `None`: no sample.
pub fn up_value(state: Option<PresenceState>, now: Timestamp, ready: Timestamp) -> Option<f64> {
    match state {
        Some(PresenceState::Up) => Some(1.0),
        Some(PresenceState::Silent | PresenceState::AgentStopped(_)) => Some(0.0),
        None if now.since(ready) < GRACE => None,
        None => Some(0.0),
    }
}

/// The ticker's memory: the series it writes, and those that it must end.
#[derive(Debug, Default)]
pub struct Ticker {
    /// The registry at the last tick.
    expected: Vec<Arc<HostLabels>>,
    /// Those of it that have a series, in the order of the table, and the series' ids.
    hosts: Vec<Arc<HostLabels>>,
    ids: HashSet<SeriesId>,
    table: Option<Arc<SeriesTable>>,
    /// Series that had a sample and not yet a marker.
    written: HashMap<SeriesId, Arc<LabelSet>>,
    /// Those whose marker is in the tick under way.
    ending: Vec<SeriesId>,
}

impl Ticker {
    /// Series of `up` that an earlier run of the collector wrote and did not end: those of hosts that have gone get
    /// their marker now.
    pub fn adopt(&mut self, series: impl IntoIterator<Item = Arc<LabelSet>>) {
        self.written.extend(series.into_iter().map(|labels| (labels.id(), labels)));
    }

    /// The samples of one grid time: at most one row of values and one of markers.
    pub fn tick(
        &mut self,
        at: Timestamp,
        ready: Timestamp,
        expected: &[Arc<HostLabels>],
        state: impl Fn(&HostLabels) -> Option<PresenceState>,
    ) -> Vec<SampleBlock> {
        let table = self.table_of(expected);
        let mut present = vec![0u8; table.len().div_ceil(8)];
        let mut values = Vec::with_capacity(table.len());
        for (place, (host, series)) in self.hosts.iter().zip(table.series()).enumerate() {
            if let Some(value) = up_value(state(host), at, ready) {
                present[place / 8] |= 1 << (place % 8);
                values.push(value);
                self.written.entry(series.id).or_insert_with(|| series.labels.clone());
            }
        }
        let mut blocks = Vec::new();
        if !values.is_empty() {
            let present = (values.len() != table.len()).then_some(present);
            let rows = vec![Row { at_ms: at.millis(), present, values }];
            blocks.push(SampleBlock::Rows { table: table.clone(), rows });
        }
        blocks.extend(self.end_unexpected(at));
        blocks
    }

    /// What became of the last tick's batch. Markers that were not committed come again with the next one.
    pub fn settled(&mut self, is_committed: bool) {
        for id in std::mem::take(&mut self.ending) {
            if is_committed {
                self.written.remove(&id);
            }
        }
    }

    /// The table of these hosts: the last one while nothing changes, so that the store looks nothing up.
    fn table_of(&mut self, expected: &[Arc<HostLabels>]) -> Arc<SeriesTable> {
        if let (Some(table), true) = (&self.table, self.expected == expected) {
            return table.clone();
        }
        self.expected = expected.to_vec();
        let with_labels = expected.iter().filter_map(|host| Some((host.clone(), host.up().ok()?)));
        let (hosts, sets): (Vec<_>, Vec<_>) = with_labels.unzip();
        let table = SeriesTable::new(sets.into_iter().map(|labels| (labels, MetricKind::Gauge)).collect());
        let table = Arc::new(table);
        self.ids = table.series().iter().map(|series| series.id).collect();
        self.hosts = hosts;
        self.table = Some(table.clone());
        table
    }

    fn end_unexpected(&mut self, at: Timestamp) -> Option<SampleBlock> {
        let gone = self.written.iter().filter(|(id, _)| !self.ids.contains(id));
        let mut gone: Vec<(SeriesId, Arc<LabelSet>)> = gone.map(|(id, labels)| (*id, labels.clone())).collect();
        gone.sort_unstable_by_key(|(id, _)| *id);
        if gone.is_empty() {
            return None;
        }
        self.ending = gone.iter().map(|(id, _)| *id).collect();
        let values = vec![stale(); gone.len()];
        let series = gone.into_iter().map(|(id, labels)| (id, labels, MetricKind::Gauge));
        let table = Arc::new(SeriesTable::shared(series));
        Some(SampleBlock::Rows { table, rows: vec![Row { at_ms: at.millis(), present: None, values }] })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use muster_common::host::HostId;
    use muster_common::sample::is_stale;
    use muster_common::wire::message::GoodbyeReason;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn host(number: u8, name: &str) -> Arc<HostLabels> {
        Arc::new(HostLabels { id: HostId([number; 16]), name: name.to_owned(), labels: BTreeMap::new() })
    }

    /// `name value` of each sample, by block.
    fn told(blocks: &[SampleBlock]) -> Vec<String> {
        let mut told = Vec::new();
        for block in blocks {
            let SampleBlock::Rows { table, rows } = block else { panic!("the ticker writes rows") };
            for row in rows {
                let mut values = row.values.iter();
                for (place, series) in table.series().iter().enumerate() {
                    if row.present.as_ref().is_none_or(|bits| bits[place / 8] & (1 << (place % 8)) != 0) {
                        let value = values.next().unwrap();
                        let host = series.labels.get("host").unwrap();
                        told.push(if is_stale(*value) { format!("{host} stale") } else { format!("{host} {value}") });
                    }
                }
                assert_eq!(values.next(), None);
            }
        }
        told
    }

    #[test]
    fn the_grid_is_that_of_the_epoch() {
        let interval = Duration::from_secs(15);
        assert_eq!(tick_at(at(44), interval), (2, at(30)));
        assert_eq!(tick_at(at(45), interval), (3, at(45)));
        assert_eq!(tick_at(at(-1), interval).0, 0);
    }

    #[test]
    fn up_is_one_when_fresh_zero_when_silent_or_stopped_and_nothing_at_first() {
        let stopped = Some(PresenceState::AgentStopped(GoodbyeReason::Reboot));
        let cases = [
            (Some(PresenceState::Up), 5, Some(1.0)),
            (Some(PresenceState::Silent), 5, Some(0.0)),
            (stopped, 5, Some(0.0)),
            (None, 119, None),
            (None, 120, Some(0.0)),
        ];
        for (state, seconds, value) in cases {
            assert_eq!(up_value(state, at(seconds), at(0)), value, "{state:?} after {seconds} s");
        }
    }

    #[test]
    fn a_host_that_goes_gets_one_marker_and_only_once_committed() {
        let both = [host(1, "a"), host(2, "b")];
        let up = |_: &HostLabels| Some(PresenceState::Up);
        let mut ticker = Ticker::default();
        assert_eq!(told(&ticker.tick(at(15), at(0), &both, up)), ["a 1", "b 1"]);
        ticker.settled(true);
        assert_eq!(told(&ticker.tick(at(30), at(0), &both[..1], up)), ["a 1", "b stale"]);
        ticker.settled(false);
        assert_eq!(told(&ticker.tick(at(45), at(0), &both[..1], up)), ["a 1", "b stale"]);
        ticker.settled(true);
        assert_eq!(told(&ticker.tick(at(60), at(0), &both[..1], up)), ["a 1"]);
        assert_eq!(told(&ticker.tick(at(75), at(0), &both, up)), ["a 1", "b 1"], "it may come back");
    }

    #[test]
    fn hosts_not_heard_get_no_sample_at_first_and_adopted_series_end() {
        let both = [host(1, "a"), host(2, "b")];
        let only_b = |host: &HostLabels| (host.name == "b").then_some(PresenceState::Up);
        let mut ticker = Ticker::default();
        ticker.adopt([Arc::new(host(3, "gone").up().unwrap()), Arc::new(both[0].up().unwrap())]);
        assert_eq!(told(&ticker.tick(at(15), at(0), &both, only_b)), ["b 1", "gone stale"]);
        ticker.settled(true);
        assert_eq!(told(&ticker.tick(at(120), at(0), &both, only_b)), ["a 0", "b 1"]);
        let mut last = told(&ticker.tick(at(135), at(0), &[], only_b));
        last.sort();
        assert_eq!(last, ["a stale", "b stale"]);
    }
}
