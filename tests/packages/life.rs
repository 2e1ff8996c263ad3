//! From a bare Debian root to a host's data, through an upgrade, to nothing.

use muster_tests::harness::packaged::{PackagedCollector, SHELF, install};
use muster_tests::harness::root::Root;

use super::{LIMIT, made};

fn dpkg(root: &Root, words: &[&str]) -> String {
    let mut all = vec!["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confdef", "--force-confold"];
    all.extend(words);
    root.run(&all).unwrap().ok().unwrap()
}

fn deb(name: &str, version: &str) -> String {
    format!("{SHELF}/{name}_{version}_amd64.deb")
}

fn version(root: &Root, name: &str) -> String {
    root.run(&["dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", name]).unwrap().out
}

/// What must outlive an upgrade of the agent: who it is, and what its operator wrote.
fn identity(root: &Root) -> [String; 3] {
    ["/var/lib/muster-agent/identity.pem", "/var/lib/muster-agent/enrolment.json", "/etc/muster/agent.toml"]
        .map(|path| root.read(path).unwrap())
}

const SETTINGS: &str = "# Ours.\n[metrics]\ninterval = \"1s\"\n";

#[test]
fn a_bare_root_lives_through_install_upgrade_removal_and_purge() {
    let root = Root::bare().unwrap();
    root.bring(made::old(), SHELF).unwrap();
    root.bring(made::new(), SHELF).unwrap();
    // The script of the first version is asked for: both lie on the shelf.
    std::fs::copy(made::old().join("install.sh"), root.path(&format!("{SHELF}/install.sh"))).unwrap();
    dpkg(&root, &["-i", &deb("muster-collector", made::OLD), &deb("muster", made::OLD)]);
    for (path, expect) in [
        ("/var/lib/muster-collector", "muster-collector:muster-collector 700"),
        ("/etc/muster/alerting.yml", "root:muster-collector 640"),
        ("/etc/muster/collector.toml", "root:root 644"),
    ] {
        let found = root.run(&["stat", "-c", "%U:%G %a", path]).unwrap().ok().unwrap();
        assert_eq!(found.trim(), expect, "{path}");
    }
    let collector = PackagedCollector::start(&root).unwrap();
    collector.unit.hear("WATCHDOG=1", LIMIT).unwrap();
    collector.unit.hear("WATCHDOG=1", LIMIT).unwrap();
    collector.unit.signal("HUP").unwrap();
    let reloading = collector.unit.hear("RELOADING=1", LIMIT).unwrap();
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    collector.unit.hear("READY=1", LIMIT).unwrap();

    let word = collector.token(&root, "first-host").unwrap();
    let agents = collector.agents.to_string();
    let said = install(&root, &["--collector", &agents, "--token", &word, "--from", SHELF]).unwrap();
    assert!(said.code == 0 && said.out.contains("enrolled as first-host"), "{said:?}");
    assert!(said.out.contains("systemd does not run here"), "{said:?}");
    std::fs::write(root.path("/etc/muster/agent.toml"), SETTINGS).unwrap();
    let agent = root.start("muster-agent", &[]).unwrap();
    let ready = agent.hear("READY=1", LIMIT).unwrap();
    assert!(ready.contains("STATUS=samples and sends as first-host"), "{ready}");
    collector.until("count({host=\"first-host\"})", |count| count >= 400.0).unwrap();
    agent.hear("WATCHDOG=1", LIMIT).unwrap();
    agent.hear("WATCHDOG=1", LIMIT).unwrap();

    upgrade(&root, agent, &collector);
    collector.unit.stop().unwrap();
    upgrade_collector(&root);
    remove_and_purge(&root);
}

/// The agent's package goes up while it runs; the next process is the same host.
fn upgrade(root: &Root, agent: muster_tests::harness::root::Unit, collector: &PackagedCollector) {
    let before = identity(root);
    dpkg(root, &["-i", &deb("muster-agent", made::NEW)]);
    agent.stop().unwrap();
    assert_eq!(identity(root), before);
    assert_eq!(version(root, "muster-agent"), "0.1.1 installed");
    // The next version's script finds the host enrolled, wants no word, and changes nothing.
    std::fs::copy(made::new().join("install.sh"), root.path(&format!("{SHELF}/install.sh"))).unwrap();
    let said = install(root, &["--from", SHELF]).unwrap();
    assert!(said.code == 0 && said.out.contains("enrolled already and keeps its identity"), "{said:?}");
    assert_eq!(identity(root), before);
    let seen = collector.until("timestamp(node_load1{host=\"first-host\"})", |_| true).unwrap();
    let agent = root.start("muster-agent", &[]).unwrap();
    collector.until("timestamp(node_load1{host=\"first-host\"})", |at| at > seen).unwrap();
    assert_eq!(collector.number("count(count by (host) (node_load1))").unwrap(), Some(1.0), "one host, not two");
    agent.stop().unwrap();
}

/// What the collector had before, it has after; tokens of before still open it.
fn upgrade_collector(root: &Root) {
    let token = root.read("/var/lib/muster-collector/admin.token").unwrap();
    std::fs::write(root.path("/etc/muster/collector.toml"), "[retention]\nmetrics = \"7d\"\n").unwrap();
    dpkg(root, &["-i", &deb("muster-collector", made::NEW), &deb("muster", made::NEW)]);
    assert_eq!(root.read("/etc/muster/collector.toml").unwrap(), "[retention]\nmetrics = \"7d\"\n");
    assert_eq!(root.read("/var/lib/muster-collector/admin.token").unwrap(), token);
    let collector = PackagedCollector::start(root).unwrap();
    let known = "count_over_time(node_load1{host=\"first-host\"}[10m])";
    collector.until(known, |count| count >= 1.0).unwrap();
    collector.unit.stop().unwrap();
}

fn remove_and_purge(root: &Root) {
    dpkg(root, &["-r", "muster-agent", "muster-collector", "muster"]);
    for gone in [
        "/usr/bin/muster-agent",
        "/usr/bin/muster-collector",
        "/usr/bin/muster",
        "/usr/lib/sysusers.d/muster-agent.conf",
    ] {
        assert!(!root.path(gone).exists(), "{gone} is left after the removal");
    }
    for kept in
        ["/var/lib/muster-agent/identity.pem", "/var/lib/muster-collector/admin.token", "/etc/muster/agent.toml"]
    {
        assert!(root.path(kept).exists(), "{kept} went with the removal");
    }
    dpkg(root, &["-P", "muster-agent", "muster-collector", "muster"]);
    std::fs::remove_dir_all(root.path(SHELF)).unwrap();
    for file in
        ["muster-agent", "muster-collector"].iter().flat_map(|unit| [format!("{unit}.log"), format!("{unit}.notify")])
    {
        std::fs::remove_file(root.path("/run").join(file)).unwrap();
    }
    let left =
        root.run(&["find", "/", "-xdev", "-iname", "*muster*", "-not", "-path", "/proc/*"]).unwrap().ok().unwrap();
    assert_eq!(left, "");
    let owned = root.run(&["find", "/", "-xdev", "-not", "-path", "/proc/*", "-user", "muster"]).unwrap();
    assert_eq!(owned.out, "", "{owned:?}");
}
