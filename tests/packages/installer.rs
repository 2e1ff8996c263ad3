//! The one script: what it refuses, by name and with a remedy, and what it does where there is neither dpkg nor rpm.

use muster_tests::harness::packaged::{SHELF, install};
use muster_tests::harness::root::Root;

use super::made;

/// Puts a program before all others of its name.
fn stand_in(root: &Root, name: &str, script: &str) {
    let path = root.path(&format!("/usr/local/sbin/{name}"));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

const GOOD: [&str; 6] = ["--collector", "127.0.0.1:9471", "--token", "word", "--from", SHELF];

#[test]
fn what_cannot_work_is_refused_by_name_before_anything_is_changed() {
    let root = Root::bare().unwrap();
    root.bring(made::old(), SHELF).unwrap();
    let refused = |words: &[&str], code: i32, told: &[&str]| {
        let said = install(&root, words).unwrap();
        assert_eq!(said.code, code, "{words:?}: {said:?}");
        told.iter().for_each(|part| assert!(said.error.contains(part), "{part} in {}", said.error));
    };
    refused(&[], 2, &["--collector is missing", "usage:"]);
    refused(&["--collector", "a:1", "--from", SHELF], 2, &["--token is missing", "muster token new"]);
    refused(&["--collector", "a:1", "--token", "w"], 2, &["--from DIR or --base URL"]);
    refused(&["--collector", "a:1", "--token", "w", "--base", "http://elsewhere/install"], 2, &["only https://"]);
    refused(&["--collector"], 2, &["--collector needs a value"]);
    refused(&["--colector", "a:1"], 2, &["unknown argument '--colector'"]);
    refused(&["--collector", "a:1", "--token", "w", "--from", "/nowhere"], 2, &["/nowhere is no folder"]);
    let base = ["--collector", "a:1", "--token", "w", "--base", "https://127.0.0.1:1/install"];
    refused(&base, 1, &["neither curl nor wget is here", "--from DIR"]);

    stand_in(&root, "uname", "echo aarch64");
    refused(&GOOD, 1, &["this host is aarch64", "built for x86_64 alone", "from source"]);
    std::fs::remove_file(root.path("/usr/local/sbin/uname")).unwrap();
    stand_in(&root, "getconf", "echo glibc 2.31");
    refused(&GOOD, 1, &["this host has glibc 2.31", "needs 2.34 or newer", "Debian 12"]);
    stand_in(&root, "getconf", "echo unknown variable >&2; exit 1");
    refused(&GOOD, 1, &["no glibc (musl systems have not)", "2.34"]);
    std::fs::remove_file(root.path("/usr/local/sbin/getconf")).unwrap();
    stand_in(&root, "id", "echo 1000");
    refused(&GOOD, 1, &["this needs root", "sudo"]);
    std::fs::remove_file(root.path("/usr/local/sbin/id")).unwrap();

    let deb = root.path(&format!("{SHELF}/muster-agent_0.1.0_amd64.deb"));
    let mut bytes = std::fs::read(&deb).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&deb, bytes).unwrap();
    refused(&GOOD, 1, &["is not the package of this script", "SHA-256", "somebody changed one of them"]);
    std::fs::remove_file(&deb).unwrap();
    refused(&GOOD, 1, &["has no muster-agent_0.1.0_amd64.deb"]);
    assert!(!root.path("/usr/bin/muster-agent").exists() && !root.path("/var/lib/muster-agent").exists());
    assert!(!root.read("/etc/passwd").unwrap().contains("muster"));

    // A script that was cut off on its way does nothing.
    let whole = root.read(&format!("{SHELF}/install.sh")).unwrap();
    std::fs::write(root.path("/cut.sh"), &whole[..whole.rfind("main\n").unwrap()]).unwrap();
    let said = root.run(&["sh", "/cut.sh"]).unwrap();
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
}

