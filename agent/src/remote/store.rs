//! What the host keeps of remote configurations, in `remote` of the state folder. Each file is written whole: a new one, synced, renamed over
//! the old one, the folder synced.
//!
//! - `good.toml`: the document that was confirmed last, byte for byte; absent: none.
//! - `trial.toml`: the document of a trial that goes on.
//! - `state.json`: [`Record`], version 1: which documents these are (number, digest as 32 hexadecimal digits, since when), what was offered
//!   last, and what was refused or set back with its reasons. It is written before what it says comes to pass, so that a process that ends
//!   leaves behind what it was at.
//!
//! A confirmation writes `good.toml` first and the record after it: a good document that has the trial's digest was confirmed.

use std::io;
use std::path::{Path, PathBuf};

use muster_common::disk::{Disk, Open};
use muster_common::limits::CONFIGURATION_BYTES_MAX;
use muster_common::wire::message::{Configuration, Problem};
use serde::{Deserialize, Serialize};

const FOLDER: &str = "remote";
const GOOD: &str = "good.toml";
const TRIAL: &str = "trial.toml";
const STATE: &str = "state.json";
/// The record's version.
pub const VERSION: u32 = 1;
/// Twenty problems of three texts of 1 KiB, with escapes.
const STATE_BYTES_MAX: usize = 1 << 20;

/// `state.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub version: u32,
    /// What was offered last.
    #[serde(default)]
    pub offered: Option<Mark>,
    /// What `good.toml` is.
    #[serde(default)]
    pub good: Option<Mark>,
    /// What `trial.toml` is.
    #[serde(default)]
    pub trial: Option<Mark>,
    /// The trial was left by an orderly end of the agent: it is begun anew, and nothing is held against it.
    #[serde(default)]
    pub is_trial_left: bool,
    /// What is not tried again under this number.
    #[serde(default)]
    pub refused: Option<Refusal>,
}

/// A document by what it is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub number: u64,
    /// xxh3-128 of its bytes, big-endian, as hexadecimal digits.
    #[serde(with = "hex")]
    pub digest: [u8; 16],
    /// Since when it is what it is, ms since 1970 by this host's clock.
    pub since_ms: i64,
}

/// A document that cannot be run by, or did not do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub mark: Mark,
    /// It ran before it was set back.
    pub is_reverted: bool,
    pub problems: Vec<Told>,
}

/// A problem, as the file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub place: String,
    pub message: String,
    pub remedy: String,
}

impl From<&Problem> for Told {
    fn from(problem: &Problem) -> Self {
        let Problem { place, message, remedy } = problem.clone();
        Self { place, message, remedy }
    }
}

impl From<&Told> for Problem {
    fn from(told: &Told) -> Self {
        let Told { place, message, remedy } = told.clone();
        Self { place, message, remedy }
    }
}

impl Default for Record {
    fn default() -> Self {
        Self { version: VERSION, offered: None, good: None, trial: None, is_trial_left: false, refused: None }
    }
}

/// What lies in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub record: Record,
    /// The confirmed document, whose digest is the record's.
    pub good: Option<String>,
    /// The trial's, whose digest is the record's.
    pub trial: Option<String>,
    /// What is damaged.
    pub problems: Vec<Problem>,
}

/// The folder.
pub struct Store<D> {
    disk: D,
    folder: PathBuf,
}

/// A write that failed.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written: {source}; free room on the disk, or give the state folder to the agent's user")]
pub struct StoreError {
    path: String,
    #[source]
    source: io::Error,
}

