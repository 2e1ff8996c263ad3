//! What may be behind an alert: the changes before it, and what separates the hosts that have it from those that have not.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_fleet::status::Subject;
use muster_fleet::suspects::{Onset, Separator, SuspectsFound};
use muster_fleet::{Fleet, FleetError, HostRow, HostState};

use crate::alert::{Alert, Origin};
use crate::mail::Neighbour;

/// The same alert on another host that began within this time of it has the same reason, as far as changes go.
const SAME_TIME_MS: i64 = 3_600_000;
/// Hosts that are looked at one by one for being well.
const WELL_MAX: usize = 2_000;

/// What is found about one alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Causes {
    pub found: SuspectsFound,
    pub separator: Option<Separator>,
    /// Why there is no separator, or what was compared.
    pub note: String,
}

/// Looks for what may be behind an alert that others have too: on hosts of these names, since then. Reads state.redb.
///
/// # Errors
/// [`FleetError`] when the disk or the file fails, or a change is damaged.
pub fn causes(fleet: &Fleet, alert: &Alert, others: &[Neighbour]) -> Result<Causes, FleetError> {
    let Some(host) = host_of(fleet, alert) else {
        let note = "the alert is of no host that is known".to_owned();
        return Ok(Causes { note, ..Causes::default() });
    };
    let known = |other: &Neighbour| Some((fleet.find(&other.host).ok()?, other.since_ms));
    let others: Vec<(HostId, i64)> = others.iter().filter_map(known).filter(|(id, _)| *id != host).collect();
    let with: BTreeSet<HostId> = others.iter().map(|(id, _)| *id).chain([host]).collect();
    let together =
        others.iter().filter(|(_, since_ms)| since_ms.abs_diff(alert.active_ms) <= SAME_TIME_MS.unsigned_abs());
    let affected: Vec<HostId> = [host].into_iter().chain(together.map(|(id, _)| *id)).collect();
    let found = fleet.suspects(&onset(fleet, alert, host, affected))?;
    if !alert.is_firing() {
        let note = "the alert has ended: who has the problem is not known any more".to_owned();
        return Ok(Causes { found, separator: None, note });
    }
    let rows = fleet.hosts().into_iter().filter(|row| row.state == HostState::Active && !with.contains(&row.id));
    let well: Vec<HostId> =
        rows.filter(|row| is_comparable(fleet, alert, row)).map(|row| row.id).take(WELL_MAX).collect();
    let with: Vec<HostId> = with.into_iter().collect();
    let separator = fleet.separator(&with, &well);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let groups = format!("{} host{} with the problem and {} without", with.len(), plural(with.len()), well.len());
    let note = match &separator {
        Some(_) => format!("compared were {groups}"),
        None => format!("nothing found that separates {groups} more than chance does"),
    };
    Ok(Causes { found, separator, note })
}

fn host_of(fleet: &Fleet, alert: &Alert) -> Option<HostId> {
    match &alert.origin {
        Origin::Status(Subject::Host { host } | Subject::Check { host, .. }) => Some(*host),
        Origin::Status(Subject::Fleet) => None,
        Origin::Status(Subject::Maintenance { .. }) | Origin::Rule { .. } | Origin::Pushed { .. } => {
            fleet.find(alert.labels.get("host")?).ok()
        }
    }
}

/// Whether that a host does not have the alert says something: of a check it must have it, and not be bad even by one result.
fn is_comparable(fleet: &Fleet, alert: &Alert, row: &HostRow) -> bool {
    match &alert.origin {
        Origin::Status(Subject::Check { check, .. }) => {
            fleet.check(row.id, check).is_some_and(|one| one.state == muster_common::check::CheckState::Ok)
        }
        _ => true,
    }
}

fn onset(fleet: &Fleet, alert: &Alert, host: HostId, affected: Vec<HostId>) -> Onset {
    let own = fleet.host(host).map(|row| row.labels).unwrap_or_default();
    let is_own = |name: &str| matches!(name, "host" | "severity" | "instance" | "job") || own.contains_key(name);
    let labels = alert.labels.iter().filter(|(name, _)| !is_own(name));
    let mut names: Vec<String> = labels.map(|(_, value)| value.to_owned()).collect();
    if matches!(alert.origin, Origin::Rule { .. }) {
        // Its metrics; a number in it is a limit and no port.
        let letters = alert.expression.chars().map(|one| if one.is_ascii_digit() || one == '_' { ' ' } else { one });
        names.push(letters.collect());
    }
    let texts = ["summary", "description"].into_iter().filter_map(|name| alert.annotations.get(name).cloned());
    let mut output: Vec<String> = texts.collect();
    let mut near = Vec::new();
    if let Origin::Status(Subject::Check { check, .. }) = &alert.origin
        && let Some(view) = fleet.check(host, check)
    {
        output.extend(view.perfdata.into_iter().map(|number| number.label));
        let parents =
            view.parents.iter().map(|parent| parent.split_once('/').map_or(parent.as_str(), |(host, _)| host));
        near.extend(parents.filter_map(|parent| fleet.find(parent).ok()).filter(|id| !affected.contains(id)));
    }
    Onset { at_ms: alert.active_ms, affected, near, names, output }
}
