//! The journal as the agent reads it with nothing configured: a real `journalctl` over journals that journald's own writer made.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use muster_tests::harness::agent::{AgentHome, until};
use muster_tests::harness::collector::{Collector, Options};
use muster_tests::harness::programs;
use muster_tests::tail::read_all;

use super::LIMIT;

/// A folder of journals, and one with a `journalctl` that reads them and no others.
struct Journals {
    folder: PathBuf,
    path: PathBuf,
    entries: u32,
}

impl Journals {
    fn new(folder: &Path) -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let (journals, path) = (folder.join("journals"), folder.join("bin"));
        std::fs::create_dir_all(&journals)?;
        std::fs::create_dir_all(&path)?;
        let found = Command::new("sh").args(["-c", "command -v journalctl"]).output()?;
        let real = String::from_utf8(found.stdout)?;
        if real.trim().is_empty() {
            bail!("journalctl is missing: `cargo xtask test` installs Debian's systemd");
        }
        let script = format!("#!/bin/sh\nexec {} --directory={} \"$@\"\n", real.trim(), journals.display());
        let program = path.join("journalctl");
        std::fs::write(&program, script)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder: journals, path, entries: 0 })
    }

    /// `count` more entries of one unit. A journal beside the others, as journald leaves one when it rotates.
    fn write(&mut self, count: u32) -> Result<()> {
        let now = muster_common::time::now().millis() * 1_000;
        let mut export = Vec::new();
        for _ in 0..count {
            let number = self.entries;
            let (realtime, monotonic) = (now + i64::from(number), number + 1);
            let head = format!(
                "__REALTIME_TIMESTAMP={realtime}\n__MONOTONIC_TIMESTAMP={monotonic}\n_BOOT_ID={:032x}\n_MACHINE_ID={:032x}\n",
                7, 9
            );
            export.extend(head.bytes());
            export.extend(b"_SYSTEMD_UNIT=app.service\nSYSLOG_IDENTIFIER=app\nPRIORITY=3\n");
            if number.is_multiple_of(3) {
                // As the export format has what is no single line of text: two lines, and bytes that are no UTF-8.
                let text = format!("entry {number} of\ntwo lines").into_bytes();
                let message = [&text[..], b" \xff"].concat();
                export.extend(b"MESSAGE\n");
                export.extend((message.len() as u64).to_le_bytes());
                export.extend(message);
            } else {
                export.extend(format!("MESSAGE=entry {number} of one line").bytes());
            }
            export.extend(b"\n\n");
            self.entries += 1;
        }
        let file = self.folder.join(format!("{:06}.export", self.entries));
        std::fs::write(&file, export)?;
        let writer = programs::tool("systemd-journal-remote", "lib/systemd/systemd-journal-remote");
        let libraries = [
            programs::tool("libmicrohttpd12", "usr/lib/x86_64-linux-gnu/libmicrohttpd.so.12"),
            programs::tool("libsystemd-shared", "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so"),
        ];
        let folders =
            libraries.iter().filter_map(|library| library.parent()).map(|folder| folder.display().to_string());
        let output = Command::new(writer)
            .arg("-o")
            .arg(self.folder.join(format!("{:06}.journal", self.entries)))
            .arg(&file)
            .env("LD_LIBRARY_PATH", folders.collect::<Vec<_>>().join(":"))
            .stdin(Stdio::null())
            .output()
            .context("failed to start systemd-journal-remote")?;
        if !output.status.success() {
            bail!("systemd-journal-remote: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(std::fs::remove_file(file)?)
    }
}

/// The numbers of the entries at the collector, in its order.
fn numbers(collector: &Collector) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    let now = muster_common::time::now().millis() * 1_000_000;
    let span = (now - 3_600_000_000_000, now + 600_000_000_000);
    read_all(collector, "{job=\"journal\", unit=\"app.service\", level=\"error\"}", span, &mut |_, line| {
        found.extend(line.split(' ').nth(1).and_then(|word| word.parse::<u32>().ok()));
    })?;
    Ok(found)
}

#[test]
fn entries_of_the_journal_arrive_once_over_kills_and_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let programs = programs::folder();
    let collector = Collector::start(&Options::new(&programs, &folder.path().join("collector"))).unwrap();
    let home = AgentHome::enrol(&programs, &collector, folder.path(), "web1").unwrap();
    let mut journals = Journals::new(folder.path()).unwrap();
    journals.write(20).unwrap();
    let arrived = |count: u32| {
        let expected: Vec<u32> = (0..count).collect();
        until(&format!("{count} entries"), LIMIT, || Ok(Some(numbers(&collector)?).filter(|found| *found == expected)))
            .unwrap();
    };
    let agent = home.start_in_path(&journals.path, &["journal.from=start"]).unwrap();
    arrived(20);
    // While journalctl follows.
    journals.write(30).unwrap();
    arrived(50);
    agent.kill().unwrap();
    journals.write(40).unwrap();
    let agent = home.start_in_path(&journals.path, &["journal.from=start"]).unwrap();
    arrived(90);
    // And with nothing remembered on the host but who it is.
    agent.kill().unwrap();
    std::fs::remove_file(home.state.join("logs.json")).unwrap();
    journals.write(10).unwrap();
    let agent = home.start_in_path(&journals.path, &["journal.from=start"]).unwrap();
    arrived(100);
    agent.stop().unwrap();
}
