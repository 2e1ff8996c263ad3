//! What alerting costs, and how soon it tells.

mod latency;
mod natives;
mod rules;

pub use latency::{Told, mail_latency, percentile_ms};
pub use natives::{CheckCost, check_cost};
pub use rules::{RulesCost, rules_cost};
