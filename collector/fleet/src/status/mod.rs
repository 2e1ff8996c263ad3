//! Status: what checks and hosts are, decided from results and time alone. `collector/fleet/STATUS.md` tells the rules.

mod condition;
mod flapping;
mod machine;

pub use condition::{Condition, EndReason, Hold, HoldReason, Severity, StatusChange, Subject};
