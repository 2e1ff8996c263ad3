//! Items of all hosts in memory: read at opening, and changed by what was made durable.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use muster_common::host::HostId;
use muster_common::stat::Stat;
use tokio::sync::watch;

use super::item::{Item, ItemRow, ItemState};
use super::kinds::{Looked, What, kind_name};
use super::look::{HostItems, HostRow, seen};
use super::machine::GONE_DAYS;
use super::rules::{DiscoveryRule, FileRules, ReadRule, RuleSet, RuleSource, RuleView};
use super::words::Budget;
use crate::draft::Draft;
use crate::error::FleetError;
use crate::host::HostState;
use crate::inventory::InventorySnapshot;
use crate::memory::Memory;
use crate::rows::{decode, encode};
use crate::tables::{DISCOVERY, DISCOVERY_RULES, Put};

/// Accepted certificates that have a series: those that end first, since they are what somebody must renew.
const CERTIFICATES_TOLD_MAX: usize = 1_000;

/// What one transaction changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct DiscoveryStep {
    /// `None`: forgotten.
    pub(super) items: BTreeMap<(HostId, String), Option<Item>>,
    /// `None`: forgotten, but not its items.
    pub(super) hosts: BTreeMap<HostId, Option<HostRow>>,
    /// `None`: removed.
    pub(super) rules: BTreeMap<String, Option<DiscoveryRule>>,
}

/// All items, rules, and what is to be looked at.
pub(crate) struct Discovery {
    hosts: BTreeMap<HostId, HostItems>,
    /// Each thing that hosts have, once.
    things: HashSet<Arc<What>>,
    rules: BTreeMap<String, (DiscoveryRule, Arc<ReadRule>)>,
    files: FileRules,
    /// Those that count.
    in_force: Arc<RuleSet>,
    /// Hosts whose tables are otherwise than when they were worked in, or that have proposals of which rules may decide now.
    due: BTreeSet<HostId>,
    pub(super) gone_days: u32,
    /// Moves with each change of items or rules.
    pub(super) moved: watch::Sender<u64>,
    budgets: HashMap<HostId, Budget>,
    pub(super) counts: DiscoveryCounts,
}

/// What this process counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct DiscoveryCounts {
    /// Hosts looked at.
    pub(crate) looks: u64,
    /// Events of new things that were left out, since their host had told too many in the hour.
    pub(crate) untold: u64,
}

impl Default for Discovery {
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            things: HashSet::new(),
            rules: BTreeMap::new(),
            files: FileRules::default(),
            in_force: Arc::default(),
            due: BTreeSet::new(),
            gone_days: GONE_DAYS,
            moved: watch::Sender::new(0),
            budgets: HashMap::new(),
            counts: DiscoveryCounts::default(),
        }
    }
}

fn key(host: HostId, item: &str) -> Vec<u8> {
    [&host.0[..], item.as_bytes()].concat()
}

impl DiscoveryStep {
    pub(crate) fn puts(&self) -> impl Iterator<Item = Put> {
        let put = |table, key: &[u8], value: Option<Vec<u8>>| Put { table, key: key.to_vec(), value };
        let items = self.items.iter().map(move |((host, item), value)| {
            put(DISCOVERY, &key(*host, item), value.as_ref().map(|item| encode(&item.row())))
        });
        let hosts = self.hosts.iter().map(move |(host, row)| put(DISCOVERY, &host.0, row.as_ref().map(encode)));
        let rules =
            self.rules.iter().map(move |(name, rule)| put(DISCOVERY_RULES, name.as_bytes(), rule.as_ref().map(encode)));
        items.chain(hosts).chain(rules)
    }
}

