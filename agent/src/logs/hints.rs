//! What the host itself remembers of its sources: a hint, for the collector's positions decide.
//!
//! It tells how far files had grown when they were last seen (so that a loss can be named), which patterns were looked at before (so that
//! a new file is read from its start), and the journal's cursor. Written as a new file renamed over the old one, at most twice a minute.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_common::disk::{Disk, Open};
use muster_common::wire::message::SourceId;
use serde::{Deserialize, Serialize};

/// The promise of EXACTLY-ONCE.md rule 14: two syncs a minute at most.
pub const WRITE_EVERY: Duration = Duration::from_secs(30);
const FILE: &str = "logs.json";
/// Sources kept: more than this would make the file larger than what it saves.
const SOURCES_MAX: usize = 20_000;

/// The file, version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    pub version: u32,
    /// Patterns that were looked at at least once.
    pub patterns: Vec<String>,
    pub sources: Vec<SourceHint>,
    /// The journal's cursor after the last entry that was acknowledged.
    pub cursor: String,
}

/// One source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHint {
    pub device: u64,
    pub inode: u64,
    pub fingerprint: u64,
    pub fingerprint_bytes: u16,
    pub incarnation: u32,
    pub path: String,
    /// Acknowledged up to here.
    pub acked: u64,
    /// What a position has: xxh3-64 of up to 64 bytes before it, where they were at hand.
    #[serde(default)]
    pub tail_hash: Option<u64>,
    /// Its size when it was last seen.
    pub size: u64,
    /// Its last writing then, ns since 1970.
    pub mtime_ns: i64,
    /// Where it was begun for good.
    #[serde(default)]
    pub began: u64,
}

impl SourceHint {
    pub fn source(&self) -> SourceId {
        SourceId {
            device: self.device,
            inode: self.inode,
            fingerprint: self.fingerprint,
            fingerprint_bytes: self.fingerprint_bytes,
            incarnation: self.incarnation,
            path: self.path.clone(),
        }
    }

    pub fn is_of(&self, source: &SourceId) -> bool {
        (self.device, self.inode, self.fingerprint, self.fingerprint_bytes, self.incarnation)
            == (source.device, source.inode, source.fingerprint, source.fingerprint_bytes, source.incarnation)
            && self.path == source.path
    }
}

/// The file in the state folder.
pub struct HintFile<D> {
    disk: D,
    folder: PathBuf,
    written: Hints,
    written_at: Option<Duration>,
}

impl<D: Disk> HintFile<D> {
    /// Reads what is there; a file that is damaged or of another version is none.
    pub fn open(disk: D, folder: &Path) -> (Self, Hints) {
        let hints = read(&disk, &folder.join(FILE)).unwrap_or_default();
        let hints = if hints.version == 1 { hints } else { Hints::default() };
        (Self { disk, folder: folder.to_path_buf(), written: hints.clone(), written_at: None }, hints)
    }

    /// When a write may follow; the loop need not wake for it.
    pub fn is_due(&self, now: Duration) -> bool {
        self.written_at.is_none_or(|at| now >= at + WRITE_EVERY)
    }

    /// Writes if something changed. The time counts even if it fails, so that a broken disk is not asked all the time.
    ///
    /// # Errors
    /// As the disk.
    pub fn write(&mut self, mut hints: Hints, now: Duration) -> io::Result<()> {
        hints.version = 1;
        hints.sources.truncate(SOURCES_MAX);
        if hints == self.written {
            return Ok(());
        }
        self.written_at = Some(now);
        let bytes = serde_json::to_vec(&hints).map_err(io::Error::other)?;
        let (temporary, path) = (self.folder.join("logs.json.new"), self.folder.join(FILE));
        match self.disk.unlink(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = self.disk.open(&temporary, Open::Create)?;
        file.pwrite(&bytes, 0)?;
        file.sync()?;
        self.disk.rename(&temporary, &path)?;
        self.written = hints;
        Ok(())
    }
}

fn read<D: Disk>(disk: &D, path: &Path) -> io::Result<Hints> {
    /// 20,000 sources of some 300 B.
    const BYTES_MAX: u64 = 16 << 20;
    let file = disk.open(path, Open::Read)?;
    let length = usize::try_from(file.len()?.min(BYTES_MAX)).unwrap_or(0);
    let mut bytes = vec![0; length];
    file.pread(&mut bytes, 0)?;
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::disk::real::RealDisk;

    #[test]
    fn hints_are_read_again_written_twice_a_minute_at_most_and_damage_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, hints) = HintFile::open(RealDisk, folder.path());
        assert_eq!(hints, Hints::default());
        let mut hints = Hints { patterns: vec!["/a/*".to_owned()], cursor: "s=1".to_owned(), ..hints };
        assert!(file.is_due(Duration::ZERO));
        file.write(hints.clone(), Duration::ZERO).unwrap();
        assert!(!file.is_due(Duration::from_secs(29)) && file.is_due(Duration::from_secs(30)));
        hints.version = 1;
        assert_eq!(HintFile::open(RealDisk, folder.path()).1, hints);
        for damage in ["", "{", "{\"version\":1}", "{\"version\":2,\"patterns\":[],\"sources\":[],\"cursor\":\"\"}"] {
            std::fs::write(folder.path().join(FILE), damage).unwrap();
            assert_eq!(HintFile::open(RealDisk, folder.path()).1, Hints::default(), "{damage}");
        }
    }
}
