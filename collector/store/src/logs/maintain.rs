//! Publishing, opening, expiring and forgetting log segments: what the engine does for metric segments, for both classes.

use std::sync::Arc;

use super::catalog::{LogRow, LogsState};
use super::record::LogClass;
use super::segment::LogSegment;
use crate::admin::chain;
use crate::catalog::CatalogState;
use crate::engine::{Maintenance, is_missing};
use crate::error::{FileError, FlushError};
use crate::retention;
use crate::shared::{Shared, Snapshot, add};

/// Opened segments of both classes, by generation interval, rising.
pub(crate) type Opened = [Arc<[Arc<LogSegment>]>; 2];

/// Opens what the catalog names and `current` has not; damaged ones are set aside.
pub(crate) fn open_all(shared: &Arc<Shared>, state: &LogsState, current: &Snapshot) -> Result<Opened, FileError> {
    let mut opened: Opened = Default::default();
    for class in LogClass::ALL {
        let mut segments: Vec<Arc<LogSegment>> = Vec::new();
        for (&number, row) in &state.class(class).segments {
            let known = current.logs[class as usize].iter().find(|segment| segment.base.number == number);
            if let Some(open) = known {
                segments.push(open.clone());
                continue;
            }
            if shared.health.lock().to_quarantine.iter().any(|(waiting, _)| *waiting == number) {
                continue;
            }
            match open_one(shared, class, number, row) {
                Ok(segment) => segments.push(Arc::new(segment)),
                Err(error) if error.is_damage() || is_missing(&error) => {
                    shared.health.lock().quarantine(number, &row.row.file_name(number), &chain(&error));
                }
                Err(error) => return Err(error),
            }
        }
        segments.sort_by_key(|segment| (segment.base.header.hi, segment.base.header.lo));
        opened[class as usize] = segments.into();
    }
    Ok(opened)
}

/// Those that the catalog names no more go with their last view.
pub(crate) fn let_go(shared: &Shared, state: &LogsState, current: &Snapshot) {
    for class in LogClass::ALL {
        let named = state.class(class);
        let open = current.logs[class as usize].iter();
        for gone in open.filter(|segment| !named.segments.contains_key(&segment.base.number)) {
            if named.dropped.contains(&gone.base.file_name()) {
                gone.base.let_go();
            }
            shared.cache.forget(gone.base.number);
            shared.log_cache.forget(gone.base.number);
        }
    }
}

fn open_one(shared: &Shared, class: LogClass, number: u64, row: &LogRow) -> Result<LogSegment, FileError> {
    let path = shared.log_folders[class as usize].join(row.row.file_name(number));
    LogSegment::open(&shared.disk, class, number, path, row.cleaned)
}

/// Segments set aside whose files are whole again, put back by somebody, are read again.
pub(crate) fn readmit(shared: &Shared, state: &mut LogsState) {
    for class in LogClass::ALL {
        let is_whole = |number: u64, row: &LogRow| {
            open_one(shared, class, number, row).and_then(|segment| segment.base.verify()).is_ok()
        };
        let class = state.class_mut(class);
        let whole = class.quarantined.extract_if(.., |number, (row, _)| is_whole(*number, row));
        let whole: Vec<_> = whole.map(|(number, (row, _))| (number, row)).collect();
        class.segments.extend(whole);
    }
}

/// File names and reasons of those set aside.
pub(crate) fn quarantined(state: &LogsState) -> impl Iterator<Item = (String, String)> + '_ {
    let aside = state.classes.iter().flat_map(|class| &class.quarantined);
    aside.map(|(number, (row, why))| (row.row.file_name(*number), why.clone()))
}

impl Maintenance<'_> {
    /// Lets go what is older than its class is kept, and tombstones that nothing needs any more.
    pub(crate) fn expire_logs(&mut self) -> Result<usize, FlushError> {
        let shared = self.shared().clone();
        let mut next = self.catalog.state().clone();
        let mut count = 0;
        for class in LogClass::ALL {
            let age = match class {
                LogClass::Logs => shared.config.retention_logs,
                LogClass::Events => shared.config.retention_events,
            };
            let expired = retention::expired(&next.logs.class(class).as_metrics(), self.now, age);
            expired.iter().for_each(|&number| next.logs.class_mut(class).drop_segment(number));
            count += expired.len();
        }
        next.logs.drop_done_tombstones(next.flushed_through);
        if next == *self.catalog.state() {
            return Ok(0);
        }
        let before = self.catalog.state().logs.clone();
        self.commit(next)?;
        // Segments set aside are open nowhere: their files go here.
        for class in LogClass::ALL {
            let dropped = &self.catalog.state().logs.class(class).dropped;
            let gone: Vec<String> = dropped.difference(&before.class(class).dropped).cloned().collect();
            shared.health.lock().quarantined.retain(|(file, _)| {
                let gone = gone.contains(file);
                if gone && shared.disk.unlink(&shared.log_folders[class as usize].join(file)).is_err() {
                    add(&shared.counters.unlink_errors, 1);
                }
                !gone
            });
        }
        add(&shared.counters.segments_expired, count as u64);
        Ok(count)
    }

    /// Rows of dropped files that are gone go too.
    pub(crate) fn forget_dropped_logs(&mut self) -> Result<(), FlushError> {
        let shared = self.shared().clone();
        let mut next = self.catalog.state().clone();
        for class in LogClass::ALL {
            let (folder, dropped) = (&shared.log_folders[class as usize], &mut next.logs.class_mut(class).dropped);
            if dropped.is_empty() {
                continue;
            }
            let there = shared.disk.list(folder).map_err(FileError::disk("list", folder))?;
            let before = dropped.len();
            dropped.retain(|name| there.contains(name));
            if dropped.len() < before {
                // First make the unlinking durable, or a power cut would bring back a file that no row tells of.
                shared.disk.sync_dir(folder).map_err(FileError::disk("sync folder", folder))?;
            }
        }
        if next != *self.catalog.state() {
            self.commit(next)?;
        }
        Ok(())
    }
}

impl Shared {
    /// As [`Shared::quarantine`] of a metric segment.
    pub(crate) fn quarantine_log(&self, segment: &LogSegment, error: &FileError) {
        self.quarantine(&segment.base, error);
        self.published.change(|snapshot| {
            let class = &mut snapshot.logs[segment.class as usize];
            *class = class.iter().filter(|other| other.base.number != segment.base.number).cloned().collect();
        });
    }
}

/// The tombstones of a catalog, as a snapshot has them.
pub(crate) fn tombstones(state: &CatalogState) -> Arc<[Arc<super::catalog::Tombstone>]> {
    state.logs.tombstones.values().cloned().collect()
}
