//! A fleet in memory: hosts whose program does as it is told, sessions that are lost, and a collector that begins anew from its rows.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::rows::{decode, encode};

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60_000;

pub(super) fn id(number: u64) -> HostId {
    HostId(u128::from(number + 1).to_be_bytes())
}

/// What a host does with the task of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// It ends well after so many seconds.
    Well(i64),
    Fails(i64),
    /// It ends well, and a problem opens then that stays.
    BreaksAfter(i64),
    /// As this, and the host boots meanwhile for so many seconds.
    Boots(i64),
    Refuses,
    /// So often, then it does it.
    BusyFirst(u8),
    /// It never ends.
    Hangs,
    /// It takes the call and says nothing more.
    IsMute,
    /// It ends well, and does not come back.
    GoesAway(i64),
    /// It is never connected.
    IsAway,
}

/// What a host's program keeps.
#[derive(Clone, Debug, Default)]
struct Program {
    /// Begun, not ended: when it ends (`i64::MAX`: never).
    runs: BTreeMap<u8, i64>,
    /// What it tells until the order ends, by step.
    words: BTreeMap<u8, Word>,
    cancelled: BTreeSet<u8>,
    /// How often each was begun.
    begun: BTreeMap<u8, u32>,
    busy: u8,
}

pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) forward: BTreeMap<HostId, Does>,
    pub(super) back: BTreeMap<HostId, Does>,
    programs: BTreeMap<HostId, Program>,
    /// Hosts that have a session now.
    connected: BTreeSet<HostId>,
    /// When a host that lost its session gets another.
    returns: BTreeMap<HostId, i64>,
    away_since: BTreeMap<HostId, i64>,
    problems: BTreeMap<HostId, i64>,
    /// Frames on their way, and whether the session they were sent on still is: to hosts, and to the collector.
    calls: Vec<(i64, HostId, Effect)>,
    words: Vec<(i64, HostId, u8, Word)>,
    pub(super) now_ms: i64,
    pub(super) effects: Vec<Effect>,
    /// Hosts whose acceptance the collector has heard.
    accepted: BTreeSet<(HostId, u8)>,
    pub(super) calls_a_minute: usize,
    calls_left: usize,
    /// Chance in a thousand, each second: that a session is lost; that the collector begins anew; that a frame comes twice.
    pub(super) losses: u32,
    pub(super) restarts: u32,
    pub(super) replays: u32,
    random: fastrand::Rng,
}

pub(super) fn terms(canary: u32, batch: WaveSize) -> Terms {
    Terms {
        canary,
        batch,
        failures_max: 0,
        on_trouble: OnTrouble::Pause,
        soak_ms: 30 * SECOND,
        return_ms: 5 * MINUTE,
        run_ms: 10 * MINUTE,
        back_ms: 10 * MINUTE,
        expires_ms: 180 * MINUTE,
        back_expires_ms: None,
        maintenance_ms: Some(5 * MINUTE),
        back_maintenance_ms: Some(5 * MINUTE),
    }
}

impl World {
    pub(super) fn new(terms: Terms, does: impl IntoIterator<Item = Does>, seed: u64) -> Self {
        let forward: BTreeMap<HostId, Does> = (0..).map(id).zip(does).collect();
        let members = forward.keys().zip(0..).map(|(host, place)| (*host, Member::new(place))).collect();
        Self {
            machine: Machine { terms, progress: Progress::requested(0), members },
            back: forward.keys().map(|host| (*host, Does::Well(2))).collect(),
            programs: forward.keys().map(|host| (*host, Program::default())).collect(),
            connected: forward.iter().filter(|(_, does)| **does != Does::IsAway).map(|(host, _)| *host).collect(),
            forward,
            returns: BTreeMap::new(),
            away_since: BTreeMap::new(),
            problems: BTreeMap::new(),
            calls: Vec::new(),
            words: Vec::new(),
            now_ms: SECOND,
            effects: Vec::new(),
            accepted: BTreeSet::new(),
            calls_a_minute: usize::MAX,
            calls_left: usize::MAX,
            losses: 0,
            restarts: 0,
            replays: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn state(&self) -> OrderState {
        self.machine.progress.state
    }

    pub(super) fn run(&self, host: u64) -> &Run {
        &self.machine.members[&id(host)].forward
    }

    /// How often a host began the step.
    pub(super) fn begun(&self, host: HostId, step: u8) -> u32 {
        self.programs[&host].begun.get(&step).copied().unwrap_or(0)
    }

    pub(super) fn happens(&mut self, happened: Happened<'_>) {
        let (connected, away, problems, now_ms) = (&self.connected, &self.away_since, &self.problems, self.now_ms);
        let ask = |host: HostId, since_ms: i64| Facts {
            is_able: connected.contains(&host),
            away_ms: if connected.contains(&host) { 0 } else { now_ms - away.get(&host).copied().unwrap_or(0) },
            problem: problems.get(&host).filter(|opened| **opened >= since_ms).map(|_| "nginx is CRITICAL".to_owned()),
        };
        let effects = self.machine.step(self.now_ms, happened, &ask);
        self.carry_out(effects);
        self.hold();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call(host, step) => {
                    assert!(!self.accepted.contains(&(host, step)), "a host that has the call is given it again");
                    let progress = &self.machine.progress;
                    let is_called = progress.state == OrderState::Running && progress.step == step;
                    assert!(is_called, "a call of an order that is {}", progress.word());
                    assert!(self.now_ms < self.machine.expires_ms(), "a call after the order has expired");
                    self.deliver(host, effect.clone());
                }
                Effect::Cancel(host, _) => self.deliver(host, effect.clone()),
                _ => {}
            }
            self.effects.push(effect);
        }
    }

