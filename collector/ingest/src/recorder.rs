//! What rules record, into the store: a tick of a group is one batch of the group's own run (EXACTLY-ONCE.md rule 21).

use std::collections::HashMap;
use std::sync::Arc;

use muster_common::label::{LabelSet, SeriesId};
use muster_common::sample::MetricKind;
use muster_common::time;
use muster_common::wire::message::Epoch;
use muster_store::{Outcome, Point, SampleBlock, SeriesTable};

use crate::committer::{Answer, Reply, size_of};
use crate::counters::Count;
use crate::hub::Hub;
use crate::own::append;

/// Writes what rules record. Cheap to clone.
#[derive(Clone)]
pub struct Recorder(Arc<Hub>);

impl Recorder {
    pub(crate) fn new(hub: Arc<Hub>) -> Self {
        Self(hub)
    }

    /// Samples of one tick: series, milliseconds, value. A tick that is in the store already is dropped whole. Whether it is durable.
    pub async fn write(&self, run: Epoch, tick: u64, samples: Vec<(Arc<LabelSet>, i64, f64)>) -> bool {
        let hub = &self.0;
        let count = samples.len() as u64;
        let append = append(run, tick, vec![block(samples)], time::now());
        let (reply, answer) = tokio::sync::oneshot::channel();
        let bytes = size_of(&append);
        hub.queue.append(append, bytes, Reply::Once(reply)).await;
        match answer.await {
            Ok(Answer::Settled { outcome: Outcome::Committed { .. }, .. }) => {
                hub.counters.add(Count::Samples, count);
                hub.counters.one(Count::OwnCommitted);
                true
            }
            Ok(Answer::Settled { .. }) => {
                hub.counters.one(Count::OwnRepeated);
                true
            }
            Ok(Answer::Failed { .. } | Answer::Malformed { .. }) | Err(_) => {
                hub.counters.one(Count::OwnFailed);
                false
            }
        }
    }
}

fn block(samples: Vec<(Arc<LabelSet>, i64, f64)>) -> SampleBlock {
    let mut places: HashMap<SeriesId, u32> = HashMap::new();
    let mut series = Vec::new();
    let mut points = Vec::with_capacity(samples.len());
    for (labels, at_ms, value) in samples {
        let id = labels.id();
        let place = *places.entry(id).or_insert_with(|| {
            series.push((id, labels, MetricKind::Gauge));
            u32::try_from(series.len() - 1).unwrap_or(u32::MAX)
        });
        points.push(Point { series: place, at_ms, value });
    }
    SampleBlock::Points { table: Arc::new(SeriesTable::shared(series)), points }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_is_named_twice_stands_in_the_table_once() {
        let labels = |name: &str| Arc::new(LabelSet::new([("__name__", name)]).unwrap());
        let samples = vec![(labels("a"), 1, 1.0), (labels("b"), 1, 2.0), (labels("a"), 2, 3.0)];
        let SampleBlock::Points { table, points } = block(samples) else { panic!("these are points") };
        assert_eq!(table.len(), 2);
        assert_eq!(
            points.iter().map(|point| (point.series, point.at_ms)).collect::<Vec<_>>(),
            [(0, 1), (1, 1), (0, 2)]
        );
    }
}
