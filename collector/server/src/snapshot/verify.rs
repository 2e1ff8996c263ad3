//! Reads a snapshot whole: every file against its sum, every row, sample and entry against the numbers of the manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use muster_common::disk::Disk;
use muster_common::disk::copy::walk;
use muster_fleet::{SnapshotKey, check_state};
use muster_store::check_copy;

use super::error::SnapshotError;
use super::keys::PrivateKeys;
use super::make::sum;
use super::manifest::{self, Counts, Manifest};

/// Whether the snapshot in this folder is whole; with a key also whether that opens the private keys. Changes nothing.
///
/// # Errors
/// [`SnapshotError`] names what is missing, damaged, too much, of a later version, or under another key.
pub fn verify(disk: &Arc<dyn Disk>, folder: &Path, key: Option<&SnapshotKey>) -> Result<Manifest, SnapshotError> {
    let manifest = check_files(&**disk, folder)?;
    if let Some(key) = key {
        PrivateKeys::open(&**disk, folder, &manifest, Some(key))?;
    }
    check_contents(disk, &folder.join("data"), &manifest)?;
    Ok(manifest)
}

/// The manifest, and every file as it says.
pub(crate) fn check_files(disk: &dyn Disk, folder: &Path) -> Result<Manifest, SnapshotError> {
    let manifest = Manifest::read(disk, folder)?;
    let (there, _) = walk(disk, folder).map_err(SnapshotError::disk("list", folder))?;
    let there: BTreeSet<String> = there.into_iter().map(|path| path.to_string_lossy().into_owned()).collect();
    for file in &there {
        if file != manifest::FILE_NAME && !manifest.files.contains_key(file) {
            return Err(SnapshotError::Refused {
                place: format!("`{}`", folder.join(file).display()),
                what: "no such file was in the snapshot when it was made".to_owned(),
                remedy: "find out who put it there, and move it away",
            });
        }
    }
    for (file, made) in &manifest.files {
        let path = folder.join(file);
        if !there.contains(file) {
            return Err(SnapshotError::refused(&path, "it is missing"));
        }
        let found = sum(disk, &path, &mut |_| true)?;
        if found.bytes != made.bytes {
            let what = format!("it has {} bytes, but {} when it was made", found.bytes, made.bytes);
            return Err(SnapshotError::refused(&path, what));
        }
        if found.sha256 != made.sha256 {
            return Err(SnapshotError::refused(&path, "its bytes are not those that were written"));
        }
    }
    Ok(manifest)
}

/// Whether the data in this folder can be opened and has what the manifest says.
pub(crate) fn check_contents(disk: &Arc<dyn Disk>, data: &Path, manifest: &Manifest) -> Result<(), SnapshotError> {
    let Some(made) = &manifest.counts else { return Ok(()) };
    // The CAs are kept apart in a snapshot, and in their table after a restore.
    let without = |rows: &BTreeMap<String, u64>| -> BTreeMap<String, u64> {
        rows.iter().filter(|(table, _)| *table != "authorities").map(|(table, rows)| (table.clone(), *rows)).collect()
    };
    let found = Counts::new(check_copy(disk, data)?, without(&check_state(disk, data)?.rows));
    let made = Counts { rows: without(&made.rows), ..made.clone() };
    match made.difference(&found) {
        None => Ok(()),
        Some(what) => Err(SnapshotError::refused(data, what)),
    }
}
