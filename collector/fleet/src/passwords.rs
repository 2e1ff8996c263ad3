//! Passwords: which are taken, and the hash that is kept of one.

use argon2::{Algorithm, Argon2, Params, Version};
use muster_common::identity::random;
use serde::{Deserialize, Serialize};

use crate::error::FleetError;
use crate::rows::hex_bytes;

/// Characters of a password: NIST SP 800-63B asks for 8 at least and takes 64; more than 256 are no password but a mistake.
pub const PASSWORD_CHARS_MIN: usize = 10;
pub const PASSWORD_CHARS_MAX: usize = 256;

/// OWASP's choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// The commonest passwords that are long enough to be taken otherwise: what is tried first.
const COMMON: [&str; 40] = [
    "1234567890",
    "12345678910",
    "123456789a",
    "0123456789",
    "9876543210",
    "0987654321",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "q1w2e3r4t5",
    "qwertyuiop",
    "qwerty12345",
    "qwerty123456",
    "qwertyuiop123",
    "asdfghjkl123",
    "zxcvbnm123",
    "password12",
    "password123",
    "password1234",
    "password12345",
    "passw0rd123",
    "p@ssw0rd123",
    "mypassword",
    "changeme123",
    "changemenow",
    "letmein123",
    "welcome123",
    "welcome1234",
    "administrator",
    "administrator1",
    "admin12345",
    "admin123456",
    "adminadmin",
    "rootrootroot",
    "toortoortoor",
    "muster12345",
    "monitoring",
    "monitoring1",
    "iloveyou123",
    "1111111111",
    "0000000000",
];

/// What is kept of a password: enough to check one, and how it was made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    #[serde(with = "hex_bytes")]
    salt: Vec<u8>,
    #[serde(with = "hex_bytes")]
    hash: Vec<u8>,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// Checks that this may be the password of this user.
///
/// # Errors
/// [`FleetError::Password`] says what is wrong with it, and never repeats it.
pub fn check_password(user: &str, password: &str) -> Result<(), FleetError> {
    let refuse = |what| Err(FleetError::Password { what });
    let count = password.chars().count();
    if count < PASSWORD_CHARS_MIN {
        return refuse("is too short: take 10 characters or more, such as a few words");
    }
    if count > PASSWORD_CHARS_MAX {
        return refuse("is too long: take 256 characters at most");
    }
    if password.contains(['\n', '\r', '\0']) {
        return refuse("holds a line break: take another");
    }
    let folded = password.to_lowercase();
    if folded == user.to_lowercase() {
        return refuse("is the user's name: take another");
    }
    let mut characters = folded.chars();
    let first = characters.next();
    if COMMON.contains(&folded.as_str()) || characters.all(|character| Some(character) == first) {
        return refuse("is one of those that are tried first: take a few words that nobody would put together");
    }
    Ok(())
}

impl PasswordHash {
    /// Hashes a password: 19 MiB of memory and tens of milliseconds of a processor.
    ///
    /// # Errors
    /// [`FleetError::Random`], [`FleetError::Hashing`].
    pub fn new(password: &str) -> Result<Self, FleetError> {
        Self::salted(password, random::<SALT_BYTES>()?)
    }

    /// What a password is compared with where there is no user: costs what a user's does, and nothing matches it.
    pub fn of_nobody() -> Self {
        Self {
            salt: vec![0; SALT_BYTES],
            hash: vec![0; HASH_BYTES],
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        }
    }

    fn salted(password: &str, salt: [u8; SALT_BYTES]) -> Result<Self, FleetError> {
        let mut made = Self { salt: salt.to_vec(), ..Self::of_nobody() };
        made.hash = made.derive(password).ok_or(FleetError::Hashing)?;
        Ok(made)
    }

    /// Whether this is the password. Costs as much as [`PasswordHash::new`], and as much for a wrong one as for the right one.
    pub fn matches(&self, password: &str) -> bool {
        let derived = self.derive(password).unwrap_or_default();
        let differs = derived.iter().zip(&self.hash).fold(0, |differs, (ours, theirs)| differs | (ours ^ theirs));
        derived.len() == HASH_BYTES && self.hash.len() == HASH_BYTES && differs == 0
    }

    /// `None`: numbers that argon2 does not take, as of a damaged row.
    fn derive(&self, password: &str) -> Option<Vec<u8>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_BYTES)).ok()?;
        let mut out = vec![0; HASH_BYTES];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(password.as_bytes(), &self.salt, &mut out).ok()?;
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_are_tried_first_are_refused_and_others_are_taken() {
        for (password, is_taken) in [
            ("short", false),
            ("nine chars", true),
            ("correct horse battery", true),
            (&"x".repeat(257), false),
            (&"ab".repeat(128), true),
            ("annabella-1", false),
            ("ANNABELLA-1", false),
            ("Password123", false),
            ("zzzzzzzzzzzz", false),
            ("two\nlines of it", false),
            ("\u{20ac}uro und mehr", true),
        ] {
            assert_eq!(check_password("annabella-1", password).is_ok(), is_taken, "{password}");
        }
        let told = check_password("ann", "secret").unwrap_err().to_string();
        assert!(told.contains("too short") && !told.contains("secret"), "{told}");
    }

    #[test]
    fn a_hash_matches_its_password_alone_and_is_salted() {
        let (hash, other) = (PasswordHash::new("correct horse").unwrap(), PasswordHash::new("correct horse").unwrap());
        assert!(hash != other && hash.matches("correct horse") && other.matches("correct horse"));
        assert!(!hash.matches("correct hors") && !hash.matches("") && !PasswordHash::of_nobody().matches(""));
        let read: PasswordHash = serde_json::from_str(&serde_json::to_string(&hash).unwrap()).unwrap();
        assert_eq!(read, hash);
        let damaged = PasswordHash { memory_kib: 0, ..hash.clone() };
        assert!(!damaged.matches("correct horse"));
        assert_eq!(format!("{hash:?}"), "PasswordHash");
    }

    /// The hash is that of the reference implementation (argon2-cffi 25.1: `hash_secret_raw`, type id, time 2, memory 19456, parallelism 1).
    #[test]
    fn the_parameters_are_those_that_are_promised() {
        let made = PasswordHash::salted("correct horse", *b"saltsaltsaltsalt").unwrap();
        assert_eq!((made.memory_kib, made.passes, made.lanes), (19_456, 2, 1));
        let expect = "01dc1e04bc1c7e59cd5f61d55bc8b532dbbb7ebae7e0a8bb87fad8486b94ec8b";
        assert_eq!(crate::rows::hex(&made.hash), expect);
        let nobody = PasswordHash::of_nobody();
        assert_eq!(
            (nobody.memory_kib, nobody.passes, nobody.lanes),
            (19_456, 2, 1),
            "a user that is none costs the same"
        );
    }
}
