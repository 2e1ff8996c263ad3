//! TLS settings of both ends: TLS 1.3 only, ALPN `muster/1`, ring given explicitly, no resumption and no early data.
//!
//! A resumed session would not run the client verifier again and so skip the deny list; early data can be replayed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};

use super::judge::Judged;
use super::pin::Pin;
use super::verify::{AgentVerifier, PinJudge};
use crate::time::Timestamp;
use crate::wire::message::ALPN;

/// Where TLS reads the time to judge certificates by: `Arc::new(time::now)` in programs.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A certificate chain, leaf first and CA last, and the leaf's private key (PKCS#8); all DER.
#[derive(Clone)]
pub struct Identity {
    pub chain_der: Vec<Vec<u8>>,
    pub key_der: Vec<u8>,
}

/// By what an agent knows its collector.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Enrolling: the chain must carry the CA whose key has this hash.
    Pin(Pin),
    /// Enrolled: the stored CA certificates, DER.
    Roots(Vec<Vec<u8>>),
}

/// Why TLS cannot be set up with what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("certificate or private key cannot be used: {problem}; enrol this host again")]
    Identity { problem: String },
    #[error("CA certificate {index} cannot be used: {problem}; enrol this host again")]
    Root { index: usize, problem: String },
    #[error("no CA certificate is stored: enrol this host again")]
    NoRoots,
    #[error("TLS cannot be set up: {problem}")]
    Setup { problem: String },
}

/// The collector's settings: client certificates are optional (without one a session may only enrol), verified against
/// `roots_der` when given, and tolerated for 90 days after they expire.
///
/// # Errors
/// [`TlsError`] names the part that cannot be used.
pub fn server_config(identity: &Identity, roots_der: &[Vec<u8>], clock: Clock) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let chains = WebPkiClientVerifier::builder_with_provider(roots(roots_der)?, Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(setup)?;
    let (chain, key) = identity.parts();
    let mut config = ServerConfig::builder_with_details(provider, Arc::new(TlsClock(clock)))
        .with_protocol_versions(&[&TLS13])
        .map_err(setup)?
        .with_client_cert_verifier(Arc::new(AgentVerifier { chains }))
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Identity { problem: error.to_string() })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// An agent's settings; `identity` is absent only while it enrols. Connect with the server name [`super::SERVER_NAME`].
///
/// # Errors
/// [`TlsError`] names the part that cannot be used.
pub fn client_config(trust: &Trust, identity: Option<&Identity>, clock: Clock) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Pin(pin) => {
            let judge = PinJudge { pin: *pin, provider: Arc::clone(&provider) };
            Arc::new(Judged { judge, provider: Arc::clone(&provider) })
        }
        Trust::Roots(der) => {
            WebPkiServerVerifier::builder_with_provider(roots(der)?, Arc::clone(&provider)).build().map_err(setup)?
        }
    };
    let builder = ClientConfig::builder_with_details(provider, Arc::new(TlsClock(clock)))
        .with_protocol_versions(&[&TLS13])
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.parts();
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| TlsError::Identity { problem: error.to_string() })?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn setup(error: impl fmt::Display) -> TlsError {
    TlsError::Setup { problem: error.to_string() }
}

fn roots(der: &[Vec<u8>]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    for (index, one) in der.iter().enumerate() {
        store
            .add(CertificateDer::from(one.clone()))
            .map_err(|error| TlsError::Root { index, problem: error.to_string() })?;
    }
    if store.is_empty() { Err(TlsError::NoRoots) } else { Ok(Arc::new(store)) }
}

impl Identity {
    fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = self.chain_der.iter().cloned().map(CertificateDer::from).collect();
        (chain, PrivatePkcs8KeyDer::from(self.key_der.clone()).into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates, key hidden)", self.chain_der.len())
    }
}

struct TlsClock(Clock);

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from((self.0)().millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

#[cfg(test)]
mod tests;
