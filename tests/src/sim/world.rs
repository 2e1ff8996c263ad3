//! A world: its nodes, its network, its faults, step by step in virtual time.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_common::matcher::Matcher;
use muster_common::time::Timestamp;
use muster_ingest::session::Input;
use muster_store::{GapRecord, Select, View};

use super::agent::{AgentNode, SERIES, note_promise};
use super::collector::{CollectorNode, Said};
use super::http::{HttpSender, OVERWRITTEN, SENDER, place_ms};
use super::ledger::{Ledger, RowNumber, Violation};
use super::lines::Judging;
use super::link::Link;
use super::reports::Judged;
use super::scenario::Scenario;

/// Virtual time at which worlds begin: 2026-01-01.
pub(super) const START_MS: i64 = 1_767_225_600_000;
/// Virtual time without faults within which everything must settle.
const SETTLE_MS: i64 = 30 * 60_000;

/// What a world that kept its promises saw.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub rows: u64,
    pub crashes: u64,
    pub restores: u64,
    /// Those of a snapshot that the running collector made.
    pub from_snapshots: u64,
    pub inboxes_lost: u64,
    /// Lines that the store has at the end.
    pub lines: u64,
    /// Results of checks that the store has at the end.
    pub reports: u64,
    /// Times that a host's state folder was deleted, and that lines were.
    pub wipes: u64,
    pub deletes: u64,
    /// Gaps that the collector names at the end.
    pub gaps: u64,
}

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) rng: fastrand::Rng,
    pub(super) now_ms: i64,
    pub(super) agents: Vec<AgentNode>,
    pub(super) collector: CollectorNode,
    pub(super) http: HttpSender,
    pub(super) ledger: Ledger,
    pub(super) connections: u64,
    pub(super) partitioned_until_ms: i64,
    pub(super) clones: usize,
    pub(super) report: Report,
}

/// Runs one world to its end.
///
/// # Errors
/// The first broken promise.
pub fn run(scenario: &Scenario) -> Result<Report, Violation> {
    let mut world = World::new(scenario)?;
    while world.now_ms < START_MS + scenario.faulty_ms {
        world.faults()?;
        world.step()?;
    }
    world.settle()?;
    Ok(world.report)
}

impl World {
    fn new(scenario: &Scenario) -> Result<Self, Violation> {
        let mut rng = fastrand::Rng::with_seed(scenario.seed);
        let agent = |(number, seed)| AgentNode::new(number, HostId([number as u8 + 1; 16]), seed, scenario.bug);
        let seeds: Vec<u64> = (0..scenario.agents).map(|_| rng.u64(..)).collect();
        let mut agents: Vec<AgentNode> = seeds.into_iter().enumerate().map(agent).collect();
        for agent in &mut agents {
            agent.trace = scenario.trace;
            agent.lane_delay_ms = scenario.lane_delay_ms;
            agent.rotation = scenario.rotation;
        }
        Ok(Self {
            agents,
            collector: CollectorNode::new(rng.u64(..), scenario.bug),
            http: HttpSender::new(rng.u64(..))?,
            scenario: scenario.clone(),
            now_ms: START_MS,
            ledger: Ledger::default(),
            connections: 0,
            partitioned_until_ms: 0,
            clones: 0,
            report: Report::default(),
            rng,
        })
    }

    pub(super) fn tell(&self, what: &str) {
        if self.scenario.trace {
            eprintln!("{} collector: {what}", self.now_ms);
        }
    }

    pub(super) fn luck(&mut self, thousandths: u32) -> bool {
        self.rng.u32(..1_000) < thousandths
    }