impl<D: Disk> Store<D> {
    pub fn new(disk: D, state_dir: &Path) -> Self {
        Self { disk, folder: state_dir.join(FOLDER) }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads what is there. What is damaged is named, and is as if it were not there.
    pub fn load(&self) -> Kept {
        let mut problems = Vec::new();
        let mut record = match self.read(STATE, STATE_BYTES_MAX) {
            Ok(None) => Record::default(),
            Ok(Some(bytes)) => match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) if record.version == VERSION => record,
                Ok(record) => {
                    let version = record.version;
                    problems.push(
                        self.damage(STATE, &format!("it is of version {version}, which this agent does not read")),
                    );
                    Record::default()
                }
                Err(error) => {
                    problems.push(self.damage(STATE, &format!("it is damaged: {error}")));
                    Record::default()
                }
            },
            Err(error) => {
                problems.push(self.damage(STATE, &format!("it cannot be read: {error}")));
                Record::default()
            }
        };
        let good = self.document(GOOD, &mut problems);
        let trial = self.document(TRIAL, &mut problems);
        let digest = |text: &Option<String>| text.as_deref().map(Configuration::digest_of);
        if let Some(mark) = record.trial.clone()
            && digest(&good) == Some(mark.digest)
        {
            record = Record { good: Some(mark), trial: None, is_trial_left: false, ..record };
        }
        let is_good =
            |mark: &Option<Mark>, text: &Option<String>| digest(text) == mark.as_ref().map(|mark| mark.digest);
        let mut kept = Kept { record, good, trial, problems };
        if !is_good(&kept.record.good, &kept.good) {
            // A document without a record is one whose removal was cut short.
            if kept.problems.is_empty() && kept.record.good.is_some() {
                let why = if kept.good.is_none() { "it is gone" } else { "it is not what was confirmed" };
                kept.problems.push(self.damage(GOOD, why));
                // As if nothing had been offered: the collector offers it again, under whatever number.
                (kept.record.offered, kept.record.refused) = (None, None);
            }
            (kept.record.good, kept.good) = (None, None);
        }
        if !is_good(&kept.record.trial, &kept.trial) {
            // What never ran, or was over: its record is written before and removed after it.
            kept.trial = None;
        }
        kept
    }

    /// A trial begins: its document, then the record that says so.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn begin(&self, document: &str, record: &Record) -> Result<(), StoreError> {
        self.write(TRIAL, document.as_bytes())?;
        self.keep(record)
    }

    /// The trial's document is the good one from now on.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn confirm(&self, document: &str, record: &Record) -> Result<(), StoreError> {
        self.write(GOOD, document.as_bytes())?;
        self.keep(record)
    }

    /// The trial is over, and where the record has no good document there is none either.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn go_back(&self, record: &Record) -> Result<(), StoreError> {
        self.keep(record)?;
        if record.good.is_none() { self.remove(GOOD) } else { Ok(()) }
    }

    /// The record alone; a trial's document goes with its trial.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn keep(&self, record: &Record) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(record).map_err(|error| self.error(STATE, io::Error::other(error)))?;
        self.write(STATE, &bytes)?;
        if record.trial.is_none() { self.remove(TRIAL) } else { Ok(()) }
    }

    fn document(&self, name: &str, problems: &mut Vec<Problem>) -> Option<String> {
        let read = self.read(name, CONFIGURATION_BYTES_MAX).and_then(|bytes| {
            let text = |bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text"));
            bytes.map(text).transpose()
        });
        read.unwrap_or_else(|error| {
            problems.push(self.damage(name, &format!("it cannot be read: {error}")));
            None
        })
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        let file = match self.disk.open(&self.folder.join(name), Open::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = usize::try_from(file.len()?).ok().filter(|length| *length <= bytes_max);
        let length = length.ok_or_else(|| io::Error::other("it is larger than any that was written"))?;
        let mut bytes = vec![0; length];
        file.pread(&mut bytes, 0)?;
        Ok(Some(bytes))
    }

    fn damage(&self, name: &str, why: &str) -> Problem {
        Problem {
            place: self.folder.join(name).display().to_string(),
            message: format!(
                "{why}; the host's own file alone is in force until the collector offers a configuration again"
            ),
            remedy: "look at the disk; the collector offers it by itself at the next connection".to_owned(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let written = || {
            self.disk.create_dir_all(&self.folder)?;
            let (temporary, path) = (self.folder.join(format!("{name}.new")), self.folder.join(name));
            match self.disk.unlink(&temporary) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let file = self.disk.open(&temporary, Open::Create)?;
            file.pwrite(bytes, 0)?;
            file.sync()?;
            self.disk.rename(&temporary, &path)?;
            self.disk.sync_dir(&self.folder)
        };
        written().map_err(|source| self.error(name, source))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let removed = match self.disk.unlink(&self.folder.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            removed => removed.and_then(|()| self.disk.sync_dir(&self.folder)),
        };
        removed.map_err(|source| self.error(name, source))
    }

    fn error(&self, name: &str, source: io::Error) -> StoreError {
        StoreError { path: self.folder.join(name).display().to_string(), source }
    }
}

/// Digests in the file.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(digest: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex_of(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits =
            Some(text.as_str()).filter(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|text| u128::from_str_radix(text, 16).ok());
        number.map(u128::to_be_bytes).ok_or_else(|| serde::de::Error::custom("no digest of 32 hexadecimal digits"))
    }
}

/// A digest as people and files have it.
pub fn hex_of(digest: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*digest))
}

#[cfg(test)]
mod tests;
