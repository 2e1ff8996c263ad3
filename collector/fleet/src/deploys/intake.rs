//! Deploys as they are told: begun, ended, given up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::matcher_text::read_matchers;
use muster_common::time::Timestamp;

use super::deploy::{
    DEPLOYS_MAX, Deploy, DeployRef, DeployResult, DeploySource, DeployStart, DeployStarted, DeployState, check,
    check_note,
};
use super::packages::{ChangedHost, PackageChange, recognise};
use super::rows::DeployRows;
use super::service::{ENV_LABEL, ReadService, clean, is_matched};
use super::settings::DeploySettings;
use crate::by::By;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::inventory::CHANGES_KEPT_MS;
use crate::memory::Memory;
use crate::outbox::{Event, EventKind};
use crate::rows::Registration;

/// Hosts of a deploy that have events of their own: those of more would push everything else out of lists.
const HOST_EVENTS_MAX: usize = 100;

fn refused((field, why): (&'static str, String)) -> FleetError {
    FleetError::DeploySpec { field, why }
}

impl Fleet {
    /// Takes that a deploy has begun. One that is told again under its key is the same one; one that still runs on the same hosts is given up.
    /// From now until its end changes of its hosts are announced.
    ///
    /// # Errors
    /// [`FleetError::DeploySpec`] says what is wrong with it; [`FleetError::NoService`], [`FleetError::NoServiceHosts`]; when the disk or the
    /// file fails.
    pub fn start_deploy(&self, start: DeployStart, by: &By, now: Timestamp) -> Result<DeployStarted, FleetError> {
        check(&start).map_err(refused)?;
        let settings = self.deploy_settings();
        let frozen = self.freeze_now(&start.service, &start.env, now);
        self.change(|memory, draft| {
            let rows = &memory.deploys;
            if let Some(known) = rows.deploys.values().rev().find(|known| is_told_again(known, &start)) {
                return Ok(DeployStarted { deploy: known.clone(), is_new: false, superseded: Vec::new() });
            }
            let service = known_service(&settings, &start.service)?;
            let all = hosts_in(memory, service, &start.env);
            if all.is_empty() {
                return Err(no_hosts(memory, service, &start.env));
            }
            for host in &start.hosts {
                let row = HostId::parse(host).and_then(|id| memory.host(id));
                let Some(row) = row else { return Err(FleetError::NoHost { asked: clean(host) }) };
                if !all.contains_key(&row.id) {
                    let why = format!(
                        "host {} is none of service {} in {}: leave it out, or correct its labels",
                        row.name, start.service, start.env
                    );
                    return Err(refused(("hosts", why)));
                }
            }
            make_room(rows, draft, now.millis())?;
            let superseded = give_up_on(memory, draft, &start, by, now);
            let deploy = Deploy {
                id: rows.next_deploy(),
                matchers: service.spec.hosts.clone(),
                service: start.service,
                version: start.version,
                env: start.env,
                state: DeployState::Running,
                source: start.source,
                hosts: start.hosts,
                started_ms: now.millis(),
                ended_ms: None,
                by: by.to_string(),
                link: start.link,
                note: start.note,
                key: start.key,
                package: String::new(),
                announced: String::new(),
                freeze: frozen.as_ref().map(|frozen| frozen.freeze.id.clone()).unwrap_or_default(),
                lifted: frozen.as_ref().and_then(|frozen| Some(frozen.lifted.as_ref()?.id)),
            };
            let on = if deploy.hosts.is_empty() { all.len() } else { deploy.hosts.len() };
            let mut text = format!("deploy of {} began on {on} hosts", deploy.words());
            if let Some(frozen) = &frozen {
                text += &match &frozen.lifted {
                    Some(lifted) => format!("; the freeze {} was lifted by {}", frozen.freeze.id, lifted.by),
                    None => format!(", in the freeze {}: {}", frozen.freeze.id, clean(&frozen.freeze.spec.reason)),
                };
            }
            let event = event(EventKind::DeployStarted, &deploy, by, now, text);
            draft.events.push(event.with("hosts", on.to_string()));
            on_hosts(memory, draft, &deploy, "began", by, now);
            draft.deploys.deploys.push(deploy.clone());
            Ok(DeployStarted { deploy, is_new: true, superseded })
        })
    }

    /// Takes that a deploy has ended. The same said again changes nothing; the answer is it, and whether that is news.
    ///
    /// # Errors
    /// [`FleetError::NoDeploy`]; [`FleetError::DeployEnded`] if it ended otherwise; when the disk or the file fails.
    pub fn finish_deploy(
        &self,
        which: &DeployRef,
        result: DeployResult,
        note: &str,
        by: &By,
        now: Timestamp,
    ) -> Result<(Deploy, bool), FleetError> {
        check_note(note).map_err(refused)?;
        self.change(|memory, draft| {
            let Some(known) = find(&memory.deploys, which) else {
                return Err(FleetError::NoDeploy { wanted: which.words() });
            };
            if known.state == result.state() {
                return Ok((known.clone(), false));
            }
            if known.state != DeployState::Running {
                return Err(FleetError::DeployEnded { id: known.id, state: known.state.as_str() });
            }
            let mut deploy = known.clone();
            deploy.state = result.state();
            deploy.ended_ms = Some(now.millis().max(deploy.started_ms));
            if !note.trim().is_empty() {
                note.clone_into(&mut deploy.note);
            }
            let how = match result {
                DeployResult::Ok => "ended well",
                DeployResult::Failed => "failed",
                DeployResult::RolledBack => "was rolled back",
            };
            let text = format!("deploy of {} {how} after {}", deploy.words(), took(&deploy));
            draft.events.push(event(EventKind::DeployEnded, &deploy, by, now, text));
            on_hosts(memory, draft, &deploy, how, by, now);
            draft.deploys.deploys.push(deploy.clone());
            Ok((deploy, true))
        })
    }

    /// Gives up deploys that never ended: those that began longer ago than the limit. To be called by [`Fleet::maintain`].
    pub(crate) fn pass_deploys(&self, now: Timestamp) -> Result<(), FleetError> {
        let limit_ms = self.deploy_settings().limit_ms;
        self.change(|memory, draft| {
            let since = |deploy: &Deploy| now.millis().saturating_sub(deploy.started_ms);
            let running = memory.deploys.deploys.values().filter(|deploy| deploy.state == DeployState::Running);
            for deploy in running.filter(|deploy| since(deploy) >= limit_ms) {
                let mut deploy = deploy.clone();
                deploy.state = DeployState::Abandoned;
                deploy.ended_ms = Some(deploy.started_ms.saturating_add(limit_ms));
                let text = format!(
                    "deploy of {} was given up: nobody said within {} how it ended",
                    deploy.words(),
                    took(&deploy)
                );
                draft.events.push(event(EventKind::DeployAbandoned, &deploy, &By::MUSTER, now, text));
                on_hosts(memory, draft, &deploy, "was given up", &By::MUSTER, now);
                draft.deploys.deploys.push(deploy);
            }
            Ok(())
        })
    }

    /// Adds to a draft what changes of packages say about services.
    pub(crate) fn recognise_deploys(&self, changes: &[PackageChange], draft: &mut Draft) {
        let settings = self.deploy_settings();
        if changes.is_empty() || settings.services.values().all(|service| service.spec.packages.is_empty()) {
            return;
        }
        let mut announcer = None;
        let mut drafted = BTreeMap::new();
        for change in changes {
            let Some(row) = self.memory.read().host(change.host).cloned() else { continue };
            let host = ChangedHost { name: &row.name, labels: &row.labels };
            let mut announced = || {
                let judge = announcer.get_or_insert_with(|| self.announcer());
                let by = judge.announced(change.host, change.since_ms, change.at_ms);
                by.map(|by| format!("{} {}", by.kind.as_str(), by.id)).unwrap_or_default()
            };
            // What is needed of the announcer is asked before the lock on memory, which it takes too.
            let by = if settings.has_package(&change.package) { announced() } else { String::new() };
            let memory = self.memory.read();
            let found = recognise((&memory.deploys, &mut drafted), &settings, change, &host, || by.clone());
            for one in found.into_iter().filter(|one| one.is_told) {
                let words = if one.deploy.is_unannounced() { "unannounced " } else { "" };
                let from = if one.before.is_empty() { String::new() } else { format!(" from {}", one.before) };
                let text = format!(
                    "{words}deploy of {} recognised: package {} on {} changed{from}",
                    one.deploy.words(),
                    one.deploy.package,
                    row.name
                );
                let at = Timestamp::from_millis(one.arrived_ms);
                let event = event(EventKind::DeployRecognised, &one.deploy, &By::AGENT, at, text);
                let event = event.with("package", one.deploy.package.as_str()).with("from", one.before.as_str());
                let is_unannounced = if one.deploy.is_unannounced() { "true" } else { "false" };
                draft.events.push(event.of(one.host, &row.name).with("unannounced", is_unannounced));
            }
        }
        let memory = self.memory.read();
        let over = (memory.deploys.deploys.len() + drafted.len()).saturating_sub(DEPLOYS_MAX);
        let going: Vec<u64> = first_to_go(&memory.deploys).take(over).collect();
        draft.deploys.early += going.len() as u64;
        draft.deploys.forgotten_deploys.extend(going);
        draft.deploys.deploys.extend(drafted.into_values());
    }
}

/// An event about a deploy.
fn event(kind: EventKind, deploy: &Deploy, by: &By, now: Timestamp, text: String) -> Event {
    let event = Event::new(kind, by, now, text)
        .with("deploy", deploy.id.to_string())
        .with("service", deploy.service.as_str())
        .with("env", deploy.env.as_str())
        .with("version", deploy.version.as_str())
        .with("state", deploy.state.as_str())
        .with("source", deploy.source.as_str());
    let more = [("link", &deploy.link), ("note", &deploy.note), ("freeze", &deploy.freeze)];
    let more = more.into_iter().filter(|(_, value)| !value.is_empty());
    more.fold(event, |event, (name, value)| event.with(name, value.as_str()))
}

/// The same as an event of each host, so that it stands among what happened there; of a deploy of very many hosts none.
fn on_hosts(memory: &Memory, draft: &mut Draft, deploy: &Deploy, how: &str, by: &By, now: Timestamp) {
    let hosts = hosts_of(memory, deploy);
    if hosts.len() > HOST_EVENTS_MAX {
        return;
    }
    let text = format!("deploy of {} {how}", deploy.words());
    draft.events.extend(hosts.into_iter().map(|(host, name)| {
        let told = event(EventKind::DeployOnHost, deploy, by, now, text.clone());
        // One row of the audit is enough.
        Event { noted: None, ..told.of(host, &name) }
    }));
}

/// The active hosts that a deploy is on.
pub(super) fn hosts_of(memory: &Memory, deploy: &Deploy) -> Vec<(HostId, String)> {
    its_hosts(memory.hosts(), deploy).map(|row| (row.id, row.name.clone())).collect()
}

/// Those of some hosts that are active and that a deploy is on.
pub(super) fn its_hosts<'m>(
    rows: impl Iterator<Item = &'m Arc<Registration>>,
    deploy: &Deploy,
) -> impl Iterator<Item = &'m Arc<Registration>> {
    let named: BTreeSet<HostId> = deploy.hosts.iter().filter_map(|host| HostId::parse(host)).collect();
    let matchers = read_matchers(&deploy.matchers).unwrap_or_default();
    let is_its = move |row: &&Arc<Registration>| match named.is_empty() {
        false => named.contains(&row.id),
        true => row.labels.get(ENV_LABEL) == Some(&deploy.env) && is_matched(&matchers, &row.name, &row.labels),
    };
    rows.filter(|row| row.state == HostState::Active).filter(is_its)
}

