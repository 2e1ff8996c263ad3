//! What alerting costs, and how soon it tells.

mod latency;
mod natives;
mod rules;

pub use latency::{Told, mail_latency};
pub use natives::native_cost;
pub use rules::{RulesCost, rules_cost};
