//! A configuration that breaks on one host of many, over a real fleet: who is set back, and what the others have.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use muster_common::host::HostId;
use muster_fleet::{By, ConfigurationDigest, ConfigurationWord, Fleet, ProfileChange, Rollout, RolloutState};

use super::members::{at, enrol, open};

/// Simulated seconds within which a roll-out of three waves must be over: each wave soaks for one minute.
const LIMIT_S: u64 = 2_000;
/// How long a host that goes back runs the document before: within the trial that agents give it.
const RUNS_S: u64 = 20;
const PROBLEM: &str = "no result of check `new`";

/// How the document breaks on the host.
#[derive(Clone, Copy, PartialEq)]
enum Breaks {
    Refused,
    Reverted,
}

/// How it stands at the end.
struct Outcome {
    rollout: Rollout,
    /// Hosts that have the new document in force, and that were set back to the old one.
    new: usize,
    set_back: usize,
}

/// Hosts that do as they are told, but for one.
struct Agents {
    fleet: Fleet,
    hosts: Vec<HostId>,
    in_force: BTreeMap<HostId, ConfigurationDigest>,
    given: BTreeMap<HostId, u64>,
    bad: Option<(HostId, Breaks)>,
    /// When the bad one goes back from what.
    goes_back: Option<(u64, ConfigurationDigest)>,
    second: u64,
}

/// Runs both ways of breaking: `key=value` words.
///
/// # Errors
/// When a roll-out does not end, or the fleet fails.
pub(super) fn trial(hosts: usize) -> Result<String> {
    let mut words = vec![format!("hosts={hosts}")];
    for (name, breaks) in [("refused", Breaks::Refused), ("reverted", Breaks::Reverted)] {
        let Outcome { rollout, new, set_back } = run(hosts, breaks)?;
        let (good, failed) = (rollout.good, rollout.failed.len());
        words.push(format!("{name}_good={good} {name}_failed={failed} {name}_new={new} {name}_set_back={set_back}"));
    }
    Ok(words.join(" "))
}

fn run(count: usize, breaks: Breaks) -> Result<Outcome> {
    ensure!(count > 1, "one host is the first, and another must break");
    let folder = tempfile::Builder::new().prefix("muster-reverted-").tempdir()?;
    let fleet = open(folder.path())?;
    let hosts = enrol(&fleet, count)?;
    fleet.set_profile_files(&[], &By::MUSTER, at(0))?;
    let (in_force, given) = (BTreeMap::new(), BTreeMap::new());
    let mut agents = Agents { fleet, hosts, in_force, given, bad: None, goes_back: None, second: 1 };
    for host in agents.hosts.clone() {
        agents.fleet.configuration_connected(host, true);
        agents.tell(host, [0; 16], ConfigurationWord::None, "");
    }
    agents.apply("old")?;
    let first = agents.until_done()?;
    ensure!(first.good == count as u64, "{} of {count} took the first document", first.good);
    agents.apply("new")?;
    // The first wave is one host, on which a failure would stop all.
    agents.pass(3)?;
    let spared = agents.hosts.iter().find(|host| !agents.is_offered(**host, "new")).copied();
    agents.bad = Some((spared.context("the first wave had all hosts")?, breaks));
    let rollout = agents.until_done()?;
    agents.pass(3)?;
    let has = |host: &&HostId, check: &str| agents.is_offered(**host, check) && agents.has_what_is_offered(**host);
    let new = agents.hosts.iter().filter(|host| has(host, "new")).count();
    let told = |host: &HostId| agents.fleet.configuration_view(*host).is_some_and(|view| !view.set_back.is_empty());
    let set_back = agents.hosts.iter().filter(|host| told(host) && has(host, "old")).count();
    Ok(Outcome { rollout, new, set_back })
}

impl Agents {
    fn apply(&self, check: &str) -> Result<()> {
        let text =
            format!("profile: web\nselector: {{labels: 'role=\"web\"'}}\nchecks:\n  - {{name: {check}, kind: raid}}\n");
        let change = ProfileChange { documents: vec![("web.yml".to_owned(), text)], remove: Vec::new() };
        let plan = self.fleet.plan_profiles(&change)?;
        let ann = By::user("ann", "192.0.2.9");
        self.fleet.apply_profiles(&change, plan.base, &ann, "a trial", at(self.second))?;
        Ok(())
    }

    /// What the host says: what it has in force, and the word on what it was offered.
    fn tell(&self, host: HostId, offered: ConfigurationDigest, word: ConfigurationWord, problem: &str) {
        let in_force = self.in_force.get(&host).copied().unwrap_or_default();
        let problems: Vec<String> = [problem].iter().filter(|text| !text.is_empty()).map(|&text| text.into()).collect();
        self.fleet.configuration_told(host, in_force, offered, word, &problems, at(self.second));
    }

    /// Seconds pass: the collector steps, hosts take what they are given.
    fn pass(&mut self, seconds: u64) -> Result<()> {
        for _ in 0..seconds {
            self.second += 1;
            if let (Some((host, _)), Some((when, digest))) = (self.bad, self.goes_back)
                && when <= self.second
            {
                self.goes_back = None;
                self.tell(host, digest, ConfigurationWord::Reverted, PROBLEM);
            }
            self.fleet.step_profiles(at(self.second))?;
            for host in self.fleet.take_configurations_due() {
                self.give(host);
            }
        }
        Ok(())
    }

    fn give(&mut self, host: HostId) {
        let Some((number, digest, document)) = self.fleet.configuration_for(host) else { return };
        if self.given.insert(host, number) == Some(number) {
            return;
        }
        match self.bad {
            Some((bad, Breaks::Refused)) if bad == host && document.contains("\"new\"") => {
                self.tell(host, digest, ConfigurationWord::Refused, PROBLEM);
            }
            Some((bad, Breaks::Reverted)) if bad == host && document.contains("\"new\"") => {
                self.tell(host, digest, ConfigurationWord::Trial, "");
                self.goes_back = Some((self.second + RUNS_S, digest));
            }
            _ => {
                self.in_force.insert(host, digest);
                self.tell(host, digest, ConfigurationWord::InForce, "");
            }
        }
    }

    fn is_offered(&self, host: HostId, check: &str) -> bool {
        let check = format!("\"{check}\"");
        self.fleet.configuration_for(host).is_some_and(|(_, _, document)| document.contains(&check))
    }

    fn has_what_is_offered(&self, host: HostId) -> bool {
        let offered = self.fleet.configuration_for(host).map(|(_, digest, _)| digest);
        offered.is_some() && offered == self.in_force.get(&host).copied()
    }

    /// The newest roll-out, once it is over.
    fn until_done(&mut self) -> Result<Rollout> {
        for _ in 0..LIMIT_S {
            self.pass(1)?;
            let newest = self.fleet.rollouts().into_iter().next();
            match newest {
                Some(rollout) if rollout.state == RolloutState::Done => return Ok(rollout),
                Some(rollout) if rollout.state != RolloutState::Running => {
                    bail!("the roll-out is {:?}: {}", rollout.state, rollout.reason)
                }
                _ => {}
            }
        }
        bail!("the roll-out was not over within {LIMIT_S} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_of_ten_is_set_back_alone_however_it_breaks() {
        for breaks in [Breaks::Refused, Breaks::Reverted] {
            let Outcome { rollout, new, set_back } = run(10, breaks).unwrap();
            assert_eq!((rollout.good, rollout.failed.len(), new, set_back), (9, 1, 9, 1));
        }
    }
}
