//! The log side's own numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::stat::Stat;

use super::record::LogClass;
use crate::shared::{Shared, Snapshot};

/// All of them, from what is published and counted.
pub(crate) fn stats(shared: &Shared, snapshot: &Snapshot, out: &mut Vec<Stat>) {
    let counters = &shared.counters;
    let read = |value: &AtomicU64| value.load(Ordering::Relaxed);
    let counted = [
        ("muster_collector_store_lines_committed_total", "Log lines committed.", &counters.lines_committed),
        (
            "muster_collector_store_line_bytes_committed_total",
            "Bytes of these lines and of their fields.",
            &counters.line_bytes_committed,
        ),
        (
            "muster_collector_store_lines_deleted_total",
            "Lines that merges left out for a delete.",
            &counters.lines_deleted,
        ),
        (
            "muster_collector_store_tail_lines_dropped_total",
            "Lines that a live tail's receiver was too slow for.",
            &counters.tail_dropped,
        ),
        (
            "muster_collector_store_log_groups_read_total",
            "Row groups of lines that queries read.",
            &counters.log_groups_read,
        ),
        (
            "muster_collector_store_log_groups_skipped_total",
            "Row groups that queries did not read since a token is not in them.",
            &counters.log_groups_skipped,
        ),
    ];
    out.extend(counted.map(|(name, help, value)| Stat::counter(name, help, read(value))));
    let heads = snapshot.heads.iter().map(|view| &view.head.logs);
    let mut gauge = |name, help, value: f64| out.push(Stat::gauge(name, help, value));
    let lines: u64 = heads.clone().map(|head| head.entries()).sum();
    gauge("muster_collector_store_head_lines", "Lines in memory.", lines as f64);
    let bytes: u64 = heads.clone().map(|head| head.bytes()).sum();
    gauge("muster_collector_store_head_line_bytes", "About what these lines occupy.", bytes as f64);
    let streams = heads.clone().next_back().map_or(0, |head| head.streams());
    gauge("muster_collector_store_streams", "Streams with lines in the active generation.", streams as f64);
    gauge("muster_collector_store_tails", "Receivers of live tails.", shared.tails.count() as f64);
    gauge(
        "muster_collector_store_tombstones",
        "Deletes that merges have not carried out.",
        snapshot.tombstones.len() as f64,
    );
    gauge(
        "muster_collector_store_log_cache_bytes",
        "Decoded row groups in memory.",
        shared.log_cache.counts().bytes as f64,
    );
    let known = read(&counters.log_positions) as f64;
    gauge("muster_collector_store_log_positions", "Log sources whose position the catalog holds.", known);
    segments(snapshot, out);
}

fn segments(snapshot: &Snapshot, out: &mut Vec<Stat>) {
    for class in LogClass::ALL {
        let segments = &snapshot.logs[class as usize];
        let headers = segments.iter().map(|segment| &segment.base.header);
        let rows: [(&'static str, &'static str, u64); 4] = [
            ("muster_collector_store_log_segments", "Log segments read by queries.", segments.len() as u64),
            (
                "muster_collector_store_log_segment_bytes",
                "Bytes of these segments.",
                headers.clone().map(|header| header.file_bytes).sum(),
            ),
            (
                "muster_collector_store_log_segment_lines",
                "Lines in these segments.",
                headers.clone().map(|header| header.samples).sum(),
            ),
            (
                "muster_collector_store_log_segment_raw_bytes",
                "Bytes of these lines and of their fields.",
                headers.map(|header| header.appended).sum(),
            ),
        ];
        out.extend(rows.map(|(name, help, value)| Stat::gauge(name, help, value as f64).with("class", class.folder())));
    }
}
