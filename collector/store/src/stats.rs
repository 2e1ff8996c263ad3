//! The store's own numbers, `muster_collector_store_*`.

use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::stat::Stat;

use crate::shared::Shared;

/// A counter of [`crate::shared::Counters`] as it is shown.
struct Counted<'a> {
    name: &'static str,
    help: &'static str,
    value: &'a AtomicU64,
}

/// All of them, from what is published and counted; no lock of the commit path is taken.
pub(crate) fn stats(shared: &Shared) -> Vec<Stat> {
    let mut out = counters(shared);
    out.extend(refusals(shared));
    out.extend(levels(shared));
    out
}

fn counters(shared: &Shared) -> Vec<Stat> {
    let counters = &shared.counters;
    let counted = |name, help, value| Counted { name, help, value };
    let whole = [
        counted("muster_collector_store_commits_total", "Inbox commits made.", &counters.commits),
        counted(
            "muster_collector_store_commit_errors_total",
            "Inbox calls that failed: nothing was acknowledged.",
            &counters.commit_errors,
        ),
        counted(
            "muster_collector_store_appends_committed_total",
            "Batches, gaps, bodies and ticks committed.",
            &counters.appends_committed,
        ),
        counted(
            "muster_collector_store_samples_committed_total",
            "Samples committed, repeats of a time included.",
            &counters.samples_committed,
        ),
        counted(
            "muster_collector_store_samples_replaced_total",
            "Samples replaced by a later one of the same series and time at a flush.",
            &counters.doubles_dropped,
        ),
        counted(
            "muster_collector_store_throttled_total",
            "Seals refused because sealed files wait.",
            &counters.throttled,
        ),
        counted(
            "muster_collector_store_blob_bytes_total",
            "Bytes written to inbox files, marks aside.",
            &counters.blob_bytes,
        ),
        counted(
            "muster_collector_store_repeat_rows_evicted_total",
            "Body hashes that went before their 15 min.",
            &counters.repeat_rows_evicted,
        ),
        counted("muster_collector_store_seals_total", "Generations sealed.", &counters.seals),
        counted("muster_collector_store_flushes_total", "Generations flushed to segments.", &counters.flushes),
        counted(
            "muster_collector_store_flush_errors_total",
            "Flush, merge and retention runs that failed.",
            &counters.flush_errors,
        ),
        counted("muster_collector_store_merges_total", "Merges of segments.", &counters.merges),
        counted(
            "muster_collector_store_segments_expired_total",
            "Segments let go by retention.",
            &counters.segments_expired,
        ),
        counted(
            "muster_collector_store_segments_damaged_total",
            "Segments set aside because a checksum failed.",
            &counters.segments_damaged,
        ),
        counted(
            "muster_collector_store_unlink_errors_total",
            "Files that could not be unlinked.",
            &counters.unlink_errors,
        ),
    ];
    let seconds = [
        counted("muster_collector_store_commit_seconds_total", "Time spent in commits.", &counters.commit_micros),
        counted("muster_collector_store_flush_seconds_total", "Time spent in flushes.", &counters.flush_micros),
        counted("muster_collector_store_merge_seconds_total", "Time spent in merges.", &counters.merge_micros),
    ];
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
    let mut out: Vec<Stat> = whole.iter().map(|one| Stat::counter(one.name, one.help, read(one.value))).collect();
    out.extend(seconds.iter().map(|one| {
        let mut stat = Stat::counter(one.name, one.help, 0);
        stat.value = read(one.value) as f64 / 1e6;
        stat
    }));
    out
}

fn refusals(shared: &Shared) -> Vec<Stat> {
    const HELP: &str = "Appends not taken, by reason.";
    let counters = &shared.counters;
    let reasons = [
        ("repeat", &counters.repeats),
        ("not_next", &counters.not_next),
        ("expired", &counters.expired),
        ("repeated_body", &counters.repeated_bodies),
    ];
    let stat = |(reason, value): (&str, &AtomicU64)| {
        let value = value.load(Ordering::Relaxed);
        Stat::counter("muster_collector_store_appends_refused_total", HELP, value).with("reason", reason)
    };
    reasons.into_iter().map(stat).collect()
}

