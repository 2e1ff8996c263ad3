//! What was found is asked for and decided here, and what is accepted is given to whoever composes configurations.

use std::collections::BTreeMap;

use muster_common::host::HostId;
use muster_common::time::Timestamp;
use serde_json::Value as Json;
use tokio::sync::watch;

use super::item::{Item, ItemState};
use super::kinds::{KINDS, clean, kind_name};
use super::look::HostItems;
use super::machine::Verdict;
use crate::by::By;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::outbox::{Event, EventKind};

/// Items of one decision.
pub const DECISIONS_MAX: usize = 1_000;
const REASON_BYTES_MAX: usize = 1_024;
/// Items that one event names: more of a host have another one, so that none is left out of the audit.
const NAMED_MAX: usize = 20;

/// What somebody decides of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is watched.
    Accept,
    /// It is not proposed again while it is known.
    Ignore,
    /// What was accepted is not watched any more; this wants a reason.
    Archive,
}

impl Decision {
    /// The decision of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Accept, Self::Ignore, Self::Archive].into_iter().find(|decision| decision.as_str() == name)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Ignore => "ignore",
            Self::Archive => "archive",
        }
    }

    const fn verdict(self) -> (Verdict, EventKind, &'static str) {
        match self {
            Self::Accept => (Verdict::Accept, EventKind::ItemAccepted, "accepted"),
            Self::Ignore => (Verdict::Ignore, EventKind::ItemIgnored, "ignored"),
            Self::Archive => (Verdict::Archive, EventKind::ItemArchived, "archived"),
        }
    }
}

/// Which items are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryQuery {
    /// `None`: of all hosts.
    pub hosts: Option<Vec<HostId>>,
    /// `None`: in any state.
    pub state: Option<ItemState>,
    /// A kind's name; `None`: of any.
    pub kind: Option<String>,
    /// Only those behind this one, as the page before gave it.
    pub after: Option<(HostId, String)>,
    pub limit: usize,
}

impl Default for DiscoveryQuery {
    fn default() -> Self {
        Self { hosts: None, state: None, kind: None, after: None, limit: usize::MAX }
    }
}

/// Items by host and key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoveryPage {
    pub items: Vec<ItemView>,
    /// The last of them, if there are more.
    pub next: Option<(HostId, String)>,
    /// Hosts with more things than are taken.
    pub over: Vec<Overflow>,
}

/// An item as it stands. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemView {
    pub host: HostId,
    pub host_name: String,
    /// Its kind, a colon, and a text: `unit:nginx.service`.
    pub key: String,
    pub kind: String,
    pub state: ItemState,
    /// What it is, to people.
    pub words: String,
    /// By the names that rules match; what is not known is left out. Texts of the host as they are.
    pub fields: BTreeMap<&'static str, String>,
    /// The checks that it brings while it is watched, as `[[checks]]` of agent.toml has them.
    pub checks: Vec<Json>,
    /// The profile that it stands for.
    pub profile: Option<String>,
    pub is_there: bool,
    pub found_ms: i64,
    /// Since when it is in its state.
    pub since_ms: i64,
    /// Who or what brought it into its state: `user:ann`, `rule:NAME`, `muster`.
    pub by: String,
    pub reason: String,
    /// It went after the first, and not after the second.
    pub went_ms: Option<(i64, i64)>,
    /// It came and went so often in a day that this is told once a day.
    pub is_flapping: bool,
}

/// A host with more things than are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overflow {
    pub host: HostId,
    pub host_name: String,
    pub count: u64,
    /// The first of their keys.
    pub first: Vec<String>,
}

/// The names of the kinds of items, each with those of its fields.
pub fn item_kinds() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    KINDS.iter().map(|kind| (kind.name, kind.fields))
}

