//! What the sources look at: a root folder, the ways to ask running services, and what is remembered from look to look so that what did not
//! change is not read again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::inventory::Rows;
use muster_common::redact::Redactor;

use super::bounded;
use super::sources::{UnitFiles, UnitHead};
use super::{InventoryConfig, defaults};
use crate::logs::glob::Glob;

/// A small file: an attribute, a list of users of an ordinary host.
pub(crate) const SMALL_BYTES: usize = 256 << 10;
/// The largest file that is read as a whole: tables of the kernel, such as the routes of a router.
pub(crate) const LARGE_BYTES: usize = 16 << 20;
/// The largest that is read line by line: the package database of a host with 8,000 packages has some 12 MB.
const LINES_BYTES: u64 = 128 << 20;
/// Notes of one look at one table; beyond it they help nobody.
const NOTES_MAX: usize = 16;

/// Why a table cannot be looked at: the place, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Problem {
    pub place: String,
    pub problem: String,
}

/// An IPv4 address of this host: interface, address, prefix length.
pub(super) type Ipv4 = (String, Ipv4Addr, u32);

/// What a look begins from.
pub struct Scene {
    root: PathBuf,
    pub(super) files: Vec<Glob>,
    pub(super) certificates: Vec<Glob>,
    pub(super) machine: String,
    pub(super) redactor: Option<Redactor>,
    /// The system's bus, where there is one.
    pub(super) bus: PathBuf,
    /// Of docker and podman.
    pub(super) container_sockets: [(&'static str, PathBuf); 2],
    pub(super) rpm: PathBuf,
    pub(super) ipv4: fn() -> io::Result<Vec<Ipv4>>,
    pub(super) memory: RefCell<Memory>,
    notes: RefCell<Vec<String>>,
}

/// What is remembered from look to look, within the bounds of the tables.
#[derive(Default)]
pub(super) struct Memory {
    /// When the host was started, as it was told last, seconds since 1970.
    pub(super) boot_s: Option<i64>,
    /// What the package databases were, and what they held.
    pub(super) packages: Option<(Vec<Stamp>, Rows)>,
    /// Processes and units behind sockets that listen, by inode.
    pub(super) sockets: BTreeMap<u64, Listener>,
    /// Sums of files by path, with what the file was.
    pub(super) sums: BTreeMap<PathBuf, (Stamp, String)>,
    /// Folders in which a change means other files, or other certificates: by the table.
    pub(super) folders: BTreeMap<&'static str, Vec<PathBuf>>,
    /// Unit files by name, and what their folders were.
    pub(super) unit_files: Option<(Vec<Stamp>, Arc<UnitFiles>)>,
    /// What unit files say, by path.
    pub(super) unit_heads: BTreeMap<String, (Stamp, UnitHead)>,
    /// States of unit files as systemd told them, and what their folders were.
    pub(super) unit_states: Option<(Vec<Stamp>, BTreeMap<String, String>)>,
}

/// Who listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) process: Option<String>,
    pub(super) unit: Option<String>,
}

/// What tells that a file or a folder is as it was; zeros: it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(meta: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl Scene {
    /// This host.
    pub fn of_host(config: &InventoryConfig) -> Self {
        Self {
            bus: PathBuf::from("/run/dbus/system_bus_socket"),
            container_sockets: [("docker", "/run/docker.sock"), ("podman", "/run/podman/podman.sock")]
                .map(|(name, path)| (name, PathBuf::from(path))),
            rpm: PathBuf::from("/usr/bin/rpm"),
            ipv4: super::sources::ipv4_of_host,
            machine: rustix::system::uname().machine().to_string_lossy().into_owned(),
            ..Self::below(Path::new("/"), config)
        }
    }

