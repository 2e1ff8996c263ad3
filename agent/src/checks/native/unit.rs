//! A unit of systemd: active, or what it is instead.
//!
//! Asked over the system bus, which costs no process; by `systemctl show` where the bus does not let this user in.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::wire::message::Perfdata;

use super::bus;
use super::keys::{KeyError, Keys};
use super::tcp::no_answer;
use super::{Ask, Asked, Moment, Net, Probe};
use crate::checks::outcome::Outcome;

pub(super) const SYSTEMD: &str = "org.freedesktop.systemd1";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
/// What is asked for, and where it stands. Units that are no services lack the last two.
const PROPERTIES: [(&str, &str); 5] =
    [(UNIT, "LoadState"), (UNIT, "ActiveState"), (UNIT, "SubState"), (SERVICE, "Result"), (SERVICE, "NRestarts")];

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
            let path = format!("/org/freedesktop/systemd1/unit/{}", bus::escape(&self.unit));
            let asked = bus::properties(&net.bus, SYSTEMD, &path, PROPERTIES);
            let state = match tokio::time::timeout(moment.limit, asked).await {
                // A bus without systemd on it answers all with errors.
                Ok(Ok(values)) if values[1].is_some() => State::new(values),
                Ok(_) => by_systemctl(net, &self.unit, moment).await?,
                Err(_) => return Err(format!("the system bus {}", no_answer(moment.limit))),
            };
            judge(&self.unit, &state)
        })
    }
}

/// The values of [`PROPERTIES`]; empty: not told.
struct State([String; PROPERTIES.len()]);

impl State {
    fn new(values: [Option<String>; PROPERTIES.len()]) -> Self {
        Self(values.map(Option::unwrap_or_default))
    }

    /// From lines `Property=value`.
    fn parse(text: &str) -> Self {
        Self(PROPERTIES.map(|(_, name)| {
            let of = |line: &str| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
            text.lines().find_map(of).unwrap_or_default()
        }))
    }
}

async fn by_systemctl(net: &Net, unit: &str, moment: Moment) -> Result<State, String> {
    let names = PROPERTIES.map(|(_, name)| name).join(",");
    let shown = systemctl(net, &["show", &format!("--property={names}"), "--", unit], moment).await?;
    Ok(State::parse(&shown))
}

/// What `systemctl` prints.
///
/// # Errors
/// Why it says nothing.
pub(super) async fn systemctl(net: &Net, arguments: &[&str], moment: Moment) -> Result<String, String> {
    let mut command = tokio::process::Command::new(&net.systemctl);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(moment.limit, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("systemctl cannot be started ({error}): this host may have no systemd")),
        Err(_) => return Err(format!("systemctl {}", no_answer(moment.limit))),
    };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("systemctl failed: {}", complaint.lines().next().unwrap_or_default().trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn judge(unit: &str, State([loaded, active, sub, result, restarts]): &State) -> Result<Outcome, String> {
    if loaded == "not-found" || loaded == "masked" {
        return Err(format!("{unit} is {loaded}: check its name with systemctl list-units"));
    }
    let state = match (active.as_str(), sub.as_str()) {
        ("active" | "reloading" | "refreshing", _) => CheckState::Ok,
        // It has failed and is tried again.
        ("activating", "auto-restart") => CheckState::Critical,
        ("activating" | "deactivating" | "maintenance", _) => CheckState::Warning,
        ("inactive" | "failed", _) => CheckState::Critical,
        _ => return Err(format!("systemd says nothing of {unit} that is understood")),
    };
    let why = if state == CheckState::Ok || result.is_empty() || result == "success" {
        String::new()
    } else {
        format!(", {result}")
    };
    let mut outcome = Outcome::line(state, format!("UNIT {state} - {unit} is {active} ({sub}{why})"));
    if let Ok(restarts) = restarts.parse() {
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
                &State::parse(&format!(
                    "LoadState=loaded\nActiveState={active}\nSubState={sub}\nResult={result}\nNRestarts=3\n"
                )),
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
            judge("x.service", &State::parse("LoadState=not-found\nActiveState=inactive\n"))
                .unwrap_err()
                .contains("check its name")
        );
        assert!(judge("x.service", &State::parse("")).is_err());
    }
}