fn levels(shared: &Shared) -> Vec<Stat> {
    let snapshot = shared.published.load();
    let heads = &snapshot.heads;
    let sum = |of: &dyn Fn(&crate::head::Head) -> u64| heads.iter().map(|view| of(&view.head)).sum::<u64>() as f64;
    let active = heads.last().map(|view| &view.head);
    let segments = &snapshot.segments;
    let segment_sum = |of: &dyn Fn(&crate::segment::format::Header) -> u64| {
        segments.iter().map(|segment| of(&segment.header)).sum::<u64>() as f64
    };
    let cache = shared.cache.counts();
    let (quarantined, set_aside, damaged_entries, lost_samples, failing) = {
        let health = shared.health.lock();
        let failing = health.inbox_failing.is_some() || health.flush_failing.is_some();
        (health.quarantined.len(), health.set_aside.len(), health.damaged_entries, health.lost_samples, failing)
    };
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed) as f64;
    let mut out = vec![
        Stat::gauge(
            "muster_collector_store_generation",
            "The active generation.",
            active.map_or(0.0, |head| head.generation as f64),
        ),
        Stat::gauge(
            "muster_collector_store_heads",
            "Generations in memory, the active one included.",
            heads.len() as f64,
        ),
        Stat::gauge(
            "muster_collector_store_series",
            "Series in the active generation.",
            active.map_or(0.0, |head| f64::from(head.series())),
        ),
        Stat::gauge(
            "muster_collector_store_series_known",
            "Series in the index of the active generation.",
            active.map_or(0.0, |head| head.index.len() as f64),
        ),
        Stat::gauge("muster_collector_store_head_samples", "Samples in memory.", sum(&|head| head.samples())),
        Stat::gauge(
            "muster_collector_store_head_bytes",
            "About what heads occupy, label sets aside.",
            sum(&|head| head.bytes()),
        ),
        Stat::gauge(
            "muster_collector_store_inbox_bytes",
            "Bytes in the active inbox file, marks aside.",
            read(&shared.counters.inbox_bytes),
        ),
        Stat::gauge(
            "muster_collector_store_repeat_rows",
            "Body hashes remembered.",
            read(&shared.counters.repeat_rows),
        ),
        Stat::gauge("muster_collector_store_segments", "Segments read by queries.", segments.len() as f64),
        Stat::gauge(
            "muster_collector_store_segment_bytes",
            "Bytes of these segments.",
            segment_sum(&|header| header.file_bytes),
        ),
        Stat::gauge(
            "muster_collector_store_segment_samples",
            "Samples in these segments.",
            segment_sum(&|header| header.samples),
        ),
        Stat::gauge(
            "muster_collector_store_segment_samples_appended",
            "Samples that these segments were made of.",
            segment_sum(&|header| header.appended),
        ),
        Stat::gauge("muster_collector_store_cache_bytes", "Decoded parts of segments in memory.", cache.bytes as f64),
        Stat::gauge("muster_collector_store_cache_parts", "Number of these parts.", cache.parts as f64),
        Stat::counter("muster_collector_store_cache_hits_total", "Parts found in the cache.", cache.hits),
        Stat::counter("muster_collector_store_cache_misses_total", "Parts read from the disk.", cache.misses),
        Stat::gauge(
            "muster_collector_store_segments_quarantined",
            "Segments set aside as damaged.",
            quarantined as f64,
        ),
        Stat::gauge(
            "muster_collector_store_files_set_aside",
            "Segment files that the catalog does not name.",
            set_aside as f64,
        ),
    ];
    out.extend([
        Stat::counter(
            "muster_collector_store_entries_damaged_total",
            "Inbox values whose checksum failed.",
            damaged_entries,
        ),
        Stat::counter(
            "muster_collector_store_samples_lost_total",
            "Samples lost to damaged inbox values.",
            lost_samples,
        ),
        Stat::gauge("muster_collector_store_failing", "1 while commits or flushes fail.", f64::from(u8::from(failing))),
    ]);
    out
}
