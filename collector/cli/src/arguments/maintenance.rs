//! The command line of planned work.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum MaintenanceVerb {
    /// Begin: until it is done nobody is told what these hosts have.
    Start(MaintenanceStart),
    /// The work is done: health has its time to return, and what has not returned then is told.
    Finish {
        /// Its number, as `list` shows it.
        id: u64,
    },
    /// Those that go on, and those after which health has not returned.
    List {
        /// Those too after which health has returned.
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("end").required(true).args(["span", "until"]))]
pub struct MaintenanceStart {
    /// What is done, such as `new kernel`.
    pub name: String,
    /// A host, by name or id; may be given several times.
    #[arg(long = "host", value_name = "HOST", required_unless_present = "matchers")]
    pub hosts: Vec<String>,
    /// Hosts by their name and labels: `role=web`; given several times, all must match.
    #[arg(long = "match", value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// How long it is expected to take.
    #[arg(long = "for", value_name = "SPAN")]
    pub span: Option<String>,
    /// When it is expected to be done.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// How long health may take to return when it is done.
    #[arg(long, value_name = "SPAN", default_value = "5m")]
    pub grace: String,
}
