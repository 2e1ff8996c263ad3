//! `http.cert` and `http.key`: read, and judged before they are used.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use muster_common::digest::Sha256;
use muster_common::identity::certificate;
use muster_common::time::Timestamp;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::in_force::InForce;
use crate::config::CertificateFiles;

/// Chains and keys have some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Mode bits that a private key's file must not have: for everybody, or to be written by the group.
const OPEN_MODE: u32 = 0o027;
const DAY: Duration = Duration::from_secs(86_400);

/// What the two files say.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    /// Equal contents have equal prints.
    pub(super) fn print(&self) -> String {
        format!("{} {}", Sha256::of(&self.certificate), Sha256::of(&self.key))
    }
}

/// Reads both and makes what is served of them, whatever their dates are.
///
/// # Errors
/// What is wrong, with place and remedy.
pub(super) fn load(files: &CertificateFiles) -> Result<InForce, String> {
    judge(files, &read(files)?)
}

/// Whether a certificate of these files may be taken now.
///
/// # Errors
/// When it has ended or has not begun, with place and remedy.
pub(super) fn check_dates(files: &CertificateFiles, certificate: &InForce, now: Timestamp) -> Result<(), String> {
    let (shown, expires) = (files.certificate.display(), certificate.https.expires);
    if expires <= now {
        let days = now.since(expires).as_secs() / DAY.as_secs();
        return Err(format!("http.cert: the certificate in `{shown}` ended {days} days ago: renew it"));
    }
    if certificate.begins > now {
        return Err(format!("http.cert: the certificate in `{shown}` is not valid yet: check this machine's clock"));
    }
    Ok(())
}

/// Reads both.
///
/// # Errors
/// As [`load`].
pub(super) fn read(files: &CertificateFiles) -> Result<Contents, String> {
    let certificate = contents("http.cert", &files.certificate)?;
    let mode = std::fs::metadata(&files.key).map_or(0, |found| found.permissions().mode());
    if mode & OPEN_MODE != 0 {
        return Err(format!(
            "http.key: `{}` has the mode {:04o}, so others may read or change the private key: chmod 0640 it, and let its group be the collector's",
            files.key.display(),
            mode & 0o7777
        ));
    }
    Ok(Contents { certificate, key: contents("http.key", &files.key)? })
}

fn contents(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(format!(
            "{setting}: failed to read `{shown}`: {error}; name a PEM file that user muster-collector may read"
        )),
        Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => {
            Err(format!("{setting}: `{shown}` has more than {FILE_BYTES_MAX} bytes: name a PEM file"))
        }
        Ok(_) => Ok(bytes),
    }
}

/// Makes what is served of what was read.
///
/// # Errors
/// As [`load`].
pub(super) fn judge(files: &CertificateFiles, contents: &Contents) -> Result<InForce, String> {
    let shown = files.certificate.display();
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&contents.certificate).collect();
    let chain = chain.map_err(|error| {
        format!("http.cert: `{shown}` is no PEM: {error}; write the certificate, then those above it")
    })?;
    let leaf = chain.first().ok_or_else(|| {
        format!("http.cert: `{shown}` has no certificate: write it there as PEM, then those above it (certbot's fullchain.pem)")
    })?;
    // Before the key, whose error would be about the wrong thing.
    certificate::read(leaf).map_err(|error| format!("http.cert: `{shown}`: {error}; write it anew"))?;
    let key = private_key(&files.key, &contents.key)?;
    let certified = CertifiedKey::from_der(chain.clone(), key, &default_provider()).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => format!(
            "http.key: the key in `{}` is not that of the first certificate in `{shown}`: name two files that belong together, the collector's own certificate first",
            files.key.display()
        ),
        error => format!("http.key: the key in `{}` cannot be used: {error}; take an ECDSA, RSA or Ed25519 key", files.key.display()),
    })?;
    InForce::new(certified, None)
        .map_err(|error| format!("http.cert: `{shown}`: {error}; write it anew"))
        .map(|in_force| in_force.with_print(contents.print()))
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        let text = String::from_utf8_lossy(pem);
        if text.contains("ENCRYPTED") {
            format!("http.key: the key in `{shown}` is encrypted, and nobody is there to type its password: decrypt it with `openssl pkey`")
        } else {
            format!("http.key: `{shown}` has no private key ({error}): write it there as PEM")
        }
    })
}
