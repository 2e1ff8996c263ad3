//! ed25519 keys and signatures, and how they are written: keys as PKCS#8 in PEM, which `openssl genpkey -algorithm ed25519` makes too.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::identity::certificate::key_to_pem;
use crate::identity::hex;

/// Who signed. As text `ed25519:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

/// As text 128 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

/// A key that signs. `Debug` leaves it out.
pub struct SigningKey(Ed25519KeyPair);

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the system's random generator failed: check that getrandom is allowed here")]
    Random,
    #[error("this is no private ed25519 key in PEM: make one with `muster task key new`")]
    Private,
    #[error(
        "{text:?} is no public key: write `ed25519:` and 64 hexadecimal digits, as `muster task key show` prints it"
    )]
    Public { text: String },
}

const PREFIX: &str = "ed25519:";

impl PublicKey {
    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// [`KeyError::Public`] on anything else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let digits = text.trim().strip_prefix(PREFIX);
        digits.and_then(hex::parse).map(Self).ok_or_else(|| KeyError::Public { text: text.to_owned() })
    }

    /// Whether the owner of this key signed these bytes.
    pub fn signed(&self, bytes: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(bytes, &signature.0).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        hex::write(f, &self.0)
    }
}

impl Signature {
    /// Reads what `Display` writes, blanks around it left out; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        hex::parse(text.trim()).map(Self)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl SigningKey {
    /// A new key's PEM, for a file that its owner alone reads.
    ///
    /// # Errors
    /// [`KeyError::Random`] where the system has no random bytes.
    pub fn generate_pem() -> Result<String, KeyError> {
        let der = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).map_err(|_| KeyError::Random)?;
        Ok(key_to_pem(der.as_ref()))
    }

    /// # Errors
    /// [`KeyError::Private`]; the text is not repeated.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = pem::parse(text).ok().filter(|pem| pem.tag() == "PRIVATE KEY").ok_or(KeyError::Private)?;
        // The older form without the public key is what openssl writes.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.contents()).map_err(|_| KeyError::Private)?;
        Ok(Self(pair))
    }

    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    pub fn sign(&self, bytes: &[u8]) -> Signature {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(bytes).as_ref());
        Signature(signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_and_only_its_own_words_hold() {
        let key = SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap();
        let (public, signature) = (key.public(), key.sign(b"reboot"));
        assert!(public.signed(b"reboot", &signature) && !public.signed(b"reboot!", &signature));
        let other = SigningKey::from_pem(&SigningKey::generate_pem().unwrap()).unwrap();
        assert!(!other.public().signed(b"reboot", &signature));
        assert_eq!(PublicKey::parse(&public.to_string()), Ok(public));
        assert_eq!(Signature::parse(&format!("{signature}\n")), Some(signature));
        assert_eq!(format!("{key:?}"), format!("SigningKey({public})"));
        for wrong in ["", "ed25519:", &public.to_string()[1..], &format!("{public}0")] {
            assert!(PublicKey::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").err(),
            Some(KeyError::Private)
        );
    }

    #[test]
    fn a_key_of_openssl_is_read_and_the_standard_s_first_signature_made() {
        // RFC 8032, 7.1, TEST 1, in the form that openssl writes.
        let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem(pem).unwrap();
        assert_eq!(
            key.public().to_string(),
            "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert!(key.sign(b"").to_string().starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065"));
    }
}
