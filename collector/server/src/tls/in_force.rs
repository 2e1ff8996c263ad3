//! A certificate ready to be served, and what others are told of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use muster_api::Https;
use muster_common::identity::{CertificateError, Pin, certificate};
use muster_common::time::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A certificate.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) https: Https,
    pub(super) begins: Timestamp,
    /// Of the embedded CA: when to make the next one, and by which CA this one is.
    pub(super) own: Option<OwnCertificate>,
    /// Of files: what was read.
    pub(super) print: String,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct OwnCertificate {
    pub(super) renew_at: Timestamp,
    pub(super) authority: Pin,
}

impl InForce {
    /// # Errors
    /// When a certificate of the chain cannot be read.
    pub(super) fn new(certified: CertifiedKey, own: Option<OwnCertificate>) -> Result<Self, CertificateError> {
        let chain = &certified.cert;
        let leaf = chain.first().map_or(&[][..], |leaf| leaf);
        let facts = certificate::read(leaf)?;
        let root = chain.last().filter(|last| certificate::read(last).is_ok_and(|facts| facts.is_own_issuer));
        let https = Https {
            pin: Pin::of_certificate(leaf)?,
            ca_pem: root.map(|root| certificate::to_pem(root)),
            dns_names: facts.dns_names,
            addresses: facts.addresses,
            is_own_ca: own.is_some(),
            expires: facts.not_after,
        };
        Ok(Self { certified: Arc::new(certified), https, begins: facts.not_before, own, print: String::new() })
    }

    pub(super) fn with_print(mut self, print: String) -> Self {
        self.print = print;
        self
    }
}

/// Gives each handshake what is in force then.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<ArcSwap<InForce>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whatever name was asked for: agents and `muster` dial addresses and verify another name.
        Some(Arc::clone(&self.0.load().certified))
    }
}