    fn deliver(&mut self, host: HostId, effect: Effect) {
        if self.connected.contains(&host) {
            let at_ms = self.now_ms + self.random.i64(0..3) * SECOND;
            self.calls.push((at_ms, host, effect));
        }
    }

    /// What must be so after each step.
    fn hold(&self) {
        let machine = &self.machine;
        let step = machine.progress.step;
        let runs = || machine.members.values().filter_map(|member| member.run(step));
        // A wave that is smaller than the one before begins when that is over.
        let under_way = runs().filter(|run| run.is_unsettled()).count();
        assert!(under_way <= machine.wave_size(), "{under_way} hosts are under way in wave {:?}", machine.progress);
        for (host, program) in &self.programs {
            assert!(program.begun.values().all(|begun| *begun <= 1), "{host} began a step twice");
        }
        let maintained = machine.maintained();
        for (host, run) in machine.members.iter().filter_map(|(host, member)| Some((host, member.run(step)?))) {
            let count = maintained.iter().filter(|one| one.hosts.contains(host)).count();
            let wants = machine.terms.maintenance_ms.is_some() && machine.progress.state.is_open();
            assert!(count == usize::from(wants) || !run.is_unsettled() && count == 0, "{host} is in {count}: {run:?}");
        }
        if !machine.progress.state.is_open() {
            assert!(maintained.is_empty(), "an order has ended, and hosts are in a maintenance");
            assert!(runs().all(|run| run.state.is_final()), "an order has ended, and a host has not: {machine:?}");
        }
    }

