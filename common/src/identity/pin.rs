//! The pin: a hash of a public key. By that of the CA an agent knows its collector at the first contact; by that of the collector's own key
//! curl and `muster` know its HTTPS.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certificate::{self, CertificateError};
use super::hex;
use crate::digest::Sha256;

/// What stands before the hash where curl (`--pinnedpubkey`) and `muster --pin` write one.
const CURL_PREFIX: &str = "sha256//";

/// SHA-256 of a certificate's `SubjectPublicKeyInfo` (DER). Prints as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin(pub [u8; 32]);

impl Pin {
    /// The pin of a CA's public key, given as DER of its `SubjectPublicKeyInfo`.
    pub fn of_public_key(spki_der: &[u8]) -> Self {
        Self(Sha256::of(spki_der).0)
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

    /// The form of curl's `--pinnedpubkey`: `sha256//` and 44 characters of base64.
    pub fn to_curl(self) -> String {
        format!("{CURL_PREFIX}{}", STANDARD.encode(self.0))
    }

    /// Reads the form of [`Pin::to_curl`].
    pub fn parse_curl(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix(CURL_PREFIX)?).ok()?.try_into().ok().map(Self)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_come_back() {
        let pin = Pin::of_public_key(b"a key");
        assert_eq!(Pin::parse(&pin.to_string()), Some(pin));
        assert_eq!(pin.to_curl().len(), 8 + 44);
        assert_eq!(Pin::parse_curl(&pin.to_curl()), Some(pin));
        for text in ["", "sha256//", "sha256//Zg==", &pin.to_string(), &pin.to_curl()[8..]] {
            assert_eq!(Pin::parse_curl(text), None, "{text}");
        }
    }
}
