//! The command line of how available hosts were.

use clap::{Args, ValueEnum};

/// What planned downtime is to availability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlannedTime {
    /// It is down time as any other.
    Counted,
    /// It is left out of both sides of the fraction.
    Excluded,
    /// It is time in which the host was up.
    Ignored,
}

impl PlannedTime {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Excluded => "excluded",
            Self::Ignored => "ignored",
        }
    }
}

/// The form of a report for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    Csv,
    /// One page without anything beside it, to print or to send.
    Html,
}

#[derive(Debug, Args)]
pub struct AvailabilityArguments {
    /// The month, such as 2026-11 [default: the last one that is over].
    pub month: Option<String>,
    /// The label by whose values hosts are grouped [default: all are one group].
    #[arg(long, value_name = "LABEL")]
    pub group: Option<String>,
    /// Of this check instead of the hosts themselves.
    #[arg(long, value_name = "NAME")]
    pub check: Option<String>,
    /// Only hosts with this name or these labels: `role=web`; given several times, all must match.
    #[arg(long = "match", value_name = "MATCHER")]
    pub matchers: Vec<String>,
    /// What planned downtime is.
    #[arg(long, value_enum, default_value_t = PlannedTime::Excluded)]
    pub planned: PlannedTime,
    /// Count time of which nothing is known as time in which hosts were down, instead of leaving it out.
    #[arg(long)]
    pub unknown_is_down: bool,
    /// The IANA name of the zone in which the month begins and ends.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Print the report as a file for others.
    #[arg(long, value_enum, value_name = "FORM")]
    pub report: Option<ReportForm>,
}
