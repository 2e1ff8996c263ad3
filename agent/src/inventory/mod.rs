//! What this host has and is, as the tables of [`muster_common::inventory`]: looked at every quarter of an hour and soon after a change,
//! told as what changed.
//!
//! [`sources`] read the tables, each in a file, over a [`scene`]; [`schedule`] says when (pure), [`watch`] hears of changes, [`teller`] makes
//! reports of looks (pure), [`worker`] is the thread around them, [`show`] prints for people what would be told.

mod bounded;
pub(crate) mod defaults;
pub mod scene;
mod schedule;
pub mod show;
mod sources;
mod teller;
#[cfg(test)]
mod tests;
mod watch;
pub mod worker;

use std::time::Duration;

pub(crate) use scene::{LARGE_BYTES, SMALL_BYTES};
pub use scene::{Problem, Scene};
pub(crate) use sources::{SOURCES, each_socket_line, look, shown, socket_address, socket_inode, user_names};
pub(crate) use worker::give_back;

use crate::logs::glob::Glob;

/// `[inventory]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryConfig {
    pub enabled: bool,
    /// Between looks at the same table when nothing is heard of it.
    pub interval: Duration,
    /// Files of which hash, size and mode are told, beside the built-in ones; never their contents.
    pub files: Vec<Glob>,
    /// Files with certificates, beside the built-in ones.
    pub certificates: Vec<Glob>,
}

impl InventoryConfig {
    /// A look at all tables costs some 50 ms of CPU: more often than each minute it would be seen; more seldom than each day an
    /// inventory is a memory.
    pub const INTERVAL: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));
}

impl Default for InventoryConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(900), files: Vec::new(), certificates: Vec::new() }
    }
}
