//! What became of deploys: the comparison that the gate makes before one, made by itself once the version was there for its soak time.

use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::compare::{Comparison, Outcome, compare};
use crate::by::By;
use crate::deploys::{Deploy, DeployQuery, DeployState, ServiceSpec};
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::rows::cut_to;

/// Verdicts that are kept: the newest of each service in each environment, 500 services in four. The oldest go.
pub const VERDICTS_MAX: usize = 2_000;
/// The least time that is compared, milliseconds: in less there is never enough.
pub const VERIFY_MS: i64 = 15 * 60_000;
/// A deploy that ended longer ago, beside its soak time, is not verified any more: the collector was away, and what came since is not its doing.
const LATE_MS: i64 = 24 * 3_600_000;
const TEXT_BYTES_MAX: usize = 600;

/// The newest verdict of a service in an environment: table `deploy_verdicts`, key `service`, a zero byte, `env`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployVerdict {
    /// The deploy's number.
    pub deploy: u64,
    pub service: String,
    pub env: String,
    pub version: String,
    pub at_ms: i64,
    pub outcome: VerdictOutcome,
    /// What is worse, what there is too little of, or what would have been seen.
    pub text: String,
    /// What it stands on: `compare` makes it again.
    pub numbers: Comparison,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictOutcome {
    NotWorse,
    Worse,
    NotEnough,
}

impl VerdictOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotWorse => "not_worse",
            Self::Worse => "worse",
            Self::NotEnough => "not_enough",
        }
    }

    /// The value of its series.
    const fn value(self) -> f64 {
        match self {
            Self::NotWorse => 0.0,
            Self::Worse => 1.0,
            Self::NotEnough => 2.0,
        }
    }
}

impl From<Outcome> for VerdictOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Worse => Self::Worse,
            Outcome::NotWorse => Self::NotWorse,
            Outcome::NotEnough => Self::NotEnough,
        }
    }
}

impl DeployVerdict {
    pub(crate) fn key(&self) -> Vec<u8> {
        key(&self.service, &self.env)
    }

    /// As it is in memory.
    pub(crate) fn brief(&self) -> Self {
        Self { numbers: Comparison::default(), ..self.clone() }
    }
}

fn key(service: &str, env: &str) -> Vec<u8> {
    [service.as_bytes(), b"\0", env.as_bytes()].concat()
}

/// A deploy whose soak time is over, and what is to be compared. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueVerdict {
    pub deploy: u64,
    pub spec: ServiceSpec,
    /// From its end to the end of its soak time.
    pub from_ms: i64,
    pub to_ms: i64,
    /// When it began: the end of the time before.
    pub before_ms: i64,
    /// Names of hosts that it was to, and of the service's others there; none of these: it was to all.
    pub hosts: Vec<String>,
    pub others: Vec<String>,
}

impl Fleet {
    /// Deploys whose soak time has ended since they were looked at last: of each service, in each environment that comes after another, the
    /// newest that ended well.
    pub fn verdicts_due(&self, now: Timestamp) -> Vec<DueVerdict> {
        let services = self.services(now);
        let places = services.iter().flat_map(|service| service.environments.iter().map(move |env| (service, env)));
        let due = places.filter_map(|(service, environment)| {
            let rule = environment.rule.as_ref().filter(|rule| !rule.after.is_empty())?;
            let query = DeployQuery {
                service: Some(service.spec.name.clone()),
                env: Some(environment.env.clone()),
                state: Some(DeployState::Ok),
                limit: 1,
                ..DeployQuery::default()
            };
            let deploy = self.deploys(&query).into_iter().next()?;
            self.due(&service.spec, deploy, rule.soak_ms.max(VERIFY_MS), now.millis())
        });
        due.collect()
    }

