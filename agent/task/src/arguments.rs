//! The command line. A library's, so that man pages and completion are made of it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::exec_task;
use crate::settings::DEFAULT_FILE;

/// Runs the tasks that this host allows, once they are signed and approved.
#[derive(Parser)]
#[command(name = "muster-task", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// What is logged to standard error: error, warn, info, debug or trace
    #[arg(long, global = true, env = "MUSTER_LOG", default_value = "info")]
    pub log: String,
}

#[derive(Subcommand)]
pub enum Command {
    /// Wait for the agent, judge what it passes on, and run it
    Run(RunArguments),
    /// Judge the settings, and say what may run here: exit code 1 when something is wrong
    Check(Common),
    /// This host's own record of what was wanted of it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Take a run's place, become its account, then the program: how runs are started
    #[command(name = exec_task::WORD, hide = true)]
    ExecTask(ExecTaskArguments),
}

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Walk the whole chain: exit code 1, with the place, where it was changed
    Verify(Common),
    /// Print every entry as a line of JSON, oldest first
    Show(Common),
}

#[derive(Args)]
pub struct Common {
    /// What this host lets be run
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
}

#[derive(Args)]
pub struct RunArguments {
    /// Listen here [default: standard input, which muster-task.socket makes the socket]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct ExecTaskArguments {
    /// The process that starts it
    #[arg(long)]
    pub parent: u32,
    #[arg(long)]
    pub uid: u32,
    #[arg(long)]
    pub gid: u32,
    /// Bytes of data segments
    #[arg(long)]
    pub memory: u64,
    /// Processes of the account
    #[arg(long)]
    pub processes: u64,
    /// Processor seconds
    #[arg(long)]
    pub cpu: u64,
    /// The cgroup.procs to be in
    #[arg(long)]
    pub cgroup: Option<PathBuf>,
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}
