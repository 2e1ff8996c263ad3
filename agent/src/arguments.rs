//! The command line. Names and defaults are fixed: packages and people's scripts stand on them. A library's, so that man pages and
//! completion are made of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use muster_common::check::CheckState;
use muster_common::time::parse_span;
use muster_common::wire::message::{Perfdata, WireLabel};

use crate::checks::exec_check::{self, ExecLimits};
use crate::handed::{perfdata, push};

/// Samples this host and sends it to a Muster collector.
#[derive(Parser)]
#[command(name = "muster-agent", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// What is logged to standard error: error, warn, info, debug or trace
    #[arg(long, global = true, env = "MUSTER_LOG", default_value = "info")]
    pub log: String,
}

#[derive(Subcommand)]
pub enum Command {
    /// Make this host known to a collector, with a word from `muster token new`
    Enrol(EnrolArguments),
    /// Sample and send until stopped
    Run(Common),
    /// Print what would be sent, in Prometheus' text form
    Collect(CollectArguments),
    /// Print what this host has and is, as the collector is told it
    Inventory(InventoryArguments),
    /// Show how the running agent is: exit code 0 when all is well
    Status(StatusArguments),
    /// Look at everything that the agent stands on, and say how to mend what is wrong: exit code 1 when there is a problem
    Doctor(DoctorArguments),
    /// Write an archive for whoever helps: settings, status, findings and own log, without secrets
    Bundle(BundleArguments),
    /// Run checks of the configuration by hand
    #[command(subcommand)]
    Check(CheckCommand),
    /// What the collector adds to this host's configuration
    #[command(subcommand)]
    Remote(RemoteCommand),
    /// Set limits on this process, then become the program: how the agent starts plugins
    #[command(name = exec_check::WORD, hide = true)]
    ExecCheck(ExecCheckArguments),
    /// Run a command, such as a cron job, and tell the collector how it went; ends with the command's exit code
    Exec(ExecArguments),
    /// Hand over the result of a check that somebody else made: exit code 0 once it is durable
    Push(PushArguments),
}

#[derive(Subcommand)]
pub enum CheckCommand {
    /// Run one check now and show what would be sent: the exit code is its state
    Run(CheckRunArguments),
    /// Print the commands of NRPE's configuration as [[checks]]: exit code 1 when some were not taken
    Import(ImportArguments),
}

#[derive(Subcommand)]
pub enum RemoteCommand {
    /// Print what is in force, on trial or refused, and the document
    Show(RemoteShowArguments),
    /// Judge a document by this host's own file: exit code 1, with everything that is wrong, when it would be refused
    Check(RemoteCheckArguments),
}

#[derive(Args)]
pub struct RemoteShowArguments {
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct RemoteCheckArguments {
    /// The document: TOML with [[logs]], [[checks]] and [redaction]
    pub file: PathBuf,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct CheckRunArguments {
    /// The `name` of a [[checks]]
    pub name: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct ImportArguments {
    /// NRPE's configuration, such as /etc/nagios/nrpe.cfg; what it includes is read too
    pub file: PathBuf,
    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
}

#[derive(Args)]
pub struct DoctorArguments {
    /// The service's file to judge by [default: the installed muster-agent.service, with its drop-ins]
    #[arg(long, value_name = "FILE")]
    pub unit: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: DoctorOutput,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DoctorOutput {
    Text,
    Json,
}

#[derive(Args)]
pub struct BundleArguments {
    /// The archive's file, a new one [default: muster-agent-bundle-SECONDS.tar.gz in this folder]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct ExecCheckArguments {
    /// The process that starts it; nothing is started once that has ended
    #[arg(long)]
    pub parent: Option<u32>,
    /// Bytes of data segments
    #[arg(long, default_value_t = ExecLimits::MEMORY_BYTES)]
    pub memory: u64,
    /// Open files
    #[arg(long, default_value_t = ExecLimits::FILES)]
    pub files: u64,
    /// Processor seconds
    #[arg(long, default_value_t = 60)]
    pub cpu: u64,
    /// Steps of politeness
    #[arg(long, default_value_t = ExecLimits::NICE)]
    pub nice: i32,
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

#[derive(Args)]
pub struct Common {
    /// Configuration file; its absence is no error unless named here [default: /etc/muster/agent.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of identity, spool and status [default: agent.state_dir, /var/lib/muster-agent]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Override one setting, such as metrics.interval=1s; may be given often
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Args)]
pub struct EnrolArguments {
    /// The collector's address for agents
    #[arg(long, value_name = "HOST:PORT")]
    pub collector: String,
    /// The word that `muster token new` printed; others on this machine can see it in the process list
    #[arg(long, value_name = "WORD", env = "MUSTER_ENROL_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// A file that holds the word, or - for standard input; goes before --token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The name to register [default: the token's, else this host's]
    #[arg(long)]
    pub name: Option<String>,
    /// Enrol anew although this host has an identity
    #[arg(long)]
    pub replace: bool,
    /// Do not wait where a person must approve first: exit code 1 then
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct CollectArguments {
    /// One row, then the end
    #[arg(long, required = true)]
    pub once: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct InventoryArguments {
    /// One table, such as packages [default: all]
    pub table: Option<String>,
    /// Print what each look costs instead of what it finds
    #[arg(long, conflicts_with = "output")]
    pub cost: bool,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct StatusArguments {
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct ExecArguments {
    /// The check's name
    #[arg(value_parser = push::parse_name)]
    pub name: String,
    /// How often it is started: when no run is told within that and --grace, the check is stale
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub every: Option<Duration>,
    /// How late a run may be
    #[arg(long, value_name = "SPAN", value_parser = parse_span, default_value = "1h")]
    pub grace: Duration,
    /// Failures in a row that make a problem
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub attempts: u16,
    /// A label of the check's series and alerts; may be given often
    #[arg(long, value_name = "NAME=VALUE", value_parser = push::parse_label)]
    pub label: Vec<WireLabel>,
    /// End the command, and all that it started, after this
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub timeout: Option<Duration>,
    /// The command is a monitoring plugin: exit codes 0 to 3 are states, and its first line is the output
    #[arg(long)]
    pub plugin: bool,
    #[command(flatten)]
    pub common: Common,
    /// The command and its arguments, behind --
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

#[derive(Args)]
pub struct PushArguments {
    /// The check's name
    #[arg(value_parser = push::parse_name)]
    pub name: String,
    /// OK, WARNING, CRITICAL, UNKNOWN or 0 to 3
    #[arg(long, value_parser = push::parse_state)]
    pub state: CheckState,
    /// What was found; - reads it from standard input
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub output: String,
    /// A number that was found: LABEL=VALUE[UNIT][;WARN[;CRIT[;MIN[;MAX]]]]; may be given often
    #[arg(long, value_name = "NUMBER", value_parser = perfdata::parse)]
    pub perfdata: Vec<Perfdata>,
    /// When no other result is told within this, the check is stale
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub ttl: Option<Duration>,
    /// Bad results in a row that make a problem
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub attempts: u16,
    /// A label of the check's series and alerts; may be given often
    #[arg(long, value_name = "NAME=VALUE", value_parser = push::parse_label)]
    pub label: Vec<WireLabel>,
    /// Configuration file; its absence is no error unless named here [default: /etc/muster/agent.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of identity, spool and status, since --state is the check's [default: agent.state_dir, /var/lib/muster-agent]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Override one setting, such as agent.state_dir=/srv/agent; may be given often
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_argument_contradicts_another() {
        super::Arguments::command().debug_assert();
    }
}
