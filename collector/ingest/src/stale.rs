//! Stale markers for hosts that were renamed, relabelled or retired: the series under the old labels end at once instead of
//! fading for the query's lookback. Pure: what the store has had lately comes in, markers go out.
//!
//! `up` is left to the ticker, its one writer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::LabelSet;
use muster_common::sample::{is_stale, stale};
use muster_common::time::Timestamp;
use muster_store::{Point, SampleBlock, SeriesColumns, SeriesTable};

use crate::host_labels::HOST;

/// Series without a sample for this long have ended for every query by themselves.
pub const LOOKBACK: Duration = Duration::from_secs(300);

/// Which series of a host have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The value of label `host` of the series that may have ended.
    pub host: String,
    /// Series that still have these labels go on; `None`: all end.
    pub keep: Option<Keep>,
}

/// Host labels before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    pub from: BTreeMap<String, String>,
    pub to: BTreeMap<String, String>,
}

impl Ending {
    fn ends(&self, labels: &LabelSet) -> bool {
        if labels.get(HOST) != Some(self.host.as_str()) || labels.name() == "up" {
            return false;
        }
        let Some(Keep { from, to }) = &self.keep else { return true };
        let lacks_new = to.iter().any(|(name, value)| labels.get(name) != Some(value.as_str()));
        let has_old =
            |(name, value): (&String, &String)| to.get(name) != Some(value) && labels.get(name) == Some(value.as_str());
        lacks_new || from.iter().any(has_old)
    }
}

/// One marker for each of these series that has ended and has none yet, later than its last sample.
pub fn markers(series: &[SeriesColumns], ending: &Ending, now: Timestamp) -> Option<SampleBlock> {
    let ended = series.iter().filter(|series| ending.ends(&series.labels));
    let mut table = Vec::new();
    let mut points = Vec::new();
    for series in ended {
        let (Some(last_ms), Some(last)) = (series.millis.last(), series.values.last()) else { continue };
        if is_stale(*last) {
            continue;
        }
        // A host has at most some ten thousand series, far below u32.
        let place = u32::try_from(table.len()).unwrap_or(u32::MAX);
        points.push(Point { series: place, at_ms: now.millis().max(last_ms.saturating_add(1)), value: stale() });
        table.push((series.labels.id(), series.labels.clone(), series.kind));
    }
    (!points.is_empty()).then(|| SampleBlock::Points { table: Arc::new(SeriesTable::shared(table)), points })
}

#[cfg(test)]
mod tests {
    use muster_common::sample::MetricKind;

    use super::*;

    fn series(labels: &[(&str, &str)], last_ms: i64, last: f64) -> SeriesColumns {
        let labels = Arc::new(LabelSet::new(labels.iter().copied()).unwrap());
        SeriesColumns { labels, kind: MetricKind::Gauge, millis: vec![last_ms], values: vec![last] }
    }

    fn marked(series: &[SeriesColumns], ending: &Ending) -> Vec<(String, i64)> {
        match markers(series, ending, Timestamp::from_millis(1000)) {
            Some(SampleBlock::Points { table, points }) => points
                .iter()
                .map(|point| (table.series()[point.series as usize].labels.to_string(), point.at_ms))
                .collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_marker_stands_after_the_last_sample_and_once() {
        let all = [
            series(&[("__name__", "a"), ("host", "web1")], 900, 1.0),
            series(&[("__name__", "b"), ("host", "web1")], 1500, 1.0),
            series(&[("__name__", "c"), ("host", "web1")], 900, stale()),
            series(&[("__name__", "up"), ("host", "web1")], 900, 1.0),
            series(&[("__name__", "a"), ("host", "web2")], 900, 1.0),
        ];
        let ending = Ending { host: "web1".to_owned(), keep: None };
        let expect = [("a{host=\"web1\"}".to_owned(), 1000), ("b{host=\"web1\"}".to_owned(), 1501)];
        assert_eq!(marked(&all, &ending), expect);
    }

    #[test]
    fn series_with_the_new_labels_go_on() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let ending = |from: &[(&str, &str)], to: &[(&str, &str)]| Ending {
            host: "w".to_owned(),
            keep: Some(Keep { from: map(from), to: map(to) }),
        };
        let bare = series(&[("__name__", "m"), ("host", "w")], 900, 1.0);
        let test = series(&[("__name__", "m"), ("host", "w"), ("env", "test")], 900, 1.0);
        let live = series(&[("__name__", "m"), ("host", "w"), ("env", "live")], 900, 1.0);
        let all = [bare, test, live];
        let envs =
            |ending: &Ending| -> Vec<String> { marked(&all, ending).into_iter().map(|(labels, _)| labels).collect() };
        let (test, live) = ([("env", "test")], [("env", "live")]);
        assert_eq!(envs(&ending(&test, &live)), [r#"m{host="w"}"#, r#"m{env="test", host="w"}"#]);
        assert_eq!(envs(&ending(&[], &live)), [r#"m{host="w"}"#, r#"m{env="test", host="w"}"#]);
        assert_eq!(envs(&ending(&live, &[])), [r#"m{env="live", host="w"}"#]);
    }
}
