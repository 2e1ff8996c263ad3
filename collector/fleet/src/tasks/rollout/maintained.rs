//! Which hosts of an order are to be in a maintenance: those of a wave, from its first call until each of them has ended and been looked at.
//!
//! It follows from the rows and nothing else, so another process finds the same. What comes of it is done by `tasks/maintained.rs`, in the
//! transaction that makes the calls durable.

use std::collections::BTreeMap;

use muster_common::host::HostId;

use super::{ACCEPT_MS, Machine, Run, RunState, STEP_BACK};
use crate::status::MAINTENANCE_HOSTS_MAX;

/// The hosts of a wave, or of a part of it, that are to be in a maintenance now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Maintained {
    pub(crate) step: u8,
    pub(crate) wave: u32,
    /// From 0: a maintenance has a bound of hosts, and a wave may have more.
    pub(crate) part: usize,
    /// Those that were given the call, in that order.
    pub(crate) hosts: Vec<HostId>,
    /// When the last of them has been looked at, if none goes away over and over, milliseconds.
    pub(crate) ends_ms: i64,
    /// How long health may take to return after it.
    pub(crate) grace_ms: i64,
}

impl Machine {
    /// Maintenances that are to be open; none of a task that wants none, and none of an order that is over.
    pub(crate) fn maintained(&self) -> Vec<Maintained> {
        let step = self.progress.step;
        let grace_ms = if step == STEP_BACK { self.terms.back_maintenance_ms } else { self.terms.maintenance_ms };
        let Some(grace_ms) = grace_ms.filter(|_| self.progress.state.is_open()) else { return Vec::new() };
        let mut waves: BTreeMap<u32, Vec<(i64, u32, HostId, &Run)>> = BTreeMap::new();
        for (host, member) in &self.members {
            if let Some(run) = member.run(step).filter(|run| run.sent_ms > 0) {
                waves.entry(run.wave).or_default().push((run.sent_ms, member.place, *host, run));
            }
        }
        let mut maintained = Vec::new();
        for (wave, mut runs) in waves {
            // Who has the call keeps its place: those that come later are behind it.
            runs.sort_unstable_by_key(|(sent_ms, place, ..)| (*sent_ms, *place));
            for (part, runs) in runs.chunks(MAINTENANCE_HOSTS_MAX).enumerate() {
                let unsettled = runs.iter().filter(|(.., run)| run.is_unsettled());
                if let Some(ends_ms) = unsettled.map(|(.., run)| self.settled_by(run)).max() {
                    let hosts = runs.iter().map(|(_, _, host, _)| *host).collect();
                    maintained.push(Maintained { step, wave, part, hosts, ends_ms, grace_ms });
                }
            }
        }
        maintained
    }

    /// When a run that the wave waits for is settled: by the limit of its task, and the times that the terms give to the way back and to the soak.
    fn settled_by(&self, run: &Run) -> i64 {
        let run_ms = if self.progress.step == STEP_BACK { self.terms.back_ms } else { self.terms.run_ms };
        let ended_ms = match run.state {
            RunState::Sent => run.sent_ms.saturating_add(ACCEPT_MS).saturating_add(run_ms),
            RunState::Running => run.began_ms.saturating_add(run_ms),
            _ => run.ended_ms,
        };
        ended_ms.saturating_add(self.terms.return_ms).saturating_add(self.terms.soak_ms)
    }
}

impl Maintained {
    /// The name of the order's maintenances: `task 7 wave 2`, `task 7 back wave 1`; waves are counted from 1, as people are shown them.
    pub(crate) fn reference(&self, order: u64) -> String {
        format!("{}{}", order_prefix(order), self.place())
    }

    /// What is done there, for people.
    pub(crate) fn name(&self, order: u64, task: &str) -> String {
        format!("task {task}, order {order}, {}", self.place())
    }

    fn place(&self) -> String {
        let back = if self.step == STEP_BACK { "back " } else { "" };
        let part = if self.part == 0 { String::new() } else { format!(" part {}", self.part + 1) };
        format!("{back}wave {}{part}", u64::from(self.wave) + 1)
    }
}

/// What the references of all maintenances of tasks begin with.
pub(crate) const PREFIX: &str = "task ";

/// What those of an order begin with.
pub(crate) fn order_prefix(order: u64) -> String {
    format!("{PREFIX}{order} ")
}
