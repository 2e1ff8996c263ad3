//! All units of systemd: has any failed?
//!
//! The bus tells how many, which costs no process; their names are asked of `systemctl` only where there are some, or where the bus does not
//! let this user in.

use std::path::Path;
use std::sync::Arc;

use muster_common::check::CheckState;
use muster_common::wire::message::Perfdata;

use super::bus;
use super::keys::{KeyError, Keys};
use super::tcp::no_answer;
use super::unit::{SYSTEMD, systemctl};
use super::{Ask, Asked, Moment, Net, Probe};
use crate::checks::outcome::Outcome;

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const OBJECT: &str = "/org/freedesktop/systemd1";
/// Units named in the first line; the further lines have all.
const NAMED_MAX: usize = 4;

struct Units {
    exclude: Vec<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "as every kind is built")]
pub(super) fn build(keys: &Keys, _: &Path) -> Result<Probe, KeyError> {
    Ok(Probe::Ask(Arc::new(Units { exclude: keys.texts("exclude").to_vec() })))
}

impl Ask for Units {
    fn ask<'a>(&'a self, net: &'a Net, moment: Moment) -> Asked<'a> {
        Box::pin(async move {
            let asked = bus::properties(&net.bus, SYSTEMD, OBJECT, [(MANAGER, "NFailedUnits")]);
            match tokio::time::timeout(moment.limit, asked).await {
                Ok(Ok([Some(count)])) if count == "0" => return Ok(self.judge(&[])),
                Err(_) => return Err(format!("the system bus {}", no_answer(moment.limit))),
                Ok(_) => {}
            }
            Ok(self.judge(&failed(net, moment).await?))
        })
    }
}

impl Units {
    fn judge(&self, failed: &[String]) -> Outcome {
        let is_excluded = |unit: &String| self.exclude.iter().any(|left_out| fits(left_out, unit));
        let failed: Vec<&str> = failed.iter().filter(|unit| !is_excluded(unit)).map(String::as_str).collect();
        let mut outcome = match failed.as_slice() {
            [] => Outcome::line(CheckState::Ok, "UNITS OK - no unit has failed"),
            [one] => Outcome::line(CheckState::Warning, format!("UNITS WARNING - {one} has failed")),
            many => {
                let more = if many.len() > NAMED_MAX { ", ..." } else { "" };
                let named = many.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
                let mut outcome = Outcome::line(
                    CheckState::Warning,
                    format!("UNITS WARNING - {} units have failed: {named}{more}", many.len()),
                );
                outcome.long_output = many.join("\n");
                outcome
            }
        };
        outcome.perfdata.push(Perfdata {
            label: "failed".to_owned(),
            value: failed.len() as f64,
            unit: String::new(),
            warn: "0".to_owned(),
            crit: String::new(),
            min: 0.0,
            max: f64::NAN,
        });
        outcome
    }
}

/// A name, or the beginning of names with `*` behind it.
fn fits(pattern: &str, unit: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(head) => unit.starts_with(head),
        None => unit == pattern || unit.strip_suffix(".service") == Some(pattern),
    }
}

async fn failed(net: &Net, moment: Moment) -> Result<Vec<String>, String> {
    let arguments = ["list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager", "--full"];
    let text = systemctl(net, &arguments, moment).await?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_left_out_by_name_or_beginning() {
        let units = Units { exclude: vec!["cups".to_owned(), "user@*".to_owned()] };
        let failed = |names: &[&str]| units.judge(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(failed(&["cups.service", "user@1000.service"]).output, "UNITS OK - no unit has failed");
        assert_eq!(failed(&["cups.socket"]).output, "UNITS WARNING - cups.socket has failed");
        let many = failed(&["a.service", "b.mount", "c.timer", "d.service", "e.service"]);
        assert_eq!(many.output, "UNITS WARNING - 5 units have failed: a.service, b.mount, c.timer, d.service, ...");
        assert_eq!((many.long_output.lines().count(), many.perfdata[0].value), (5, 5.0));
    }
}
