//! `muster`, the operator's command: it speaks the collector's public HTTP API and nothing else.
//!
//! A library as well, so that tests render answers without a collector. Exit codes: 0 ok, 1 the collector says no, 2 wrong usage or
//! nothing could be learnt.

pub mod arguments;
pub mod client;
pub mod commands;
pub mod error;
pub mod password;
pub mod plot;
pub mod session;
pub mod table;
pub mod time;

mod connect;
mod run;

pub use run::run;
