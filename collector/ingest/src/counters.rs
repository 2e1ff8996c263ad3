//! What ingest counts about itself: one atomic a kind, listed in one table with its name, labels and help.
//!
//! Every drop, refusal and discard of this crate is a line here, so that a loss is always a number that can be seen.

use std::sync::atomic::{AtomicU64, Ordering};

use muster_common::stat::Stat;

macro_rules! counts {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $help:expr $(, $label:literal = $value:literal)?;)*) => {
        /// One thing that ingest counts.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Count { $($(#[$doc])* $variant,)* }

        /// Name, help and label of each [`Count`], in the order of its numbers.
        const TABLE: &[(&str, &str, &[(&str, &str)])] = &[$(($name, $help, &[$(($label, $value))?]),)*];
    };
}

const BATCHES: &str = "Batches of agents by what became of them.";
const DROPPED: &str = "Samples that were refused one by one, by reason.";
const LINES_DROPPED: &str = "Lines that were refused one by one, by reason.";
const REPORTS_DROPPED: &str = "Reports of checks and events that were refused one by one, by reason.";
const SERIES: &str = "Series of contexts and requests that are not taken, by reason, counted when they are first seen.";
const HANDSHAKES: &str = "QUIC connection attempts by how they ended.";
const REFUSALS: &str = "Sessions ended by a refusal, by its code.";
const HTTP: &str = "Remote write requests that were let in, by the status answered.";
const PUSH: &str = "Loki push requests that were let in, by the status answered.";
const ANSWERS: &str = "Answers of agents to questions, by what became of them.";
const OWN: &str = "Batches that the collector made itself (up, own numbers, stale markers), by what became of them.";

