//! Children: run one to its end, or keep one and read its lines.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Runs to the end with this terminal as its own; an exit code other than 0 is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("failed to start `{shown}`"))?;
    if status.success() { Ok(()) } else { bail!("`{shown}` ended with {status}") }
}

/// Runs to the end and gives what it printed; on failure the error holds its standard error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("failed to start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
}

/// A command line as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A program kept running until this value goes: then it gets SIGTERM, and SIGKILL after 10 s.
pub(crate) struct Kept {
    child: Child,
    lines: Receiver<String>,
}

impl Kept {
    /// Starts it with standard error readable by line; standard output goes nowhere.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Self::start_with(command, |_| {})
    }

    /// As [`Kept::start`]; `each` gets every line of standard error, on a thread of its own.
    pub(crate) fn start_with(command: &mut Command, mut each: impl FnMut(&str) + Send + 'static) -> Result<Self> {
        let shown = show(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // The terminal sends Ctrl-C to its whole foreground group: only this program shall hear it, and end its children in order.
        command.process_group(0);
        let mut child = command.spawn().with_context(|| format!("failed to start `{shown}`"))?;
        let stderr = child.stderr.take().context("standard error is piped")?;
        // Lines beyond this are dropped: only the ready line is waited for.
        let (sender, lines) = sync_channel(1_000);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr.take(u64::MAX)).lines().map_while(Result::ok) {
                each(&line);
                // Nobody reads any more: go on draining, so that the program never blocks on its log.
                let _ = sender.try_send(line);
            }
        });
        Ok(Self { child, lines })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that `wanted` takes.
    pub(crate) fn wait_for<T>(&mut self, what: &str, limit: Duration, wanted: impl Fn(&str) -> Option<T>) -> Result<T> {
        let mut seen = Vec::new();
        // One line at most every limit: bounded by the lines it can print before the limit passes without one.
        loop {
            match self.lines.recv_timeout(limit) {
                Ok(line) => match wanted(&line) {
                    Some(found) => return Ok(found),
                    None => seen.push(line),
                },
                Err(RecvTimeoutError::Timeout) => bail!("no {what} within {limit:?}; it said:\n{}", seen.join("\n")),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended before {what}; it said:\n{}", seen.join("\n")),
            }
        }
    }

    /// SIGKILL, and waits for its end.
    pub(crate) fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("process {} had ended by itself, with {status}", self.child.id());
        }
        self.child.kill().context("failed to kill")?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, then waits up to 10 s. An end of its own before, or another exit code than 0, is an error.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("process {} had ended by itself, with {status}", self.child.id());
        }
        signal(self.child.id(), "TERM")?;
        for _ in 0..100 {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { bail!("it ended with {status}") };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.child.kill().context("failed to kill")?;
        self.child.wait()?;
        bail!("process {} did not end within 10 s of SIGTERM and was killed", self.child.id())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.stop();
        }
    }
}

/// Sends a signal to one process that this program started.
pub(crate) fn signal(id: u32, name: &str) -> Result<()> {
    run(Command::new("kill").args([&format!("-{name}"), &id.to_string()]))
}

/// CPU seconds (own and waited-for children) that a process has used, from /proc.
pub(crate) fn cpu_seconds(id: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).context("the process has ended")?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    // utime and stime are fields 14 and 15 of the line; 100 ticks a second on every Linux that Rust's std supports here.
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// A value of /proc/PID/status in KiB, such as `VmHWM`.
pub(crate) fn status_kib(id: u32, key: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).context("the process has ended")?;
    let line = text.lines().find(|line| line.starts_with(key)).with_context(|| format!("no {key}"))?;
    Ok(line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// Bytes of all files below a folder.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => folder_bytes(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process group, field 5 of the line.
    fn group(id: u32) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(2).unwrap().to_owned()
    }

    #[test]
    fn ctrl_c_reaches_no_kept_program_and_stop_ends_it_well() {
        let script = "trap 'exit 0' TERM; echo ready >&2; while :; do sleep 0.1; done";
        let mut kept = Kept::start(Command::new("sh").args(["-c", script])).unwrap();
        kept.wait_for("ready line", Duration::from_secs(10), |line| (line == "ready").then_some(())).unwrap();
        assert_eq!(group(kept.id()), kept.id().to_string());
        assert_ne!(group(kept.id()), group(std::process::id()));
        kept.stop().unwrap();
    }
}
