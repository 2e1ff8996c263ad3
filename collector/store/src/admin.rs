//! Flushing, merging, retention, health: what the server's maintenance loop and the admin routes call.

use std::error::Error;
use std::sync::Arc;

use muster_common::stat::Stat;
use muster_common::time::Timestamp;

use crate::engine::{Engine, Maintenance};
use crate::error::{CommitError, FlushError};
use crate::flush::Flushed;
use crate::merge_plan::Why;
use crate::retention;
use crate::shared::add;

/// The handle that may change what is stored, but not add to it.
#[derive(Clone)]
pub struct Admin {
    pub(crate) engine: Arc<Engine>,
}

/// What [`Admin::flush`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Generations written to segments.
    pub generations: usize,
    pub samples: u64,
    pub merges: usize,
    /// Inbox files that wait on for state.redb.
    pub waiting: usize,
}

/// What [`Admin::maintain`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaintainReport {
    pub generations: usize,
    pub samples: u64,
    pub merges: usize,
    /// Segments that retention let go.
    pub expired: usize,
}

/// What is wrong with the store now; all empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Since when commits fail, and why: nothing is acknowledged.
    pub inbox_failing: Option<(Timestamp, String)>,
    /// Since when flushes, merges or retention fail, and why: inbox files pile up to their bound.
    pub flush_failing: Option<(Timestamp, String)>,
    /// Segments that are not read because they are damaged: file name and reason.
    pub quarantined: Vec<(String, String)>,
    /// Files in the folders `aside` of the segments: the catalog does not name them, but segments of their generations are
    /// missing.
    pub set_aside: Vec<String>,
    /// Inbox values whose checksum failed, and samples that were lost with them.
    pub damaged_entries: u64,
    pub lost_samples: u64,
    /// The inbox was missing at open: marks are lost, so a new incarnation was taken.
    pub marks_lost: bool,
}

impl Health {
    pub fn is_good(&self) -> bool {
        *self == Self::default()
    }
}

impl Admin {
    /// Seals the active generation, writes all sealed ones to segments and, when asked, merges to one segment a day.
    ///
    /// # Errors
    /// [`FlushError`]; what was not reached is done by the next run.
    pub fn flush(&self, merge: bool, now: Timestamp) -> Result<FlushReport, FlushError> {
        self.engine.maintain(now, |maintenance| {
            let before = maintenance.flush_sealed()?;
            maintenance.engine.inbox.lock().seal_now(now).map_err(FlushError::Seal)?;
            let after = maintenance.flush_sealed()?;
            maintenance.write_down_quarantine()?;
            let merges = if merge { maintenance.merge(Why::Asked)? } else { 0 };
            let waiting = maintenance.engine.inbox.lock().sealed.len();
            let Flushed { generations, samples } = after;
            let generations = before.generations + generations;
            Ok(FlushReport { generations, samples: before.samples + samples, merges, waiting })
        })
    }

    /// What the server calls every second or so: drops what is too old, seals by age, flushes what is sealed, merges what is due.
    ///
    /// # Errors
    /// [`FlushError`]; the next run goes on where this one failed.
    pub fn maintain(&self, now: Timestamp) -> Result<MaintainReport, FlushError> {
        self.engine.maintain(now, |maintenance| {
            // What gives room comes before what needs it: on a full disk a flush fails until something is let go.
            let expired = maintenance.expire()? + maintenance.expire_logs()?;
            maintenance.write_down_quarantine()?;
            let mut flushed = maintenance.flush_sealed()?;
            if maintenance.seal_if_due()? {
                let more = maintenance.flush_sealed()?;
                flushed.generations += more.generations;
                flushed.samples += more.samples;
            }
            let segments_min = maintenance.shared().config.merge_segments_min;
            let merges = maintenance.merge(Why::Due { segments_min })?;
            maintenance.forget_dropped()?;
            maintenance.forget_dropped_logs()?;
            Ok(MaintainReport { generations: flushed.generations, samples: flushed.samples, merges, expired })
        })
    }

    /// The store's own numbers.
    pub fn stats(&self) -> Vec<Stat> {
        crate::stats::stats(&self.engine.shared)
    }

    /// What is wrong now.
    pub fn health(&self) -> Health {
        let health = self.engine.shared.health.lock();
        Health {
            inbox_failing: health.inbox_failing.clone(),
            flush_failing: health.flush_failing.clone(),
            quarantined: health.quarantined.clone(),
            set_aside: health.set_aside.clone(),
            damaged_entries: health.damaged_entries,
            lost_samples: health.lost_samples,
            marks_lost: health.marks_lost,
        }
    }

    pub fn store_id(&self) -> [u8; 16] {
        self.engine.store_id
    }

    pub fn incarnation(&self) -> u64 {
        self.engine.incarnation
    }
}

impl Maintenance<'_> {
    /// A generation that nothing is committed to any more is sealed by its age here.
    fn seal_if_due(&mut self) -> Result<bool, FlushError> {
        let mut inbox = self.engine.inbox.lock();
        if !inbox.is_due(self.now) {
            return Ok(false);
        }
        match inbox.seal_now(self.now) {
            // state.redb is behind: commits are refused already, and that is said there.
            Err(CommitError::Throttled { .. }) => Ok(false),
            sealed => sealed.map_err(FlushError::Seal),
        }
    }

    pub(crate) fn write_down_quarantine(&mut self) -> Result<(), FlushError> {
        let found = self.shared().health.lock().to_quarantine.clone();
        if found.is_empty() {
            return Ok(());
        }
        let mut next = self.catalog.state().clone();
        found.iter().for_each(|(number, why)| next.quarantine(*number, why));
        self.commit(next)?;
        let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
        self.shared().health.lock().to_quarantine.retain(|(number, _)| !numbers.contains(number));
        Ok(())
    }

    fn expire(&mut self) -> Result<usize, FlushError> {
        let expired = retention::expired(self.catalog.state(), self.now, self.shared().config.retention);
        if expired.is_empty() {
            return Ok(0);
        }
        let mut next = self.catalog.state().clone();
        for &number in &expired {
            next.drop_segment(number);
        }
        let quarantined: Vec<String> = next.dropped.difference(&self.catalog.state().dropped).cloned().collect();
        self.commit(next)?;
        // Segments set aside are open nowhere: their files go here.
        let shared = self.shared().clone();
        shared.health.lock().quarantined.retain(|(file, _)| {
            let gone = quarantined.contains(file);
            if gone && shared.disk.unlink(&shared.segment_folder.join(file)).is_err() {
                add(&shared.counters.unlink_errors, 1);
            }
            !gone
        });
        add(&shared.counters.segments_expired, expired.len() as u64);
        Ok(expired.len())
    }

    /// Rows of dropped files that are gone go too.
    fn forget_dropped(&mut self) -> Result<(), FlushError> {
        if self.catalog.state().dropped.is_empty() {
            return Ok(());
        }
        let shared = self.shared().clone();
        let folder = &shared.segment_folder;
        let there = shared.disk.list(folder).map_err(crate::error::FileError::disk("list", folder))?;
        let mut next = self.catalog.state().clone();
        next.dropped.retain(|name| there.contains(name));
        if next.dropped.len() < self.catalog.state().dropped.len() {
            // First make the unlinking durable, or a power cut would bring back a file that no row tells of.
            shared.disk.sync_dir(folder).map_err(crate::error::FileError::disk("sync folder", folder))?;
            self.commit(next)?;
        }
        Ok(())
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
