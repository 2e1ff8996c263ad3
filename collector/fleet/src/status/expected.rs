//! That a host said goodbye for a moment only.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a host is away for a moment, as its agent said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goodbye {
    /// The agent starts anew.
    Restart,
    /// Another version of the agent takes its place.
    Upgrade,
    /// The machine boots.
    Reboot,
}

impl Goodbye {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Upgrade => "upgrade",
            Self::Reboot => "reboot",
        }
    }

    /// How long it may take until something arrives again: an agent starts within seconds, a package's upgrade within a minute or two; a
    /// server with much memory takes minutes to boot.
    pub const fn within(self) -> Duration {
        match self {
            Self::Restart | Self::Upgrade => Duration::from_secs(120),
            Self::Reboot => Duration::from_secs(600),
        }
    }
}

/// That a host is expected to be away, as its row keeps it until it is heard again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    pub goodbye: Goodbye,
    /// From then on it is late, milliseconds.
    pub until_ms: i64,
}
