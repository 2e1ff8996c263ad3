//! One run: its process, its one pipe, its time, and the end of everything that it has started.
//!
//! It runs without a shell, with a clean environment, no standard input, `/` as its folder, in a session of its own. Both outputs go into one pipe,
//! in the order written. At its end everything that descends from it is ended too: by its cgroup where there is one, else because this process
//! takes in what loses its parent, so that all that descends from this process is the run's.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use muster_common::wire::tasks::{TaskRefusal, TaskWord};
use rustix::process::{Pid, Signal, WaitOptions};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep, timeout};
use uuid::Uuid;

use crate::account::Account;
use crate::desk::End;
use crate::exec_task::{LIMITS_FAILED, NOT_EXECUTABLE, NOT_FOUND, Place};
use crate::group::Group;
use crate::judge::Approved;
use crate::shape::Shaper;

/// Where a program's own commands are found.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How often people see what there is.
const EARLY: Duration = Duration::from_secs(1);
/// How long the pipe is read after everybody who could write is ended.
const PIPE_GRACE: Duration = Duration::from_secs(2);
/// Looks for descendants, a hundredth of a second apart: only what hangs in the kernel outlasts the signal for so long.
const SWEEPS_MAX: u32 = 500;
const SWEEP: Duration = Duration::from_millis(10);

/// What is run, and where.
pub struct Job {
    pub approved: Approved,
    pub account: Account,
    /// This program, which becomes it by `exec-task`.
    pub launcher: PathBuf,
    pub group: Option<Group>,
}

/// What comes of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Chunk(String),
    Ended(End),
}

/// Descendants whose parents end become this process' children. Once, before the first run.
///
/// # Errors
/// As the system; every Linux since 3.4 can.
pub fn take_in_orphans() -> std::io::Result<()> {
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).map_err(Into::into)
}

/// Runs it once, and gives its chunks and then its end. `stop`: end it now.
pub async fn run(job: Job, stop: oneshot::Receiver<()>, events: mpsc::Sender<Event>) {
    let end = match start(&job) {
        Ok((child, pipe)) => follow(&job, child, pipe, stop, &events).await,
        Err(problem) => {
            End { word: TaskWord::Refused { why: TaskRefusal::Failed }, problem, output_bytes: 0, dropped_bytes: 0 }
        }
    };
    drop(job);
    // Nobody listens only when the program ends.
    let _ = events.send(Event::Ended(end)).await;
}

fn start(job: &Job) -> Result<(Child, pipe::Receiver), String> {
    let Job { approved, account, launcher, group } = job;
    let told = |error: std::io::Error| {
        format!("no process can be started ({error}): raise the limits of processes and memory for muster-task")
    };
    let (reader, writer) = std::io::pipe().map_err(told)?;
    let place = Place {
        parent: std::process::id(),
        uid: account.uid,
        gid: account.gid,
        memory_bytes: approved.limits.memory_bytes,
        processes: approved.limits.processes.into(),
        cpu_seconds: approved.limits.timeout.as_secs().saturating_add(5),
        cgroup: group.as_ref().map(Group::procs),
    };
    let child = Command::new(launcher)
        .args(place.arguments())
        .args(&approved.command)
        .env_clear()
        .envs([("PATH", PATH), ("LC_ALL", "C.UTF-8"), ("HOME", &account.home)])
        .envs([("USER", &account.name), ("LOGNAME", &account.name), ("MUSTER_TASK", &approved.task)])
        .env("MUSTER_ORDER", Uuid::from_bytes(approved.call.order).hyphenated().to_string())
        .env("MUSTER_STEP", approved.call.step.to_string())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(told)?)
        .stderr(writer)
        .kill_on_drop(true)
        .spawn()
        .map_err(told)?;
    let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(told)?;
    Ok((child, reader))
}

/// How the process itself ended.
enum Way {
    Itself(ExitStatus),
    TimedOut,
    Stopped,
    Unknown(std::io::Error),
}

