//! The command line. Names and defaults are fixed: packages and people's scripts stand on them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod alerting;
mod ask;
mod availability;
mod deploys;
mod discovery;
mod gate;
mod inventory;
mod maintenance;
mod people;
mod profiles;
mod tasks;

pub use alerting::{
    AckArguments, AlertsArguments, ChecksVerb, DowntimeAdd, DowntimeVerb, MailVerb, PreviewForm, RouteVerb, RulesVerb,
    SilenceAdd, SilenceVerb,
};
pub use ask::AskArguments;
pub use availability::{AvailabilityArguments, PlannedTime, ReportForm};
pub use deploys::{
    DeployFinish, DeployList, DeployResultName, DeployStart, DeployVerb, FreezeNew, FreezeOverride, FreezeVerb,
};
pub use discovery::{DecideArguments, DiscoveryArguments, DiscoveryRulesVerb, DiscoveryVerb, RuleArguments};
pub use gate::{GateArguments, GateVerb};
pub use inventory::{AnnounceArguments, ChangesArguments, ChangesVerb, DriftArguments, InventoryVerb, PinArguments};
pub use maintenance::{MaintenanceStart, MaintenanceVerb};
pub use people::{AuditVerb, LoginArguments, PasswordFile, RoleName, UserVerb};
pub use profiles::{ApplyArguments, ChangeArguments, ProfilesVerb};
pub use tasks::{CallArguments, KeyVerb, RolloutArguments, RolloutVerb, SteerArguments, TaskVerb, Trouble};

/// The operator's command for Muster. Exit code 0: ok; 1: the collector says no; 2: wrong usage, or nothing could be learnt.
#[derive(Debug, Parser)]
#[command(name = "muster", version, max_term_width = 120)]
pub struct Arguments {
    /// Where the collector listens for HTTP [default: its unix socket, where this user may use it, else http://127.0.0.1:9470].
    #[arg(long, global = true, env = "MUSTER_URL", value_name = "URL")]
    pub url: Option<String>,
    /// The certificate of the CA to trust for https, PEM [default: those that this machine trusts].
    #[arg(long, global = true, env = "MUSTER_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The pin of the collector's key, to trust for https: `sha256//BASE64`, as `muster status` shows it.
    #[arg(long, global = true, env = "MUSTER_PIN", value_name = "PIN")]
    pub pin: Option<String>,
    /// Send the token over plain http to another machine.
    #[arg(long, global = true)]
    pub insecure_http: bool,
    /// A token; else the variable, else the session of `muster login`, else the file `admin.token` in the collector's data folder when --url is of this machine.
    #[arg(long, global = true, env = "MUSTER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The collector's data folder, to find `http.sock` and `admin.token` in; given, its token goes to any --url [default:
    /// /var/lib/muster-collector].
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The file that `muster login` keeps its session in; it counts where no token is given [default:
    /// ~/.local/state/muster/session.json].
    #[arg(long, global = true, env = "MUSTER_SESSION", value_name = "FILE")]
    pub session: Option<PathBuf>,
    /// How to print answers.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    #[command(subcommand)]
    pub noun: Noun,
}

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    Csv,
    /// Of `muster logs`: the lines alone, byte for byte.
    Raw,
}

