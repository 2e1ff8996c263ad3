//! What ingest asks and tells: which document a host is to have, and how it stands there.

use muster_common::host::HostId;
use muster_common::limits::{PROBLEM_TEXT_BYTES_MAX, PROBLEMS_MAX};
use muster_common::time::Timestamp;
use tokio::sync::watch;

use super::book::ProfileBook;
use super::compose::ConfigurationDigest;
use super::rollout::ConfigurationWord;
use super::rows::ToldRow;
use super::step::Work;
use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::rows::cut_to;

/// Rounds of one step: hosts that are released in one are composed in the next.
const ROUNDS: usize = 3;

impl Fleet {
    /// What a host is to have now: number, digest and document (empty: none); `None`: nothing was ever to be there, or it is not composed yet,
    /// and [`Fleet::take_configurations_due`] will name it.
    pub fn configuration_for(&self, host: HostId) -> Option<(u64, ConfigurationDigest, std::sync::Arc<str>)> {
        let book = self.profiles.lock();
        book.offer(host).map(|offer| (offer.number, offer.digest, offer.document.clone()))
    }

    /// Moves when hosts are to be given another document: ask [`Fleet::take_configurations_due`] then.
    pub fn subscribe_configurations(&self) -> watch::Receiver<u64> {
        self.configurations.subscribe()
    }

    /// Hosts that are to be given what [`Fleet::configuration_for`] says; each is given out once. One that is not connected gets it by its welcome.
    pub fn take_configurations_due(&self) -> Vec<HostId> {
        self.profiles.lock().take_due()
    }

    /// A session of this host has begun; `reads`: its agent takes configurations. Worked in by the next [`Fleet::step_profiles`].
    pub fn configuration_connected(&self, host: HostId, reads: bool) {
        self.profiles.lock().queue.entry(host).or_default().session = Some(Some(reads));
    }

    /// The host's session has ended and no other took its place.
    pub fn configuration_gone(&self, host: HostId) {
        self.profiles.lock().queue.entry(host).or_default().session = Some(None);
    }

    /// What a host tells of its configuration, after each welcome and at each change. Worked in by the next [`Fleet::step_profiles`]; of several the
    /// last one counts. `in_force`, `offered`: zeros for none.
    pub fn configuration_told(
        &self,
        host: HostId,
        in_force: ConfigurationDigest,
        offered: ConfigurationDigest,
        word: impl Into<ConfigurationWord>,
        problems: &[String],
        now: Timestamp,
    ) {
        let problems = problems.iter().take(PROBLEMS_MAX.min(super::bounds::CONFIGURATION_PROBLEMS_MAX));
        let problems = problems.map(|problem| cut_to(problem, PROBLEM_TEXT_BYTES_MAX)).collect();
        let told = ToldRow { word: word.into(), in_force, offered, problems, ms: now.millis() };
        self.profiles.lock().queue.entry(host).or_default().told = Some(told);
    }

    /// To be called about once a second: composes hosts that have changed (a thousand at most), works in what hosts told, and goes on with the open
    /// roll-out. What it decides is durable when it returns, and hosts are due.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file failed; the next call goes on from what the file has.
    pub fn step_profiles(&self, now: Timestamp) -> Result<(), FleetError> {
        for _ in 0..ROUNDS {
            let fresh = self.compose_marked();
            let is_more = self.change_profiles(&By::MUSTER, now, |book, work| {
                let marked = book.marked.len();
                book.step(work, fresh);
                Ok(book.marked.len() > marked)
            })?;
            if !is_more {
                break;
            }
        }
        Ok(())
    }

    /// Runs a decision over profiles and makes what it drafted durable. A decision that fails must have changed nothing.
    pub(super) fn change_profiles<T>(
        &self,
        by: &By,
        now: Timestamp,
        decide: impl FnOnce(&mut ProfileBook, &mut Work<'_>) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let mut state = self.sure_state()?;
        let mut draft = Draft::default();
        let (value, offers) = {
            let memory = self.memory.read();
            let mut book = self.profiles.lock();
            let mut work = Work::new(&memory, by, now);
            let numbers = book.numbers;
            let value = decide(&mut book, &mut work)?;
            book.finish(&mut work, numbers);
            draft.rows = std::mem::take(&mut work.puts);
            draft.events = std::mem::take(&mut work.events);
            (value, work.offers)
        };
        self.commit(&mut state, draft)?;
        // While the file is held, so that of two changes the later one is given last.
        let is_new = self.profiles.lock().publish(offers);
        drop(state);
        if is_new {
            self.configurations.send_modify(|moved| *moved += 1);
        }
        Ok(value)
    }
}
