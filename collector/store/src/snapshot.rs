//! A copy of the store as it was at one moment, made while commits go on (rule 26), and what a copy must pass before it is believed.
//!
//! At that moment the active generation is sealed. A sealed inbox file is never written again by this process, so that files opened then
//! can be copied later; the catalog cannot change while maintenance is held; segments never change. So commits wait for no more than a
//! seal, which they wait for every ten minutes anyway.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_common::disk::copy::copy;
use muster_common::disk::{Disk, DiskFile, Open};
use muster_common::time::{Timestamp, monotonic};

use crate::admin::Admin;
use crate::catalog::CatalogState;
use crate::engine::Maintenance;
use crate::error::{FileError, SnapshotError};
use crate::inbox::file;
use crate::logs::record::LogClass;
use crate::view::View;

/// Names in the copy are those of the data folder.
pub(crate) const CATALOG: &str = "catalog.redb";

/// A copy that was made.
#[derive(Clone, Debug)]
pub struct StoreCopy {
    pub store_id: [u8; 16],
    pub incarnation: u64,
    /// The last generation that is in it: what was committed to a later one is not.
    pub generation: u64,
    /// How long commits were held.
    pub barrier: Duration,
    /// Segments that are second names of the store's files, and those that had to be copied.
    pub linked: usize,
    pub copied: usize,
}

/// What a copy holds, as reading all of it counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Segments of metrics, logs and events.
    pub segments: u64,
    pub samples: u64,
    pub lines: u64,
    pub events: u64,
    pub inbox_files: u64,
    /// Appends in inbox files that are not in segments.
    pub inbox_entries: u64,
}

/// An inbox file at the barrier: sealed, and open even if its name goes.
struct Sealed {
    generation: u64,
    file: Box<dyn DiskFile>,
}

impl Admin {
    /// How many bytes a copy into `folder` takes at most, beside what is linked. The folder must be there.
    ///
    /// # Errors
    /// [`FileError`] names the file.
    pub fn copy_bytes(&self, folder: &Path) -> Result<u64, FileError> {
        let shared = &self.engine.shared;
        let length = |path: &Path| -> Result<u64, FileError> {
            let file = shared.disk.open(path, Open::Read).map_err(FileError::disk("open", path))?;
            file.len().map_err(FileError::disk("ask the length of", path))
        };
        let (catalog, probe) = (shared.config.folder.join(CATALOG), folder.join("probe"));
        let mut bytes = length(&catalog)?;
        match shared.disk.link(&catalog, &probe) {
            Ok(()) => shared.disk.unlink(&probe).map_err(FileError::disk("unlink", &probe))?,
            Err(error) if is_no_link(&error) => {
                let snapshot = shared.published.load();
                let logs =
                    snapshot.logs.iter().flat_map(|segments| segments.iter()).map(|one| one.base.header.file_bytes);
                bytes += snapshot.segments.iter().map(|one| one.header.file_bytes).chain(logs).sum::<u64>();
            }
            Err(error) => return Err(FileError::disk("link to", &probe)(error)),
        }
        for generation in file::generations(shared)? {
            // One that is flushed meanwhile takes nothing.
            bytes += length(&file::path(&shared.inbox_folder, generation)).unwrap_or(0);
        }
        Ok(bytes)
    }

    /// Copies inbox, catalog and segments into `folder`, which is there and empty, and makes all of it durable. `at_barrier` is
    /// called while commits are held, to hold what must be of the same moment. `disk` is that of the folder. Bytes are copied as long as it
    /// `goes_on`.
    ///
    /// # Errors
    /// [`SnapshotError`], or what `at_barrier` failed with; what is in `folder` then is for the caller to remove.
    pub fn copy_to<T, E: From<SnapshotError>>(
        &self,
        disk: &dyn Disk,
        folder: &Path,
        now: Timestamp,
        goes_on: &dyn Fn() -> bool,
        at_barrier: impl FnOnce() -> Result<T, E>,
    ) -> Result<(StoreCopy, T), E> {
        for inner in FOLDERS {
            let path = folder.join(inner);
            disk.create_dir_all(&path).map_err(FileError::disk("make folder", &path)).map_err(SnapshotError::File)?;
        }
        let mut maintenance = self.engine.hold(now);
        maintenance.prepare()?;
        let (sealed, barrier, held) = maintenance.barrier(at_barrier)?;
        let (named, view) = maintenance.name_all(disk, folder).map_err(SnapshotError::File)?;
        let state = maintenance.catalog.state().clone();
        drop(maintenance);
        let done = finish(disk, folder, &sealed, &named, view.as_ref(), goes_on).map_err(SnapshotError::File);
        done?;
        let copy = StoreCopy {
            store_id: state.store_id,
            incarnation: state.incarnation,
            generation: sealed.last().map_or(state.flushed_through, |one| one.generation),
            barrier,
            linked: named.iter().filter(|one| one.is_there).count(),
            copied: named.iter().filter(|one| !one.is_there).count(),
        };
        Ok((copy, held))
    }
}