fn took(deploy: &Deploy) -> String {
    let ms = deploy.ended_ms.unwrap_or(deploy.started_ms).saturating_sub(deploy.started_ms);
    let seconds = std::time::Duration::from_secs(u64::try_from(ms / 1_000).unwrap_or(0));
    muster_common::time::Span(seconds).to_string()
}

fn is_told_again(known: &Deploy, start: &DeployStart) -> bool {
    !start.key.is_empty() && (&known.key, known.source) == (&start.key, start.source)
}

/// The service of this name.
pub(super) fn known_service<'s>(settings: &'s DeploySettings, name: &str) -> Result<&'s ReadService, FleetError> {
    settings.services.get(name).ok_or_else(|| {
        let names: Vec<&str> = settings.services.keys().take(10).map(String::as_str).collect();
        let known = if names.is_empty() { "none is".to_owned() } else { format!("declared are {}", names.join(", ")) };
        FleetError::NoService { name: clean(name), known }
    })
}

/// Active hosts of a service in an environment, with their names.
pub(super) fn hosts_in(memory: &Memory, service: &ReadService, env: &str) -> BTreeMap<HostId, String> {
    let rows = memory.hosts().filter(|row| row.state == HostState::Active);
    rows.filter(|row| row.labels.get(ENV_LABEL).is_some_and(|label| label == env))
        .filter(|row| service.has_host(&row.name, &row.labels))
        .map(|row| (row.id, row.name.clone()))
        .collect()
}

