//! Handing a report over: durable before it returns, with or without an agent.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use muster_common::disk::{Disk, Open};
use muster_common::identity::random;
use muster_common::time::Timestamp;
use muster_common::wire::frame::EncodeError;
use muster_common::wire::message::Report;

use super::file::{FILE_BYTES_MAX, encode};
use super::names::{Name, UNFINISHED};
use crate::status::Status;

/// The folder in the agent's state folder.
pub const FOLDER: &str = "handed";
/// Reports that may wait: a day of one a minute and a half, while no agent runs.
pub const FILES_MAX: usize = 1_000;
pub const BYTES_MAX: u64 = 16 << 20;
/// A status older than this is of an agent that does not run: its correction says nothing of now.
const CORRECTION_FOR_MS: u64 = 60_000;

/// Why a report is not handed over.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    #[error(
        "{folder} is full: {files} reports ({bytes} bytes) wait, at most {FILES_MAX} ({BYTES_MAX} bytes) may: start the agent (`muster-agent run`), which takes them"
    )]
    Full { folder: String, files: usize, bytes: u64 },
    #[error("the report cannot be sent: {0}")]
    Report(#[from] EncodeError),
    #[error(
        "the report cannot be {doing} {path}: {source}; run this as the agent's user or as root, and see that the disk has room"
    )]
    Disk {
        doing: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the system gives no random number: {0}")]
    Random(#[from] muster_common::identity::RandomError),
}

/// Puts the report into `state_dir`'s folder of handed ones. After `Ok` it is durable; after an error it is not there, as far as the disk can say.
///
/// # Errors
/// [`GiveError`] names place and remedy.
pub fn give(disk: &dyn Disk, state_dir: &Path, now: Timestamp, at_ms: i64, report: Report) -> Result<(), GiveError> {
    let folder = state_dir.join(FOLDER);
    let failed = |doing: &'static str, path: &Path| {
        let path = path.display().to_string();
        move |source| GiveError::Disk { doing, path, source }
    };
    let bytes = encode(at_ms, report)?;
    disk.create_dir_all(&folder).map_err(failed("put into", &folder))?;
    // Root may hand over what the agent's user is to take.
    own_as(state_dir, &folder);
    bound(disk, &folder).map_err(failed("counted among those of", &folder))?.map_or(Ok(()), Err)?;
    let at_ns = u64::try_from(now.nanos()).unwrap_or(0);
    let name = Name { at_ns, random: u64::from_le_bytes(random::<8>()?), place: None }.text();
    let (unfinished, finished) = (folder.join(format!("{name}{UNFINISHED}")), folder.join(name));
    let result = write(disk, &unfinished, &bytes).and_then(|()| {
        own_as(state_dir, &unfinished);
        disk.rename(&unfinished, &finished)?;
        disk.sync_dir(&folder)
    });
    result.map_err(|source| {
        // Whoever is told that it failed hands it over again.
        let _ = disk.unlink(&unfinished);
        let _ = disk.unlink(&finished);
        failed("written to", &finished)(source)
    })
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.open(path, Open::Create)?;
    file.pwrite(bytes, 0)?;
    file.sync()
}

/// Why one more may not be put there, if it may not.
fn bound(disk: &dyn Disk, folder: &Path) -> io::Result<Option<GiveError>> {
    let names = disk.list(folder)?;
    let mut bytes = 0;
    for name in &names {
        // One that goes meanwhile counts no more.
        bytes += disk.open(&folder.join(name), Open::Read).and_then(|file| file.len()).unwrap_or(0);
    }
    let files = names.len();
    let is_full = files >= FILES_MAX || bytes + FILE_BYTES_MAX as u64 > BYTES_MAX;
    Ok(is_full.then(|| GiveError::Full { folder: folder.display().to_string(), files, bytes }))
}

/// Gives a path to the owner of the state folder, where this user may.
fn own_as(state_dir: &Path, path: &Path) {
    if let Ok(owner) = std::fs::metadata(state_dir) {
        let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

/// The folder of handed reports in this state folder.
pub fn folder_of(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER)
}

/// A moment of this host by the corrected clock (rule 29), ms since 1970: as the agent that runs, if one does, wrote it down.
pub fn corrected_ms(state_dir: &Path, now: Timestamp) -> i64 {
    let status = Status::read(state_dir).ok().flatten();
    let running = status.filter(|status| now.millis().abs_diff(status.written_ms) <= CORRECTION_FOR_MS);
    let correction_ms = running.map_or(0.0, |status| status.collector.clock_correction_seconds * 1e3);
    now.millis().saturating_add(correction_ms as i64)
}

#[cfg(test)]
mod tests;
