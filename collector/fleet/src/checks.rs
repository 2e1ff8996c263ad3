//! Status as the collector uses it: reports and time step the book, and what follows from it becomes durable with it.
//!
//! Every change goes the same way: the book is stepped under the lock of the file, the follower makes alerts of what changed, and the
//! rows and events of both are one transaction. After one that failed the book is read anew with everything else.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use muster_common::wire::message::Report;

use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::follower::{Follower, SmallChange, SmallTable};
use crate::host::HostState;
use crate::memory::Memory;
use crate::rows::Registration;
use crate::state::{Pair, State};
use crate::status::{
    AbsentNow, Acknowledgement, CheckMark, CheckView, Downtime, DowntimeSpec, Expected, Goodbye, HostNow, StatusChange,
};
use crate::tables::small_table;

/// Bytes of a comment.
const COMMENT_BYTES_MAX: usize = 1_024;

/// A report of a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Reported {
    pub host: HostId,
    pub arrived: Timestamp,
    /// It came as it was made, not from a spool.
    pub is_live: bool,
    pub report: Report,
}

impl Fleet {
    /// Who makes alerts of status from now on. What was told before stands in [`Self::conditions`].
    pub fn set_follower(&self, follower: Arc<dyn Follower>) {
        *self.follower.write() = Some(follower);
    }

