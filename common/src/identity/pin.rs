//! The pin: a hash of the CA's public key, by which an agent knows its collector at the first contact.

use std::fmt;

use super::certificate::{self, CertificateError};
use super::hex;

/// SHA-256 of a certificate's `SubjectPublicKeyInfo` (DER). Prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a CA's public key, given as DER of its `SubjectPublicKeyInfo`.
    pub fn of_public_key(spki_der: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, spki_der).as_ref());
        Self(hash)
    }

    /// The pin of the key in a certificate.
    ///
    /// # Errors
    /// [`CertificateError::Damaged`] when these bytes are none.
    pub fn of_certificate(der: &[u8]) -> Result<Self, CertificateError> {
        certificate::public_key(der).map(Self::of_public_key)
    }

    /// Reads the printed form.
    pub fn parse(text: &str) -> Option<Self> {
        hex::parse(text).map(Self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
