//! A roll-out: which hosts get their new document when, and what becomes of those on which it breaks. Pure: time and events in, effects out.
//!
//! Three waves: one host, then 5 % of those whose document changes, then all that are connected. A wave is over when each of its hosts said that
//! the document is in force and has been heard for [`SOAK_MS`] since. The first failure of the first wave stops everything; later a host that
//! fails is set back alone, and more than 5 % of a wave stop it. Who was not connected gets the document when it comes, once the rest has it.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::host::HostId;
use xxhash_rust::xxh3::xxh3_64;

pub use self::kept::{ConfigurationWord, FailedHost, Rollout, RolloutState};
pub(super) use self::kept::{Expected, Stage, Told};
use super::bounds::NAMED_MAX;
use crate::rows::cut_to;

mod kept;

/// How long a host must go on with a document: checks have run once by then, and an agent that dies of it has died.
pub const SOAK_MS: i64 = 60_000;
/// How long a connected host may say nothing of what it was given: an agent judges within seconds, tries for at most two minutes and then reverts.
pub const WORD_MS: i64 = 300_000;
/// How long a host may be away after it was given a document: an agent that finds no collector reverts after two minutes and comes back.
pub const AWAY_MS: i64 = 300_000;
/// Hosts given their document in one step: composing them holds up commits, 0.3 ms each.
const RELEASES_A_STEP: usize = 200;
/// Of the hosts whose document changes, after the first one.
const SECOND_WAVE_PERCENT: usize = 5;
/// Of a wave, above which failures are no accident of one host.
const FAILED_PERCENT: usize = 5;
/// Of what a host says, that which is told on; all of it is shown where its configuration is.
pub(super) const PROBLEM_BYTES_MAX: usize = 1_000;
const LAST_WAVE: u8 = 2;

/// Names of hosts.
pub(super) type Names<'a> = &'a dyn Fn(HostId) -> String;