    /// Makes rows and events of alert durable that follow from no change of status.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: then it is unknown whether they are.
    pub fn change_small(&self, now: Timestamp, make: impl FnOnce() -> SmallChange) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        // Made under the lock of the file, as those that follow status are: so rows are written in the order in which they were made.
        let change = make();
        if change == SmallChange::default() {
            return Ok(());
        }
        let mut draft = Draft::default();
        draft.take_small(change, now);
        self.commit(&mut state, draft)
    }

    /// Keys and values of a table of alert, by key.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails.
    pub fn small_rows(&self, table: SmallTable) -> Result<Vec<Pair>, FleetError> {
        self.scan(|reading| reading.pairs(small_table(table)))
    }

    /// Takes reports in their order, in one transaction. Results that are not newer than those known change nothing, so reports may be
    /// applied again. Those of hosts that are not active are left out.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails: then they are to be applied again.
    pub fn apply_reports(&self, reports: &[Reported]) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        match self.step_reports(reports) {
            Some(now) => self.commit_status(&mut state, Draft::default(), now),
            None => Ok(()),
        }
    }

    /// Steps the book by these reports, to be followed by [`Self::commit_status`]; the answer is when the last one arrived.
    pub(crate) fn step_reports(&self, reports: &[Reported]) -> Option<Timestamp> {
        let memory = self.memory.read();
        let mut book = self.book.lock();
        for one in reports {
            let row = memory.host(one.host).filter(|row| row.state == HostState::Active);
            if let Some(row) = row {
                book.report(&host_now(row), &one.report, one.arrived, one.is_live);
            }
        }
        reports.iter().map(|one| one.arrived).max()
    }

    /// To be called about once a second from when hosts are listened to: what time alone brings about.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails; the next call does what this one did not.
    pub fn tick_status(&self, now: Timestamp) -> Result<(), FleetError> {
        self.status_change(now, |fleet| {
            let hosts = active_hosts(&fleet.memory.read());
            fleet.book.lock().tick(now, hosts);
            Ok(())
        })
    }

    /// A host's agent said goodbye for a moment: the host's problems are held until it is heard again, at the longest for
    /// [`Goodbye::within`]. Of the many that an upgrade of the fleet brings each waits for no disk: it is durable with the next
    /// [`Self::tick_status`].
    pub fn said_goodbye(&self, host: HostId, goodbye: Goodbye, now: Timestamp) {
        let until_ms = now.plus(goodbye.within()).millis();
        self.book.lock().expect_absence(host, Expected { goodbye, until_ms });
    }

    /// [`Self::said_goodbye`] of an agent that starts anew, and is late from then on.
    pub fn expect_absence(&self, host: HostId, until: Timestamp) {
        self.book.lock().expect_absence(host, Expected { goodbye: Goodbye::Restart, until_ms: until.millis() });
    }

    /// It is back, or not expected any more.
    pub fn expect_no_absence(&self, host: HostId) {
        self.book.lock().expect_no_absence(host);
    }

    /// Hosts that are silent for the sake of a host through which they are reached.
    pub fn unreachable_hosts(&self, now: Timestamp) -> Vec<HostId> {
        self.book.lock().unreachable_hosts(now.millis())
    }

    /// What an agent's clock showed when it wrote a frame that has just arrived. A clock that is off is a problem of its own,
    /// `HostClockSkewed`, with the next [`Self::tick_status`].
    pub fn measured_clock(&self, host: HostId, agent: Timestamp, arrived: Timestamp) {
        self.book.lock().measured_clock(host, agent, arrived);
    }

    /// Every check as it stands, by host and name.
    pub fn checks(&self) -> Vec<CheckView> {
        self.book.lock().views()
    }

    /// Those of one host, by name.
    pub fn checks_of_host(&self, host: HostId) -> Vec<CheckView> {
        self.book.lock().views_of(host)
    }

    /// Every check, by host and name, with what `digest` makes of it: without copies of what a hundred thousand of them say.
    pub fn check_digests(&self, digest: impl Fn(&CheckMark<'_>) -> u64) -> Vec<((HostId, String), u64)> {
        self.book.lock().digests(digest)
    }

    /// One check as it stands.
    pub fn check(&self, host: HostId, check: &str) -> Option<CheckView> {
        self.book.lock().view(host, check)
    }

    /// Acknowledgements of hosts' absences.
    pub fn host_acknowledgements(&self) -> Vec<(HostId, Acknowledgement)> {
        self.book.lock().host_acknowledgements()
    }

    /// Every problem that was told and has not ended, as it stands.
    pub fn conditions(&self, now: Timestamp) -> Vec<StatusChange> {
        self.book.lock().standing(now.millis())
    }

    /// Downtimes that are not over, by number.
    pub fn downtimes(&self) -> Vec<Downtime> {
        self.book.lock().downtimes()
    }

    /// Downtimes that were on and ended in the last 400 days, by number.
    pub fn ended_downtimes(&self) -> Vec<Downtime> {
        self.book.lock().ended_downtimes()
    }

    /// Somebody takes the problem of this check, or that this host is away (no check).
    ///
    /// # Errors
    /// [`FleetError::NoHost`], [`FleetError::NoCheck`], [`FleetError::NoProblem`], [`FleetError::StatusSpec`]; when the disk or the file fails.
    pub fn acknowledge(
        &self,
        host: HostId,
        check: Option<&str>,
        acknowledgement: Acknowledgement,
        by: &By,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        check_acknowledgement(&acknowledgement)?;
        self.status_change(now, |fleet| {
            let name = fleet.name_of(host, check)?;
            let check = check.unwrap_or_default();
            let is_taken = fleet.book.lock().acknowledge(host, check, acknowledgement, by, now);
            is_taken.then_some(()).ok_or_else(|| no_problem(name, check))
        })
    }

    /// As [`Self::acknowledge`], of many problems in one transaction: all of them or, with why each of those that hinder it does, none.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`]; when the disk or the file fails.
    pub fn acknowledge_all(
        &self,
        problems: &[(HostId, Option<String>)],
        acknowledgement: &Acknowledgement,
        by: &By,
        now: Timestamp,
    ) -> Result<Vec<(usize, FleetError)>, FleetError> {
        check_acknowledgement(acknowledgement)?;
        self.status_change(now, |fleet| {
            let hinders = |(host, check): &(HostId, Option<String>)| match fleet.name_of(*host, check.as_deref()) {
                Ok(name) => {
                    let check = check.as_deref().unwrap_or_default();
                    let has_problem = fleet.book.lock().has_problem(*host, check);
                    (!has_problem).then(|| no_problem(name, check))
                }
                Err(error) => Some(error),
            };
            let all = problems.iter().enumerate();
            let hindered: Vec<_> = all.filter_map(|(place, one)| Some((place, hinders(one)?))).collect();
            if hindered.is_empty() {
                let mut book = fleet.book.lock();
                for (host, check) in problems {
                    book.acknowledge(*host, check.as_deref().unwrap_or_default(), acknowledgement.clone(), by, now);
                }
            }
            Ok(hindered)
        })
    }

    /// Takes an acknowledgement back.
    ///
    /// # Errors
    /// [`FleetError::NoHost`], [`FleetError::NoCheck`], [`FleetError::NoProblem`]; when the disk or the file fails.
    pub fn unacknowledge(&self, host: HostId, check: Option<&str>, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.status_change(now, |fleet| {
            let name = fleet.name_of(host, check)?;
            let check = check.unwrap_or_default();
            let is_taken = fleet.book.lock().unacknowledge(host, check, by, now);
            is_taken.then_some(()).ok_or_else(|| no_problem(name, check))
        })
    }

    /// Removes a check with its problem; it comes back with its next result.
    ///
    /// # Errors
    /// [`FleetError::NoHost`], [`FleetError::NoCheck`]; when the disk or the file fails.
    pub fn forget_check(&self, host: HostId, check: &str, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.status_change(now, |fleet| {
            fleet.name_of(host, Some(check))?;
            fleet.book.lock().forget(host, check, by, now);
            Ok(())
        })
    }

    /// Removes checks of kind metric that are not among these names: no rule has them any more.
    ///
    /// # Errors
    /// When the disk or the file fails.
    pub fn keep_metric_checks(&self, named: &BTreeSet<&str>, now: Timestamp) -> Result<(), FleetError> {
        self.status_change(now, |fleet| {
            fleet.book.lock().keep_metric_checks(named, now);
            Ok(())
        })
    }

    /// Adds a downtime; the answer is its number.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`] says what is wrong with it; when the disk or the file fails.
    pub fn add_downtime(&self, spec: DowntimeSpec, by: &By, now: Timestamp) -> Result<u64, FleetError> {
        self.status_change(now, |fleet| {
            let added = fleet.book.lock().add_downtime(spec, by, now);
            added.map_err(|why| FleetError::StatusSpec { what: "the downtime", why })
        })
    }

    /// Ends a downtime before its time.
    ///
    /// # Errors
    /// [`FleetError::NoDowntime`], [`FleetError::DowntimeOfMaintenance`]; when the disk or the file fails.
    pub fn end_downtime(&self, id: u64, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.status_change(now, |fleet| {
            let mut book = fleet.book.lock();
            if let Some(maintenance) = book.maintenance_of_downtime(id) {
                return Err(FleetError::DowntimeOfMaintenance { id, maintenance });
            }
            let is_ended = book.end_downtime(id, by, now);
            is_ended.then_some(()).ok_or(FleetError::NoDowntime { id })
        })
    }

    /// Steps the book and makes what follows durable. A step that fails must not have changed the book.
    pub(crate) fn status_change<T>(
        &self,
        now: Timestamp,
        step: impl FnOnce(&Self) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let mut state = self.sure_state()?;
        let value = step(self)?;
        self.commit_status(&mut state, Draft::default(), now)?;
        Ok(value)
    }

    /// Makes the draft durable with all that the book's steps since the last commit changed and what the follower makes of it.
    pub(crate) fn commit_status(&self, state: &mut State, mut draft: Draft, now: Timestamp) -> Result<(), FleetError> {
        let outcome = self.book.lock().settle(now);
        draft.rows.extend(outcome.rows);
        draft.events.extend(outcome.events);
        let follower = self.follower.read().clone().filter(|_| !outcome.changes.is_empty());
        if let Some(follower) = &follower {
            draft.take_small(follower.follow(&outcome.changes, now), now);
        }
        let done = self.commit(state, draft);
        if done.is_ok() {
            self.moves.lock().tell(outcome.moved);
        }
        if let Some(follower) = follower {
            follower.settled(done.is_ok());
        }
        done
    }

    /// The name of an active host that has this check, if one is asked for.
    fn name_of(&self, host: HostId, check: Option<&str>) -> Result<String, FleetError> {
        let memory = self.memory.read();
        let row = memory.host(host).filter(|row| row.state == HostState::Active);
        let name = row.map(|row| row.name.clone()).ok_or_else(|| FleetError::NoHost { asked: host.to_string() })?;
        match check {
            Some(check) if self.book.lock().view(host, check).is_none() => {
                Err(FleetError::NoCheck { host: name, check: check.to_owned() })
            }
            _ => Ok(name),
        }
    }
}

