use super::*;
use crate::uplink::test_collector::HOST;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

fn identity(host: HostId) -> Identity {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key_der = certificate::new_key().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(certificate::host_uri(host).try_into().unwrap())];
    let leaf = params.signed_by(&KeyPair::try_from(key_der.as_slice()).unwrap(), &ca).unwrap();
    Identity { chain_der: vec![leaf.der().to_vec(), ca.der().to_vec()], key_der }
}

fn enrolment() -> Enrolment {
    let collector = vec!["collector.example:9471".to_owned()];
    Enrolment { version: 1, host_id: HOST.to_string(), name: "web1".to_owned(), collector }
}

#[test]
fn an_identity_comes_back_and_only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(&folder.path().join("a/b"));
    let _lock = files.lock().unwrap();
    assert!(files.load().unwrap().is_none());
    let pending = files.enrolling_key().unwrap();
    assert_eq!(files.enrolling_key().unwrap(), pending, "asking again asks with the same key");
    let given = identity(HOST);
    files.store_enrolled(HOST, &enrolment(), &given).unwrap();
    let enrolled = files.load().unwrap().unwrap();
    assert_eq!((enrolled.host, &enrolled.enrolment), (HOST, &enrolment()));
    assert_eq!((&enrolled.identity.chain_der, &enrolled.identity.key_der), (&given.chain_der, &given.key_der));
    assert_eq!(enrolled.roots_der(), given.chain_der[1..]);
    for entry in std::fs::read_dir(folder.path().join("a/b")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
    }
    assert_eq!(std::fs::metadata(folder.path().join("a/b")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_ne!(files.enrolling_key().unwrap(), pending, "the pending key went with the enrolment");
    let renewed = identity(HOST);
    files.store_renewed(HOST, &renewed).unwrap();
    assert_eq!(files.load().unwrap().unwrap().identity.key_der, renewed.key_der);
}

#[test]
fn a_second_agent_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(folder.path());
    let lock = files.lock().unwrap();
    assert!(files.lock().unwrap_err().to_string().contains("stop it first"));
    drop(lock);
    files.lock().unwrap();
}

#[test]
fn an_answer_for_another_key_or_host_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(folder.path());
    let (one, other) = (identity(HOST), identity(HOST));
    let mixed = Identity { key_der: other.key_der, ..one.clone() };
    let bare = Identity { chain_der: one.chain_der[..1].to_vec(), ..one.clone() };
    for (wrong, words) in [
        (mixed, "for another key"),
        (bare, "no CA"),
        (identity(HostId([1; 16])), "for another host"),
        (Identity { chain_der: Vec::new(), ..one.clone() }, "no certificate"),
    ] {
        let error = files.store_enrolled(HOST, &enrolment(), &wrong).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(files.load().unwrap().is_none());
    }
}

#[test]
fn damaged_files_are_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(folder.path());
    files.store_enrolled(HOST, &enrolment(), &identity(HOST)).unwrap();
    let whole = std::fs::read(folder.path().join(IDENTITY)).unwrap();
    let at = |text: &str| String::from_utf8_lossy(&whole).find(text).unwrap();
    for bytes in [Vec::new(), whole[..at("BEGIN CERT")].to_vec(), whole[at("END PRIV")..].to_vec(), vec![b'x'; 300_000]]
    {
        std::fs::write(folder.path().join(IDENTITY), bytes).unwrap();
        let error = files.load().unwrap_err().to_string();
        assert!(error.contains("identity.pem is damaged") && error.contains("--replace"), "{error}");
    }
    std::fs::write(folder.path().join(IDENTITY), &whole).unwrap();
    // One changed letter anywhere: either it is found here, with file and remedy, or it is a text that others check.
    let (mut found, mut passed) = (0, 0);
    for at in (0..whole.len()).filter(|at| whole[*at].is_ascii_alphanumeric()) {
        let mut bytes = whole.clone();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(folder.path().join(IDENTITY), bytes).unwrap();
        match files.load() {
            Ok(_) => passed += 1,
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("identity.pem is damaged") && error.contains("--replace"), "{at}: {error}");
                found += 1;
            }
        }
    }
    assert!(found > 300, "{found} found, {passed} passed");
    std::fs::write(folder.path().join(IDENTITY), &whole).unwrap();
    std::fs::write(folder.path().join(ENROLMENT), "{").unwrap();
    assert!(files.load().unwrap_err().to_string().contains("enrolment.json is damaged"));
}

#[test]
fn a_refusal_of_the_disk_is_told_with_the_remedy_for_it() {
    let files = IdentityFiles::new(Path::new("/state"));
    for (errno, words) in [(28, "free room"), (30, "read-only"), (13, "run as the user"), (5, "kernel's log")] {
        let error = files.failed("write", IDENTITY, io::Error::from_raw_os_error(errno)).to_string();
        assert!(error.contains("/state/identity.pem") && error.contains(words), "{error}");
    }
}

#[test]
fn a_damaged_key_of_a_request_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let files = IdentityFiles::new(folder.path());
    let key = files.renewing_key().unwrap();
    std::fs::write(folder.path().join(RENEWING), pem_block("PRIVATE KEY", &key[..key.len() - 9])).unwrap();
    let anew = files.renewing_key().unwrap();
    assert!(anew != key && certificate::new_request(&anew).is_ok());
}

#[test]
fn pem_of_every_length_is_read_by_others() {
    for length in [0, 1, 2, 3, 47, 48, 49, 100, 300] {
        let der: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
        let text = pem_block("CERTIFICATE", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(CertificateDer::from_pem_slice(text.as_bytes()).unwrap().as_ref(), der);
    }
}
