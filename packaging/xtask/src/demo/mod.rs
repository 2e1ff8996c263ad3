//! `cargo xtask demo`: a collector and an agent on loopback, from nothing to a host's metrics in PromQL and its log lines in LogQL.

mod lines;
mod own_log;
mod run;

pub(crate) use run::{run, run_with};
