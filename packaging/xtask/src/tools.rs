//! Outside programs that tests and figures run for real.
//!
//! System tools are installed as packages; servers of the field are only unpacked below `target/tools`, so that no service
//! starts and nothing else on the machine changes.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{cargo, root};
use crate::process;

/// (program, Debian package) that must be installed.
const INSTALLED: &[(&str, &str)] = &[
    ("git", "git"),
    // Runs the command that installs a host.
    ("curl", "curl"),
    ("cc", "gcc"),
    ("strace", "strace"),
    ("dpkg-deb", "dpkg"),
    ("journalctl", "systemd"),
    // What packages are made and checked with.
    ("objdump", "binutils"),
    ("rpmbuild", "rpm"),
    ("lintian", "lintian"),
    ("shellcheck", "shellcheck"),
    ("mmdebstrap", "mmdebstrap"),
    // Draws mails, and opens the pages.
    ("chromium", "chromium"),
    // What the doctor is shown: a firewall in a network of its own, rights of files, other users.
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("setcap", "libcap2-bin"),
    ("setfacl", "acl"),
    ("setpriv", "util-linux"),
    // By which guides go from machine to machine.
    ("ssh-keygen", "openssh-client"),
];

/// (Debian package, program in it): real peers, unpacked below `target/tools/<package>`.
const UNPACKED: [(&str, &str); 13] = [
    ("prometheus", "usr/bin/promtool"),
    ("prometheus-alertmanager", "usr/bin/amtool"),
    ("prometheus-node-exporter", "usr/bin/prometheus-node-exporter"),
    // What the agent's checks start for real.
    ("monitoring-plugins-basic", "usr/lib/nagios/plugins/check_disk"),
    // Writes journals as journald does.
    ("systemd-journal-remote", "lib/systemd/systemd-journal-remote"),
    ("libmicrohttpd12", "usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"),
    ("libsystemd-shared", "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"),
    // What a task restarts, and what keeps its users from seeing it, with the libraries that haproxy is linked with.
    ("nginx", "usr/sbin/nginx"),
    ("haproxy", "usr/sbin/haproxy"),
    ("liblua5.3-0", "usr/lib/x86_64-linux-gnu/liblua5.3.so.0"),
    ("libopentracing-c-wrapper0", "usr/lib/x86_64-linux-gnu/libopentracing-c-wrapper.so.0"),
    ("libopentracing1", "usr/lib/x86_64-linux-gnu/libopentracing.so.1"),
    // Clocks of hosts that are wrong.
    ("libfaketime", "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"),
];

/// What pages are built with. The packages of Node.js itself have npm in them, Debian's have it apart.
const NODE: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];

pub(crate) fn ensure_node() -> Result<()> {
    NODE.iter().try_for_each(|(program, package)| ensure_installed(program, package))
}

/// What opens pages.
pub(crate) fn ensure_browser() -> Result<()> {
    ensure_installed("chromium", "chromium")
}

pub(crate) fn ensure() -> Result<()> {
    ensure_node()?;
    for &(program, package) in INSTALLED {
        ensure_installed(program, package)?;
    }
    for (package, program) in UNPACKED {
        ensure_unpacked(package, program)?;
    }
    ensure_roots()?;
    ensure_component("rustfmt", "fmt")?;
    ensure_component("clippy", "clippy")
}

fn apt(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    process::output(&mut command).map(drop)
}

fn ensure_installed(program: &str, package: &str) -> Result<()> {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    println!("tools: `{program}` is missing, installing package {package}");
    let words = ["install", "-y", "--no-install-recommends", package];
    if apt(&words).is_err() {
        let remedy = || format!("install it yourself: apt-get install {package}");
        apt(&["update"]).with_context(remedy)?;
        apt(&words).with_context(remedy)?;
    }
    Ok(())
}