counts! {
    BatchesCommitted = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "committed";
    /// Acked again, not stored again.
    BatchesRepeated = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "repeated";
    /// Committed as a gap that takes the seq.
    BatchesRefused = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "refused";
    /// Of an epoch at or below the agent's floor.
    BatchesExpired = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "expired";
    BatchesAwaitingContext = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "discarded_need_context";
    BatchesOutOfOrder = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "discarded_out_of_order";
    /// Of lines that do not continue what is committed of their files.
    BatchesMisplaced = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "discarded_misplaced";
    BatchesFenced = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "discarded_fenced";
    /// Handed to the store again after a commit that failed.
    BatchesRetried = "muster_collector_ingest_batches_total", BATCHES, "outcome" = "retried";
    GapsCommitted = "muster_collector_ingest_gaps_total", "Gaps that agents named and the store keeps.";
    Samples = "muster_collector_ingest_samples_total", "Samples committed, of all intakes.";
    SamplesFuture = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "future";
    SamplesTooOld = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "too_old";
    SamplesSeriesLimit = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "series_limit";
    SamplesLabels = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "labels";
    SamplesReserved = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "reserved";
    SamplesTwice = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "series_twice";
    SamplesHistogram = "muster_collector_ingest_samples_dropped_total", DROPPED, "reason" = "native_histogram";
    Reports = "muster_collector_ingest_reports_total", "Reports of checks committed.";
    ReportsFuture = "muster_collector_ingest_reports_dropped_total", REPORTS_DROPPED, "reason" = "future";
    ReportsTooOld = "muster_collector_ingest_reports_dropped_total", REPORTS_DROPPED, "reason" = "too_old";
    ReportsUnencodable = "muster_collector_ingest_reports_dropped_total", REPORTS_DROPPED, "reason" = "unencodable";
    Lines = "muster_collector_ingest_lines_total", "Log lines committed, of all intakes.";
    LinesFuture = "muster_collector_ingest_lines_dropped_total", LINES_DROPPED, "reason" = "future";
    LinesTooOld = "muster_collector_ingest_lines_dropped_total", LINES_DROPPED, "reason" = "too_old";
    /// Pushed ones: agents cut theirs.
    LinesTooLong = "muster_collector_ingest_lines_dropped_total", LINES_DROPPED, "reason" = "too_long";
    LinesLabels = "muster_collector_ingest_lines_dropped_total", LINES_DROPPED, "reason" = "labels";
    LinesReserved = "muster_collector_ingest_lines_dropped_total", LINES_DROPPED, "reason" = "reserved";
    LineFields = "muster_collector_ingest_line_fields_dropped_total", "Lines stored without their fields, since those broke a limit.";
    LogSkips = "muster_collector_log_skips_total", "Ranges of log sources whose agent named bytes before them as lost.";
    ProblemSets = "muster_collector_ingest_problem_sets_total", "Times that a host told all that is wrong on it.";
    ProblemsDropped = "muster_collector_ingest_problems_dropped_total", "Problems of hosts beyond what is kept of one.";
    SeriesLimit = "muster_collector_ingest_series_refused_total", SERIES, "reason" = "series_limit";
    SeriesLabels = "muster_collector_ingest_series_refused_total", SERIES, "reason" = "labels";
    SeriesReserved = "muster_collector_ingest_series_refused_total", SERIES, "reason" = "reserved";
    SeriesTwice = "muster_collector_ingest_series_refused_total", SERIES, "reason" = "series_twice";
    Contexts = "muster_collector_ingest_contexts_total", "Contexts received.";
    ContextsEvicted = "muster_collector_ingest_contexts_evicted_total", "Contexts that left the bounded cache.";
    ContextsNeeded = "muster_collector_ingest_contexts_needed_total", "Times that an agent was asked for a context again.";
    Commits = "muster_collector_ingest_commits_total", "Durable transactions of the inbox.";
    CommitsFailed = "muster_collector_ingest_commits_failed_total", "Commits that the disk did not take; nothing of them was acked.";
    CommitsThrottled = "muster_collector_ingest_commits_throttled_total", "Commits put off because the store asked to wait.";
    /// Counted in microseconds, told in seconds.
    CommitMicros = "muster_collector_ingest_commit_seconds_total", "Time spent inside commits.";
    ApplyFailed = "muster_collector_ingest_apply_failed_total", "Times that the small state could not be brought up to the inbox.";
    Sessions = "muster_collector_ingest_sessions_total", "Sessions welcomed.";
    ConfigurationsOffered = "muster_collector_ingest_configurations_offered_total", "Configurations given to agents.";
    ConfigurationStates = "muster_collector_ingest_configuration_states_total", "What agents said of their configurations.";
    TablesAsked = "muster_collector_ingest_inventory_asked_total", "Questions to agents to tell tables of their inventory whole.";
    QuestionsSent = "muster_collector_ingest_questions_total", "Questions of people sent to agents.";
    AnswersTaken = "muster_collector_ingest_answers_total", ANSWERS, "result" = "taken";
    /// To no question of its session, or a second one to the same.
    AnswersStray = "muster_collector_ingest_answers_total", ANSWERS, "result" = "stray";
    TaskCalls = "muster_collector_ingest_task_calls_total", "Calls of tasks sent to agents.";
    TaskStates = "muster_collector_ingest_task_states_total", "What agents said of calls of tasks.";
    TaskOutputs = "muster_collector_ingest_task_outputs_total", "Chunks of what tasks wrote.";
    SessionsFenced = "muster_collector_ingest_sessions_fenced_total", "Sessions ended because a later one of the same host took over.";
    SessionsReverted = "muster_collector_ingest_sessions_reverted_total", "Hellos whose host had sent less than is committed: a reverted or cloned machine.";
    Handshakes = "muster_collector_ingest_handshakes_total", HANDSHAKES, "result" = "ok";
    HandshakesFailed = "muster_collector_ingest_handshakes_total", HANDSHAKES, "result" = "failed";
    HandshakesRefused = "muster_collector_ingest_handshakes_total", HANDSHAKES, "result" = "refused";
    HandshakesRetried = "muster_collector_ingest_handshakes_total", HANDSHAKES, "result" = "retry_asked";
    RefusedVersion = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "version";
    RefusedProtocol = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "protocol";
    RefusedToken = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "token";
    RefusedPending = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "pending";
    RefusedCertificate = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "certificate";
    RefusedQuarantined = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "quarantined";
    RefusedSuperseded = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "superseded";
    RefusedBusy = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "busy";
    RefusedStorage = "muster_collector_ingest_refusals_total", REFUSALS, "code" = "storage";
    Enrolments = "muster_collector_ingest_enrolments_total", "Hosts let in.";
    Renewals = "muster_collector_ingest_renewals_total", "Certificates renewed over a session.";
    Http204 = "muster_collector_ingest_http_requests_total", HTTP, "status" = "204";
    Http400 = "muster_collector_ingest_http_requests_total", HTTP, "status" = "400";
    Http413 = "muster_collector_ingest_http_requests_total", HTTP, "status" = "413";
    Http415 = "muster_collector_ingest_http_requests_total", HTTP, "status" = "415";
    Http429 = "muster_collector_ingest_http_requests_total", HTTP, "status" = "429";
    Http503 = "muster_collector_ingest_http_requests_total", HTTP, "status" = "503";
    Push204 = "muster_collector_ingest_push_requests_total", PUSH, "status" = "204";
    Push400 = "muster_collector_ingest_push_requests_total", PUSH, "status" = "400";
    Push413 = "muster_collector_ingest_push_requests_total", PUSH, "status" = "413";
    Push415 = "muster_collector_ingest_push_requests_total", PUSH, "status" = "415";
    Push429 = "muster_collector_ingest_push_requests_total", PUSH, "status" = "429";
    Push503 = "muster_collector_ingest_push_requests_total", PUSH, "status" = "503";
    HttpRepeats = "muster_collector_ingest_http_repeats_total", "Requests that the repeat table knew and that were not stored again.";
    Events = "muster_collector_ingest_events_total", "Events that became lines of the collector's own streams.";
    OwnCommitted = "muster_collector_ingest_own_batches_total", OWN, "outcome" = "committed";
    /// One that was durable already, or whose tick was used by an earlier time of a clock that was set back: then it goes again above it.
    OwnRepeated = "muster_collector_ingest_own_batches_total", OWN, "outcome" = "repeated";
    OwnFailed = "muster_collector_ingest_own_batches_total", OWN, "outcome" = "failed";
    /// Grid ticks that passed while the collector was busy; not made up.
    OwnSkipped = "muster_collector_ingest_own_batches_total", OWN, "outcome" = "skipped";
    ClockSetBack = "muster_collector_ingest_clock_set_back_total", "Times that the clock went back by an interval of the grid or more.";
    StaleMarkers = "muster_collector_ingest_stale_markers_total", "Stale markers written for renamed, relabelled and retired hosts.";
    /// The series fade with the lookback instead.
    StaleMarkersDropped = "muster_collector_ingest_stale_markers_dropped_total", "Stale markers that the store did not take in several tries.";
}

