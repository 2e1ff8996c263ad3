//! Loads: deterministic hosts, and senders of them by each intake.

pub mod remote_write;
pub mod workload;
