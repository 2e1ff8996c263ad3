//! The embedded CA: signs the collector's own certificate and those of hosts.
//!
//! P-256 throughout. A host's certificate has one name, the URI `muster:host/<id>`, and no subject, so that nothing in it can be
//! taken for identity but the id. The private key lies in state.redb; who reads that file can make himself any host, which is why
//! the data folder belongs to the collector's user alone (STATE.md).
//!
//! Rotation by overlap: a `next` CA is made and handed out with every chain; when every host's chain carries it, it becomes
//! `current` and signs; the old one stays trusted until no certificate of it can be renewed any more.

use std::net::IpAddr;
use std::time::Duration;

use muster_common::host::HostId;
use muster_common::identity::{Identity, Pin, SERVER_NAME, Serial, certificate, random};
use muster_common::time::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA256;
use x509_parser::prelude::FromDer;

use crate::error::FleetError;
use crate::rows::{CertificateRow, Sha256, hex, hex_bytes};

/// Life of a leaf, the collector's own and those of hosts.
pub const LEAF_LIFE: Duration = Duration::from_secs(30 * 86_400);
/// How long after its end a certificate may still be renewed, with the same key.
pub const RENEW_AFTER_END: Duration = Duration::from_secs(90 * 86_400);
/// Life of a CA. Longer than the hardware; rotation, not expiry, ends it (peers' fleets fell silent when a CA of 10 years ended).
pub const CA_LIFE: Duration = Duration::from_secs(30 * 365 * 86_400);
/// Certificates count from a day before they are made: a host whose clock is behind can use them at once.
pub(crate) const BACKDATED: Duration = Duration::from_secs(86_400);
/// CAs that can be trusted at once: one that goes, one that signs, one that comes.
pub(crate) const AUTHORITIES_MAX: usize = 3;

/// What a CA is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorityRole {
    /// Trusted and handed out, but does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Trusted only.
    Old,
}

/// A CA as table `authorities` keeps it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuthorityRow {
    pub number: u64,
    pub role: AuthorityRole,
    #[serde(with = "hex_bytes")]
    pub certificate_der: Vec<u8>,
    #[serde(with = "hex_bytes")]
    pub key_der: Vec<u8>,
    pub made_ms: i64,
    /// When it took its present role.
    pub role_ms: i64,
}

impl std::fmt::Debug for AuthorityRow {
    // The key must not reach a log by way of a debug print.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorityRow").field("number", &self.number).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A CA ready to sign.
pub(crate) struct Authority {
    pub row: AuthorityRow,
    /// `SubjectPublicKeyInfo` of its key.
    spki_der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate just issued to a host.
pub(crate) struct IssuedLeaf {
    pub der: Vec<u8>,
    pub row: CertificateRow,
}

/// The collector's own certificate and key, for its TLS listeners. DER; the key is PKCS#8.
#[derive(Clone)]
pub struct ServerIdentity {
    /// Leaf first, its CA last.
    pub chain_der: Vec<Vec<u8>>,
    pub key_der: Vec<u8>,
    /// Ask for another from then on: two thirds of its life.
    pub renew_at: Timestamp,
    pub expires: Timestamp,
}

/// What a certificate of the collector is for, beside [`SERVER_NAME`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// ASCII; whoever gives them has seen that they are names.
    pub dns: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

impl From<ServerIdentity> for Identity {
    fn from(server: ServerIdentity) -> Self {
        Self { chain_der: server.chain_der, key_der: server.key_der }
    }
}

impl Authority {
    /// Secret bytes for one purpose, by HMAC of the purpose with the CA's key.
    pub(crate) fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.row.key_der);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(ring::hmac::sign(&key, purpose).as_ref());
        bytes
    }

