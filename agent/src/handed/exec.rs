//! `muster-agent exec`: runs a command as it would run without us, and hands over how it went.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_common::check::{CheckKind, CheckState};
use muster_common::time::{Span, monotonic};
use muster_common::wire::message::{CheckDefinition, CheckReport, Perfdata, WireLabel};
use rustix::process::{Pid, Signal, kill_process_group};

use super::tail::Tail;

/// What a command that is told to end gets before it is killed.
const END_WITHIN: Duration = Duration::from_secs(5);
/// A child of the command that holds its output open is not waited for longer.
const OUTPUT_WITHIN: Duration = Duration::from_secs(2);
/// Exit codes as shells and `timeout` have them.
const TIMED_OUT: u8 = 124;
const NOT_STARTED: u8 = 126;
const NOT_FOUND: u8 = 127;
const SIGNALLED: u8 = 128;

/// How it is run, and what is told of it.
#[derive(Clone, Debug)]
pub struct ExecOptions {
    pub check: String,
    pub command: Vec<OsString>,
    /// How often somebody starts it, and how much later than that a run may be told; zero: nobody is waiting for the next one.
    pub every: Duration,
    pub grace: Duration,
    pub attempts: u16,
    pub labels: Vec<WireLabel>,
    pub timeout: Option<Duration>,
    /// The exit code is a plugin's: 0 to 3 are states, and the output is its text.
    pub plugin: bool,
}

/// How it went.
#[derive(Debug)]
pub struct Ran {
    pub report: CheckReport,
    /// What this process is to end with: the command's own code.
    pub code: u8,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Code(u8),
    Signal(i32),
    TimedOut,
    NotStarted { code: u8 },
}

/// Runs the command. `at_ms` gives the time when it has ended, by the corrected clock.
pub fn run(options: &ExecOptions, at_ms: impl FnOnce() -> i64) -> Ran {
    let begun = monotonic();
    let tail = Arc::new(Mutex::new(Tail::default()));
    let end = match start(options) {
        Ok(child) => watch(child, options.timeout, &tail),
        Err(error) => {
            let text = format!("the command cannot be started: {error}");
            let _ = writeln!(io::stderr(), "muster-agent: {text}");
            lock(&tail).push(1, text.as_bytes());
            End::NotStarted { code: if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED } }
        }
    };
    let took = monotonic().saturating_sub(begun);
    let text = std::mem::take(&mut *lock(&tail)).finish();
    Ran { report: report(options, at_ms(), end, took, text), code: code_of(end) }
}

fn lock(tail: &Mutex<Tail>) -> std::sync::MutexGuard<'_, Tail> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(options: &ExecOptions) -> io::Result<Child> {
    let (program, arguments) = options.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    if options.timeout.is_some() {
        // Its children end with it. Without a time limit it stays in our group, so that a terminal's keys reach it.
        command.process_group(0);
    }
    command.spawn()
}

/// Passes its output on and waits for its end.
fn watch(mut child: Child, timeout: Option<Duration>, tail: &Arc<Mutex<Tail>>) -> End {
    let (done, finished) = sync_channel(1);
    if let Some(stdout) = child.stdout.take() {
        pass_on(stdout, io::stdout(), 0, tail, &done);
    }
    if let Some(stderr) = child.stderr.take() {
        pass_on(stderr, io::stderr(), 1, tail, &done);
    }
    drop(done);
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let (say, ended) = sync_channel(1);
    let waits = std::thread::Builder::new().spawn(move || drop(say.send(child.wait())));
    let end = match (waits, timeout) {
        (Ok(_), Some(timeout)) => match ended.recv_timeout(timeout) {
            Ok(status) => end_of(status),
            Err(_) => {
                kill(group, &ended);
                End::TimedOut
            }
        },
        (Ok(_), None) => ended.recv().map_or(End::NotStarted { code: NOT_STARTED }, end_of),
        (Err(error), _) => end_of(Err(error)),
    };
    // Both streams end with the command, unless somebody else holds them.
    let until = monotonic() + OUTPUT_WITHIN;
    while finished.recv_timeout(until.saturating_sub(monotonic())) != Err(RecvTimeoutError::Disconnected)
        && monotonic() < until
    {}
    end
}

fn pass_on(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    stream: usize,
    tail: &Arc<Mutex<Tail>>,
    done: &SyncSender<()>,
) {
    let (tail, done) = (Arc::clone(tail), done.clone());
    let body = move || {
        let mut buffer = [0; 8 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            lock(&tail).push(stream, &buffer[..read]);
            // Nobody may be listening; the command runs on all the same.
            let _ = to.write_all(&buffer[..read]).and_then(|()| to.flush());
        }
        drop(done);
    };
    // Without a thread the pipe is closed, and the command sees that nobody listens.
    let _ = std::thread::Builder::new().spawn(body);
}

fn kill(group: Option<Pid>, ended: &Receiver<io::Result<ExitStatus>>) {
    let Some(group) = group else { return };
    let _ = kill_process_group(group, Signal::TERM);
    if ended.recv_timeout(END_WITHIN).is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = ended.recv_timeout(END_WITHIN);
    }
}

