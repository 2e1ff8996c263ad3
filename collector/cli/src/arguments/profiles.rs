//! Profiles: what hosts are set up by.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `muster plan` and `muster apply`.
#[derive(Debug, Args)]
pub struct ChangeArguments {
    /// Files of profiles (YAML), or folders of them; `-` is standard input.
    #[arg(required_unless_present = "remove")]
    pub files: Vec<PathBuf>,
    /// Remove this profile; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub remove: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ApplyArguments {
    #[command(flatten)]
    pub change: ChangeArguments,
    /// Why, for the audit and the events.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Only if the profiles are still those that were planned over, as `muster plan` says.
    #[arg(long, value_name = "VERSION")]
    pub base: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub enum ProfilesVerb {
    /// All profiles: those that come along, of files, of the API.
    List,
    /// One profile's document.
    Show {
        /// Its name.
        name: String,
    },
    /// The profiles that the API has, as `muster apply` takes them.
    Export,
    /// Versions of all profiles together; with a number: the documents of that one.
    Versions {
        /// A version.
        version: Option<u64>,
    },
    /// Put a profile in force on a host.
    Assign {
        /// The host's name or id.
        host: String,
        /// The profile's name.
        name: String,
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take that back.
    Unassign {
        /// The host's name or id.
        host: String,
        /// The profile's name.
        name: String,
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Which hosts have which profile by hand.
    Assigned,
    /// What a host runs by, and what it said to it.
    Host {
        /// The host's name or id.
        host: String,
        /// Give it the newest configuration once more, after that broke there.
        #[arg(long)]
        retry: bool,
    },
    /// How configurations are rolled out.
    Rollouts,
    /// Stop the roll-out that runs: nobody else gets the new configuration.
    Stop {
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Go on with the one that is stopped.
    Resume,
    /// Put in force again what was before the open roll-out.
    Revert {
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
