//! A data folder of a snapshot: all of it is checked before anything is written, and what a power cut leaves is no data folder.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::digest::Sha256;
use muster_common::disk::copy::{copy, remove_all, write_new};
use muster_common::disk::{Disk, Open};
use muster_fleet::SnapshotKey;

use super::error::SnapshotError;
use super::keys::PrivateKeys;
use super::manifest::{Keys, Manifest};
use super::verify::{check_contents, check_files};

/// The file by which a data folder says that it was put back from a copy.
pub const RESTORED: &str = "restored";
/// The file by which a data folder says that a restore into it has begun and not ended.
pub const RESTORING: &str = "restoring";
/// What an empty folder may hold: the root of a file system, and the lock of whoever restores.
const MAY_BE_THERE: [&str; 2] = ["lost+found", "lock"];

/// What was put back.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    pub manifest: Manifest,
    /// The CA's keys were not in it: every host must enrol anew.
    pub lost_keys: bool,
}

/// Puts the snapshot in `from` into the folder `data`, which is empty or not there, durably. With `deep` the result is read
/// whole and its numbers compared before it may be used.
///
/// # Errors
/// [`SnapshotError`]: what is wrong with the snapshot, its key or the folder. A restore that had begun to write can be repeated.
pub fn restore(
    disk: &Arc<dyn Disk>,
    from: &Path,
    data: &Path,
    key: Option<&SnapshotKey>,
    deep: bool,
) -> Result<Restored, SnapshotError> {
    let files = &**disk;
    let manifest = check_files(files, from)?;
    let keys = PrivateKeys::open(files, from, &manifest, key)?;
    make_empty(files, data)?;
    let begun = data.join(RESTORING);
    write_new(files, &begun, b"").map_err(SnapshotError::disk("write", &begun))?;
    files.sync_dir(data).map_err(SnapshotError::disk("sync folder", data))?;
    write_all(files, from, data, &manifest)?;
    if let Some(keys) = keys {
        keys.put(files, data)?;
    }
    if deep {
        check_contents(disk, data, &manifest)?;
    }
    let restored = data.join(RESTORED);
    write_new(files, &restored, b"").map_err(SnapshotError::disk("write", &restored))?;
    // Both names at once, or first the one that must not be missing.
    files.sync_dir(data).map_err(SnapshotError::disk("sync folder", data))?;
    files.unlink(&begun).map_err(SnapshotError::disk("remove", &begun))?;
    files.sync_dir(data).map_err(SnapshotError::disk("sync folder", data))?;
    let lost_keys = manifest.keys == Keys::LeftOut;
    Ok(Restored { manifest, lost_keys })
}

/// Puts the configuration of a snapshot into the folder `to`, which is empty or not there.
///
/// # Errors
/// [`SnapshotError`] as [`restore`].
pub fn restore_config(disk: &dyn Disk, from: &Path, to: &Path, manifest: &Manifest) -> Result<(), SnapshotError> {
    disk.create_dir_all(to).map_err(SnapshotError::disk("make folder", to))?;
    let there = disk.list(to).map_err(SnapshotError::disk("list", to))?;
    if let Some(found) = there.first() {
        return Err(SnapshotError::NotEmpty { path: to.display().to_string(), found: found.clone() });
    }
    write_part(disk, from, to, "config/", manifest)
}

fn make_empty(disk: &dyn Disk, data: &Path) -> Result<(), SnapshotError> {
    disk.create_dir_all(data).map_err(SnapshotError::disk("make folder", data))?;
    let there = disk.list(data).map_err(SnapshotError::disk("list", data))?;
    let there: Vec<String> = there.into_iter().filter(|name| !MAY_BE_THERE.contains(&name.as_str())).collect();
    let Some(found) = there.first() else { return Ok(()) };
    if !there.iter().any(|name| name == RESTORING) {
        return Err(SnapshotError::NotEmpty { path: data.display().to_string(), found: found.clone() });
    }
    // What an earlier restore left: nobody has used it. Its mark goes last.
    for name in there.iter().filter(|name| *name != RESTORING) {
        let path = data.join(name);
        match disk.unlink(&path) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => remove_all(disk, &path),
            done => done,
        }
        .map_err(SnapshotError::disk("remove", &path))?;
    }
    disk.sync_dir(data).map_err(SnapshotError::disk("sync folder", data))?;
    let begun = data.join(RESTORING);
    disk.unlink(&begun).map_err(SnapshotError::disk("remove", &begun))
}

fn write_all(disk: &dyn Disk, from: &Path, data: &Path, manifest: &Manifest) -> Result<(), SnapshotError> {
    for folder in ["inbox", "segments/metrics", "segments/logs", "segments/events"] {
        let path = data.join(folder);
        disk.create_dir_all(&path).map_err(SnapshotError::disk("make folder", &path))?;
    }
    write_part(disk, from, data, "data/", manifest)
}

/// Copies the files below this part of the snapshot, each once more against its sum.
fn write_part(disk: &dyn Disk, from: &Path, to: &Path, part: &str, manifest: &Manifest) -> Result<(), SnapshotError> {
    let mut folders: BTreeSet<PathBuf> = [to.to_owned()].into();
    for (file, made) in &manifest.files {
        let Some(inner) = file.strip_prefix(part) else { continue };
        let (source, target) = (from.join(file), to.join(inner));
        let folder = target.parent().unwrap_or(to).to_owned();
        if folders.insert(folder.clone()) {
            disk.create_dir_all(&folder).map_err(SnapshotError::disk("make folder", &folder))?;
        }
        let file = disk.open(&source, Open::Read).map_err(SnapshotError::disk("open", &source))?;
        let mut sum = Sha256::new();
        let mut add = |bytes: &[u8]| {
            sum.update(bytes);
            Ok(())
        };
        copy(&*file, disk, &target, &mut add).map_err(SnapshotError::disk("copy to", &target))?;
        if sum.finish().to_string() != made.sha256 {
            return Err(SnapshotError::refused(&source, "its bytes changed while they were read"));
        }
    }
    folders.iter().try_for_each(|folder| disk.sync_dir(folder).map_err(SnapshotError::disk("sync folder", folder)))
}