impl Discovery {
    /// Takes one row of table `discovery`; the error says what is wrong with it.
    pub(crate) fn load_item(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let (host, item) = key.split_first_chunk::<16>().ok_or("the key is no host and item")?;
        let host = self.hosts.entry(HostId(*host)).or_default();
        if item.is_empty() {
            host.row = decode(value)?;
            return Ok(());
        }
        let ItemRow { what, fate } = decode(value)?;
        if what.key.as_bytes() != item {
            return Err("it is the row of another item".to_owned());
        }
        let what = intern(&mut self.things, Arc::new(what));
        host.items.insert(what.key.clone(), Item { what, fate });
        Ok(())
    }

    /// Takes one row of table `discovery_rules`.
    pub(crate) fn load_rule(&mut self, rule: DiscoveryRule) -> Result<(), String> {
        let read = ReadRule::new(rule.rule.clone())?;
        self.rules.insert(rule.rule.name.clone(), (rule, Arc::new(read)));
        Ok(())
    }

    /// All rows are taken: finds out what is to be looked at.
    pub(crate) fn loaded(&mut self, snapshot: &InventorySnapshot) {
        self.put_in_force();
        self.looked_at(snapshot, snapshot.hosts().map(|(host, _)| host));
    }

    /// Goes on where another left off that the file was read anew after.
    pub(crate) fn go_on(&mut self, before: &mut Self) {
        self.files = std::mem::take(&mut before.files);
        (self.gone_days, self.counts) = (before.gone_days, before.counts);
        self.budgets = std::mem::take(&mut before.budgets);
        std::mem::swap(&mut self.moved, &mut before.moved);
        self.due.append(&mut before.due);
        self.put_in_force();
        self.ring();
    }

    /// These hosts have told of their tables: those that have other rows than were worked in are due.
    pub(crate) fn looked_at(&mut self, snapshot: &InventorySnapshot, hosts: impl Iterator<Item = HostId>) {
        for host in hosts {
            let now = seen(&Looked { snapshot, host, known: &|_| Vec::new() });
            let is_same = match self.hosts.get(&host) {
                Some(known) => known.row.seen == now,
                None => now.is_empty(),
            };
            if !is_same {
                self.due.insert(host);
            }
        }
    }

    /// Some hosts that are due, which they are not any more.
    pub(super) fn take_due(&mut self, limit: usize) -> Vec<HostId> {
        let hosts: Vec<HostId> = self.due.iter().take(limit).copied().collect();
        for host in &hosts {
            self.due.remove(host);
        }
        hosts
    }

    pub(super) fn give_back_due(&mut self, hosts: Vec<HostId>) {
        self.due.extend(hosts);
    }

    pub(super) fn due(&self) -> usize {
        self.due.len()
    }

    /// Adds to a draft what becomes of hosts that leave by it.
    pub(crate) fn leave(&self, draft: &mut Draft) {
        let step = &mut draft.discovery;
        for host in &draft.forgotten {
            let Some(known) = self.hosts.get(host) else { continue };
            step.hosts.insert(*host, None);
            step.items.extend(known.items.keys().map(|item| ((*host, item.clone()), None)));
        }
        for row in draft.hosts.iter().filter(|row| row.state == HostState::Retired) {
            let Some(known) = self.hosts.get(&row.id) else { continue };
            step.hosts.insert(row.id, None);
            for (name, item) in &known.items {
                let mut retired = item.clone();
                let kept = retired.fate.retire(row.retired_ms.unwrap_or(row.asked_ms));
                if !kept || retired != *item {
                    step.items.insert((row.id, name.clone()), kept.then_some(retired));
                }
            }
        }
    }