/// What happened.
pub(super) enum Happened<'a> {
    Told(HostId, Told<'a>),
    Connected(HostId),
    /// Its session ended, or it takes no configuration any more.
    Gone(HostId),
    /// What a host that was given the document is to have; another than before if the host itself changed.
    Expects(HostId, Expected),
    /// The host is retired.
    Left(HostId),
    /// Another host whose document changes.
    Joined(HostId),
    Stop(&'a str),
    Resume,
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Give this host the new document.
    Release(HostId),
    /// Give this host what it had before.
    SetBack(HostId, String),
    /// It goes on with the document.
    Good(HostId),
    WaveBegun(u8),
    Stopped,
    Resumed,
    Done,
}

#[derive(Clone, Debug)]
struct Member {
    order: u64,
    stage: Stage,
    wave: u8,
    /// Since it was given the document.
    since_ms: i64,
    /// When its session began.
    heard_ms: i64,
    expected: Option<Expected>,
    in_force_ms: Option<i64>,
    /// It was given the document and is away.
    gone_ms: Option<i64>,
}

/// The machine. Timers are not kept over a restart: they begin anew, so that nothing is taken for good that nobody watched.
pub(super) struct Machine {
    pub(super) row: Rollout,
    members: BTreeMap<HostId, Member>,
    connected: BTreeSet<HostId>,
    /// No wave ends before: after a restart hosts need time to come back.
    rests_until_ms: i64,
}

impl Machine {
    /// A roll-out that begins, or goes on in another process. `members`: hosts whose document changes, and how far each is.
    pub(super) fn new(
        row: Rollout,
        members: impl IntoIterator<Item = (HostId, Stage, u8)>,
        connected: BTreeSet<HostId>,
        rests_until_ms: i64,
    ) -> Self {
        let mut machine = Self { row, members: BTreeMap::new(), connected, rests_until_ms };
        for (host, stage, wave) in members {
            let since_ms = rests_until_ms;
            let mut member = Member { stage, wave, ..machine.member(host, since_ms) };
            if stage == Stage::Released && !machine.connected.contains(&host) {
                member.gone_ms = Some(since_ms);
            }
            machine.members.insert(host, member);
        }
        machine
    }

    fn member(&self, host: HostId, since_ms: i64) -> Member {
        // Another order for each version, so that it is not always the same host that tries.
        let order = xxh3_64(&[&host.0[..], &self.row.target.to_le_bytes()].concat());
        Member {
            order,
            stage: Stage::Waiting,
            wave: 0,
            since_ms,
            heard_ms: since_ms,
            expected: None,
            in_force_ms: None,
            gone_ms: None,
        }
    }

    pub(super) fn is_connected(&self, host: HostId) -> bool {
        self.connected.contains(&host)
    }

    /// Hosts by stage: waiting, released, good, failed.
    pub(super) fn counts(&self) -> [u64; 4] {
        let mut counts = [0; 4];
        self.members.values().for_each(|member| counts[member.stage as usize] += 1);
        counts
    }

    /// `name`: of a host, for people.
    pub(super) fn step(&mut self, now_ms: i64, happened: Happened<'_>, name: Names<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match happened {
            Happened::Told(host, told) => self.told(host, &told, (now_ms, name), &mut effects),
            Happened::Connected(host) => {
                self.connected.insert(host);
                if let Some(member) = self.members.get_mut(&host) {
                    (member.gone_ms, member.heard_ms) = (None, now_ms);
                }
            }
            Happened::Gone(host) => {
                self.connected.remove(&host);
                if let Some(member) = self.members.get_mut(&host).filter(|member| member.stage == Stage::Released) {
                    member.gone_ms.get_or_insert(now_ms);
                }
            }
            Happened::Expects(host, expected) => {
                if let Some(member) = self.members.get_mut(&host).filter(|member| member.expected != Some(expected)) {
                    (member.expected, member.in_force_ms, member.since_ms) = (Some(expected), None, now_ms);
                }
            }
            Happened::Left(host) => {
                self.connected.remove(&host);
                self.members.remove(&host);
                self.row.hosts = self.members.len() as u64;
            }
            Happened::Joined(host) => {
                let member = self.member(host, now_ms);
                self.members.entry(host).or_insert(member);
                self.row.hosts = self.members.len() as u64;
            }
            Happened::Stop(reason) if self.row.state == RolloutState::Running => {
                self.stop(reason.to_owned(), now_ms, &mut effects)
            }
            Happened::Resume if self.row.state == RolloutState::Stopped => {
                self.row.state = RolloutState::Running;
                (self.row.wave_failed, self.row.changed_ms) = (0, now_ms);
                self.row.reason.clear();
                effects.push(Effect::Resumed);
            }
            // All that looks at every host waits for it, so that each word of ten thousand hosts is cheap.
            Happened::Tick => {
                self.judge_time((now_ms, name), &mut effects);
                self.go_on(now_ms, &mut effects);
                self.row.good = self.counts()[Stage::Good as usize];
            }
            Happened::Stop(_) | Happened::Resume => {}
        }
        effects
    }

    fn told(&mut self, host: HostId, told: &Told<'_>, at: (i64, Names<'_>), effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(&host) else { return };
        let Some(expected) = member.expected.filter(|_| matches!(member.stage, Stage::Released | Stage::Good)) else {
            return;
        };
        let is_offered = told.offered == expected.digest;
        let why = match told.word {
            ConfigurationWord::Refused if is_offered => "refused it",
            ConfigurationWord::Reverted if is_offered => "reverted it",
            ConfigurationWord::Disabled if member.stage == Stage::Released => {
                "takes no configuration any more, since its own file says so"
            }
            _ => {
                if told.is_in_force(expected) {
                    member.in_force_ms.get_or_insert(at.0);
                } else {
                    member.in_force_ms = None;
                }
                return;
            }
        };
        let told = told.problems.join("; ");
        let problem =
            if told.is_empty() { why.to_owned() } else { format!("{why}: {}", cut_to(&told, PROBLEM_BYTES_MAX)) };
        self.fail(host, problem, at, effects);
    }

    fn judge_time(&mut self, at: (i64, Names<'_>), effects: &mut Vec<Effect>) {
        let now_ms = at.0;
        let (mut good, mut failed) = (Vec::new(), Vec::new());
        let past = |since_ms: i64, span_ms: i64| now_ms >= since_ms.saturating_add(span_ms);
        let mute = |span_ms: i64| format!("did not say within {} min that it is in force", span_ms / 60_000);
        for (host, member) in self.members.iter().filter(|(_, member)| member.stage == Stage::Released) {
            match (member.gone_ms, member.in_force_ms) {
                (Some(gone_ms), _) if past(gone_ms, AWAY_MS) => {
                    failed.push((*host, format!("fell silent with it and was not heard for {} min", AWAY_MS / 60_000)));
                }
                (None, Some(in_force_ms)) if past(in_force_ms, SOAK_MS) => good.push(*host),
                // One that comes and goes has no end of time either.
                (_, None) if past(member.since_ms, 3 * WORD_MS) => failed.push((*host, mute(3 * WORD_MS))),
                (None, None) if past(member.since_ms, WORD_MS) && past(member.heard_ms, SOAK_MS) => {
                    failed.push((*host, mute(WORD_MS)));
                }
                _ => {}
            }
        }
        for host in good {
            if let Some(member) = self.members.get_mut(&host) {
                member.stage = Stage::Good;
            }
            effects.push(Effect::Good(host));
        }
        for (host, problem) in failed {
            self.fail(host, problem, at, effects);
        }
    }

    fn fail(&mut self, host: HostId, problem: String, (now_ms, name): (i64, Names<'_>), effects: &mut Vec<Effect>) {
        let Some(member) = self.members.get_mut(&host) else { return };
        member.stage = Stage::Failed;
        effects.push(Effect::SetBack(host, problem.clone()));
        self.row.wave_failed += 1;
        if self.row.failed.len() < NAMED_MAX {
            self.row.failed.push(FailedHost { host, problem: problem.clone(), at_ms: now_ms });
        }
        let failed = usize::try_from(self.row.wave_failed).unwrap_or(usize::MAX);
        let is_too_much = self.row.wave == 0 || failed > 1 && failed * 100 > FAILED_PERCENT * self.wave_size();
        if self.row.state == RolloutState::Running && is_too_much {
            let reason = match self.row.wave {
                0 => format!("the first host, {}, {problem}", name(host)),
                _ => format!(
                    "{failed} of {} hosts of the wave failed, the last one, {}, {problem}",
                    self.wave_size(),
                    name(host)
                ),
            };
            self.stop(reason, now_ms, effects);
        }
    }

    fn stop(&mut self, reason: String, now_ms: i64, effects: &mut Vec<Effect>) {
        self.row.state = RolloutState::Stopped;
        (self.row.reason, self.row.changed_ms) = (reason, now_ms);
        effects.push(Effect::Stopped);
    }

    fn in_wave(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| member.stage != Stage::Waiting && member.wave == self.row.wave)
    }

    fn wave_size(&self) -> usize {
        self.in_wave().count()
    }

    /// Releases what the wave has room for, and begins the next one when it is over.
    fn go_on(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        while self.row.state == RolloutState::Running {
            let size = self.wave_size();
            let wanted = match self.row.wave {
                0 => 1,
                1 => (self.members.len() * SECOND_WAVE_PERCENT).div_ceil(100).max(1),
                _ => usize::MAX,
            };
            let released = effects.iter().filter(|effect| matches!(effect, Effect::Release(_))).count();
            let room = wanted.saturating_sub(size).min(RELEASES_A_STEP.saturating_sub(released));
            let waiting = |(_, member): &(&HostId, &Member)| member.stage == Stage::Waiting;
            let mut ready: Vec<(u64, HostId)> = self
                .members
                .iter()
                .filter(waiting)
                .filter(|(host, _)| self.connected.contains(host))
                .map(|(host, member)| (member.order, *host))
                .collect();
            ready.sort_unstable();
            let (more, wave) = (ready.len() > room, self.row.wave);
            for (_, host) in ready.iter().take(room) {
                if let Some(member) = self.members.get_mut(host) {
                    (member.stage, member.wave, member.since_ms) = (Stage::Released, wave, now_ms);
                    (member.heard_ms, member.expected) = (now_ms, None);
                    (member.in_force_ms, member.gone_ms) = (None, None);
                }
                effects.push(Effect::Release(*host));
            }
            let size = self.wave_size();
            let is_under_way = self.in_wave().any(|member| member.stage == Stage::Released);
            let is_full = size >= wanted || !more;
            // The first one tries even if it is long in coming.
            let waits = wave == 0 && size == 0 && !self.members.is_empty();
            if is_under_way || !is_full || now_ms < self.rests_until_ms || waits {
                return;
            }
            self.row.changed_ms = now_ms;
            if wave == LAST_WAVE {
                self.row.state = RolloutState::Done;
                effects.push(Effect::Done);
            } else {
                (self.row.wave, self.row.wave_failed) = (wave + 1, 0);
                effects.push(Effect::WaveBegun(wave + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests;
