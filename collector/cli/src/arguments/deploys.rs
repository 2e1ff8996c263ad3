//! The command line of deploys and freezes.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum DeployVerb {
    /// Say that a deploy has begun: changes of its hosts are announced until it ends.
    Start(DeployStart),
    /// Say how a deploy ended.
    Finish(DeployFinish),
    /// Deploys, the newest first.
    List(DeployList),
}

#[derive(Debug, Args)]
pub struct DeployStart {
    /// The service, as deploy.toml names it.
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// What is deployed: 1.4.2, or a commit.
    #[arg(long, value_name = "VERSION")]
    pub version: String,
    /// Where to: the value of its hosts' label env.
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// Only to this host; may stand several times [default: all of the service in ENV].
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// Where more can be read.
    #[arg(long, value_name = "URL", default_value = "")]
    pub link: String,
    /// What it is about.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// What names this deploy to you, such as the number of a CI run: told twice it is one.
    #[arg(long, value_name = "KEY", default_value = "")]
    pub key: String,
}

/// How a deploy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum DeployResultName {
    Ok,
    Failed,
    /// What was there before is there again.
    RolledBack,
}

impl DeployResultName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
        }
    }
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["id", "key", "service"]))]
pub struct DeployFinish {
    /// Its number, as `muster deploy list` shows it.
    pub id: Option<u64>,
    /// How it ended.
    #[arg(long, value_enum, value_name = "RESULT")]
    pub result: DeployResultName,
    /// The key that its start gave.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// The newest of this service that runs in --env.
    #[arg(long, value_name = "NAME", requires = "env")]
    pub service: Option<String>,
    #[arg(long, value_name = "ENV", requires = "service")]
    pub env: Option<String>,
    /// Only of this version.
    #[arg(long, value_name = "VERSION", requires = "service")]
    pub version: Option<String>,
    /// What is to be said of it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
}

#[derive(Debug, Args)]
pub struct DeployList {
    /// Only of this service.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Only to this environment.
    #[arg(long, value_name = "ENV")]
    pub env: Option<String>,
    /// Only of this version.
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Only those that stand so: running, ok, failed, rolled_back, abandoned.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

#[derive(Debug, Subcommand)]
pub enum FreezeVerb {
    /// Times at which nothing is to be deployed: those of deploy.toml, and those made by `new`.
    List,
    /// Freeze deploys for a time.
    New(FreezeNew),
    /// End a freeze now.
    End {
        /// Its number, as `muster freeze list` shows it.
        id: String,
    },
    /// Lift what freezes a service in an environment now, for a while; your name and the reason are kept.
    Override(FreezeOverride),
}

#[derive(Debug, Args)]
pub struct FreezeNew {
    /// What: `env=production`, `service=~"shop.*"`; given several times, all must match.
    #[arg(required = true, value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Why, for whoever wonders.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// When it begins: a time (2026-01-31T14:00:00Z, or seconds since 1970) [default: now].
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// How long; of a recurring one, until when it recurs.
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "until")]
    pub span: Option<String>,
    /// When it ends.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Only at these times: `fri 16:00-00:00`, `sat-sun 00:00-00:00`; without an end, for good.
    #[arg(long, value_name = "TIMES")]
    pub every: Option<String>,
    /// The zone of --every, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "every")]
    pub zone: String,
}

#[derive(Debug, Args)]
pub struct FreezeOverride {
    /// The service.
    #[arg(long, value_name = "NAME")]
    pub service: String,
    /// The environment.
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// Why this must go out now.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// For how long, 24h at most.
    #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
    pub span: String,
}
