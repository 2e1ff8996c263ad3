//! By what `muster` knows that an answer is the collector's: a CA, the pin of its key, or the roots that the machine trusts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_common::identity::judge::{Judged, ServerJudge, Shown};
use muster_common::identity::{Pin, SERVER_NAME, certificate};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};

use crate::error::Failure;

/// Where both are shown.
const WHERE: &str = "`muster -o json status` on the collector's machine shows both, as `https`";

/// What was asked to be trusted.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    ca: Option<PathBuf>,
    pin: Option<Pin>,
}

impl Trust {
    /// # Errors
    /// The pin is none.
    pub fn new(ca: Option<&Path>, pin: Option<&str>) -> Result<Self, Failure> {
        let read = |text: &str| {
            Pin::parse_curl(text.trim()).ok_or_else(|| {
                Failure::Usage(format!(
                    "--pin `{text}` is no pin: write `sha256//` and 44 characters of base64; `muster status` on the collector's machine shows it"
                ))
            })
        };
        Ok(Self { ca: ca.map(Path::to_owned), pin: pin.map(read).transpose()? })
    }

    /// Trust is asked for and nothing would be verified.
    pub(super) fn check_plain(&self) -> Result<(), Failure> {
        if self.ca.is_none() && self.pin.is_none() {
            return Ok(());
        }
        Err(Failure::Usage("--ca and --pin are of https: write https:// in --url, or leave them out".to_owned()))
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let broken = |error: &dyn std::fmt::Display| Failure::Unknown(format!("TLS cannot be set up: {error}"));
        let roots = match (&self.ca, self.pin) {
            (Some(path), _) => Some(roots_of(path)?),
            (None, Some(_)) => None,
            (None, None) => Some(roots_of_machine()?),
        };
        let chains = roots
            .map(|roots| WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build())
            .transpose()
            .map_err(|error| broken(&error))?;
        let has_own_ca = self.ca.is_some();
        let judge = CollectorJudge { chains, has_own_ca, pin: self.pin };
        let verifier = Arc::new(Judged { judge, provider: Arc::clone(&provider) });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, Failure> {
    let shown = path.display();
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::Usage(format!("--ca `{shown}`: {why}; name a PEM file with the certificate of the collector's CA"))
    };
    let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() { Err(wrong(&"there is no certificate in it")) } else { Ok(roots) }
}

fn roots_of_machine() -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is one server less that is trusted; the error shows when it is met.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        let text =
            format!("this machine trusts no CA (is ca-certificates installed?): give --ca FILE or --pin; {WHERE}");
        return Err(Failure::Usage(text));
    }
    Ok(roots)
}

#[derive(Debug)]
struct CollectorJudge {
    /// `None`: the pin alone says who it is.
    chains: Option<Arc<WebPkiServerVerifier>>,
    has_own_ca: bool,
    pin: Option<Pin>,
}

impl CollectorJudge {
    /// Without a chain the dates still count: an end that nobody looks at is found too late.
    fn check_dates(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        let facts = certificate::read(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let seconds = |at: muster_common::time::Timestamp| u64::try_from(at.millis() / 1_000).unwrap_or(0);
        let moment = |at| UnixTime::since_unix_epoch(Duration::from_secs(seconds(at)));
        if now.as_secs() > seconds(facts.not_after) {
            return Err(CertificateError::ExpiredContext { time: now, not_after: moment(facts.not_after) }.into());
        }
        if now.as_secs() < seconds(facts.not_before) {
            return Err(CertificateError::NotValidYetContext { time: now, not_before: moment(facts.not_before) }.into());
        }
        Ok(())
    }
}

impl ServerJudge for CollectorJudge {
    fn judge(&self, shown: Shown<'_>) -> Result<(), Error> {
        if let Some(pin) = self.pin
            && Pin::of_certificate(shown.leaf) != Ok(pin)
        {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let Some(chains) = &self.chains else { return Self::check_dates(shown.leaf, shown.now) };
        let judged = shown.by(&**chains, shown.name);
        let is_other_name = matches!(
            judged,
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            ))
        );
        // The embedded CA's certificates have this name, whatever address was dialled; no other CA would give it to anybody.
        match ServerName::try_from(SERVER_NAME) {
            Ok(own) if is_other_name && self.has_own_ca => shown.by(&**chains, &own).or(judged),
            _ => judged,
        }
    }
}

/// Why TLS did not come about, and what to do.
pub(super) fn explain(error: &std::io::Error, shown: &str) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let text = match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => format!(
            "the certificate of {shown} is of no CA that is trusted here: give the collector's CA by --ca FILE, or the pin of its key by --pin; {WHERE}"
        ),
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            format!("the certificate of {shown} has expired: let it be renewed there, and check this machine's clock")
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => {
            format!("the certificate of {shown} is not valid yet: check this machine's clock and the collector's")
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => format!(
            "the certificate of {shown} is for other names: write one of them in --url, or give the pin of its key by --pin; {WHERE}"
        ),
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => format!(
            "the key of {shown} is not the one of --pin: either it has another key now, or something else answers there; compare with `muster status` on the collector's machine"
        ),
        Some(Error::InvalidMessage(_)) => {
            format!(
                "what listens at {shown} does not speak TLS: write http:// if it is a collector on this machine, or check the port"
            )
        }
        Some(Error::AlertReceived(alert)) => {
            format!("{shown} refused the handshake ({alert:?}): check address and port, and both ends' versions")
        }
        _ => return Failure::Unknown(error.to_string()),
    };
    Failure::Usage(text)
}
