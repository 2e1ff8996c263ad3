//! Checks, alerts and mail.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use super::trials::simulator_rows;
use crate::bench;

pub(super) fn alert_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy().into_owned();
    let seeds = if quick { 1_000 } else { 10_000 };
    let mut rows = simulator_rows(programs, ["sim-alert", "planted-alert"], "alert simulator", seeds)?;
    rows.extend(mail_kill_rows(programs, &product)?);
    Ok(rows)
}

fn mail_kill_rows(programs: &Path, product: &str) -> Result<Vec<Row>> {
    let values = bench::trial(programs, &["mail-kills", "--programs", product, "--count", "40"])?;
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let value = format!(
        "lost {}, second Message-IDs {}, repeats {} under the first one",
        get("lost"),
        get("second_ids"),
        get("repeats")
    );
    let load = format!(
        "{} alerts, {} kills, {} of them at a system call; server away, greylisting, hanging up, losing replies",
        get("alerts"),
        get("kills"),
        get("at_calls")
    );
    let is_kept = get("lost") == 0.0 && get("second_ids") == 0.0 && get("at_calls") >= 5.0;
    let goal = "every mail at least once, repeats only with the Message-ID of the first copy";
    Ok(vec![row("kill -9 of the collector while it mails", goal, value, &load, Some(is_kept))])
}
