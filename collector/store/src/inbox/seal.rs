//! When a generation ends, and which sealed files may go (rule 22).

use std::time::Duration;

use muster_common::time::Timestamp;

use super::{Inbox, file};
use crate::error::{CommitError, FileError};
use crate::shared::{Shared, add};

/// What a refused agent is told: a flush of one generation takes a second or two.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Inbox {
    /// Whether the active generation is at one of its bounds.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let (active, config) = (&self.active, &self.shared.config);
        active.bytes >= config.generation_bytes_max
            || active.head.bytes() >= config.head_bytes_max
            || active.head.logs.bytes() >= config.log_head_bytes_max
            || active.first_at.is_some_and(|first| now.since(first) >= config.generation_age)
    }

    /// Seals the active generation and starts the next one, if it holds anything.
    pub(crate) fn seal(&mut self, now: Timestamp) -> Result<bool, CommitError> {
        if self.active.is_empty() {
            return Ok(false);
        }
        self.unlink_passed();
        if self.sealed.len() >= self.shared.config.waiting_files_max {
            add(&self.shared.counters.throttled, 1);
            return Err(CommitError::Throttled { waiting: self.sealed.len(), retry_after: RETRY_AFTER });
        }
        self.next_generation(now)?;
        Ok(true)
    }

    /// Seals the active generation, be it empty: its marks may differ from those of the files before it. One file more than may wait
    /// is taken, since a snapshot is not put off by a projection that is behind.
    ///
    /// # Errors
    /// [`CommitError::Unknown`]: the next call finds out which file is the active one.
    pub(crate) fn seal_for_copy(&mut self, now: Timestamp) -> Result<(), CommitError> {
        if let Err(error) = self.ready() {
            self.fail(&error, now);
            return Err(CommitError::Unknown(error));
        }
        self.next_generation(now)
    }

    fn next_generation(&mut self, now: Timestamp) -> Result<(), CommitError> {
        let shared = self.shared.clone();
        let next = self.active.generation + 1;
        let made = file::create(&shared, next, self.active.database.as_ref(), now).and_then(|()| {
            self.rotate(next);
            self.active.take_up(&shared, &mut self.entries)
        });
        made.map_err(|error| {
            self.fail(&error, now);
            CommitError::Unknown(error)
        })
    }

    /// Seals an active file in which something is damaged, at opening: the entries lost at its end may have had the very numbers that
    /// would come next, and a projection that has passed those would take the new ones for old.
    pub(crate) fn leave_damaged(&mut self, now: Timestamp) -> Result<(), FileError> {
        let shared = self.shared.clone();
        let next = self.active.generation + 1;
        file::create(&shared, next, self.active.database.as_ref(), now)?;
        self.rotate(next);
        self.active.take_up(&shared, &mut self.entries)
    }

    /// Seals it from outside a commit.
    pub(crate) fn seal_now(&mut self, now: Timestamp) -> Result<bool, CommitError> {
        if let Err(error) = self.ready() {
            self.fail(&error, now);
            return Err(CommitError::Unknown(error));
        }
        self.seal(now)
    }

    /// Unlinks the sealed files that both projections have passed.
    pub(crate) fn unlink_passed(&mut self) {
        let reached = self.state_reached;
        let passed = |generation: u64, last_state: Option<u64>| match (last_state, reached) {
            (None, _) => true,
            (Some(entry), Some(reached)) => (reached.generation, reached.entry) >= (generation, entry),
            (Some(_), None) => false,
        };
        let shared = self.shared.clone();
        self.sealed.retain(|&generation, sealed| {
            !(sealed.flushed && passed(generation, sealed.last_state)) || unlink(&shared, generation).is_err()
        });
    }

    /// The catalog has passed these generations.
    pub(crate) fn flushed_through(&mut self, generation: u64) {
        for (_, sealed) in self.sealed.range_mut(..=generation) {
            sealed.flushed = true;
        }
        self.positions.flushed_through(generation);
        let known = self.positions.len() as u64;
        self.shared.counters.log_positions.store(known, std::sync::atomic::Ordering::Relaxed);
        self.unlink_passed();
    }
}

/// Not synced: a file that comes back after a power cut is passed again at open and unlinked again.
pub(crate) fn unlink(shared: &Shared, generation: u64) -> Result<(), FileError> {
    let path = file::path(&shared.inbox_folder, generation);
    match shared.disk.unlink(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            add(&shared.counters.unlink_errors, 1);
            Err(FileError::disk("unlink", &path)(error))
        }
        _ => Ok(()),
    }
}
