//! What is on disk, in the state folder (0700): each file written whole, synced, renamed over the old one, the folder synced.
//!
//! - `lock`: held while the program runs.
//! - `host`: the host's id, pinned at first use.
//! - `catalogue.json`: the catalogue in force with its signature, and the newest version that was ever seen.
//! - `forgotten`: the latest end of an order that is remembered no more, in ms since 1970.
//! - `calls/ORDER-STEP.json`: [`Record`]; `calls/ORDER-STEP.out`: a line a chunk of output, each a JSON text; synced when the run has ended.
//! - `audit.log`, `audit.1.log`, ...: [`crate::audit`].

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use muster_common::digest::Sum;
use muster_common::host::HostId;
use muster_common::task::{Catalogue, Signature};
use muster_common::wire::tasks::{TaskCall, TaskCatalogue};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::desk::Kept;
use crate::judge::Seen;
use crate::record::Record;
use crate::settings::Settings;

const VERSION: u32 = 1;
/// A larger file is none of ours: a catalogue of 256 KiB with every byte escaped.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files of calls that are read at the start; the desk holds the bound while it runs.
const CALLS_MAX: usize = 2 * crate::desk::RECORDS_MAX;

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{path} cannot be read or written: {source}; free room on its disk, and give the folder to whom muster-task runs as"
    )]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("{path} is in use: another muster-task runs; end it first")]
    InUse { path: String },
    #[error("{path} is damaged or of a later version: move it away, and look at the audit what it was")]
    Damaged { path: String },
}

/// The folder, locked.
pub struct Store {
    folder: PathBuf,
    _lock: File,
    /// Where chunks begin in the files of output, for those that were asked for or written.
    chunks: BTreeMap<TaskCall, Vec<u64>>,
}

#[derive(Serialize, Deserialize)]
struct CatalogueRow {
    version: u32,
    document: String,
    signature: String,
    seen_version: u64,
    seen_digest: String,
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |source| StoreError::Io { path: path.clone(), source }
}

impl Store {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let calls = folder.join("calls");
        DirBuilder::new().recursive(true).mode(0o700).create(&calls).map_err(at(&calls))?;
        let path = folder.join("lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| StoreError::InUse { path: folder.display().to_string() })?;
        Ok(Self { folder: folder.to_owned(), _lock: lock, chunks: BTreeMap::new() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that was kept. A catalogue that nobody of today's signers signed is not in force, and its version is remembered.
    ///
    /// # Errors
    /// [`StoreError`]: what is damaged is not passed over, since what it said would run again.
    pub fn load(&mut self, settings: &Settings) -> Result<Kept, StoreError> {
        let mut kept = Kept::default();
        let damaged = |path: &Path| StoreError::Damaged { path: path.display().to_string() };
        let path = self.folder.join("host");
        if let Some(text) = read(&path)? {
            kept.host = Some(HostId::parse(text.trim()).ok_or_else(|| damaged(&path))?);
        }
        let path = self.folder.join("forgotten");
        if let Some(text) = read(&path)? {
            kept.forgotten_ms = text.trim().parse().map_err(|_| damaged(&path))?;
        }
        let path = self.folder.join("catalogue.json");
        if let Some(text) = read(&path)? {
            let row: CatalogueRow = serde_json::from_str(&text).map_err(|_| damaged(&path))?;
            let signature = Signature::parse(&row.signature).filter(|_| row.version == VERSION);
            let signature = signature.ok_or_else(|| damaged(&path))?;
            let digest = Sum::parse(&row.seen_digest).ok_or_else(|| damaged(&path))?;
            kept.seen = Seen { version: row.seen_version, digest: Some(digest) };
            let bytes = Catalogue::signed_bytes(&row.document);
            if settings.signers.iter().any(|key| key.signed(&bytes, &signature)) {
                kept.catalogue = Catalogue::parse(&row.document).ok();
            }
        }
        let calls = self.folder.join("calls");
        for entry in std::fs::read_dir(&calls).map_err(at(&calls))? {
            let path = entry.map_err(at(&calls))?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") if kept.records.len() < CALLS_MAX => {
                    let text = read(&path)?.unwrap_or_default();
                    let record = Record::from_json(&text).ok_or_else(|| damaged(&path))?;
                    let chunks = self.offsets(record.call)?.len();
                    kept.chunks.insert(record.call, u32::try_from(chunks).unwrap_or(u32::MAX));
                    kept.records.push(record);
                }
                // What was being written when the last process ended.
                Some("new") => std::fs::remove_file(&path).map_err(at(&path))?,
                _ => {}
            }
        }
        Ok(kept)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        let new = path.with_extension("new");
        let folder = path.parent().unwrap_or(&self.folder);
        let written = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(folder)?.sync_all()
        };
        written().map_err(at(&path))
    }

