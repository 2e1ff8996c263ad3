//! One run of a plugin: its process, its pipes, its time.
//!
//! It runs without a shell, with a clean environment, no standard input, `/` as its folder, in a process group of its own that is killed
//! whole when the run is over, however it ended. Output beyond what is kept is read and dropped, so that no plugin waits at a full pipe.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use muster_common::check::CheckState;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::exec_check::{LIMITS_FAILED, NOT_EXECUTABLE, NOT_FOUND};
use super::outcome::{Outcome, shorten};
use super::plugin_output::{PluginOutput, parse_plugin_output};
use super::settings::Plugin;

/// Kept of standard output: what the collector takes as a text.
pub(super) const STDOUT_BYTES_MAX: usize = 64 << 10;
/// Kept of standard error: the complaint of a plugin that failed.
pub(super) const STDERR_BYTES_MAX: usize = 4 << 10;
/// Between SIGTERM and SIGKILL.
const TERM_GRACE: Duration = Duration::from_secs(5);
/// How long a pipe is read that somebody holds open after the plugin itself ended.
const PIPE_GRACE: Duration = Duration::from_secs(1);
/// After SIGKILL only a process that hangs in the kernel goes on.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// Where a plugin's own commands are found.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a run ended.
pub(super) struct Run {
    pub(super) outcome: Outcome,
    pub(super) timed_out: bool,
    /// Pieces of perfdata that were not understood.
    pub(super) unparsed: usize,
    /// A process that even SIGKILL has not ended: nothing new is started until it has.
    pub(super) undead: Option<Child>,
}

/// Runs it once. Dropping the future kills the group.
pub(super) async fn run(plugin: &Plugin, launcher: &Path, limit: Duration) -> Run {
    let mut command = Command::new(launcher);
    command
        .args(plugin.limits.arguments(std::process::id()))
        .args(&plugin.command)
        .env_clear()
        .envs([("PATH", PATH), ("LC_ALL", "C")])
        .envs(&plugin.env)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Before it runs, so that a kill at any moment finds the group.
        .process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let text =
                format!("no process can be started ({error}): raise the limits of processes and memory for the agent");
            return Run { outcome: Outcome::unknown(text), timed_out: false, unparsed: 0, undead: None };
        }
    };
    let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    let mut stdout = Kept::new(STDOUT_BYTES_MAX);
    let mut stderr = Kept::new(STDERR_BYTES_MAX);
    let end = {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let reading = async { tokio::join!(stdout.read(out), stderr.read(err)) };
        tokio::pin!(reading);
        let mut is_read = false;
        let waiting = wait(&mut child, &group, limit);
        tokio::pin!(waiting);
        let end = loop {
            tokio::select! {
                _ = &mut reading, if !is_read => is_read = true,
                end = &mut waiting => break end,
            }
        };
        // What it left running holds the pipes, perhaps for ever; its own last words are in them already.
        group.kill(Signal::KILL);
        if !is_read {
            let _ = timeout(PIPE_GRACE, reading).await;
        }
        end
    };
    let undead = matches!(end, End::Undead).then_some(child);
    let read = parse_plugin_output(&stdout.bytes);
    let (timed_out, unparsed) = (!matches!(end, End::Itself(_)), read.unparsed);
    Run { outcome: judge(plugin, &end, limit, read, (&stdout, &stderr)), timed_out, unparsed, undead }
}

/// How the process itself ended.
enum End {
    Itself(ExitStatus),
    /// At the time limit, by this signal.
    TimedOut(&'static str),
    Undead,
    Lost(std::io::Error),
}

async fn wait(child: &mut Child, group: &Group, limit: Duration) -> End {
    match timeout(limit, child.wait()).await {
        Ok(Ok(status)) => return End::Itself(status),
        Ok(Err(error)) => return End::Lost(error),
        Err(_) => {}
    }
    for (signal, name, grace) in [(Signal::TERM, "SIGTERM", TERM_GRACE), (Signal::KILL, "SIGKILL", KILL_GRACE)] {
        group.kill(signal);
        if timeout(grace, child.wait()).await.is_ok() {
            return End::TimedOut(name);
        }
    }
    End::Undead
}

/// The plugin's process group; killed when dropped.
struct Group(Option<Pid>);

impl Group {
    /// Its number is not given to others while anybody is in it. When nobody is any more, the kernel would have had to hand out all other
    /// numbers since the leader was waited for, a moment ago.
    fn kill(&self, signal: Signal) {
        if let Some(group) = self.0 {
            match kill_process_group(group, signal) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => tracing::debug!(%errno, "a plugin's process group cannot be signalled"),
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill(Signal::KILL);
    }
}

/// The head of a stream, and how much was left out.
struct Kept {
    bytes: Vec<u8>,
    most: usize,
    left_out: u64,
}

impl Kept {
    fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, left_out: 0 }
    }

