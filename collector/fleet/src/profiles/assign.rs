//! Profiles assigned to hosts by hand: in force there whether they fit or not.

use muster_common::host::HostId;
use muster_common::time::Timestamp;

use super::bounds::{ASSIGNMENTS_A_HOST_MAX, DESCRIPTION_BYTES_MAX};
use super::reader::shown;
use super::rows::{Assignment, assignment_key};
use crate::by::By;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};
use crate::rows::encode;
use crate::tables::{PROFILE_ASSIGNMENTS, Put};

impl Fleet {
    /// Puts a profile in force on a host. It is the host's own change, so it goes out at once, without waves.
    ///
    /// # Errors
    /// [`FleetError::NoHost`], [`FleetError::NoProfile`], [`FleetError::StatusSpec`]: a bad reason, or too many; when the disk or the file fails.
    pub fn assign_profile(
        &self,
        host: HostId,
        profile: &str,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<Assignment, FleetError> {
        let refused = |why: String| FleetError::StatusSpec { what: "the assignment", why };
        if reason.len() > DESCRIPTION_BYTES_MAX {
            return Err(refused(format!("its reason is longer than {DESCRIPTION_BYTES_MAX} bytes: shorten it")));
        }
        self.change_profiles(by, now, |book, work| {
            let row = work.memory.host(host).filter(|row| row.state == HostState::Active);
            let name = row.map(|row| row.name.clone()).ok_or_else(|| FleetError::NoHost { asked: host.to_string() })?;
            if book.current.profile(profile).is_none() {
                return Err(FleetError::NoProfile { name: shown(profile) });
            }
            let own = book.assignments.entry(host).or_default();
            if own.len() >= ASSIGNMENTS_A_HOST_MAX && !own.contains_key(profile) {
                return Err(refused(format!(
                    "host `{name}` has {ASSIGNMENTS_A_HOST_MAX}, which is the most: make one profile that includes some"
                )));
            }
            let (by_text, made_ms) = (by.to_string(), now.millis());
            let assignment =
                Assignment { profile: profile.to_owned(), by: by_text, reason: reason.trim().to_owned(), made_ms };
            own.insert(profile.to_owned(), assignment.clone());
            let because = if assignment.reason.is_empty() { String::new() } else { format!(": {}", assignment.reason) };
            let text = format!("assigned profile `{profile}` to host `{name}`{because}");
            work.events
                .push(Event::new(EventKind::ProfileAssigned, by, now, text).of(host, &name).with("profile", profile));
            work.puts.push(Put::set(PROFILE_ASSIGNMENTS, &assignment_key(host, profile), encode(&assignment)));
            book.mark([host]);
            Ok(assignment)
        })
    }

    /// Takes an assignment back. The profile stays in force where it fits and accepts itself.
    ///
    /// # Errors
    /// [`FleetError::NoProfile`] if it is not assigned there; when the disk or the file fails.
    pub fn unassign_profile(
        &self,
        host: HostId,
        profile: &str,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<Assignment, FleetError> {
        if reason.len() > DESCRIPTION_BYTES_MAX {
            let why = format!("its reason is longer than {DESCRIPTION_BYTES_MAX} bytes: shorten it");
            return Err(FleetError::StatusSpec { what: "the assignment", why });
        }
        self.change_profiles(by, now, |book, work| {
            let none = || FleetError::NotAssigned { name: shown(profile), host: work.name(host) };
            let own = book.assignments.get_mut(&host).ok_or_else(none)?;
            let assignment = own.remove(profile).ok_or_else(none)?;
            if own.is_empty() {
                book.assignments.remove(&host);
            }
            let name = work.name(host);
            let because = if reason.trim().is_empty() { String::new() } else { format!(": {}", reason.trim()) };
            let text = format!("profile `{profile}` is no more assigned to host `{name}`{because}");
            work.events
                .push(Event::new(EventKind::ProfileUnassigned, by, now, text).of(host, &name).with("profile", profile));
            work.puts.push(Put::remove(PROFILE_ASSIGNMENTS, &assignment_key(host, profile)));
            book.mark([host]);
            Ok(assignment)
        })
    }

    /// All assignments by hand, by host and name.
    pub fn profile_assignments(&self) -> Vec<(HostId, Assignment)> {
        let book = self.profiles.lock();
        book.assignments.iter().flat_map(|(host, all)| all.values().map(|one| (*host, one.clone()))).collect()
    }

    /// Gives a host the newest document again after it was set back, under a new number, so that its agent tries it once more.
    ///
    /// # Errors
    /// [`FleetError::NoHost`]; [`FleetError::StatusSpec`] when it was not set back; when the disk or the file fails.
    pub fn retry_configuration(&self, host: HostId, by: &By, now: Timestamp) -> Result<(), FleetError> {
        self.change_profiles(by, now, |book, work| {
            let row = work.memory.host(host).filter(|row| row.state == HostState::Active);
            let name = row.map(|row| row.name.clone()).ok_or_else(|| FleetError::NoHost { asked: host.to_string() })?;
            let target = book.machine(now.millis()).map(|machine| machine.row.target);
            let entry = book.hosts.get_mut(&host).filter(|entry| !entry.row.problem.is_empty());
            let Some(entry) = entry else {
                let why = format!("host `{name}` was not set back, so there is nothing to try again");
                return Err(FleetError::StatusSpec { what: "the attempt", why });
            };
            entry.row.version = target;
            entry.row.problem.clear();
            // Another number, although it may be the document of its last one.
            entry.row.digest = [0; 16];
            work.touch(host);
            let text = format!("host `{name}` is given the configuration again that it was set back from");
            work.events.push(Event::new(EventKind::ConfigurationRetried, by, now, text).of(host, &name));
            book.mark([host]);
            Ok(())
        })
    }
}
