//! The store's own numbers, `muster_collector_store_*`.

use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::stat::Stat;

use crate::head::Head;
use crate::segment::format::Header;
use crate::shared::{Counters, Shared, Snapshot};

/// Where something is counted.
type Place = fn(&Counters) -> &AtomicU64;

/// Name, help, and where it is counted.
type Counted = (&'static str, &'static str, Place);

const WHOLE: [Counted; 16] = [
    ("muster_collector_store_commits_total", "Inbox commits made.", |c| &c.commits),
    ("muster_collector_store_commit_errors_total", "Inbox calls that failed: nothing was acknowledged.", |c| {
        &c.commit_errors
    }),
    ("muster_collector_store_appends_committed_total", "Batches, gaps, bodies and ticks committed.", |c| {
        &c.appends_committed
    }),
    ("muster_collector_store_samples_committed_total", "Samples committed, repeats of a time included.", |c| {
        &c.samples_committed
    }),
    (
        "muster_collector_store_samples_replaced_total",
        "Samples that a later one of their time replaced at a flush.",
        |c| &c.doubles_dropped,
    ),
    (
        "muster_collector_store_epochs_forced_total",
        "Closed epochs of hosts with very many that went while an older one was open.",
        |c| &c.epochs_forced,
    ),
    ("muster_collector_store_throttled_total", "Seals refused because sealed files wait.", |c| &c.throttled),
    ("muster_collector_store_blob_bytes_total", "Bytes written to inbox files, marks aside.", |c| &c.blob_bytes),
    ("muster_collector_store_repeat_rows_evicted_total", "Body hashes that went before their 15 min.", |c| {
        &c.repeat_rows_evicted
    }),
    ("muster_collector_store_seals_total", "Generations sealed.", |c| &c.seals),
    ("muster_collector_store_flushes_total", "Generations flushed to segments.", |c| &c.flushes),
    ("muster_collector_store_flush_errors_total", "Flush, merge and retention runs that failed.", |c| &c.flush_errors),
    ("muster_collector_store_merges_total", "Merges of segments.", |c| &c.merges),
    ("muster_collector_store_segments_expired_total", "Segments let go by retention.", |c| &c.segments_expired),
    ("muster_collector_store_segments_damaged_total", "Segments set aside because a checksum failed.", |c| {
        &c.segments_damaged
    }),
    ("muster_collector_store_unlink_errors_total", "Files that could not be unlinked.", |c| &c.unlink_errors),
];

/// Counted in microseconds, shown in seconds.
const SECONDS: [Counted; 3] = [
    ("muster_collector_store_commit_seconds_total", "Time spent in commits.", |c| &c.commit_micros),
    ("muster_collector_store_flush_seconds_total", "Time spent in flushes.", |c| &c.flush_micros),
    ("muster_collector_store_merge_seconds_total", "Time spent in merges.", |c| &c.merge_micros),
];

/// Label `reason`, and where it is counted.
const REFUSALS: [(&str, Place); 5] = [
    ("repeat", |c| &c.repeats),
    ("not_next", |c| &c.not_next),
    ("expired", |c| &c.expired),
    ("repeated_body", |c| &c.repeated_bodies),
    ("misplaced", |c| &c.misplaced),
];

/// All of them, from what is published and counted; no lock of the commit path is taken.
pub(crate) fn stats(shared: &Shared) -> Vec<Stat> {
    let counters = &shared.counters;
    let read = |of: Place| of(counters).load(Ordering::Relaxed);
    let mut out: Vec<Stat> = WHOLE.iter().map(|(name, help, of)| Stat::counter(name, help, read(*of))).collect();
    out.extend(SECONDS.iter().map(|(name, help, of)| {
        let mut stat = Stat::counter(name, help, 0);
        stat.value = read(*of) as f64 / 1e6;
        stat
    }));
    out.extend(REFUSALS.iter().map(|(reason, of)| {
        let (name, help) = ("muster_collector_store_appends_refused_total", "Appends not taken, by reason.");
        Stat::counter(name, help, read(*of)).with("reason", *reason)
    }));
    let snapshot = shared.published.load();
    heads(shared, &snapshot, &mut out);
    segments(shared, &snapshot, &mut out);
    crate::logs::stats::stats(shared, &snapshot, &mut out);
    health(shared, &mut out);
    out
}

