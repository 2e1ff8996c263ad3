//! What inventories and configurations of many hosts cost, how soon a change is known, and whether what is asked of it is true.

mod cost;
mod history;
mod members;
mod reverted;
mod size;
mod suspects;
mod visible;

use std::path::PathBuf;

use anyhow::Result;

/// `muster-trial inventory`
#[derive(clap::Subcommand)]
pub enum Word {
    /// From an edited file and a new port to the API of the collector, by a real agent.
    Visible {
        /// Folder of the built programs.
        #[arg(long)]
        programs: PathBuf,
        /// Each begins at another moment of the minute between two looks.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// Processor time of a real agent that looks at the inventory, beside one that does not.
    Cost {
        /// Folder of the built programs.
        #[arg(long)]
        programs: PathBuf,
        /// 900 have each table's look at least once.
        #[arg(long, default_value_t = 900)]
        seconds: u64,
    },
    /// Answers as of random moments, and the log, against a model that keeps every look.
    History {
        #[arg(long, default_value_t = 20)]
        hosts: usize,
        #[arg(long, default_value_t = 1_000)]
        looks: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Bytes on the wire, on the disk and in memory of hosts with 600 packages.
    Size {
        #[arg(long, default_value_t = 10_000)]
        hosts: usize,
    },
    /// What the fleet in a folder takes in memory: the part of `size` that is a process of its own.
    Opened {
        #[arg(long)]
        folder: PathBuf,
    },
    /// Made-up faults among decoys, and groups of hosts with a planted separator and with none.
    Suspects {
        /// Of 30 faults each.
        #[arg(long, default_value_t = 100)]
        sets: u64,
        #[arg(long, default_value_t = 1_000)]
        groups: u64,
    },
    /// A configuration that breaks on one host of many: it refuses it, or runs it and goes back.
    Reverted {
        #[arg(long, default_value_t = 100)]
        hosts: usize,
    },
}

/// Runs the trial: `key=value` words.
///
/// # Errors
/// When it cannot be carried out; a figure that is short is no error.
pub fn trial(word: &Word) -> Result<String> {
    match word {
        Word::Visible { programs, rounds } => visible::trial(programs, *rounds),
        Word::Cost { programs, seconds } => cost::trial(programs, *seconds),
        Word::History { hosts, looks, seed } => history::trial(*hosts, *looks, *seed),
        Word::Size { hosts } => size::trial(*hosts),
        Word::Opened { folder } => size::opened(folder),
        Word::Suspects { sets, groups } => Ok(suspects::trial(*sets, *groups)),
        Word::Reverted { hosts } => reverted::trial(*hosts),
    }
}
