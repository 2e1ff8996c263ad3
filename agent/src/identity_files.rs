//! Who this host is, on its disk: key and certificates, the collector's CA, what enrolment said.
//!
//! In the state folder (0700), each file written whole: temporary name, fsync, rename, fsync of the folder; readable by the agent's user alone.
//!
//! - `identity.pem`: private key, certificate, CA certificates. Written last at enrolment: with it the host is enrolled. One file, since key
//!   and certificate must change together.
//! - `enrolment.json`: host id, name and the collector's addresses.
//! - `enrolling.pem`, `renewing.pem`: the key of a request whose answer has not come yet, kept so that asking again asks the same.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use muster_common::host::HostId;
use muster_common::identity::certificate::{self, CertificateError, CertificateFacts};
use muster_common::identity::{Identity, Pin};
use rcgen::PublicKeyData;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use crate::spool::trouble::remedy_for;

const IDENTITY: &str = "identity.pem";
const ENROLMENT: &str = "enrolment.json";
const ENROLLING: &str = "enrolling.pem";
const RENEWING: &str = "renewing.pem";
const LOCK: &str = "lock";
/// Far above any key with its chain; a larger file is none of ours.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("failed to {doing} {path}: {source}; {}", remedy_for(source.kind()))]
    Io {
        doing: &'static str,
        path: String,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} is damaged: {problem}; enrol this host again with --replace and a token made with `muster token new --replace`"
    )]
    Damaged { path: String, problem: String },
    #[error("another muster-agent uses {path} (its lock is taken): stop it first, or name another folder with --state")]
    InUse { path: String },
    #[error(
        "the collector's answer cannot be used: {problem}; check that the address is a Muster collector of this version, and that nobody else uses this token or state folder"
    )]
    Answer { problem: String },
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// What enrolment said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    pub version: u32,
    pub host_id: String,
    /// As registered; the collector's welcome tells the present one.
    pub name: String,
    /// `HOST:PORT`, used where the configuration names none.
    pub collector: Vec<String>,
}

/// An enrolled host.
#[derive(Clone, Debug)]
pub struct Enrolled {
    pub host: HostId,
    pub enrolment: Enrolment,
    pub identity: Identity,
    pub facts: CertificateFacts,
}

impl Enrolled {
    /// The CA certificates by which the collector is known.
    pub fn roots_der(&self) -> Vec<Vec<u8>> {
        roots_of(&self.identity.chain_der)
    }
}

/// The state folder's files.
#[derive(Clone, Debug)]
pub struct IdentityFiles {
    folder: PathBuf,
}