    fn step(&mut self) -> Result<(), Violation> {
        self.now_ms += self.rng.i64(10..300);
        let was_up = self.collector.running.is_some();
        let mut said = Vec::new();
        self.collector.step(self.now_ms, &mut said)?;
        self.hear(said)?;
        if self.rng.u32(..20) == 0
            && let Some(running) = &self.collector.running
        {
            // What fails under a fault is tried again, as the program's maintenance does.
            let _ = running.admin.maintain(Timestamp::from_millis(self.now_ms));
        }
        let is_up = self.collector.running.is_some();
        if is_up && !was_up {
            self.audit(false)?;
        }
        if was_up && !is_up {
            self.collector_gone();
        }
        if let Some(running) = &mut self.collector.running {
            let applied = std::mem::take(&mut running.applied);
            let how = self.judged();
            self.ledger.reports.on_applied(&applied, how)?;
        }
        self.carry_up()?;
        self.connect()?;
        for agent in &mut self.agents {
            agent.step(self.now_ms, &mut self.ledger)?;
        }
        self.push();
        Ok(())
    }

    /// What the collector said goes on its way.
    pub(super) fn hear(&mut self, said: Vec<Said>) -> Result<(), Violation> {
        for one in said {
            match one {
                Said::Message { connection, message } => {
                    let delay = self.rng.i64(1..120);
                    let agent = self
                        .agents
                        .iter_mut()
                        .find(|agent| agent.link.as_ref().is_some_and(|l| l.number == connection));
                    let Some(agent) = agent else { continue };
                    note_promise(&mut self.ledger, agent.host, &message, self.now_ms);
                    if let Some(link) = agent.link.as_mut().filter(|link| !link.is_cut()) {
                        link.down.push(self.now_ms, delay, *message);
                    }
                }
                Said::Closed { connection } => {
                    let learns = self.now_ms + self.rng.i64(100..600);
                    for agent in &mut self.agents {
                        if let Some(link) = agent.link.as_mut().filter(|link| link.number == connection) {
                            // What was said before the end still arrives.
                            link.agent_learns_ms.get_or_insert(learns);
                        }
                    }
                }
                Said::Http { request, outcome } => {
                    if self.luck(100) {
                        self.http.lost();
                    } else {
                        self.http.answered(request, outcome, self.now_ms, &mut self.ledger);
                    }
                }
            }
        }
        Ok(())
    }

