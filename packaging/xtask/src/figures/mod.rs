//! `cargo xtask figures`: every figure that is promised, measured again, with goal, value, load, commit, pass or short. One file a group.

mod agent;
mod alerts;
mod changes;
mod gate;
mod inventory;
mod logs;
mod maintenance;
mod metrics;
mod packages;
mod pages;
mod product;
mod row;
mod run;
mod snapshots;
mod tail;
mod tasks;
mod trials;

pub(crate) use agent::agent_rows;
pub(crate) use logs::{log_rows, new_file_rows};
pub(crate) use row::Row;
pub(crate) use run::{release_programs, run};
pub(crate) use tail::tail_rows;