    /// Lets seconds pass.
    pub(super) fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now_ms += SECOND;
            self.lose_sessions();
            self.come_back();
            self.programs_act();
            self.frames_arrive();
            if self.now_ms % MINUTE == 0 {
                self.calls_left = self.calls_a_minute;
            }
            let mut calls = self.calls_left;
            self.happens(Happened::Tick { calls: &mut calls });
            self.calls_left = calls;
            if self.random.u32(0..1_000) < self.restarts {
                self.restart();
            }
        }
    }

    fn does(&self, host: HostId, step: u8) -> Does {
        if step == STEP_BACK { self.back[&host] } else { self.forward[&host] }
    }

    fn lose_sessions(&mut self) {
        if self.losses == 0 {
            return;
        }
        let lost: Vec<HostId> =
            self.connected.iter().copied().filter(|_| self.random.u32(0..1_000) < self.losses).collect();
        for host in lost {
            let back_ms = self.now_ms + self.random.i64(1..60) * SECOND;
            self.leave(host, back_ms);
        }
    }

    fn leave(&mut self, host: HostId, back_ms: i64) {
        if self.connected.remove(&host) {
            self.away_since.insert(host, self.now_ms);
            self.calls.retain(|(_, other, _)| *other != host);
            self.words.retain(|(_, other, ..)| *other != host);
        }
        self.returns.insert(host, back_ms);
    }

    fn come_back(&mut self) {
        let now_ms = self.now_ms;
        let back: Vec<HostId> = self.returns.iter().filter(|(_, at)| **at <= now_ms).map(|(host, _)| *host).collect();
        for host in back {
            self.returns.remove(&host);
            self.away_since.remove(&host);
            self.connected.insert(host);
            let owed = self.machine.owed(host, self.now_ms);
            self.carry_out(owed);
            self.tell_all(host);
        }
    }

    /// A host tells all that it has not been told was heard; here all that it knows.
    fn tell_all(&mut self, host: HostId) {
        let words: Vec<(u8, Word)> =
            self.programs[&host].words.iter().map(|(step, word)| (*step, word.clone())).collect();
        for (step, word) in words {
            self.tell(host, step, word);
        }
    }

    fn tell(&mut self, host: HostId, step: u8, word: Word) {
        if !self.connected.contains(&host) {
            return;
        }
        let again = self.random.u32(0..1_000) < self.replays;
        for _ in 0..=u8::from(again) {
            self.words.push((self.now_ms + self.random.i64(0..3) * SECOND, host, step, word.clone()));
        }
    }

    fn frames_arrive(&mut self) {
        let now_ms = self.now_ms;
        let due: Vec<_> = self.calls.extract_if(.., |(at_ms, ..)| *at_ms <= now_ms).collect();
        for (_, host, effect) in due {
            match effect {
                Effect::Call(_, step) => self.called(host, step),
                Effect::Cancel(_, step) => self.cancelled(host, step),
                _ => {}
            }
        }
        let due: Vec<_> = self.words.extract_if(.., |(at_ms, ..)| *at_ms <= now_ms).collect();
        for (_, host, step, word) in due {
            if matches!(word, Word::Accepted) {
                self.accepted.insert((host, step));
            }
            self.happens(Happened::Told(host, step, word));
        }
    }

    /// The program of a host is given a call: it does each once.
    fn called(&mut self, host: HostId, step: u8) {
        let does = self.does(host, step);
        let now_ms = self.now_ms;
        let program = self.programs.get_mut(&host).unwrap();
        if program.cancelled.contains(&step) || program.words.contains_key(&step) {
            let word = program.words.get(&step).cloned().unwrap_or(Word::Cancelled);
            self.tell(host, step, word);
            return;
        }
        let word = match does {
            Does::Refuses => Word::Refused("the task is not allowed here".into()),
            Does::BusyFirst(times) if program.busy < times => {
                program.busy += 1;
                self.tell(host, step, Word::Busy);
                return;
            }
            _ => {
                let ends_ms = match does {
                    Does::Well(seconds)
                    | Does::Fails(seconds)
                    | Does::BreaksAfter(seconds)
                    | Does::GoesAway(seconds) => now_ms + seconds * SECOND,
                    Does::Hangs | Does::IsMute => i64::MAX,
                    _ => now_ms + 4 * SECOND,
                };
                program.runs.insert(step, ends_ms);
                *program.begun.entry(step).or_default() += 1;
                Word::Accepted
            }
        };
        program.words.insert(step, word.clone());
        if let Does::Boots(seconds) = does {
            self.leave(host, now_ms + seconds * SECOND);
        }
        self.tell(host, step, word);
    }

    fn cancelled(&mut self, host: HostId, step: u8) {
        let does = self.does(host, step);
        let program = self.programs.get_mut(&host).unwrap();
        program.cancelled.insert(step);
        if does == Does::IsMute {
            return;
        }
        if program.runs.remove(&step).is_some() || !program.words.contains_key(&step) {
            program.words.insert(step, Word::Cancelled);
        }
        let word = program.words[&step].clone();
        self.tell(host, step, word);
    }

    fn programs_act(&mut self) {
        let now_ms = self.now_ms;
        let mut ended = Vec::new();
        for (host, program) in &mut self.programs {
            ended.extend(program.runs.extract_if(.., |_, ends_ms| *ends_ms <= now_ms).map(|(step, _)| (*host, step)));
        }
        for (host, step) in ended {
            let does = self.does(host, step);
            let word = if matches!(does, Does::Fails(_)) { Word::Ended(3) } else { Word::Ended(0) };
            self.programs.get_mut(&host).unwrap().words.insert(step, word.clone());
            self.tell(host, step, word);
            match does {
                Does::BreaksAfter(_) => drop(self.problems.insert(host, now_ms)),
                Does::Well(_) if step == STEP_BACK => drop(self.problems.remove(&host)),
                // Its word is under way all the same.
                Does::GoesAway(_) => {
                    let told: Vec<_> = self.words.iter().filter(|(_, other, ..)| *other == host).cloned().collect();
                    self.leave(host, i64::MAX);
                    self.words.extend(told);
                }
                _ => {}
            }
        }
    }

    /// Another process of the collector has the rows; what was under way to and from it is gone, and all hosts connect anew.
    pub(super) fn restart(&mut self) {
        let progress = decode(&encode(&self.machine.progress)).unwrap();
        let terms = decode(&encode(&self.machine.terms)).unwrap();
        let members = self.machine.members.iter().map(|(host, member)| (*host, decode(&encode(member)).unwrap()));
        self.machine = Machine { terms, progress, members: members.collect() };
        let hosts: Vec<HostId> = self.connected.iter().copied().collect();
        for host in hosts {
            let back_ms = self.now_ms + self.random.i64(1..20) * SECOND;
            self.leave(host, back_ms);
        }
        // A process knows of nobody's absence that began before it.
        for since_ms in self.away_since.values_mut() {
            *since_ms = self.now_ms;
        }
    }
}
