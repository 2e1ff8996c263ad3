//! What is in the packages, and what the tools of their kind say about them.

use std::process::Command;

use muster_tests::harness::packaged::source;

use super::made::{self, ending, output};

#[test]
fn every_package_is_there_with_its_checksum_and_stays_small() {
    let folder = made::old();
    let names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for name in [
        "muster-agent_0.1.0_amd64.deb",
        "muster-collector_0.1.0_amd64.deb",
        "muster_0.1.0_amd64.deb",
        "muster-agent-packages_0.1.0_all.deb",
        "muster-agent-0.1.0-1.x86_64.rpm",
        "muster-collector-0.1.0-1.x86_64.rpm",
        "muster-0.1.0-1.x86_64.rpm",
        "muster-agent-packages-0.1.0-1.noarch.rpm",
        "muster-agent-0.1.0-x86_64.tar.gz",
        "install.sh",
        "SHA256SUMS",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    assert_eq!(names.len(), 11, "{names:?}");
    let checked = Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder).output();
    let checked = String::from_utf8(checked.unwrap().stdout).unwrap();
    assert_eq!(checked.lines().filter(|line| line.ends_with(": OK")).count(), 10, "{checked}");
}

#[test]
fn the_same_programs_give_the_same_bytes() {
    let again = made::make(made::OLD, "again");
    let sums = |folder: &std::path::Path| std::fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(made::old()), sums(&again));
    std::fs::remove_dir_all(again).unwrap();
}

#[test]
fn lintian_has_nothing_to_say() {
    let debs = ending(made::old(), ".deb");
    let said = output(&["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"], &debs);
    assert_eq!(said, "");
}

#[test]
fn debs_hold_what_their_units_need_and_say_what_they_need() {
    let agent = ending(made::old(), "muster-agent_0.1.0_amd64.deb");
    let list = output(&["dpkg-deb", "--contents"], &agent);
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/muster-agent"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/muster-agent.service"),
        ("-rw-r--r-- root/root", "./usr/lib/sysusers.d/muster-agent.conf"),
        ("-rw-r--r-- root/root", "./usr/lib/tmpfiles.d/muster-agent.conf"),
        ("-rw-r--r-- root/root", "./etc/muster/agent.toml"),
        ("-rwxr-xr-x root/root", "./usr/bin/muster-task"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/muster-task.socket"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/muster-task.service"),
        ("-rw-r--r-- root/root", "./etc/muster/task.toml"),
        ("-rw-r--r-- root/root", "./usr/share/man/man8/muster-task.8.gz"),
        ("-rw-r--r-- root/root", "./usr/share/man/man8/muster-agent-enrol.8.gz"),
        ("-rw-r--r-- root/root", "./usr/share/bash-completion/completions/muster-agent"),
        ("-rw-r--r-- root/root", "./usr/share/zsh/vendor-completions/_muster-agent"),
        ("-rw-r--r-- root/root", "./usr/share/fish/vendor_completions.d/muster-agent.fish"),
    ] {
        assert!(list.lines().any(|line| line.starts_with(mode) && line.ends_with(path)), "{mode} {path} in {list}");
    }
    let fields = output(&["dpkg-deb", "--field"], &agent);
    assert!(fields.contains("Depends: libc6 (>= 2.34), libgcc-s1, passwd\n"), "{fields}");
    let collector = ending(made::old(), "muster-collector_0.1.0_amd64.deb");
    assert!(output(&["dpkg-deb", "--field"], &collector).contains("Recommends: muster, muster-agent-packages\n"));
    let list = output(&["dpkg-deb", "--contents"], &collector);
    for path in
        ["provisioning/datasources/muster.yaml", "provisioning/dashboards/muster.yaml", "dashboards/muster-host.json"]
    {
        let path = format!("./usr/share/doc/muster-collector/examples/grafana/{path}");
        assert!(
            list.lines().any(|line| line.starts_with("-rw-r--r-- root/root") && line.ends_with(&path)),
            "{path} in {list}"
        );
    }
    let kept = output(&["dpkg-deb", "--info"], &collector);
    assert!(kept.contains("conffiles") && kept.contains("postrm"), "{kept}");
    let command = output(&["dpkg-deb", "--contents"], &ending(made::old(), "muster_0.1.0_amd64.deb"));
    for document in
        ["guides/install.md", "examples/rolling-restart/rolling-restart", "examples/rolling-restart/tasks.toml"]
    {
        assert!(command.contains(&format!("./usr/share/doc/muster/{document}")), "{document} in {command}");
    }
    let served = output(&["dpkg-deb", "--contents"], &ending(made::old(), "muster-agent-packages_0.1.0_all.deb"));
    for name in ["agent_0.1.0_amd64.deb", "agent-0.1.0-1.x86_64.rpm", "agent-0.1.0-x86_64.tar.gz"] {
        assert!(served.contains(&format!("./usr/share/muster/agent/muster-{name}")), "{served}");
    }
    assert!(served.contains("agent/install.sh") && served.contains("agent/SHA256SUMS"), "{served}");
}