fn end_of(status: io::Result<ExitStatus>) -> End {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Code((code & 0xff) as u8),
            (None, signal) => End::Signal(signal.unwrap_or(0)),
        },
        Err(_) => End::NotStarted { code: NOT_STARTED },
    }
}

fn code_of(end: End) -> u8 {
    match end {
        End::Code(code) | End::NotStarted { code } => code,
        End::Signal(signal) => SIGNALLED.saturating_add((signal & 0x7f) as u8),
        End::TimedOut => TIMED_OUT,
    }
}

fn state_of(end: End, plugin: bool) -> CheckState {
    match end {
        End::Code(0) => CheckState::Ok,
        End::Code(code) if plugin => CheckState::from_u8(code).unwrap_or(CheckState::Unknown),
        _ => CheckState::Critical,
    }
}

fn report(options: &ExecOptions, at_ms: i64, end: End, took: Duration, text: String) -> CheckReport {
    let seconds = took.as_secs_f64();
    let how = match end {
        End::Code(code) => format!("exit code {code} after {seconds:.3} s"),
        End::Signal(signal) => format!("ended by signal {signal} after {seconds:.3} s"),
        End::TimedOut => {
            format!("killed after {}, its time limit", Span(options.timeout.unwrap_or_default()))
        }
        End::NotStarted { .. } => "it could not be started".to_owned(),
    };
    let (output, long_output) = if options.plugin && matches!(end, End::Code(_)) {
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        (first.to_owned(), rest.to_owned())
    } else {
        (how, text)
    };
    let none = String::new;
    let duration = Perfdata {
        label: "duration".to_owned(),
        value: seconds,
        unit: "s".to_owned(),
        warn: none(),
        crit: none(),
        min: 0.0,
        max: f64::NAN,
    };
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    CheckReport {
        at_ms,
        check: options.check.clone(),
        state: state_of(end, options.plugin) as u8,
        output,
        long_output,
        perfdata: vec![duration],
        duration_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        definition: CheckDefinition {
            kind: CheckKind::Exec as u8,
            interval_ms: millis(options.every),
            retry_ms: 0,
            max_attempts: options.attempts,
            // A missed run is a result that did not come: the collector sees its age.
            ttl_ms: if options.every.is_zero() { 0 } else { millis(options.every + options.grace) },
            volatile: false,
            parents: Vec::new(),
            labels: options.labels.clone(),
            remedy: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(command: &[&str]) -> ExecOptions {
        ExecOptions {
            check: "backup".to_owned(),
            command: command.iter().map(OsString::from).collect(),
            every: Duration::from_secs(86_400),
            grace: Duration::from_secs(3_600),
            attempts: 1,
            labels: Vec::new(),
            timeout: None,
            plugin: false,
        }
    }

    #[test]
    fn the_code_is_the_commands_and_the_report_says_how_it_went() {
        let ran = run(&options(&["sh", "-c", "echo out; echo err >&2; exit 7"]), || 5);
        let report = &ran.report;
        assert_eq!((ran.code, report.at_ms, report.state), (7, 5, CheckState::Critical as u8));
        assert!(report.output.starts_with("exit code 7 after "), "{}", report.output);
        let mut lines: Vec<&str> = report.long_output.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
        assert_eq!((report.perfdata[0].label.as_str(), report.perfdata[0].unit.as_str()), ("duration", "s"));
        assert_eq!((report.definition.interval_ms, report.definition.ttl_ms), (86_400_000, 90_000_000));
        let ran = run(&options(&["true"]), || 5);
        assert_eq!((ran.code, ran.report.state, ran.report.long_output.as_str()), (0, 0, ""));
    }

    #[test]
    fn what_cannot_be_started_or_is_killed_is_critical() {
        let ran = run(&options(&["/nowhere/to/be/found"]), || 5);
        assert_eq!((ran.code, ran.report.state), (127, 2));
        assert!(ran.report.long_output.contains("cannot be started"), "{:?}", ran.report);
        let ran = run(&options(&["sh", "-c", "kill -9 $$"]), || 5);
        assert_eq!((ran.code, ran.report.state), (128 + 9, 2));
        let mut limited = options(&["sh", "-c", "sleep 600 & sleep 600"]);
        limited.timeout = Some(Duration::from_millis(50));
        let ran = run(&limited, || 5);
        assert_eq!((ran.code, ran.report.state), (124, 2));
        assert!(ran.report.output.contains("50ms") && ran.report.duration_ms < 60_000, "{}", ran.report.output);
    }

    #[test]
    fn a_plugins_code_is_its_state_and_its_text_the_output() {
        let mut plugin = options(&["sh", "-c", "echo 'DISK WARNING'; echo more; exit 1"]);
        plugin.plugin = true;
        plugin.every = Duration::ZERO;
        let report = run(&plugin, || 5).report;
        assert_eq!((report.state, report.output.as_str(), report.long_output.as_str()), (1, "DISK WARNING", "more"));
        assert_eq!(report.definition.ttl_ms, 0, "nobody waits for the next run");
        plugin.command = ["sh", "-c", "exit 77"].map(OsString::from).to_vec();
        assert_eq!(run(&plugin, || 5).report.state, CheckState::Unknown as u8);
    }
}