fn ensure_unpacked(package: &str, program: &str) -> Result<()> {
    let folder = root().join("target/tools");
    if folder.join(package).join(program).is_file() {
        return Ok(());
    }
    println!("tools: unpacking Debian's {package} for tests against it");
    let fresh = folder.join(format!("{package}.new"));
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh)?;
    let download = || {
        let mut command = Command::new("apt-get");
        // Root's downloads are else made by a user who may not write here.
        command.args(["-o", "APT::Sandbox::User=root", "download", package]).current_dir(&fresh);
        process::output(&mut command).map(drop)
    };
    if download().is_err() {
        let remedy = || format!("the package {package} is needed; make `apt-get download {package}` work");
        apt(&["update"]).with_context(remedy)?;
        download().with_context(remedy)?;
    }
    let archives = std::fs::read_dir(&fresh)?.flatten().map(|entry| entry.path());
    let Some(archive) = archives.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb")) else {
        bail!("apt-get download {package} left no .deb in {}", fresh.display());
    };
    process::run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(fresh.join("root")))?;
    let _ = std::fs::remove_dir_all(folder.join(package));
    std::fs::rename(fresh.join("root"), folder.join(package))?;
    std::fs::remove_dir_all(&fresh)?;
    Ok(())
}

/// Minimal Debians, from this machine's own sources, for packages to be installed in: (archive or folder, what makes it more than minimal).
const ROOTS: [(&str, &[&str]); 3] = [
    ("root.tar", &[]),
    ("systemd.tar", &["--include=systemd-sysv,dbus"]),
    // A folder, which many machines share as their lower layer: what readers of guides have already.
    (
        "guides",
        &[
            "--format=directory",
            // 200 MB of time zones for a page that nobody opens here.
            "--dpkgopt=path-exclude=/usr/share/javascript/*",
            "--include=systemd-sysv,dbus,curl,openssh-server,ansible-core,cloud-init,prometheus,prometheus-node-exporter,nagios-nrpe-server,monitoring-plugins-basic",
        ],
    ),
];

/// Makes those that are missing, at the same time: they wait for the network most of it.
fn ensure_roots() -> Result<()> {
    let folder = root().join("target/tools/debian-root");
    std::fs::create_dir_all(&folder)?;
    let system = std::fs::read_to_string("/etc/os-release").context("which Debian is this?")?;
    let suite = system.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).context("no code name")?;
    let mut making = Vec::new();
    for (archive, more) in ROOTS.iter().filter(|(archive, _)| !folder.join(archive).exists()) {
        println!("tools: making a minimal Debian ({archive}) for tests of packages");
        let fresh = folder.join(format!("new-{archive}"));
        let _ = std::fs::remove_dir_all(&fresh);
        let mut command = Command::new("mmdebstrap");
        // Whoever loses power while it is made makes it again.
        command
            .args(["--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"])
            .args(*more)
            .arg(suite)
            .arg(&fresh)
            .args(sources());
        let shown = process::show(&command);
        making.push((command.spawn().with_context(|| format!("failed to start `{shown}`"))?, shown, fresh, archive));
    }
    for (mut child, shown, fresh, archive) in making {
        let status = child.wait()?;
        anyhow::ensure!(status.success(), "`{shown}` ended with {status}: it needs root and Debian's archive");
        std::fs::rename(&fresh, folder.join(archive))?;
    }
    Ok(())
}

/// The files that say where this machine has its packages from.
fn sources() -> Vec<std::path::PathBuf> {
    let parts = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let is_source = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "list" || end == "sources");
    let mut files: Vec<_> = parts.filter(is_source).collect();
    files.sort();
    files.push("/etc/apt/sources.list".into());
    // Some are there and name nothing.
    let names = |text: &str| text.lines().any(|line| line.starts_with("deb") || line.starts_with("Types:"));
    files.retain(|path| std::fs::read_to_string(path).is_ok_and(|text| names(&text)));
    files
}

fn ensure_component(component: &str, word: &str) -> Result<()> {
    if process::output(&mut cargo(&[word, "--version"])).is_ok() {
        return Ok(());
    }
    let added = process::run(Command::new("rustup").args(["component", "add", component]));
    added.with_context(|| format!("cargo {word} is missing and rustup could not add {component}: install it"))
}
