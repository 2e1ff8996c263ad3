//! `muster-agent check run NAME`: one check, now, for people.

use std::fmt::Write;
use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::time;
use muster_common::wire::message::CheckReport;

use super::native::{Host, Net};
use super::perfdata;
use super::runner::{Runner, Started};
use super::settings::Checks;
use super::worker::{CheckError, runtime};

/// What one run gave.
pub struct RunOnce {
    /// What a running agent would send.
    pub report: CheckReport,
}

/// Runs the named check.
///
/// # Errors
/// [`CheckError`]
pub fn run_once(config: &Checks, name: &str) -> Result<RunOnce, CheckError> {
    let Some(check) = config.checks.iter().find(|check| check.name == name) else {
        let names: Vec<&str> = config.checks.iter().map(|check| check.name.as_str()).collect();
        let known = if names.is_empty() { "no [[checks]]".to_owned() } else { names.join(", ") };
        return Err(CheckError::Unknown { name: name.to_owned(), known });
    };
    let failed = |problem| CheckError::Check { name: name.to_owned(), problem };
    let mut runner = Runner::new(check, config).map_err(failed)?;
    let runtime = runtime().map_err(|source| CheckError::Thread { source })?;
    let begun = time::monotonic();
    let mut host = Host::new(&config.proc, time::now(), begun);
    let done = runtime.block_on(async {
        match runner.start(&mut host, &Arc::new(Net::new())) {
            Started::Done(done) => done,
            Started::Waiting(run) => run.await,
        }
    });
    runtime.shutdown_background();
    let duration = time::monotonic().saturating_sub(begun);
    Ok(RunOnce { report: done.outcome.into_report(check, time::now().millis(), duration) })
}

impl RunOnce {
    pub fn state(&self) -> CheckState {
        CheckState::from_u8(self.report.state).unwrap_or(CheckState::Unknown)
    }

    /// State, output, perfdata as a table, and the definition that would be sent with it.
    pub fn show(&self) -> String {
        let report = &self.report;
        let mut text = format!("{}  {}  ({} ms)\n{}\n", report.check, self.state(), report.duration_ms, report.output);
        if !report.long_output.is_empty() {
            text.push_str(&report.long_output);
            text.push('\n');
        }
        if !report.perfdata.is_empty() {
            text.push('\n');
            text.push_str(&self.table());
        }
        let sent = &report.definition;
        let series = if report.perfdata.is_empty() { "" } else { ", muster_check_perfdata for each number" };
        let attempts = sent.max_attempts;
        let seconds = |ms: u64| ms as f64 / 1e3;
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "\nwould be sent: result of check {:?} (every {} s, retry {} s, hard after {attempts}, stale after {} s), series muster_check_state, muster_check_duration_seconds{series}\n",
            report.check,
            seconds(sent.interval_ms),
            seconds(sent.retry_ms),
            seconds(sent.ttl_ms),
        );
        for (what, words) in [
            ("labels", sent.labels.iter().map(|label| format!("{}={:?}", label.name, label.value)).collect::<Vec<_>>()),
            ("parents", sent.parents.clone()),
            ("remedy", if sent.remedy.is_empty() { Vec::new() } else { vec![sent.remedy.clone()] }),
        ] {
            if !words.is_empty() {
                let _ = writeln!(text, "  {what}: {}", words.join(", "));
            }
        }
        text
    }

    fn table(&self) -> String {
        let mut rows = vec![["label", "value", "warn", "crit", "min", "max"].map(str::to_owned)];
        for one in &self.report.perfdata {
            let number = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
            let value = if one.value.is_nan() { "U".to_owned() } else { format!("{}{}", one.value, one.unit) };
            rows.push([one.label.clone(), value, one.warn.clone(), one.crit.clone(), number(one.min), number(one.max)]);
        }
        let mut widths = [0; 6];
        for row in &rows {
            row.iter().zip(&mut widths).for_each(|(cell, width)| *width = cell.chars().count().max(*width));
        }
        let line = |row: &[String; 6]| {
            let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        };
        let mut text: String = rows.iter().map(|row| line(row) + "\n").collect();
        let written: Vec<String> = self.report.perfdata.iter().map(perfdata::show).collect();
        text.push_str(&format!("as a plugin writes it: | {}\n", written.join(" ")));
        text
    }
}