fn heads(shared: &Shared, snapshot: &Snapshot, out: &mut Vec<Stat>) {
    let heads = &snapshot.heads;
    let sum = |of: fn(&Head) -> u64| heads.iter().map(|view| of(&view.head)).sum::<u64>() as f64;
    let active = heads.last().map(|view| &view.head);
    let of_active = |of: fn(&Head) -> u64| active.map_or(0.0, |head| of(head) as f64);
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed) as f64;
    let mut gauge = |name, help, value| out.push(Stat::gauge(name, help, value));
    gauge("muster_collector_store_generation", "The active generation.", of_active(|head| head.generation));
    gauge("muster_collector_store_heads", "Generations in memory, the active one included.", heads.len() as f64);
    gauge("muster_collector_store_series", "Series in the active generation.", of_active(|head| head.series().into()));
    let known = of_active(|head| head.index.len() as u64);
    gauge("muster_collector_store_series_known", "Series in the index of the active generation.", known);
    gauge("muster_collector_store_head_samples", "Samples in memory.", sum(Head::samples));
    gauge("muster_collector_store_head_bytes", "About what heads occupy, label sets aside.", sum(Head::bytes));
    let counters = &shared.counters;
    let bytes = read(&counters.inbox_bytes);
    gauge("muster_collector_store_inbox_bytes", "Bytes in the active inbox file, marks aside.", bytes);
    gauge("muster_collector_store_repeat_rows", "Body hashes remembered.", read(&counters.repeat_rows));
}

fn segments(shared: &Shared, snapshot: &Snapshot, out: &mut Vec<Stat>) {
    let segments = &snapshot.segments;
    let sum = |of: fn(&Header) -> u64| segments.iter().map(|segment| of(&segment.header)).sum::<u64>() as f64;
    let mut gauge = |name, help, value| out.push(Stat::gauge(name, help, value));
    gauge("muster_collector_store_segments", "Segments read by queries.", segments.len() as f64);
    gauge("muster_collector_store_segment_bytes", "Bytes of these segments.", sum(|header| header.file_bytes));
    gauge("muster_collector_store_segment_samples", "Samples in these segments.", sum(|header| header.samples));
    let appended = sum(|header| header.appended);
    gauge("muster_collector_store_segment_samples_appended", "Samples that these segments were made of.", appended);
    let cache = shared.cache.counts();
    gauge("muster_collector_store_cache_bytes", "Decoded parts of segments in memory.", cache.bytes as f64);
    gauge("muster_collector_store_cache_parts", "Number of these parts.", cache.parts as f64);
    let mut counter = |name, help, value| out.push(Stat::counter(name, help, value));
    counter("muster_collector_store_cache_hits_total", "Parts found in the cache.", cache.hits);
    counter("muster_collector_store_cache_misses_total", "Parts read from the disk.", cache.misses);
}

fn health(shared: &Shared, out: &mut Vec<Stat>) {
    let health = shared.health.lock();
    let failing = health.inbox_failing.is_some() || health.flush_failing.is_some();
    let quarantined = health.quarantined.len() as f64;
    out.extend([
        Stat::gauge("muster_collector_store_segments_quarantined", "Segments set aside as damaged.", quarantined),
        Stat::gauge(
            "muster_collector_store_files_set_aside",
            "Segment files that the catalog does not name.",
            health.set_aside.len() as f64,
        ),
        Stat::counter(
            "muster_collector_store_entries_damaged_total",
            "Inbox values whose checksum failed.",
            health.damaged_entries,
        ),
        Stat::counter(
            "muster_collector_store_samples_lost_total",
            "Samples lost to damaged inbox values.",
            health.lost_samples,
        ),
        Stat::gauge("muster_collector_store_failing", "1 while commits or flushes fail.", f64::from(u8::from(failing))),
    ]);
}