impl Fleet {
    /// What was found, by host and key.
    pub fn discovery(&self, query: &DiscoveryQuery, now: Timestamp) -> DiscoveryPage {
        let memory = self.memory.read();
        let discovery = self.discovery.lock();
        let name = |host| memory.host(host).map_or_else(|| host.to_string(), |row| row.name.clone());
        let is_asked = |host: HostId| query.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host));
        let mut page = DiscoveryPage::default();
        let over = discovery.hosts().filter(|(host, known)| is_asked(*host) && known.row.over.count > 0);
        page.over = over
            .map(|(host, HostItems { row, .. })| Overflow {
                host,
                host_name: name(host),
                count: row.over.count,
                first: row.over.first.clone(),
            })
            .collect();
        let from = query.after.as_ref().map_or(HostId([0; 16]), |(host, _)| *host);
        for (host, known) in discovery.hosts_from(from).filter(|(host, _)| is_asked(*host)) {
            let is_behind = |key: &str| match &query.after {
                Some((after, item)) if *after == host => key > item.as_str(),
                _ => true,
            };
            let wanted = known.items.iter().filter(|(key, item)| {
                let state = item.fate.state;
                state != ItemState::Dropped
                    && query.state.is_none_or(|asked| asked == state)
                    && query.kind.as_ref().is_none_or(|kind| kind_name(key) == kind)
                    && is_behind(key)
            });
            for (_, item) in wanted {
                if page.items.len() >= query.limit {
                    page.next = page.items.last().map(|last| (last.host, last.key.clone()));
                    return page;
                }
                page.items.push(view(host, name(host), item, now));
            }
        }
        page
    }

    /// Decides of many items in one transaction: of all of them or, with why each of those that hinder it does, of none.
    ///
    /// # Errors
    /// [`FleetError::StatusSpec`] when there are none or too many, or the reason is missing or too long; when the disk or the file fails.
    pub fn decide_items(
        &self,
        items: &[(HostId, String)],
        decision: Decision,
        by: &By,
        reason: &str,
        now: Timestamp,
    ) -> Result<Vec<(usize, FleetError)>, FleetError> {
        check(items, decision, reason).map_err(|why| FleetError::StatusSpec { what: "the decision", why })?;
        let (verdict, kind, word) = decision.verdict();
        self.change(|memory, draft| {
            let discovery = self.discovery.lock();
            let mut hindered = Vec::new();
            let mut decided: BTreeMap<HostId, Vec<Item>> = BTreeMap::new();
            for (place, (host, key)) in items.iter().enumerate() {
                let row = memory.host(*host).filter(|row| row.state == HostState::Active);
                let Some(row) = row else {
                    hindered.push((place, FleetError::NoHost { asked: host.to_string() }));
                    continue;
                };
                let known = discovery.host(*host).and_then(|known| known.items.get(key));
                let Some(item) = known.filter(|item| item.fate.state != ItemState::Dropped) else {
                    hindered.push((place, FleetError::NoItem { host: row.name.clone(), key: clean(key) }));
                    continue;
                };
                let mut item = item.clone();
                match item.fate.decide(verdict, &by.to_string(), reason, now.millis()) {
                    // The same item may be named twice.
                    Ok(true) if !draft.discovery.items.contains_key(&(*host, key.clone())) => {
                        draft.discovery.items.insert((*host, key.clone()), Some(item.clone()));
                        decided.entry(*host).or_default().push(item);
                    }
                    Ok(_) => {}
                    Err((what, remedy)) => {
                        let (host, key) = (row.name.clone(), clean(key));
                        hindered.push((place, FleetError::WrongItem { host, key, what, remedy }));
                    }
                }
            }
            if !hindered.is_empty() {
                draft.discovery.items.clear();
                return Ok(hindered);
            }
            for (host, items) in decided {
                let name = memory.host(host).map_or_else(String::new, |row| row.name.clone());
                for named in items.chunks(NAMED_MAX) {
                    let things: Vec<String> = named.iter().map(|item| item.what.words()).collect();
                    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                    let text = format!("{word} on host `{name}`: {}{because}", things.join("; "));
                    let keys: Vec<&str> = named.iter().map(|item| item.what.key.as_str()).collect();
                    let event = Event::new(kind, by, now, text).of(host, &name).with("items", keys.join("\n"));
                    draft.events.push(event.with("reason", reason));
                }
            }
            Ok(hindered)
        })
    }

    /// The checks that the accepted things of a host bring, by the keys of their items: objects with just the keys of `[[checks]]` in agent.toml. A
    /// thing that is gone still brings its own, so that they fail.
    pub fn accepted_checks(&self, host: HostId) -> Vec<(String, Json)> {
        let discovery = self.discovery.lock();
        let watched = discovery.host(host).into_iter().flat_map(HostItems::watched);
        let checks =
            watched.flat_map(|item| item.what.checks().into_iter().map(|check| (item.what.key.clone(), check)));
        checks.collect()
    }

    /// The profiles that the accepted daemons of a host stand for, by name.
    pub fn accepted_daemons(&self, host: HostId) -> Vec<String> {
        let discovery = self.discovery.lock();
        let watched = discovery.host(host).into_iter().flat_map(HostItems::watched);
        let mut profiles: Vec<String> = watched.filter_map(|item| item.what.profile().map(str::to_owned)).collect();
        profiles.sort_unstable();
        profiles.dedup();
        profiles
    }

    /// How many items are in each state.
    pub fn discovery_counts(&self) -> BTreeMap<ItemState, u64> {
        let discovery = self.discovery.lock();
        let mut counts: BTreeMap<ItemState, u64> = ItemState::SHOWN.into_iter().map(|state| (state, 0)).collect();
        for item in discovery.hosts().flat_map(|(_, host)| host.items.values()) {
            if let Some(count) = counts.get_mut(&item.fate.state) {
                *count += 1;
            }
        }
        counts
    }

    /// Moves with every change of items or rules.
    pub fn subscribe_discovery(&self) -> watch::Receiver<u64> {
        self.discovery.lock().moved.subscribe()
    }
}

fn view(host: HostId, host_name: String, item: &Item, now: Timestamp) -> ItemView {
    let Item { what, fate } = item;
    let names = what.kind().map_or(&[][..], |kind| kind.fields);
    let fields = names.iter().zip(&what.values).filter(|(_, value)| !value.is_empty());
    ItemView {
        host,
        host_name,
        key: what.key.clone(),
        kind: kind_name(&what.key).to_owned(),
        state: fate.state,
        words: what.words(),
        fields: fields.map(|(name, value)| (*name, value.clone())).collect(),
        checks: what.checks(),
        profile: what.profile().map(str::to_owned),
        is_there: fate.is_there,
        found_ms: fate.found_ms,
        since_ms: fate.since_ms,
        by: fate.by.clone(),
        reason: fate.reason.clone(),
        went_ms: fate.went.map(|went| (went.after_ms, went.until_ms)),
        is_flapping: fate.is_flapping(now.millis()),
    }
}

fn check(items: &[(HostId, String)], decision: Decision, reason: &str) -> Result<(), String> {
    if !(1..=DECISIONS_MAX).contains(&items.len()) {
        return Err(format!("it names {} items: name 1 to {DECISIONS_MAX}", items.len()));
    }
    if reason.len() > REASON_BYTES_MAX {
        return Err(format!("its reason is longer than {REASON_BYTES_MAX} bytes: shorten it"));
    }
    if decision == Decision::Archive && reason.trim().is_empty() {
        return Err("it has no reason: say why it is not watched any more".to_owned());
    }
    Ok(())
}
