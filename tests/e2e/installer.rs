//! The served installer and the one command for a host, run by a real shell and a real curl.

use std::path::Path;
use std::process::{Command, Output};

use muster_tests::harness::agent::muster;
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;

use super::https::{Https, pair, write_pair};

/// An installer that writes down how it was called, and fetches a package as the real one does.
const SCRIPT: &str = r#"set -eu
printf '%s\n' "$@" > "$MUSTER_TEST_SEEN"
while [ $# -gt 0 ]; do
    case $1 in --base) base=$2 ;; --cacert) cacert=$2 ;; --connect-to) to=$2 ;; esac
    shift 2
done
curl -fsS --cacert "$cacert" --connect-to "$to" -o "$MUSTER_TEST_SEEN.package" "$base/agent.deb"
"#;

fn packages(folder: &Path) -> String {
    let packages = folder.join("packages");
    std::fs::create_dir_all(&packages).unwrap();
    std::fs::write(packages.join("install.sh"), SCRIPT).unwrap();
    std::fs::write(packages.join("agent.deb"), vec![7; 3 << 20]).unwrap();
    std::fs::write(folder.join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", packages.join("link")).unwrap();
    format!("install.packages={}", packages.display())
}

/// Runs a command as it is pasted; what the installer saw is in `folder/seen`.
fn paste(folder: &Path, command: &str) -> Output {
    Command::new("sh").args(["-c", command]).env("MUSTER_TEST_SEEN", folder.join("seen")).output().unwrap()
}

/// The command of a new token, and its word.
fn command(https: &Https) -> (String, String) {
    let (code, text, error) = https.local(&["token", "new", "--name", "web-1"]);
    assert_eq!(code, 0, "{error}");
    let command = text.lines().find_map(|line| line.strip_prefix("    sh -c ")).unwrap_or_else(|| panic!("{text}"));
    (format!("sh -c {command}"), text.lines().last().unwrap().to_owned())
}

#[test]
fn the_printed_command_installs_from_this_collector_and_from_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let settings = [&*packages(folder), "agents.advertise=127.0.0.2"];
    let https = Https::start(folder, &settings);
    let ports = (https.collector.http.port(), https.collector.agents.port());
    let (command, word) = command(&https);
    assert!(command.contains("--pinnedpubkey") && !command.contains("curl -k"), "{command}");

    let output = paste(folder, &command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = std::fs::read_to_string(folder.join("seen")).unwrap();
    let base = format!("https://collector.muster:{}/install", ports.0);
    let agents = format!("127.0.0.2:{}", ports.1);
    assert!(
        seen.starts_with(&format!("--collector\n{agents}\n--token\n{word}\n--name\nweb-1\n--base\n{base}\n--cacert\n")),
        "{seen}"
    );
    assert_eq!(std::fs::read(folder.join("seen.package")).unwrap(), vec![7; 3 << 20]);
    let ca = seen.lines().nth(9).unwrap();
    assert!(!Path::new(ca).exists(), "what it wrote is gone");

    // Another script than the one that the command was made for is not run.
    std::fs::remove_file(folder.join("seen")).unwrap();
    std::fs::write(folder.join("packages/install.sh"), format!("{SCRIPT}# changed\n")).unwrap();
    let output = paste(folder, &command);
    assert!(!output.status.success() && !folder.join("seen").exists());
    std::fs::write(folder.join("packages/install.sh"), SCRIPT).unwrap();

    // Nor one from whoever answers at the address with another key, or of another CA.
    assert!(https.collector.stop().unwrap().success());
    std::fs::remove_file(folder.join("data/http.key")).unwrap();
    let https = Https::start_on(folder, &settings, ports);
    let output = paste(folder, &command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("(90)") && !folder.join("seen").exists(), "{told}");
    assert!(https.collector.stop().unwrap().success());
    std::fs::remove_dir_all(folder.join("data")).unwrap();
    let https = Https::start_on(folder, &settings, ports);
    let output = paste(folder, &command);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("(60)") && !folder.join("seen").exists(), "{told}");
    drop(https);
}

#[test]
fn with_a_certificate_of_ones_own_the_command_verifies_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (certificate, key) = pair("collector.example");
    write_pair(folder, &certificate, &key);
    let setting = |key: &str, file: &str| format!("http.{key}={}", folder.join(file).display());
    let (cert, key) = (setting("cert", "cert.pem"), setting("key", "key.pem"));
    let https = Https::start(folder, &[&packages(folder), &cert, &key, "agents.advertise=127.0.0.2"]);
    let (command, _) = command(&https);
    let port = https.collector.http.port();
    assert!(command.contains(&format!("--connect-to \"collector.example:{port}:127.0.0.2:{port}\"")), "{command}");
    let output = paste(folder, &command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(folder.join("seen.package")).unwrap().len(), 3 << 20);
}

#[test]
fn nothing_beside_the_packages_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let https = Https::start(folder.path(), &[&packages(folder.path())]);
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, https.known_by()["ca_pem"].as_str().unwrap()).unwrap();
    let port = https.collector.http.port();
    let fetch = |path: &str| {
        let mut command = Command::new("curl");
        command.args(["-s", "--path-as-is", "-w", "\n%{http_code}", "--cacert"]).arg(&ca);
        command.args(["--connect-to", &format!("collector.muster:{port}:127.0.0.2:{port}")]);
        command.arg(format!("https://collector.muster:{port}{path}"));
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(fetch("/install/install.sh"), format!("{SCRIPT}\n200"));
    for path in [
        "/install/../secret",
        "/install/../../../../../../etc/passwd",
        "/install/..%2fsecret",
        "/install/%2e%2e/secret",
        "/install/%2e%2e%2fsecret",
        "/install/..%5csecret",
        "/install/%252e%252e%252fsecret",
        "/install//etc/passwd",
        "/install/./../secret",
        "/install/install.sh/../../secret",
        "/install/install.sh%00.deb",
        "/install/link",
        "/install/",
    ] {
        let told = fetch(path);
        assert!(told.ends_with("\n404") && !told.starts_with("secret") && !told.contains("root:"), "{path}: {told}");
    }
}

#[test]
fn on_loopback_the_token_says_why_no_other_machine_can_be_installed() {
    let folder = tempfile::tempdir().unwrap();
    let programs = programs::folder();
    let arguments = vec!["--set".to_owned(), packages(folder.path())];
    let options = Options { arguments, ..Options::new(&programs, &folder.path().join("data")) };
    let collector = Collector::start(&options).unwrap();
    let words = ["token", "new", "--name", "web-1"];
    let (code, text, error) = muster(&programs, &collector, &words).unwrap();
    assert!(code == 0 && text.contains("muster-agent enrol --collector THIS-COLLECTOR:"), "{text}{error}");
    assert!(error.contains("no command that installs the agent: HTTP is listened for on 127.0.0.1:"), "{error}");
}
