//! A remote configuration as it was read: what it adds to the host's own.

use crate::checks::settings::Check;
use crate::logs::settings::LogGroup;

/// Checked, and within the host's bounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteDocument {
    pub logs: Vec<LogGroup>,
    pub checks: Vec<Check>,
    /// Patterns of `[redaction]`: there is only ever more of it.
    pub redaction: Vec<String>,
}

impl RemoteDocument {
    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
