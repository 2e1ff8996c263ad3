//! What a check says, and how it is run: words that agent and collector share.

use std::fmt;

/// The series of each result: its state as its number, how long it took, and each of its numbers (`label`, `unit`).
pub const STATE_SERIES: &str = "muster_check_state";
pub const DURATION_SERIES: &str = "muster_check_duration_seconds";
pub const PERFDATA_SERIES: &str = "muster_check_perfdata";

/// Labels of a check's series and alerts that are not its own to set.
pub const RESERVED_LABELS: [&str; 7] = ["host", "check", "severity", "alertname", "instance", "job", "label"];

/// Bad results in a row that may be asked for before a problem is hard: a day of a check that runs every quarter of an hour.
pub const ATTEMPTS_MAX: u16 = 100;

/// Of names that a configuration gives; a name stands in shells, addresses and labels.
const NAME_BYTES_MAX: usize = 100;
/// What to do about one that is none.
pub const NAME_REMEDY: &str = "use 1 to 100 letters, digits, `_`, `.`, `:` and `-`";

/// Whether a configuration may call a check so.
pub fn is_check_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_letter)
}

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
    fn names_of_checks_need_no_quotes() {
        let longest = "x".repeat(100);
        assert!(["disk:root", "a", "raid_1.x-2", &longest].iter().all(|name| is_check_name(name)));
        assert!(["", "disk /var", "a/b", "\u{e9}t\u{e9}", &"x".repeat(101)].iter().all(|name| !is_check_name(name)));
    }

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
