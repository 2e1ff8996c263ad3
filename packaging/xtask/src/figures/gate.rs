//! The gate: whether it says what it must, how often it cries wolf, and whether it sees what it ought to.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench::{self, Values};

/// The figures of the gate.
pub(super) fn gate_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let words = ["gate", "--seeds", if quick { "500" } else { "4000" }];
    Ok(rows(&bench::trial(programs, &words)?).into())
}

fn rows(values: &Values) -> [Row; 5] {
    // A value that the trial did not tell passes no goal.
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let [scenarios, right, same, seeds] = ["scenarios", "right", "same", "seeds"].map(get);
    let [most, least, canary, since] = ["alike_most", "found_least", "wolf_canary", "wolf_since"].map(get);
    let percent = |count: f64| format!("{:.2} %", 100.0 * count / seeds);
    let alike = format!("the worst of {} made-up services that are alike, {seeds} seeds each", get("alike_worlds"));
    let found =
        format!("the worst of {} made-up services with twice the errors, {seeds} seeds each", get("found_worlds"));
    let wolf =
        format!("asked each minute of an hour, the worse of a canary and of before and after, {seeds} seeds each");
    let all = format!("{scenarios} scenarios");
    let [is_right, is_same] = [right, same].map(|count| Some(count == scenarios && scenarios >= 20.0));
    [
        row("gate: scenarios with their verdict and codes", "all", format!("{right} of {scenarios}"), &all, is_right),
        row("gate: kept facts decide again as they did", "all", format!("{same} of {scenarios}"), &all, is_same),
        row("gate: alike hosts look worse", "< 1 %", percent(most), &alike, Some(most * 100.0 < seeds)),
        row(
            "gate: twice the error rate is found",
            ">= 95 %",
            percent(least),
            &found,
            Some(least * 100.0 >= seeds * 95.0),
        ),
        row(
            "gate: one who waits hears of alike hosts as worse",
            "< 1 %",
            percent(canary.max(since)),
            &wolf,
            Some(canary.max(since) * 100.0 < seeds),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(words: &str) -> Vec<bool> {
        let pairs = words.split(' ').filter_map(|word| word.split_once('='));
        let values = pairs.map(|(key, value)| (key.to_owned(), value.parse().unwrap())).collect();
        rows(&values).iter().map(Row::is_short).collect()
    }

    #[test]
    fn what_is_wrong_too_often_or_not_told_is_short() {
        let good = "scenarios=20 right=20 same=20 seeds=1000 alike_most=9 found_least=950 wolf_canary=9 wolf_since=0";
        assert_eq!(short(good), [false; 5]);
        let bad = "scenarios=20 right=19 same=19 seeds=1000 alike_most=10 found_least=949 wolf_canary=0 wolf_since=10";
        assert_eq!(short(bad), [true; 5]);
        assert_eq!(short("scenarios=20"), [true; 5]);
    }
}
