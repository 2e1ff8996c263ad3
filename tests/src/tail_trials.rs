//! Trials of tailed files: the cases, new files, and kills.

use std::path::Path;

use anyhow::{Context, Result};
use muster_tests::tail;

use super::KillArguments;

pub(super) fn cases(programs: &Path, names: &[String]) -> Result<()> {
    let all = tail::all();
    if names.first().is_some_and(|name| name == "list") {
        println!("{}", all.iter().map(|case| case.name).collect::<Vec<_>>().join(" "));
        return Ok(());
    }
    let named =
        |name: &String| tail::by_name(name).with_context(|| format!("no case `{name}`; `tail list` names them"));
    let cases = if names.is_empty() { all } else { names.iter().map(named).collect::<Result<_>>()? };
    let (mut failed, mut bytes, mut agent, mut collector, mut peak) = (0, 0, 0.0, 0.0, 0.0_f64);
    for case in &cases {
        let folder = tempfile::Builder::new().prefix("muster-tail-").tempdir()?;
        let report = tail::run(programs, folder.path(), case)?;
        let kept = report.is_kept(case);
        println!("{}: {}{report}", case.name, if kept { "" } else { "FAILED " });
        failed += u32::from(!kept);
        bytes += report.bytes;
        agent += report.agent_cpu_seconds;
        collector += report.collector_cpu_seconds;
        peak = peak.max(report.agent_peak_mib);
    }
    println!(
        "cases={} failed={failed} bytes={bytes} agent_cpu_s={agent:.2} collector_cpu_s={collector:.2} agent_peak_mib={peak:.1}",
        cases.len()
    );
    Ok(())
}

pub(super) fn new_files(programs: &Path, files: u32) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-tail-").tempdir()?;
    let took = tail::first_lines(programs, folder.path(), files)?;
    let (worst, median) =
        (took.last().copied().unwrap_or_default(), took.get(took.len() / 2).copied().unwrap_or_default());
    println!("files={} median_ms={} worst_ms={}", took.len(), median.as_millis(), worst.as_millis());
    Ok(())
}

pub(super) fn kills(arguments: &KillArguments, wipe: bool) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("muster-tail-").tempdir()?;
    let report = tail::under_kills(&arguments.programs, folder.path(), arguments.count, arguments.seed, wipe)?;
    let counts = report.counts;
    println!("{report}");
    println!(
        "kills={} written={} lost={} doubled={} reordered={} damaged={}",
        arguments.count, report.written, counts.lost, counts.doubled, counts.reordered, counts.damaged
    );
    Ok(())
}
