//! Deploys that nobody told of: a package of a service changed on its hosts. Pure.
//!
//! They are found in the transaction that brings the change, so each change is judged once. What a deploy that was told covers is that deploy's;
//! the others are a row of their own, which hosts join as they change to the same version.

use std::collections::BTreeMap;

use muster_common::host::HostId;

use super::deploy::{DEPLOY_HOSTS_MAX, Deploy, DeploySource, DeployState};
use super::rows::DeployRows;
use super::service::ENV_LABEL;
use super::settings::DeploySettings;

/// How long after the last host another one joins, milliseconds: an upgrade that is let run over a fleet takes less than a day.
pub(super) const JOIN_MS: i64 = 24 * 3_600_000;
/// Hosts of one such deploy whose change is an event of its own; those after are in the row alone.
pub(super) const EVENTS_MAX: usize = 20;

/// A package of a host that has another version than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackageChange {
    pub(crate) host: HostId,
    pub(crate) package: String,
    /// Empty: there was none.
    pub(crate) before: String,
    pub(crate) version: String,
    /// It was not so yet then, and was so then; milliseconds.
    pub(crate) since_ms: i64,
    pub(crate) at_ms: i64,
    pub(crate) arrived_ms: i64,
}

/// The host of a change, as it is registered.
pub(super) struct ChangedHost<'h> {
    pub(super) name: &'h str,
    pub(super) labels: &'h BTreeMap<String, String>,
}

/// What a change says about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recognised {
    /// As the row is now.
    pub(super) deploy: Deploy,
    pub(super) host: HostId,
    pub(super) before: String,
    pub(super) is_new: bool,
    /// Whether this host's change is told.
    pub(super) is_told: bool,
    pub(super) arrived_ms: i64,
}

/// Deploys of which services this change is, those made before in the same transaction being in `drafted`. `announced` is asked what announced
/// the change, only if it is one.
pub(super) fn recognise(
    (rows, drafted): (&DeployRows, &mut BTreeMap<u64, Deploy>),
    settings: &DeploySettings,
    change: &PackageChange,
    host: &ChangedHost<'_>,
    mut announced: impl FnMut() -> String,
) -> Vec<Recognised> {
    let Some(env) = host.labels.get(ENV_LABEL).filter(|env| !env.is_empty()) else { return Vec::new() };
    let its = settings
        .services
        .values()
        .filter(|service| service.spec.packages.contains(&change.package) && service.has_host(host.name, host.labels));
    let mut found = Vec::new();
    for service in its {
        let name = &service.spec.name;
        let is_covered = |deploy: &Deploy| covers(deploy, change, settings.limit_ms);
        if rows.of(name, env).any(is_covered) {
            continue;
        }
        let host_id = change.host.to_string();
        // What was drafted hides what is kept under its number.
        let newest = drafted
            .values()
            .chain(rows.of(name, env).filter(|deploy| !drafted.contains_key(&deploy.id)))
            .filter(|deploy| (&deploy.service, &deploy.env) == (name, env) && deploy.state == DeployState::Ok)
            .max_by_key(|deploy| (deploy.ended_ms, deploy.id));
        let joined = newest.filter(|deploy| {
            deploy.source == DeploySource::Package
                && (&deploy.version, &deploy.package) == (&change.version, &change.package)
                && deploy.ended_ms.is_some_and(|ended| change.at_ms.saturating_sub(ended) <= JOIN_MS)
                && deploy.hosts.len() < DEPLOY_HOSTS_MAX
        });
        let (deploy, is_new) = match joined {
            Some(deploy) if deploy.hosts.contains(&host_id) => continue,
            Some(deploy) => {
                let mut deploy = deploy.clone();
                deploy.hosts.push(host_id);
                deploy.ended_ms = deploy.ended_ms.max(Some(change.at_ms));
                (deploy, false)
            }
            None => {
                let last = drafted.last_key_value().map_or(0, |(id, _)| *id);
                let id = rows.next_deploy().max(last + 1);
                (new_row(id, (name, env), change, announced()), true)
            }
        };
        let is_told = deploy.hosts.len() <= EVENTS_MAX;
        drafted.insert(deploy.id, deploy.clone());
        let (host, before, arrived_ms) = (change.host, change.before.clone(), change.arrived_ms);
        found.push(Recognised { deploy, host, before, is_new, is_told, arrived_ms });
    }
    found
}

fn new_row(id: u64, (service, env): (&str, &str), change: &PackageChange, announced: String) -> Deploy {
    Deploy {
        id,
        service: service.to_owned(),
        version: change.version.clone(),
        env: env.to_owned(),
        state: DeployState::Ok,
        source: DeploySource::Package,
        hosts: vec![change.host.to_string()],
        matchers: String::new(),
        started_ms: change.since_ms.max(0),
        ended_ms: Some(change.at_ms),
        by: "agent".to_owned(),
        link: String::new(),
        note: String::new(),
        key: String::new(),
        package: change.package.clone(),
        announced,
        freeze: String::new(),
        lifted: None,
    }
}

/// Whether a deploy that was told touches the time in which the change came about. Of one of some hosts the host must be among them; one of all
/// hosts has it, since the host is of the service.
fn covers(deploy: &Deploy, change: &PackageChange, limit_ms: i64) -> bool {
    let to_ms = deploy.ended_ms.unwrap_or(deploy.started_ms.saturating_add(limit_ms));
    deploy.source != DeploySource::Package
        && deploy.started_ms <= change.at_ms
        && to_ms >= change.since_ms
        && (deploy.hosts.is_empty() || deploy.hosts.contains(&change.host.to_string()))
}
