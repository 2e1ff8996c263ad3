//! Lines from files through rotations, faults and kills, and what tailing costs.

use std::path::Path;

use anyhow::Result;

use super::row::{Row, row};
use crate::bench::{self, Values};

const CASES_GOAL: &str = "lost 0, doubled 0, reordered 0, damaged 0; raw copytruncate and recreate <= 0.1 % lost";

/// Every case of the tail trial, kills under load, and what tailing costs.
pub(crate) fn tail_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    let product = programs.to_string_lossy().into_owned();
    let mut rows = Vec::new();
    let (lines, values) = bench::trial_lines(programs, &["tail", "--programs", &product])?;
    rows.extend(case_rows(&lines, &values));
    let backlog = bench::trial(programs, &["tail", "--programs", &product, "backlog"])?;
    let (bytes, agent) = (backlog["bytes"], backlog["agent_cpu_s"]);
    let per_gb = agent / (bytes / 1e9);
    let load = format!("{:.0} MB of 256-byte lines there at the start, acknowledged", bytes / 1e6);
    rows.push(row("tailing, agent CPU", "<= 10 CPU-s a GB", format!("{per_gb:.1}"), &load, Some(per_gb <= 10.0)));
    let intake = bytes / 1e6 / backlog["collector_cpu_s"];
    rows.push(row("lines taken, collector CPU", "", format!("{intake:.0} MB/CPU-s"), &load, None));
    let many = bench::trial(programs, &["tail", "--programs", &product, "many"])?;
    let peak = format!("{:.1} MiB", many["agent_peak_mib"]);
    rows.push(row("agent peak memory with 2,000 files", "", peak, "20,000 lines/s over 2,000 files", None));
    let count = if quick { "20" } else { "100" };
    for (figure, wipe) in [("kills of either end under lines", false), ("the same, state folder deleted", true)] {
        let mut words = vec!["tail-kills", "--programs", &product, "--count", count];
        words.extend(wipe.then_some("--wipe"));
        let values = bench::trial(programs, &words)?;
        let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
        let faults = ["lost", "doubled", "reordered", "damaged"].map(|key| (key, get(key)));
        let told: Vec<String> = faults.iter().map(|(key, count)| format!("{key} {count}")).collect();
        let value = format!("{}, of {}", told.join(", "), get("written"));
        let kept = faults.iter().all(|(_, count)| *count == 0.0);
        let load = format!("{count} kills, 10,000 lines/s, a rotation each second");
        rows.push(row(figure, "lost 0, doubled 0, reordered 0, damaged 0", value, &load, Some(kept)));
    }
    Ok(rows)
}

/// The cases together, with the names of those that failed, and the outage, which is promised by itself.
fn case_rows(lines: &[String], values: &Values) -> Vec<Row> {
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let cases: Vec<Case<'_>> = lines.iter().filter_map(|line| Case::read(line)).collect();
    let failed: Vec<String> = cases
        .iter()
        .filter(|case| !case.is_kept)
        .map(|case| format!("; {} failed: {}", case.name, case.told))
        .collect();
    let all_kept = failed.is_empty() && get("failed") == 0.0 && get("cases") == cases.len() as f64;
    let value = format!("{} of {} kept{}", cases.len() - failed.len(), get("cases"), failed.concat());
    let load = format!("{:.0} MB of numbered lines", get("bytes") / 1e6);
    let mut rows = vec![row("cases of the tail trial", CASES_GOAL, value, &load, Some(all_kept))];
    let outage = cases.iter().find(|case| case.name == "outage");
    rows.push(row(
        "one hour of outage, compressed",
        "lost 0, doubled 0, reordered 0",
        outage.map_or_else(|| "no such case was run".to_owned(), |case| case.told.to_owned()),
        "100 lines/s of an hour in 18 s, 60 rotations, old files packed, agent started again in it",
        Some(outage.is_some_and(|case| case.is_kept)),
    ));
    rows
}

/// What the trial tells of one case: `NAME: [FAILED ]COUNTS, N rotations, ...`.
struct Case<'a> {
    name: &'a str,
    is_kept: bool,
    /// The counts.
    told: &'a str,
}

impl<'a> Case<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (name, told) = line.split_once(": ")?;
        let (counts, _) = told.split_once(" rotations")?.0.rsplit_once(", ")?;
        let failed = counts.strip_prefix("FAILED ");
        Some(Self { name, is_kept: failed.is_none(), told: failed.unwrap_or(counts) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str =
        "outage: 9 of 9 lines, lost 0 [], doubled 0, reordered 0, damaged 0, 60 rotations, agent 0.10 CPU-s";
    const FAILED: &str =
        "rename: FAILED 7 of 9 lines, lost 2 [3, 4], doubled 0, reordered 0, damaged 0, 9 rotations, agent 0.10 CPU-s";

    fn lines(of: &[&str], failed: f64) -> Vec<String> {
        let lines: Vec<String> = of.iter().map(|line| (*line).to_owned()).collect();
        let values = Values::from([("cases".to_owned(), of.len() as f64), ("failed".to_owned(), failed)]);
        case_rows(&lines, &values).iter().map(|row| row.line("c")).collect()
    }

    #[test]
    fn a_failed_case_stands_in_the_value_by_its_name() {
        let rows = lines(&[KEPT, FAILED], 1.0);
        let told = "1 of 2 kept; rename failed: 7 of 9 lines, lost 2 [3, 4], doubled 0, reordered 0, damaged 0";
        assert!(rows[0].contains(told) && rows[0].ends_with("SHORT |"), "{}", rows[0]);
        assert!(rows[1].contains("| 9 of 9 lines, lost 0 [], ") && rows[1].ends_with("pass |"), "{}", rows[1]);
        assert!(lines(&[KEPT], 0.0)[0].ends_with("pass |"));
    }

    #[test]
    fn a_case_that_was_not_run_does_not_pass() {
        let rows = lines(&[&KEPT.replace("outage", "steady")], 0.0);
        assert!(rows[1].contains("no such case") && rows[1].ends_with("SHORT |"), "{}", rows[1]);
        assert!(lines(&[KEPT, "a line of something else"], 0.0)[0].ends_with("SHORT |"));
    }
}
