//! What is known around an alert. Whoever has the store fills it; whatever is empty is left out of the mail.

use crate::plot::PlotData;

/// Evidence of one notice: of the member that the mail is about first ([`super::lead`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    pub reading: Option<Reading>,
    /// Onset - 2 h to now.
    pub plot: Option<PlotData>,
    /// Around the onset, oldest first; the last ten are shown.
    pub log_lines: Vec<LogLine>,
    /// The host's events of the 24 h before, oldest first; the last ten are shown.
    pub events: Vec<Moment>,
    /// What changed before, and who is different.
    pub before: Before,
    /// Other hosts with the same alert; ten are named, all are counted.
    pub neighbours: Vec<Neighbour>,
    /// Earlier cases of this alert, newest first; five are shown.
    pub earlier: Vec<Earlier>,
}

/// The value that is bad, against its limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    pub value: Option<f64>,
    /// As [`PlotData::unit`].
    pub unit: String,
    pub limit: Option<f64>,
    /// Such as `full in 40 min` or `critical in 3 h`; empty: nothing known.
    pub forecast: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at_ms: i64,
    /// Unit or file.
    pub source: String,
    pub text: String,
}

/// What may be behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Deploys and changes, the likeliest first; three are shown.
    pub suspects: Vec<Suspected>,
    /// What hosts with the problem have and others have not, as a sentence; empty: nothing found.
    pub separator: String,
}

/// A deploy or a change that may be behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspected {
    pub text: String,
    /// Why it is suspect.
    pub why: String,
    /// Path and query of the collector's page where it is seen; empty: none.
    pub page: String,
}

/// An event or a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub at_ms: i64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    pub host: String,
    pub since_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub from_ms: i64,
    pub to_ms: i64,
    /// Who took it, and what was said: `anna: old WAL removed`; of one that nobody took how it ended.
    pub note: String,
}
