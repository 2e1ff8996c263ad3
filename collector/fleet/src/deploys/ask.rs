//! What is asked of deploys, services and freezes, and what people do to freezes. The gate decides by these answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::stat::Stat;
use muster_common::time::Timestamp;
use tokio::sync::watch;

use super::deploy::{Deploy, DeploySource, DeployState, check_note};
use super::freeze::{
    FREEZE_KEPT_MS, FREEZE_OVERRIDES_MAX, FREEZES_MAX, Freeze, FreezeNow, FreezeOverride, FreezeSpec, FreezeView,
    OVERRIDE_MAX_MS, ReadFreeze,
};
use super::intake::{environments_of, hosts_in, hosts_of, its_hosts, known_service};
use super::service::{EnvironmentRule, ServiceSpec, clean};
use super::settings::{DeploySettings, HookSecret};
use super::versions::{VersionSeen, versions};
use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::suspects::DeployBefore;

/// Deploys of one time that are looked at for a problem: of a day ten times what a busy team has.
const BEFORE_MAX: usize = 500;

/// Which deploys are asked for, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployQuery {
    pub service: Option<String>,
    pub env: Option<String>,
    pub version: Option<String>,
    pub state: Option<DeployState>,
    /// Those with a smaller number.
    pub before: Option<u64>,
    pub limit: usize,
}

/// A service, and how it stands in each environment that it has hosts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    pub spec: ServiceSpec,
    pub environments: Vec<ServiceEnvironment>,
    /// Its hosts without the label `env`, which are in no environment.
    pub outside: usize,
}

/// A service in one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEnvironment {
    pub env: String,
    pub hosts: usize,
    /// What must have been there before.
    pub rule: Option<EnvironmentRule>,
    /// Versions that some host has now, the one deployed last first.
    pub versions: Vec<VersionSeen>,
    /// Deploys that run.
    pub running: Vec<u64>,
    pub freeze: Option<FreezeNow>,
}

impl Fleet {
    /// Puts what is declared in force, in place of what was.
    pub fn set_deploy_settings(&self, settings: DeploySettings) {
        *self.declared.write() = Arc::new(settings);
        self.deploys_moved.send_modify(|moved| *moved += 1);
    }

    /// What is declared now.
    pub(crate) fn deploy_settings(&self) -> Arc<DeploySettings> {
        Arc::clone(&self.declared.read())
    }

    /// The file in which services are declared; `None`: there is none.
    pub fn deploy_file(&self) -> Option<String> {
        Some(self.deploy_settings().path.clone()).filter(|path| !path.is_empty())
    }

    /// A number that moves with each change of deploys, freezes and what is declared.
    pub fn subscribe_deploys(&self) -> watch::Receiver<u64> {
        self.deploys_moved.subscribe()
    }

    /// The secrets by which webhooks of GitHub and GitLab are known; `None`: they are not taken.
    pub fn hook_secrets(&self) -> (Option<HookSecret>, Option<HookSecret>) {
        let settings = self.deploy_settings();
        (settings.github.clone(), settings.gitlab.clone())
    }

    /// The service that a repository's webhooks tell of.
    pub fn service_of_repository(&self, repository: &str) -> Option<String> {
        self.deploy_settings().of_repository(repository).map(|spec| spec.name.clone())
    }

    /// The service of this name, as it is declared.
    pub fn service(&self, name: &str) -> Option<ServiceSpec> {
        self.deploy_settings().services.get(name).map(|service| service.spec.clone())
    }

    /// What must have been there before something goes to this environment; `None`: nothing is declared of it.
    pub fn environment_rule(&self, env: &str) -> Option<EnvironmentRule> {
        self.deploy_settings().environments.get(env).cloned()
    }

    /// Active hosts of a service in an environment, with their names, by id. None: there are none, which is no error.
    ///
    /// # Errors
    /// [`FleetError::NoService`].
    pub fn service_hosts(&self, service: &str, env: &str) -> Result<BTreeMap<HostId, String>, FleetError> {
        let settings = self.deploy_settings();
        Ok(hosts_in(&self.memory.read(), known_service(&settings, service)?, env))
    }

    /// The versions of a service in an environment, the one deployed last first; of each since when and where it is, and how its deploys ended.
    ///
    /// # Errors
    /// [`FleetError::NoService`].
    pub fn versions(&self, service: &str, env: &str) -> Result<Vec<VersionSeen>, FleetError> {
        let settings = self.deploy_settings();
        let known = known_service(&settings, service)?;
        let memory = self.memory.read();
        Ok(versions_in(&memory, (service, env), hosts_in(&memory, known, env).into_keys()))
    }

