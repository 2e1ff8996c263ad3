//! The book as its readers see it.

use muster_common::check::CheckState;
use muster_common::host::HostId;
use muster_common::wire::message::Perfdata;

use super::{FLEET, HostBook, StatusBook};
use crate::glance::BadCheck;
use crate::status::acknowledgement::Acknowledgement;
use crate::status::check_row::CheckRow;
use crate::status::condition::{Hold, Severity, StatusChange};
use crate::status::downtime::Downtime;

/// A check as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckView {
    pub host: HostId,
    pub host_name: String,
    pub check: String,
    /// Of the newest result.
    pub state: CheckState,
    pub hard_state: CheckState,
    /// Bad results in a row, of how many that make it hard.
    pub attempt: u16,
    pub max_attempts: u16,
    /// First bad result of the problem that goes on, or first OK after the last one, milliseconds.
    pub since_ms: i64,
    pub hard_since_ms: i64,
    /// The newest result, and its arrival.
    pub at_ms: i64,
    pub arrived_ms: i64,
    pub is_live: bool,
    /// Since when nothing has come for too long.
    pub stale_ms: Option<i64>,
    pub output: String,
    pub long_output: String,
    pub perfdata: Vec<Perfdata>,
    pub duration_ms: u32,
    /// [`muster_common::check::CheckKind`] as its number.
    pub kind: u8,
    pub interval_ms: u64,
    pub parents: Vec<String>,
    pub remedy: String,
    pub is_flapping: bool,
    pub flapping_percent: f64,
    pub acknowledgement: Option<Acknowledgement>,
    /// What holds its problem back.
    pub holds: Vec<Hold>,
}

/// What counts of a check for who shows it as it changes, borrowed: of a large fleet all of them are compared at once.
#[derive(Clone, Copy, Debug)]
pub struct CheckMark<'a> {
    pub host_name: &'a str,
    pub state: CheckState,
    pub hard_state: CheckState,
    pub attempt: u16,
    pub max_attempts: u16,
    pub since_ms: i64,
    pub hard_since_ms: i64,
    pub stale_ms: Option<i64>,
    pub output: &'a str,
    pub kind: u8,
    pub interval_ms: u64,
    pub parents: &'a [String],
    pub remedy: &'a str,
    pub is_flapping: bool,
    pub acknowledgement: Option<&'a Acknowledgement>,
    pub holds: &'a [Hold],
}

impl<'a> From<&'a CheckView> for CheckMark<'a> {
    fn from(check: &'a CheckView) -> Self {
        Self {
            host_name: &check.host_name,
            state: check.state,
            hard_state: check.hard_state,
            attempt: check.attempt,
            max_attempts: check.max_attempts,
            since_ms: check.since_ms,
            hard_since_ms: check.hard_since_ms,
            stale_ms: check.stale_ms,
            output: &check.output,
            kind: check.kind,
            interval_ms: check.interval_ms,
            parents: &check.parents,
            remedy: &check.remedy,
            is_flapping: check.is_flapping,
            acknowledgement: check.acknowledgement.as_ref(),
            holds: &check.holds,
        }
    }
}

/// Checks of one host by how bad they are, hard or without news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckCounts {
    pub ok: u32,
    pub warning: u32,
    pub critical: u32,
    pub unknown: u32,
}

/// What one row of a long list shows of a host's status.
#[derive(Default)]
pub(crate) struct Glance {
    /// When it was heard again last; 0: it was never away.
    pub returned_ms: i64,
    pub checks: CheckCounts,
    pub bad: Vec<BadCheck>,
}

impl StatusBook {
    pub(crate) fn glance(&self, host: HostId) -> Glance {
        let Some(entry) = self.hosts.get(&host) else { return Glance::default() };
        let mut glance = Glance { returned_ms: entry.own.returned_ms, ..Glance::default() };
        for (check, row) in &entry.checks {
            let counts = &mut glance.checks;
            let Some(severity) = row.severity() else {
                counts.ok += 1;
                continue;
            };
            match severity {
                Severity::Critical => counts.critical += 1,
                Severity::Warning => counts.warning += 1,
                Severity::Unknown => counts.unknown += 1,
            }
            let since_ms = if row.machine.hard_state == CheckState::Ok { row.stale_ms } else { None };
            let since_ms = since_ms.unwrap_or(row.machine.hard_since_ms);
            glance.bad.push(BadCheck { check: check.clone(), severity, since_ms });
        }
        glance
    }

    /// Whether a check, or a host's absence with an empty name, is a problem that can be acknowledged.
    pub(crate) fn has_problem(&self, host: HostId, check: &str) -> bool {
        self.hosts.get(&host).is_some_and(|entry| match check {
            "" => entry.now.absent.is_some(),
            check => entry.checks.get(check).is_some_and(|row| row.severity().is_some()),
        })
    }

    /// Every check, by host and name.
    pub(crate) fn views(&self) -> Vec<CheckView> {
        let hosts = self.hosts.values();
        hosts.flat_map(|host| host.checks.iter().map(move |(check, row)| view(host, check, row))).collect()
    }

