//! HTTPS beyond loopback, the unix socket, and certificates that change: with `muster` and curl.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use muster_tests::harness::agent::{run, until};
use muster_tests::harness::collector::{Collector, Options, signal};
use muster_tests::harness::programs;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use super::LIMIT;

/// A collector that listens on every address, and so speaks HTTPS.
pub(super) struct Https {
    pub(super) programs: PathBuf,
    pub(super) data: PathBuf,
    pub(super) collector: Collector,
}

impl Https {
    pub(super) fn start(folder: &Path, settings: &[&str]) -> Self {
        Self::start_on(folder, settings, (0, 0))
    }

    pub(super) fn start_on(folder: &Path, settings: &[&str], ports: (u16, u16)) -> Self {
        let (programs, data) = (programs::folder(), folder.join("data"));
        let mut options = Options { address: Ipv4Addr::UNSPECIFIED, ..Options::new(&programs, &data) };
        (options.http_port, options.agents_port) = ports;
        options.arguments = settings.iter().flat_map(|&one| ["--set".to_owned(), one.to_owned()]).collect();
        let collector = Collector::start(&options).unwrap();
        Self { programs, data, collector }
    }

    /// As another machine would write it: an address that is none of loopback's usual ones, and in no certificate.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.2:{}", self.collector.http.port())
    }

    /// `muster` over HTTPS: (exit code, standard output, standard error).
    pub(super) fn muster(&self, trust: &[&str], words: &[&str]) -> (i32, String, String) {
        let url = self.url();
        let mut all = vec!["--url", url.as_str(), "--token", self.collector.token.as_str()];
        all.extend(trust);
        all.extend(words);
        run(&self.programs, "muster", &all).unwrap()
    }

    /// `muster` on the collector's machine, without URL and token: over the socket.
    pub(super) fn local(&self, words: &[&str]) -> (i32, String, String) {
        let data = self.data.to_string_lossy();
        let mut all = vec!["--data", &*data];
        all.extend(words);
        run(&self.programs, "muster", &all).unwrap()
    }

    /// What the status says of HTTPS.
    pub(super) fn known_by(&self) -> Value {
        let (code, text, error) = self.local(&["-o", "json", "status"]);
        assert!(code <= 1, "{error}");
        serde_json::from_str::<Value>(&text).unwrap()["https"].clone()
    }

    pub(super) fn pin(&self) -> String {
        self.known_by()["pin"].as_str().unwrap().to_owned()
    }

    fn tails(&self) -> String {
        let (_, text, _) = self.local(&["-o", "json", "status"]);
        let status: Value = serde_json::from_str(&text).unwrap();
        let numbers = status["numbers"].as_array().unwrap();
        numbers.iter().find(|number| number["name"] == "muster_collector_tails").unwrap()["value"].to_string()
    }
}

/// A `muster logs -f` that goes on until it is dropped.
struct Following(Child);

impl Following {
    fn start(https: &Https, pin: &str) -> Self {
        let mut command = Command::new(programs::program(&https.programs, "muster"));
        command.args(["--url", &https.url(), "--token", &https.collector.token, "--pin", pin, "logs", "-f"]);
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn beyond_loopback_muster_speaks_https_with_the_ca_or_the_pin() {
    let folder = tempfile::tempdir().unwrap();
    let https = Https::start(folder.path(), &[]);
    let known_by = https.known_by();
    let pin = known_by["pin"].as_str().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, known_by["ca_pem"].as_str().unwrap()).unwrap();
    let ca = ca.to_str().unwrap();
    for trust in [&["--ca", ca][..], &["--pin", pin], &["--ca", ca, "--pin", pin]] {
        let (code, text, error) = https.muster(trust, &["query", "1 + 1"]);
        assert!(code == 0 && text.contains('2'), "{trust:?}: {text}{error}");
    }
    let other = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let strange = folder.path().join("strange.pem");
    std::fs::write(&strange, pair("strange.example").0).unwrap();
    for (trust, expect) in [
        (&["--pin", other][..], "is not the one of --pin"),
        (
            &["--ca", strange.to_str().unwrap()],
            "is of no CA that is trusted here: give the collector's CA by --ca FILE",
        ),
        (&["--ca", "/nonexistent"], "--ca `/nonexistent`: No such file"),
    ] {
        let (code, _, error) = https.muster(trust, &["query", "1 + 1"]);
        assert!(code == 2 && error.contains(expect), "{trust:?}: {code}: {error}");
    }
    // A machine that trusts the CA needs neither.
    let mut command = Command::new(programs::program(&https.programs, "muster"));
    let url = format!("https://localhost:{}", https.collector.http.port());
    command.args(["--url", &url, "--token", &https.collector.token, "query", "1 + 1"]).env("SSL_CERT_FILE", ca);
    assert!(command.output().unwrap().status.success());
    let output = command.env("SSL_CERT_FILE", &strange).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("is of no CA that is trusted here"), "{output:?}");
    // Plain HTTP is answered in plain words, and a token does not go to another machine that way.
    let plain = https.url().replace("https", "http");
    let (code, _, error) = run(&https.programs, "muster", &["--url", &plain, "query", "1"]).unwrap();
    assert!(code == 2 && error.contains("this port speaks HTTPS: write https:// instead of http://"), "{error}");
    let words = ["--url", "http://192.0.2.7:9470", "--token", "x", "status"];
    let (code, _, error) = run(&https.programs, "muster", &words).unwrap();
    assert!(code == 2 && error.contains("would cross the network in plain"), "{error}");

