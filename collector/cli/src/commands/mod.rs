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
pub mod gate;
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
pub mod tasks;
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
    /// The answer is that it is not known: exit code 2.
    pub is_unknown: bool,
}

impl Printed {
    /// 0 ok, 1 problem, 2 unknown. What is known to be bad does not become better by what is not known.
    pub fn exit_code(&self) -> u8 {
        match (self.is_problem, self.is_unknown) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        }
    }
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
