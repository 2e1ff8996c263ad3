//! One file a noun: what it asks the collector, and what it prints of the answer.

pub mod alerts;
pub mod announcements;
pub mod ask;
pub mod audit;
pub mod availability;
pub mod baselines;
pub mod bundle;
pub mod changes;
pub mod checks;
pub mod deploy;
pub mod discovery;
pub mod doctor;
pub mod downtime;
pub mod drift;
pub mod freeze;
pub mod hosts;
pub mod inventory;
pub mod login;
pub mod logs;
pub mod mail;
pub mod maintenance;
pub mod processes;
pub mod profiles;
pub mod query;
pub mod route;
pub mod rules;
pub mod services;
pub mod silence;
pub mod snapshot;
pub mod status;
pub mod token;
pub mod user;

/// What a command prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// For standard output, line ends included.
    pub text: String,
    /// For standard error: what the reader should know but no program should parse.
    pub notes: Vec<String>,
    /// The answer is a problem: exit code 1.
    pub is_problem: bool,
}

impl Printed {
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// JSON as the collector gave it, indented.
    pub fn json(json: &serde_json::Value) -> Self {
        Self::text(format!("{json:#}\n"))
    }
}
