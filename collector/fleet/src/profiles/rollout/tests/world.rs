//! A fleet in memory whose agents do as they are told.

use super::super::*;
use crate::profiles::ConfigurationDigest;

pub(super) const SECOND: i64 = 1_000;

pub(super) fn id(number: u64) -> HostId {
    HostId(u128::from(number + 1).to_be_bytes())
}

pub(super) fn name(host: HostId) -> String {
    format!("web{}", u128::from_be_bytes(host.0) - 1)
}

pub(super) fn digest(version: u64) -> ConfigurationDigest {
    u128::from(version).to_be_bytes()
}

/// What an agent does with the new document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    TakesIt,
    RefusesIt,
    /// After so many seconds.
    RevertsIt(i64),
    /// It says nothing more.
    IsMute,
    /// Its session ends after so many seconds and none follows.
    Dies(i64),
    /// It is not connected.
    IsAway,
}

/// A fleet whose agents do as they are told.
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) does: BTreeMap<HostId, Does>,
    pub(super) has: BTreeMap<HostId, u64>,
    /// Words that are still to come.
    pub(super) words: Vec<(i64, HostId, Does)>,
    pub(super) now_ms: i64,
    pub(super) effects: Vec<Effect>,
    /// Restarts the collector after each event.
    pub(super) restarts: bool,
}

impl World {
    pub(super) fn new(does: impl IntoIterator<Item = Does>) -> Self {
        let does: BTreeMap<HostId, Does> = (0..).map(id).zip(does).collect();
        let row = Rollout {
            target: 2,
            base: 1,
            state: RolloutState::Running,
            wave: 0,
            wave_failed: 0,
            reason: String::new(),
            by: "user:ann".into(),
            begun_ms: 0,
            changed_ms: 0,
            hosts: does.len() as u64,
            good: 0,
            failed: Vec::new(),
        };
        let connected = does.iter().filter(|(_, does)| **does != Does::IsAway).map(|(host, _)| *host).collect();
        let machine = Machine::new(row, does.keys().map(|host| (*host, Stage::Waiting, 0)), connected, 0);
        let has = does.keys().map(|host| (*host, 1)).collect();
        Self { machine, does, has, words: Vec::new(), now_ms: 0, effects: Vec::new(), restarts: false }
    }

    /// The host that tries first.
    pub(super) fn canary(&self) -> HostId {
        *self.machine.members.iter().min_by_key(|(_, member)| member.order).unwrap().0
    }

    pub(super) fn happens(&mut self, happened: Happened<'_>) {
        let effects = self.machine.step(self.now_ms, happened, &name);
        for effect in effects {
            self.effects.push(effect.clone());
            match effect {
                Effect::Release(host) => {
                    self.has.insert(host, 2);
                    self.happens(Happened::Expects(host, Expected { digest: digest(2) }));
                    let does = self.does[&host];
                    let after = match does {
                        Does::RevertsIt(seconds) | Does::Dies(seconds) => seconds,
                        _ => 2,
                    };
                    if !matches!(does, Does::RefusesIt | Does::IsMute) {
                        self.words.push((self.now_ms + 2 * SECOND, host, Does::TakesIt));
                    }
                    self.words.push((self.now_ms + after * SECOND, host, does));
                }
                Effect::SetBack(host, _) => drop(self.has.insert(host, 1)),
                _ => {}
            }
        }
    }

    /// Lets seconds pass.
    pub(super) fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now_ms += SECOND;
            let now_ms = self.now_ms;
            let due: Vec<_> = self.words.extract_if(.., |(at_ms, ..)| *at_ms <= now_ms).collect();
            for (_, host, does) in due {
                let (word, in_force, problems) = match does {
                    Does::TakesIt => (ConfigurationWord::InForce, 2, vec![]),
                    Does::RefusesIt => (ConfigurationWord::Refused, 1, vec!["checks.kind: no such".to_owned()]),
                    Does::RevertsIt(_) => (ConfigurationWord::Reverted, 1, vec!["the agent died".to_owned()]),
                    Does::Dies(_) => {
                        self.happens(Happened::Gone(host));
                        continue;
                    }
                    Does::IsMute | Does::IsAway => continue,
                };
                let told = Told { word, in_force: digest(in_force), offered: digest(2), problems: &problems };
                self.happens(Happened::Told(host, told));
            }
            self.happens(Happened::Tick);
            if self.restarts {
                self.restart();
            }
        }
    }

    /// What another process makes of the rows. Hosts come back and say how they stand.
    pub(super) fn restart(&mut self) {
        let members: Vec<_> =
            self.machine.members.iter().map(|(host, member)| (*host, member.stage, member.wave)).collect();
        let row = self.machine.row.clone();
        let gone: Vec<HostId> =
            self.does.keys().filter(|host| !self.machine.connected.contains(host)).copied().collect();
        self.machine = Machine::new(row, members.clone(), BTreeSet::new(), self.now_ms);
        for (host, stage, _) in members {
            if !gone.contains(&host) {
                self.happens(Happened::Connected(host));
            }
            if matches!(stage, Stage::Released | Stage::Good) {
                self.happens(Happened::Expects(host, Expected { digest: digest(2) }));
                if !self.words.iter().any(|(_, other, _)| *other == host) && self.does[&host] == Does::TakesIt {
                    let told = Told {
                        word: ConfigurationWord::InForce,
                        in_force: digest(2),
                        offered: digest(2),
                        problems: &[],
                    };
                    self.happens(Happened::Told(host, told));
                }
            }
        }
    }

    pub(super) fn having(&self, version: u64) -> usize {
        self.has.values().filter(|has| **has == version).count()
    }

    pub(super) fn named(&self) -> Vec<String> {
        self.machine.row.failed.iter().map(|failed| format!("{} {}", name(failed.host), failed.problem)).collect()
    }
}
