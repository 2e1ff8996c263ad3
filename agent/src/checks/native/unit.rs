//! A unit of systemd: active, or what it is instead.
//!
//! Asked by `systemctl show`, the one way that every user has on every version of systemd; it costs a process a run.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::wire::message::Perfdata;

use super::keys::{KeyError, Keys};
use super::tcp::no_answer;
use super::{Ask, Asked, Moment, Net, Probe};
use crate::checks::outcome::Outcome;

const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,Result,NRestarts";

struct Unit {
    unit: String,
}

pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    let unit = keys.required("unit", "nginx.service")?;
    let is_name =
        unit.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte)) && !unit.starts_with('-');
    if !is_name {
        return Err(KeyError::new(
            "unit",
            format!("`{unit}` is no unit's name"),
            "write one, such as \"nginx.service\"",
        ));
    }
    let unit = if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") };
    Ok(Probe::Ask(Arc::new(Unit { unit })))
}

impl Ask for Unit {
    fn ask<'a>(&'a self, net: &'a Net, moment: Moment) -> Asked<'a> {
        Box::pin(async move {
            let mut command = tokio::process::Command::new(&net.systemctl);
            command
                .args(["show", PROPERTIES, "--", &self.unit])
                .env("LC_ALL", "C")
                .stdin(Stdio::null())
                .kill_on_drop(true);
            let output = match tokio::time::timeout(moment.limit, command.output()).await {
                Ok(Ok(output)) => output,
                Ok(Err(error)) => {
                    return Err(format!("systemctl cannot be started ({error}): this host may have no systemd"));
                }
                Err(_) => return Err(format!("systemctl {}", no_answer(moment.limit))),
            };
            if !output.status.success() {
                let complaint = String::from_utf8_lossy(&output.stderr);
                return Err(format!("systemctl failed: {}", complaint.lines().next().unwrap_or_default().trim()));
            }
            judge(&self.unit, &String::from_utf8_lossy(&output.stdout))
        })
    }
}

/// From the lines `Property=value`.
fn judge(unit: &str, text: &str) -> Result<Outcome, String> {
    let value = |name: &str| {
        let of = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        text.lines().find_map(of).unwrap_or_default()
    };
    let (loaded, active, sub, result) = (value("LoadState"), value("ActiveState"), value("SubState"), value("Result"));
    if loaded == "not-found" || loaded == "masked" {
        return Err(format!("{unit} is {loaded}: check its name with systemctl list-units"));
    }
    let state = match (active.as_str(), sub.as_str()) {
        ("active" | "reloading" | "refreshing", _) => CheckState::Ok,
        // It has failed and is tried again.
        ("activating", "auto-restart") => CheckState::Critical,
        ("activating" | "deactivating" | "maintenance", _) => CheckState::Warning,
        ("inactive" | "failed", _) => CheckState::Critical,
        _ => return Err(format!("systemctl says nothing of {unit} that is understood")),
    };
    let why = if state == CheckState::Ok || result.is_empty() || result == "success" {
        String::new()
    } else {
        format!(", {result}")
    };
    let mut outcome = Outcome::line(state, format!("UNIT {state} - {unit} is {active} ({sub}{why})"));
    if let Ok(restarts) = value("NRestarts").parse() {
        let (label, unit) = ("restarts".to_owned(), "c".to_owned());
        outcome.perfdata.push(Perfdata {
            label,
            value: restarts,
            unit,
            warn: String::new(),
            crit: String::new(),
            min: 0.0,
            max: f64::NAN,
        });
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_units_are_judged() {
        let shown = |active: &str, sub: &str, result: &str| {
            judge(
                "x.service",
                &format!("LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult={result}\nNRestarts=3\n"),
            )
        };
        for (active, sub, result, output) in [
            ("active", "running", "success", "UNIT OK - x.service is active (running)"),
            ("activating", "start", "success", "UNIT WARNING - x.service is activating (start)"),
            (
                "activating",
                "auto-restart",
                "exit-code",
                "UNIT CRITICAL - x.service is activating (auto-restart, exit-code)",
            ),
            ("failed", "failed", "oom-kill", "UNIT CRITICAL - x.service is failed (failed, oom-kill)"),
            ("inactive", "dead", "success", "UNIT CRITICAL - x.service is inactive (dead)"),
        ] {
            let outcome = shown(active, sub, result).unwrap();
            assert_eq!((outcome.output.as_str(), outcome.perfdata[0].value), (output, 3.0));
        }
        assert!(
            judge("x.service", "LoadState=not-found\nActiveState=inactive\n").unwrap_err().contains("check its name")
        );
        assert!(judge("x.service", "").is_err());
    }
}
