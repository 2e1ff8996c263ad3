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
}

#[derive(Debug, Args)]
pub struct ChangesArguments {
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
