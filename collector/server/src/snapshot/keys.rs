//! The private keys of a snapshot, under the operator's key, a file each: those of the CA, and that of HTTPS, by which people's pins
//! and the commands for hosts know the collector.

use std::io::ErrorKind;
use std::path::Path;

use muster_common::disk::Disk;
use muster_common::disk::copy::{read_all, write_new};
use muster_fleet::{Authorities, SnapshotKey};

use super::error::SnapshotError;
use super::manifest::{Keys, Manifest};
use crate::tls::KEY_FILE_NAME;

/// The file of the CA's keys.
pub(super) const SEALED_KEYS: &str = "ca-keys.sealed";
/// The file of HTTPS' key; none where the collector has made none yet.
pub(super) const SEALED_HTTP_KEY: &str = "http-key.sealed";
/// Sealed keys are a few rows.
const SEALED_BYTES_MAX: u64 = 1 << 20;
/// One key in PEM has 250 bytes.
const HTTP_KEY_BYTES_MAX: u64 = 64 << 10;

pub(super) struct PrivateKeys {
    authorities: Authorities,
    /// What is in `http.key`, as it is there.
    http: Option<Vec<u8>>,
}

impl PrivateKeys {
    /// Those of this data folder, whose CAs were read already.
    pub(super) fn of(disk: &dyn Disk, data: &Path, authorities: Authorities) -> Result<Self, SnapshotError> {
        let path = data.join(KEY_FILE_NAME);
        let http = match read_all(disk, &path, HTTP_KEY_BYTES_MAX) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(SnapshotError::disk("read", &path)(error)),
        };
        Ok(Self { authorities, http })
    }

    /// Writes them into the snapshot `target`, which is called `id` and is of `store`.
    pub(super) fn seal(
        &self,
        disk: &dyn Disk,
        key: &SnapshotKey,
        (store, id): (&str, &str),
        target: &Path,
    ) -> Result<(), SnapshotError> {
        let write = |name: &str, bytes: &[u8]| {
            let path = target.join(name);
            write_new(disk, &path, bytes).map_err(SnapshotError::disk("write", &path))
        };
        write(SEALED_KEYS, &self.authorities.seal(key, &Manifest::about(store, id))?)?;
        match &self.http {
            Some(http) => write(SEALED_HTTP_KEY, &key.seal(http, &about_http(store, id))?),
            None => Ok(()),
        }
    }

    /// Those of a snapshot; `None`: it has none apart.
    ///
    /// # Errors
    /// [`SnapshotError`]: no key, or another one than they were sealed under.
    pub(super) fn open(
        disk: &dyn Disk,
        folder: &Path,
        manifest: &Manifest,
        key: Option<&SnapshotKey>,
    ) -> Result<Option<Self>, SnapshotError> {
        if manifest.keys != Keys::Sealed {
            return Ok(None);
        }
        let Some(key) = key else {
            return Err(SnapshotError::Refused {
                place: format!("`{}`", folder.join(SEALED_KEYS).display()),
                what: "the CA's keys are sealed".to_owned(),
                remedy: "give the key file that was in force when the snapshot was made by --key-file",
            });
        };
        let read = |name: &str| {
            let path = folder.join(name);
            read_all(disk, &path, SEALED_BYTES_MAX).map_err(SnapshotError::disk("read", &path))
        };
        let (store, id) = (&manifest.store, &manifest.id);
        let authorities = Authorities::open(&read(SEALED_KEYS)?, key, &Manifest::about(store, id))?;
        let http = match manifest.has_http_key() {
            true => Some(key.open(&read(SEALED_HTTP_KEY)?, &about_http(store, id))?),
            false => None,
        };
        Ok(Some(Self { authorities, http }))
    }

    /// Puts them into the data folder that is being restored, durably but for the folder's own names.
    pub(super) fn put(&self, disk: &dyn Disk, data: &Path) -> Result<(), SnapshotError> {
        self.authorities.put(disk, data)?;
        let Some(http) = &self.http else { return Ok(()) };
        let path = data.join(KEY_FILE_NAME);
        write_new(disk, &path, http).map_err(SnapshotError::disk("write", &path))
    }
}

/// Not that of the CA's keys, so that neither file passes for the other.
fn about_http(store: &str, id: &str) -> Vec<u8> {
    [&Manifest::about(store, id)[..], b" http.key"].concat()
}
