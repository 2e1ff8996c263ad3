//! The gate.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GateArguments {
    #[command(subcommand)]
    pub verb: Option<GateVerb>,
    /// The service, as it is declared.
    #[arg(long, value_name = "NAME", required = true)]
    pub service: Option<String>,
    /// The version that is to go out.
    #[arg(long = "version", value_name = "V", required = true)]
    pub version: Option<String>,
    /// The environment that it is to go to.
    #[arg(long, value_name = "ENV", required = true)]
    pub to: Option<String>,
    /// Ask again until it is go or no-go, for so long at most: while the version soaks it is unknown.
    #[arg(long, value_name = "SPAN")]
    pub wait: Option<String>,
    /// Whether it may go back to this version, which must have ended ok there.
    #[arg(long)]
    pub rollback: bool,
    /// Take on yourself what speaks against it; what is unknown cannot be taken on.
    #[arg(long = "override", requires = "reason")]
    pub overrides: bool,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", requires = "overrides")]
    pub reason: Option<String>,
    /// Lift this alone, such as `freeze`; may stand several times [default: all that can be lifted].
    #[arg(long = "lift", value_name = "CODE", requires = "overrides")]
    pub lift: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum GateVerb {
    /// What the gate has decided, the newest first.
    Decisions {
        /// Only of this service.
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// A decision with its reasons, and whether its facts give the same one now: exit code 1 when they do not.
    Replay {
        /// The decision's number.
        id: u64,
    },
}
