//! Secrets of a snapshot under the operator's key: ChaCha20-Poly1305 (RFC 8439) under a key made of what the key file holds by
//! PBKDF2-HMAC-SHA-256 (RFC 8018). The collector's `SNAPSHOT.md` tells the bytes.

use std::num::NonZeroU32;

use muster_common::identity::random;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;

use crate::error::FleetError;

const MAGIC: &[u8; 8] = b"MUSTKEYS";
const VERSION: u16 = 1;
/// PBKDF2-HMAC-SHA-256.
const BY_PBKDF2: u8 = 1;
/// ChaCha20-Poly1305.
const BY_CHACHA: u8 = 1;
/// What OWASP asks of this function for passwords (2023); half a second of one core, spent once a snapshot.
const ROUNDS: u32 = 600_000;
/// More than any version will use, so that a foreign file does not keep a core busy for hours.
const ROUNDS_MAX: u32 = 20_000_000;
const SALT_BYTES: usize = 16;
const HEAD_BYTES: usize = 16 + SALT_BYTES + NONCE_LEN;
/// Below this a key is guessed however slow each guess is made.
const KEY_BYTES_MIN: usize = 16;

/// What the operator keeps apart from the snapshots.
pub struct SnapshotKey {
    secret: Vec<u8>,
    rounds: u32,
}

impl std::fmt::Debug for SnapshotKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SnapshotKey")
    }
}

impl SnapshotKey {
    /// From the contents of a key file, which is a random text or a long passphrase; line ends at its end do not count.
    ///
    /// # Errors
    /// [`FleetError::Sealed`]: it is too short to be a secret.
    pub fn new(contents: &[u8]) -> Result<Self, FleetError> {
        let end = contents.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        if end < KEY_BYTES_MIN {
            return Err(sealed(format!("the key has {end} bytes, which can be guessed: {MAKE_KEY}")));
        }
        Ok(Self { secret: contents[..end].to_vec(), rounds: ROUNDS })
    }

    /// Makes guesses as cheap as this, for tests that seal often. What was sealed tells its own number.
    #[must_use]
    pub fn with_rounds(self, rounds: u32) -> Self {
        Self { rounds, ..self }
    }

    /// Seals this text; `about` is not hidden, but the text opens only with the same.
    ///
    /// # Errors
    /// [`FleetError::Random`], [`FleetError::Sealed`].
    pub fn seal(&self, text: &[u8], about: &[u8]) -> Result<Vec<u8>, FleetError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([BY_PBKDF2, BY_CHACHA]);
        bytes.extend(self.rounds.to_le_bytes());
        bytes.extend(random::<SALT_BYTES>()?);
        bytes.extend(random::<NONCE_LEN>()?);
        let head: [u8; HEAD_BYTES] =
            bytes.as_slice().try_into().map_err(|_| sealed("its head has another length".into()))?;
        let mut hidden = text.to_vec();
        let (key, nonce) = self.derive(&head, self.rounds)?;
        let done = key.seal_in_place_append_tag(nonce, aad(&head, about), &mut hidden);
        done.map_err(|_| sealed("it could not be encrypted".into()))?;
        bytes.append(&mut hidden);
        Ok(bytes)
    }

    /// The text that was sealed.
    ///
    /// # Errors
    /// [`FleetError::Sealed`]: another key, another `about`, a version that this collector does not know, or damage.
    pub fn open(&self, bytes: &[u8], about: &[u8]) -> Result<Vec<u8>, FleetError> {
        let Some((head, hidden)) = bytes.split_first_chunk::<HEAD_BYTES>().filter(|(head, _)| head.starts_with(MAGIC))
        else {
            return Err(sealed("it is no file of sealed keys: take another copy of the snapshot".into()));
        };
        let version = u16::from_le_bytes([head[8], head[9]]);
        if version != VERSION || head[10] != BY_PBKDF2 || head[11] != BY_CHACHA {
            return Err(sealed(format!(
                "it has version {version}, but this collector knows {VERSION}: restore with the version of the collector that made it, or a later one"
            )));
        }
        let rounds = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
        if rounds > ROUNDS_MAX {
            return Err(sealed("its head is damaged: take another copy of the snapshot".into()));
        }
        let mut hidden = hidden.to_vec();
        let (key, nonce) = self.derive(head, rounds)?;
        let text = key.open_in_place(nonce, aad(head, about), &mut hidden).map_err(|_| {
            sealed("this key does not open it: give the key file that was in force when the snapshot was made".into())
        })?;
        Ok(text.to_vec())
    }

    fn derive(&self, head: &[u8; HEAD_BYTES], rounds: u32) -> Result<(LessSafeKey, Nonce), FleetError> {
        let rounds = NonZeroU32::new(rounds).ok_or_else(|| sealed("its head is damaged: take another copy".into()))?;
        let (salt, nonce) = head[16..].split_at(SALT_BYTES);
        let mut key = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, &self.secret, &mut key);
        let unusable = |_| sealed("its head is damaged: take another copy".into());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(unusable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(unusable)?;
        // A key is used once: each has a salt of its own.
        Ok((LessSafeKey::new(key), nonce))
    }
}

/// How to make a key file.
pub const MAKE_KEY: &str =
    "make one by `umask 077; head -c 32 /dev/urandom | base64 > FILE`, and keep a copy of it away from this machine";

fn aad(head: &[u8; HEAD_BYTES], about: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([head, about].concat())
}

fn sealed(what: String) -> FleetError {
    FleetError::Sealed { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SnapshotKey {
        SnapshotKey::new(text.as_bytes()).unwrap().with_rounds(10)
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_nothing_else() {
        let sealed = key("a long enough passphrase\n").seal(b"secret", b"store 1").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(sealed.len(), HEAD_BYTES + 6 + 16);
        let same = key("a long enough passphrase");
        assert_eq!(same.open(&sealed, b"store 1").unwrap(), b"secret");
        let told = |key: &SnapshotKey, bytes: &[u8], about: &[u8]| key.open(bytes, about).unwrap_err().to_string();
        let wrong = key("another long passphrase");
        assert!(told(&wrong, &sealed, b"store 1").contains("this key does not open it"));
        assert!(told(&same, &sealed, b"store 2").contains("this key does not open it"));
        for place in [0, 8, 10, 20, 35, HEAD_BYTES, sealed.len() - 1] {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            told(&same, &flipped, b"store 1");
        }
        assert!(told(&same, &sealed[..HEAD_BYTES - 1], b"store 1").contains("no file of sealed keys"));
        let mut newer = sealed.clone();
        newer[8] = 2;
        assert!(told(&same, &newer, b"store 1").contains("version 2, but this collector knows 1"));
        let mut endless = sealed;
        endless[12..16].fill(0xff);
        assert!(told(&same, &endless, b"store 1").contains("damaged"));
    }

    #[test]
    fn a_key_is_stretched_as_the_page_says() {
        let sealed = SnapshotKey::new(b"a long enough passphrase").unwrap().seal(b"secret", b"").unwrap();
        assert_eq!(u32::from_le_bytes(sealed[12..16].try_into().unwrap()), 600_000);
        assert_eq!(key("a long enough passphrase").open(&sealed, b"").unwrap(), b"secret");
    }

    #[test]
    fn a_key_that_can_be_guessed_is_refused_with_how_to_make_one() {
        let told = SnapshotKey::new(b"hunter2\n").unwrap_err().to_string();
        assert!(told.contains("7 bytes") && told.contains("/dev/urandom"), "{told}");
        assert!(SnapshotKey::new(b"").is_err());
    }
}
