//! Which processes use most of this host: looked at every 30 s and told as a list, not as series, since processes come and go.
//!
//! [`look`] reads /proc and compares with the look before, [`stat`] what it reads, [`leaders`] the first of each kind, [`words`] what a
//! process is called; [`worker`] is the thread around them.

mod leaders;
mod look;
pub(crate) mod stat;
#[cfg(test)]
mod tests;
pub(crate) mod words;
pub(crate) mod worker;

use std::time::Duration;

/// `[processes]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessesConfig {
    pub enabled: bool,
    /// Between looks.
    pub interval: Duration,
    /// How many of each kind (CPU, memory, reading and writing) are told.
    pub top: usize,
    /// Whether the arguments are told too, secrets cut out as from log lines. Off: many programs are given passwords there.
    pub arguments: bool,
}

impl ProcessesConfig {
    /// A look costs some milliseconds of CPU on a host of 500 processes: more often than this it would be what it looks for.
    pub const INTERVAL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
    /// Three kinds of 20 are the 60 that a report may hold.
    pub const TOP_MAX: usize = 20;
}

impl Default for ProcessesConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(30), top: 5, arguments: false }
    }
}
