//! What a roll-out with a bad wave does.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench;

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
    Ok(vec![
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