/// How many active hosts a service has in each environment; those without the label are under an empty name.
pub(super) fn environments_of(memory: &Memory, service: &ReadService) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in memory.hosts().filter(|row| row.state == HostState::Active) {
        if service.has_host(&row.name, &row.labels) {
            *counts.entry(row.labels.get(ENV_LABEL).cloned().unwrap_or_default()).or_default() += 1;
        }
    }
    counts
}

fn no_hosts(memory: &Memory, service: &ReadService, env: &str) -> FleetError {
    let counts = environments_of(memory, service);
    let named: Vec<&str> = counts.keys().map(String::as_str).filter(|name| !name.is_empty()).take(10).collect();
    let there = match (named.is_empty(), counts.get("")) {
        (false, _) => format!("its hosts are in {}", named.join(", ")),
        (true, Some(_)) => "none of its hosts has the label `env`".to_owned(),
        (true, None) => "no host matches it at all".to_owned(),
    };
    FleetError::NoServiceHosts { service: service.spec.name.clone(), env: clean(env), there }
}

fn find<'r>(rows: &'r DeployRows, which: &DeployRef) -> Option<&'r Deploy> {
    match which {
        DeployRef::Id(id) => rows.deploys.get(id),
        DeployRef::Key(key) => rows.deploys.values().rev().find(|deploy| !key.is_empty() && deploy.key == *key),
        DeployRef::Running { service, env, version } => rows.deploys.values().rev().find(|deploy| {
            (deploy.state, &deploy.service, &deploy.env) == (DeployState::Running, service, env)
                && version.as_ref().is_none_or(|version| deploy.version == *version)
        }),
    }
}

