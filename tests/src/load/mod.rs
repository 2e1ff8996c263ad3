//! Loads: deterministic hosts, and senders of them by each intake.

pub mod feed;
pub mod remote_write;
pub mod wire;
pub mod workload;
