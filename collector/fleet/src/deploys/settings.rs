//! What is declared: services, environments and their order, freezes of the file, secrets of webhooks. All of it is put in force at once.

use std::collections::BTreeMap;
use std::fmt;

use super::deploy::DEPLOY_LIMIT_MS;
use super::freeze::ReadFreeze;
use super::service::{EnvironmentRule, ReadService, ServiceSpec};

/// What `deploy.toml` says, without mistakes.
#[derive(Clone, Debug)]
pub struct DeploySettings {
    /// The file; empty: there is none.
    pub(crate) path: String,
    pub(crate) services: BTreeMap<String, ReadService>,
    pub(crate) environments: BTreeMap<String, EnvironmentRule>,
    pub(crate) freezes: BTreeMap<String, ReadFreeze>,
    /// After so long a deploy that has not ended is given up, milliseconds.
    pub(crate) limit_ms: i64,
    pub(crate) github: Option<HookSecret>,
    pub(crate) gitlab: Option<HookSecret>,
}

impl Default for DeploySettings {
    fn default() -> Self {
        Self {
            path: String::new(),
            services: BTreeMap::new(),
            environments: BTreeMap::new(),
            freezes: BTreeMap::new(),
            limit_ms: DEPLOY_LIMIT_MS,
            github: None,
            gitlab: None,
        }
    }
}

impl DeploySettings {
    /// How many services it declares.
    pub fn services_len(&self) -> usize {
        self.services.len()
    }

    /// Whether a package's change is a deploy of some service.
    pub(crate) fn has_package(&self, package: &str) -> bool {
        self.services.values().any(|service| service.spec.packages.iter().any(|one| one == package))
    }

    /// The service that a repository's webhooks tell of; letters of either case are the same, as hosters have it.
    pub(crate) fn of_repository(&self, repository: &str) -> Option<&ServiceSpec> {
        let is_its = |spec: &&ServiceSpec| spec.repositories.iter().any(|one| one.eq_ignore_ascii_case(repository));
        self.services.values().map(|service| &service.spec).find(is_its)
    }
}

/// What a webhook proves to know; it is in no message and no log.
#[derive(Clone, PartialEq, Eq)]
pub struct HookSecret(Vec<u8>);

/// Bytes of a secret: shorter ones are guessed.
pub(super) const SECRET_BYTES_MIN: usize = 16;
pub(super) const SECRET_BYTES_MAX: usize = 1_024;

impl HookSecret {
    /// Spaces and line ends around it do not count: editors put them there.
    ///
    /// # Errors
    /// What is wrong with it, in words that have nothing of it.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.trim_ascii();
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(format!(
                "the secret has {} bytes: make one of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX}, such as by `openssl rand -hex 32`",
                bytes.len()
            ));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// Whether these 32 bytes are the HMAC-SHA256 of this body under the secret, in a time that tells nothing of either.
    pub fn signed(&self, body: &[u8], signature: &[u8]) -> bool {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.0);
        ring::hmac::verify(&key, body, signature).is_ok()
    }

    /// Whether this is the secret, in a time that tells nothing of it.
    pub fn is(&self, word: &[u8]) -> bool {
        // Of what is compared both are hashed under the secret first, so that neither length nor content is told by time.
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.0);
        ring::hmac::verify(&key, word, ring::hmac::sign(&key, &self.0).as_ref()).is_ok()
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_knows_itself_and_what_it_signed_and_shows_nothing() {
        let secret = HookSecret::new(b"It's a Secret to Everybody\n").unwrap();
        // The example in GitHub's documentation.
        let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let signature: [u8; 32] = crate::rows::unhex(hex).unwrap();
        assert!(secret.signed(b"Hello, World!", &signature));
        assert!(!secret.signed(b"Hello, World", &signature) && !secret.signed(b"Hello, World!", &signature[..31]));
        assert!(secret.is(b"It's a Secret to Everybody"));
        assert!(!secret.is(b"It's a Secret to Everybod") && !secret.is(b""));
        assert_eq!(format!("{secret:?}"), "HookSecret(..)");
        assert!(HookSecret::new(b" short \n").unwrap_err().contains("has 5 bytes"));
        assert!(HookSecret::new(&[b'x'; 1_025]).is_err());
    }
}
