//! `muster-agent doctor`: looks at everything that the agent stands on, and says what is wrong with the command that mends it.
//!
//! One file an examination, one line in [`EXAMINATIONS`]. Each gathers what it needs at its edge and decides by a pure function; [`scene`] is
//! what several need: the configuration, the identity, the unit, and the account as which the agent works, which is not the one that runs
//! the doctor. What whoever runs it may not look at is a finding too.

mod account;
mod backlog;
mod clock;
mod handshake;
mod identity;
mod journal;
mod logs;
mod look;
mod needs;
mod path;
mod plugins;
mod remote;
mod rights;
mod running;
mod scene;
mod settings;
mod state_folder;
mod udp_probe;
mod unit;

use muster_common::finding::Finding;

pub use scene::{DoctorOptions, Scene};

/// One thing to look at.
struct Examination {
    /// For the first column.
    name: &'static str,
    /// What was found; never empty. It may block.
    examine: fn(&Scene) -> Vec<Finding>,
}

/// Every examination, in the order in which people read them: what is below before what stands on it.
const EXAMINATIONS: [Examination; 11] = [
    Examination { name: "configuration", examine: settings::examine },
    Examination { name: "identity", examine: identity::examine },
    Examination { name: "state folder", examine: state_folder::examine },
    Examination { name: "collector", examine: path::examine },
    Examination { name: "clock", examine: clock::examine },
    Examination { name: "backlog", examine: backlog::examine },
    Examination { name: "logs", examine: logs::examine },
    Examination { name: "journal", examine: journal::examine },
    Examination { name: "plugins", examine: plugins::examine },
    Examination { name: "remote", examine: remote::examine },
    Examination { name: "agent", examine: running::examine },
];

/// Looks at everything. Blocks: for as long as the collector's addresses take to answer or not to.
pub fn examine(scene: &Scene) -> Vec<Finding> {
    let all = EXAMINATIONS.iter().flat_map(|one| (one.examine)(scene).into_iter().map(|finding| finding.of(one.name)));
    all.collect()
}

/// For programs: `{"version": 1, "findings": [{"level", "examination", "what", "where", "remedy"}]}`.
pub fn to_json(findings: &[Finding]) -> serde_json::Value {
    let one = |finding: &Finding| {
        serde_json::json!({
            "level": finding.level.as_str(), "examination": finding.examination, "what": finding.what,
            "where": finding.place, "remedy": finding.remedy,
        })
    };
    serde_json::json!({"version": 1, "findings": findings.iter().map(one).collect::<Vec<_>>()})
}
