//! Who is let through the handshake. rustls checks signatures and chains; here stands what we ask beyond it.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::certificate;
use super::judge::{ServerJudge, Shown};
use super::pin::Pin;

/// How long an expired agent certificate still opens a session, so that a host that was away can renew it with the same
/// key. What such a session may do is the session's to decide.
pub(super) const EXPIRED_TOLERATED: Duration = Duration::from_secs(90 * 86_400);

/// The collector's: a client certificate is of our CA and for clients, and may be expired for a while.
#[derive(Debug)]
pub(super) struct AgentVerifier {
    pub(super) chains: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for AgentVerifier {
    fn client_auth_mandatory(&self) -> bool {
        // Without one a session may only enrol.
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chains.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let facts = certificate::read(leaf).map_err(|_| CertificateError::BadEncoding)?;
        // rustls lets certificates without any usage pass.
        if !facts.for_clients {
            return Err(CertificateError::InvalidPurpose.into());
        }
        let not_after = u64::try_from(facts.not_after.millis() / 1_000).unwrap_or(0);
        let expired_for = now.as_secs().saturating_sub(not_after);
        let at = if expired_for > 0 && expired_for <= EXPIRED_TOLERATED.as_secs() {
            UnixTime::since_unix_epoch(Duration::from_secs(not_after))
        } else {
            now
        };
        self.chains.verify_client_cert(leaf, rest, at)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// The enrolling agent's: the presented chain carries the CA that the token names, and the leaf is its.
#[derive(Debug)]
pub(super) struct PinJudge {
    pub(super) pin: Pin,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerJudge for PinJudge {
    fn judge(&self, shown: Shown<'_>) -> Result<(), Error> {
        let is_pinned = |der: &&CertificateDer<'_>| {
            Pin::of_certificate(der) == Ok(self.pin) && certificate::read(der).is_ok_and(|facts| facts.is_ca)
        };
        let ca = shown.rest.iter().find(is_pinned).ok_or(CertificateError::ApplicationVerificationFailure)?;
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        shown.by(&*chains, shown.name)
    }
}
