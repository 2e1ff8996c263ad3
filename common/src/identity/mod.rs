//! Identity pieces that both ends share: tokens, keys and certificates, TLS settings.
//!
//! The collector's own CA signs everything. [`pin`] is the hash of its key, which a [`token`] word carries so that an agent knows
//! the collector before it sends anything; [`certificate`] makes keys and requests and reads what was issued; [`tls`] turns both
//! into settings for either end. Issuing itself is fleet's.

pub mod certificate;
mod entropy;
mod explain;
pub(crate) mod hex;
pub mod judge;
pub mod pin;
pub mod tls;
pub mod token;
mod verify;

pub use certificate::{CertificateError, CertificateFacts, Serial};
pub use entropy::{RandomError, random};
pub use explain::{explain, explain_alert};
pub use pin::Pin;
pub use tls::{Clock, Identity, TlsError, Trust};
pub use token::{Token, TokenError, TokenWord};

/// The name that the collector's certificate carries and agents verify, whatever address they dialled.
pub const SERVER_NAME: &str = "collector.muster";
