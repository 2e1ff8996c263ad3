//! What a check says, and how it is run: words that agent and collector share.

use std::fmt;

/// The four states of the plugin interface, by their exit codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum CheckState {
    #[default]
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl CheckState {
    /// From its number, which is the plugin's exit code; any other is no state (and UNKNOWN to whoever runs a plugin).
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Ok),
            1 => Some(Self::Warning),
            2 => Some(Self::Critical),
            3 => Some(Self::Unknown),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// How bad it is, to find the worst of several: OK, UNKNOWN, WARNING, CRITICAL.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who runs a check, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CheckKind {
    /// The agent starts a program that follows the plugin interface.
    Plugin = 0,
    /// The agent looks by itself.
    Native = 1,
    /// Somebody starts it through `muster-agent exec`, such as cron.
    Exec = 2,
    /// Somebody hands its result to `muster-agent push`.
    Push = 3,
    /// The collector evaluates an expression.
    Metric = 4,
}

impl CheckKind {
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Plugin),
            1 => Some(Self::Native),
            2 => Some(Self::Exec),
            3 => Some(Self::Push),
            4 => Some(Self::Metric),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Native => "native",
            Self::Exec => "exec",
            Self::Push => "push",
            Self::Metric => "metric",
        }
    }

    /// Whether the agent runs it on its own schedule, so that one that its configuration no longer names is no more.
    pub const fn is_scheduled_by_agent(self) -> bool {
        matches!(self, Self::Plugin | Self::Native)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_of_states_and_kinds_are_each_others() {
        for number in 0..4 {
            assert_eq!(CheckState::from_u8(number).map(|state| state as u8), Some(number));
        }
        assert_eq!((CheckState::from_u8(4), CheckKind::from_u8(5)), (None, None));
        for number in 0..5 {
            assert_eq!(CheckKind::from_u8(number).map(|kind| kind as u8), Some(number));
        }
        let mut states = [CheckState::Critical, CheckState::Ok, CheckState::Unknown, CheckState::Warning];
        states.sort_by_key(|state| state.rank());
        assert_eq!(states.map(CheckState::as_str), ["OK", "UNKNOWN", "WARNING", "CRITICAL"]);
    }
}