/// The folders of a copy.
const FOLDERS: [&str; 4] = ["inbox", "segments/metrics", "segments/logs", "segments/events"];

/// A segment of the copy.
struct Named {
    from: PathBuf,
    to: PathBuf,
    /// Linked; else it is still to be copied.
    is_there: bool,
}

impl Maintenance<'_> {
    /// So that little is left in the inbox.
    fn prepare(&mut self) -> Result<(), SnapshotError> {
        self.reconcile()?;
        self.flush_sealed()?;
        let sealed = self.engine.inbox.lock().seal_now(self.now);
        match sealed {
            // Then more of the inbox is copied.
            Err(error) if error.retry_after().is_some() => {}
            sealed => drop(sealed.map_err(SnapshotError::Seal)?),
        }
        self.flush_sealed()?;
        self.write_down_quarantine().map_err(|error| match error {
            crate::error::FlushError::File(error) => SnapshotError::File(error),
            crate::error::FlushError::Seal(error) => SnapshotError::Seal(error),
        })
    }

    /// Holds commits, seals, and opens what is sealed.
    fn barrier<T, E: From<SnapshotError>>(
        &mut self,
        at_barrier: impl FnOnce() -> Result<T, E>,
    ) -> Result<(Vec<Sealed>, Duration, T), E> {
        let shared = self.shared().clone();
        let mut inbox = self.engine.inbox.lock();
        let begun = monotonic();
        inbox.seal_for_copy(self.now).map_err(SnapshotError::Seal)?;
        let mut sealed = Vec::new();
        for &generation in inbox.sealed.keys() {
            let path = file::path(&shared.inbox_folder, generation);
            let file = shared.disk.open(&path, Open::Read);
            let file = file.map_err(FileError::disk("open", &path)).map_err(SnapshotError::File)?;
            sealed.push(Sealed { generation, file });
        }
        let held = at_barrier()?;
        drop(inbox);
        Ok((sealed, monotonic() - begun, held))
    }

    /// Copies the catalog and gives every segment that it names a second name, or keeps them from going until they are copied.
    fn name_all(&mut self, disk: &dyn Disk, folder: &Path) -> Result<(Vec<Named>, Option<View>), FileError> {
        let shared = self.shared().clone();
        let mut named = Vec::new();
        for (from, inner) in segments_of(self.catalog.state()) {
            let from = shared.config.folder.join(inner).join(&from);
            let to = folder.join(inner).join(from.file_name().unwrap_or_default());
            let is_there = match disk.link(&from, &to) {
                Ok(()) => true,
                Err(error) if is_no_link(&error) => false,
                Err(error) => return Err(FileError::disk("link", &from)(error)),
            };
            named.push(Named { from, to, is_there });
        }
        let view = (!named.iter().all(|one| one.is_there)).then(|| View::new(shared.clone()));
        self.catalog.at_rest(|path| {
            let file = disk.open(path, Open::Read).map_err(FileError::disk("open", path))?;
            let to = folder.join(CATALOG);
            copy(&*file, disk, &to, &mut |_| Ok(())).map(drop).map_err(FileError::disk("copy to", &to))
        })?;
        Ok((named, view))
    }
}

/// What needs nobody to wait: the bytes of the inbox and of segments that could not be linked, and the names of all of it.
fn finish(
    disk: &dyn Disk,
    folder: &Path,
    sealed: &[Sealed],
    named: &[Named],
    view: Option<&View>,
    goes_on: &dyn Fn() -> bool,
) -> Result<(), FileError> {
    let mut go_on = |_: &[u8]| if goes_on() { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) };
    for one in sealed {
        let to = file::path(&folder.join("inbox"), one.generation);
        copy(&*one.file, disk, &to, &mut go_on).map_err(FileError::disk("copy to", &to))?;
    }
    for one in named.iter().filter(|one| !one.is_there) {
        debug_assert!(view.is_some(), "nothing keeps this segment");
        let from = disk.open(&one.from, Open::Read).map_err(FileError::disk("open", &one.from))?;
        copy(&*from, disk, &one.to, &mut go_on).map_err(FileError::disk("copy to", &one.to))?;
    }
    for inner in FOLDERS.into_iter().chain(["segments", ""]) {
        let path = folder.join(inner);
        disk.sync_dir(&path).map_err(FileError::disk("sync folder", &path))?;
    }
    Ok(())
}

/// File names of the segments that the catalog has, and the folders they lie in.
pub(crate) fn segments_of(state: &CatalogState) -> Vec<(String, &'static str)> {
    let metrics = state.segments.iter().map(|(number, row)| (row.file_name(*number), FOLDERS[1]));
    let mut all: Vec<_> = metrics.collect();
    for (class, inner) in LogClass::ALL.into_iter().zip([FOLDERS[2], FOLDERS[3]]) {
        all.extend(state.logs.class(class).segments.iter().map(|(number, row)| (row.row.file_name(*number), inner)));
    }
    all
}

/// Whether the two places can have no file in common, so that a copy is the only way.
fn is_no_link(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported)
}
