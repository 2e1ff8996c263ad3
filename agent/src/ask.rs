//! Questions of the collector about this host now: one table, filtered and bounded here, answered once.
//!
//! A table is one of the inventory, looked at anew by its own source, or one of [`tables`], which are of what changes all the time.
//! [`answer`] makes rows an answer within its bounds, [`budget`] says when looking takes too long, [`worker`] is the thread around them. No
//! question brings a command, and none changes anything.

mod answer;
mod budget;
mod counters;
mod host;
mod tables;
#[cfg(test)]
mod tests;
pub(crate) mod worker;

pub use counters::AskNumbers;
pub(crate) use host::Host;

/// `[ask]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskConfig {
    /// Whether questions are answered. Off: each is refused, and nobody learns more than what the host tells by itself.
    pub enabled: bool,
}

impl Default for AskConfig {
    fn default() -> Self {
        Self { enabled: true }
    }
}
