//! `muster-agent exec-check`: sets a plugin's limits on itself, then becomes the plugin.
//!
//! A step of its own instead of code between fork and exec, where a program with threads may do almost nothing. What fails here is told by
//! the exit codes of shells: 127 no such program, 126 it cannot be executed, 125 the limits cannot be set.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal};

/// The word on the command line.
pub const WORD: &str = "exec-check";
/// The limits could not be set.
pub const LIMITS_FAILED: u8 = 125;
pub const NOT_EXECUTABLE: u8 = 126;
pub const NOT_FOUND: u8 = 127;

/// What a plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecLimits {
    /// Of its data segments (heap, stacks of threads): what runtimes only reserve does not count.
    pub memory_bytes: u64,
    /// Descriptors.
    pub files: u64,
    /// Processor seconds, the net below the time limit.
    pub cpu_seconds: u64,
    /// Steps of politeness.
    pub nice: i32,
}

impl ExecLimits {
    /// Scripts of Python or Java-like runtimes stay below it by far; a leak does not reach the host's memory.
    pub const MEMORY_BYTES: u64 = 512 << 20;
    /// The usual limit of programs, which a plugin that leaks descriptors meets soon.
    pub const FILES: u64 = 1_024;
    /// Behind whatever serves people, before what is idle.
    pub const NICE: i32 = 5;

    /// The arguments that say this to `exec-check`, up to the program. `parent` is the agent's process.
    pub(super) fn arguments(&self, parent: u32) -> [String; 7] {
        [
            WORD.to_owned(),
            format!("--parent={parent}"),
            format!("--memory={}", self.memory_bytes),
            format!("--files={}", self.files),
            format!("--cpu={}", self.cpu_seconds),
            format!("--nice={}", self.nice),
            "--".to_owned(),
        ]
    }
}

/// Why the program did not start, with the exit code that says so.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("failed to set the limit of {what}: {errno}")]
    Limit { what: &'static str, errno: rustix::io::Errno },
    #[error("no program was named")]
    NoProgram,
    #[error("the agent that started this has ended")]
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
            Self::Limit { .. } | Self::NoProgram | Self::Orphan => LIMITS_FAILED,
        }
    }
}

/// Becomes the program; returns only why it did not. With a `parent` it starts nothing once that process has ended.
pub fn exec(limits: ExecLimits, parent: Option<u32>, command: &[OsString]) -> ExecError {
    let Some((program, arguments)) = command.split_first() else { return ExecError::NoProgram };
    if let Err(error) = restrict(limits) {
        return error;
    }
    // After the death signal is set: a parent that ended before sends none any more.
    let present = rustix::process::getppid().map(|id| id.as_raw_nonzero().get().unsigned_abs());
    if parent.is_some() && parent != present {
        return ExecError::Orphan;
    }
    let source = Command::new(program).args(arguments).exec();
    ExecError::Exec { program: program.to_string_lossy().into_owned(), source }
}

fn restrict(limits: ExecLimits) -> Result<(), ExecError> {
    // Whoever started us may have made the group already; the leader of a session cannot, and needs not.
    let _ = rustix::process::setpgid(None, None);
    // An agent that is killed leaves no plugin behind.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    for (what, resource, soft, hard) in [
        ("core dumps", Resource::Core, 0, 0),
        ("memory", Resource::Data, limits.memory_bytes, limits.memory_bytes),
        // At the soft limit comes SIGXCPU, which tells itself apart, at the hard one SIGKILL.
        ("processor time", Resource::Cpu, limits.cpu_seconds, limits.cpu_seconds + 2),
        ("files", Resource::Nofile, limits.files, limits.files),
    ] {
        // Only lower: above the present hard limit is not ours to go.
        let present = rustix::process::getrlimit(resource).maximum;
        let hard = present.map_or(hard, |present| hard.min(present));
        let limit = Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) };
        rustix::process::setrlimit(resource, limit).map_err(|errno| ExecError::Limit { what, errno })?;
    }
    // A host that forbids it runs the plugin as it is.
    let _ = rustix::process::nice(limits.nice);
    Ok(())
}
