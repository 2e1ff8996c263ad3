//! The process `journalctl`, and the thread that reads its lines.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::entry::FIELDS;
use super::machine::Begin;

/// A line longer than this is no entry of ours: a message has at most 256 KiB, some six times that as a list of bytes.
const LINE_BYTES_MAX: u64 = 4 << 20;
/// After a child that ended: doubled each time, up to this.
const RESTART_FIRST: Duration = Duration::from_secs(1);
const RESTART_MAX: Duration = Duration::from_secs(60);
/// What is told of the child's complaints.
const STDERR_BYTES_MAX: u64 = 4 << 10;

/// What the child says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// One line of its output, of the run with this number.
    Line { run: u64, line: Vec<u8> },
    /// It has ended, with what it complained about.
    Ended { run: u64, complaint: String },
}

/// How the child is started. Dropping it ends the child.
pub struct JournalChild {
    program: PathBuf,
    child: Option<Child>,
    run: u64,
    delay: Duration,
    restart_at: Option<Duration>,
}

/// Whether this journalctl answers and there is a journal; gives the machine's id.
pub fn probe(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .args(["-o", "json", "-n", "1", "--no-pager", "--quiet", "--output-fields", FIELDS])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let entry = super::entry::parse(line).ok().filter(|_| output.status.success())?;
    Some(if entry.machine_id.is_empty() { "local".to_owned() } else { entry.machine_id })
}

impl JournalChild {
    pub fn new(program: PathBuf) -> Self {
        Self { program, child: None, run: 0, delay: RESTART_FIRST, restart_at: None }
    }

    /// The number of the present run; what other runs said is old.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Ends the present child and starts another from here. Its lines go to `said`, which blocks it when full.
    pub fn start(&mut self, begin: &Begin, said: SyncSender<Said>, now: Duration) {
        self.stop();
        self.run += 1;
        self.restart_at = None;
        let run = self.run;
        let spawned = Command::new(&self.program)
            .args(arguments(begin))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        match spawned {
            Ok(mut child) => {
                let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
                self.child = Some(child);
                let body = move || {
                    if let Some(stdout) = stdout {
                        pass_on(run, stdout, &said);
                    }
                    let mut complaint = Vec::new();
                    if let Some(stderr) = stderr {
                        let _ = stderr.take(STDERR_BYTES_MAX).read_to_end(&mut complaint);
                    }
                    let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
                    // Nobody listens any more when the reader has ended.
                    let _ = said.send(Said::Ended { run, complaint });
                };
                if std::thread::Builder::new()
                    .name("muster-journal".to_owned())
                    .stack_size(128 << 10)
                    .spawn(body)
                    .is_err()
                {
                    self.ended(now);
                }
            }
            Err(_) => self.ended(now),
        }
    }

    /// The child has ended: it is started again after a while.
    pub fn ended(&mut self, now: Duration) {
        self.stop();
        self.restart_at = Some(now + self.delay);
        self.delay = (self.delay * 2).min(RESTART_MAX);
    }

    /// An entry came: the next end is a first one again.
    pub fn is_well(&mut self) {
        self.delay = RESTART_FIRST;
    }

    pub fn restart_at(&self) -> Option<Duration> {
        self.restart_at
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for JournalChild {
    fn drop(&mut self) {
        self.stop();
    }
}

fn arguments(begin: &Begin) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["-o", "json", "-f", "--no-pager", "--quiet", "--all", "--output-fields", FIELDS].map(str::to_owned).to_vec();
    arguments.push(match begin {
        Begin::After { cursor } => format!("--after-cursor={cursor}"),
        Begin::Since { us } => format!("--since=@{}.{:06}", us / 1_000_000, us % 1_000_000),
        Begin::Head => "--no-tail".to_owned(),
        Begin::Now => "--lines=0".to_owned(),
    });
    // Following shows the last ten lines only, unless told otherwise.
    if !matches!(begin, Begin::Now | Begin::Head) {
        arguments.push("--no-tail".to_owned());
    }
    arguments
}

/// Passes whole lines on; one that is too long is passed over.
fn pass_on(run: u64, stdout: impl Read, said: &SyncSender<Said>) {
    let mut reader = BufReader::with_capacity(64 << 10, stdout);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.pop() != Some(b'\n') && reader.skip_until(b'\n').is_err() {
            return;
        }
        if said.send(Said::Line { run, line }).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc::sync_channel;

    fn script(folder: &Path, body: &str) -> PathBuf {
        let path = folder.join("journalctl");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_child_is_told_where_to_begin_and_its_end_with_its_complaint() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "for last; do :; done; echo \"$*\"; echo broken >&2; exit 1");
        let (sender, said) = sync_channel(8);
        let mut child = JournalChild::new(program);
        child.start(&Begin::Since { us: 1_500_000 }, sender, Duration::ZERO);
        let wait = || said.recv_timeout(Duration::from_secs(20)).unwrap();
        let Said::Line { run: 1, line } = wait() else { panic!("a line") };
        let line = String::from_utf8(line).unwrap();
        assert!(line.starts_with("-o json -f") && line.ends_with("--since=@1.500000 --no-tail"), "{line}");
        assert_eq!(wait(), Said::Ended { run: 1, complaint: "broken".to_owned() });
        child.ended(Duration::from_secs(5));
        assert_eq!(child.restart_at(), Some(Duration::from_secs(6)));
        child.ended(Duration::from_secs(6));
        assert_eq!(child.restart_at(), Some(Duration::from_secs(8)), "later each time");
    }

    #[test]
    fn a_host_without_a_journal_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(probe(&folder.path().join("missing")), None);
        assert_eq!(probe(&script(folder.path(), "echo -- No entries --")), None);
        let entry = "echo '{\"__CURSOR\":\"a\",\"__REALTIME_TIMESTAMP\":\"5\",\"_MACHINE_ID\":\"m1\"}'";
        assert_eq!(probe(&script(folder.path(), entry)), Some("m1".to_owned()));
    }
}
