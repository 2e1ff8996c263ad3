//! What time alone brings about: rows that have served are dropped, what was only in memory is written, numbers are told.

use std::time::Duration;

use muster_common::stat::Stat;
use muster_common::time::Timestamp;

use crate::asking::question_stats;
use crate::ca::{AuthorityRole, CA_LIFE, LEAF_LIFE, RENEW_AFTER_END};
use crate::changes::RegistryChange;
use crate::deploys::{deploy_stats, drop_overrides};
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::gate::verdict_stats;
use crate::host::HostState;
use crate::http_tokens::HttpTokenRow;
use crate::memory::Memory;
use crate::sessions;

/// A machine that waits is forgotten after this long; if it still asks, it is listed anew.
pub const WAITING_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// Retired hosts kept: their history goes on in the store by name, the row only tells when and why. Beyond it the oldest go, which
/// matters to fleets of ephemeral hosts.
pub const RETIRED_MAX: usize = 20_000;

impl Fleet {
    /// To be called about once a minute: drops what has served (ended tokens, denials of certificates that ended, machines that waited
    /// too long, old CAs) writes what hellos told and when tokens and sessions were used, and counts which hosts are off
    /// their group.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file failed; the next call does what this one did not.
    pub fn maintain(&self, now: Timestamp) -> Result<(), FleetError> {
        self.change(|memory, draft| {
            drop_tokens(memory, draft, now);
            sessions::maintain(self, memory, draft, now);
            let denied = memory.denied.values().filter(|row| now.millis() > row.until_ms);
            draft.forgotten_denied.extend(denied.map(|row| row.serial.clone()));
            drop_hosts(memory, draft, now);
            let old = memory.authorities.iter().filter(|authority| authority.row.role == AuthorityRole::Old);
            let over = old.filter(|authority| {
                now.since(Timestamp::from_millis(authority.row.role_ms)) > LEAF_LIFE + RENEW_AFTER_END
            });
            drop_overrides(memory, draft, now);
            draft.forgotten_authorities.extend(over.map(|authority| authority.row.number));
            if !draft.forgotten_authorities.is_empty() {
                draft.changes.push(RegistryChange::Authorities);
            }
            let used = self.used.lock();
            let uses = memory.http_tokens.values().filter_map(|row| {
                let last_used_ms = used.get(&row.id).copied();
                (last_used_ms.is_some() && last_used_ms != row.last_used_ms)
                    .then(|| HttpTokenRow { last_used_ms, ..row.clone() })
            });
            let forgotten = draft.forgotten_http_tokens.clone();
            draft.http_tokens.extend(uses.filter(|row| !forgotten.contains(&row.id)));
            Ok(())
        })?;
        self.used.lock().retain(|id, _| self.memory.read().http_tokens.contains_key(id));
        self.flush()?;
        self.pass_discovery(now)?;
        self.pass_deploys(now)?;
        self.measure_drift(now)
    }

    /// Numbers of the fleet for `/metrics` and the store.
    pub fn stats(&self) -> Vec<Stat> {
        let memory = self.memory.read();
        let mut stats = self.part_stats(&memory);
        let untold = self.losses.lock().untold;
        let counts = self.counts.lock();
        let losses = loss_stats(&memory, untold, counts.early_looks);
        for state in HostState::ALL {
            let help = "Rows of the registry by state.";
            let count = memory.count(state) as f64;
            stats.push(Stat::gauge("muster_collector_hosts", help, count).with("state", state.as_str()));
        }
        for (reason, count) in &counts.refused {
            let help = "Enrolments, renewals and sessions refused, by what the refusal is about.";
            stats.push(Stat::counter("muster_collector_refused_total", help, *count).with("reason", *reason));
        }
        let current = memory.authorities.iter().find(|authority| authority.row.role == AuthorityRole::Current);
        let ca_ends = current.map_or(0.0, |authority| {
            Timestamp::from_millis(authority.row.made_ms).plus(CA_LIFE).millis() as f64 / 1_000.0
        });
        let (checks, refused) = {
            let book = self.book.lock();
            (book.len(), book.refused)
        };
        stats.extend([
            Stat::gauge("muster_collector_checks", "Checks of active hosts.", checks as f64),
            Stat::counter(
                "muster_collector_checks_refused_total",
                "Results of checks that were not taken because their host has too many, or their name is the collector's own.",
                refused,
            ),
            Stat::counter(
                "muster_collector_certificates_issued_total",
                "Enrolments answered with a certificate.",
                counts.issued,
            ),
            Stat::counter(
                "muster_collector_certificates_renewed_total",
                "Renewals answered with a certificate.",
                counts.renewed,
            ),
            Stat::gauge("muster_collector_ca_expiry_timestamp_seconds", "When the signing CA ends.", ca_ends),
            Stat::gauge(
                "muster_collector_certificates_denied",
                "Certificates on the deny list.",
                memory.denied.len() as f64,
            ),
            Stat::gauge("muster_collector_tokens", "Tokens known.", memory.tokens.len() as f64)
                .with("kind", "enrolment"),
            Stat::gauge("muster_collector_tokens", "Tokens known.", memory.http_tokens.len() as f64)
                .with("kind", "http"),
            Stat::gauge("muster_collector_outbox_rows", "Events kept in the outbox.", memory.outbox.rows as f64),
            Stat::gauge(
                "muster_collector_outbox_undelivered",
                "Events that are not in the store yet.",
                memory.outbox.next_seq.saturating_sub(1).saturating_sub(memory.outbox.delivered) as f64,
            ),
            Stat::counter(
                "muster_collector_outbox_dropped_total",
                "Events dropped from a full outbox before they were delivered.",
                memory.outbox.dropped,
            ),
            Stat::counter("muster_collector_state_commits_total", "Commits to state.redb.", counts.commits),
            Stat::counter(
                "muster_collector_state_commit_failures_total",
                "Commits to state.redb that failed.",
                counts.failed_commits,
            ),
        ]);
        stats.extend(people_stats(&memory, counts.summed_refusals));
        stats.extend(losses.into_iter().chain(self.profile_stats()).chain(self.task_stats()));
        stats
    }

