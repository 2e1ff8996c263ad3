//! `muster-task exec-task`: takes a run's place, limits itself, becomes the account, then the program.
//!
//! A step of its own instead of code between fork and exec, where a program with threads may do almost nothing. What fails here is told by
//! the exit codes of shells: 127 no such program, 126 it cannot be executed, 125 the place or the limits cannot be had.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::io::{Errno, FdFlags};
use rustix::process::{Resource, Rlimit, Signal};

/// The word on the command line.
pub const WORD: &str = "exec-task";
pub const LIMITS_FAILED: u8 = 125;
pub const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;
/// Descriptors: the usual limit of programs.
const FILES: u64 = 1_024;

/// Where and as whom the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The process that starts it; nothing is started once that has ended.
    pub parent: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of data segments of each process.
    pub memory_bytes: u64,
    /// Processes of the account, which are all that are its; root is not bounded by it.
    pub processes: u64,
    /// Processor seconds of each process, the net below the time limit.
    pub cpu_seconds: u64,
    /// The `cgroup.procs` to be in.
    pub cgroup: Option<PathBuf>,
}

impl Place {
    /// The arguments that say this, up to the program.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![WORD.into()];
        let Self { parent, uid, gid, memory_bytes, processes, cpu_seconds, cgroup } = self;
        for (name, value) in [
            ("parent", u64::from(*parent)),
            ("uid", u64::from(*uid)),
            ("gid", u64::from(*gid)),
            ("memory", *memory_bytes),
            ("processes", *processes),
            ("cpu", *cpu_seconds),
        ] {
            arguments.push(format!("--{name}={value}").into());
        }
        if let Some(cgroup) = cgroup {
            arguments.push("--cgroup".into());
            arguments.push(cgroup.into());
        }
        arguments.push("--".into());
        arguments
    }
}

/// Why the program did not start, with the exit code that says so.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("failed to {what}: {source}")]
    Place {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("no program was named")]
    NoProgram,
    #[error("the process that started this has ended")]
    Orphan,
    #[error("{program} cannot be started: {source}")]
    Exec {
        program: String,
        #[source]
        source: std::io::Error,
    },
}

impl ExecError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exec { source, .. } if source.kind() == std::io::ErrorKind::NotFound => NOT_FOUND,
            Self::Exec { .. } => NOT_EXECUTABLE,
            Self::Place { .. } | Self::NoProgram | Self::Orphan => LIMITS_FAILED,
        }
    }
}

/// Becomes the program; returns only why it did not.
pub fn exec(place: &Place, command: &[OsString]) -> ExecError {
    let Some((program, arguments)) = command.split_first() else { return ExecError::NoProgram };
    if let Err(error) = settle(place) {
        return error;
    }
    let source = Command::new(program).args(arguments).exec();
    ExecError::Exec { program: program.to_string_lossy().into_owned(), source }
}

fn failed(what: &'static str) -> impl Fn(Errno) -> ExecError {
    move |errno| ExecError::Place { what, source: errno.into() }
}

fn settle(place: &Place) -> Result<(), ExecError> {
    // No terminal, and no group that a signal to another would reach.
    rustix::process::setsid().map_err(failed("begin a session"))?;
    if let Some(procs) = &place.cgroup {
        std::fs::write(procs, "0").map_err(|source| ExecError::Place { what: "join the cgroup", source })?;
    }
    for (what, resource, most) in [
        ("limit core dumps", Resource::Core, 0),
        ("limit memory", Resource::Data, place.memory_bytes),
        ("limit processes", Resource::Nproc, place.processes),
        ("limit processor time", Resource::Cpu, place.cpu_seconds),
        ("limit files", Resource::Nofile, FILES),
    ] {
        // Only lower: above the present hard limit is not ours to go.
        let most = rustix::process::getrlimit(resource).maximum.map_or(most, |present| most.min(present));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(failed(what))?;
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Whoever starts as another gets no rights back: neither sudo nor a program with the bit of its owner.
    rustix::thread::set_no_new_privs(true).map_err(failed("give up new rights"))?;
    close_others().map_err(|source| ExecError::Place { what: "close what came along", source })?;
    become_account(place)?;
    // After the account, since a change of it takes the signal back; and then whether it would have come already.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("end with its parent"))?;
    let present = rustix::process::getppid().map(|id| id.as_raw_nonzero().get().unsigned_abs());
    if present == Some(place.parent) { Ok(()) } else { Err(ExecError::Orphan) }
}

/// Whatever whoever started `muster-task` left open: the program gets its three descriptors and no other.
fn close_others() -> std::io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in open {
        #[expect(
            unsafe_code,
            reason = "a descriptor of nobody knows whom has no owner in this program, and no safe call takes a number; this process has one thread, and the number was open a moment ago or is refused"
        )]
        // SAFETY: borrowed for this one call, which changes a flag of an open descriptor and fails for any other number.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        match rustix::io::fcntl_setfd(descriptor, FdFlags::CLOEXEC) {
            // The one that read the list.
            Ok(()) | Err(Errno::BADF) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// This process has one thread, so that a thread's account is the process'.
fn become_account(place: &Place) -> Result<(), ExecError> {
    let (uid, gid) = (rustix::process::Uid::from_raw(place.uid), rustix::process::Gid::from_raw(place.gid));
    if rustix::process::geteuid().is_root() {
        rustix::thread::set_thread_groups(&[gid]).map_err(failed("leave the groups"))?;
        rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(failed("take the account's group"))?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(failed("become the account"))?;
    }
    // Of root, of the account's own user, or of anybody else: what counts is who it is now.
    let is_there = rustix::process::getuid() == uid
        && rustix::process::geteuid() == uid
        && rustix::process::getgid() == gid
        && rustix::process::getegid() == gid;
    is_there.then_some(()).ok_or(ExecError::Place {
        what: "become the account (muster-task runs as root for that)",
        source: std::io::ErrorKind::PermissionDenied.into(),
    })
}
