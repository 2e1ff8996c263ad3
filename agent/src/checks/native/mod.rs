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
use crate::sources::Scratch;
use keys::{Form, Key, KeyError, Keys, key};

/// What a look works with.
pub(crate) struct Host {
    pub(crate) proc: PathBuf,
    pub(crate) scratch: Scratch,
    /// This host's own wall clock.
    pub(crate) now: Timestamp,
    /// A clock that never steps.
    pub(crate) steady: Duration,
    /// The processes as they were seen last; many checks share one walk.
    processes: process::Table,
}

impl Host {
    pub(crate) fn new(proc: &Path, now: Timestamp, steady: Duration) -> Self {
        Self { proc: proc.to_path_buf(), scratch: Scratch::new(), now, steady, processes: process::Table::default() }
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// This host's own wall clock.
    pub(crate) now: Timestamp,
    pub(crate) limit: Duration,
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
}

const WARN: Key = key("warn", Form::Range);
const CRIT: Key = key("crit", Form::Range);

/// Every kind there is.
#[rustfmt::skip]
pub(crate) const KINDS: &[NativeKind] = &[
    NativeKind { name: "disk", keys: &[WARN, CRIT, key("path", Form::Texts), key("exclude", Form::Texts), key("measure", Form::Text)], build: disk::build },
    NativeKind { name: "inode", keys: &[WARN, CRIT, key("path", Form::Texts), key("exclude", Form::Texts)], build: inode::build },
    NativeKind { name: "load", keys: &[WARN, CRIT, key("per_core", Form::Flag), key("minutes", Form::Text)], build: load::build },
    NativeKind { name: "memory", keys: &[WARN, CRIT], build: memory::build },
    NativeKind { name: "swap", keys: &[WARN, CRIT], build: swap::build },
    NativeKind { name: "process", keys: &[WARN, CRIT, key("process", Form::Text), key("pattern", Form::Text)], build: process::build },
    NativeKind { name: "unit", keys: &[key("unit", Form::Text)], build: unit::build },
    NativeKind { name: "units", keys: &[key("exclude", Form::Texts)], build: units::build },
    NativeKind { name: "raid", keys: &[], build: raid::build },
    NativeKind { name: "tcp", keys: &[WARN, CRIT, key("host", Form::Text), key("port", Form::Port)], build: tcp::build },
    NativeKind { name: "http", keys: http::KEYS, build: http::build },
    NativeKind { name: "file_age", keys: &[WARN, CRIT, key("path", Form::Path)], build: file_age::build },
    NativeKind { name: "port", keys: &[key("port", Form::Port), key("protocol", Form::Text)], build: port::build },
    NativeKind { name: "time", keys: &[WARN, CRIT, key("server", Form::Text)], build: time::build },
];

/// The kind of this name.
pub(crate) fn kind(name: &str) -> Option<&'static NativeKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