    /// Numbers of parts that have their own.
    fn part_stats(&self, memory: &Memory) -> Vec<Stat> {
        let mut stats = inventory_stats(self, memory);
        stats.extend(question_stats(&self.questions));
        stats.extend(deploy_stats(memory));
        stats.extend(verdict_stats(memory));
        stats
    }
}

/// Numbers of who may log in, and of what is known of who changed what.
fn people_stats(memory: &Memory, summed_refusals: u64) -> [Stat; 4] {
    [
        Stat::gauge("muster_collector_users", "Local users.", memory.users.len() as f64),
        Stat::gauge("muster_collector_sessions", "Sessions of local users.", memory.sessions.len() as f64),
        Stat::gauge("muster_collector_audit_rows", "Rows of the audit.", memory.audit.rows as f64),
        Stat::counter(
            "muster_collector_audit_summed_total",
            "Refusals that have no row of their own in the audit, but are summed in another.",
            summed_refusals,
        ),
    ]
}

/// Numbers of what is known to be missing.
fn loss_stats(memory: &Memory, untold: u64, early_looks: u64) -> [Stat; 6] {
    [
        Stat::gauge("muster_collector_gaps", "Known gaps kept.", memory.gaps.rows as f64),
        Stat::counter(
            "muster_collector_gaps_dropped_total",
            "Known gaps dropped, the oldest first.",
            memory.gaps.dropped,
        ),
        Stat::gauge("muster_collector_log_losses", "Known losses of log lines kept.", memory.log_losses.rows as f64),
        Stat::counter(
            "muster_collector_log_losses_dropped_total",
            "Known losses of log lines dropped, the oldest first.",
            memory.log_losses.dropped,
        ),
        Stat::counter(
            "muster_collector_gap_events_untold_total",
            "Gaps and losses of log lines that became no event, since their host had told too many in the hour.",
            untold,
        ),
        Stat::counter(
            "muster_collector_process_looks_dropped_total",
            "Looks at hosts' processes that were dropped before they were a day old, since there were too many.",
            early_looks,
        ),
    ]
}

/// Numbers of what hosts have and are.
fn inventory_stats(fleet: &Fleet, memory: &Memory) -> Vec<Stat> {
    let (inventory, discovery) = (fleet.inventory.read(), fleet.discovery.lock().stats(memory));
    let ((hosts, rows), counts) = (inventory.sizes(), inventory.counts());
    let own = [
        Stat::gauge("muster_collector_inventory_hosts", "Hosts of which an inventory is known.", hosts as f64),
        Stat::gauge("muster_collector_inventory_rows", "Different rows of all inventories.", rows as f64),
        Stat::counter("muster_collector_inventory_changes_total", "Changes of inventories taken.", counts.changes),
        Stat::counter(
            "muster_collector_inventory_changes_dropped_total",
            "Changes of inventories that were dropped before they were 400 days old, since there were too many.",
            counts.early_changes,
        ),
        Stat::counter(
            "muster_collector_inventory_changes_untold_total",
            "Changes of inventories that became no event, since their host had told too many in the hour.",
            counts.untold,
        ),
        Stat::counter(
            "muster_collector_inventory_refused_total",
            "Tables of inventories that were not taken, since their rows break a rule.",
            counts.refused,
        ),
        Stat::counter(
            "muster_collector_inventory_asked_total",
            "Tables of inventories that hosts were to tell whole, since what they told did not follow from what was known.",
            counts.asked,
        ),
    ];
    own.into_iter().chain(discovery).chain(fleet.drift_counts.lock().stats()).collect()
}

fn drop_tokens(memory: &Memory, draft: &mut Draft, now: Timestamp) {
    let ended = memory.tokens.values().filter(|row| row.is_forgettable(now));
    draft.forgotten_tokens.extend(ended.map(|row| row.id.clone()));
    let ended = memory.http_tokens.values().filter(|row| !row.is_live(now));
    draft.forgotten_http_tokens.extend(ended.map(|row| row.id.clone()));
}

fn drop_hosts(memory: &Memory, draft: &mut Draft, now: Timestamp) {
    let waited = memory.hosts().filter(|row| matches!(row.state, HostState::Pending | HostState::Quarantined));
    let over = waited.filter(|row| now.since(Timestamp::from_millis(row.asked_ms)) > WAITING_KEPT);
    draft.forgotten.extend(over.map(|row| row.id));
    let over = memory.count(HostState::Retired).saturating_sub(RETIRED_MAX);
    if over > 0 {
        let mut retired: Vec<_> = memory.hosts().filter(|row| row.state == HostState::Retired).collect();
        retired.sort_unstable_by_key(|row| row.retired_ms);
        draft.forgotten.extend(retired.into_iter().take(over).map(|row| row.id));
    }
}