    /// All services, by name.
    pub fn services(&self, now: Timestamp) -> Vec<ServiceView> {
        let settings = self.deploy_settings();
        let view = |(name, service): (&String, &super::service::ReadService)| {
            let counts = environments_of(&self.memory.read(), service);
            let environment = |(env, count): (&String, &usize)| {
                let freeze = self.freeze_now(name, env, now);
                let memory = self.memory.read();
                let mut versions = versions_in(&memory, (name, env), hosts_in(&memory, service, env).into_keys());
                versions.retain(VersionSeen::is_there);
                let running = memory.deploys.of(name, env).filter(|deploy| deploy.state == DeployState::Running);
                ServiceEnvironment {
                    env: env.clone(),
                    hosts: *count,
                    rule: settings.environments.get(env).cloned(),
                    versions,
                    running: running.map(|deploy| deploy.id).collect(),
                    freeze,
                }
            };
            let named = counts.iter().filter(|(env, _)| !env.is_empty());
            ServiceView {
                spec: service.spec.clone(),
                environments: named.map(environment).collect(),
                outside: counts.get("").copied().unwrap_or(0),
            }
        };
        settings.services.iter().map(view).collect()
    }

    /// One deploy.
    pub fn deploy(&self, id: u64) -> Option<Deploy> {
        self.memory.read().deploys.deploys.get(&id).cloned()
    }

    /// The deploys on any of these hosts that began before a moment and ended within so long before it or later, the newest first; and whether there
    /// were more of that time than are looked at.
    pub(crate) fn deploys_before(
        &self,
        hosts: &BTreeSet<HostId>,
        at_ms: i64,
        within_ms: i64,
    ) -> (Vec<DeployBefore>, bool) {
        let settings = self.deploy_settings();
        let memory = self.memory.read();
        let is_of_then = |deploy: &&Deploy| {
            let ended_ms = deploy.ended_ms.unwrap_or(i64::MAX);
            deploy.started_ms <= at_ms && ended_ms >= at_ms.saturating_sub(within_ms)
        };
        let mut all = memory.deploys.deploys.values().rev().filter(is_of_then);
        let known = |deploy: &Deploy| {
            // All hosts are looked at only for those that are on one of these.
            its_hosts(hosts.iter().filter_map(|host| memory.host(*host)), deploy).next()?;
            let on: BTreeSet<HostId> = hosts_of(&memory, deploy).into_iter().map(|(host, _)| host).collect();
            let declared = || settings.services.get(&deploy.service).map(|service| service.spec.packages.clone());
            let packages = match deploy.source {
                DeploySource::Package => vec![deploy.package.clone()],
                _ => declared().unwrap_or_default(),
            };
            Some(DeployBefore { deploy: deploy.clone(), hosts: on, packages })
        };
        let found = all.by_ref().take(BEFORE_MAX).filter_map(known).collect();
        (found, all.next().is_some())
    }

    /// The deploys that match, newest first.
    pub fn deploys(&self, query: &DeployQuery) -> Vec<Deploy> {
        let is = |wanted: &Option<String>, text: &String| wanted.as_ref().is_none_or(|wanted| wanted == text);
        let memory = self.memory.read();
        let all = memory.deploys.deploys.range(..query.before.unwrap_or(u64::MAX)).rev().map(|(_, deploy)| deploy);
        all.filter(|deploy| {
            is(&query.service, &deploy.service)
                && is(&query.env, &deploy.env)
                && is(&query.version, &deploy.version)
                && query.state.is_none_or(|state| state == deploy.state)
        })
        .take(query.limit)
        .cloned()
        .collect()
    }

    /// All freezes: the file's by name, then the API's by number.
    pub fn freezes(&self, now: Timestamp) -> Vec<FreezeView> {
        let settings = self.deploy_settings();
        freeze_views(&settings, &self.memory.read(), now.millis(), |_| true)
    }

    /// What freezes a service in an environment now, and whether somebody lifted that; neither need be declared.
    pub fn freeze_now(&self, service: &str, env: &str, now: Timestamp) -> Option<FreezeNow> {
        let settings = self.deploy_settings();
        frozen(&settings, &self.memory.read(), (service, env), now.millis())
    }

