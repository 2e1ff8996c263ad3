//! What is installed: sizes of packages, how exposed the units are, how soon a new host is seen.

use std::path::Path;

use anyhow::{Context, Result};

use super::row::{Row, row};
use crate::{bench, dist};

pub(super) fn package_rows(programs: &Path) -> Result<Vec<Row>> {
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
    Ok(vec![
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
    ])
}