    /// # Errors
    /// [`StoreError::Io`].
    pub fn keep(&self, record: &Record) -> Result<(), StoreError> {
        if record.word.is_last() && record.chunks > 0 {
            // Chunks that are told as there are there after a loss of power too.
            let path = self.output(record.call);
            match File::open(&path).and_then(|file| file.sync_all()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&path)(error)),
                _ => {}
            }
        }
        self.write(&format!("calls/{}.json", Record::name(record.call)), &record.to_json())
    }

    /// `forgotten_ms`: the latest end of an order that is remembered no more.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn forget(&mut self, call: TaskCall, forgotten_ms: i64) -> Result<(), StoreError> {
        self.write("forgotten", &forgotten_ms.to_string())?;
        self.drop_output(call)?;
        remove(&self.folder.join(format!("calls/{}.json", Record::name(call))))
    }

    /// # Errors
    /// [`StoreError::Io`].
    pub fn drop_output(&mut self, call: TaskCall) -> Result<(), StoreError> {
        self.chunks.remove(&call);
        remove(&self.output(call))
    }

    /// # Errors
    /// [`StoreError::Io`].
    pub fn keep_host(&self, host: HostId) -> Result<(), StoreError> {
        self.write("host", &host.to_string())
    }

    /// # Errors
    /// [`StoreError::Io`].
    pub fn keep_catalogue(&self, offer: &TaskCatalogue, seen: Seen) -> Result<(), StoreError> {
        let row = CatalogueRow {
            version: VERSION,
            document: offer.document.clone(),
            signature: Signature(offer.signature).to_string(),
            seen_version: seen.version,
            seen_digest: seen.digest.map(|digest| digest.to_string()).unwrap_or_default(),
        };
        let text = serde_json::to_string(&row).map_err(|error| at(&self.folder)(error.into()))?;
        self.write("catalogue.json", &text)
    }

    /// One more chunk of a call's output.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn append(&mut self, call: TaskCall, chunk: &str) -> Result<(), StoreError> {
        let path = self.output(call);
        let mut offsets = self.offsets(call)?;
        let written = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            let end = file.seek(SeekFrom::End(0))?;
            let mut line = serde_json::to_string(chunk)?;
            line.push('\n');
            file.write_all(line.as_bytes())?;
            Ok(end)
        };
        offsets.push(written().map_err(at(&path))?);
        self.chunks.insert(call, offsets);
        Ok(())
    }

    /// This chunk of a call's output; `None`: it is not there.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn chunk(&mut self, call: TaskCall, chunk: u32) -> Result<Option<String>, StoreError> {
        let path = self.output(call);
        let offsets = self.offsets(call)?;
        let Some(offset) = offsets.get(chunk as usize).copied() else { return Ok(None) };
        self.chunks.insert(call, offsets);
        let read = || {
            let mut file = BufReader::new(File::open(&path)?.take(u64::MAX));
            file.get_mut().get_mut().seek(SeekFrom::Start(offset))?;
            let mut line = String::new();
            file.read_line(&mut line)?;
            Ok(serde_json::from_str(&line)?)
        };
        read().map(Some).map_err(at(&path))
    }

    fn offsets(&mut self, call: TaskCall) -> Result<Vec<u64>, StoreError> {
        if let Some(known) = self.chunks.remove(&call) {
            return Ok(known);
        }
        let path = self.output(call);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(at(&path)(source)),
        };
        let (mut offsets, mut offset) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // A torn one, and all after it, were never told.
            if line.last() != Some(&b'\n') || serde_json::from_slice::<String>(line).is_err() {
                break;
            }
            offsets.push(offset);
            offset += line.len() as u64;
        }
        Ok(offsets)
    }

    fn output(&self, call: TaskCall) -> PathBuf {
        self.folder.join(format!("calls/{}.out", Record::name(call)))
    }
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(at(path)(source)),
    };
    let mut text = String::new();
    match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::Damaged { path: path.display().to_string() })
        }
        Err(source) => Err(at(path)(source)),
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: TaskCall = TaskCall { order: [5; 16], step: 0 };

    #[test]
    fn what_is_kept_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        let host = HostId([3; 16]);
        let record = Record::cancelled(CALL, "user:bob", 9_000);
        {
            let mut store = Store::open(folder.path()).unwrap();
            assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse { .. })));
            assert!(store.load(&settings).unwrap().records.is_empty());
            store.keep_host(host).unwrap();
            store.keep(&record).unwrap();
            let seen = Seen { version: 4, digest: Some(Sum([1; 32])) };
            let offer = TaskCatalogue { document: "version = 4".into(), signature: [0; 64], extensions: Vec::new() };
            store.keep_catalogue(&offer, seen).unwrap();
            for chunk in ["one\n", "two \"\n", "three"] {
                store.append(CALL, chunk).unwrap();
            }
            assert_eq!(store.chunk(CALL, 1).unwrap().as_deref(), Some("two \"\n"));
        }
        std::fs::write(folder.path().join("calls/x.new"), "torn").unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let kept = store.load(&settings).unwrap();
        assert_eq!((kept.host, &kept.records[..], kept.forgotten_ms), (Some(host), &[record][..], 0));
        assert!(kept.catalogue.is_none() && kept.seen.version == 4, "nobody who counts signed it");
        assert_eq!((kept.chunks[&CALL], store.chunk(CALL, 2).unwrap().as_deref()), (3, Some("three")));
        assert_eq!(store.chunk(CALL, 3).unwrap(), None);
        store.forget(CALL, 12_000).unwrap();
        let kept = store.load(&settings).unwrap();
        assert!(kept.records.is_empty() && kept.forgotten_ms == 12_000);
        assert_eq!(std::fs::read_dir(folder.path().join("calls")).unwrap().count(), 0);
    }

    #[test]
    fn a_torn_chunk_was_never_there_and_a_damaged_record_stops_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.append(CALL, "one").unwrap();
        let out = store.output(CALL);
        std::fs::write(&out, "\"one\"\n\"tw").unwrap();
        store.chunks.clear();
        assert_eq!(store.chunk(CALL, 0).unwrap().as_deref(), Some("one"));
        assert_eq!(store.chunk(CALL, 1).unwrap(), None);
        std::fs::write(folder.path().join("calls/x.json"), "{").unwrap();
        assert!(matches!(store.load(&Settings::default()), Err(StoreError::Damaged { .. })));
    }
}