    /// A folder in the place of the host's root, without anything to ask.
    pub fn below(root: &Path, config: &InventoryConfig) -> Self {
        let patterns = |built_in: &[&str], own: &[Glob]| {
            built_in.iter().filter_map(|text| Glob::new(text)).chain(own.iter().cloned()).collect()
        };
        let nowhere = root.join("nowhere");
        Self {
            root: root.to_path_buf(),
            files: patterns(defaults::FILES, &config.files),
            certificates: patterns(defaults::CERTIFICATES, &config.certificates),
            machine: String::new(),
            // The built-in patterns always compile.
            redactor: Redactor::new(&[]).ok(),
            bus: nowhere.clone(),
            container_sockets: [("docker", nowhere.clone()), ("podman", nowhere.clone())],
            rpm: nowhere,
            ipv4: || Ok(Vec::new()),
            memory: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    /// A path of the host in this root.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// `/path` as people know it.
    fn place(path: &str) -> String {
        format!("/{path}")
    }

    /// The beginning of a file; `None`: there is none. What is beyond `bytes_max` is left, and noted.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn read(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, Problem> {
        match bounded::read(&self.path(path), bytes_max) {
            Ok((bytes, is_cut)) => {
                if is_cut {
                    self.note(format!("/{path}: only its first {bytes_max} bytes are read"));
                }
                Ok(Some(bytes))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(Problem { place: Self::place(path), problem: format!("cannot be read: {error}") }),
        }
    }

    /// The beginning of a file of a process or a session, which may be gone by now; `None`: it is not there, or not for this user.
    pub(crate) fn beginning(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        bounded::read(&self.path(path), bytes_max).ok().map(|(bytes, _)| bytes)
    }

    /// Gives a file's lines, however large it is; none where there is no such file. What is beyond the bound is left, and noted.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn each_line(&self, path: &str, each: impl FnMut(&[u8])) -> Result<(), Problem> {
        match bounded::each_line(&self.path(path), LINES_BYTES, each) {
            Ok(true) => self.note(format!("/{path}: only its first {LINES_BYTES} bytes are read")),
            Ok(false) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => {
                return Err(Problem { place: Self::place(path), problem: format!("cannot be read: {error}") });
            }
        }
        Ok(())
    }

    /// The beginning of a file that a host must have.
    ///
    /// # Errors
    /// When it cannot be read, or is not there.
    pub(crate) fn must_read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, Problem> {
        let missing = || Problem { place: Self::place(path), problem: "is not there: is it mounted?".to_owned() };
        self.read(path, bytes_max)?.ok_or_else(missing)
    }

    /// The first line of a small file, without blanks around it; `None`: it is empty, absent, or not for this user.
    pub(crate) fn word(&self, path: &str) -> Option<String> {
        let (bytes, _) = bounded::read(&self.path(path), SMALL_BYTES).ok()?;
        let line = crate::sources::parse::text(crate::sources::parse::trimmed(&bytes));
        (!line.is_empty()).then_some(line)
    }

    /// What a file or folder is now.
    pub(super) fn stamp(&self, path: &str) -> Stamp {
        std::fs::metadata(self.path(path)).map(|meta| Stamp::of(&meta)).unwrap_or_default()
    }

    /// Names in a folder, sorted, at most `max`; none where there is no such folder.
    ///
    /// # Errors
    /// When it is there and cannot be listed.
    pub(crate) fn list(&self, path: &str, max: usize) -> Result<Vec<String>, Problem> {
        let entries = match std::fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => {
                return Err(Problem { place: Self::place(path), problem: format!("cannot be listed: {error}") });
            }
        };
        let mut names: BTreeSet<String> = BTreeSet::new();
        for entry in entries.flatten() {
            if names.len() >= max {
                self.note(format!("/{path}: only {max} of its names are looked at"));
                break;
            }
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names.into_iter().collect())
    }

    /// Something that is left out of a table that can be told otherwise.
    pub(super) fn note(&self, note: String) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() < NOTES_MAX && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// The notes since the last call.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.borrow_mut())
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}
