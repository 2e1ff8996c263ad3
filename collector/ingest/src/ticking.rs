//! The loop on the grid: `up` of every expected host, then the collector's own numbers, each as one batch of its own run.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use muster_common::label::{LabelSet, NAME};
use muster_common::matcher::Matcher;
use muster_common::sample::is_stale;
use muster_common::stat::Stat;
use muster_common::time::{self, Timestamp};
use muster_common::wire::message::Epoch;
use muster_store::{Outcome, SampleBlock, Select, SelectLimits, SeriesColumns};

use crate::committer::{Answer, Reply, size_of};
use crate::counters::Count;
use crate::error_text::chain;
use crate::host_labels::HOST;
use crate::hub::Hub;
use crate::own::{Numbers, append};
use crate::stale::{Ending, Keep, LOOKBACK};
use crate::ticker::{Ticker, tick_at};

/// The names under which this collector's own batches stand in the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    pub(crate) up: Epoch,
    pub(crate) numbers: Epoch,
    pub(crate) markers: Epoch,
}

/// How often a batch of the collector's own is put above a mark that it met, before it is given up: nobody else writes the run, so once is
/// enough unless a try that failed was durable after all.
const ABOVE_TRIES: usize = 3;

/// Where a grid time stands to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The timer was early by a hair: this time has been written.
    Same,
    /// So many were left out.
    Ahead { skipped: u64 },
    /// The clock was set back by so many intervals.
    Back { intervals: u64 },
}

fn step(last: u64, tick: u64) -> Step {
    match tick.cmp(&last) {
        Ordering::Equal => Step::Same,
        Ordering::Greater => Step::Ahead { skipped: tick - last - 1 },
        Ordering::Less => Step::Back { intervals: last - tick },
    }
}

/// Writes `up` and the own numbers at each grid time until the collector stops.
pub(crate) async fn run(hub: Arc<Hub>, runs: Runs, mut ticker: Ticker) {
    let interval = hub.config.interval;
    let mut numbers = Numbers::default();
    let (mut last, _) = tick_at(time::now(), interval);
    // The ticks that batches bore last: above those by the clock once it was set back.
    let (mut up_tick, mut numbers_tick) = (0, 0);
    loop {
        let next = tick_at(time::now(), interval).1.plus(interval);
        tokio::select! {
            () = hub.stop.cancelled() => return,
            () = tokio::time::sleep(next.since(time::now())) => {}
        }
        let (tick, at) = tick_at(time::now(), interval);
        match step(last, tick) {
            Step::Same => continue,
            Step::Ahead { skipped } => hub.counters.add(Count::OwnSkipped, skipped),
            Step::Back { intervals } => {
                hub.counters.one(Count::ClockSetBack);
                tracing::warn!(
                    "the clock was set back by {} s: samples of that time are written over; let NTP keep the clock",
                    intervals.saturating_mul(interval.as_secs())
                );
            }
        }
        last = tick;
        let expected = hub.expected();
        let blocks = {
            let presences = hub.presences.lock();
            ticker.tick(at, hub.ready, &expected, |host| presences.state(host.id, at))
        };
        up_tick = tick.max(up_tick + 1);
        let is_durable = commit(&hub, runs.up, &mut up_tick, blocks).await;
        ticker.settled(is_durable);
        let row = numbers.row(&stats(&hub), at);
        numbers_tick = tick.max(numbers_tick + 1);
        commit(&hub, runs.numbers, &mut numbers_tick, row.into_iter().collect()).await;
    }
}

/// Commits one own batch, above the mark of its run where its tick is not: ticks are times, and a clock may have been set back since
/// the mark was made. `tick` becomes the one that it bore last, so that the same batch tried again is known by it. Whether it is
/// durable.
pub(crate) async fn commit(hub: &Hub, run: Epoch, tick: &mut u64, blocks: Vec<SampleBlock>) -> bool {
    if blocks.is_empty() {
        return true;
    }
    let samples: usize = blocks.iter().map(SampleBlock::samples).sum();
    for _ in 0..ABOVE_TRIES {
        let append = append(run, *tick, blocks.clone(), time::now());
        let (reply, answer) = tokio::sync::oneshot::channel();
        let bytes = size_of(&append);
        hub.queue.append(append, bytes, Reply::Once(reply)).await;
        match answer.await {
            Ok(Answer::Settled { outcome: Outcome::Committed { .. }, .. }) => {
                hub.counters.add(Count::Samples, samples as u64);
                hub.counters.one(Count::OwnCommitted);
                return true;
            }
            // Another batch bore a tick at or above this one.
            Ok(Answer::Settled { outcome: Outcome::Repeat { mark }, .. }) if mark > *tick => {
                hub.counters.one(Count::OwnRepeated);
                *tick = mark.saturating_add(1);
            }
            Ok(Answer::Settled { .. }) => {
                hub.counters.one(Count::OwnRepeated);
                return true;
            }
            Ok(Answer::Failed { .. } | Answer::Malformed { .. }) | Err(_) => break,
        }
    }
    hub.counters.one(Count::OwnFailed);
    false
}

