//! The agent's own numbers: counted where things happen, read by the source that offers them as `muster_agent_*` series and by the
//! status file. Atomics, since the spool counts on its own thread; all relaxed, since each number stands alone.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use muster_common::sample::MetricKind;

use crate::ask::AskNumbers;
use crate::checks::CheckNumbers;
use crate::logs::counters::LogNumbers;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is set.
#[derive(Debug, Default)]
pub struct Level(AtomicI64);

impl Level {
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// For sizes and counts; what does not fit saturates.
    pub fn set_size(&self, value: u64) {
        self.set(i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why something that was measured will not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The spool was full, or the disk had too little room: the oldest went.
    SpoolFull,
    /// The disk failed to take or to give back what was spooled.
    DiskError,
    /// More waits in memory than may, while the spool takes nothing.
    QueueFull,
    /// No epoch could be made durable, so nothing could be numbered.
    NoEpoch,
    /// A single row that no frame can carry, or that contradicts its dictionary.
    Unencodable,
    /// More epochs than a hello may list.
    TooManyEpochs,
    /// The collector lacks its context and it is no longer here.
    ContextLost,
}

impl DropReason {
    pub const ALL: [Self; 7] = [
        Self::SpoolFull,
        Self::DiskError,
        Self::QueueFull,
        Self::NoEpoch,
        Self::Unencodable,
        Self::TooManyEpochs,
        Self::ContextLost,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SpoolFull => "spool_full",
            Self::DiskError => "disk_error",
            Self::QueueFull => "queue_full",
            Self::NoEpoch => "no_epoch",
            Self::Unencodable => "unencodable",
            Self::TooManyEpochs => "too_many_epochs",
            Self::ContextLost => "context_lost",
        }
    }
}

/// Why a connection did not come about, or ended before the collector's welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The collector's name has no address.
    Resolve,
    NoAnswer,
    /// TLS: one end refused the other's certificate, or speaks something else.
    Handshake,
    /// The collector, or the network, ended it.
    Closed,
    /// This host has no socket or no settings for it.
    Local,
}

impl ConnectFailure {
    pub const ALL: [Self; 5] = [Self::Resolve, Self::NoAnswer, Self::Handshake, Self::Closed, Self::Local];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::NoAnswer => "no_answer",
            Self::Handshake => "handshake",
            Self::Closed => "closed",
            Self::Local => "local",
        }
    }
}

/// Everything the agent counts about itself except what the operating system knows of its process.
#[derive(Debug, Default)]
pub struct Own {
    pub rows: Count,
    pub batches: Count,
    pub acked_batches: Count,
    pub reports: Count,
    pub report_batches: Count,
    /// Looks at processes that were not sent.
    pub looks_unsent: Count,
    pub inventory_looks: Count,
    /// Looks at a table that could not be taken.
    pub inventory_failures: Count,
    pub inventory_reports: Count,
    /// Words of the collector that found no place while a look took its time.
    pub inventory_words_dropped: Count,
    pub log_batches: Count,
    pub log_rewinds: Count,
    pub log_refusals: Count,
    pub gaps: Count,
    pub sent_bytes: Count,
    pub connects: Count,
    pub refusals: Count,
    pub context_requests: Count,
    pub epochs_started: Count,
    pub reverts: Count,
    pub restores: Count,
    pub clock_corrections: Count,
    pub spooled_batches: Count,
    pub spool_syncs: Count,
    pub spool_errors: Count,
    pub spool_damages: Count,
    pub renewal_failures: Count,
    /// Of the collector's configurations, those that cannot be run by.
    pub configuration_refusals: Count,
    /// Those that did not do.
    pub configuration_reverts: Count,
    /// Frames of tasks that did not reach `muster-task`, or not the collector.
    pub task_frames_dropped: Count,
    /// The number of the one in force; 0: the host's own file alone.
    pub configuration_number: Level,
    /// 1 while a session is welcomed.
    pub connected: Level,
    pub queued_bytes: Level,
    pub spool_bytes: Level,
    pub epochs_held: Level,
    pub rtt_us: Level,
    pub clock_offset_ms: Level,
    pub clock_correction_ms: Level,
    /// When the last ack came, ms since 1970 by this host's clock; 0: never.
    pub last_ack_ms: Level,
    pub logs: LogNumbers,
    pub checks: CheckNumbers,
    pub ask: AskNumbers,
    dropped_batches: [Count; DropReason::ALL.len()],
    dropped_rows: [Count; DropReason::ALL.len()],
    dropped_reports: [Count; DropReason::ALL.len()],
    connect_failures: [Count; ConnectFailure::ALL.len()],
}

