//! The host's own audit: a line for everything that was wanted of it, each with the hash of the line before. Its copy of what happened, which no
//! collector can change.
//!
//! `audit.log` has a line an entry: its number, the hash of the line before (64 digits, zeros before the first), its own hash, and the entry as
//! JSON, with a blank between them. The hash is SHA-256 over `muster-task audit v1`, a byte 0, the number (8 bytes, little-endian), the previous
//! hash (32 bytes) and the JSON as it stands there.
//! A file that is full becomes `audit.1.log` and so on; the oldest goes, and the chain runs through all that are there. Whoever notes a
//! line's hash elsewhere can prove every line up to it; lines cut off the end are noticed by that alone.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use muster_common::digest::{Sha256, Sum};
use muster_common::wire::tasks::TaskCall;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::judge::Approved;

const HEAD: &[u8] = b"muster-task audit v1\0";
/// Of one file: some 10,000 entries.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Files beside the one that is written to: with it 20 MiB.
const FILES_KEPT: u32 = 4;
/// A line that is longer is none of ours.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// A text of an entry: those of frames are no longer.
const DETAIL_BYTES_MAX: usize = 4 << 10;

/// Something that was wanted or happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// By the host's clock.
    pub at_ms: i64,
    /// `start`, `catalogue`, `catalogue_refused`, `accepted`, `refused`, `running`, `ended`, `timed_out`, `killed`, `cancel`, `cancelled`, `lost`,
    /// `forgotten`, `left_out`.
    pub event: String,
    /// Order's id and step, as `ID-STEP`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub task: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// What was run, word by word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requester: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// SHA-256 of the order's text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub order: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Entry {
    pub fn new(at_ms: i64, event: &str) -> Self {
        Self { at_ms, event: event.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn of(mut self, call: TaskCall) -> Self {
        self.call = format!("{}-{}", Uuid::from_bytes(call.order).hyphenated(), call.step);
        self
    }

    #[must_use]
    pub fn task(mut self, task: &str) -> Self {
        self.task = task.to_owned();
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        let mut end = self.detail.len().min(DETAIL_BYTES_MAX);
        while !self.detail.is_char_boundary(end) {
            end -= 1;
        }
        self.detail.truncate(end);
        self
    }

    /// What will run, and by whose word.
    pub fn accepted(approved: &Approved, at_ms: i64) -> Self {
        Self {
            account: approved.account.clone(),
            command: approved.command.clone(),
            requester: approved.requester.clone(),
            approvers: approved.approvers.clone(),
            order: approved.order.to_string(),
            ..Self::new(at_ms, "accepted").of(approved.call).task(&approved.task)
        }
    }
}

/// A place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub seq: u64,
    pub hash: Sum,
}

impl Link {
    const START: Self = Self { seq: 0, hash: Sum([0; 32]) };

    fn next(self, entry: &str) -> Self {
        let seq = self.seq + 1;
        let mut sum = Sha256::new();
        sum.update(HEAD);
        sum.update(&seq.to_le_bytes());
        sum.update(&self.hash.0);
        sum.update(entry.as_bytes());
        Self { seq, hash: sum.finish() }
    }
}

/// Why an audit is not whole, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("{path} cannot be read or written: {source}; give the folder to root, and free room on its disk")]
    Io {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path}, line {line}: {problem}; lines from here on were changed, taken out or damaged: compare with the collector's audit"
    )]
    Broken { path: String, line: usize, problem: &'static str },
}

/// The file that is written to.
pub struct Audit {
    folder: PathBuf,
    file: File,
    bytes: u64,
    link: Link,
}

impl Audit {
    /// Goes on where the last whole line ends. A torn one, which a loss of power leaves, is cut off.
    ///
    /// # Errors
    /// [`AuditError`]: the file cannot be opened, or its last whole line is none.
    pub fn open(folder: &Path) -> Result<Self, AuditError> {
        let path = path(folder, 0);
        let at = |source| AuditError::Io { path: path.display().to_string(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(at)?;
        let mut text = String::new();
        (&mut file).take(FILE_BYTES_MAX + LINE_BYTES_MAX).read_to_string(&mut text).map_err(at)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(at)?;
            file.seek(SeekFrom::End(0)).map_err(at)?;
        }
        let last = text[..whole].lines().next_back().map(str::to_owned);
        let last = match last {
            Some(line) => Some(line),
            // Just after a change of files.
            None => last_line(&self::path(folder, 1))?,
        };
        let link = match last {
            Some(line) => read(&line).map(|(link, ..)| link).ok_or(AuditError::Broken {
                path: path.display().to_string(),
                line: text[..whole].lines().count(),
                problem: "the last line cannot be read",
            })?,
            None => Link::START,
        };
        Ok(Self { folder: folder.to_owned(), file, bytes: whole as u64, link })
    }

    /// Durable when it returns.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn write(&mut self, entry: &Entry) -> Result<(), AuditError> {
        let path = path(&self.folder, 0);
        let at = |source| AuditError::Io { path: path.display().to_string(), source };
        let json = serde_json::to_string(entry).map_err(|error| at(error.into()))?;
        let link = self.link.next(&json);
        let text = format!("{} {} {} {json}\n", link.seq, self.link.hash, link.hash);
        if self.bytes + text.len() as u64 > FILE_BYTES_MAX {
            self.turn().map_err(at)?;
        }
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data()).map_err(at)?;
        self.bytes += text.len() as u64;
        self.link = link;
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        for number in (0..FILES_KEPT).rev() {
            match std::fs::rename(path(&self.folder, number), path(&self.folder, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path(&self.folder, 0))?;
        self.bytes = 0;
        File::open(&self.folder)?.sync_all()
    }
}

fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(if number == 0 { "audit.log".to_owned() } else { format!("audit.{number}.log") })
}

