//! Every intake of the collector: agents over QUIC, remote write and Loki's push over HTTP, and what the collector says itself.
//!
//! Pure parts decide ([`session`], [`fences`], [`contexts`], [`admit`], [`ticker`], [`stale`], [`presence`], [`silence`], [`outbox`],
//! [`connection_limits`]); the committer's thread alone writes; listener, connection and routes move bytes. An ack follows a
//! durable commit, every queue is bounded, every drop is counted ([`counters`]).

pub mod admit;
mod apply;
pub mod committer;
mod config;
mod configurations;
mod connection;
pub mod connection_limits;
pub mod contexts;
pub mod counters;
mod error_text;
pub mod fences;
mod guards;
pub mod host_labels;
pub mod http;
mod hub;
mod ingest;
mod inventory;
mod listener;
pub mod loki_push;
pub mod outbox;
pub mod own;
pub mod presence;
mod questions;
mod recorder;
pub mod remote_write;
pub mod session;
pub mod silence;
pub mod stale;
mod tasks;
#[cfg(test)]
mod tests;
pub mod ticker;
mod ticking;
mod watch;

pub use apply::{Apply, ApplyError};
pub use config::{IngestConfig, RemoteWriteConfig};
pub use ingest::{Ingest, IngestError, start};
pub use listener::ListenError;
pub use recorder::Recorder;
