//! What questions over the inventories of many hosts cost, how soon many hosts answer, and the figures of changes.

use std::path::Path;

use anyhow::Result;

use super::changes::{change_rows, rows_of};
use super::row::{Row, row};
use crate::bench::{self, Values};

/// Questions by their words in the trial.
const QUESTIONS: [(&str, &str); 7] = [
    ("find", "hosts with another version of a package"),
    ("older", "hosts with an older version, as dpkg orders them"),
    ("versions", "hosts by version of a package"),
    ("counted", "different packages by name, with their hosts"),
    ("count", "rows"),
    ("by_host", "rows by host"),
    ("by_name", "rows by name of the package"),
];

pub(super) fn inventory_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let hosts = if quick { "1000" } else { "10000" };
    let load = format!("{hosts} hosts with 600 packages, 3,000 different ones");
    let sql = bench::trial(programs, &["sql", "--hosts", hosts]);
    let mut rows = rows_of("sql", sql, |values| sql_rows(values, &load));
    let (asked, product) = (if quick { "200" } else { "1000" }, programs.to_string_lossy());
    let ask = bench::trial(programs, &["ask", "--programs", &product, "--hosts", asked, "--dead", "3"]);
    rows.extend(rows_of("ask", ask, |values| ask_rows(values, asked)));
    rows.extend(change_rows(programs, quick));
    Ok(rows)
}

fn sql_rows(values: &Values, load: &str) -> Vec<Row> {
    let one = |(word, about): (&str, &str)| {
        let took = values.get(&format!("{word}_ms")).copied().unwrap_or(f64::NAN);
        row(&format!("SQL: {about}"), "<= 500 ms CPU", format!("{took:.0} ms"), load, Some(took <= 500.0))
    };
    QUESTIONS.into_iter().map(one).collect()
}

/// Hosts that are asked while people wait; the trial fails where an answer names others than the dead.
fn ask_rows(values: &Values, hosts: &str) -> Vec<Row> {
    let value = |word: &str| values.get(word).copied().unwrap_or(f64::NAN);
    let load = format!("{hosts} simulated agents over QUIC, 40 rows each, {:.0} different ones", value("rows"));
    let (worst, alone) = (value("worst_ms"), value("without_dead_ms"));
    vec![
        row("ask: 3 dead hosts named", "<= 5 s", format!("{worst:.0} ms"), &load, Some(worst <= 5_000.0)),
        row("ask: all hosts alive", "reported", format!("{alone:.0} ms"), &load, None),
    ]
}