/// Held while a process works with the folder; the system frees it with the process.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl IdentityFiles {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Makes the folder where it is missing and takes its lock, so that no two agents write to it.
    ///
    /// # Errors
    /// [`IdentityError::InUse`], or what the disk says.
    pub fn lock(&self) -> Result<FolderLock, IdentityError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| self.failed("make", "", source))?;
        let path = self.folder.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|source| self.failed("open", LOCK, source))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(IdentityError::InUse { path: self.folder.display().to_string() }),
            Err(error) => Err(self.failed("lock", LOCK, error.into())),
        }
    }

    /// The enrolled host; `None` when it is not enrolled (yet).
    ///
    /// # Errors
    /// [`IdentityError`] when something is there that cannot be used.
    pub fn load(&self) -> Result<Option<Enrolled>, IdentityError> {
        let Some(pem) = self.read(IDENTITY)? else { return Ok(None) };
        let damaged = |problem: &str| self.damaged(IDENTITY, problem);
        let key_der = self.key_in(IDENTITY, &pem)?;
        let mut chain_der = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            chain_der.push(certificate.map_err(|_| damaged("a certificate in it is no PEM"))?.as_ref().to_vec());
        }
        let leaf = chain_der.first().ok_or_else(|| damaged("it has no certificate"))?;
        let unusable = |error: CertificateError| self.damaged(IDENTITY, &error.to_string());
        let facts = certificate::read(leaf).map_err(unusable)?;
        let host = facts.host.ok_or_else(|| damaged("its certificate names no host"))?;
        if Pin::of_certificate(leaf).map_err(unusable)? != key_pin(&key_der).map_err(unusable)? {
            return Err(damaged("key and certificate do not belong together"));
        }
        if roots_of(&chain_der).is_empty() {
            return Err(damaged("it has no CA certificate that can be read"));
        }
        let text = self.read(ENROLMENT)?.ok_or_else(|| self.damaged(ENROLMENT, "it is missing"))?;
        let enrolment: Enrolment =
            serde_json::from_slice(&text).map_err(|error| self.damaged(ENROLMENT, &error.to_string()))?;
        Ok(Some(Enrolled { host, enrolment, identity: Identity { chain_der, key_der }, facts }))
    }

    /// The key to enrol with: the one of an attempt whose answer was lost, or a new one, durable before it is used.
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn enrolling_key(&self) -> Result<Vec<u8>, IdentityError> {
        self.pending_key(ENROLLING)
    }

    /// The same for a renewal.
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn renewing_key(&self) -> Result<Vec<u8>, IdentityError> {
        self.pending_key(RENEWING)
    }

    fn pending_key(&self, name: &str) -> Result<Vec<u8>, IdentityError> {
        if let Some(pem) = self.read(name)?
            && let Ok(key_der) = self.key_in(name, &pem)
            // A damaged one is of no use: the request goes out with a new key.
            && key_pin(&key_der).is_ok()
        {
            return Ok(key_der);
        }
        let key_der = certificate::new_key()?;
        self.write(name, pem_block("PRIVATE KEY", &key_der).as_bytes())?;
        Ok(key_der)
    }

    /// Stores a first certificate: afterwards this host is enrolled.
    ///
    /// # Errors
    /// [`IdentityError::Answer`] when the certificate is not for this key and host.
    pub fn store_enrolled(
        &self,
        host: HostId,
        enrolment: &Enrolment,
        identity: &Identity,
    ) -> Result<(), IdentityError> {
        check_answer(host, identity)?;
        let text = serde_json::to_vec_pretty(enrolment)
            .map_err(|error| IdentityError::Answer { problem: error.to_string() })?;
        self.write(ENROLMENT, &text)?;
        self.write_identity(identity)?;
        self.remove(ENROLLING);
        self.remove(RENEWING);
        Ok(())
    }

    /// Whether a renewed certificate is for this key and host.
    ///
    /// # Errors
    /// [`IdentityError::Answer`] where it is not.
    pub fn check_renewed(&self, host: HostId, identity: &Identity) -> Result<CertificateFacts, IdentityError> {
        check_answer(host, identity)
    }

    /// Stores a renewed certificate; key and chain change in one step.
    ///
    /// # Errors
    /// [`IdentityError::Answer`] when the certificate is not for this key and host.
    pub fn store_renewed(&self, host: HostId, identity: &Identity) -> Result<CertificateFacts, IdentityError> {
        let facts = check_answer(host, identity)?;
        self.write_identity(identity)?;
        self.remove(RENEWING);
        Ok(facts)
    }

    fn write_identity(&self, identity: &Identity) -> Result<(), IdentityError> {
        let mut pem = pem_block("PRIVATE KEY", &identity.key_der);
        identity.chain_der.iter().for_each(|der| pem.push_str(&pem_block("CERTIFICATE", der)));
        self.write(IDENTITY, pem.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, IdentityError> {
        let path = self.folder.join(name);
        match std::fs::metadata(&path) {
            Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(self.damaged(name, "it is far too large")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            _ => {}
        }
        std::fs::read(&path).map(Some).map_err(|source| self.failed("read", name, source))
    }

    /// Replaces a file whole: after a crash it is the old or the new one.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), IdentityError> {
        let temporary = self.folder.join(format!("{name}.tmp"));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
            // A file left by an earlier attempt keeps its own mode.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&temporary, self.folder.join(name))?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|source| self.failed("write", name, source))
    }

    /// A file that stays is found again and overwritten.
    fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.folder.join(name));
    }

    fn key_in(&self, name: &str, pem: &[u8]) -> Result<Vec<u8>, IdentityError> {
        match PrivateKeyDer::from_pem_slice(pem) {
            Ok(PrivateKeyDer::Pkcs8(key)) => Ok(key.secret_pkcs8_der().to_vec()),
            _ => Err(self.damaged(name, "it has no private key")),
        }
    }

    fn damaged(&self, name: &str, problem: &str) -> IdentityError {
        IdentityError::Damaged { path: self.folder.join(name).display().to_string(), problem: problem.to_owned() }
    }

    fn failed(&self, doing: &'static str, name: &str, source: io::Error) -> IdentityError {
        IdentityError::Io { doing, path: self.folder.join(name).display().to_string(), source }
    }
}

/// The CA certificates of a chain: all but the leaf.
pub fn roots_of(chain_der: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_ca = |der: &&Vec<u8>| certificate::read(der).is_ok_and(|facts| facts.is_ca);
    chain_der.iter().skip(1).filter(is_ca).cloned().collect()
}

/// Whether a chain is for this key and host, and carries the CA.
fn check_answer(host: HostId, identity: &Identity) -> Result<CertificateFacts, IdentityError> {
    let wrong = |problem: &str| IdentityError::Answer { problem: problem.to_owned() };
    let leaf = identity.chain_der.first().ok_or_else(|| wrong("it has no certificate"))?;
    let unusable = |error: CertificateError| wrong(&error.to_string());
    let facts = certificate::read(leaf).map_err(unusable)?;
    if facts.host != Some(host) {
        return Err(wrong("its certificate is for another host"));
    }
    if Pin::of_certificate(leaf)? != key_pin(&identity.key_der)? {
        return Err(wrong("its certificate is for another key"));
    }
    if roots_of(&identity.chain_der).is_empty() {
        return Err(wrong("it has no CA certificate"));
    }
    Ok(facts)
}

/// The hash of a private key's public part, comparable with [`Pin::of_certificate`].
fn key_pin(key_der: &[u8]) -> Result<Pin, CertificateError> {
    let key = PrivatePkcs8KeyDer::from(key_der);
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256);
    let key = key.map_err(|error| CertificateError::StoredKey { problem: error.to_string() })?;
    Ok(Pin::of_public_key(&key.subject_public_key_info()))
}

/// One block of PEM.
fn pem_block(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for place in 0..4 {
                let six = (bits >> (18 - 6 * place)) & 63;
                text.push(if place > group.len() { '=' } else { char::from(ALPHABET[six as usize]) });
            }
        }
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests;