fn last_line(path: &Path) -> Result<Option<String>, AuditError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().next_back().map(str::to_owned)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuditError::Io { path: path.display().to_string(), source }),
    }
}

/// Where it stands, the hash before it, and the entry.
fn read(line: &str) -> Option<(Link, Sum, &str)> {
    let mut words = line.splitn(4, ' ');
    let (seq, previous, hash) = (words.next()?.parse().ok()?, Sum::parse(words.next()?)?, Sum::parse(words.next()?)?);
    Some((Link { seq, hash }, previous, words.next()?))
}

/// Walks all files, oldest first, and hands each entry on. Gives the number of entries, and the last link.
///
/// # Errors
/// [`AuditError`] at the first line that does not follow from the one before.
pub fn verify(folder: &Path, mut each: impl FnMut(u64, Entry)) -> Result<(u64, Option<Link>), AuditError> {
    let (mut count, mut link): (u64, Option<Link>) = (0, None);
    for number in (0..=FILES_KEPT).rev() {
        let path = path(folder, number);
        let name = path.display().to_string();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(AuditError::Io { path: name, source }),
        };
        for (index, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|source| AuditError::Io { path: name.clone(), source })?;
            let broken = |problem| AuditError::Broken { path: name.clone(), line: index + 1, problem };
            let (found, previous, json) = read(&line).ok_or_else(|| broken("it is no line of an audit"))?;
            // The first that is there: what came before it went with an older file, or there was nothing.
            let before = link.unwrap_or(Link { seq: found.seq.wrapping_sub(1), hash: previous });
            if link.is_none() && found.seq == 1 && previous != Link::START.hash {
                return Err(broken("it follows something, and is the first"));
            }
            if before.hash != previous || before.seq.wrapping_add(1) != found.seq {
                return Err(broken("it does not follow the one before"));
            }
            if before.next(json) != found {
                return Err(broken("its hash is not that of what it says"));
            }
            let entry = serde_json::from_str(json).map_err(|_| broken("its entry cannot be read"))?;
            each(found.seq, entry);
            link = Some(found);
            count += 1;
        }
    }
    Ok((count, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64) -> Entry {
        Entry::new(number, "refused").of(TaskCall { order: [1; 16], step: 0 }).detail("Expired: \"late\"\n\u{202e}")
    }

    fn seqs(folder: &Path) -> Vec<u64> {
        let mut seqs = Vec::new();
        verify(folder, |seq, _| seqs.push(seq)).unwrap();
        seqs
    }

    #[test]
    fn a_chain_is_whole_goes_on_after_a_restart_and_shows_every_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(folder.path(), 0);
        for from in [0, 3] {
            let mut audit = Audit::open(folder.path()).unwrap();
            (from..from + 3).for_each(|number| audit.write(&entry(number)).unwrap());
        }
        assert_eq!(seqs(folder.path()), [1, 2, 3, 4, 5, 6]);
        let good = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = good.lines().collect();
        let without = |left_out: usize| {
            let kept = lines.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, line)| *line);
            kept.collect::<Vec<_>>().join("\n")
        };
        let swapped = [lines[0], lines[2], lines[1], lines[3]].join("\n");
        let invented = format!("{}\n{}", good.trim_end(), lines[5]);
        let changed = good.replacen("late", "soon", 1);
        for wrong in [without(1), without(4), swapped, invented, changed, "x".to_owned()] {
            std::fs::write(&file, wrong).unwrap();
            assert!(matches!(verify(folder.path(), |_, _| ()), Err(AuditError::Broken { .. })));
        }
        // Torn by a loss of power: the rest goes on.
        std::fs::write(&file, &good[..good.len() - 20]).unwrap();
        Audit::open(folder.path()).unwrap().write(&entry(9)).unwrap();
        assert_eq!(seqs(folder.path()), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn it_stays_within_its_bound_and_the_chain_runs_through_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut audit = Audit::open(folder.path()).unwrap();
        let long = Entry::new(1, "refused").detail("x".repeat(DETAIL_BYTES_MAX));
        for _ in 0..6 {
            // As though it were nearly full.
            audit.write(&long).unwrap();
            audit.bytes = FILE_BYTES_MAX - 100;
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
        assert_eq!(seqs(folder.path()), [2, 3, 4, 5, 6]);
        drop(audit);
        std::fs::write(path(folder.path(), 0), "").unwrap();
        Audit::open(folder.path()).unwrap().write(&long).unwrap();
        assert_eq!(seqs(folder.path()), [2, 3, 4, 5, 6], "goes on from the file before");
    }
}