    /// Those of one host, by name.
    pub(crate) fn views_of(&self, host: HostId) -> Vec<CheckView> {
        let Some(host) = self.hosts.get(&host) else { return Vec::new() };
        host.checks.iter().map(|(check, row)| view(host, check, row)).collect()
    }

    /// Every check, by host and name, with what `digest` makes of it.
    pub(crate) fn digests(&self, digest: impl Fn(&CheckMark<'_>) -> u64) -> Vec<((HostId, String), u64)> {
        let hosts = self.hosts.values();
        let digests = hosts.flat_map(|host| {
            let key = |check: &str| (host.now.id, check.to_owned());
            host.checks.iter().map(move |(check, row)| (key(check), mark(host, row)))
        });
        digests.map(|(key, mark)| (key, digest(&mark))).collect()
    }

    /// Every check whose state, seen or told, is not OK, and those of which nothing has come for too long.
    pub(crate) fn bad_views(&self) -> Vec<CheckView> {
        let is_bad = |row: &CheckRow| {
            let machine = &row.machine;
            machine.state != CheckState::Ok || machine.hard_state != CheckState::Ok || row.stale_ms.is_some()
        };
        let hosts = self.hosts.values();
        let bad = hosts.flat_map(|host| {
            host.checks.iter().filter(|(_, row)| is_bad(row)).map(move |(check, row)| view(host, check, row))
        });
        bad.collect()
    }

    pub(crate) fn view(&self, host: HostId, check: &str) -> Option<CheckView> {
        let host = self.hosts.get(&host)?;
        host.checks.get_key_value(check).map(|(check, row)| view(host, check, row))
    }

    /// Of hosts that are away and of which somebody has taken it.
    pub(crate) fn host_acknowledgements(&self) -> Vec<(HostId, Acknowledgement)> {
        let hosts = self.hosts.values();
        hosts.filter_map(|host| Some((host.now.id, host.own.acknowledgement.clone()?))).collect()
    }

    pub(crate) fn downtimes(&self) -> Vec<Downtime> {
        self.downtimes.values().map(|read| read.row.clone()).collect()
    }

    /// Those that are over and not forgotten yet, by number.
    pub(crate) fn ended_downtimes(&self) -> Vec<Downtime> {
        self.ended_downtimes.values().cloned().collect()
    }

    /// Every problem that was told and has not ended, whole.
    pub(crate) fn standing(&self, now_ms: i64) -> Vec<StatusChange> {
        let mut told = Vec::new();
        told.extend(self.fleet.told.is_some().then(|| (FLEET, String::new())));
        for (id, host) in &self.hosts {
            told.extend(host.own.told.is_some().then(|| (*id, String::new())));
            let checks = host.checks.iter().filter(|(_, row)| row.told.is_some());
            told.extend(checks.map(|(check, _)| (*id, check.clone())));
        }
        let moment = self.moment(now_ms);
        let standing = told.iter().filter_map(|key| self.condition(key, &moment)).chain(self.standing_maintenances());
        standing.map(StatusChange::Problem).collect()
    }
}

fn mark<'a>(host: &'a HostBook, row: &'a CheckRow) -> CheckMark<'a> {
    CheckMark {
        host_name: &host.now.name,
        state: row.machine.state,
        hard_state: row.machine.hard_state,
        attempt: row.machine.attempt,
        max_attempts: row.definition.max_attempts.max(1),
        since_ms: row.machine.since_ms,
        hard_since_ms: row.machine.hard_since_ms,
        stale_ms: row.stale_ms,
        output: &row.output,
        kind: row.definition.kind,
        interval_ms: row.definition.interval_ms,
        parents: &row.definition.parents,
        remedy: &row.definition.remedy,
        is_flapping: row.flapping.is_on,
        acknowledgement: row.acknowledgement.as_ref(),
        holds: row.told.as_ref().map_or(&[], |told| &told.holds),
    }
}

fn view(host: &HostBook, check: &str, row: &CheckRow) -> CheckView {
    CheckView {
        host: host.now.id,
        host_name: host.now.name.clone(),
        check: check.to_owned(),
        state: row.machine.state,
        hard_state: row.machine.hard_state,
        attempt: row.machine.attempt,
        max_attempts: row.definition.max_attempts.max(1),
        since_ms: row.machine.since_ms,
        hard_since_ms: row.machine.hard_since_ms,
        at_ms: row.machine.at_ms,
        arrived_ms: row.arrived_ms,
        is_live: row.is_live,
        stale_ms: row.stale_ms,
        output: row.output.clone(),
        long_output: row.long_output.clone(),
        perfdata: row.perfdata.iter().map(|one| one.to_wire()).collect(),
        duration_ms: row.duration_ms,
        kind: row.definition.kind,
        interval_ms: row.definition.interval_ms,
        parents: row.definition.parents.clone(),
        remedy: row.definition.remedy.clone(),
        is_flapping: row.flapping.is_on,
        flapping_percent: row.flapping.percent(),
        acknowledgement: row.acknowledgement.clone(),
        holds: row.told.as_ref().map(|told| told.holds.clone()).unwrap_or_default(),
    }
}
