//! One enum per operation. Each text names the place and, where there is one, the remedy.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::database::DatabaseOpenError;

/// What went wrong with one file of the store.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("failed to {action} `{path}`")]
    Disk {
        action: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("failed to {action} in `{path}`")]
    Database {
        action: &'static str,
        path: String,
        #[source]
        source: Box<redb::Error>,
    },
    #[error(transparent)]
    Open(#[from] DatabaseOpenError),
    #[error("`{path}` is damaged ({what}): restore it from a snapshot, or move it away to go on without it")]
    Damaged { path: String, what: &'static str },
    #[error(
        "`{path}` has format {found}, but this version reads only up to {known}: install the version that wrote it, or a later one"
    )]
    Version { path: String, found: u16, known: u16 },
}

impl FileError {
    pub(crate) fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Disk { action, path, source }
    }

    pub(crate) fn database<E: Into<redb::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.display().to_string();
        move |source| Self::Database { action, path, source: Box::new(source.into()) }
    }

    pub(crate) fn damaged(path: &Path, what: &'static str) -> Self {
        Self::Damaged { path: path.display().to_string(), what }
    }

    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// Whether the disk had no room: the caller refuses with a retry-after, and retention may help.
    pub fn is_full(&self) -> bool {
        let error = match self {
            Self::Disk { source, .. } | Self::Open(DatabaseOpenError::Disk { source, .. }) => source,
            Self::Database { source, .. } => match source.as_ref() {
                redb::Error::Io(source) => source,
                _ => return false,
            },
            _ => return false,
        };
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open the store")]
    File(#[from] FileError),
}

/// Why a commit was not made, or is not known to have been made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was written. Too many sealed files wait for a flush or for state.redb (rule 22).
    #[error("{waiting} inbox files wait for a flush: the store takes no more for {} s", retry_after.as_secs())]
    Throttled { waiting: usize, retry_after: Duration },
    /// Nothing was written: the caller built an append that cannot be.
    #[error("append {append} of the commit is malformed: {reason}")]
    Malformed { append: usize, reason: &'static str },
    /// Unknown: it may be durable. Nothing may be acknowledged; the next call reopens the file and looks.
    #[error("the commit is not known to be durable: nothing of it may be acknowledged")]
    Unknown(#[from] FileError),
}

impl CommitError {
    /// When to try again, if nothing is wrong but the pace.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => Some(*retry_after),
            Self::Unknown(error) if error.is_full() => Some(Duration::from_secs(30)),
            _ => None,
        }
    }
}

/// Why a select has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    #[error("the selection has more than {max} series: narrow the matchers or the time range")]
    TooManySeries { max: usize },
    #[error("the selection has more than {max} samples: narrow the matchers or the time range")]
    TooManySamples { max: usize },
    #[error("the selection has more than {max} streams: narrow the matchers or the time range")]
    TooManyStreams { max: usize },
    #[error("the selection looks at more than {max} bytes of lines: narrow the matchers or the time range")]
    TooManyBytes { max: u64 },
    #[error("the query was cancelled")]
    Cancelled,
    #[error("failed to read the store")]
    Io(#[source] FileError),
    /// Only from [`crate::View::raw_count`]: other reads leave the damaged segment out and warn.
    #[error("segment `{file}` is damaged ({what}): restore it from a snapshot")]
    Damaged { file: String, what: String },
}

/// Why a flush, merge or retention run did not end.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    #[error("the active generation could not be sealed")]
    Seal(#[source] CommitError),
    #[error("a file could not be written or read")]
    File(#[from] FileError),
}

/// Why inbox entries could not be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("the inbox could not be read")]
    File(#[from] FileError),
}

/// Why a copy of the store was not made. The store itself goes on as before.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the active generation could not be sealed")]
    Seal(#[source] CommitError),
    #[error("a file could not be written or read")]
    File(#[from] FileError),
}
