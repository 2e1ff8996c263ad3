//! Arrays of the kernel's software RAID, as /proc/mdstat has them (Linux `drivers/md/md.c`, `md_seq_show`).

use std::path::{Path, PathBuf};

use muster_common::check::CheckState;

use super::keys::{KeyError, Keys};
use super::{Host, Look, Probe};
use crate::checks::outcome::Outcome;

struct Raid {
    mdstat: PathBuf,
}

#[expect(clippy::unnecessary_wraps, reason = "as every kind is built")]
pub(super) fn build(_: &Keys, proc: &Path) -> Result<Probe, KeyError> {
    Ok(Probe::Look(Box::new(Raid { mdstat: proc.join("mdstat") })))
}

/// Whether this host has any array.
pub(crate) fn is_there(proc: &Path) -> bool {
    std::fs::read_to_string(proc.join("mdstat")).is_ok_and(|text| !arrays(&text).is_empty())
}

impl Look for Raid {
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String> {
        let text = String::from_utf8_lossy(host.read(&self.mdstat)?).into_owned();
        let arrays = arrays(&text);
        if arrays.is_empty() {
            return Err("/proc/mdstat has no array: this host has no software RAID".to_owned());
        }
        let bad: Vec<String> = arrays.iter().filter_map(Array::trouble).collect();
        let state = arrays.iter().map(Array::state).max_by_key(|state| state.rank()).unwrap_or(CheckState::Ok);
        let words = match bad.as_slice() {
            [] => format!("{} complete", arrays.iter().map(|array| array.name).collect::<Vec<_>>().join(", ")),
            bad => bad.join("; "),
        };
        Ok(Outcome::line(state, format!("RAID {state} - {words}")))
    }
}

struct Array<'t> {
    name: &'t str,
    is_active: bool,
    /// Its members are another array's to start (`super external:`).
    is_container: bool,
    failed: Vec<&'t str>,
    /// Members that it needs, and those that it has.
    members: Option<(u32, u32)>,
    /// `recovery = 12.6%`, `reshape = ...`: what is under way.
    work: Option<String>,
}

impl Array<'_> {
    fn lacks(&self) -> u32 {
        self.members.map_or(0, |(needed, there)| needed.saturating_sub(there))
    }

    fn state(&self) -> CheckState {
        let is_rebuilt = self.work.as_ref().is_some_and(|work| work.starts_with("recovery"));
        match (self.is_active || self.is_container, self.lacks()) {
            (false, _) => CheckState::Critical,
            (true, 0) if self.failed.is_empty() => CheckState::Ok,
            // The new disk is being filled; a mail for each step of it helps nobody.
            (true, _) if is_rebuilt => CheckState::Warning,
            (true, 0) => CheckState::Warning,
            (true, _) => CheckState::Critical,
        }
    }

    fn trouble(&self) -> Option<String> {
        if self.state() == CheckState::Ok {
            return None;
        }
        let mut parts = Vec::new();
        if !self.is_active && !self.is_container {
            parts.push("is not active".to_owned());
        }
        if let Some((needed, there)) = self.members.filter(|_| self.lacks() > 0) {
            parts.push(format!("has {there} of {needed} disks"));
        }
        if !self.failed.is_empty() {
            parts.push(format!("{} failed", self.failed.join(", ")));
        }
        parts.extend(self.work.clone());
        Some(format!("{} {}", self.name, parts.join(", ")))
    }
}

fn arrays(text: &str) -> Vec<Array<'_>> {
    let mut arrays: Vec<Array<'_>> = Vec::new();
    for line in text.lines() {
        if let Some((name, rest)) = line.split_once(" : ").filter(|(name, _)| name.starts_with("md")) {
            let mut words = rest.split_whitespace();
            let is_active = words.next() == Some("active");
            let failed = words.filter(|word| word.ends_with("(F)")).map(|word| word.split('[').next().unwrap_or(word));
            let (failed, is_container) = (failed.collect(), false);
            arrays.push(Array { name, is_active, is_container, failed, members: None, work: None });
        } else if let Some(array) = arrays.last_mut().filter(|_| line.starts_with(' ')) {
            array.is_container |= line.contains("super external:");
            array.members = array.members.or_else(|| line.split_whitespace().find_map(members));
            let word = ["recovery", "resync", "reshape", "check"].into_iter().find(|word| line.contains(word));
            array.work = array.work.take().or_else(|| {
                let at = line.find(word?)?;
                // `recovery = 12.6% (...)` or `resync=DELAYED`.
                Some(line[at..].split(" (").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "))
            });
        }
    }
    arrays
}

/// `[2/1]`: two needed, one there.
fn members(word: &str) -> Option<(u32, u32)> {
    let (needed, there) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
    Some((needed.parse().ok()?, there.parse().ok()?))
}