#[derive(Debug, Subcommand)]
pub enum Noun {
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(TokenVerb),
    /// Local users: who may log in, and what they may do.
    #[command(subcommand)]
    User(UserVerb),
    /// Log in as a user; the commands that follow are this user's.
    Login(LoginArguments),
    /// End the session of `muster login`.
    Logout,
    /// Who changed what, and whether that record is whole.
    #[command(subcommand)]
    Audit(AuditVerb),
    /// The hosts and their life cycle.
    #[command(subcommand)]
    Hosts(HostsVerb),
    /// What hosts have and are: packages, users, ports, mounts and more, now or then.
    #[command(subcommand)]
    Inventory(InventoryVerb),
    /// What changed on hosts.
    Changes(ChangesArguments),
    /// What a change of profiles would do to hosts.
    Plan(ChangeArguments),
    /// Change profiles: hosts get what follows from it by a roll-out.
    Apply(ApplyArguments),
    /// Profiles: which hosts read which logs and run which checks, and how that is rolled out.
    #[command(subcommand)]
    Profiles(ProfilesVerb),
    /// Ask hosts what they have right now: processes, connections, disk usage, logins, and every table of the inventory.
    Ask(AskArguments),
    /// What hosts newly have: accept what is to be watched, ignore the rest, archive what is gone.
    Discovery(DiscoveryArguments),
    /// Services as they are declared, and which version of each is where.
    Services,
    /// Say that a service is deployed, and how that ended.
    #[command(subcommand)]
    Deploy(DeployVerb),
    /// Times at which nothing is to be deployed.
    #[command(subcommand)]
    Freeze(FreezeVerb),
    /// May this version of a service go to that environment: exit code 0 go, 1 no-go, 2 unknown.
    Gate(GateArguments),
    /// Order hosts to do something that a signed catalogue has: ask, approve, watch.
    #[command(subcommand)]
    Task(TaskVerb),
    /// Have a task go over hosts in waves.
    #[command(subcommand)]
    Rollout(RolloutVerb),
    /// Ask in PromQL.
    Query(QueryArguments),
    /// Show log lines, or ask in LogQL.
    Logs(Box<LogsArguments>),
    /// Checks of hosts: how they stand, who has taken them, planned downtimes.
    #[command(subcommand)]
    Checks(ChecksVerb),
    /// Planned work on hosts: nobody is told while it goes on, and somebody is if health does not return.
    #[command(subcommand)]
    Maintenance(MaintenanceVerb),
    /// How available hosts, or a check of each, were in a month, with planned downtime counted, excluded or ignored.
    Availability(AvailabilityArguments),
    /// Alerts that fire, and why any of them is not told.
    Alerts(AlertsArguments),
    /// Mute alerts for a time.
    #[command(subcommand)]
    Silence(SilenceVerb),
    /// Rule files: what is in force, and what is wrong with a file before it is.
    #[command(subcommand)]
    Rules(RulesVerb),
    /// Who would be told of an alert, and why or why not.
    #[command(subcommand)]
    Route(RouteVerb),
    /// Notices on their way: the queue, a preview, a test.
    #[command(subcommand)]
    Mail(MailVerb),
    /// Copies of everything that the collector keeps, made while it runs.
    #[command(subcommand)]
    Snapshot(SnapshotVerb),
    /// How the collector is: version, hosts, store, ingest, drops by reason.
    Status {
        /// Print nothing but what others know its HTTPS by.
        #[arg(long, value_enum, value_name = "WHAT")]
        show: Option<Shown>,
    },
    /// Look at everything that the collector stands on, and say how to mend what is wrong: exit code 1 when there is a problem.
    Doctor,
    /// Write an archive for whoever helps: settings, status, findings, hosts and checks, without secrets.
    Bundle {
        /// The archive's file, a new one [default: muster-bundle-SECONDS.tar.gz in this folder].
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}

/// A part of the status, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// The pin of its key, for --pin and curl's --pinnedpubkey.
    Pin,
    /// The certificate of its own CA, PEM, for --ca and everything that takes a file of CAs.
    Ca,
}

#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// A word that lets a host enrol, or (with --scope) lets a person or program use the HTTP API.
    New(NewToken),
    /// All tokens that are not yet gone; secrets are never shown again.
    List,
    /// Make a token useless.
    Revoke {
        /// The token's id, as `muster token list` shows it.
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whom").required(true).args(["name", "pattern", "scope"]))]
pub struct NewToken {
    /// The one name that the host will have.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The names that hosts may enrol under, such as `web-*`.
    #[arg(long, value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// How long the token is good [default: 1h; with --scope: 90d].
    #[arg(long, value_name = "SPAN")]
    pub ttl: Option<String>,
    /// How many hosts may enrol with it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub uses: u32,
    /// A label that these hosts get on all their series.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    pub labels: Vec<(String, String)>,
    /// Let it take the place of a registered host of the same name: for machines installed anew.
    #[arg(long)]
    pub replace: bool,
    /// Hosts retire by themselves after so long a silence.
    #[arg(long, value_name = "SPAN")]
    pub ephemeral: Option<String>,
    /// A token for the HTTP API instead: read, ingest, silence, ask, deploy, task:request, task:approve or admin; may be given several times.
    #[arg(long, value_name = "SCOPE", conflicts_with_all = ["uses", "labels", "replace", "ephemeral", "command"])]
    pub scope: Vec<String>,
    /// Print nothing but the one command that installs the agent, for scripts: `ssh root@web-1 "$(muster token new --name web-1 --command)"`.
    #[arg(long)]
    pub command: bool,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as env=production".to_owned()),
    }
}

/// What processes are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProcessOrder {
    Cpu,
    Memory,
    /// Bytes read and written.
    Io,
}

