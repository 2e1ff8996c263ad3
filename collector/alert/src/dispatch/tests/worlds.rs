//! Random worlds: alerts that come, worsen, move, are held and end, restarts and other plans in between.

use muster_fleet::status::HoldReason;

use super::bench::{Bench, alert, id};
use super::ledger::Ledger;
use crate::alert::{Held, HeldReason};
use crate::dispatch::{Planted, severity_rank};

const NAMES: [&str; 3] = ["Disk", "Load", "Root"];
const HOSTS: [&str; 3] = ["a1", "a2", "a3"];
const TEAMS: [&str; 3] = ["a", "b", "all"];
const SEVERITIES: [&str; 3] = ["unknown", "warning", "critical"];
/// Longer than any wait of the plan but the repeat.
const CALM_MS: i64 = 1_300_000;

/// xorshift64*: a world is its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }
}

struct World {
    bench: Bench,
    ledger: Ledger,
    dice: Dice,
    heard: usize,
    /// What the source says of each alert: team, severity, held by it.
    sources: Vec<Option<(&'static str, &'static str, bool)>>,
}

impl World {
    fn new(seed: u64, bug: Option<Planted>) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut bench = Bench::with(bug);
        bench.plan.inhibits = dice.below(2) == 0;
        bench.plan.waits.group_wait_ms = [0, 0, 10_000][dice.below(3)];
        bench.plan.group_by = [&["alertname", "host"][..], &["alertname"], &[]][dice.below(3)];
        Self { bench, ledger: Ledger::default(), dice, heard: 0, sources: vec![None; NAMES.len() * HOSTS.len()] }
    }

    fn name(at: usize) -> (&'static str, &'static str) {
        (NAMES[at % NAMES.len()], HOSTS[at / NAMES.len()])
    }

    /// Truth after whatever changed.
    fn know(&mut self) {
        let roots: Vec<&str> = (0..self.sources.len())
            .filter(|at| self.sources[*at].is_some() && Self::name(*at).0 == "Root")
            .map(|at| Self::name(at).1)
            .collect();
        for (at, source) in self.sources.iter().enumerate() {
            let (name, host) = Self::name(at);
            let truth = self.ledger.truth.entry(id(name, host)).or_default();
            truth.is_firing = source.is_some();
            let Some((team, severity, is_held)) = source else { continue };
            truth.is_quiet = false;
            let inhibited = self.bench.plan.inhibits && name != "Root" && roots.contains(&host);
            truth.is_held = *is_held || inhibited || self.bench.plan.silenced.contains(host);
            truth.rank = severity_rank(severity);
            let labels = alert(name, host, team, severity, 0).labels;
            truth.receivers = self.bench.plan.receivers(&labels).into_iter().map(str::to_owned).collect();
        }
    }

    fn fire(&mut self, at: usize) {
        let (name, host) = Self::name(at);
        let Some((team, severity, is_held)) = self.sources[at] else { return };
        let mut alert = alert(name, host, team, severity, self.bench.now_ms);
        if is_held {
            let why = HeldReason::Status(HoldReason::Downtime);
            alert.holds = vec![Held { why, by: "1".to_owned(), until_ms: None }];
        }
        self.know();
        self.bench.fire(alert);
    }

    fn act(&mut self) {
        let at = self.dice.below(self.sources.len());
        let (name, host) = Self::name(at);
        match self.dice.below(12) {
            0..=2 => {
                let (team, severity) = (TEAMS[self.dice.below(3)], SEVERITIES[self.dice.below(3)]);
                self.sources[at] = Some((team, severity, self.dice.below(4) == 0));
                self.fire(at);
            }
            3 | 4 => {
                if let Some((_, severity, _)) = &mut self.sources[at] {
                    *severity = SEVERITIES[self.dice.below(3)];
                }
                self.fire(at);
            }
            5 => {
                if let Some((_, _, is_held)) = &mut self.sources[at] {
                    *is_held = !*is_held;
                }
                self.fire(at);
            }
            6..=8 => {
                let was = self.sources[at].take();
                let is_quiet = self.dice.below(6) == 0;
                self.know();
                if was.is_some() {
                    self.ledger.truth.entry(id(name, host)).or_default().is_quiet = is_quiet;
                    self.bench.end_with(id(name, host), is_quiet);
                    self.ledger.forget_quiet();
                }
            }
            9 => {
                if !self.bench.plan.silenced.remove(host) {
                    self.bench.plan.silenced.insert(host.to_owned());
                }
                self.know();
                self.bench.replan();
            }
            10 => {
                self.bench.plan.is_swapped = !self.bench.plan.is_swapped;
                self.know();
                self.bench.replan();
            }
            _ => {
                self.bench.restart();
                self.know();
                self.bench.replan();
            }
        }
    }

    fn hear(&mut self) -> Result<(), String> {
        for notice in &self.bench.notices[self.heard..] {
            self.ledger.hear(notice)?;
        }
        self.heard = self.bench.notices.len();
        Ok(())
    }

    fn calm(&mut self) -> Result<(), String> {
        self.bench.pass(CALM_MS);
        self.hear()?;
        self.ledger.settled()
    }

    fn run(&mut self) -> Result<(), String> {
        for step in 0..60 {
            self.act();
            self.hear()?;
            let pause = [0, 200, 3_000, 20_000, 70_000][self.dice.below(5)];
            self.bench.pass(pause);
            self.hear()?;
            if step % 20 == 19 {
                self.calm().map_err(|what| format!("after step {step}: {what}"))?;
            }
        }
        self.bench.plan.silenced.clear();
        self.know();
        self.bench.replan();
        self.hear()?;
        for at in 0..self.sources.len() {
            let (name, host) = Self::name(at);
            if self.sources[at].take().is_some() {
                self.know();
                self.bench.end(id(name, host));
                self.hear()?;
            }
        }
        self.calm()?;
        match self.bench.row_count() {
            0 => Ok(()),
            left => Err(format!("{left} rows are left when all is over")),
        }
    }
}

#[test]
fn every_promise_is_kept_in_random_worlds() {
    for seed in 0..600 {
        if let Err(what) = World::new(seed, None).run() {
            panic!("seed {seed}: {what}");
        }
    }
}

#[test]
fn every_planted_bug_is_found_within_200_worlds() {
    for bug in Planted::ALL {
        let found = (0..200).find(|seed| World::new(*seed, Some(bug)).run().is_err());
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
