//! The .rpm as rpm installs, upgrades and removes it, in a root that dpkg made: its scripts run there.

use muster_tests::harness::root::Root;

use super::made::{self, ending, output};

#[test]
fn an_rpm_makes_its_user_keeps_settings_and_state_and_goes() {
    let root = Root::bare().unwrap();
    let at = root.path("/").to_string_lossy().into_owned();
    // What it requires is there under other names: this root is none of rpm's.
    let rpm = |words: &[&str], files: &[std::path::PathBuf]| {
        let mut all = vec!["rpm", "--root", &at];
        all.extend(words);
        output(&all, files)
    };
    rpm(&["--nodeps", "--install"], &ending(made::old(), "muster-agent-0.1.0-1.x86_64.rpm"));
    let owner = root.run(&["stat", "-c", "%U:%G %a", "/var/lib/muster-agent"]).unwrap().ok().unwrap();
    assert_eq!(owner, "muster:muster 700\n");
    assert!(root.path("/usr/share/zsh/site-functions/_muster-agent").exists());
    std::fs::write(root.path("/etc/muster/agent.toml"), "[metrics]\ninterval = \"5s\"\n").unwrap();
    std::fs::write(root.path("/var/lib/muster-agent/mark"), "").unwrap();
    rpm(&["--nodeps", "--upgrade"], &ending(made::new(), "muster-agent-0.1.1-1.x86_64.rpm"));
    assert_eq!(rpm(&["--query", "muster-agent"], &[]), "muster-agent-0.1.1-1.x86_64\n");
    assert_eq!(root.read("/etc/muster/agent.toml").unwrap(), "[metrics]\ninterval = \"5s\"\n");
    rpm(&["--nodeps", "--install"], &ending(made::new(), "muster-collector-0.1.1-1.x86_64.rpm"));
    let owner = root.run(&["stat", "-c", "%U:%G %a", "/etc/muster/alerting.yml"]).unwrap().ok().unwrap();
    assert_eq!(owner, "root:muster-collector 640\n");
    rpm(&["--nodeps", "--erase", "muster-agent", "muster-collector"], &[]);
    assert!(!root.path("/usr/bin/muster-agent").exists() && !root.path("/usr/bin/muster-collector").exists());
    assert!(root.path("/var/lib/muster-agent/mark").exists(), "a removal keeps state");
}
