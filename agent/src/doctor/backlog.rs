//! What waits for the collector, and what was lost of it: of the running agent's status.

use muster_common::finding::Finding;

use super::scene::Scene;
use crate::status::Status;

/// Of the spool's bytes: beyond it the oldest will be dropped soon.
const FULL_PERCENT: u64 = 80;

pub(super) fn examine(scene: &Scene) -> Vec<Finding> {
    let place = scene.state_dir.join("spool").display().to_string();
    match scene.status() {
        Some(status) => judge(status, scene.config().spool.max_bytes, &place),
        None => vec![Finding::ok("no agent has run here yet: nothing waits", place)],
    }
}

fn judge(status: &Status, bytes_max: u64, place: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let waiting: u64 = status.spool.epochs.iter().map(|epoch| epoch.given_out.saturating_sub(epoch.acked)).sum();
    let held = status.spool.bytes;
    let remedy = "see the findings of `collector`; what waits is sent when it is reached";
    if held.saturating_mul(100) >= bytes_max.saturating_mul(FULL_PERCENT) {
        let what = format!("the spool holds {} of {} MiB: the oldest is dropped soon", held >> 20, bytes_max >> 20);
        findings.push(Finding::problem(what, place, format!("{remedy}; or raise [spool] max_bytes")));
    }
    let kinds = [("batches", &status.dropped_batches), ("rows", &status.dropped_rows)];
    for (kind, dropped) in kinds {
        for (reason, count) in dropped {
            let what = format!("{count} {kind} were dropped since the agent started: {reason}");
            findings.push(Finding::warning(what, place, of_reason(reason)));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            format!("{waiting} batches wait, {} KiB on the disk; nothing was dropped", held >> 10),
            place,
        ));
    }
    findings
}

fn of_reason(reason: &str) -> &'static str {
    match reason {
        "spool_full" => "raise [spool] max_bytes, or free room on the state folder's disk",
        "disk_error" => "dmesg | tail   # the disk may be failing",
        _ => "journalctl -u muster-agent   # says when and why",
    }
}

#[cfg(test)]
mod tests {
    use muster_common::finding::Level;

    use super::*;
    use crate::status::{EpochStatus, SpoolStatus};

    #[test]
    fn a_full_spool_and_what_was_dropped_are_told() {
        let epoch = EpochStatus { acked: 7, given_out: 9, ..EpochStatus::default() };
        let spool = SpoolStatus { bytes: 2_048, epochs: vec![epoch], ..SpoolStatus::default() };
        let mut status = Status { spool, ..Status::default() };
        let found = judge(&status, 1 << 20, "/s/spool");
        assert!(found[0].level == Level::Ok && found[0].what.starts_with("2 batches wait, 2 KiB"), "{found:?}");
        status.spool.bytes = 900 << 10;
        status.dropped_batches.insert("spool_full".to_owned(), 3);
        let found = judge(&status, 1 << 20, "/s/spool");
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Problem, Level::Warning]);
        assert!(found[1].what.contains("3 batches") && found[1].remedy.contains("max_bytes"), "{found:?}");
    }
}