#[test]
fn rpms_state_their_floor_and_keep_settings() {
    for rpm in ending(made::old(), ".rpm") {
        output(&["rpm", "--checksig", "--nosignature"], std::slice::from_ref(&rpm));
        let owners = output(&["rpm", "-qp", "--queryformat", "[%{FILEUSERNAME}:%{FILEGROUPNAME}\\n]"], &[rpm]);
        assert!(owners.lines().all(|owner| owner == "root:root"), "{owners}");
    }
    let agent = ending(made::old(), "muster-agent-0.1.0-1.x86_64.rpm");
    let needs = output(&["rpm", "-qp", "--requires"], &agent);
    for need in ["glibc >= 2.34", "libc.so.6(GLIBC_2.34)(64bit)", "/usr/sbin/useradd"] {
        assert!(needs.lines().any(|line| line == need), "{need} in {needs}");
    }
    assert_eq!(output(&["rpm", "-qp", "--configfiles"], &agent), "/etc/muster/agent.toml\n/etc/muster/task.toml\n");
    let scripts = output(&["rpm", "-qp", "--scripts"], &agent);
    for part in ["useradd --system", "systemctl enable --now muster-agent.service", "systemctl restart", "stop-reason"]
    {
        assert!(scripts.contains(part), "{part} in {scripts}");
    }
    let collector = ending(made::old(), "muster-collector-0.1.0-1.x86_64.rpm");
    let modes = output(
        &["rpm", "-qp", "--queryformat", "[%{FILENAMES} %{FILEMODES:perms} %{FILEFLAGS:fflags}\\n]"],
        &collector,
    );
    assert!(modes.lines().any(|line| line == "/etc/muster/alerting.yml -rw-r----- cn"), "{modes}");
}

#[test]
fn shellcheck_finds_nothing_in_any_script() {
    let mut scripts = vec![made::old().join("install.sh")];
    let folder = tempfile::tempdir().unwrap();
    for (number, deb) in ending(made::old(), "_amd64.deb").iter().enumerate() {
        let to = folder.path().join(number.to_string());
        output(&["dpkg-deb", "--control"], &[deb.clone(), to.clone()]);
        scripts.extend(
            ["postinst", "prerm", "postrm"].map(|name| to.join(name)).into_iter().filter(|path| path.is_file()),
        );
    }
    let tar = ending(made::old(), ".tar.gz");
    output(&["tar", "-C", &folder.path().to_string_lossy(), "-xzf"], &tar);
    scripts.push(folder.path().join("muster-agent-0.1.0-x86_64/install.sh"));
    assert_eq!(scripts.len(), 8, "{scripts:?}");
    assert_eq!(output(&["shellcheck", "--shell=sh"], &scripts), "");
    let example = source("packaging/examples/rolling-restart/rolling-restart");
    assert_eq!(output(&["shellcheck"], &[example]), "");
}
