//! The simulator, and kills under metrics.

use std::path::Path;

use anyhow::{Context, Result};

use super::row::{Row, row};
use crate::bench;

/// Worlds of a simulator, and its planted bugs: `sim` and `planted`, or those of alerting.
pub(super) fn simulator_rows(programs: &Path, [sim, planted]: [&str; 2], what: &str, seeds: u32) -> Result<Vec<Row>> {
    let values = bench::trial(programs, &[sim, "--seeds", &seeds.to_string()])?;
    let violations = *values.get("violations").context("no violations told")?;
    let planted = bench::trial(programs, &[planted, "--seeds", "200"])?;
    let (caught, of) = (planted["caught"], planted["of"]);
    let worst = planted.get("worst_seed").copied().unwrap_or(0.0);
    Ok(vec![
        row(
            &format!("{what} violations"),
            "0",
            format!("{violations}"),
            &format!("{seeds} seeds"),
            Some(violations == 0.0),
        ),
        row(
            &format!("{what}: planted bugs caught"),
            "each within 200 seeds",
            format!("{caught} of {of}, the latest at seed {worst}"),
            "up to 200 seeds each",
            Some(caught == of),
        ),
    ])
}

pub(super) fn kill_rows(programs: &Path) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy().into_owned();
    let mut rows = Vec::new();
    for (name, figure) in [
        ("kill-points", "kill -9 of the collector at 20 syscall points"),
        ("kill-moments", "kill -9 of both ends at 20 random moments"),
    ] {
        let values = bench::trial(programs, &[name, "--programs", &product, "--count", "20"])?;
        let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
        let clean = get("lost") == 0.0 && get("doubled") == 0.0 && get("answers_changed") == 0.0;
        let value = format!(
            "lost {}, doubled {}, answers changed {}, slowest return {:.2} s, {} hits",
            get("lost"),
            get("doubled"),
            get("answers_changed"),
            get("slowest_return_s"),
            get("hits")
        );
        let pass = clean && get("slowest_return_s") <= 10.0 && get("hits") >= 20.0;
        let load = format!("{} samples", get("samples"));
        rows.push(row(figure, "0 lost, 0 doubled, same answers, back in <= 10 s", value, &load, Some(pass)));
    }
    Ok(rows)
}