/// One own number as [`Own::each`] shows it: name, help, kind, label, value.
pub type OwnNumber = (&'static str, &'static str, MetricKind, Option<(&'static str, &'static str)>, f64);

impl Own {
    pub fn drop_batches(&self, reason: DropReason, batches: u64) {
        self.dropped_batches[reason as usize].add(batches);
    }

    pub fn drop_rows(&self, reason: DropReason, rows: u64) {
        self.dropped_rows[reason as usize].add(rows);
    }

    pub fn dropped_batches(&self, reason: DropReason) -> u64 {
        self.dropped_batches[reason as usize].value()
    }

    pub fn dropped_rows(&self, reason: DropReason) -> u64 {
        self.dropped_rows[reason as usize].value()
    }

    pub fn drop_reports(&self, reason: DropReason, reports: u64) {
        self.dropped_reports[reason as usize].add(reports);
    }

    pub fn dropped_reports(&self, reason: DropReason) -> u64 {
        self.dropped_reports[reason as usize].value()
    }

    pub fn connect_failed(&self, reason: ConnectFailure) {
        self.connect_failures[reason as usize].add(1);
    }

    pub fn connect_failures(&self, reason: ConnectFailure) -> u64 {
        self.connect_failures[reason as usize].value()
    }

    /// Shows every number, always all and in the same order, without allocating.
    pub fn each(&self, show: &mut dyn FnMut(OwnNumber)) {
        for (name, help, count) in self.counts() {
            show((name, help, MetricKind::Counter, None, count.value() as f64));
        }
        for (name, help, level, per_unit) in self.levels() {
            show((name, help, MetricKind::Gauge, None, level.value() as f64 / per_unit));
        }
        for reason in DropReason::ALL {
            let label = Some(("reason", reason.name()));
            let (batches, rows) = (self.dropped_batches(reason) as f64, self.dropped_rows(reason) as f64);
            let (batch_help, row_help) = ("Batches that will not arrive.", "Rows that were never numbered.");
            show(("muster_agent_batches_dropped_total", batch_help, MetricKind::Counter, label, batches));
            show(("muster_agent_rows_dropped_total", row_help, MetricKind::Counter, label, rows));
            let (help, reports) = ("Reports of checks that were never numbered.", self.dropped_reports(reason) as f64);
            show(("muster_agent_reports_dropped_total", help, MetricKind::Counter, label, reports));
        }
        for reason in ConnectFailure::ALL {
            let label = Some(("reason", reason.name()));
            let (help, failures) = ("Connections that failed before a welcome.", self.connect_failures(reason) as f64);
            show(("muster_agent_connect_failures_total", help, MetricKind::Counter, label, failures));
        }
        self.logs.each(show);
        self.checks.each(show);
        self.ask.each(show);
    }