    /// Frames on their way up arrive.
    fn carry_up(&mut self) -> Result<(), Violation> {
        for agent in 0..self.agents.len() {
            let mut said = Vec::new();
            let Some(link) = self.agents[agent].link.as_mut() else { continue };
            let Some(running) = self.collector.running.as_mut() else { continue };
            let number = link.number;
            while let Some(bytes) = link.control_up.pop(self.now_ms) {
                link.control_frames.push(&bytes);
                while let Ok(Some(frame)) = link.control_frames.next() {
                    running.input(number, Input::Frame(frame), self.now_ms, &mut said);
                }
            }
            while running.takes_batches(number) {
                let Some(bytes) = link.lane_up.pop(self.now_ms) else { break };
                link.lane_frames.push(&bytes);
                while let Ok(Some(frame)) = link.lane_frames.next() {
                    running.input(number, Input::Frame(frame), self.now_ms, &mut said);
                }
            }
            if link.collector_learns_ms.is_some_and(|due| due <= self.now_ms) {
                link.collector_learns_ms = Some(i64::MAX);
                running.input(number, Input::Lost, self.now_ms, &mut said);
            }
            self.hear(said)?;
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Violation> {
        for agent in &mut self.agents {
            if agent.connect_due_ms.is_none_or(|due| due > self.now_ms) {
                continue;
            }
            let open = self.partitioned_until_ms <= self.now_ms;
            match self.collector.running.as_mut().filter(|_| open) {
                Some(running) => {
                    self.connections += 1;
                    // An older connection of this agent ends for the collector when it ends: its frames may still be queued.
                    if let Some(old) = agent.link.as_mut() {
                        old.cut(i64::MAX, self.now_ms);
                        let number = old.number;
                        let mut said = Vec::new();
                        // What was on its way arrives before the new hello, or never.
                        while running.takes_batches(number)
                            && let Some(bytes) = old.lane_up.pop(i64::MAX)
                        {
                            old.lane_frames.push(&bytes);
                            while let Ok(Some(frame)) = old.lane_frames.next() {
                                running.input(number, Input::Frame(frame), self.now_ms, &mut said);
                            }
                        }
                        if self.rng.bool() {
                            running.input(number, Input::Lost, self.now_ms, &mut said);
                        }
                    }
                    running.connect(self.connections, agent.host, self.now_ms);
                    let link = Link { number: self.connections, ..Link::default() };
                    agent.connected(self.now_ms, link, &mut self.ledger)?;
                }
                None => agent.not_connected(self.now_ms, &mut self.ledger)?,
            }
        }
        Ok(())
    }

    /// The HTTP sender's next request.
    fn push(&mut self) {
        if self.rng.u32(..4) > 0 {
            return;
        }
        let Some(running) = self.collector.running.as_mut() else {
            self.http.lost();
            return;
        };
        if let Some((request, append)) = self.http.next(self.now_ms, &mut self.ledger) {
            running.http(request, append);
        }
    }

    pub(super) fn collector_gone(&mut self) {
        self.tell("gone");
        self.report.crashes += 1;
        for agent in &mut self.agents {
            let learns = self.now_ms + self.rng.i64(1..20_000);
            if let Some(link) = &mut agent.link {
                link.cut(learns, i64::MAX);
            }
        }
        self.http.lost();
    }

    /// One last power cut of all, then no more faults: every host delivers what its disk has, and the account is closed.
    fn settle(&mut self) -> Result<(), Violation> {
        self.agents.truncate(self.scenario.agents);
        self.agents.iter_mut().for_each(AgentNode::end_writing);
        self.partitioned_until_ms = 0;
        // Faults that are planned and did not come yet are forgotten with the power.
        self.collector.crash(self.now_ms, true);
        self.collector_gone();
        for agent in self.agents.iter_mut().filter(|_| self.scenario.agent_power > 0) {
            agent.crash(self.now_ms, true);
        }
        let end = self.now_ms + SETTLE_MS;
        let (mut looks_at_ms, mut unaccounted) = (self.now_ms, None);
        loop {
            self.step()?;
            let is_settled = self.agents.iter().all(AgentNode::is_settled) && self.collector.running.is_some();
            // The reader may have nothing in hand and not have looked yet: the account says whether every line is there.
            if is_settled && self.now_ms >= looks_at_ms {
                match self.audit(true) {
                    Ok(_) => break,
                    Err(violation) => unaccounted = Some(violation),
                }
                looks_at_ms = self.now_ms + 5_000;
            }
            if self.now_ms > end {
                let states: Vec<_> = self.agents.iter().map(AgentNode::describe).collect();
                let start = &self.collector.start_error;
                return Err(unaccounted.unwrap_or_else(|| {
                    Violation(format!("not everything was delivered within {SETTLE_MS} ms: {states:?} {start}"))
                }));
            }
        }
        self.audit(true)?;
        if let Some(running) = &mut self.collector.running {
            let merged = running.admin.flush(true, Timestamp::from_millis(self.now_ms));
            merged.map_err(|error| Violation(format!("the last flush failed: {error:?}")))?;
        }
        let view = self.audit(true)?.ok_or_else(|| Violation("the collector is gone".to_owned()))?;
        let gaps = self.gaps()?;
        self.report.gaps += gaps.len() as u64;
        for agent in &self.agents {
            let (stored, _) = self.rows(&view, &agent.host.to_string())?;
            self.report.rows += stored.len() as u64;
            // A clone of the same epochs gives up by a gap what only the original has: named, and not to be prevented.
            if self.clones == 0 {
                self.ledger.judge_delivered(agent.host, agent.number, agent.crashed, &stored)?;
                self.ledger.judge_named(agent.host, &stored, &gaps, !self.ledger.marks_lost)?;
                let results = self.ledger.reports.judge(agent.host, &view, self.judged())?;
                let of = (agent.host, agent.number, agent.crashed);
                self.ledger.reports.judge_delivered(of, &results, &gaps)?;
            }
        }
        self.judge_overwritten(&view)
    }

    /// Every promise against what can be asked for now; with `all`, everything has arrived that was to.
    fn audit(&mut self, all: bool) -> Result<Option<View>, Violation> {
        let Some(running) = self.collector.running.as_mut().filter(|_| !self.collector.disk.is_off()) else {
            return Ok(None);
        };
        let view = running.reader.view();
        let hosts: BTreeSet<HostId> = self.agents.iter().map(|agent| agent.host).collect();
        (self.report.lines, self.report.reports) = (0, 0);
        for host in &hosts {
            let nodes: Vec<usize> = self.agents.iter().filter(|one| one.host == *host).map(|one| one.number).collect();
            // Where clocks step, a later line may bear an earlier time.
            let how = Judging { nodes: &nodes, all, in_order: self.scenario.clock_step == 0 };
            self.report.lines += self.ledger.lines.judge(*host, &view, how)?;
        }
        let how = self.judged();
        for host in &hosts {
            self.report.reports += self.ledger.reports.judge(*host, &view, how)?.len() as u64;
        }
        for host in hosts {
            let (stored, raw) = self.rows(&view, &host.to_string())?;
            self.ledger.judge(host, &stored, raw, SERIES as u64)?;
        }
        let (stored, raw) = self.rows(&view, &SENDER.to_string())?;
        self.ledger.judge(SENDER, &stored, raw, 1)?;
        Ok(Some(view))
    }

    /// States may step back in time only where a machine or the collector did.
    fn judged(&self) -> Judged {
        let Scenario { agent_revert, clone, collector_restore, inbox_gone, .. } = self.scenario;
        let in_order = agent_revert + clone + collector_restore + inbox_gone == 0;
        Judged { marks_lost: self.ledger.marks_lost, in_order }
    }

    /// What state.redb names as missing.
    fn gaps(&self) -> Result<Vec<GapRecord>, Violation> {
        let running = self.collector.running.as_ref().ok_or_else(|| Violation("the collector is gone".to_owned()))?;
        let gaps = running.fleet.gaps(i64::MIN, i64::MAX);
        gaps.map_err(|error| Violation(format!("the gaps cannot be read: {error:?}")))
    }

    /// The rows stored under a host, and the raw count of its samples.
    fn rows(&self, view: &View, host: &str) -> Result<(BTreeSet<RowNumber>, u64), Violation> {
        // Results of checks have an account of their own.
        let matchers = [Matcher::equal("host", host), Matcher::equal("check", "")];
        let found = select(view, &matchers)?;
        let raw = view.raw_count(&Select::all_times(&matchers)).map_err(|error| Violation(format!("{error:?}")))?;
        let mut rows = BTreeSet::new();
        let mut distinct = 0;
        for columns in &found {
            rows.extend(columns.values.iter().map(|value| *value as RowNumber));
            distinct += columns.values.len() as u64;
        }
        if distinct != raw && !self.ledger.marks_lost {
            return Err(Violation(format!(
                "host {host}: {raw} samples lie in the store for {distinct} that can be asked for"
            )));
        }
        Ok((rows, raw))
    }

    /// The last write of each place wins.
    fn judge_overwritten(&self, view: &View) -> Result<(), Violation> {
        let matchers = [Matcher::equal("host", OVERWRITTEN)];
        let found = select(view, &matchers)?;
        for (place, value) in &self.http.written {
            let at = found
                .iter()
                .find_map(|columns| columns.millis.binary_search(&place_ms(*place)).ok().map(|at| columns.values[at]));
            let fits =
                at.is_some_and(|at| at == *value || self.http.maybe.get(place).is_some_and(|more| more.contains(&at)));
            if !fits {
                return Err(Violation(format!("place {place} was last written {value}, but the store says {at:?}")));
            }
        }
        Ok(())
    }
}

fn select(view: &View, matchers: &[Matcher]) -> Result<Vec<muster_store::SeriesColumns>, Violation> {
    view.select(&Select::all_times(matchers)).map_err(|error| Violation(format!("a query fails: {error:?}")))
}