    let _following = Following::start(&https, pin);
    until("a live tail over HTTPS", LIMIT, || Ok((https.tails() == "1.0").then_some(()))).unwrap();
    assert!(https.collector.stop().unwrap().success());
    assert!(!folder.path().join("data/http.sock").exists(), "an orderly end takes the socket away");
}

/// A certificate that is its own root, and its key, PEM.
pub(super) fn pair(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

pub(super) fn write_pair(folder: &Path, certificate: &str, key: &str) {
    std::fs::write(folder.join("cert.pem"), certificate).unwrap();
    std::fs::write(folder.join("key.pem"), key).unwrap();
    std::fs::set_permissions(folder.join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_renewed_certificate_is_taken_and_ends_no_connection() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = pair("collector.example");
    write_pair(folder.path(), &certificate, &key);
    let setting = |key: &str, file: &str| format!("http.{key}={}", folder.path().join(file).display());
    let https = Https::start(folder.path(), &[&setting("cert", "cert.pem"), &setting("key", "key.pem")]);
    let before = https.pin();
    let _following = Following::start(&https, &before);
    until("a live tail", LIMIT, || Ok((https.tails() == "1.0").then_some(()))).unwrap();

    // What is bad changes nothing, and the reload says what it is.
    let (certificate, key) = pair("renewed.example");
    write_pair(folder.path(), &certificate, "torn");
    signal(https.collector.id, "HUP").unwrap();
    let mut told = String::new();
    until("the reload to be refused", LIMIT, || {
        told.push_str(&https.collector.log().join("\n"));
        Ok(told.contains("the configuration was not reloaded").then_some(()))
    })
    .unwrap();
    assert!(told.contains("key.pem` has no private key"), "{told}");
    assert_eq!(https.muster(&["--pin", &before], &["query", "1"]).0, 0);

    write_pair(folder.path(), &certificate, &key);
    signal(https.collector.id, "HUP").unwrap();
    until("the new certificate", LIMIT, || Ok((https.pin() != before).then_some(()))).unwrap();
    assert_eq!(https.tails(), "1.0", "the connection of before goes on");
    assert_eq!(https.muster(&["--pin", &https.pin()], &["query", "1"]).0, 0);
    let (code, _, error) = https.muster(&["--pin", &before], &["query", "1"]);
    assert!(code == 2 && error.contains("is not the one of --pin"), "{error}");

    // Whatever renews the files need not say so.
    let (certificate, key) = pair("again.example");
    write_pair(folder.path(), &certificate, &key);
    let names = || https.known_by()["names"].to_string();
    until("the certificate to be found", LIMIT, || Ok((names() == "[\"again.example\"]").then_some(()))).unwrap();
    assert_eq!(https.tails(), "1.0", "nor does that end a connection");
}

#[test]
fn over_the_socket_root_and_the_collectors_user_administer_and_others_at_most_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("http.sock");
    let https = Https::start(folder.path(), &[&format!("http.socket={}", path.display())]);
    let ask = |prefix: &[&str], method: &str, route: &str| {
        let mut words: Vec<&str> = prefix.to_vec();
        let (socket, url) = (path.to_string_lossy(), format!("http://localhost{route}"));
        words.extend(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, "--unix-socket"]);
        words.extend([&*socket, &url]);
        let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask(&[], "GET", "/api/muster/v1/tokens"), "200", "the collector's own user is an administrator");
    assert_eq!(ask(&[], "POST", "/-/flush"), "200");
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id.trim_ascii() != b"0" {
        // Only root can be somebody else.
        return;
    }
    let member = ["setpriv", "--reuid=65534", "--regid=0", "--clear-groups"];
    assert_eq!(ask(&member, "GET", "/api/v1/labels"), "200", "whom the socket's mode lets in may read");
    assert_eq!(ask(&member, "POST", "/-/flush"), "403");
    assert_eq!(ask(&member, "GET", "/api/muster/v1/tokens"), "403");
    let stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    assert_eq!(ask(&stranger, "GET", "/-/healthy"), "000", "no connection at all");
    assert!(https.collector.stop().unwrap().success());
}