    fn due(&self, spec: &ServiceSpec, deploy: Deploy, soak_ms: i64, now_ms: i64) -> Option<DueVerdict> {
        let from_ms = deploy.ended_ms?;
        let to_ms = from_ms.saturating_add(soak_ms);
        let is_time = to_ms <= now_ms && now_ms <= to_ms.saturating_add(LATE_MS);
        let known = self.verdict(&deploy.service, &deploy.env).map_or(0, |verdict| verdict.deploy);
        if !is_time || known >= deploy.id {
            return None;
        }
        let all = self.service_hosts(&deploy.service, &deploy.env).ok()?;
        let is_of = |id: &str| deploy.hosts.is_empty() || deploy.hosts.iter().any(|host| host == id);
        let (hosts, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(id, _)| is_of(&id.to_string()));
        let names = |hosts: Vec<(_, String)>| {
            let mut names: Vec<String> = hosts.into_iter().map(|(_, name)| name).collect();
            names.sort_unstable();
            names
        };
        Some(DueVerdict {
            deploy: deploy.id,
            spec: spec.clone(),
            from_ms,
            to_ms,
            before_ms: deploy.started_ms.min(from_ms),
            hosts: names(hosts),
            others: names(others),
        })
    }

    /// Keeps what a comparison of a deploy says, with its event, in one transaction.
    ///
    /// # Errors
    /// [`FleetError::NoDeploy`]; when the disk or the file fails.
    pub fn keep_verdict(&self, deploy: u64, numbers: Comparison, now: Timestamp) -> Result<DeployVerdict, FleetError> {
        let known = self.deploy(deploy).ok_or(FleetError::NoDeploy { wanted: format!("deploy {deploy}") })?;
        let compared = compare(&numbers);
        let outcome = VerdictOutcome::from(compared.outcome);
        let worse = compared.worse.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join("; ");
        let text = cut_to(if worse.is_empty() { &compared.text } else { &worse }, TEXT_BYTES_MAX);
        let Deploy { service, env, version, .. } = known;
        let made = DeployVerdict { deploy, service, env, version, at_ms: now.millis(), outcome, text, numbers };
        self.change(|memory, draft| {
            let evidence = compared.worse.first().map(|one| one.evidence.clone()).unwrap_or_default();
            draft.events.push(event(&made, &evidence, now));
            draft.forgotten_verdicts.extend(over(memory, &made));
            draft.verdicts.push(made.clone());
            Ok(made.clone())
        })
    }

    /// The newest verdict of a service in an environment, without its numbers.
    pub fn verdict(&self, service: &str, env: &str) -> Option<DeployVerdict> {
        let memory = self.memory.read();
        memory.verdicts.get(&key(service, env)).cloned()
    }
}

/// `muster_deploy_verdict`, a series for each service and environment: 0 not worse, 1 worse, 2 not enough to say.
pub(crate) fn verdict_stats(memory: &Memory) -> Vec<Stat> {
    const HELP: &str =
        "What a comparison after its soak time says of the last deploy: 0 not worse, 1 worse, 2 not enough to say.";
    let stat = |verdict: &DeployVerdict| {
        Stat::gauge("muster_deploy_verdict", HELP, verdict.outcome.value())
            .with("service", verdict.service.as_str())
            .with("env", verdict.env.as_str())
    };
    memory.verdicts.values().map(stat).collect()
}

/// Keys of the oldest, where there would be too many.
fn over(memory: &Memory, made: &DeployVerdict) -> Vec<Vec<u8>> {
    let all = &memory.verdicts;
    let over = (all.len() + usize::from(!all.contains_key(&made.key()))).saturating_sub(VERDICTS_MAX);
    let mut by_age: Vec<(i64, &Vec<u8>)> = all.iter().map(|(key, verdict)| (verdict.at_ms, key)).collect();
    by_age.sort_unstable();
    by_age.into_iter().take(over).map(|(_, key)| key.clone()).collect()
}

fn event(made: &DeployVerdict, evidence: &str, now: Timestamp) -> Event {
    let DeployVerdict { service, env, version, outcome, text, .. } = made;
    let words = match outcome {
        VerdictOutcome::NotWorse => "is not worse than what was there before",
        VerdictOutcome::Worse => "is worse than what was there before",
        VerdictOutcome::NotEnough => "cannot be compared with what was there before",
    };
    let text = format!("{service} {version} in {env} {words}: {text}");
    Event::new(EventKind::DeployVerified, &By::Itself("muster"), now, text)
        .with("object", format!("{service}/{env}"))
        .with("service", service.as_str())
        .with("version", version.as_str())
        .with("env", env.as_str())
        .with("outcome", outcome.as_str())
        .with("deploy", made.deploy.to_string())
        .with("evidence", evidence)
}

#[cfg(test)]
mod tests;
