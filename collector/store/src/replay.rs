//! Inbox entries again, for the projection in state.redb (rule 23).

use std::sync::Arc;

use redb::Database;

use crate::append::{Position, ReplayEntry};
use crate::database::open_database;
use crate::engine::Engine;
use crate::error::{FileError, ReplayError};
use crate::inbox::blob::decode;
use crate::inbox::file;
use crate::inbox::replay::{Replayed, note};
use crate::shared::Shared;

/// Reads entries with records of small state; flushed files too, as long as they are there.
#[derive(Clone)]
pub struct Replay {
    pub(crate) engine: Arc<Engine>,
}

impl Replay {
    /// The entries above this position (none: all there are), in the order of arrival. Commits wait meanwhile.
    ///
    /// # Errors
    /// [`ReplayError`] names the file.
    pub fn after(&self, position: Option<Position>) -> Result<Vec<ReplayEntry>, ReplayError> {
        let mut inbox = self.engine.inbox.lock();
        inbox.ready()?;
        let shared = inbox.shared.clone();
        let mut entries = Vec::new();
        for &generation in inbox.sealed.keys() {
            if position.is_none_or(|reached| generation >= reached.generation) {
                entries.extend(scan_sealed(&shared, generation)?.entries);
            }
        }
        if let Some(database) = &inbox.active.database {
            entries.extend(scan(database, &inbox.active.path, inbox.active.generation)?.entries);
        }
        entries.retain(|entry| position.is_none_or(|reached| entry.position > reached));
        Ok(entries)
    }
}

/// The small state of a sealed file.
pub(crate) fn scan_sealed(shared: &Shared, generation: u64) -> Result<Replayed, FileError> {
    let path = file::path(&shared.inbox_folder, generation);
    let database = open_database(&*shared.disk, &path, false, shared.config.inbox_cache_bytes)?;
    scan(&database, &path, generation)
}

fn scan(database: &Database, path: &std::path::Path, generation: u64) -> Result<Replayed, FileError> {
    let read = file::begin_read(database, path)?;
    file::check_version(&read, path)?;
    let mut out = Replayed::default();
    file::read_blobs(&read, 0, path, &mut |blob| {
        decode(blob, false)?.into_iter().for_each(|entry| note(entry, generation, &mut out));
        Some(())
    })?;
    Ok(out)
}
