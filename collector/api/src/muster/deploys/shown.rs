//! Rows as the API shows them.

use std::collections::HashMap;

use muster_common::host::HostId;
use muster_fleet::{Deploy, DeploySource, Fleet, FreezeNow, FreezeOverride, FreezeView, VersionSeen};
use serde_json::{Value, json};

use crate::muster::downtimes::matchers;

/// Names of hosts, each looked up once.
pub(super) struct HostNames<'f> {
    pub(super) fleet: &'f Fleet,
    pub(super) known: HashMap<String, String>,
}

impl<'f> HostNames<'f> {
    pub(super) fn new(fleet: &'f Fleet) -> Self {
        Self { fleet, known: HashMap::new() }
    }

    /// The name of a host, or its id where it is forgotten.
    pub(super) fn name(&mut self, id: &str) -> String {
        let fleet = self.fleet;
        let look = || HostId::parse(id).and_then(|host| fleet.host(host)).map_or_else(|| id.to_owned(), |row| row.name);
        self.known.entry(id.to_owned()).or_insert_with(look).clone()
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// `hosts` is null for one of all hosts of its service.
pub(super) fn deploy_json(deploy: &Deploy, names: &mut HostNames<'_>) -> Value {
    let hosts: Vec<String> = deploy.hosts.iter().map(|id| names.name(id)).collect();
    json!({
        "id": deploy.id,
        "service": deploy.service,
        "version": deploy.version,
        "env": deploy.env,
        "state": deploy.state.as_str(),
        "source": deploy.source.as_str(),
        "hosts": (!hosts.is_empty()).then_some(hosts),
        "started_ms": deploy.started_ms,
        "ended_ms": deploy.ended_ms,
        "by": deploy.by,
        "link": some(&deploy.link),
        "note": some(&deploy.note),
        "key": some(&deploy.key),
        "package": some(&deploy.package),
        "announced": some(&deploy.announced),
        "unannounced": deploy.source == DeploySource::Package && deploy.is_unannounced(),
        "freeze": some(&deploy.freeze),
        "override": deploy.lifted,
    })
}

pub(super) fn version_json(seen: &VersionSeen, now_ms: i64, names: &mut HostNames<'_>) -> Value {
    let hosts: Vec<String> = seen.hosts.iter().map(|host| names.name(&host.to_string())).collect();
    json!({
        "version": seen.version,
        "hosts": hosts,
        "since_ms": seen.since_ms,
        "whole_ms": seen.whole_ms.filter(|_| seen.whole_until_ms.is_none()),
        "soaked_ms": seen.soaked_ms(now_ms),
        "has_failed": seen.has_failed(),
        "source": seen.source.as_str(),
    })
}

pub(super) fn freeze_json(freeze: &FreezeView) -> Value {
    let spec = &freeze.spec;
    json!({
        "id": freeze.id,
        "matchers": matchers(&spec.matchers),
        "from_ms": spec.from_ms,
        "to_ms": spec.to_ms,
        "every": some(&spec.recurrence),
        "zone": some(&spec.zone),
        "reason": spec.reason,
        "source": if freeze.file.is_some() { "file" } else { "api" },
        "file": freeze.file,
        "by": some(&freeze.by),
        "made_ms": (freeze.made_ms > 0).then_some(freeze.made_ms),
        "is_on": freeze.is_on,
        "next_ms": freeze.next_ms,
    })
}

pub(super) fn override_json(lifted: &FreezeOverride) -> Value {
    json!({
        "id": lifted.id,
        "freeze": lifted.freeze,
        "service": lifted.service,
        "env": lifted.env,
        "reason": lifted.reason,
        "by": lifted.by,
        "from_ms": lifted.from_ms,
        "until_ms": lifted.until_ms,
    })
}

pub(super) fn frozen_json(frozen: &FreezeNow) -> Value {
    json!({
        "freeze": freeze_json(&frozen.freeze),
        "until_ms": frozen.until_ms,
        "override": frozen.lifted.as_ref().map(override_json),
    })
}