    /// A new CA with a key of its own.
    pub(crate) fn make(number: u64, role: AuthorityRole, now: Timestamp) -> Result<Self, FleetError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("make the CA's key"))?;
        let mut params = params(now, CA_LIFE)?;
        // A name of its own: with two CAs of one name a verifier would have to try both.
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, format!("muster CA {}", hex(&random::<4>()?)));
        params.distinguished_name = name;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(failed("sign the CA's certificate"))?;
        Self::load(AuthorityRow {
            number,
            role,
            certificate_der: certificate.der().to_vec(),
            key_der: key.serialize_der(),
            made_ms: now.millis(),
            role_ms: now.millis(),
        })
    }

    /// The CA of this row.
    pub(crate) fn load(row: AuthorityRow) -> Result<Self, FleetError> {
        let pkcs8 = PrivatePkcs8KeyDer::from(row.key_der.as_slice());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ECDSA_P256_SHA256)
            .map_err(failed("read the CA's key"))?;
        let spki_der = key.subject_public_key_info();
        let certificate = CertificateDer::from(row.certificate_der.as_slice());
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(failed("read the CA's certificate"))?;
        Ok(Self { row, spki_der, issuer })
    }

    /// The hash of its key.
    pub(crate) fn pin(&self) -> Pin {
        Pin::of_public_key(&self.spki_der)
    }

    /// Whether its key signed this certificate (foreign bytes).
    pub(crate) fn signed(&self, leaf_der: &[u8]) -> bool {
        let Ok((_, leaf)) = X509Certificate::from_der(leaf_der) else { return false };
        let key = self.issuer.key().public_key_raw();
        leaf.signature_algorithm.algorithm == OID_SIG_ECDSA_WITH_SHA256
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
                .verify(leaf.tbs_certificate.as_ref(), &leaf.signature_value.data)
                .is_ok()
    }

    /// A certificate that makes the holder of this key the host with this id.
    pub(crate) fn issue_host(&self, host: HostId, spki_der: &[u8], now: Timestamp) -> Result<IssuedLeaf, FleetError> {
        let key = SubjectPublicKeyInfo::from_der(spki_der).map_err(failed("read the host's key"))?;
        let mut params = leaf_params(now)?;
        let name = certificate::host_uri(host).try_into().map_err(failed("name the host's certificate"))?;
        params.subject_alt_names = vec![SanType::URI(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default();
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed("sign the host's certificate"))?;
        Ok(IssuedLeaf {
            der: certificate.der().to_vec(),
            row: CertificateRow {
                serial: Serial::from_bytes(&serial).to_string(),
                key: Sha256::of(spki_der),
                issued_ms: now.millis(),
                expires_ms: expiry_ms(now),
                authority: self.row.number,
            },
        })
    }

    /// A certificate and key for the collector's listeners.
    pub(crate) fn issue_server(&self, now: Timestamp) -> Result<ServerIdentity, FleetError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("make the collector's key"))?;
        self.issue_server_for(&key, &ServerNames::default(), now)
    }

    /// The same for HTTPS, whose key stays, since people pin it (PKCS#8 DER, P-256).
    pub(crate) fn issue_web(
        &self,
        key_der: &[u8],
        names: &ServerNames,
        now: Timestamp,
    ) -> Result<ServerIdentity, FleetError> {
        let pkcs8 = PrivatePkcs8KeyDer::from(key_der);
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ECDSA_P256_SHA256)
            .map_err(failed("read the key of HTTPS"))?;
        self.issue_server_for(&key, names, now)
    }

    fn issue_server_for(
        &self,
        key: &KeyPair,
        names: &ServerNames,
        now: Timestamp,
    ) -> Result<ServerIdentity, FleetError> {
        let mut params = leaf_params(now)?;
        for name in std::iter::once(SERVER_NAME).chain(names.dns.iter().map(String::as_str)) {
            let name = name.try_into().map_err(failed("name the collector's certificate"))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(key, &self.issuer).map_err(failed("sign the collector's certificate"))?;
        Ok(ServerIdentity {
            chain_der: vec![certificate.der().to_vec(), self.row.certificate_der.clone()],
            key_der: key.serialize_der(),
            renew_at: now.plus(LEAF_LIFE / 3 * 2),
            expires: Timestamp::from_millis(expiry_ms(now)),
        })
    }
}

/// What all certificates share: life, serial, link to the issuer.
fn params(now: Timestamp, life: Duration) -> Result<CertificateParams, FleetError> {
    let mut params = CertificateParams::default();
    let moment = |at: Timestamp| {
        // Before 1970 no clock of ours stands; after 2262 no Timestamp.
        let seconds = u64::try_from(at.millis().div_euclid(1_000)).unwrap_or(0);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = moment(now.minus(BACKDATED));
    params.not_after = moment(now.plus(life));
    params.distinguished_name = DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    Ok(params)
}

fn leaf_params(now: Timestamp) -> Result<CertificateParams, FleetError> {
    let mut params = params(now, LEAF_LIFE)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

/// When a leaf made now ends. Certificates count whole seconds.
fn expiry_ms(now: Timestamp) -> i64 {
    now.plus(LEAF_LIFE).millis().div_euclid(1_000) * 1_000
}

/// 16 random bytes that read as a positive number of exactly 16 bytes, so that a serial has one form everywhere.
fn serial() -> Result<[u8; 16], FleetError> {
    let mut bytes = random::<16>()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}

fn failed(action: &'static str) -> impl Fn(rcgen::Error) -> FleetError {
    move |error| FleetError::Certificate { action, what: error.to_string() }
}
