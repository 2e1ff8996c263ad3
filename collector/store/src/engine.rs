//! The one store behind the handles: inbox and catalog under their locks, and what moves data from one to the other.
//!
//! Locks are taken in the order maintenance, catalog, inbox; a commit takes the inbox's alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use muster_common::time::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::admin::chain;
use crate::catalog::{Catalog, CatalogState};
use crate::error::{FileError, FlushError};
use crate::inbox::Inbox;
use crate::inbox::positions::Fold;
use crate::logs::maintain;
use crate::segment::Segment;
use crate::shared::{Shared, add};

pub(crate) struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Mutex<Inbox>,
    catalog: Mutex<Catalog>,
    /// One flush, merge or retention run at a time.
    maintenance: Mutex<()>,
    pub(crate) store_id: [u8; 16],
    pub(crate) incarnation: u64,
}

/// The right to change segments.
pub(crate) struct Maintenance<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) catalog: MutexGuard<'a, Catalog>,
    pub(crate) now: Timestamp,
    _one: MutexGuard<'a, ()>,
}

impl Engine {
    pub(crate) fn new(shared: Arc<Shared>, inbox: Inbox, catalog: Catalog) -> Self {
        let CatalogState { store_id, incarnation, .. } = *catalog.state();
        let (inbox, catalog, maintenance) = (Mutex::new(inbox), Mutex::new(catalog), Mutex::new(()));
        Self { shared, inbox, catalog, maintenance, store_id, incarnation }
    }

    /// Waits until nobody else changes segments.
    pub(crate) fn hold(&self, now: Timestamp) -> Maintenance<'_> {
        let one = self.maintenance.lock();
        Maintenance { engine: self, catalog: self.catalog.lock(), now, _one: one }
    }

    /// Runs `work` with the right to change segments; what it fails with stands in health until it succeeds again.
    pub(crate) fn maintain<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Maintenance<'_>) -> Result<T, FlushError>,
    ) -> Result<T, FlushError> {
        let mut maintenance = self.hold(now);
        let done = maintenance.reconcile().map_err(FlushError::File).and_then(|()| work(&mut maintenance));
        let mut health = self.shared.health.lock();
        match &done {
            Err(FlushError::Seal(crate::error::CommitError::Throttled { .. })) => {}
            Err(error) => {
                add(&self.shared.counters.flush_errors, 1);
                let since = health.flush_failing.take().map_or(now, |(since, _)| since);
                health.flush_failing = Some((since, chain(error)));
            }
            Ok(_) => health.flush_failing = None,
        }
        done
    }
}

impl Maintenance<'_> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.engine.shared
    }

    /// Reopens the catalog after an error and shows what it really says.
    pub(crate) fn reconcile(&mut self) -> Result<(), FileError> {
        self.catalog.ready()?;
        self.publish()
    }

    /// Commits the catalog and shows it; files that it lets go are unlinked when their last view goes.
    pub(crate) fn commit(&mut self, next: CatalogState) -> Result<(), FileError> {
        self.commit_with(next, &Fold::default())
    }

    /// The same, with what a flush says of positions.
    pub(crate) fn commit_with(&mut self, next: CatalogState, fold: &Fold) -> Result<(), FileError> {
        self.catalog.commit_with(next, fold)?;
        self.publish()
    }

    /// Removes files that were written for a commit that did not come, where it is sure that it did not.
    pub(crate) fn discard(&mut self, files: &[(u64, PathBuf)]) {
        let Ok(state) = self.catalog.ready() else { return };
        let unnamed: Vec<PathBuf> = files
            .iter()
            .filter(|(number, _)| !state.segments.contains_key(number) && !state.logs.has_segment(*number))
            .map(|(_, path)| path.clone())
            .collect();
        for path in unnamed {
            if self.shared().disk.unlink(&path).is_err() {
                add(&self.shared().counters.unlink_errors, 1);
            }
        }
    }

    fn publish(&mut self) -> Result<(), FileError> {
        let shared = self.engine.shared.clone();
        publish(&shared, self.catalog.state())?;
        self.engine.inbox.lock().flushed_through(self.catalog.state().flushed_through);
        Ok(())
    }
}

/// Shows the segments that the catalog names, and of the heads those that are not flushed.
pub(crate) fn publish(shared: &Arc<Shared>, state: &CatalogState) -> Result<(), FileError> {
    let current = shared.published.load();
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(state.segments.len());
    for (&number, row) in &state.segments {
        if let Some(open) = current.segments.iter().find(|segment| segment.number == number) {
            segments.push(open.clone());
            continue;
        }
        if shared.health.lock().to_quarantine.iter().any(|(waiting, _)| *waiting == number) {
            continue;
        }
        let path = shared.segment_folder.join(row.file_name(number));
        match Segment::open(&shared.disk, number, path) {
            Ok(segment) => segments.push(Arc::new(segment)),
            Err(error) if error.is_damage() || is_missing(&error) => {
                shared.health.lock().quarantine(number, &row.file_name(number), &chain(&error));
            }
            Err(error) => return Err(error),
        }
    }
    segments.sort_by_key(|segment| (segment.header.hi, segment.header.lo));
    let logs = maintain::open_all(shared, &state.logs, &current)?;
    maintain::let_go(shared, &state.logs, &current);
    for gone in current.segments.iter().filter(|old| !state.segments.contains_key(&old.number)) {
        if state.dropped.contains(&gone.file_name()) {
            gone.let_go();
        }
        shared.cache.forget(gone.number);
    }
    drop(current);
    shared.published.change(|snapshot| {
        snapshot.segments = segments.into();
        snapshot.logs = logs;
        snapshot.tombstones = maintain::tombstones(state);
        snapshot.heads.retain(|view| view.head.generation > state.flushed_through);
    });
    Ok(())
}

pub(crate) fn is_missing(error: &FileError) -> bool {
    matches!(error, FileError::Disk { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

impl Shared {
    /// A query found it damaged: nobody reads it from now on; the next maintenance writes that down.
    pub(crate) fn quarantine(&self, segment: &Segment, error: &FileError) {
        self.health.lock().quarantine(segment.number, &segment.file_name(), &chain(error));
        self.published.change(|snapshot| {
            let kept = snapshot.segments.iter().filter(|other| other.number != segment.number);
            snapshot.segments = kept.cloned().collect();
        });
        self.counters.segments_damaged.fetch_add(1, Ordering::Relaxed);
    }
}
