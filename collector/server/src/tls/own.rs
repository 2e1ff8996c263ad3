//! A certificate of the embedded CA. Its key stays (`DATA/http.key`), so that a pin outlives restarts and renewals.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_common::identity::certificate;
use muster_common::time::Timestamp;
use muster_fleet::{Fleet, ServerNames};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, DnsName, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::in_force::{InForce, OwnCertificate};
use crate::error::chain;
use crate::private_file;

/// In the data folder.
pub(crate) const KEY_FILE_NAME: &str = "http.key";

/// What a certificate of the embedded CA is made from.
pub(super) struct Own {
    pub(super) fleet: Arc<Fleet>,
    pub(super) names: ServerNames,
    pub(super) data: PathBuf,
}

impl Own {
    /// A new certificate.
    ///
    /// # Errors
    /// What is wrong, with place and remedy.
    pub(super) fn issue(&self, now: Timestamp) -> Result<InForce, String> {
        let key_der = key(&self.data)?;
        // Before it signs, so that a rotation in between is seen as one.
        let authority = self.fleet.pin();
        let made = self.fleet.web_identity(&key_der, &self.names, now);
        let identity = made.map_err(|error| format!("the certificate of HTTPS cannot be made: {}", chain(&error)))?;
        let certificates = identity.chain_der.into_iter().map(CertificateDer::from).collect();
        let key = PrivatePkcs8KeyDer::from(identity.key_der).into();
        let own = OwnCertificate { renew_at: identity.renew_at, authority };
        CertifiedKey::from_der(certificates, key, &default_provider())
            .map_err(|error| error.to_string())
            .and_then(|certified| InForce::new(certified, Some(own)).map_err(|error| error.to_string()))
            .map_err(|error| format!("the certificate of HTTPS that was made cannot be used: {error}; report it"))
    }

    /// Whether another one is to be made.
    pub(super) fn is_due(&self, certificate: &OwnCertificate, now: Timestamp) -> bool {
        certificate.renew_at <= now || certificate.authority != self.fleet.pin()
    }
}

/// The key of `DATA/http.key`, made when there is none.
fn key(data: &Path) -> Result<Vec<u8>, String> {
    let path = data.join(KEY_FILE_NAME);
    let shown = path.display();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = certificate::new_key().map_err(|error| error.to_string())?;
            let pem = certificate::key_to_pem(&made);
            private_file::write(data, KEY_FILE_NAME, &pem).map_err(|error| {
                format!("`{shown}` cannot be written: {error}; let user muster-collector write there")
            })?;
            return Ok(made);
        }
        Err(error) => return Err(format!("`{shown}` cannot be read: {error}; let user muster-collector own it")),
    };
    PrivatePkcs8KeyDer::from_pem_slice(&text).map(|key| key.secret_pkcs8_der().to_vec()).map_err(|error| {
        format!("`{shown}` has no key ({error}): put it back from a snapshot, or remove it: then a new one is made, and pins of the old one are void")
    })
}

/// What this collector is called and where it listens, as far as a certificate can say so.
pub(super) fn names(listen: SocketAddr, advertise: Option<&str>, machine: &str) -> ServerNames {
    let mut names = ServerNames::default();
    for text in [Some("localhost"), Some(machine), advertise].into_iter().flatten() {
        match text.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => names.addresses.push(address),
            Err(_) if DnsName::try_from(text).is_ok() => names.dns.push(text.to_ascii_lowercase()),
            Err(_) => {}
        }
    }
    names.addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST), listen.ip()]);
    names.addresses.retain(|address| !address.is_unspecified());
    names.addresses.sort();
    names.addresses.dedup();
    names.dns.sort();
    names.dns.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_what_the_collector_is_called_and_where_it_listens() {
        let made = names("192.0.2.7:9470".parse().unwrap(), Some("Collector.Example"), "db 1");
        assert_eq!(made.dns, ["collector.example", "localhost"], "`db 1` is no name");
        let text = |names: &ServerNames| names.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(text(&made), ["127.0.0.1", "192.0.2.7", "::1"]);
        let made = names("0.0.0.0:9470".parse().unwrap(), Some("[2001:db8::7]"), "localhost");
        assert_eq!(
            (made.dns.as_slice(), text(&made).as_slice()),
            (&["localhost".to_owned()][..], &["127.0.0.1".to_owned(), "::1".to_owned(), "2001:db8::7".to_owned()][..])
        );
    }

    #[test]
    fn the_key_is_made_once_and_a_damaged_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let made = key(folder.path()).unwrap();
        assert_eq!(key(folder.path()).unwrap(), made);
        std::fs::write(folder.path().join(KEY_FILE_NAME), "torn").unwrap();
        let told = key(folder.path()).unwrap_err();
        assert!(told.contains("http.key` has no key") && told.contains("or remove it"), "{told}");
    }
}