#[test]
fn what_is_fetched_is_asked_for_by_the_certificate_that_was_named() {
    let root = Root::bare().unwrap();
    root.bring(made::old(), SHELF).unwrap();
    std::fs::write(root.path("/ca.pem"), "").unwrap();
    // In place of curl: keeps its words, and serves what lies on the shelf.
    let curl = format!(
        r#"echo "$@" > /curl.words; while [ $# -gt 1 ]; do [ "$1" = --output ] && to=$2; shift; done; exec cp "{SHELF}/${{1##*/}}" "$to""#
    );
    stand_in(&root, "curl", &curl);
    let base = "https://collector.example:9470/install/agent/";
    let words = ["--collector", "127.0.0.1:9471", "--token", "word", "--base", base, "--cacert", "ca.pem"];
    let said = install(&root, &[&words[..], &["--connect-to", "collector.example:9470:127.0.0.1:1"]].concat()).unwrap();
    assert!(said.error.contains("the package is installed"), "{said:?}");
    let asked = root.read("/curl.words").unwrap();
    for part in [
        "--fail --silent --show-error",
        "--cacert /ca.pem --connect-to collector.example:9470:127.0.0.1:1",
        "https://collector.example:9470/install/agent/muster-agent_0.1.0_amd64.deb\n",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
    assert!(!asked.contains("insecure") && !asked.contains(" -k"), "{asked}");
}

#[test]
fn a_word_of_nobody_leaves_the_package_and_says_what_to_do() {
    let root = Root::bare().unwrap();
    root.bring(made::old(), SHELF).unwrap();
    let said = install(&root, &GOOD).unwrap();
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.error.contains("this host is not enrolled; the package is installed"), "{}", said.error);
    assert!(said.error.contains("muster token new"), "{}", said.error);
    assert!(root.path("/usr/bin/muster-agent").exists());
}

#[test]
fn without_dpkg_and_rpm_the_plain_archive_is_installed_upgraded_and_purged() {
    let root = Root::bare().unwrap();
    let unpack = |folder: &std::path::Path, version: &str| {
        root.bring(folder, SHELF).unwrap();
        let tar = format!("{SHELF}/muster-agent-{version}-x86_64.tar.gz");
        root.run(&["tar", "-xzf", &tar, "-C", "/opt"]).unwrap().ok().unwrap();
        format!("/opt/muster-agent-{version}-x86_64/install.sh")
    };
    // As the script finds it: a root whose dpkg has no package of its own.
    std::fs::rename(root.path("/usr/bin/dpkg-query"), root.path("/usr/bin/dpkg-query.away")).unwrap();
    root.bring(made::old(), SHELF).unwrap();
    let said = install(&root, &GOOD).unwrap();
    assert!(said.out.contains("muster-agent 0.1.0 is installed"), "{said:?}");
    let user = root.read("/etc/passwd").unwrap();
    assert!(user.lines().any(|line| line.starts_with("muster:") && line.ends_with("/usr/sbin/nologin")), "{user}");
    let owner = root.run(&["stat", "-c", "%U:%G %a", "/var/lib/muster-agent"]).unwrap().ok().unwrap();
    assert_eq!(owner, "muster:muster 700\n");

    std::fs::write(root.path("/etc/muster/agent.toml"), "[metrics]\ninterval = \"5s\"\n").unwrap();
    std::fs::write(root.path("/var/lib/muster-agent/mark"), "").unwrap();
    let next = unpack(made::new(), made::NEW);
    let said = root.run(&["sh", &next]).unwrap();
    assert!(said.code == 0 && said.error.contains("/etc/muster/agent.toml is kept"), "{said:?}");
    assert_eq!(root.read("/etc/muster/agent.toml").unwrap(), "[metrics]\ninterval = \"5s\"\n");
    assert!(root.path("/etc/muster/agent.toml.new").exists() && root.path("/var/lib/muster-agent/mark").exists());
    root.run(&["muster-agent", "--version"]).unwrap().ok().unwrap();

    root.run(&["sh", &next, "--remove"]).unwrap().ok().unwrap();
    assert!(!root.path("/usr/bin/muster-agent").exists() && root.path("/var/lib/muster-agent/mark").exists());
    root.run(&["sh", &next, "--purge"]).unwrap().ok().unwrap();
    let left = root.run(&["find", "/etc", "/usr", "/var", "-iname", "*muster*"]).unwrap().ok().unwrap();
    assert_eq!(left, "");
    let said = root.run(&["sh", &next, "--undo"]).unwrap();
    assert!(said.code == 1 && said.error.contains("unknown argument '--undo'"), "{said:?}");
}
