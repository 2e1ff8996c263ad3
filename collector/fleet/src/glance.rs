//! Every host at a glance, for lists of thousands: what one row shows, read in one go, without the words of each check.

use std::collections::BTreeMap;

use muster_common::host::HostId;

use crate::fleet::Fleet;
use crate::host::HostState;
use crate::standing::{Standing, standing};
use crate::status::{CheckCounts, Severity};

/// A check that is not well, hard or without news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadCheck {
    pub check: String,
    pub severity: Severity,
    /// Since when it is as bad as it is, milliseconds.
    pub since_ms: i64,
}

/// One host that is not retired.
#[derive(Clone, Debug, PartialEq)]
pub struct HostGlance {
    pub id: HostId,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub state: HostState,
    pub agent_version: String,
    pub enrolled_ms: Option<i64>,
    /// What was told of it last.
    pub standing: Standing,
    /// Since when it stands so, as far as is known, milliseconds.
    pub since_ms: i64,
    pub checks: CheckCounts,
    pub bad: Vec<BadCheck>,
}

impl Fleet {
    /// Every host that is not retired, by id.
    pub fn glances(&self) -> Vec<HostGlance> {
        let memory = self.memory.read();
        let book = self.book.lock();
        let sightings = self.sightings.lock();
        let rows = memory.hosts().filter(|row| row.state != HostState::Retired);
        rows.map(|row| {
            let seen = book.glance(row.id);
            let begun_ms = row.enrolled_ms.unwrap_or(row.asked_ms).max(row.replaced_ms.unwrap_or(0));
            HostGlance {
                id: row.id,
                name: row.name.clone(),
                labels: row.labels.clone(),
                state: row.state,
                agent_version: sightings.last(row.id).map(|seen| seen.agent_version.clone()).unwrap_or_default(),
                enrolled_ms: row.enrolled_ms,
                standing: standing(row),
                since_ms: row.absence.as_ref().map_or(begun_ms.max(seen.returned_ms), |absence| absence.since_ms),
                checks: seen.checks,
                bad: seen.bad,
            }
        })
        .collect()
    }

    /// Every host with its state: cheaper still.
    pub fn host_states(&self) -> Vec<(HostId, HostState)> {
        self.memory.read().hosts().map(|row| (row.id, row.state)).collect()
    }
}

#[cfg(test)]
mod tests {
    use muster_common::check::CheckState;
    use muster_common::wire::message::{CheckDefinition, CheckReport, Report};

    use super::*;
    use crate::status::CheckMark;
    use crate::testing::{Bench, at};
    use crate::{Reported, StandingNote};

    fn hash(text: &str) -> u64 {
        text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
    }

    #[test]
    fn a_glance_counts_checks_and_says_since_when_a_host_stands_as_it_does() {
        let bench = Bench::new();
        let host = bench.host("web1").id();
        let report = |check: &str, state: CheckState, second: u64| Reported {
            host,
            arrived: at(second),
            is_live: true,
            report: Report::Check(CheckReport {
                at_ms: at(second).millis(),
                check: check.to_owned(),
                state: state as u8,
                output: String::new(),
                long_output: String::new(),
                perfdata: Vec::new(),
                duration_ms: 5,
                definition: CheckDefinition::default(),
            }),
        };
        let reports = [
            report("disk", CheckState::Critical, 10),
            report("load", CheckState::Ok, 10),
            report("ntp", CheckState::Warning, 12),
        ];
        bench.fleet.apply_reports(&reports).unwrap();
        let digest = |mark: &CheckMark<'_>| hash(&format!("{mark:?}"));
        let views: Vec<_> =
            bench.fleet.checks().iter().map(|one| ((one.host, one.check.clone()), digest(&one.into()))).collect();
        assert_eq!(bench.fleet.check_digests(digest), views, "what is compared of a check is what its view says");
        assert_eq!(bench.fleet.checks_of_host(host), bench.fleet.checks());
        assert_eq!(bench.fleet.checks_of_host(HostId([7; 16])), []);
        let glance = bench.fleet.glances().pop().unwrap();
        assert_eq!(glance.checks, CheckCounts { ok: 1, warning: 1, critical: 1, unknown: 0 });
        let bad: Vec<_> = glance.bad.iter().map(|bad| (bad.check.as_str(), bad.severity, bad.since_ms)).collect();
        assert_eq!(bad, [("disk", Severity::Critical, at(10).millis()), ("ntp", Severity::Warning, at(12).millis())]);
        assert_eq!((glance.standing, glance.name.as_str()), (Standing::Present, "web1"));

        let note = |standing| StandingNote { host, standing, last_heard: Some(at(20)), goodbye: "" };
        bench.fleet.note_standings(&[note(Standing::Silent)], at(70)).unwrap();
        let glance = bench.fleet.glances().pop().unwrap();
        assert_eq!((glance.standing, glance.since_ms), (Standing::Silent, at(70).millis()));
        bench.fleet.note_standings(&[note(Standing::Present)], at(90)).unwrap();
        let glance = bench.fleet.glances().pop().unwrap();
        assert_eq!((glance.standing, glance.since_ms), (Standing::Present, at(90).millis()));
    }
}
