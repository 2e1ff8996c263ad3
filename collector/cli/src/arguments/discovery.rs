//! What hosts newly have, and what is decided of it.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DiscoveryArguments {
    #[command(subcommand)]
    pub verb: Option<DiscoveryVerb>,
    /// Only of this host; may stand several times.
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Only what is in this state.
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<ItemStateName>,
    /// Only of this kind: daemon, unit, port, mount, certificate, container.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ItemStateName {
    Proposed,
    Accepted,
    Ignored,
    Gone,
    Archived,
}

impl ItemStateName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Gone => "gone",
            Self::Archived => "archived",
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum DiscoveryVerb {
    /// Watch these things: their checks come to their host, and a daemon's profile with them.
    Accept(DecideArguments),
    /// Do not propose these things again.
    Ignore(DecideArguments),
    /// Do not watch any more what was accepted, because of --reason.
    Archive(DecideArguments),
    /// Rules that decide of proposals by themselves, ordered by name; the first that matches decides.
    #[command(subcommand)]
    Rules(DiscoveryRulesVerb),
}

#[derive(Debug, Args)]
pub struct DecideArguments {
    /// The host's name or id.
    #[arg(required_unless_present = "all")]
    pub host: Option<String>,
    /// The keys of its items, as `muster discovery` shows them: `unit:nginx.service`.
    #[arg(required_unless_present = "all", value_name = "KEY")]
    pub keys: Vec<String>,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// All that wait, or of `archive` all that are gone, of --host or of --kind.
    #[arg(long, conflicts_with_all = ["host", "keys"])]
    pub all: bool,
    /// With --all: of this host.
    #[arg(long = "host", id = "of_host", value_name = "HOST", requires = "all", conflicts_with_all = ["host", "keys"])]
    pub of_host: Option<String>,
    /// With --all: of this kind.
    #[arg(long, value_name = "KIND", requires = "all", conflicts_with_all = ["host", "keys"])]
    pub kind: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum DiscoveryRulesVerb {
    /// Those there are, of files as well.
    List,
    /// Make a rule, or give it in place of the one of its name; what waits is judged anew.
    Set {
        /// Its name: rules are asked in the order of their names.
        name: String,
        #[command(flatten)]
        rule: RuleArguments,
    },
    /// Remove a rule; what it decided stays.
    Rm {
        /// Its name.
        name: String,
    },
    /// What of that which waits such a rule would decide; nothing is changed.
    Test(RuleArguments),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("action").required(true).args(["accept", "ignore"])))]
pub struct RuleArguments {
    /// Accept what matches.
    #[arg(long)]
    pub accept: bool,
    /// Ignore what matches.
    #[arg(long)]
    pub ignore: bool,
    /// Only of this kind: daemon, unit, port, mount, certificate, container.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// Items with such a field: `port=~"80|443"`, `process=nginx`, `name=~"shop-.*"`. Several must all match.
    #[arg(long = "item", value_name = "MATCHER")]
    pub items: Vec<String>,
    /// Hosts with such a label: `role=web`, `host=~"web.*"`. Several must all match.
    #[arg(long = "match", value_name = "MATCHER")]
    pub hosts: Vec<String>,
}
