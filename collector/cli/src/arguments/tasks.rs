//! Tasks: what hosts are ordered to do, who approves it, and in which waves.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum TaskVerb {
    /// Orders, newest first.
    List,
    /// The tasks that there are.
    Catalogue,
    /// Hand in a newer catalogue, with its signature from FILE.sig.
    Add {
        /// The catalogue as it was signed (TOML).
        file: PathBuf,
    },
    /// Ask for a task on hosts, all at once; `muster rollout start` goes in waves.
    Run(CallArguments),
    /// An order with its hosts.
    Show {
        /// Its number.
        order: u64,
    },
    /// What a task wrote on a host.
    Output {
        /// The order's number.
        order: u64,
        /// The host's name or id.
        host: String,
        /// Of what takes it back.
        #[arg(long)]
        back: bool,
    },
    /// Read an order and sign it: then it begins. Somebody else than who asked must do it.
    Approve {
        /// Its number.
        order: u64,
        /// The file of your private key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The name under which hosts have your key.
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        /// Do not show it and ask.
        #[arg(long)]
        yes: bool,
    },
    /// End an order: what runs is stopped too.
    Cancel(SteerArguments),
    /// Send no call of any order to any host, until `muster task resume`.
    Pause {
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take that back.
    Resume,
    /// Sign a catalogue: writes FILE.sig. Needs no collector.
    Sign {
        /// The catalogue (TOML).
        file: PathBuf,
        /// The file of the private key.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Keys of those who sign catalogues and approve orders. Needs no collector.
    #[command(subcommand)]
    Key(KeyVerb),
}

#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make one: the private key goes into a new file that only you can read, the public one is printed.
    New {
        /// The new file.
        file: PathBuf,
    },
    /// The public key of a private one, as hosts and the collector take it.
    Show {
        /// The file of the private key.
        file: PathBuf,
    },
}

/// A task on hosts.
#[derive(Debug, Args)]
pub struct CallArguments {
    /// The task's name in the catalogue.
    pub task: String,
    /// A host, by name or id; may be given several times.
    #[arg(long, value_name = "HOST", required_unless_present = "on")]
    pub host: Vec<String>,
    /// Hosts that match, such as role=web; several of these must all match.
    #[arg(long, value_name = "MATCHER")]
    pub on: Vec<String>,
    /// A parameter of the task; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_parameter)]
    pub set: Vec<(String, String)>,
    /// How long hosts may begin it [default: 1h].
    #[arg(long, value_name = "SPAN")]
    pub within: Option<String>,
    /// Why, for those who approve and for the audit.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Wait for its end, and show how far it is.
    #[arg(long)]
    pub wait: bool,
}

/// A parameter's value may be empty, where a catalogue lets it be.
fn parse_parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as unit=nginx".to_owned()),
    }
}

/// What follows when too many hosts fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Trouble {
    Pause,
    Stop,
    RollBack,
}

impl Trouble {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::RollBack => "roll_back",
        }
    }
}

/// A task in waves.
#[derive(Debug, Args)]
pub struct RolloutArguments {
    #[command(flatten)]
    pub call: CallArguments,
    /// The task that takes it back; it is approved together with it.
    #[arg(long, value_name = "TASK")]
    pub back: Option<String>,
    /// A parameter of that task; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_parameter, requires = "back")]
    pub back_set: Vec<(String, String)>,
    /// Hosts of the first wave, of which none may fail; 0: no such wave.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub canary: u32,
    /// Hosts of each other wave, as a number or a share of all.
    #[arg(long, value_name = "N|N%", default_value = "25%")]
    pub batch: String,
    /// Hosts that may fail.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_failures: u32,
    /// What follows when more do.
    #[arg(long, value_enum, default_value_t = Trouble::Pause)]
    pub on_trouble: Trouble,
    /// How long hosts of a wave must be well before the next one begins.
    #[arg(long, value_name = "SPAN", default_value = "1m")]
    pub soak: String,
    /// How long a host may be away, such as to boot.
    #[arg(long, value_name = "SPAN", default_value = "10m")]
    pub return_within: String,
    /// How long after its end it can be rolled back [default: 4h].
    #[arg(long, value_name = "SPAN", requires = "back")]
    pub back_within: Option<String>,
}

#[derive(Debug, Args)]
pub struct SteerArguments {
    /// The order's number.
    pub order: u64,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum RolloutVerb {
    /// Ask for a task on hosts in waves, each of which must be well before the next begins.
    Start(Box<RolloutArguments>),
    /// How far it is, host by host.
    Show {
        /// The order's number.
        order: u64,
        /// Wait for its end, and show how far it is.
        #[arg(long)]
        wait: bool,
    },
    /// Give the task to no further host; those that run it go on.
    Pause(SteerArguments),
    /// Go on with one that is paused; failures so far are taken on.
    Resume(SteerArguments),
    /// End it: what runs is stopped too.
    Stop(SteerArguments),
    /// Take back what was done.
    Rollback(SteerArguments),
}
