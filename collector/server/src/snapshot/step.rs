//! A copy of the data folder before a newer collector changes a format in it: the way back, should the change or the version be bad.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::disk::copy::{copy, remove_all, walk};
use muster_common::disk::{Disk, Open};
use muster_common::time::Timestamp;

use super::error::SnapshotError;
use super::folder;
use super::make::{hex, sums};
use super::manifest::{self, Keys, Manifest};

/// The formats of a data folder's files; `None`: there is no such file yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Formats {
    pub(crate) store: Option<u64>,
    pub(crate) state: Option<u32>,
}

impl Formats {
    /// Those that this collector writes.
    pub(crate) const KNOWN: Self = Self { store: Some(muster_store::FORMAT), state: Some(muster_fleet::FORMAT) };

    /// Whether opening a folder of these formats changes one of them. A later format than is known is refused where it is opened.
    fn change_to(self, known: Self) -> bool {
        self.store.is_some_and(|found| Some(found) < known.store)
            || self.state.is_some_and(|found| Some(found) < known.state)
    }
}

/// To be called before the files are opened, by the one who may open them: makes a copy in `folder` where a format changes, and answers
/// its name.
///
/// # Errors
/// [`SnapshotError`]: then nothing may be opened.
pub(crate) fn before_opening(
    disk: &Arc<dyn Disk>,
    data: &Path,
    folder: &Path,
    known: Formats,
    now: Timestamp,
) -> Result<Option<String>, SnapshotError> {
    let disk = &**disk;
    // What cannot be read is told of by who opens it.
    let (Ok(store), Ok(state)) = (muster_store::identity_of(disk, data), muster_fleet::format_of(disk, data)) else {
        return Ok(None);
    };
    let found = Formats { store: store.map(|store| store.format), state };
    if !found.change_to(known) {
        return Ok(None);
    }
    let store = store.map_or([0; 16], |store| store.store_id);
    disk.create_dir_all(folder).map_err(SnapshotError::disk("make folder", folder))?;
    folder::clear_unfinished(disk, folder, store)?;
    let name = folder::free_name(disk, folder, now, store)?;
    let target = folder.join(&name);
    match make(disk, data, &target, &hex(&store), now) {
        Ok(()) => Ok(Some(name)),
        Err(error) => {
            // What cannot be removed now goes before the next one is made.
            let _ = remove_all(disk, &target);
            Err(if error.is_full() { SnapshotError::Full { path: folder.display().to_string() } } else { error })
        }
    }
}

fn make(disk: &dyn Disk, data: &Path, target: &Path, store: &str, now: Timestamp) -> Result<(), SnapshotError> {
    let mut folders = vec![target.to_owned()];
    for file in files_of(disk, data)? {
        let (from, to) = (data.join(&file), target.join("data").join(&file));
        let folder = to.parent().unwrap_or(target).to_owned();
        if !folders.contains(&folder) {
            disk.create_dir_all(&folder).map_err(SnapshotError::disk("make folder", &folder))?;
            folders.push(folder);
        }
        // Segments never change; databases do.
        if file.extension().is_some_and(|end| end == "seg") && disk.link(&from, &to).is_ok() {
            continue;
        }
        let opened = disk.open(&from, Open::Read).map_err(SnapshotError::disk("open", &from))?;
        copy(&*opened, disk, &to, &mut |_| Ok(())).map_err(SnapshotError::disk("copy to", &to))?;
    }
    for folder in &folders {
        disk.sync_dir(folder).map_err(SnapshotError::disk("sync folder", folder))?;
    }
    let manifest = Manifest {
        version: manifest::VERSION,
        id: target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        store: store.to_owned(),
        incarnation: 0,
        collector: env!("CARGO_PKG_VERSION").to_owned(),
        made_ms: now.millis(),
        barrier_us: 0,
        generation: 0,
        keys: Keys::Plain,
        counts: None,
        config: std::collections::BTreeMap::new(),
        secret_files: Vec::new(),
        files: sums(disk, target, &|_, _| true)?,
    };
    manifest.write(disk, target)?;
    let above = target.parent().unwrap_or(target);
    disk.sync_dir(above).map_err(SnapshotError::disk("sync folder", above))
}

/// The files of a data folder that a snapshot has.
fn files_of(disk: &dyn Disk, data: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let (files, _) = walk(disk, data).map_err(SnapshotError::disk("list", data))?;
    let is_part = |file: &PathBuf| {
        let (above, name) = (file.parent().unwrap_or(Path::new("")), file.to_string_lossy());
        match above.to_str() {
            Some("") => [crate::tls::KEY_FILE_NAME, "catalog.redb", muster_fleet::FILE_NAME].contains(&&*name),
            Some("inbox") => name.ends_with(".redb"),
            Some("segments/metrics" | "segments/logs" | "segments/events") => name.ends_with(".seg"),
            _ => false,
        }
    };
    Ok(files.into_iter().filter(is_part).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_older_format_is_a_step() {
        let formats = |store, state| Formats { store, state };
        let known = formats(Some(2), Some(2));
        for (found, is_step) in [
            (formats(None, None), false),
            (formats(Some(2), Some(2)), false),
            (formats(Some(1), Some(2)), true),
            (formats(Some(2), Some(1)), true),
            (formats(Some(3), Some(2)), false),
        ] {
            assert_eq!(found.change_to(known), is_step, "{found:?}");
        }
    }
}
