//! Makes a snapshot: everything of one moment into a new folder, which is a snapshot once its manifest is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::digest::Sha256;
use muster_common::disk::copy::{read_parts, remove_all, walk};
use muster_common::disk::{Disk, Open};
use muster_common::time::Timestamp;
use muster_fleet::{Fleet, SnapshotKey, StateCounts};
use muster_store::{Admin, StoreCopy, count_copy};

use super::config_files::ConfigFiles;
use super::error::SnapshotError;
use super::folder;
use super::keys::PrivateKeys;
use super::manifest::{self, Counts, Entry, Keys, Manifest};

/// Room that must stay free beside it: what the collector itself takes meanwhile, its reserve included.
const MARGIN_BYTES: u64 = 256 << 20;

/// What one is made of.
pub(crate) struct Source<'a> {
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) admin: &'a Admin,
    pub(crate) fleet: &'a Fleet,
    /// The data folder.
    pub(crate) data: &'a Path,
}

/// What is asked for.
pub(crate) struct Ask {
    /// It becomes a folder in this one.
    pub(crate) folder: PathBuf,
    /// `None`: the private keys are left out.
    pub(crate) key: Option<SnapshotKey>,
    pub(crate) config: ConfigFiles,
    /// The folder's name, by [`folder::free_name`].
    pub(crate) name: String,
    pub(crate) now: Timestamp,
}

/// Whoever waits is told how many bytes of how many are summed (0 of 0: not known yet); with `false` the work is given up.
pub(crate) type Progress<'a> = &'a dyn Fn(u64, u64) -> bool;

/// Makes it. What there is of it after an error is removed, as far as the disk lets it.
///
/// # Errors
/// [`SnapshotError`]: the data folder is as it was.
pub(crate) fn make(source: &Source<'_>, ask: &Ask, progress: Progress<'_>) -> Result<Manifest, SnapshotError> {
    let disk = &**source.disk;
    disk.create_dir_all(&ask.folder).map_err(SnapshotError::disk("make folder", &ask.folder))?;
    folder::clear_unfinished(disk, &ask.folder, source.admin.store_id())?;
    let target = ask.folder.join(&ask.name);
    let made = make_in(source, ask, &target, progress);
    made.map_err(|error| {
        // What cannot be removed now goes before the next one is made.
        let _ = remove_all(disk, &target);
        match error {
            error if error.is_full() => SnapshotError::Full { path: ask.folder.display().to_string() },
            // Whatever it came out as.
            _ if !progress(0, 0) => SnapshotError::Cancelled,
            error => error,
        }
    })
}

fn make_in(source: &Source<'_>, ask: &Ask, target: &Path, progress: Progress<'_>) -> Result<Manifest, SnapshotError> {
    let disk = &**source.disk;
    let data = target.join("data");
    disk.create_dir_all(&data).map_err(SnapshotError::disk("make folder", &data))?;
    check_room(source, target)?;
    let freeze = || source.fleet.freeze().map_err(SnapshotError::Fleet);
    let (copy, frozen) = source.admin.copy_to(disk, &data, ask.now, &|| progress(0, 0), freeze)?;
    let (state, authorities) = frozen.write(disk, &data)?;
    let store = hex(&copy.store_id);
    if let Some(key) = &ask.key {
        PrivateKeys::of(disk, source.data, authorities)?.seal(disk, key, (&store, &ask.name), target)?;
    }
    ask.config.write(disk, target)?;
    let rows = state.rows.clone();
    disk.sync_dir(target).map_err(SnapshotError::disk("sync folder", target))?;
    let counts = Counts::new(count_copy(source.disk, &data)?, rows);
    let manifest = Manifest {
        version: manifest::VERSION,
        id: ask.name.clone(),
        store,
        incarnation: copy.incarnation,
        collector: env!("CARGO_PKG_VERSION").to_owned(),
        made_ms: ask.now.millis(),
        barrier_us: u64::try_from(copy.barrier.as_micros()).unwrap_or(u64::MAX),
        generation: copy.generation,
        keys: if ask.key.is_some() { Keys::Sealed } else { Keys::LeftOut },
        counts: Some(counts),
        config: ask.config.origins(),
        secret_files: ask.config.secret_files.clone(),
        files: sums(disk, target, progress)?,
    };
    check_moment(&copy, &state, &data)?;
    manifest.write(disk, target)?;
    disk.sync_dir(&ask.folder).map_err(SnapshotError::disk("sync folder", &ask.folder))?;
    Ok(manifest)
}

/// Before anything is written: a snapshot must not fill the disk that the collector needs.
fn check_room(source: &Source<'_>, target: &Path) -> Result<(), SnapshotError> {
    let state = source.data.join(muster_fleet::FILE_NAME);
    let file = source.disk.open(&state, Open::Read).map_err(SnapshotError::disk("open", &state))?;
    let length = file.len().map_err(SnapshotError::disk("ask the length of", &state))?;
    let needed = source.admin.copy_bytes(target)? + length + MARGIN_BYTES;
    let free = source.disk.space(target).map_err(SnapshotError::disk("ask for the room of", target))?.free_bytes;
    if free >= needed {
        return Ok(());
    }
    let path = target.parent().unwrap_or(target).display().to_string();
    Err(SnapshotError::NoRoom { path, needed_mib: needed.div_ceil(1 << 20), free_mib: free >> 20 })
}

/// That state.redb has applied nothing which the inbox of the same copy has not.
fn check_moment(copy: &StoreCopy, state: &StateCounts, data: &Path) -> Result<(), SnapshotError> {
    match state.applied {
        Some(applied) if applied.generation > copy.generation => {
            let what = format!("state.redb is at generation {}, the inbox at {}", applied.generation, copy.generation);
            Err(SnapshotError::refused(data, what))
        }
        _ => Ok(()),
    }
}

/// Length and sum of every file.
pub(crate) fn sums(
    disk: &dyn Disk,
    target: &Path,
    progress: Progress<'_>,
) -> Result<BTreeMap<String, Entry>, SnapshotError> {
    let (files, _) = walk(disk, target).map_err(SnapshotError::disk("list", target))?;
    let mut opened = Vec::new();
    for file in files {
        let path = target.join(&file);
        let length = disk.open(&path, Open::Read).and_then(|file| file.len());
        opened.push((file, length.map_err(SnapshotError::disk("open", &path))?));
    }
    let (mut done, total) = (0, opened.iter().map(|(_, length)| length).sum());
    let mut entries = BTreeMap::new();
    for (file, _) in opened {
        let path = target.join(&file);
        let entry = sum(disk, &path, &mut |bytes| {
            done += bytes;
            progress(done, total)
        })?;
        entries.insert(file.to_string_lossy().into_owned(), entry);
    }
    Ok(entries)
}

/// Length and sum of one file; `each` is told how many bytes more, and says whether to go on.
pub(crate) fn sum(disk: &dyn Disk, path: &Path, each: &mut dyn FnMut(u64) -> bool) -> Result<Entry, SnapshotError> {
    let file = disk.open(path, Open::Read).map_err(SnapshotError::disk("open", path))?;
    let (mut sum, mut goes_on) = (Sha256::new(), true);
    let bytes = read_parts(&*file, &mut |part| {
        sum.update(part);
        goes_on = each(part.len() as u64);
        if goes_on { Ok(()) } else { Err(std::io::ErrorKind::Interrupted.into()) }
    });
    if !goes_on {
        return Err(SnapshotError::Cancelled);
    }
    let bytes = bytes.map_err(SnapshotError::disk("read", path))?;
    Ok(Entry { bytes, sha256: sum.finish().to_string() })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
