//! Files as certbot and people leave them, and a CA that changes.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_common::disk::real::RealDisk;
use muster_common::identity::{Pin, SERVER_NAME, certificate};
use muster_common::time::{Timestamp, now};
use muster_fleet::{By, Fleet};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::Certificates;
use crate::config::Config;

const DAY: Duration = Duration::from_secs(86_400);

struct Bench {
    folder: TempDir,
    fleet: Arc<Fleet>,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fleet = Arc::new(muster_fleet::open(Arc::new(RealDisk), folder.path(), now()).unwrap());
        let mut config = Config { data: Path::to_owned(folder.path()), ..Config::default() };
        config.http.listen = "192.0.2.7:9470".parse().unwrap();
        Self { folder, fleet, config }
    }

    /// With files, good ones.
    fn with_files() -> (Self, String) {
        let mut bench = Self::new();
        bench.config.http.cert = Some(bench.path("cert.pem"));
        bench.config.http.key = Some(bench.path("key.pem"));
        let key = bench.write_pair("collector.example", 90 * DAY);
        (bench, key)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// A new certificate that ends after so long, and its key, which is returned.
    fn write_pair(&self, name: &str, life: Duration) -> String {
        let (certificate, key) = pair(name, now().minus(DAY), now().plus(life));
        self.write("cert.pem", &certificate, 0o644);
        self.write("key.pem", &key, 0o640);
        key
    }

    fn open(&self) -> Result<Certificates, String> {
        Certificates::open(&self.config, self.config.http.listen, "machine.example", &self.fleet, now())
    }
}

fn pair(name: &str, from: Timestamp, to: Timestamp) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let moment = |at: Timestamp| {
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(at.millis() / 1_000).unwrap())
    };
    (params.not_before, params.not_after) = (moment(from), moment(to));
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[test]
fn without_files_the_certificate_is_of_the_embedded_ca_and_its_pin_stays() {
    let bench = Bench::new();
    let certificates = bench.open().unwrap();
    let https = certificates.https();
    assert_eq!(https.dns_names, [SERVER_NAME, "localhost", "machine.example"]);
    assert!(https.is_own_ca && https.addresses.contains(&"192.0.2.7".parse().unwrap()));
    let ca = certificate::to_pem(&bench.fleet.ca_der()[0]);
    assert_eq!(https.ca_pem.as_deref(), Some(ca.as_str()));
    // Renewed at two thirds of its life, with the same key; and by the next process.
    assert_eq!(certificates.look(now().plus(19 * DAY)), None);
    assert_eq!(certificates.https().expires, https.expires);
    assert_eq!(certificates.look(now().plus(21 * DAY)), None);
    assert!(certificates.https().expires > https.expires.plus(15 * DAY));
    assert_eq!(certificates.https().pin, https.pin);
    assert_eq!(bench.open().unwrap().https().pin, https.pin);
}

#[test]
fn when_another_ca_signs_the_certificate_is_of_that_one() {
    let bench = Bench::new();
    let certificates = bench.open().unwrap();
    let before = certificates.https();
    bench.fleet.rotate_ca(&By::MUSTER, now()).unwrap();
    bench.fleet.rotate_ca(&By::MUSTER, now()).unwrap();
    assert_eq!(certificates.look(now()), None);
    let after = certificates.https();
    assert_ne!(after.ca_pem, before.ca_pem);
    assert_eq!(after.pin, before.pin);
}

#[test]
fn files_of_ones_own_are_taken_and_renewed_ones_too() {
    let (bench, _) = Bench::with_files();
    let certificates = bench.open().unwrap();
    let before = certificates.https();
    assert_eq!(before.dns_names, ["collector.example"]);
    assert!(!before.is_own_ca && before.ca_pem.is_some(), "it is its own root");
    assert_eq!(certificates.look(now()), None);
    bench.write_pair("renewed.example", 90 * DAY);
    assert_eq!(certificates.look(now()), None);
    assert_eq!(certificates.https().dns_names, ["renewed.example"]);
    assert_ne!(certificates.https().pin, before.pin);
    let told = certificates.look(now().plus(85 * DAY)).unwrap();
    assert!(told.contains("ends in 4 days: renew it") || told.contains("ends in 5 days: renew it"), "{told}");
}

