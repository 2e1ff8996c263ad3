//! Outside programs that tests and figures run for real.
//!
//! System tools are installed as packages; servers of the field are only unpacked below `target/tools`, so that no service
//! starts and nothing else on the machine changes.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::{cargo, root};
use crate::process;

/// (program, Debian package) that must be installed.
const INSTALLED: [(&str, &str); 6] = [
    ("git", "git"),
    ("cc", "gcc"),
    ("strace", "strace"),
    ("dpkg-deb", "dpkg"),
    ("journalctl", "systemd"),
    // Draws mails.
    ("chromium", "chromium"),
];

/// (Debian package, program in it): real peers, unpacked below `target/tools/<package>`.
const UNPACKED: [(&str, &str); 7] = [
    ("prometheus", "usr/bin/promtool"),
    ("prometheus-alertmanager", "usr/bin/amtool"),
    ("prometheus-node-exporter", "usr/bin/prometheus-node-exporter"),
    // What the agent's checks start for real.
    ("monitoring-plugins-basic", "usr/lib/nagios/plugins/check_disk"),
    // Writes journals as journald does.
    ("systemd-journal-remote", "lib/systemd/systemd-journal-remote"),
    ("libmicrohttpd12", "usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"),
    ("libsystemd-shared", "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"),
];

pub(crate) fn ensure() -> Result<()> {
    for (program, package) in INSTALLED {
        ensure_installed(program, package)?;
    }
    for (package, program) in UNPACKED {
        ensure_unpacked(package, program)?;
    }
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

fn ensure_component(component: &str, word: &str) -> Result<()> {
    if process::output(&mut cargo(&[word, "--version"])).is_ok() {
        return Ok(());
    }
    let added = process::run(Command::new("rustup").args(["component", "add", component]));
    added.with_context(|| format!("cargo {word} is missing and rustup could not add {component}: install it"))
}
