//! Loads: deterministic hosts and log lines, and senders of them by each intake.

pub mod asked;
pub mod called;
pub mod corpus;
pub mod feed;
pub mod log_feed;
pub mod loki_push;
mod protobuf;
pub mod remote_write;
pub mod wire;
pub mod workload;
