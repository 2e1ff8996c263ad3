//! The command line of users, logins and the audit.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Sees everything, changes nothing.
    Viewer,
    /// Silences, acknowledges and plans downtimes as well.
    Operator,
    /// Everything, users and tokens included.
    Admin,
}

impl RoleName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum UserVerb {
    /// Make a user; the password is asked for on the terminal.
    Add {
        /// Lower-case letters, digits, `.`, `-` and `_`.
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: RoleName,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Set another password; the user's sessions end, and the tokens that it made.
    Passwd {
        name: String,
        #[command(flatten)]
        password: PasswordFile,
    },
    /// Give a user another role; its sessions end, and the tokens that it made.
    Role {
        name: String,
        #[arg(value_enum)]
        role: RoleName,
    },
    /// Let a user in no more, but keep it; its sessions end, and the tokens that it made.
    Disable { name: String },
    /// Let a disabled user in again.
    Enable { name: String },
    /// Remove a user for good.
    Remove { name: String },
    /// All users.
    List,
}

#[derive(Debug, Args)]
pub struct PasswordFile {
    /// Read the password from this file's first line, or from standard input (`-`), instead of the terminal.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct LoginArguments {
    /// The user.
    pub name: String,
    #[command(flatten)]
    pub password: PasswordFile,
}

#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Who changed what, from where, and what was refused; the oldest first.
    List {
        /// How far to look back, or since when: `7d`, 2026-01-31T14:00:00Z [default: the newest rows].
        #[arg(long, value_name = "T")]
        since: Option<String>,
        /// Only what this one did: `user:ann`, `token:3f2a90b1`, `unix:0`, `file`.
        #[arg(long, value_name = "WHO")]
        by: Option<String>,
        /// Until when [default: now].
        #[arg(long, value_name = "T")]
        until: Option<String>,
        /// Only this action, as the list shows it: `host_approved`, `login_failed`.
        #[arg(long, value_name = "ACTION")]
        action: Option<String>,
        /// Only what was done to exactly this: a host, a token, a user.
        #[arg(long, value_name = "OBJECT")]
        object: Option<String>,
        /// Only what was done, or only what was refused.
        #[arg(long, value_name = "RESULT", value_parser = ["done", "refused"])]
        result: Option<String>,
        /// At most so many rows, the newest [default: 200; with --since: all].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
    /// Walk the whole chain: is every row as it was written, and none missing?
    Verify {
        /// A hash that was noted earlier: one of the rows must have it.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}
