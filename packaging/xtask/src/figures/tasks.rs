//! What a roll-out with a bad wave does, and what the users of a service see of one.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench::{self, Values};

/// The trial fails where a host ran what it must not, ran it twice, or was not rolled back.
pub(super) fn task_rows(programs: &Path, _quick: bool) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy();
    let values = bench::trial(programs, &["rollout", "--programs", &product])?;
    let value = |word: &str| values.get(word).copied().unwrap_or(f64::NAN);
    let load = format!(
        "{:.0} simulated agents over QUIC, waves of 10, {:.0} lose their session in the middle",
        value("hosts"),
        value("breaks")
    );
    let (ran, back) = (value("ran"), value("rolled_back"));
    let outage = bench::trial(programs, &["without-outage", "--programs", &product])?;
    Ok(vec![
        outage_row(&outage),
        row(
            "roll-out with one bad wave: stopped there and rolled back",
            "every host that ran, nobody else, nothing twice",
            format!(
                "{ran:.0} ran, {back:.0} rolled back, {:.0} untouched, {:.0} twice",
                value("untouched"),
                value("twice")
            ),
            &load,
            Some(ran == back && value("twice") == 0.0),
        ),
        row(
            "the same: hosts at once",
            "<= 10",
            format!("{:.0}", value("most_at_once")),
            &load,
            Some(value("most_at_once") <= 10.0),
        ),
        row("the same: until all are back", "reported", format!("{:.1} s", value("rolled_back_s")), &load, None),
    ])
}

fn outage_row(values: &Values) -> Row {
    // A value that the trial did not tell passes no goal.
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let [requests, failed, stops, without] = ["requests", "failed", "stops", "without_task"].map(get);
    let load = format!(
        "two nginx behind haproxy, {} requests over kept and {} over fresh connections; a roll-out to both in waves of one ({:.1} s), then one of a bad release that is taken back",
        get("kept"),
        get("fresh"),
        get("rollout_s")
    );
    // A server that nobody stops, or whose stop nobody would see, shows nothing.
    let is_shown = stops == 4.0 && without > 0.0 && get("releases") == 2.0;
    row(
        "requests that fail while a roll-out restarts a real service",
        "0 of >= 10,000",
        format!("{failed} of {requests}, in {stops} stops; a stop without the task: {without} at once"),
        &load,
        Some(failed == 0.0 && requests >= 10_000.0 && is_shown),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_request_or_a_trial_that_shows_nothing_is_short() {
        let is_short = |words: &str| {
            let pairs = words.split(' ').filter_map(|word| word.split_once('='));
            let values: Values = pairs.map(|(key, value)| (key.to_owned(), value.parse().unwrap())).collect();
            outage_row(&values).is_short()
        };
        let good = "requests=10000 kept=5000 fresh=5000 failed=0 stops=4 releases=2 without_task=1 rollout_s=9";
        assert!(!is_short(good));
        for (from, to) in [
            ("failed=0", "failed=1"),
            ("requests=10000", "requests=9999"),
            ("stops=4", "stops=0"),
            ("task=1", "task=0"),
            ("releases=2", "releases=1"),
        ] {
            assert!(is_short(&good.replace(from, to)), "{to}");
        }
        assert!(is_short(""));
    }
}
