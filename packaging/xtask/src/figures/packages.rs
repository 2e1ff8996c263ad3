//! What is installed: sizes of packages, how exposed the units are, how soon a new host is seen, what an upgrade loses.

use std::path::Path;

use anyhow::{Context, Result};

use super::row::{Row, row};
use crate::{bench, dist, tools};

/// Sorts after every version there is.
const NEXT: &str = "9999.0";
/// Upgrades of the trial, and of a quick one.
const ROUNDS: [&str; 2] = ["12", "3"];

pub(super) fn package_rows(programs: &Path, quick: bool) -> Result<Vec<Row>> {
    tools::ensure()?;
    let folder = dist::run(&dist::Options::RELEASE)?;
    let size = |start: &str| -> Result<f64> {
        let mut largest = None;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // `_` of debs, `-` and a digit of rpms and tars: `muster-agent` is none of `muster`.
            let rest = name.strip_prefix(start).unwrap_or_default();
            let is_it =
                rest.starts_with('_') || (rest.starts_with('-') && rest[1..].starts_with(|c: char| c.is_ascii_digit()));
            if is_it {
                largest = largest.max(Some(entry.metadata()?.len()));
            }
        }
        Ok(largest.with_context(|| format!("no package {start}"))? as f64 / 1e6)
    };
    let (agent, collector, command) = (size("muster-agent")?, size("muster-collector")?, size("muster")?);
    let values = bench::trial(programs, &["packages", "--packages", &folder.to_string_lossy()])?;
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let (seconds, open_agent, open_collector) = (get("seconds"), get("agent_exposure"), get("collector_exposure"));
    let load = "the largest of deb, rpm and tar";
    let judged = "systemd-analyze security, offline";
    let mut rows = vec![
        row("agent package", "<= 4 MB", format!("{agent:.2} MB"), load, Some(agent <= 4.0)),
        row("collector package", "<= 12 MB", format!("{collector:.2} MB"), load, Some(collector <= 12.0)),
        row("package of the command", "", format!("{command:.2} MB"), load, None),
        row("exposure of muster-agent.service", "<= 2.5", format!("{open_agent}"), judged, Some(open_agent <= 2.5)),
        row(
            "exposure of muster-collector.service",
            "<= 1.5",
            format!("{open_collector}"),
            judged,
            Some(open_collector <= 1.5),
        ),
        row(
            "from nothing to the host's first data in the API",
            "< 60 s",
            format!("{seconds:.1} s"),
            "bare Debian root, installer with local packages, 10 s interval",
            Some(seconds < 60.0),
        ),
    ];
    rows.push(upgrade_row(programs, &folder, ROUNDS[usize::from(quick)])?);
    Ok(rows)
}

/// The packages of this version and the same programs under the next one's number, installed in turn.
fn upgrade_row(programs: &Path, old: &Path, rounds: &str) -> Result<Row> {
    let new = old.with_file_name("dist-next");
    let (out, version) = (Some(new.clone()), Some(NEXT.to_owned()));
    dist::run(&dist::Options { programs: Some(programs.to_owned()), out, version, ..dist::Options::RELEASE })?;
    let folders = [old, &new].map(|folder| folder.to_string_lossy().into_owned());
    let values = bench::trial(programs, &["upgrade", "--old", &folders[0], "--new", &folders[1], "--rounds", rounds])?;
    let get = |key: &str| values.get(key).copied().unwrap_or(f64::NAN);
    let [lost, doubled, mails] = ["lost", "doubled", "mails"].map(get);
    let wrong = [lost, doubled, get("reordered"), get("damaged"), mails];
    Ok(row(
        "agent and collector upgraded under load",
        "lost 0, doubled 0, mails 0",
        format!(
            "lost {lost}, doubled {doubled}, mails {mails} of {} lines in {} upgrades; {} mail of a check that failed afterwards",
            get("written"),
            get("upgrades"),
            get("control")
        ),
        "real systemd, 2,000 lines a second, rotated each 2 s; dpkg -i of agent, collector, both",
        Some(wrong == [0.0; 5] && get("control") == 1.0),
    ))
}
