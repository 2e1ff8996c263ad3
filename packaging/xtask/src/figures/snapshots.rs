//! A large snapshot while hosts go on to send, and what a collector that goes on from it has lost or tells twice.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench::{self, Values};

pub(super) fn snapshot_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let (product, gib) = (programs.to_string_lossy(), if quick { "1" } else { "5" });
    let values = bench::trial(programs, &["snapshot", "--programs", &product, "--gib", gib])?;
    Ok(rows(&values))
}

fn rows(values: &Values) -> Vec<Row> {
    // A value that the trial did not tell passes no goal.
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let load = format!("{:.1} GB, 10 hosts with 20 batches of 500 samples a second each", get("bytes") / 1e9);
    let made = format!(
        "{:.1} s, {:.1} CPU-s ({:.1} without), commits held for {:.0} ms, {:.0} ms without an ack at most, {} samples acknowledged meanwhile",
        get("seconds"),
        get("cpu_s"),
        get("idle_cpu_s"),
        get("barrier_ms"),
        get("stall_ms"),
        get("acked")
    );
    let [lost, doubled, mails] = ["lost", "doubled", "repeated_mails"].map(get);
    let restored = format!(
        "lost {lost}, doubled {doubled}, repeated mails {mails}; read whole in {:.1} s, restored in {:.1} s",
        get("verify_s"),
        get("restore_s")
    );
    vec![
        row("snapshot without stopping ingest", "ingest goes on", made, &load, Some(get("acked") > 0.0)),
        row(
            "a collector goes on from it",
            "lost 0, doubled 0, repeated mails 0",
            restored,
            &load,
            Some([lost, doubled, mails] == [0.0; 3]),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(words: &str) -> Vec<String> {
        let pairs = words.split(' ').filter_map(|word| word.split_once('='));
        let values: Values = pairs.map(|(key, value)| (key.to_owned(), value.parse().unwrap_or(f64::NAN))).collect();
        rows(&values).iter().map(|row| row.line("c")).collect()
    }

    #[test]
    fn what_is_lost_repeated_or_not_told_is_short() {
        let all = "bytes=5e9 barrier_ms=31 seconds=9 cpu_s=8 idle_cpu_s=1 stall_ms=70 acked=900 lost=0 doubled=0";
        let good = lines(&format!("{all} repeated_mails=0"));
        assert!(good.iter().all(|line| line.ends_with("pass |")), "{good:?}");
        assert!(good[0].contains("commits held for 31 ms") && good[0].contains("5.0 GB"), "{}", good[0]);
        for bad in [format!("{all} repeated_mails=1"), all.to_owned(), "acked=0".to_owned()] {
            assert!(lines(&bad)[1].ends_with("SHORT |"), "{bad}");
        }
        assert!(lines("acked=0")[0].ends_with("SHORT |"));
    }
}
