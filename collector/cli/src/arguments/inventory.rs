//! What hosts have and are, and what changed.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum InventoryVerb {
    /// The tables that there are, with their columns.
    Tables,
    /// Which tables are known of a host, or the rows of one.
    Show {
        /// The host's name or id.
        host: String,
        /// The table, such as `packages`; none: what is known of each.
        table: Option<String>,
        /// As of when: `2h` ago, 2026-01-31T14:00:00Z [default: now].
        #[arg(long, value_name = "T")]
        at: Option<String>,
    },
    /// One SELECT over the tables of all hosts, as SQLite has it: `SELECT host, version FROM packages WHERE name = 'openssl'`.
    Query {
        /// The question; `-` reads it from standard input.
        sql: String,
        /// As of when [default: now].
        #[arg(long, value_name = "T")]
        at: Option<String>,
    },
    /// What differs between two hosts, or between a host then and now (--since).
    Diff {
        /// The host's name or id.
        host: String,
        /// The other one.
        #[arg(required_unless_present = "since", conflicts_with = "since")]
        other: Option<String>,
        /// Against the same host as it was then.
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Both as of when [default: now].
        #[arg(long, value_name = "T")]
        at: Option<String>,
        /// This table alone.
        #[arg(long, value_name = "TABLE")]
        table: Option<String>,
    },
    /// What hosts that ought to be alike have otherwise than most of them.
    Drift(DriftArguments),
    /// Pin what hosts have now as what they ought to have: `muster inventory pin web --match role=web --table packages`.
    Pin(PinArguments),
    /// Drop a baseline.
    Unpin {
        /// Its name.
        name: String,
    },
    /// What is pinned.
    Baselines,
}

#[derive(Debug, Args)]
pub struct PinArguments {
    /// The baseline's name, such as that of the role; that of a host without --match: this host, as it is now.
    pub name: String,
    /// Hosts that ought to be so: `role=web`, `host=~"web.*"`. Several must all match.
    #[arg(long = "match", value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// What this host has is right [default: what more than half of the hosts have].
    #[arg(long, value_name = "HOST", requires = "matchers")]
    pub host: Option<String>,
    /// This table; may stand several times [default: all].
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
}

#[derive(Debug, Args)]
pub struct DriftArguments {
    /// Hosts with the same value of this label ought to be alike; may stand several times [default: all labels].
    #[arg(long = "group", value_name = "LABEL")]
    pub groups: Vec<String>,
    /// What hosts have otherwise than this baseline says, instead of most of their group.
    #[arg(long, value_name = "NAME", conflicts_with = "groups")]
    pub baseline: Option<String>,
    /// This table alone.
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Only what this host has otherwise.
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Also rows that most hosts have of their own, such as addresses.
    #[arg(long)]
    pub own: bool,
    /// At most so many rows.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
pub enum ChangesVerb {
    /// Say that hosts are going to change, or have just changed: what nobody announced stands out.
    #[command(group(clap::ArgGroup::new("about").required(true).multiple(true).args(["hosts", "matchers"])))]
    Announce(AnnounceArguments),
    /// The announcements that are kept.
    Announced,
    /// End an announcement before its time.
    End {
        /// Its number, as `muster changes announced` shows it.
        id: u64,
    },
}

#[derive(Debug, Args)]
pub struct AnnounceArguments {
    /// This host; may stand several times.
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Hosts with such a label: `role=web`, `host=~"web.*"`. Several must all match.
    #[arg(long = "match", value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// What is going to be done.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// From when: `2h` ago at the earliest 24h [default: now].
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// For how long: `1h`.
    #[arg(long = "for", value_name = "SPAN", required_unless_present = "until", conflicts_with = "until")]
    pub span: Option<String>,
    /// Until when.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ChangesArguments {
    #[command(subcommand)]
    pub verb: Option<ChangesVerb>,
    /// Only those that nobody announced.
    #[arg(long)]
    pub unannounced: bool,
    /// Only what changed in the 24 hours before this alert and may be its reason, the likeliest first; `muster alerts` shows the ids.
    #[arg(long = "for", value_name = "ALERT", conflicts_with_all = ["hosts", "table", "text", "since", "until", "unannounced"])]
    pub alert: Option<String>,
    /// Only of this host; may stand several times.
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Only of this table.
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Only with this text in the row before or after it.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// How far to look back, or since when [default: 24h].
    #[arg(long, value_name = "T")]
    pub since: Option<String>,
    /// Until when [default: now].
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Also what changes all the time, such as whether a unit runs.
    #[arg(long)]
    pub all: bool,
    /// At most so many, the newest.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}
