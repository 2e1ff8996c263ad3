//! The agent's checks: plugins and its own, on their schedule, each result a report.
//!
//! The one way through: [`settings`] is what the configuration says, [`pack`] adds what every host has, [`schedule`] decides when a check runs, [`worker`] lets it: a plugin
//! through [`plugin`] and [`exec_check`], whose output [`plugin_output`] reads, or one of `native`. What came of it is an [`outcome`], which
//! becomes a report with the check's definition. States soft and hard are the collector's business.

mod counters;
pub mod exec_check;
pub mod import;
pub mod measure;
pub(crate) mod native;
mod once;
mod outcome;
mod pack;
mod perfdata;
mod plugin;
mod plugin_output;
mod runner;
pub mod schedule;
pub mod settings;
pub mod worker;

pub use counters::CheckNumbers;
pub use once::{RunOnce, run_once};
pub use outcome::Outcome;
pub use pack::{add_host_pack, host_pack_names};
pub use plugin_output::{PluginOutput, parse_plugin_output};
