//! Why a snapshot was not made, not believed or not put back: the place, and what to do about it.

use std::io;
use std::path::Path;

use muster_fleet::{FleetError, MAKE_KEY};
use muster_store::FileError;

/// Nothing of the running collector depends on it.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("failed to {action} `{path}`: look at the disk and who may write there")]
    Disk {
        action: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "there is no room for a snapshot in `{path}`: it takes {needed_mib} MiB and {free_mib} MiB are free; free some room, or name a folder on another disk"
    )]
    NoRoom { path: String, needed_mib: u64, free_mib: u64 },
    #[error(
        "the disk of `{path}` became full, so what there was of the snapshot is removed: free some room, or name a folder on another disk"
    )]
    Full { path: String },
    #[error(
        "no key is given for the CA's private key: name a key file by `[snapshot] key_file` or --key-file ({MAKE_KEY}); or make a snapshot without that key by --without-ca-key: after a restore of it every host must enrol anew"
    )]
    NoKey,
    #[error("the key file `{path}` cannot be read: name one that user muster-collector may read")]
    KeyFile {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the key file `{path}` cannot be used")]
    Key {
        path: String,
        #[source]
        source: Box<FleetError>,
    },
    #[error("the configuration file `{path}` cannot be read: let user muster-collector read it")]
    Config {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("the store was not copied")]
    Store(#[from] muster_store::SnapshotError),
    #[error("a file of the store is not as it must be")]
    File(#[from] FileError),
    #[error("the registry was not copied, or is not as it must be")]
    Fleet(#[from] FleetError),
    /// A snapshot that is not believed.
    #[error("{place}: {what}: {remedy}")]
    Refused { place: String, what: String, remedy: &'static str },
    #[error(
        "`{path}` is not empty (`{found}` lies there): name a folder that is empty or not there, a restore never writes over data"
    )]
    NotEmpty { path: String, found: String },
    #[error("a snapshot is being made: wait until it is complete")]
    Busy,
    #[error("the collector stops, so the snapshot was given up and removed: make one when it runs again")]
    Cancelled,
    #[error("`{path}` is no absolute path without `..`: name one such as /srv/muster-snapshots")]
    Path { path: String },
}

/// What to do about a snapshot that is not as it was made.
pub(crate) const ANOTHER_COPY: &str = "take another copy of this snapshot, or an older snapshot";

impl SnapshotError {
    pub(crate) fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Disk { action, path, source }
    }

    pub(crate) fn refused(place: &Path, what: impl Into<String>) -> Self {
        Self::Refused { place: format!("`{}`", place.display()), what: what.into(), remedy: ANOTHER_COPY }
    }

    /// Whether the disk had no room.
    pub(crate) fn is_full(&self) -> bool {
        let mut error: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(one) = error {
            let kind = one.downcast_ref::<io::Error>().map(io::Error::kind);
            let is_full =
                kind.is_some_and(|kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded));
            // Databases say it in words alone.
            if is_full || one.to_string().contains("No space left on device") {
                return true;
            }
            error = one.source();
        }
        false
    }
}