#[derive(Debug, Subcommand)]
pub enum HostsVerb {
    /// All hosts: those registered, those that wait, those set aside.
    List {
        /// Retired hosts too.
        #[arg(long)]
        all: bool,
    },
    /// Which processes used most of a host, now or at a moment of the last day.
    Processes {
        /// Name or id.
        host: String,
        /// The moment: RFC 3339, seconds since 1970, or how long ago (5m). Without it: the newest look.
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        at: Option<String>,
        /// By what they are sorted.
        #[arg(long, value_enum, default_value_t = ProcessOrder::Cpu)]
        by: ProcessOrder,
    },
    /// Let a waiting host in.
    Approve {
        /// Name or id.
        host: String,
        /// Let it in under this name.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// A label that it gets on all its series.
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
        labels: Vec<(String, String)>,
    },
    /// Give a host another name; it keeps its id and its history.
    Rename {
        /// Name or id.
        host: String,
        /// The new name.
        name: String,
    },
    /// Set or remove labels that a host has on all its series; its open alerts go on, and nobody is told.
    Label {
        /// Name or id.
        host: String,
        /// A label to set (KEY=VALUE), or to remove (KEY-).
        #[arg(required = true, value_name = "KEY=VALUE|KEY-")]
        labels: Vec<String>,
    },
    /// Let the machine that waits under this host's name take its place.
    Replace {
        /// Name or id.
        host: String,
    },
    /// The host is gone for good: deny its certificate, end its series, keep its history.
    Retire {
        /// Name or id.
        host: String,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum SnapshotVerb {
    /// Make one and wait until it is complete. Paths are of the collector's machine.
    Create {
        /// The folder to make it in [default: `folder` of `[snapshot]`, else muster-snapshots beside the data folder].
        #[arg(long, value_name = "DIR")]
        to: Option<String>,
        /// The file with the key for the CA's private key [default: `key_file` of `[snapshot]`].
        #[arg(long, value_name = "FILE", conflicts_with = "without_ca_key")]
        key_file: Option<String>,
        /// Leave that key out: after a restore every host must enrol anew.
        #[arg(long)]
        without_ca_key: bool,
    },
    /// Those there are. To check and to restore one: `muster-collector verify-snapshot` and `muster-collector restore`.
    List,
}

#[derive(Debug, Args)]
pub struct QueryArguments {
    /// The expression.
    pub expression: String,
    /// When: a time (2026-01-31T14:00:00Z, or seconds since 1970) or how long ago (5m) [default: now].
    #[arg(long, value_name = "T")]
    pub at: Option<String>,
    /// Ask for this much time up to --at instead of one moment.
    #[arg(long, value_name = "SPAN")]
    pub since: Option<String>,
    /// Time between two points [default: about 200 points].
    #[arg(long, value_name = "SPAN", requires = "since")]
    pub step: Option<String>,
    /// Draw a graph in the terminal.
    #[arg(long, requires = "since")]
    pub plot: bool,
    /// Columns of the terminal [default: as it is, else 100].
    #[arg(long, value_name = "N")]
    pub width: Option<usize>,
}

#[derive(Debug, Args)]
pub struct LogsArguments {
    /// A selector such as `{job="journal"}`, or any LogQL query [default: the lines of every host].
    pub query: Option<String>,
    /// Only lines of this host.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// Only lines of this unit.
    #[arg(long, value_name = "NAME")]
    pub unit: Option<String>,
    /// Only lines that contain this text; given several times, all of them.
    #[arg(long, value_name = "TEXT")]
    pub grep: Vec<String>,
    /// How far to look back from --until.
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    pub since: String,
    /// Up to when: a time (2026-01-31T14:00:00Z, or seconds since 1970) or how long ago (5m) [default: now].
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// How many lines: the newest, or with --forward the oldest.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// The oldest lines of the time instead of the newest.
    #[arg(long)]
    pub forward: bool,
    /// Then go on with lines as they come.
    #[arg(short, long, conflicts_with_all = ["until", "forward", "context", "plot", "histogram"])]
    pub follow: bool,
    /// Show so many lines before and after each line found, of its own stream.
    #[arg(long, value_name = "N", conflicts_with_all = ["plot", "histogram"])]
    pub context: Option<u16>,
    /// Draw numbers over time; of a query for lines, how many there are.
    #[arg(long)]
    pub plot: bool,
    /// Draw numbers over time as bars, one a step; of a query for lines, how many of each level there are.
    #[arg(long, conflicts_with = "plot")]
    pub histogram: bool,
    /// Time between two numbers [default: about 200 of them, with --histogram about 20].
    #[arg(long, value_name = "SPAN")]
    pub step: Option<String>,
    /// Columns of the terminal [default: as it is, else 100].
    #[arg(long, value_name = "N")]
    pub width: Option<usize>,
}
