//! Planned work: how many mails of a problem it makes, beside the same unplanned.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench::{self, Values};

pub(super) fn maintenance_rows(programs: &Path, _quick: bool) -> Result<Vec<Row>> {
    let values = bench::trial(programs, &["maintenance", "--programs", &programs.to_string_lossy()])?;
    Ok(rows(&values).into())
}

fn rows(values: &Values) -> [Row; 2] {
    // A value that the trial did not tell passes no goal.
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let [planned, unplanned, lost, named, bystander, ends] =
        ["planned", "unplanned", "not_returned", "not_returned_named", "bystander", "ends"].map(get);
    let load =
        "four hosts of a real collector and a mail server, three of them killed at once, one of these in a maintenance";
    let is_quiet = planned == 0.0 && unplanned == 1.0 && bystander == 0.0;
    let value = format!("{planned} mails; the same unplanned: {unplanned}");
    let told = format!("{lost} mails, {named} of them MaintenanceNotRecovered; {ends} ends told of both problems");
    let is_told = lost == 1.0 && named == 1.0 && ends == 2.0;
    [
        row("planned upgrade with reboot", "0 mails; the same unplanned: 1", value, load, Some(is_quiet)),
        row("planned work after which a host does not return", "1 mail that says so", told, load, Some(is_told)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_too_many_or_too_few_is_short() {
        let is_short = |words: &str| {
            let pairs = words.split(' ').filter_map(|word| word.split_once('='));
            let values: Values = pairs.map(|(key, value)| (key.to_owned(), value.parse().unwrap())).collect();
            rows(&values).each_ref().map(Row::is_short)
        };
        let good = "planned=0 unplanned=1 not_returned=1 not_returned_named=1 bystander=0 ends=2";
        assert_eq!(is_short(good), [false, false]);
        assert_eq!(is_short(&good.replace(" unplanned=1", " unplanned=2")), [true, false]);
        assert_eq!(is_short(&good.replace("planned=0 ", "planned=1 ")), [true, false]);
        assert_eq!(is_short(&good.replace("named=1", "named=0")), [false, true]);
        assert_eq!(is_short(""), [true, true]);
    }
}