async fn follow(
    job: &Job,
    mut child: Child,
    mut pipe: pipe::Receiver,
    mut stop: oneshot::Receiver<()>,
    events: &mpsc::Sender<Event>,
) -> End {
    let mut shaper = match Shaper::new(job.approved.limits.output_bytes) {
        Ok(shaper) => shaper,
        Err(problem) => {
            end_all(job.group.as_ref(), &mut child).await;
            return End {
                word: TaskWord::Refused { why: TaskRefusal::Failed },
                problem,
                output_bytes: 0,
                dropped_bytes: 0,
            };
        }
    };
    let mut deadline = std::pin::pin!(sleep(job.approved.limits.timeout));
    let mut early = interval(EARLY);
    let mut buffer = vec![0; 64 << 10];
    let (mut is_open, mut can_stop) = (true, true);
    let way = loop {
        tokio::select! {
            // In this order, so that neither output nor a storm of it outlasts the time.
            biased;
            () = &mut deadline => break Way::TimedOut,
            stopped = &mut stop, if can_stop => {
                if stopped.is_ok() {
                    break Way::Stopped;
                }
                can_stop = false;
            }
            status = child.wait() => break status.map_or_else(Way::Unknown, Way::Itself),
            _ = early.tick() => send(events, shaper.early()).await,
            read = pipe.read(&mut buffer), if is_open => match read {
                Ok(read @ 1..) => send(events, shaper.push(&buffer[..read])).await,
                _ => is_open = false,
            },
        }
    };
    let is_gone = end_all(job.group.as_ref(), &mut child).await;
    let rest = async {
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            send(events, shaper.push(&buffer[..read])).await;
        }
    };
    let _ = timeout(PIPE_GRACE, rest).await;
    send(events, shaper.finish()).await;
    let (word, mut problem) = judge(&way, job);
    if !is_gone {
        problem.push_str(
            "; some of what it started does not end even by SIGKILL: it hangs in the kernel (a dead mount or disk?)",
        );
    }
    let problem = problem.trim_start_matches("; ").to_owned();
    End { word, problem, output_bytes: shaper.output_bytes(), dropped_bytes: shaper.dropped_bytes() }
}

async fn send(events: &mpsc::Sender<Event>, chunks: impl IntoIterator<Item = String>) {
    for chunk in chunks {
        let _ = events.send(Event::Chunk(chunk)).await;
    }
}

fn judge(way: &Way, job: &Job) -> (TaskWord, String) {
    let limits = &job.approved.limits;
    match way {
        Way::TimedOut => {
            let seconds = limits.timeout.as_secs_f64();
            (TaskWord::TimedOut, format!("no end within {seconds} s: it was ended with all that it had started"))
        }
        Way::Stopped => (TaskWord::Cancelled, "ended while it ran, with all that it had started".to_owned()),
        Way::Unknown(error) => (TaskWord::Lost, format!("its end cannot be waited for: {error}")),
        Way::Itself(status) => match (status.code(), status.signal()) {
            (Some(code), _) => (TaskWord::Ended { code }, hint(code, &job.approved)),
            (None, signal) => {
                let signal = signal.unwrap_or(0);
                let hint = match signal {
                    9 => "SIGKILL: the kernel, for more memory than it may have, or somebody by hand",
                    24 => "SIGXCPU: more processor time than it may have",
                    _ => "",
                };
                (TaskWord::Killed { signal }, hint.to_owned())
            }
        },
    }
}

fn hint(code: i32, approved: &Approved) -> String {
    let program = approved.command.first().map_or("", String::as_str);
    match u8::try_from(code) {
        Ok(NOT_FOUND) => format!("exit code 127, as when {program} is not there: install it, or correct the catalogue"),
        Ok(NOT_EXECUTABLE) => format!("exit code 126, as when {program} cannot be executed by {}", approved.account),
        Ok(LIMITS_FAILED) => "exit code 125, as when its account or limits cannot be had: see its output".to_owned(),
        _ => String::new(),
    }
}

/// Ends the process and everything that descends from it. Says whether all of it is gone.
async fn end_all(group: Option<&Group>, child: &mut Child) -> bool {
    for _ in 0..SWEEPS_MAX {
        if let Some(group) = group
            && let Err(error) = group.kill()
        {
            tracing::warn!(%error, "a cgroup cannot be ended, its processes are one by one");
        }
        let left = sweep(child);
        let is_empty = left == 0 && group.is_none_or(Group::is_empty);
        if is_empty && child.try_wait().is_ok_and(|status| status.is_some()) {
            return true;
        }
        sleep(SWEEP).await;
    }
    false
}

/// Signals every descendant, buries those that were taken in, and says how many are left.
fn sweep(child: &Child) -> usize {
    let own = std::process::id();
    let processes = processes();
    let mut family = BTreeSet::from([own]);
    loop {
        let before = family.len();
        family
            .extend(processes.iter().filter(|one| family.contains(&one.parent)).map(|one| one.id).collect::<Vec<_>>());
        if family.len() == before {
            break;
        }
    }
    let mut left = 0;
    for one in processes.iter().filter(|one| one.id != own && family.contains(&one.id)) {
        let Some(pid) = i32::try_from(one.id).ok().and_then(Pid::from_raw) else { continue };
        if one.is_dead {
            // The runtime waits for its own child.
            if one.parent == own && child.id() != Some(one.id) {
                let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
            }
            continue;
        }
        left += 1;
        // It has just ended by itself, or is another's now; the next look tells.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    left
}

struct Process {
    id: u32,
    parent: u32,
    is_dead: bool,
}

fn processes() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    let read = |name: std::ffi::OsString| {
        let id: u32 = name.to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // After the name, which may hold anything: state, parent.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?;
        Some(Process { id, parent: fields.next()?.parse().ok()?, is_dead: matches!(state, "Z" | "X") })
    };
    folder.flatten().filter_map(|entry| read(entry.file_name())).collect()
}