    fn counts(&self) -> [(&'static str, &'static str, &Count); 30] {
        [
            ("muster_agent_rows_total", "Rows handed to the uplink.", &self.rows),
            ("muster_agent_batches_total", "Batches numbered.", &self.batches),
            ("muster_agent_batches_acked_total", "Batches the collector has committed.", &self.acked_batches),
            ("muster_agent_reports_total", "Reports of checks handed to the uplink.", &self.reports),
            ("muster_agent_report_batches_total", "Batches of reports numbered.", &self.report_batches),
            (
                "muster_agent_process_looks_unsent_total",
                "Looks at processes that were not sent: the collector was not heard yet, or does not read them.",
                &self.looks_unsent,
            ),
            ("muster_agent_inventory_looks_total", "Looks at tables of the inventory.", &self.inventory_looks),
            ("muster_agent_inventory_failures_total", "Looks at tables that failed.", &self.inventory_failures),
            ("muster_agent_inventory_reports_total", "Reports made of looks at tables.", &self.inventory_reports),
            (
                "muster_agent_inventory_words_dropped_total",
                "Words of the collector about its inventory that found no place.",
                &self.inventory_words_dropped,
            ),
            ("muster_agent_log_batches_total", "Batches of log lines sent.", &self.log_batches),
            (
                "muster_agent_log_rewinds_total",
                "Times that log lines were read again from what is committed.",
                &self.log_rewinds,
            ),
            (
                "muster_agent_log_refusals_total",
                "Batches of log lines that the collector could not read.",
                &self.log_refusals,
            ),
            ("muster_agent_gaps_total", "Gap batches sent.", &self.gaps),
            ("muster_agent_sent_bytes_total", "Bytes of frames sent.", &self.sent_bytes),
            ("muster_agent_connects_total", "Connections made.", &self.connects),
            ("muster_agent_refusals_total", "Refusals by the collector.", &self.refusals),
            ("muster_agent_context_requests_total", "Contexts the collector asked for.", &self.context_requests),
            ("muster_agent_epochs_total", "Epochs started.", &self.epochs_started),
            ("muster_agent_reverts_total", "Times this machine was found reverted or cloned.", &self.reverts),
            ("muster_agent_restores_total", "Times the collector's store was found restored.", &self.restores),
            ("muster_agent_clock_corrections_total", "Changes of the clock correction.", &self.clock_corrections),
            ("muster_agent_spooled_batches_total", "Batches written to the spool.", &self.spooled_batches),
            ("muster_agent_spool_syncs_total", "fdatasync calls of the spool.", &self.spool_syncs),
            ("muster_agent_spool_errors_total", "Disk errors of the spool.", &self.spool_errors),
            ("muster_agent_spool_damages_total", "Spool files cut at a damaged record.", &self.spool_damages),
            ("muster_agent_renewal_failures_total", "Certificate renewals that failed.", &self.renewal_failures),
            (
                "muster_agent_configuration_refused_total",
                "Configurations of the collector that this host refused.",
                &self.configuration_refusals,
            ),
            (
                "muster_agent_configuration_reverted_total",
                "Configurations of the collector that did not do and were set back.",
                &self.configuration_reverts,
            ),
            (
                "muster_agent_task_frames_dropped_total",
                "Frames of tasks that did not reach muster-task, or not the collector.",
                &self.task_frames_dropped,
            ),
        ]
    }

    fn levels(&self) -> [(&'static str, &'static str, &Level, f64); 7] {
        [
            ("muster_agent_connected", "1 while a session is welcomed.", &self.connected, 1.0),
            ("muster_agent_queued_bytes", "Bytes of batches in memory, with their contexts.", &self.queued_bytes, 1.0),
            ("muster_agent_spool_bytes", "Bytes of the spool's files.", &self.spool_bytes, 1.0),
            ("muster_agent_epochs_held", "Epochs of which something is held.", &self.epochs_held, 1.0),
            ("muster_agent_rtt_seconds", "Round trip to the collector.", &self.rtt_us, 1e6),
            (
                "muster_agent_configuration_number",
                "Number of the collector's configuration in force, 0 for none.",
                &self.configuration_number,
                1.0,
            ),
            ("muster_agent_clock_offset_seconds", "Collector's clock minus this one.", &self.clock_offset_ms, 1e3),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_unique_name_and_label() {
        let own = Own::default();
        own.drop_batches(DropReason::SpoolFull, 3);
        let (mut seen, mut sum) = (std::collections::BTreeSet::new(), 0.0);
        own.each(&mut |(name, help, _, label, value)| {
            assert!(seen.insert((name, label)) && name.starts_with("muster_agent_") && help.ends_with('.'));
            sum += value;
        });
        own.connect_failed(ConnectFailure::Handshake);
        assert_eq!(own.connect_failures(ConnectFailure::Handshake), 1);
        assert_eq!(
            (seen.len(), sum),
            (30 + 7 + 21 + 5 + LogNumbers::SERIES + CheckNumbers::SERIES + AskNumbers::SERIES, 3.0)
        );
    }
}
