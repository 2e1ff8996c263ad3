//! The collector as a library, so that tests run it in their own process: [`Collector::start`] wires every part in start order.
//!
//! The top floor: it alone knows all crates below. What one edge needs of another goes through closures made here.

mod admin_token;
mod collector;
pub mod command_line;
pub mod config;
mod doctor;
mod error;
mod heartbeat;
mod hooks;
mod http;
mod intake;
mod lock;
mod maintenance;
mod private_file;
mod profiles;
mod reload;
mod reserve;
mod self_metrics;
pub mod service;
pub mod snapshot;
mod tls;
mod trouble;
mod verify;
mod watched_disk;

pub use collector::Collector;
pub use error::{StartError, chain};
pub use lock::Lock;
pub use profiles::check as check_files;
pub use reload::SetLevel;
pub use tls::check as check_certificate;

#[cfg(test)]
mod tests;
