//! TLS towards other people's servers: the system's authorities, or a file of one's own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use muster_common::identity::judge::{Judged, ServerJudge, Shown};
use muster_common::time::Timestamp;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, Error, RootCertStore};

use crate::fence::Fence;

/// Where systems keep their authorities: Debian and its kin, Red Hat's, SUSE's, Alpine's.
pub(crate) const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The system's bundle is read again after this: packages renew it.
const READ_AGAIN_MS: i64 = 3_600_000;
/// Of a file that a remote configuration names: a system's own bundle has some 220 kB.
const FENCED_BYTES_MAX: u64 = 4 << 20;

/// The settings for the system's authorities, made once for all checks.
pub(crate) struct Trusted {
    bundles: &'static [&'static str],
    made: Mutex<Option<(Timestamp, Arc<ClientConfig>)>>,
}

impl Trusted {
    pub(crate) const fn new(bundles: &'static [&'static str]) -> Self {
        Self { bundles, made: Mutex::new(None) }
    }

    /// Settings that trust the system's authorities.
    ///
    /// # Errors
    /// What is missing, with what to do.
    pub(super) fn system(&self, now: Timestamp) -> Result<Arc<ClientConfig>, String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |at: Timestamp| (0..READ_AGAIN_MS).contains(&now.millis().saturating_sub(at.millis()));
        if let Some((_, config)) = made.as_ref().filter(|(at, _)| is_new(*at)) {
            return Ok(Arc::clone(config));
        }
        let bundle = self.bundles.iter().map(Path::new).find(|path| path.is_file());
        let bundle = bundle.ok_or("no authorities are installed: install ca-certificates, or name `ca_file`")?;
        let config = with_file(bundle, None)?;
        *made = Some((now, Arc::clone(&config)));
        Ok(config)
    }
}

/// Settings that trust the authorities of a PEM file, which lies in the fence if there is one.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn with_file(path: &Path, fence: Option<&Fence>) -> Result<Arc<ClientConfig>, String> {
    let read = |fence: &Fence| {
        let mut pem = Vec::new();
        fence.open(path)?.take(FENCED_BYTES_MAX).read_to_end(&mut pem).map(|_| pem)
    };
    let pem = fence.map_or_else(|| std::fs::read(path), read);
    let pem = pem.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    if roots.is_empty() {
        return Err(format!("{} holds no certificate: name a PEM file", path.display()));
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(finish(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Settings that take any certificate, for servers whose own is checked for its end alone.
///
/// # Errors
/// When TLS cannot be set up at all.
pub(super) fn unverified() -> Result<Arc<ClientConfig>, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let verifier = Arc::new(Judged { judge: AnyCertificate, provider: provider() });
    Ok(finish(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A session that is resumed shows the certificate of the first one.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Which authorities a check trusts.
pub(super) enum Authorities {
    System,
    File(PathBuf),
    /// `verify = false`
    Any,
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerJudge for AnyCertificate {
    fn judge(&self, _: Shown<'_>) -> Result<(), Error> {
        Ok(())
    }
}