/// Gives up the deploys that run on hosts of the one that begins: a host has one deploy of a service at a time.
fn give_up_on(memory: &Memory, draft: &mut Draft, start: &DeployStart, by: &By, now: Timestamp) -> Vec<u64> {
    let meets = |deploy: &&Deploy| {
        let is_same = deploy.hosts.is_empty() || start.hosts.is_empty();
        is_same || deploy.hosts.iter().any(|host| start.hosts.contains(host))
    };
    let running = memory.deploys.of(&start.service, &start.env).filter(|deploy| deploy.state == DeployState::Running);
    let mut given_up = Vec::new();
    for deploy in running.filter(meets) {
        let mut deploy = deploy.clone();
        deploy.state = DeployState::Abandoned;
        deploy.ended_ms = Some(now.millis().max(deploy.started_ms));
        let text = format!("deploy of {} was given up: one of {} began on its hosts", deploy.words(), start.version);
        draft.events.push(event(EventKind::DeployAbandoned, &deploy, by, now, text));
        on_hosts(memory, draft, &deploy, "was given up", by, now);
        given_up.push(deploy.id);
        draft.deploys.deploys.push(deploy);
    }
    given_up
}

/// Deploys that may go, those that ended first before others: neither one that runs, nor the last good one of its service in its environment,
/// nor the newest, whose number must not be given again.
fn first_to_go(rows: &DeployRows) -> impl Iterator<Item = u64> {
    let mut last_good: BTreeMap<(&str, &str), (i64, u64)> = BTreeMap::new();
    for deploy in rows.deploys.values().filter(|deploy| deploy.state == DeployState::Ok) {
        let ended = (deploy.ended_ms.unwrap_or(0), deploy.id);
        let known = last_good.entry((&deploy.service, &deploy.env)).or_insert(ended);
        *known = ended.max(*known);
    }
    let newest = rows.deploys.last_key_value().map(|(id, _)| *id);
    let kept: BTreeSet<u64> = last_good.values().map(|(_, id)| *id).chain(newest).collect();
    let ended = rows.deploys.values().filter(|deploy| !kept.contains(&deploy.id));
    let mut ended: Vec<(i64, u64)> = ended.filter_map(|deploy| Some((deploy.ended_ms?, deploy.id))).collect();
    ended.sort_unstable();
    ended.into_iter().map(|(_, id)| id)
}

/// Drops deploys of before changes are kept, and the first to end where there are too many.
fn make_room(rows: &DeployRows, draft: &mut Draft, now_ms: i64) -> Result<(), FleetError> {
    let over = (rows.deploys.len() + 1).saturating_sub(DEPLOYS_MAX);
    let is_old = |id: &u64| {
        rows.deploys.get(id).and_then(|deploy| deploy.ended_ms).is_some_and(|ended| ended + CHANGES_KEPT_MS <= now_ms)
    };
    let going: Vec<u64> =
        first_to_go(rows).enumerate().take_while(|(at, id)| *at < over || is_old(id)).map(|(_, id)| id).collect();
    if going.len() < over {
        let why = format!("there are {DEPLOYS_MAX} deploys that cannot go, which is the most: end those that run");
        return Err(refused(("service", why)));
    }
    draft.deploys.early += going.iter().filter(|id| !is_old(id)).count() as u64;
    draft.deploys.forgotten_deploys.extend(going);
    Ok(())
}

/// Deploys that announce changes of their hosts: all that somebody told of.
pub(crate) fn announcing(rows: &DeployRows) -> impl Iterator<Item = &Deploy> {
    rows.deploys.values().filter(|deploy| deploy.source != DeploySource::Package)
}
