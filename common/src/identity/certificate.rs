//! Keys and requests made, certificates read. DER in and out; nothing of the crates below shows outside.

use std::fmt;
use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::hex;
use crate::host::HostId;
use crate::time::Timestamp;

/// What stands before the host id in a certificate's only name.
const HOST_URI: &str = "muster:host/";

/// Why a key or a certificate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("failed to make a P-256 key: {problem}")]
    Key { problem: String },
    #[error("the stored private key cannot be used: {problem}; enrol this host again with --replace")]
    StoredKey { problem: String },
    #[error("failed to make a certificate request: {problem}")]
    Request { problem: String },
    #[error("these bytes are no X.509 certificate: {problem}")]
    Damaged { problem: String },
}

/// A certificate's serial number: big-endian, without leading zeros. Prints as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

/// What we read of a certificate. Reading verifies nothing: TLS did, or [`super::tls`] will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The host that it was issued to: its one name `muster:host/<id>`. `None` for any other certificate, and for one with several names.
    pub host: Option<HostId>,
    pub serial: Serial,
    /// Names of the owner and of the issuer, as `C=DE, O=Example, CN=www`.
    pub subject: String,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub is_ca: bool,
    /// Whether its extended key usage names client authentication.
    pub for_clients: bool,
    /// Whether it names itself as its issuer: a root.
    pub is_own_issuer: bool,
    /// DNS names that it is for, patterns included.
    pub dns_names: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

/// A new P-256 private key, PKCS#8 DER.
///
/// # Errors
/// [`CertificateError::Key`] where the system has no random bytes.
pub fn new_key() -> Result<Vec<u8>, CertificateError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        .map_err(|error| CertificateError::Key { problem: error.to_string() })?;
    Ok(key.serialize_der())
}

/// A request (PKCS#10, DER) for this key. It asks for no name: the collector gives the one it registered.
///
/// # Errors
/// [`CertificateError::StoredKey`] when these bytes are no P-256 key, or [`CertificateError::Request`].
pub fn new_request(key_der: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key_der), &PKCS_ECDSA_P256_SHA256)
        .map_err(|error| CertificateError::StoredKey { problem: error.to_string() })?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request =
        params.serialize_request(&key).map_err(|error| CertificateError::Request { problem: error.to_string() })?;
    Ok(request.der().to_vec())
}

/// The name in the certificate of this host.
pub fn host_uri(host: HostId) -> String {
    format!("{HOST_URI}{host}")
}

/// Reads a certificate.
///
/// # Errors
/// [`CertificateError::Damaged`] when these bytes are none, or something follows it.
pub fn read(der: &[u8]) -> Result<CertificateFacts, CertificateError> {
    let certificate = parse(der)?;
    let usage = certificate.extended_key_usage().map_err(|error| damaged(&error))?;
    Ok(CertificateFacts {
        host: read_host(&certificate)?,
        serial: Serial::from_bytes(certificate.raw_serial()),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before: moment(certificate.validity().not_before.timestamp()),
        not_after: moment(certificate.validity().not_after.timestamp()),
        is_ca: certificate.is_ca(),
        for_clients: usage.is_some_and(|usage| usage.value.client_auth),
        is_own_issuer: certificate.issuer().as_raw() == certificate.subject().as_raw(),
        dns_names: dns_names(&certificate),
        addresses: addresses(&certificate),
    })
}

/// The certificate as PEM.
pub fn to_pem(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

/// The private key (PKCS#8) as PEM.
pub fn key_to_pem(der: &[u8]) -> String {
    pem("PRIVATE KEY", der)
}

fn pem(kind: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(kind, der), config)
}

/// DER of the `SubjectPublicKeyInfo` in a certificate.
pub(super) fn public_key(der: &[u8]) -> Result<&[u8], CertificateError> {
    Ok(parse(der)?.tbs_certificate.subject_pki.raw)
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok((rest, _)) => Err(CertificateError::Damaged { problem: format!("{} bytes follow it", rest.len()) }),
        Err(error) => Err(damaged(&error)),
    }
}

fn damaged(error: &impl fmt::Display) -> CertificateError {
    CertificateError::Damaged { problem: error.to_string() }
}

/// All alternative names, or none where they cannot be read.
fn alternative_names<'a>(certificate: &'a X509Certificate<'_>) -> &'a [GeneralName<'a>] {
    certificate.subject_alternative_name().ok().flatten().map_or(&[], |names| names.value.general_names.as_slice())
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    alternative_names(certificate).iter().filter_map(dns).collect()
}

fn addresses(certificate: &X509Certificate<'_>) -> Vec<IpAddr> {
    let address = |name: &GeneralName<'_>| {
        let GeneralName::IPAddress(bytes) = name else { return None };
        let v4 = || <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from);
        let v6 = || <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from);
        v4().or_else(v6)
    };
    alternative_names(certificate).iter().filter_map(address).collect()
}

fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}

fn read_host(certificate: &X509Certificate<'_>) -> Result<Option<HostId>, CertificateError> {
    let names = certificate.subject_alternative_name().map_err(|error| damaged(&error))?;
    Ok(match names.as_ref().map(|names| names.value.general_names.as_slice()) {
        Some([GeneralName::URI(uri)]) => uri.strip_prefix(HOST_URI).and_then(HostId::parse),
        _ => None,
    })
}

impl Serial {
    /// From big-endian bytes; leading zeros do not count.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Self(bytes[zeros..].to_vec())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::DnType;

    use super::*;

    #[test]
    fn names_of_owner_and_issuer_are_read() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec!["www.example.org".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, "www");
        let facts = read(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!((facts.subject.as_str(), facts.issuer.as_str()), ("O=Example, CN=www", "O=Example, CN=www"));
        assert_eq!((facts.dns_names, facts.is_own_issuer), (vec!["www.example.org".to_owned()], true));
    }
}