/// All counters of one collector. Shared by its sessions, intakes and threads.
pub struct Counters {
    values: [AtomicU64; TABLE.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self { values: [const { AtomicU64::new(0) }; TABLE.len()] }
    }
}

impl Counters {
    pub fn add(&self, count: Count, number: u64) {
        if number > 0 {
            self.values[count as usize].fetch_add(number, Ordering::Relaxed);
        }
    }

    pub fn one(&self, count: Count) {
        self.add(count, 1);
    }

    pub fn value(&self, count: Count) -> u64 {
        self.values[count as usize].load(Ordering::Relaxed)
    }

    /// All of them as they stand on `/metrics`.
    pub fn stats(&self) -> Vec<Stat> {
        let with_values = TABLE.iter().zip(&self.values);
        let mut stats: Vec<Stat> = with_values
            .map(|((name, help, labels), value)| {
                let stat = Stat::counter(name, help, value.load(Ordering::Relaxed));
                labels.iter().fold(stat, |stat, (label, value)| stat.with(label, *value))
            })
            .collect();
        stats[Count::CommitMicros as usize].value /= 1e6;
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_own_name_and_labels() {
        let counters = Counters::default();
        counters.add(Count::SamplesTwice, 3);
        counters.one(Count::SamplesTwice);
        let stats = counters.stats();
        let mut keys: Vec<String> = stats.iter().map(|stat| format!("{}{:?}", stat.name, stat.labels)).collect();
        let twice = stats.iter().find(|stat| stat.labels == [("reason", "series_twice".to_owned())]);
        assert_eq!(twice.map(|stat| stat.value), Some(4.0));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), stats.len());
    }
}