    /// Makes a freeze; the answer is it with its number.
    ///
    /// # Errors
    /// [`FleetError::FreezeSpec`] says what is wrong with it; when the disk or the file fails.
    pub fn add_freeze(&self, spec: FreezeSpec, by: &By, now: Timestamp) -> Result<Freeze, FleetError> {
        let bad = |(field, why)| FleetError::FreezeSpec { field, why };
        let read = ReadFreeze::new(spec.clone()).map_err(bad)?;
        if read.is_over(now.millis()) {
            return Err(bad(("to", "it is over already: give an end that is to come".to_owned())));
        }
        self.change(|memory, draft| {
            let rows = &memory.deploys;
            let newest = rows.freezes.last_key_value().map(|(id, _)| *id);
            let mut over: Vec<(i64, u64)> = rows
                .freezes
                .iter()
                .filter(|(id, (_, read))| read.is_over(now.millis()) && Some(**id) != newest)
                .map(|(id, (row, _))| (row.spec.to_ms.unwrap_or(0), *id))
                .collect();
            over.sort_unstable();
            let least = (rows.freezes.len() + 1).saturating_sub(FREEZES_MAX);
            if over.len() < least {
                let why = format!("there are {FREEZES_MAX} freezes that are not over, which is the most: end some");
                return Err(bad(("matchers", why)));
            }
            let old = over.iter().filter(|(to_ms, _)| to_ms.saturating_add(FREEZE_KEPT_MS) <= now.millis()).count();
            draft.deploys.forgotten_freezes.extend(over[..least.max(old)].iter().map(|(_, id)| *id));
            let made = Freeze { id: rows.next_freeze(), spec, by: by.to_string(), made_ms: now.millis() };
            let text = format!("froze deploys with {}: {}", clean(&made.spec.matchers), clean(&made.spec.reason));
            draft.events.push(freeze_event(EventKind::FreezeSet, made.id, by, now, text));
            draft.deploys.freezes.push(made.clone());
            Ok(made)
        })
    }

    /// Ends a freeze now. One that has not begun is over, too.
    ///
    /// # Errors
    /// [`FleetError::NoFreeze`], [`FleetError::FreezeOfFile`]; when the disk or the file fails.
    pub fn end_freeze(&self, id: &str, by: &By, now: Timestamp) -> Result<Freeze, FleetError> {
        let settings = self.deploy_settings();
        if settings.freezes.contains_key(id) {
            return Err(FleetError::FreezeOfFile { id: clean(id), path: settings.path.clone() });
        }
        self.change(|memory, draft| {
            let known = id.parse().ok().and_then(|id: u64| memory.deploys.freezes.get(&id));
            let known = known.filter(|(_, read)| !read.is_over(now.millis()));
            let (mut row, _) = known.cloned().ok_or_else(|| FleetError::NoFreeze { id: clean(id) })?;
            let begins = row.spec.from_ms.filter(|from_ms| *from_ms >= now.millis());
            row.spec.from_ms = begins.map_or(row.spec.from_ms, |_| Some(now.millis().saturating_sub(1)));
            row.spec.to_ms = Some(now.millis());
            let text = format!("the freeze of deploys with {} has ended", clean(&row.spec.matchers));
            draft.events.push(freeze_event(EventKind::FreezeEnded, row.id, by, now, text));
            draft.deploys.freezes.push(row.clone());
            Ok(row)
        })
    }

    /// Lifts what freezes a service in an environment now, for so long, milliseconds; a freeze that begins later is not lifted.
    ///
    /// # Errors
    /// [`FleetError::FreezeSpec`] says what is wrong; [`FleetError::NoService`]; [`FleetError::NothingFrozen`]; when the disk or the file fails.
    pub fn override_freeze(
        &self,
        (service, env): (&str, &str),
        reason: &str,
        lasts_ms: i64,
        by: &By,
        now: Timestamp,
    ) -> Result<FreezeOverride, FleetError> {
        let bad = |field, why: &str| FleetError::FreezeSpec { field, why: why.to_owned() };
        if reason.trim().is_empty() {
            return Err(bad("reason", "it has no reason: say why this must go out now"));
        }
        check_note(reason).map_err(|(_, why)| FleetError::FreezeSpec { field: "reason", why })?;
        if !(1..=OVERRIDE_MAX_MS).contains(&lasts_ms) {
            return Err(bad("for", "a freeze is lifted for at most 24 hours: give a shorter time, or end the freeze"));
        }
        let settings = self.deploy_settings();
        known_service(&settings, service)?;
        self.change(|memory, draft| {
            let now_ms = now.millis();
            let on = frozen(&settings, memory, (service, env), now_ms);
            let on = on.ok_or_else(|| FleetError::NothingFrozen { service: clean(service), env: clean(env) })?;
            let rows = &memory.deploys;
            let over = (rows.overrides.len() + 1).saturating_sub(FREEZE_OVERRIDES_MAX);
            draft.deploys.forgotten_overrides.extend(rows.overrides.keys().take(over));
            let made = FreezeOverride {
                id: rows.next_override(),
                freeze: on.freeze.id,
                service: service.to_owned(),
                env: env.to_owned(),
                reason: reason.to_owned(),
                by: by.to_string(),
                from_ms: now_ms,
                until_ms: now_ms.saturating_add(lasts_ms).min(on.until_ms.unwrap_or(i64::MAX)),
            };
            let text = format!("lifted the freeze {} for {service} in {env}: {}", made.freeze, clean(reason));
            let event = Event::new(EventKind::FreezeOverridden, by, now, text);
            let event = event.with("freeze", made.freeze.as_str()).with("service", service).with("env", env);
            draft.events.push(event.with("reason", reason).with("until_ms", made.until_ms.to_string()));
            draft.deploys.overrides.push(made.clone());
            Ok(made)
        })
    }
}