#[test]
fn bad_files_leave_the_old_certificate_in_force_until_they_are_good() {
    let (bench, _) = Bench::with_files();
    let certificates = bench.open().unwrap();
    let before = certificates.https();
    // As in the middle of a renewal: the certificate is new, the key is not yet.
    let (new, new_key) = pair("renewed.example", now().minus(DAY), now().plus(90 * DAY));
    bench.write("cert.pem", &new, 0o644);
    for _ in 0..2 {
        let told = certificates.look(now()).unwrap();
        assert!(
            told.contains("is not that of the first certificate")
                && told.ends_with("(the certificate before stays in force)"),
            "{told}"
        );
        assert_eq!(certificates.https(), before);
    }
    bench.write("key.pem", &new_key, 0o640);
    assert_eq!(certificates.look(now()), None);
    assert_eq!(certificates.https().dns_names, ["renewed.example"]);
}

#[test]
fn each_thing_that_is_wrong_with_the_files_is_named() {
    let (bench, key) = Bench::with_files();
    let refused = |certificate: &str, key: &str, mode: u32| {
        bench.write("cert.pem", certificate, 0o644);
        bench.write("key.pem", key, mode);
        super::check(&bench.config, now()).unwrap_err().replace(&bench.folder.path().display().to_string(), "")
    };
    let good = std::fs::read_to_string(bench.path("cert.pem")).unwrap();
    let (expired, expired_key) = pair("a", now().minus(9 * DAY), now().minus(3 * DAY));
    let (future, future_key) = pair("a", now().plus(DAY), now().plus(9 * DAY));
    for (certificate, key, mode, expect) in [
        ("", key.as_str(), 0o640, "http.cert: `/cert.pem` has no certificate: write it there as PEM"),
        (key.as_str(), key.as_str(), 0o640, "http.cert: `/cert.pem` has no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            &key,
            0o640,
            "http.cert: `/cert.pem`: these bytes are no X.509 certificate",
        ),
        (&expired, &expired_key, 0o640, "http.cert: the certificate in `/cert.pem` ended 3 days ago: renew it"),
        (&future, &future_key, 0o640, "http.cert: the certificate in `/cert.pem` is not valid yet: check"),
        (
            &good,
            &expired_key,
            0o640,
            "http.key: the key in `/key.pem` is not that of the first certificate in `/cert.pem`",
        ),
        (&good, &good, 0o640, "http.key: `/key.pem` has no private key"),
        (
            &good,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
            0o600,
            "http.key: the key in `/key.pem` is encrypted",
        ),
        (
            &good,
            &key,
            0o644,
            "http.key: `/key.pem` has the mode 0644, so others may read or change the private key: chmod 0640",
        ),
        (&good, &key, 0o660, "http.key: `/key.pem` has the mode 0660"),
    ] {
        let told = refused(certificate, key, mode);
        assert!(told.starts_with(expect), "{told}\n{expect}");
    }
    std::fs::remove_file(bench.path("key.pem")).unwrap();
    let told = bench.open().map(|_| ()).unwrap_err();
    assert!(told.contains("http.key: failed to read") && told.contains("No such file"), "{told}");
}

#[test]
fn a_certificate_that_has_ended_keeps_no_collector_from_starting_but_no_new_one_is_taken() {
    let (bench, _) = Bench::with_files();
    let ended = |days: u32| {
        let (certificate, key) = pair("collector.example", now().minus(30 * DAY), now().minus(days * DAY));
        bench.write("cert.pem", &certificate, 0o644);
        bench.write("key.pem", &key, 0o640);
    };
    ended(3);
    let certificates = bench.open().unwrap();
    let before = certificates.https();
    assert!(certificates.look(now()).unwrap().contains("ended 3 days ago: renew it"));
    assert!(certificates.prepare(&bench.config, now()).is_ok(), "a reload about other things");
    ended(2);
    assert!(certificates.look(now()).unwrap().contains("ended 2 days ago: renew it (the certificate before stays"));
    assert!(certificates.prepare(&bench.config, now()).map(|_| ()).unwrap_err().contains("ended 2 days ago"));
    assert_eq!(certificates.https(), before);
    bench.write_pair("renewed.example", 90 * DAY);
    assert_eq!(certificates.look(now()), None);
}

#[test]
fn a_reload_is_prepared_first_and_changes_nothing_until_it_is_put() {
    let (bench, _) = Bench::with_files();
    let certificates = bench.open().unwrap();
    let before = certificates.https();
    bench.write_pair("renewed.example", 90 * DAY);
    let prepared = certificates.prepare(&bench.config, now()).unwrap();
    assert_eq!(certificates.https(), before);
    certificates.put(prepared);
    assert_eq!(certificates.https().dns_names, ["renewed.example"]);
    let mut other = bench.config.clone();
    (other.http.cert, other.http.key) = (None, None);
    certificates.put(certificates.prepare(&other, now()).unwrap());
    assert!(certificates.https().is_own_ca);
    assert_eq!(Pin::parse_curl(&certificates.https().pin.to_curl()), Some(certificates.https().pin));
}
