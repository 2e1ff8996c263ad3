//! Snapshots: a folder with everything that the collector keeps, of one moment, made while it runs; and a data folder made of one.
//!
//! `SNAPSHOT.md` beside this crate tells every file of it. [`make`] makes one ([`keys`] in it are sealed), [`restore`] makes a data folder of one, [`verify`] reads one
//! whole; [`folder`] keeps the folder that they lie in, [`task`] is the running collector's side, [`step`] the copy before a change of
//! formats. All files go through [`muster_common::disk::Disk`], so that tests cut its power.

mod config_files;
mod error;
mod folder;
mod keys;
mod make;
mod manifest;
mod restore;
mod step;
mod task;
#[cfg(test)]
mod tests;
mod verify;

pub use error::SnapshotError;
pub use manifest::{Counts, Keys, Manifest};
pub use restore::{RESTORED, RESTORING, Restored, restore, restore_config};
pub use verify::verify;

pub(crate) use step::{Formats, before_opening};
pub(crate) use task::{Snapshots, folder_of, run as run_due};

use std::path::Path;

use muster_common::disk::Disk;
use muster_common::disk::copy::read_all;
use muster_fleet::SnapshotKey;

/// More than any key that a person or a program makes.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// The key in this file.
///
/// # Errors
/// [`SnapshotError`]: it cannot be read, or is no secret.
pub fn read_key(disk: &dyn Disk, path: &Path) -> Result<SnapshotKey, SnapshotError> {
    let bytes = read_all(disk, path, KEY_FILE_BYTES_MAX)
        .map_err(|source| SnapshotError::KeyFile { path: path.display().to_string(), source })?;
    SnapshotKey::new(&bytes)
        .map_err(|error| SnapshotError::Key { path: path.display().to_string(), source: Box::new(error) })
}
