//! What the disk does not do, in words that name the place and the remedy.

use std::io::{self, ErrorKind};
use std::path::Path;

use muster_common::disk::Space;

/// Why the spool could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("cannot {doing} {path}: {problem}; {remedy}")]
    Disk { doing: &'static str, path: String, problem: String, remedy: &'static str },
    #[error(
        "the file system of {folder} has {free_bytes} of {total_bytes} bytes free, too few to spool more: free room there; what is spooled stays"
    )]
    Short { folder: String, free_bytes: u64, total_bytes: u64 },
    #[error(
        "one batch needs {needed_bytes} bytes, all of the spool in {folder} may have {share_bytes}: raise [spool] max_bytes, or give it a larger disk"
    )]
    Share { folder: String, needed_bytes: u64, share_bytes: u64 },
}

impl Trouble {
    /// Whether it is the same again but for how much room there is: not worth a second line in the log.
    pub fn is_like(&self, other: &Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::Short { .. }, Self::Short { .. }) | (Self::Share { .. }, Self::Share { .. })
            )
    }

    /// The system's refusal of `doing` at `path`.
    pub fn disk(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        let (path, problem) = (path.display().to_string(), error.to_string());
        Self::Disk { doing, path, problem, remedy: remedy_for(error.kind()) }
    }

    pub fn short(folder: &Path, space: Space) -> Self {
        let folder = folder.display().to_string();
        Self::Short { folder, free_bytes: space.free_bytes, total_bytes: space.total_bytes }
    }
}

/// What a person can do about an error of the disk under the state folder.
pub fn remedy_for(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull => "the disk is full: free room on it",
        ErrorKind::QuotaExceeded => "the quota of this user is used up: free room, or raise it",
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: look at the kernel's log for why, repair it, and mount it writable"
        }
        ErrorKind::PermissionDenied => "run as the user that owns the state folder, or name another with --state",
        ErrorKind::NotFound => "it was removed: restart the agent, which makes its folders anew",
        ErrorKind::OutOfMemory => "the host is out of memory or handles for files: find what takes them",
        // EMFILE and ENFILE have no kind of their own; EIO and its like have none either.
        _ => "look at the kernel's log: the disk may be failing, or the host is out of handles for files",
    }
}
