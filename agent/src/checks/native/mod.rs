//! Checks that need no program: one file a kind. What reads the kernel's numbers runs at once on the checks' thread, what may hang at a
//! dead mount on a helper, what speaks over the network as a task beside the others.
//!
//! To add a kind: a file here, its `mod` line, and its line in [`KINDS`].

pub(crate) mod keys;
mod reading;

pub(crate) mod bus;
mod disk;
mod file_age;
mod http;
mod inode;
mod load;
mod memory;
mod mounts;
mod port;
mod process;
pub(crate) mod raid;
mod swap;
mod tcp;
mod time;
mod tls;
mod unit;
mod units;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use muster_common::time::Timestamp;

use super::outcome::Outcome;
use crate::fence::Fence;
use crate::sources::Scratch;
use keys::{Form, Key, KeyError, Keys, key};

/// Something that a check reads or speaks to beside the kernel's numbers. The host's own file bounds what a remote configuration may name so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    File {
        key: &'static str,
        path: PathBuf,
    },
    /// A file system, by a path on it. A remote configuration's is asked where it is a mount point, or lies in what it may look at.
    Mount {
        key: &'static str,
    },
    Host {
        key: &'static str,
        /// A name or an address, without brackets.
        host: String,
        port: u16,
    },
}

impl Touch {
    /// The key that names it.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::File { key, .. } | Self::Mount { key } | Self::Host { key, .. } => key,
        }
    }
}

/// What a look works with.
pub(crate) struct Host {
    pub(crate) proc: PathBuf,
    pub(crate) scratch: Scratch,
    /// This host's own wall clock.
    pub(crate) now: Timestamp,
    /// A clock that never steps.
    pub(crate) steady: Duration,
    /// What the check that looks may look at; `None`: everything, since it is of the host's own file.
    pub(crate) fence: Option<Arc<Fence>>,
    /// The processes as they were seen last; many checks share one walk.
    processes: process::Table,
}

impl Host {
    pub(crate) fn new(proc: &Path, now: Timestamp, steady: Duration) -> Self {
        let (proc, scratch, processes) = (proc.to_path_buf(), Scratch::new(), process::Table::default());
        Self { proc, scratch, now, steady, fence: None, processes }
    }

    /// What is known of a file that a check names.
    fn metadata(&self, path: &Path) -> std::io::Result<std::fs::Metadata> {
        match &self.fence {
            Some(fence) => fence.metadata(path),
            None => std::fs::metadata(path),
        }
    }

    /// A small file of the kernel's, whole. Opened each time: for what is read once a minute a descriptor for ever is dearer.
    fn read(&mut self, path: &Path) -> Result<&[u8], String> {
        self.scratch.read_once(path).map_err(|errno| format!("{} cannot be read: {errno}", path.display()))
    }
}

/// A check that asks the kernel.
pub(crate) trait Look: Send {
    /// # Errors
    /// Why nothing can be said, with what to do.
    fn look(&mut self, host: &mut Host) -> Result<Outcome, String>;
}

/// Where every system has its bus.
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";

/// What an ask works with; shared by all.
pub(crate) struct Net {
    tls: tls::Trusted,
    bus: PathBuf,
    systemctl: PathBuf,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self {
            tls: tls::Trusted::new(tls::BUNDLES),
            bus: PathBuf::from(SYSTEM_BUS),
            systemctl: PathBuf::from("systemctl"),
        }
    }
}

/// When an ask starts, and what it may take.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// This host's own wall clock.
    pub(crate) now: Timestamp,
    pub(crate) limit: Duration,
    /// As [`Host::fence`].
    pub(crate) fence: Option<Arc<Fence>>,
}

pub(crate) type Asked<'a> = Pin<Box<dyn Future<Output = Result<Outcome, String>> + Send + 'a>>;

/// A check that waits for others. Dropping the future ends it.
pub(crate) trait Ask: Send + Sync {
    /// Ends within the limit, with what no answer means to it.
    fn ask<'a>(&'a self, net: &'a Net, moment: Moment) -> Asked<'a>;
}

/// A native check, ready to run.
pub(crate) enum Probe {
    Look(Box<dyn Look>),
    /// May hang in the kernel.
    SlowLook(Box<dyn Look>),
    Ask(Arc<dyn Ask>),
}

/// One line of the table.
pub(crate) struct NativeKind {
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
    pub(crate) build: fn(&Keys, &Path) -> Result<Probe, KeyError>,
    /// What a check with these keys reads or speaks to: what a remote configuration is bounded by. Asked of keys that can be built alone.
    pub(crate) touches: fn(&Keys) -> Vec<Touch>,
}

/// For kinds that look at the kernel's numbers, or ask the bus, and at nothing that a key names.
fn nothing(_: &Keys) -> Vec<Touch> {
    Vec::new()
}

const WARN: Key = key("warn", Form::Range);
const CRIT: Key = key("crit", Form::Range);

/// Every kind there is.
#[rustfmt::skip]
pub(crate) const KINDS: &[NativeKind] = &[
    NativeKind { name: "disk", keys: &[WARN, CRIT, key("path", Form::Texts), key("exclude", Form::Texts), key("measure", Form::Text)], build: disk::build, touches: mounts::touches },
    NativeKind { name: "inode", keys: &[WARN, CRIT, key("path", Form::Texts), key("exclude", Form::Texts)], build: inode::build, touches: mounts::touches },
    NativeKind { name: "load", keys: &[WARN, CRIT, key("per_core", Form::Flag), key("minutes", Form::Text)], build: load::build, touches: nothing },
    NativeKind { name: "memory", keys: &[WARN, CRIT], build: memory::build, touches: nothing },
    NativeKind { name: "swap", keys: &[WARN, CRIT], build: swap::build, touches: nothing },
    NativeKind { name: "process", keys: &[WARN, CRIT, key("process", Form::Text), key("pattern", Form::Text)], build: process::build, touches: nothing },
    NativeKind { name: "unit", keys: &[key("unit", Form::Text)], build: unit::build, touches: nothing },
    NativeKind { name: "units", keys: &[key("exclude", Form::Texts)], build: units::build, touches: nothing },
    NativeKind { name: "raid", keys: &[], build: raid::build, touches: nothing },
    NativeKind { name: "tcp", keys: &[WARN, CRIT, key("host", Form::Text), key("port", Form::Port)], build: tcp::build, touches: tcp::touches },
    NativeKind { name: "http", keys: http::KEYS, build: http::build, touches: http::touches },
    NativeKind { name: "file_age", keys: &[WARN, CRIT, key("path", Form::Path)], build: file_age::build, touches: file_age::touches },
    NativeKind { name: "port", keys: &[key("port", Form::Port), key("protocol", Form::Text)], build: port::build, touches: nothing },
    NativeKind { name: "time", keys: &[WARN, CRIT, key("server", Form::Text)], build: time::build, touches: time::touches },
];

/// The kind of this name.
pub(crate) fn kind(name: &str) -> Option<&'static NativeKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