fn freeze_event(kind: EventKind, id: u64, by: &By, now: Timestamp, text: String) -> Event {
    Event::new(kind, by, now, text).with("freeze", id.to_string())
}

fn versions_in(memory: &Memory, (service, env): (&str, &str), hosts: impl Iterator<Item = HostId>) -> Vec<VersionSeen> {
    versions((service, env), memory.deploys.of(service, env), &hosts.collect::<BTreeSet<_>>())
}

/// The freezes that this holds of, as they are listed.
fn freeze_views(
    settings: &DeploySettings,
    memory: &Memory,
    now_ms: i64,
    is_wanted: impl Fn(&ReadFreeze) -> bool,
) -> Vec<FreezeView> {
    let of_file = settings
        .freezes
        .iter()
        .filter(|(_, read)| is_wanted(read))
        .map(|(name, read)| FreezeView { file: Some(settings.path.clone()), ..read.view(name.clone(), now_ms) });
    let own = memory.deploys.freezes.values().filter(|(_, read)| is_wanted(read)).map(|(row, read)| FreezeView {
        by: row.by.clone(),
        made_ms: row.made_ms,
        ..read.view(row.id.to_string(), now_ms)
    });
    of_file.chain(own).collect()
}

fn frozen(settings: &DeploySettings, memory: &Memory, (service, env): (&str, &str), now_ms: i64) -> Option<FreezeNow> {
    let of_file = settings.freezes.iter().map(|(name, read)| (name.clone(), read, Some(settings.path.clone()), None));
    let rows = memory.deploys.freezes.values();
    let own = rows.map(|(row, read)| (row.id.to_string(), read, None, Some((row.by.clone(), row.made_ms))));
    let on = of_file.chain(own).filter(|(_, read, _, _)| read.is_about(service, env));
    let on = on.filter_map(|(id, read, file, made)| Some((read.on_until(now_ms)?, id, read, file, made)));
    let (until_ms, id, read, file, made) = on.max_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)))?;
    let (by, made_ms) = made.unwrap_or_default();
    let lifts = |one: &&FreezeOverride| {
        (one.service.as_str(), one.env.as_str()) == (service, env)
            && (one.from_ms..one.until_ms).contains(&now_ms)
            // One that began after somebody lifted what was on then counts.
            && read.on_until(one.from_ms).is_some()
    };
    let lifted = memory.deploys.overrides.values().rev().find(lifts).cloned();
    let freeze = FreezeView { file, by, made_ms, ..read.view(id, now_ms) };
    Some(FreezeNow { freeze, until_ms: Some(until_ms).filter(|until| *until < i64::MAX), lifted })
}

/// Adds to a draft the overrides that are long over.
pub(crate) fn drop_overrides(memory: &Memory, draft: &mut Draft, now: Timestamp) {
    let newest = memory.deploys.overrides.last_key_value().map(|(id, _)| *id);
    let is_old = |one: &&FreezeOverride| one.until_ms.saturating_add(FREEZE_KEPT_MS) <= now.millis();
    let old = memory.deploys.overrides.values().filter(is_old).map(|one| one.id).filter(|id| Some(*id) != newest);
    draft.deploys.forgotten_overrides.extend(old);
}

/// Numbers for `/metrics` and the store.
pub(crate) fn deploy_stats(memory: &Memory) -> Vec<Stat> {
    let rows = &memory.deploys;
    let of_state = DeployState::ALL.map(|state| {
        let count = rows.deploys.values().filter(|deploy| deploy.state == state).count();
        let help = "Deploys kept, by how they stand.";
        Stat::gauge("muster_collector_deploys", help, count as f64).with("state", state.as_str())
    });
    let freezes = "Freezes of the API, those of the last days included.";
    let early = "Deploys that went before their time, since there were too many.";
    of_state
        .into_iter()
        .chain([
            Stat::gauge("muster_collector_freezes", freezes, rows.freezes.len() as f64),
            Stat::counter("muster_collector_deploys_dropped_total", early, rows.early),
        ])
        .collect()
}