    /// Takes in what was made durable. `hosts`: whose names or labels may be others than before, so that rules are asked anew. The answer is
    /// the hosts whose accepted checks or daemons changed.
    pub(crate) fn take(&mut self, step: DiscoveryStep, hosts: impl Iterator<Item = HostId>) -> Vec<HostId> {
        if !self.in_force.is_empty() {
            let waits = |host: &HostId| self.hosts.get(host).is_some_and(|known| known.proposed().next().is_some());
            self.due.extend(hosts.filter(waits));
        }
        let DiscoveryStep { items, hosts, rules } = step;
        if items.is_empty() && hosts.is_empty() && rules.is_empty() {
            return Vec::new();
        }
        let mut changed = BTreeSet::new();
        for ((host, name), item) in items {
            let known = self.hosts.entry(host).or_default();
            let before = match item {
                Some(Item { what, fate }) => {
                    let item = Item { what: intern(&mut self.things, what), fate };
                    let before = known.items.insert(name.clone(), item);
                    if brings(before.as_ref()) != brings(known.items.get(&name)) {
                        changed.insert(host);
                    }
                    continue;
                }
                None => known.items.remove(&name),
            };
            if brings(before.as_ref()).is_some() {
                changed.insert(host);
            }
        }
        for (host, row) in hosts {
            match row {
                Some(row) => self.hosts.entry(host).or_default().row = row,
                None => {
                    self.due.remove(&host);
                    if let Some(known) = self.hosts.get_mut(&host) {
                        known.row = HostRow::default();
                    }
                }
            }
        }
        self.hosts.retain(|_, host| !host.items.is_empty() || !host.row.seen.is_empty());
        if !rules.is_empty() {
            for (name, rule) in rules {
                match rule.and_then(|rule| Some((ReadRule::new(rule.rule.clone()).ok()?, rule))) {
                    Some((read, rule)) => self.rules.insert(name, (rule, Arc::new(read))),
                    None => self.rules.remove(&name),
                };
            }
            self.put_in_force();
        }
        self.ring();
        changed.into_iter().collect()
    }

    /// A host's tables were worked in and have nothing new.
    pub(super) fn saw(&mut self, host: HostId, row: HostRow) {
        self.hosts.entry(host).or_default().row = row;
    }

    pub(super) fn budget(&self, host: HostId) -> Budget {
        self.budgets.get(&host).copied().unwrap_or_default()
    }

    pub(super) fn told(&mut self, host: HostId, budget: Budget) {
        self.budgets.insert(host, budget);
    }

    /// Forgets things that no host has any more, and hosts that have none.
    pub(super) fn tidy(&mut self) {
        self.budgets.retain(|host, _| self.hosts.contains_key(host));
        self.things.retain(|what| Arc::strong_count(what) > 1);
    }

    pub(super) fn ring(&self) {
        self.moved.send_modify(|moved| *moved += 1);
    }

