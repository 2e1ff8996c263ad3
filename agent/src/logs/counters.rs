//! What the reader of logs counts about itself: `muster_agent_log_*`.

use muster_common::sample::MetricKind;

use crate::own::{Count, Level, OwnNumber};

/// Why bytes of a source will not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// Cut off or written over before it was read, and no copy was found.
    Truncated,
    /// Rotated away and deleted before it was read.
    RotatedAway,
    /// Deleted, and held open longer than may be.
    Held,
    /// Zeros that are no text.
    Zeros,
    /// The rest of a line beyond its limit.
    Overlong,
    /// An entry of the journal that is none.
    Journal,
    /// The collector cannot read it.
    Refused,
    /// Its file is gone, and the spool had no room for all of it.
    SpoolFull,
}

impl SkipReason {
    pub const ALL: [Self; 8] = [
        Self::Truncated,
        Self::RotatedAway,
        Self::Held,
        Self::Zeros,
        Self::Overlong,
        Self::Journal,
        Self::Refused,
        Self::SpoolFull,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::RotatedAway => "rotated_away",
            Self::Held => "held_too_long",
            Self::Zeros => "zeros",
            Self::Overlong => "overlong",
            Self::Journal => "journal",
            Self::Refused => "refused",
            Self::SpoolFull => "spool_full",
        }
    }

    /// What the collector is told.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Truncated => "the file was cut off before it was read, and no copy of it was found",
            Self::RotatedAway => "the file was rotated away and deleted before it was read",
            Self::Held => "the file was deleted, and held open as long as may be without being read",
            Self::Zeros => "zeros that are no text",
            Self::Overlong => "the rest of a line beyond its limit",
            Self::Journal => "an entry of the journal that is none",
            Self::Refused => "the collector could not read this line however it was sent",
            Self::SpoolFull => "the file is gone, and the spool had no room for all of it",
        }
    }
}

/// Counted where it happens.
#[derive(Debug, Default)]
pub struct LogNumbers {
    pub lines: Count,
    pub bytes: Count,
    pub truncated: Count,
    pub redacted: Count,
    pub restarts: Count,
    pub journal_starts: Count,
    pub spooled_bytes: Count,
    pub spool_errors: Count,
    pub files_followed: Level,
    pub files_open: Level,
    pub files_held: Level,
    pub problems: Level,
    pub spool_bytes: Level,
    skipped_bytes: [Count; SkipReason::ALL.len()],
    losses: [Count; SkipReason::ALL.len()],
}

impl LogNumbers {
    /// How many series [`LogNumbers::each`] shows.
    pub const SERIES: usize = 8 + 5 + 2 * SkipReason::ALL.len();

    pub fn skip(&self, reason: SkipReason, bytes: u64) {
        self.skipped_bytes[reason as usize].add(bytes);
        self.losses[reason as usize].add(1);
    }

    /// Bytes and occasions.
    pub fn skipped(&self, reason: SkipReason) -> (u64, u64) {
        (self.skipped_bytes[reason as usize].value(), self.losses[reason as usize].value())
    }

    /// Shows every number, always all and in the same order, without allocating.
    pub fn each(&self, show: &mut dyn FnMut(OwnNumber)) {
        for (name, help, count) in [
            ("muster_agent_log_lines_total", "Log entries read.", &self.lines),
            ("muster_agent_log_bytes_total", "Bytes of log entries read.", &self.bytes),
            ("muster_agent_log_truncated_total", "Lines of which only the head was kept.", &self.truncated),
            ("muster_agent_log_redacted_total", "Secrets cut out of lines.", &self.redacted),
            ("muster_agent_log_restarts_total", "Files found cut off or replaced in place.", &self.restarts),
            ("muster_agent_log_journal_starts_total", "Starts of journalctl.", &self.journal_starts),
            (
                "muster_agent_log_spooled_bytes_total",
                "Bytes of logs put into the spool, since no file would give them again.",
                &self.spooled_bytes,
            ),
            ("muster_agent_log_spool_errors_total", "Failures of the spool for logs.", &self.spool_errors),
        ] {
            show((name, help, MetricKind::Counter, None, count.value() as f64));
        }
        for (name, help, level) in [
            ("muster_agent_log_files_followed", "Files that are followed.", &self.files_followed),
            ("muster_agent_log_files_open", "Log files that are open.", &self.files_open),
            ("muster_agent_log_files_held", "Deleted log files held open.", &self.files_held),
            ("muster_agent_log_problems", "Things that keep logs from being read.", &self.problems),
            ("muster_agent_log_spool_bytes", "Bytes of logs in the spool.", &self.spool_bytes),
        ] {
            show((name, help, MetricKind::Gauge, None, level.value() as f64));
        }
        for reason in SkipReason::ALL {
            let label = Some(("reason", reason.name()));
            let (bytes, losses) = self.skipped(reason);
            let (bytes_help, losses_help) =
                ("Bytes of logs that will not arrive.", "Times that bytes of logs were given up.");
            show(("muster_agent_log_skipped_bytes_total", bytes_help, MetricKind::Counter, label, bytes as f64));
            show(("muster_agent_log_skips_total", losses_help, MetricKind::Counter, label, losses as f64));
        }
    }
}
