//! Certificate requests: only the key in them counts, and only when its owner signed.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ECDSA_WITH_SHA256};
use x509_parser::prelude::FromDer;

use crate::rows::Sha256;

/// Bytes of a request: one with a P-256 key and no names has about 250.
pub(crate) const REQUEST_BYTES_MAX: usize = 4_096;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("the certificate request has {bytes} bytes, but at most {REQUEST_BYTES_MAX} are allowed")]
    TooLong { bytes: usize },
    #[error("the certificate request is no PKCS#10 in DER")]
    Unreadable,
    #[error("the certificate request holds a key or signature of another kind than P-256 with SHA-256")]
    Kind,
    #[error("the certificate request is not signed by the key in it")]
    Signature,
}

/// The key of a request whose sender proved to hold its private half. Every name in the request is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedKey {
    pub spki_der: Vec<u8>,
    pub hash: Sha256,
}

/// Reads a request (foreign bytes) and checks the proof of possession.
pub(crate) fn read_request(der: &[u8]) -> Result<RequestedKey, RequestError> {
    if der.len() > REQUEST_BYTES_MAX {
        return Err(RequestError::TooLong { bytes: der.len() });
    }
    let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Unreadable)?;
    if !rest.is_empty() {
        return Err(RequestError::Unreadable);
    }
    let info = &request.certification_request_info;
    let key = &info.subject_pki;
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let is_p256 = key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256);
    if !is_p256 || request.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256 {
        return Err(RequestError::Kind);
    }
    ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_ASN1, &key.subject_public_key.data)
        .verify(info.raw, &request.signature_value.data)
        .map_err(|_| RequestError::Signature)?;
    Ok(RequestedKey { spki_der: key.raw.to_vec(), hash: Sha256::of(key.raw) })
}

#[cfg(test)]
mod tests {
    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData,
    };

    use super::*;

    fn request(key: &KeyPair, name: &str) -> Vec<u8> {
        CertificateParams::new(vec![name.to_owned()]).unwrap().serialize_request(key).unwrap().der().to_vec()
    }

    #[test]
    fn the_key_of_a_signed_request_is_read_and_its_names_are_not() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let a = read_request(&request(&key, "collector.muster")).unwrap();
        let b = read_request(&request(&key, "db1")).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.spki_der, key.subject_public_key_info());
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        for kind in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
            let key = KeyPair::generate_for(kind).unwrap();
            assert_eq!(read_request(&request(&key, "db1")), Err(RequestError::Kind));
        }
    }

    #[test]
    fn a_request_without_proof_of_possession_is_refused() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let stranger = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut der = request(&key, "db1");
        let (own, other) = (key.public_key_raw(), stranger.public_key_raw());
        let at = der.windows(own.len()).position(|window| window == own).unwrap();
        der[at..at + own.len()].copy_from_slice(other);
        assert_eq!(read_request(&der), Err(RequestError::Signature));
    }

    #[test]
    fn damaged_requests_never_panic_and_never_bring_another_key() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let good = request(&key, "db1");
        for at in 0..good.len() {
            assert!(read_request(&good[..at]).is_err());
            for bit in [1, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                // What is not signed (the frame around it) may be odd; the key and what it signed may not.
                let read = read_request(&bad);
                assert!(read.is_err() || read == read_request(&good), "byte {at} bit {bit}");
            }
        }
        let mut longer = good.clone();
        longer.push(0);
        assert_eq!(read_request(&longer), Err(RequestError::Unreadable));
        assert!(matches!(read_request(&vec![0x30; 5_000]), Err(RequestError::TooLong { bytes: 5_000 })));
    }
}