fn check_acknowledgement(acknowledgement: &Acknowledgement) -> Result<(), FleetError> {
    let Acknowledgement { by: owner, comment, .. } = acknowledgement;
    if owner.is_empty() || owner.len().max(comment.len()) > COMMENT_BYTES_MAX {
        let why = format!("say who, and who and comment in at most {COMMENT_BYTES_MAX} bytes each");
        return Err(FleetError::StatusSpec { what: "the acknowledgement", why });
    }
    Ok(())
}

fn no_problem(host: String, check: &str) -> FleetError {
    let what = if check.is_empty() { "the absence".to_owned() } else { format!("check `{check}`") };
    FleetError::NoProblem { host, what }
}

/// A host as status sees it.
pub(crate) fn host_now(row: &Registration) -> HostNow {
    let absent = row.absence.as_ref().map(|absence| AbsentNow { since_ms: absence.since_ms, why: absence.why() });
    HostNow {
        id: row.id,
        name: row.name.clone(),
        labels: row.labels.clone(),
        is_ephemeral: row.ephemeral_ms.is_some(),
        absent,
    }
}

/// All active hosts as status sees them.
pub(crate) fn active_hosts(memory: &Memory) -> Vec<HostNow> {
    let active = memory.hosts().filter(|row| row.state == HostState::Active);
    active.map(|row| host_now(row)).collect()
}

#[cfg(test)]
mod tests;
