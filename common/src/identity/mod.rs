//! Identity pieces that both ends share: tokens, keys and certificates, TLS settings.
//!
//! The collector's own CA signs everything. [`pin`] is the hash of its key, which a [`token`] word carries so that an agent knows
//! the collector before it sends anything; [`certificate`] makes keys and requests and reads what was issued; [`tls`] turns both
//! into settings for either end. Issuing itself is fleet's.

pub mod certificate;
mod explain;
mod hex;
pub mod pin;
pub mod tls;
pub mod token;
mod verify;

pub use certificate::{CertificateError, CertificateFacts, Serial};
pub use explain::{explain, explain_alert};
pub use pin::Pin;
pub use tls::{Clock, Identity, TlsError, Trust};
pub use token::{Token, TokenError, TokenWord};

/// The name that the collector's certificate carries and agents verify, whatever address they dialled.
pub const SERVER_NAME: &str = "collector.muster";

/// The system's random generator gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed: check that getrandom is allowed here")]
pub struct RandomError;

/// Random bytes fit for keys and secrets.
///
/// # Errors
/// [`RandomError`] where the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}
