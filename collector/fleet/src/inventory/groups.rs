//! Which hosts ought to be alike: those with the same labels.

use std::collections::BTreeMap;

use muster_common::host::HostId;

use crate::fleet::Fleet;
use crate::host::HostState;

/// Active hosts with the same values of some labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlikeHosts {
    /// Those labels; a host without one has it empty. None at all: these are all hosts.
    pub labels: BTreeMap<String, String>,
    /// By id.
    pub hosts: Vec<HostId>,
}

impl AlikeHosts {
    /// As people say it: `env=prod, role=web`.
    pub fn name(&self) -> String {
        let parts: Vec<String> = self.labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        if parts.is_empty() { "all hosts".to_owned() } else { parts.join(", ") }
    }
}

impl Fleet {
    /// The active hosts by the values of these labels; of no labels: by the values of all that each host has.
    pub fn alike_hosts(&self, by: &[String]) -> Vec<AlikeHosts> {
        let memory = self.memory.read();
        let mut groups: BTreeMap<BTreeMap<String, String>, Vec<HostId>> = BTreeMap::new();
        for row in memory.hosts().filter(|row| row.state == HostState::Active) {
            let value = |label: &String| (label.clone(), row.labels.get(label).cloned().unwrap_or_default());
            let labels = if by.is_empty() { row.labels.clone() } else { by.iter().map(value).collect() };
            groups.entry(labels).or_default().push(row.id);
        }
        let sorted = |(labels, mut hosts): (_, Vec<HostId>)| {
            hosts.sort_unstable();
            AlikeHosts { labels, hosts }
        };
        groups.into_iter().map(sorted).collect()
    }
}
