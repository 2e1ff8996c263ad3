//! The facts of a question: what is declared, what was deployed, who is heard, what is wrong, and what lines say.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;

use muster_common::host::HostId;
use muster_fleet::gate::{
    self, Asked, Before, Ended, FACT_HOSTS_MAX, FACT_PROBLEMS_MAX, Facts, HostFact, HowEnded, Place, SeenThere,
};
use muster_fleet::{DeployState, ServiceSpec, VersionSeen};

use super::compared::{Span, against_others, since_then};
use crate::muster::problem::{self, Problem, Wanted};
use crate::state::{HostPresence, State};

/// The default rule of what was verified.
const VERDICT_ALERT: &str = "DeployWorse";

/// What one question looks at.
struct Look<'s> {
    state: &'s State,
    asked: &'s Asked,
    spec: ServiceSpec,
    presence: HashMap<HostId, HostPresence>,
    problems: Vec<Problem>,
    cancelled: &'s AtomicBool,
}

/// A service in an environment: its hosts, and how the version asked for is there.
struct There {
    hosts: BTreeMap<HostId, String>,
    seen: Option<VersionSeen>,
}

/// All facts of a question. Blocks, and reads lines.
pub(super) fn facts(state: &State, asked: Asked, cancelled: &AtomicBool) -> Facts {
    let rules_ms = Some(state.alerting.last_round().millis()).filter(|ms| *ms > 0);
    let Some(spec) = state.fleet.service(&asked.service) else {
        return Facts { asked, rules_ms, ..Facts::default() };
    };
    let problems = problem::gather(state, asked.at_ms, Wanted::default());
    let look = Look { state, asked: &asked, spec, presence: state.presence(), problems, cancelled };
    let to = look.there(&asked.to);
    // Going back asks nothing of the environments before, and nothing is compared.
    let (mut before, mut canary) = (Vec::new(), None);
    if !asked.rollback {
        let rule = state.fleet.environment_rule(&asked.to).unwrap_or_default();
        before = rule.after.iter().map(|env| look.before(env, rule.soak_ms)).collect();
        canary = look.canary(&to);
    }
    let place = look.place(&asked.to, &to);
    let freezes = look.freezes();
    Facts { is_declared: true, rules_ms, to: place, before, freezes, canary, asked }
}