    pub(super) fn host(&self, host: HostId) -> Option<&HostItems> {
        self.hosts.get(&host)
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = (HostId, &HostItems)> {
        self.hosts.iter().map(|(host, items)| (*host, items))
    }

    pub(super) fn hosts_from(&self, host: HostId) -> impl Iterator<Item = (HostId, &HostItems)> {
        self.hosts.range(host..).map(|(host, items)| (*host, items))
    }

    pub(super) fn in_force(&self) -> Arc<RuleSet> {
        Arc::clone(&self.in_force)
    }

    pub(super) fn api_rules(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn api_rule(&self, name: &str) -> Option<&DiscoveryRule> {
        self.rules.get(name).map(|(rule, _)| rule)
    }

    /// # Errors
    /// [`FleetError::RuleOfFile`] when a file has a rule of this name.
    pub(super) fn own_name(&self, name: &str) -> Result<(), FleetError> {
        match self.files.0.get(name) {
            Some((path, _)) => Err(FleetError::RuleOfFile { name: name.to_owned(), path: path.clone() }),
            None => Ok(()),
        }
    }

    pub(super) fn rule_views(&self) -> Vec<RuleView> {
        let of_files = self.files.0.values().map(|(path, rule)| {
            let (rule, source) = (rule.spec.clone(), RuleSource::File(path.clone()));
            RuleView { rule, source, is_hidden: false, by: String::new(), made_ms: 0 }
        });
        let of_api = self.rules.values().map(|(rule, _)| {
            let DiscoveryRule { rule, by, made_ms } = rule.clone();
            let is_hidden = self.files.0.contains_key(&rule.name);
            RuleView { rule, source: RuleSource::Api, is_hidden, by, made_ms }
        });
        let mut all: Vec<RuleView> = of_files.chain(of_api).collect();
        all.sort_by(|a, b| (&a.rule.name, a.is_hidden).cmp(&(&b.rule.name, b.is_hidden)));
        all
    }

    pub(super) fn set_files(&mut self, files: FileRules) {
        self.files = files;
        self.put_in_force();
        self.ring();
    }

    /// Works out which rules count; whatever waits is judged by them.
    fn put_in_force(&mut self) {
        let mut all: RuleSet = self.rules.iter().map(|(name, (_, read))| (name.clone(), Arc::clone(read))).collect();
        all.extend(self.files.0.iter().map(|(name, (_, read))| (name.clone(), Arc::clone(read))));
        self.in_force = Arc::new(all);
        if !self.in_force.is_empty() {
            let waiting = self.hosts.iter().filter(|(_, host)| host.proposed().next().is_some()).map(|(id, _)| *id);
            self.due.extend(waiting);
        }
    }

    /// When accepted certificates end, those that end first.
    fn certificate_ends(&self, memory: &Memory) -> Vec<Stat> {
        let of_host = |(host, known): (&HostId, &'_ HostItems)| -> Vec<(i64, HostId, String)> {
            let certificates = known.watched().filter_map(|item| item.what.certificate());
            certificates.map(|(path, ends)| (ends, *host, path.to_owned())).collect()
        };
        let mut all: Vec<(i64, HostId, String)> = self.hosts.iter().flat_map(of_host).collect();
        all.sort_unstable();
        let told = all.into_iter().take(CERTIFICATES_TOLD_MAX).filter_map(|(ends, host, path)| {
            let name = memory.host(host).filter(|row| row.state == HostState::Active)?.name.clone();
            let help = "When certificates end that were accepted, of the 1000 that end first.";
            let stat = Stat::gauge("muster_collector_discovery_certificate_end_timestamp_seconds", help, ends as f64);
            Some(stat.with("on", name).with("path", path))
        });
        told.collect()
    }

    /// Numbers for `/metrics` and the store.
    pub(crate) fn stats(&self, memory: &Memory) -> Vec<Stat> {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for item in self.hosts.values().flat_map(|host| host.items.values()) {
            let state = item.fate.state;
            if state != ItemState::Dropped {
                *counts.entry((kind_name(&item.what.key), state.as_str())).or_default() += 1;
            }
        }
        let items = counts.into_iter().map(|((kind, state), count)| {
            let help = "Things that were found on hosts, by kind and what became of them.";
            Stat::gauge("muster_collector_discovery_items", help, count as f64).with("kind", kind).with("state", state)
        });
        let over: u64 = self.hosts.values().map(|host| host.row.over.count).sum();
        items
            .chain([
                Stat::gauge(
                    "muster_collector_discovery_items_over",
                    "Things that are not taken, since their host has too many.",
                    over as f64,
                ),
                Stat::counter(
                    "muster_collector_discovery_looks_total",
                    "Times that the tables of a host were looked at for what is new or gone.",
                    self.counts.looks,
                ),
                Stat::counter(
                    "muster_collector_discovery_untold_total",
                    "Events of new things that were left out, since their host had told too many in the hour.",
                    self.counts.untold,
                ),
            ])
            .chain(self.certificate_ends(memory))
            .collect()
    }
}

/// What an item brings to its host while it is watched.
fn brings(item: Option<&Item>) -> Option<&What> {
    item.filter(|item| item.fate.state.is_watched()).map(|item| item.what.as_ref())
}

fn intern(things: &mut HashSet<Arc<What>>, what: Arc<What>) -> Arc<What> {
    match things.get(&what) {
        Some(known) => Arc::clone(known),
        None => {
            things.insert(Arc::clone(&what));
            what
        }
    }
}
