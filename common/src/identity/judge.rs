//! Whom a client takes for its server: each client judges the certificate in its own way, the signatures of the handshake are checked alike.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What a server shows of itself, and when.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub leaf: &'a CertificateDer<'a>,
    /// What stands behind it in its chain.
    pub rest: &'a [CertificateDer<'a>],
    /// The name that was asked for.
    pub name: &'a ServerName<'a>,
    pub ocsp: &'a [u8],
    pub now: UnixTime,
}

impl Shown<'_> {
    /// As a verifier of rustls judges it.
    ///
    /// # Errors
    /// As that verifier.
    pub fn by(&self, verifier: &dyn ServerCertVerifier, name: &ServerName<'_>) -> Result<(), Error> {
        verifier.verify_server_cert(self.leaf, self.rest, name, self.ocsp, self.now).map(drop)
    }
}

/// Decides about the certificate alone.
pub trait ServerJudge: Debug + Send + Sync {
    /// # Errors
    /// Why this is not the server that was meant.
    fn judge(&self, shown: Shown<'_>) -> Result<(), Error>;
}

/// A verifier for rustls made of a judge. That the server has the certificate's key is checked in any case.
#[derive(Debug)]
pub struct Judged<J> {
    pub judge: J,
    pub provider: Arc<CryptoProvider>,
}

impl<J: ServerJudge> ServerCertVerifier for Judged<J> {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge.judge(Shown { leaf, rest, name, ocsp, now }).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
