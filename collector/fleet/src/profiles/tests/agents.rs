//! Agents over a real collector, which do as they are told.

use std::collections::BTreeSet;

use super::fleet::bench;
use super::*;
use crate::EventKind;
use crate::testing::{Bench, at};

/// Agents: what each has in force, and the digests that it cannot take.
pub(super) struct Agents {
    pub(super) bench: Bench,
    pub(super) hosts: Vec<HostId>,
    pub(super) in_force: BTreeMap<HostId, ConfigurationDigest>,
    /// Numbers that each was given, in order.
    pub(super) numbers: BTreeMap<HostId, Vec<u64>>,
    /// Hosts that refuse documents with this word in them.
    pub(super) broken: BTreeMap<HostId, &'static str>,
    pub(super) away: BTreeSet<HostId>,
    pub(super) second: u64,
    pub(super) restarts: bool,
}

impl Agents {
    pub(super) fn new(count: usize) -> Self {
        let (bench, hosts) = bench(count);
        let mut agents = Self {
            bench,
            hosts,
            in_force: BTreeMap::new(),
            numbers: BTreeMap::new(),
            broken: BTreeMap::new(),
            away: BTreeSet::new(),
            second: 1,
            restarts: false,
        };
        agents.connect_all();
        agents
    }

    pub(super) fn connect_all(&mut self) {
        for host in self.hosts.clone() {
            if !self.away.contains(&host) {
                self.bench.fleet.configuration_connected(host, true);
                self.tell(host, None);
            }
        }
    }

    /// What the agent says after a welcome, or of an offer.
    pub(super) fn tell(&mut self, host: HostId, refused: Option<(ConfigurationDigest, &str)>) {
        let in_force = self.in_force.get(&host).copied().unwrap_or_default();
        let (offered, word, problems) = match refused {
            Some((digest, problem)) => (digest, ConfigurationWord::Refused, vec![problem.to_owned()]),
            None if in_force == [0; 16] => (in_force, ConfigurationWord::None, vec![]),
            None => (in_force, ConfigurationWord::InForce, vec![]),
        };
        self.bench.fleet.configuration_told(host, in_force, offered, word, &problems, at(self.second));
    }

    /// Seconds pass: the collector steps, agents take what they are given.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.second += 1;
            self.bench.fleet.step_profiles(at(self.second)).unwrap();
            for host in self.bench.fleet.take_configurations_due() {
                if !self.away.contains(&host) {
                    self.give(host);
                }
            }
        }
        if self.restarts {
            self.restart();
        }
    }

    pub(super) fn give(&mut self, host: HostId) {
        let Some((number, digest, document)) = self.bench.fleet.configuration_for(host) else { return };
        let numbers = self.numbers.entry(host).or_default();
        if numbers.last() == Some(&number) {
            return;
        }
        assert!(numbers.last().is_none_or(|last| *last < number), "numbers rise: {numbers:?} {number}");
        numbers.push(number);
        match self.broken.get(&host) {
            Some(word) if document.contains(word) => self.tell(host, Some((digest, "checks.kind: no such"))),
            _ => {
                let none = document.is_empty();
                self.in_force.insert(host, if none { [0; 16] } else { digest });
                self.tell(host, None);
            }
        }
    }

    pub(super) fn restart(&mut self) {
        take_mut(&mut self.bench, Bench::reopen);
        assert!(!self.bench.fleet.set_profile_files(&[], &crate::By::MUSTER, at(self.second)).unwrap().is_changed);
        self.connect_all();
    }

    /// How many have a document with this check.
    pub(super) fn having(&self, check: &str) -> usize {
        let has = |host: &&HostId| {
            let offered = self.bench.fleet.configuration_for(**host);
            offered.is_some_and(|(_, digest, document)| {
                document.contains(check) && self.in_force.get(*host) == Some(&digest)
            })
        };
        self.hosts.iter().filter(has).count()
    }

    pub(super) fn rollout(&self) -> Rollout {
        self.bench.fleet.rollouts().remove(0)
    }

    pub(super) fn run(&mut self, state: RolloutState) -> Rollout {
        for _ in 0..2_000 {
            self.pass(1);
            if self.rollout().state == state {
                return self.rollout();
            }
        }
        panic!("it is {:?}", self.rollout());
    }
}

fn take_mut(bench: &mut Bench, with: impl FnOnce(Bench) -> Bench) {
    let held = std::mem::replace(bench, Bench::new());
    *bench = with(held);
}

pub(super) fn stopped_events(agents: &Agents, kind: EventKind) -> Vec<String> {
    agents.bench.events().into_iter().filter(|event| event.kind == kind).map(|event| event.text).collect()
}
