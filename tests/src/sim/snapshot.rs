//! What a collector is put back to: a snapshot made while it runs, of the product's own parts, on a disk that may fail meanwhile.

use std::path::Path;
use std::sync::Arc;

use muster_common::disk::copy::{read_all, remove_all, walk, write_new};
use muster_common::disk::cut::{CutDisk, DiskImage};
use muster_common::disk::{Disk, Open};
use muster_common::time::Timestamp;
use muster_fleet::{Fleet, FleetError, check_state};
use muster_store::{Admin, SnapshotError, check_copy};

use super::ledger::Violation;

const FOLDER: &str = "/snapshot";

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Store(#[from] SnapshotError),
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Disk(#[from] std::io::Error),
}

/// A disk with nothing but the data folder as the snapshot has it; `None`: the disk failed, so there is no snapshot.
pub(super) fn of(disk: &CutDisk, admin: &Admin, fleet: &Fleet, now: Timestamp) -> Result<Option<DiskImage>, Violation> {
    let made = make(disk, admin, fleet, now).and_then(|()| Ok(walk(disk, Path::new(FOLDER))?.0));
    let Ok(files) = made else { return Ok(None) };
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let state = check_state(&shared, Path::new(FOLDER)).map_err(|error| format!("{error:?}"));
    let store = check_copy(&shared, Path::new(FOLDER)).map_err(|error| format!("{error:?}"));
    if let (false, Err(why)) = (disk.is_off(), state.map(drop).and(store.map(drop))) {
        return Err(Violation(format!("a snapshot that was made is not whole: {why}")));
    }
    let saved = CutDisk::new(0);
    let copied = files.iter().try_for_each(|file| {
        let to = Path::new("/data").join(file);
        let above = to.parent().unwrap_or(Path::new("/data"));
        saved.create_dir_all(above)?;
        write_new(&saved, &to, &read_all(disk, &Path::new(FOLDER).join(file), u64::MAX)?)?;
        saved.sync_dir(above)
    });
    // What stays of it takes room, as a half made one would, until the next.
    let _ = remove_all(disk, Path::new(FOLDER));
    Ok(copied.is_ok().then(|| saved.image()))
}

fn make(disk: &CutDisk, admin: &Admin, fleet: &Fleet, now: Timestamp) -> Result<(), CopyError> {
    let folder = Path::new(FOLDER);
    remove_all(disk, folder)?;
    disk.create_dir_all(folder)?;
    let (copy, frozen) = admin.copy_to(disk, folder, now, &|| true, || fleet.freeze().map_err(CopyError::Fleet))?;
    let (state, authorities) = frozen.write(disk, folder)?;
    debug_assert!(state.applied.is_none_or(|applied| applied.generation <= copy.generation));
    authorities.put(disk, folder)?;
    // The last write of a database that was closed.
    Ok(disk.open(&folder.join(muster_fleet::FILE_NAME), Open::Write)?.sync()?)
}
