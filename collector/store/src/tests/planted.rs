//! Each planted bug is seen by the drill that passes without it.

use super::crash::{Drill, Step, script, small};
use super::world::{BEGIN_MS, batch, epoch, scrape, table};
use crate::Config;
use crate::planted::Planted;

/// Whether some cut of some seed shows that something is wrong.
fn is_caught(script: Vec<Step>, bug: Planted) -> bool {
    let drill = Drill::new(script, Config { planted: Some(bug), ..small() });
    (0..20).any(|seed| {
        let mut at = seed;
        loop {
            match drill.cut_at(at, seed * 1_000 + at, usize::MAX) {
                Err(_) => return true,
                Ok(false) => return false,
                Ok(true) => at += 7,
            }
        }
    })
}

#[test]
fn planted_bugs_are_caught_by_power_cuts() {
    let bugs = [
        Planted::AckBeforeCommit,
        Planted::MarkOutsideTransaction,
        Planted::InboxUnlinkedBeforeManifest,
        Planted::NoSyncDir,
        Planted::FlushedThroughNotWritten,
        Planted::RepeatRowsNotCarried,
        Planted::FlushedReplayedIntoHead,
    ];
    for bug in bugs {
        assert!(is_caught(script(), bug), "{bug:?}");
    }
}

#[test]
fn a_merge_across_a_gap_is_caught_by_what_is_answered() {
    let up = table("up", "a", 1);
    let mut script = Vec::new();
    for seq in 1..=3u64 {
        // All of one time: the second generation is to win over the first, the third over both; series 0 skips the third.
        let metric = if seq == 3 { table("other", "a", 1) } else { up.clone() };
        script.push(Step::Commit(vec![batch(epoch(1), seq, vec![scrape(&metric, BEGIN_MS, seq as f64)])]));
        script.push(Step::Flush { merge: seq == 3 });
    }
    assert!(is_caught(script, Planted::MergeAcrossGap));
}