    async fn read(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut buffer = vec![0; 16 << 10];
        // A pipe that cannot be read has ended.
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            let kept = read.min(self.most - self.bytes.len());
            self.bytes.extend_from_slice(&buffer[..kept]);
            self.left_out += (read - kept) as u64;
        }
    }

    fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        shorten(text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned(), 512)
    }
}

fn judge(plugin: &Plugin, end: &End, limit: Duration, read: PluginOutput, (stdout, stderr): (&Kept, &Kept)) -> Outcome {
    let complaint = stderr.first_line();
    let program = plugin.command.first().map(String::as_str).unwrap_or_default();
    let seconds = limit.as_secs_f64();
    let failure = match end {
        End::Itself(status) => match explain(*status, program, &complaint) {
            Ok(state) => {
                let mut output = read.output;
                if output.is_empty() {
                    output = format!("{state} - the plugin printed nothing");
                    if !complaint.is_empty() {
                        output = format!("{output}; on standard error: {complaint}");
                    }
                }
                let long_output = notes(read.long_output, stdout, "");
                return Outcome { state, output, long_output, perfdata: read.perfdata };
            }
            Err(failure) => failure,
        },
        End::TimedOut(signal) => {
            format!("no end within {seconds} s: the plugin and all it had started were ended by {signal}")
        }
        End::Undead => format!(
            "no end within {seconds} s, and not by SIGKILL either: it hangs in the kernel (a dead mount or disk?)"
        ),
        End::Lost(error) => format!("its end cannot be waited for: {error}"),
    };
    let said = [read.output, read.long_output].join("\n");
    let long_output = notes(said.trim_matches('\n').to_owned(), stdout, &complaint);
    Outcome { state: CheckState::Unknown, output: format!("UNKNOWN - {failure}"), long_output, perfdata: read.perfdata }
}

fn notes(mut long_output: String, stdout: &Kept, complaint: &str) -> String {
    let mut note = String::new();
    if stdout.left_out > 0 {
        note = format!("\n{} bytes of output beyond the first {} are left out", stdout.left_out, stdout.most);
    }
    if !complaint.is_empty() {
        note = format!("{note}\nstandard error: {complaint}");
    }
    long_output = shorten(long_output, STDOUT_BYTES_MAX - note.len());
    (long_output + &note).trim_start_matches('\n').to_owned()
}

/// The state of an exit code, or what happened instead.
fn explain(status: ExitStatus, program: &str, complaint: &str) -> Result<CheckState, String> {
    let Some(code) = status.code() else {
        let number = status.signal().unwrap_or_default();
        let hint = match number {
            9 => ": the kernel's OOM killer, or somebody by hand",
            24 => ": it used more processor time than it may (the time limit and 5 s)",
            6 | 11 => ": the plugin is broken, or `memory` is too small for it",
            _ => "",
        };
        return Err(format!("{program} was ended by signal {number} ({}){hint}", signal_name(number)));
    };
    let state = u8::try_from(code).ok().and_then(CheckState::from_u8);
    state.ok_or_else(|| match u8::try_from(code) {
        Ok(NOT_FOUND) => format!("{program} is not there (exit code 127): install it, or correct `command`"),
        Ok(NOT_EXECUTABLE) => {
            format!("{program} cannot be executed (exit code 126): chmod +x it, and check who may read it")
        }
        Ok(LIMITS_FAILED) if complaint.starts_with("muster-agent:") => {
            format!("{complaint}: check `memory` of this check")
        }
        _ => format!("exit code {code} of {program} is no state: plugins end with 0 to 3"),
    })
}

fn signal_name(number: i32) -> &'static str {
    const NAMES: [(i32, &str); 13] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
    ];
    NAMES.iter().find(|(known, _)| *known == number).map_or("see kill -l", |(_, name)| name)
}

/// Waits until a process that hangs in the kernel has ended after all.
pub(super) async fn bury(mut child: Child) {
    while child.wait().await.is_err() {
        sleep(KILL_GRACE).await;
    }
}
