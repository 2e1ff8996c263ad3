//! Deploys as suspects: what was brought to a host on purpose is the likeliest reason of what broke there after.

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_common::inventory::Value;

use crate::deploys::{Deploy, DeploySource, DeployState};
use crate::gate::escaped;
use crate::inventory::InventoryChange;

/// A deploy that began before the onset.
#[derive(Clone, Debug, PartialEq)]
pub struct DeployBefore {
    pub deploy: Deploy,
    /// All active hosts that it is on.
    pub hosts: BTreeSet<HostId>,
    /// Packages whose change is its work: of one that was recognised the one that it was recognised by, else those that its service names.
    pub packages: Vec<String>,
}

/// A deploy that may be behind a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploySuspect {
    pub deploy: Deploy,
    /// `deploy 7 of shop 1.1 to staging began`.
    pub words: String,
    /// From when to when it was at work, as far as it was before the onset; milliseconds since 1970.
    pub since_ms: i64,
    pub at_ms: i64,
}

impl DeploySuspect {
    /// The page Deploys with this version of its service in its environment.
    pub(super) fn page(&self) -> String {
        let Deploy { service, version, env, .. } = &self.deploy;
        format!("/deploys?service={}&env={}&version={}", escaped(service), escaped(env), escaped(version))
    }
}

impl DeployBefore {
    /// Whether a change is a part of it, so that both are one suspect.
    pub(super) fn has(&self, change: &InventoryChange) -> bool {
        const PACKAGE: usize = 1;
        let ended_ms = self.deploy.ended_ms.unwrap_or(i64::MAX);
        let is_package = || match change.key.get(PACKAGE) {
            Some(Value::Text(name)) => self.packages.contains(name),
            _ => false,
        };
        change.table.name == "packages"
            && self.hosts.contains(&change.host)
            && change.since_ms <= ended_ms
            && change.at_ms >= self.deploy.started_ms
            && is_package()
    }

    /// Nobody told of it: it is known by its change alone.
    pub(super) fn is_recognised(&self) -> bool {
        self.deploy.source == DeploySource::Package
    }

    /// As it stood at the onset.
    pub(super) fn words(&self, onset_ms: i64) -> String {
        let named = format!("deploy {} of {}", self.deploy.id, self.deploy.words());
        if self.is_recognised() {
            let words = if self.deploy.is_unannounced() { "unannounced " } else { "" };
            return format!("{words}{named}");
        }
        let how = match self.deploy.state {
            _ if !self.has_ended(onset_ms) => "began",
            DeployState::Running => "began",
            DeployState::Ok => "ended ok",
            DeployState::Failed => "failed",
            DeployState::RolledBack => "was rolled back",
            DeployState::Abandoned => "was given up",
        };
        format!("{named} {how}")
    }

    pub(super) fn has_ended(&self, onset_ms: i64) -> bool {
        self.deploy.ended_ms.is_some_and(|ended_ms| ended_ms <= onset_ms)
    }
}