impl Look<'_> {
    fn there(&self, env: &str) -> There {
        // The service was there a moment ago; one that a reload took away since has neither.
        let hosts = self.state.fleet.service_hosts(&self.asked.service, env).unwrap_or_default();
        let versions = self.state.fleet.versions(&self.asked.service, env).unwrap_or_default();
        There { hosts, seen: versions.into_iter().find(|seen| seen.version == self.asked.version) }
    }

    fn place(&self, env: &str, there: &There) -> Place {
        let mut hosts: Vec<HostFact> = there.hosts.iter().map(|(id, name)| self.host(*id, name)).collect();
        // Those that speak against it first, so that they are among those that are kept.
        let order = |host: &HostFact| (!host.is_stale(self.asked.at_ms), host.heard_ms, host.name.clone());
        hosts.sort_by_cached_key(order);
        let more_hosts =
            hosts.iter().skip(FACT_HOSTS_MAX).filter(|host| !host.is_stale(self.asked.at_ms)).count() as u64;
        hosts.truncate(FACT_HOSTS_MAX);
        let mut problems: Vec<&Problem> = self.problems.iter().filter(|one| self.is_about(one, env, there)).collect();
        problems.sort_by_key(|one| Reverse(muster_alert::dispatch::severity_rank(&one.severity)));
        let more_problems = problems.len().saturating_sub(FACT_PROBLEMS_MAX) as u64;
        Place {
            env: env.to_owned(),
            hosts,
            more_hosts,
            ended: there.seen.as_ref().and_then(|seen| self.ended(seen)),
            problems: problems.into_iter().take(FACT_PROBLEMS_MAX).map(of_problem).collect(),
            more_problems,
        }
    }

    fn host(&self, id: HostId, name: &str) -> HostFact {
        let presence = self.presence.get(&id);
        HostFact {
            name: name.to_owned(),
            state: presence.map(|presence| presence.state.clone()).unwrap_or_default(),
            heard_ms: presence.and_then(|presence| presence.last_arrival).map(|at| at.millis()),
        }
    }

    /// Whether a problem is one of the service in this environment: of one of its hosts, and of its checks where it names some; or its own.
    fn is_about(&self, problem: &Problem, env: &str, there: &There) -> bool {
        // What is wrong with the version that is there is no reason against the one that replaces it.
        if problem.title == VERDICT_ALERT {
            return false;
        }
        let is_of_check = |check: &String| self.spec.checks.is_empty() || self.spec.checks.contains(check);
        match &problem.host {
            Some(host) if there.hosts.values().any(|name| name == host) => {
                problem.check.as_ref().is_none_or(is_of_check)
            }
            // An alert without a host, or of the collector itself, names service and environment.
            _ => {
                let label = |name| problem.label(name);
                label("service") == Some(&self.spec.name) && label("env").is_none_or(|of| of == env)
            }
        }
    }

    fn ended(&self, seen: &VersionSeen) -> Option<Ended> {
        let of = |(deploy, at_ms): (u64, i64), how| Ended { deploy, at_ms, how };
        match seen.failed.filter(|_| seen.has_failed()) {
            Some(failed) => {
                let state = self.state.fleet.deploy(failed.0).map(|deploy| deploy.state);
                let is_back = state == Some(DeployState::RolledBack);
                Some(of(failed, if is_back { HowEnded::RolledBack } else { HowEnded::Failed }))
            }
            None => seen.ok.map(|ok| of(ok, HowEnded::Ok)),
        }
    }

    fn before(&self, env: &str, soak_ms: i64) -> Before {
        let there = self.there(env);
        let now_ms = self.asked.at_ms;
        let seen = there.seen.as_ref().filter(|seen| seen.ok.is_some()).map(|seen| SeenThere {
            hosts: seen.hosts.len() as u64,
            of_hosts: there.hosts.len() as u64,
            was_whole: seen.whole_ms.is_some(),
            soaked_ms: seen.soaked_ms(now_ms),
        });
        let since = there.seen.as_ref().and_then(|seen| {
            let (from_ms, to_ms) = (seen.since_ms?, seen.until_ms.unwrap_or(now_ms));
            let names = || there.hosts.values().cloned().collect::<Vec<_>>();
            let span = Span { from_ms, to_ms, before_ms: self.began_ms(seen, from_ms) };
            Some(since_then(self.state, &self.spec, names(), span, self.cancelled))
        });
        Before { place: self.place(env, &there), soak_ms, seen, since }
    }

    /// When the deploy began that put the version there: what is between is neither before nor after.
    fn began_ms(&self, seen: &VersionSeen, from_ms: i64) -> i64 {
        let deploy = seen.ok.and_then(|(id, _)| self.state.fleet.deploy(id));
        deploy.map_or(from_ms, |deploy| deploy.started_ms).min(from_ms)
    }

    /// Hosts that have the version already against those that have not, where there are both.
    fn canary(&self, there: &There) -> Option<gate::Comparison> {
        let seen = there.seen.as_ref().filter(|seen| seen.is_there() && seen.hosts.len() < there.hosts.len())?;
        let from_ms = seen.since_ms?;
        let (canary, others): (Vec<_>, Vec<_>) = there.hosts.iter().partition(|(id, _)| seen.hosts.contains(id));
        let names = |hosts: Vec<(&HostId, &String)>| {
            let mut names: Vec<String> = hosts.into_iter().map(|(_, name)| name.clone()).collect();
            names.sort_unstable();
            names
        };
        let span = Span { from_ms, to_ms: self.asked.at_ms, before_ms: self.began_ms(seen, from_ms) };
        Some(against_others(self.state, &self.spec, [names(canary), names(others)], span, self.cancelled))
    }

    fn freezes(&self) -> Vec<gate::Freeze> {
        let now = muster_common::time::Timestamp::from_millis(self.asked.at_ms);
        let on = self.state.fleet.freeze_now(&self.asked.service, &self.asked.to, now);
        let fact = |on: muster_fleet::FreezeNow| gate::Freeze {
            id: on.freeze.id,
            reason: on.freeze.spec.reason,
            by: if on.freeze.by.is_empty() { on.freeze.file.unwrap_or_default() } else { on.freeze.by },
            until_ms: on.until_ms,
            lifted: on.lifted.map(|lifted| gate::Override { by: lifted.by, reason: lifted.reason, codes: Vec::new() }),
        };
        on.map(fact).into_iter().collect()
    }
}

fn of_problem(problem: &Problem) -> gate::Problem {
    gate::Problem {
        name: problem.title.clone(),
        host: problem.host.clone().unwrap_or_default(),
        severity: problem.severity.clone(),
        since_ms: problem.since_ms,
        held: problem.held_words(),
        evidence: format!("/alerts/{}", gate::escaped(&problem.id)),
    }
}