/// This crate's numbers, and those of others that were handed over for storing.
pub(crate) fn stats(hub: &Hub) -> Vec<Stat> {
    let mut stats = own_stats(hub);
    stats.extend(hub.fleet.stats());
    stats.extend(hub.own_stats.lock().iter().cloned());
    stats
}

/// This crate's numbers.
pub(crate) fn own_stats(hub: &Hub) -> Vec<Stat> {
    let (appends, bytes) = hub.queue.depth();
    let failing = if hub.queue.health().is_failing() { 1.0 } else { 0.0 };
    let problems = hub.presences.lock().problems_count();
    let gauge = |name, help, value: usize| Stat::gauge(name, help, value as f64);
    let mut stats = hub.counters.stats();
    stats.extend([
        gauge("muster_collector_ingest_connections", "Connections with a certificate that are open.", hub.sessions()),
        gauge("muster_collector_ingest_queue_appends", "Appends that wait for the disk or are under way.", appends),
        gauge("muster_collector_ingest_queue_bytes", "Their bytes in memory.", bytes),
        gauge(
            "muster_collector_ingest_contexts_bytes",
            "Memory of the contexts of all sessions.",
            hub.pool.used_bytes(),
        ),
        gauge(
            "muster_collector_ingest_remote_write_cached_series",
            "Series whose label bytes remote write remembers.",
            hub.intake.cached_series(),
        ),
        gauge("muster_collector_ingest_host_problems", "Problems that hosts have now.", problems),
        Stat::gauge("muster_collector_ingest_storage_failing", "1 while the disk does not take commits.", failing),
    ]);
    stats
}

/// The last samples of `up` that an earlier run wrote and did not end.
pub(crate) fn unended_up(hub: &Hub, now: Timestamp) -> Vec<Arc<LabelSet>> {
    let found = select_recent(hub, &[(NAME, "up")], now);
    let own = found.into_iter().filter(|series| {
        let labels = &series.labels;
        let host = labels.get(HOST);
        host.is_some() && labels.get("instance") == host && labels.get("job") == Some("node")
    });
    own.filter(|series| series.values.last().is_some_and(|last| !is_stale(*last))).map(|series| series.labels).collect()
}

/// What may have ended while no collector ran, or just before it was killed: hosts of `up` series that nobody expects.
pub(crate) fn unended_hosts(hub: &Hub, up: &[Arc<LabelSet>]) -> Vec<Ending> {
    let expected = hub.expected();
    let is_expected = |labels: &LabelSet| expected.iter().any(|host| host.up().is_ok_and(|up| up == *labels));
    let gone = up.iter().filter(|labels| !is_expected(labels));
    let ending = gone.filter_map(|labels| {
        let host = labels.get(HOST)?;
        let identity = [NAME, HOST, "instance", "job"];
        let old = labels.iter().filter(|(name, _)| !identity.contains(name));
        let from = old.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let now = expected.iter().find(|expected| expected.name == host);
        let keep = now.map(|now| Keep { from, to: now.labels.clone() });
        Some(Ending { host: host.to_owned(), keep })
    });
    ending.collect()
}

/// Series of these labels with a sample within the lookback, or ahead of the clock.
pub(crate) fn select_recent(hub: &Hub, labels: &[(&str, &str)], now: Timestamp) -> Vec<SeriesColumns> {
    let matchers: Vec<Matcher> = labels.iter().map(|(name, value)| Matcher::equal(*name, *value)).collect();
    let request = Select {
        matchers: &matchers,
        from_ms: now.minus(LOOKBACK).millis(),
        to_ms: now.plus(Duration::from_secs(600)).millis(),
        limits: SelectLimits { series_max: 1_000_000, samples_max: 200_000_000 },
        cancelled: None,
    };
    match hub.reader.view().select(&request) {
        Ok(found) => found,
        Err(error) => {
            tracing::error!("series that may have ended cannot be read, they fade instead: {}", chain(&error));
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_of_the_clock_is_one_and_silences_nothing() {
        assert_eq!(step(10, 10), Step::Same);
        assert_eq!(step(10, 11), Step::Ahead { skipped: 0 });
        assert_eq!(step(10, 14), Step::Ahead { skipped: 3 });
        assert_eq!(step(10, 9), Step::Back { intervals: 1 });
    }
}
