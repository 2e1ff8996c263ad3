//! The command line of checks, alerts and mail.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::parse_label;

#[derive(Debug, Subcommand)]
pub enum ChecksVerb {
    /// Checks and how they stand, the worst first.
    List {
        /// Only of this host.
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// Only those that are not OK.
        #[arg(long)]
        problems: bool,
    },
    /// One check: its output, its numbers, what holds it back.
    Show { host: String, check: String },
    /// What happened to a check, or to all checks of a host, the oldest first.
    History {
        host: String,
        check: Option<String>,
        /// How far to look back.
        #[arg(long, value_name = "SPAN", default_value = "7d")]
        since: String,
        /// At most so many, the newest.
        #[arg(long, value_name = "N", default_value_t = 200)]
        limit: u32,
    },
    /// Say that you have taken a problem: nothing new is told of it until it ends or the acknowledgement does.
    Ack(AckArguments),
    /// Give a problem back.
    Unack { host: String, check: String },
    /// Forget a check that is no more: its row goes, its history stays.
    Forget { host: String, check: String },
    /// Planned windows in which nothing is told.
    #[command(subcommand)]
    Downtime(DowntimeVerb),
}

#[derive(Debug, Args)]
pub struct AckArguments {
    pub host: String,
    pub check: String,
    /// Why, or what is being done.
    #[arg(long, short, value_name = "TEXT")]
    pub comment: String,
    /// It ends by itself after so long.
    #[arg(long = "for", value_name = "SPAN")]
    pub span: Option<String>,
    /// It holds until the check is OK, whatever state comes between.
    #[arg(long)]
    pub sticky: bool,
}

#[derive(Debug, Subcommand)]
pub enum DowntimeVerb {
    /// Plan one.
    Add(DowntimeAdd),
    /// Those that are on, come or recur.
    List,
    /// End one now.
    End {
        /// Its number, as `list` shows it.
        id: u64,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("end").required(true).args(["span", "until"]))]
pub struct DowntimeAdd {
    /// Whose: `host=db1`, `env=~"test|dev"`, `check=disk`; given several times, all must match.
    #[arg(required = true, value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Why, for whoever wonders.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// When it begins: a time (2026-01-31T14:00:00Z, or seconds since 1970) [default: now].
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// How long; of a recurring one, until when it recurs.
    #[arg(long = "for", value_name = "SPAN")]
    pub span: Option<String>,
    /// When it ends.
    #[arg(long, value_name = "T")]
    pub until: Option<String>,
    /// Within that, only at these times: `sun 02:00-04:00`, `mon-fri 22:00-06:00`, `daily 03:00-03:30`.
    #[arg(long, value_name = "TIMES")]
    pub every: Option<String>,
    /// The zone of --every, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "every")]
    pub zone: String,
}

#[derive(Debug, Args)]
pub struct AlertsArguments {
    /// Only those that match: `alertname=HostSilent`, `env=~"prod.*"`; given several times, all must match.
    #[arg(value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Those too that are pending or have ended lately.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Subcommand)]
pub enum SilenceVerb {
    /// Mute what matches; what was told of it gets its end all the same.
    Add(SilenceAdd),
    /// Silences that are on or come.
    List {
        /// Those too that have ended.
        #[arg(long)]
        all: bool,
    },
    /// End one now.
    Expire {
        /// Its id, as `list` shows it.
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct SilenceAdd {
    /// `alertname=Disk`, `host=~"web.*"`; given several times, all must match.
    #[arg(required = true, value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// Why, for whoever wonders.
    #[arg(long, short, value_name = "TEXT")]
    pub comment: String,
    /// How long.
    #[arg(long = "for", value_name = "SPAN", default_value = "1h")]
    pub span: String,
    /// When it begins: a time (2026-01-31T14:00:00Z, or seconds since 1970) [default: now].
    #[arg(long, value_name = "T")]
    pub from: Option<String>,
    /// Who wants it [default: this user].
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator")]
    pub author: String,
}

#[derive(Debug, Subcommand)]
pub enum RulesVerb {
    /// Rules in force, with what they came to last.
    List,
    /// What is wrong or doubtful in these files; nothing is put in force.
    Lint {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run promtool's unit tests of rules.
    Unit {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum RouteVerb {
    /// The way of an alert through the routing tree, each reason for which it is not told, and who was told what.
    Explain {
        /// An alert's id as `muster alerts` shows it, or labels: `alertname=Disk host=db1 severity=critical`.
        #[arg(required = true, value_name = "ID|KEY=VALUE")]
        alert: Vec<String>,
    },
}

impl RouteVerb {
    /// The labels that the words are; none: they are an id.
    ///
    /// # Errors
    /// The text for people where a word of several is no `key=value`.
    pub fn labels(words: &[String]) -> Result<Vec<(String, String)>, String> {
        match words {
            [word] if !word.contains('=') => Ok(Vec::new()),
            words => words.iter().map(|word| parse_label(word)).collect(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum MailVerb {
    /// What is on its way, and what could not be delivered.
    Queue,
    /// The mail that an alert would be told by; nothing is sent.
    Preview {
        /// The alert's id, as `muster alerts` shows it.
        alert: String,
        /// Which form of it.
        #[arg(long, value_enum, default_value_t = PreviewForm::Text)]
        form: PreviewForm,
    },
    /// Send a test to a receiver, past all routing, and say what its server answered.
    Test {
        /// Its name in alerting.yml.
        receiver: String,
    },
}

/// Forms of a previewed mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PreviewForm {
    /// The part for people without HTML.
    Text,
    Html,
    /// The whole message as it goes over the wire.
    Eml,
}
