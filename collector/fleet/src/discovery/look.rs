//! All items of one host: what a look at its tables makes of them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::item::{Between, Fate, Item, ItemState};
use super::kinds::{self, Found, KINDS, Looked, Offer, What};
use super::machine::{Sight, Told};
use super::rules::{RuleAction, RuleSet, first_rule};

/// Items of one host. A host with many daemons has some forty.
pub(crate) const ITEMS_A_HOST_MAX: usize = 500;
/// Things beyond the limit that are named.
const OVER_TOLD_MAX: usize = 10;

/// A table at the look that was worked in last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenTable {
    pub(crate) digest: u64,
    /// Told whole: what is not in it is not there.
    pub(crate) is_whole: bool,
}

/// Things that are not taken, since their host has too many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Over {
    pub(crate) count: u64,
    /// The first of their keys.
    pub(crate) first: Vec<String>,
}

/// What is known of a host beside its items: table `discovery`, key its id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostRow {
    /// By number. Of tables that were never worked in nothing is here.
    pub(crate) seen: BTreeMap<u8, SeenTable>,
    #[serde(default)]
    pub(crate) over: Over,
}

/// One host.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostItems {
    pub(crate) row: HostRow,
    /// By key.
    pub(crate) items: BTreeMap<String, Item>,
}

impl HostItems {
    pub(crate) fn proposed(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|item| item.fate.state == ItemState::Proposed)
    }

    /// Items that are watched, by key.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|item| item.fate.state.is_watched())
    }
}

/// What a look changes.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// `None`: forgotten.
    pub(crate) items: BTreeMap<String, Option<Item>>,
    pub(crate) row: HostRow,
    pub(crate) told: Vec<Tale>,
    /// Things of kinds that were looked at for the first time, by kind, with what became of them.
    pub(crate) first: BTreeMap<&'static str, FirstCounts>,
}

/// What is to be told of one item.
#[derive(Debug)]
pub(crate) struct Tale {
    pub(crate) told: Told,
    /// As it is afterwards.
    pub(crate) item: Item,
}

/// How many things of a kind were there at the first look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FirstCounts {
    pub(crate) proposed: u64,
    pub(crate) accepted: u64,
    pub(crate) ignored: u64,
}

/// Who the host is, to rules.
pub(crate) type Named<'a> = (&'a str, &'a BTreeMap<String, String>);
/// When an accepted thing went, and why that was to be expected and who said so.
pub(crate) type Went = (Between, Option<(String, String)>);

/// Works a look in. `went` is asked once of each accepted thing that is not there any more.
///
/// # Errors
/// Those of `went`.
pub(crate) fn look_at<E>(
    before: &HostItems,
    looked: &Looked<'_>,
    rules: &RuleSet,
    host: Named<'_>,
    now_ms: i64,
    mut went: impl FnMut(&What) -> Result<Went, E>,
) -> Result<Outcome, E> {
    let mut look = Look {
        before,
        rules,
        host,
        now_ms,
        count: before.items.len(),
        first: first_kinds(before, looked),
        outcome: Outcome { row: HostRow { seen: seen(looked), over: Over::default() }, ..Outcome::default() },
    };
    let found = looked.find();
    let there: BTreeSet<&str> = found.iter().map(|found| found.what.key.as_str()).collect();
    for kind in KINDS.iter().filter(|kind| looked.is_whole(kind)) {
        let of_kind = before.items.values().filter(|item| item.what.kind().is_some_and(|own| own.name == kind.name));
        for item in of_kind.filter(|item| item.fate.is_there && !there.contains(item.what.key.as_str())) {
            let (between, announced) = if item.fate.state == ItemState::Accepted {
                went(&item.what)?
            } else {
                (Between { after_ms: now_ms, until_ms: now_ms }, None)
            };
            look.step(item.clone(), Sight::Went { between, announced });
        }
    }
    // Those that are known first: they keep their places.
    let (known, new): (Vec<Found>, Vec<Found>) =
        found.into_iter().partition(|found| before.items.contains_key(&found.what.key));
    for Found { what, offer } in known {
        let mut item = before.items[&what.key].clone();
        if *item.what != what {
            item.what = Arc::new(what);
        }
        look.step(item, Sight::There(offer));
    }
    for Found { what, offer } in new {
        if offer == Offer::Yes {
            look.add(what);
        }
    }
    // What waits and nothing else touched: a rule may be new.
    for item in before.proposed() {
        let mut judged = item.clone();
        if !look.is_touched(&item.what.key) && look.judge(&mut judged).is_some() {
            look.put(judged);
        }
    }
    Ok(look.outcome)
}

struct Look<'a> {
    before: &'a HostItems,
    rules: &'a RuleSet,
    host: Named<'a>,
    now_ms: i64,
    /// Items of the host as they are so far.
    count: usize,
    /// Kinds that are looked at for the first time.
    first: BTreeSet<&'static str>,
    outcome: Outcome,
}

impl Look<'_> {
    fn step(&mut self, mut item: Item, sight: Sight) {
        let told = item.fate.look(sight, self.now_ms);
        self.settle(item, told);
    }

    fn add(&mut self, what: What) {
        if self.count >= ITEMS_A_HOST_MAX && !self.make_room() {
            let over = &mut self.outcome.row.over;
            over.count += 1;
            if over.first.len() < OVER_TOLD_MAX {
                over.first.push(what.key);
            }
            return;
        }
        self.count += 1;
        let item = Item { what: Arc::new(what), fate: Fate::new(self.now_ms) };
        self.settle(item, Some(Told::Found));
    }

    /// Lets rules decide of what is proposed, keeps it, and says what is to be told.
    fn settle(&mut self, mut item: Item, told: Option<Told>) {
        let decided = self.judge(&mut item);
        if let Some(told) = told {
            let kind = item.what.kind().map_or("", |kind| kind.name);
            if told == Told::Found && self.first.contains(kind) {
                let counts = self.outcome.first.entry(kind).or_default();
                match decided {
                    None => counts.proposed += 1,
                    Some(RuleAction::Accept) => counts.accepted += 1,
                    Some(RuleAction::Ignore) => counts.ignored += 1,
                }
            } else if decided != Some(RuleAction::Ignore) {
                self.outcome.told.push(Tale { told, item: item.clone() });
            }
        }
        self.put(item);
    }

    fn judge(&self, item: &mut Item) -> Option<RuleAction> {
        if item.fate.state != ItemState::Proposed {
            return None;
        }
        let rule = first_rule(self.rules, &item.what, self.host)?;
        (item.fate.state, item.fate.since_ms) = match rule.action {
            RuleAction::Accept => (ItemState::Accepted, self.now_ms),
            RuleAction::Ignore => (ItemState::Ignored, self.now_ms),
        };
        item.fate.by = format!("rule:{}", rule.name);
        item.fate.reason.clear();
        Some(rule.action)
    }

    fn put(&mut self, item: Item) {
        let key = item.what.key.clone();
        if self.before.items.get(&key) != Some(&item) {
            self.outcome.items.insert(key, Some(item));
        }
    }

    fn is_touched(&self, key: &str) -> bool {
        self.outcome.items.contains_key(key)
    }

    /// Forgets the item that is missed least, if there is one that may be.
    fn make_room(&mut self) -> bool {
        let may_go = |item: &&Item| {
            let fate = &item.fate;
            !fate.is_there && matches!(fate.state, ItemState::Dropped | ItemState::Archived | ItemState::Ignored)
        };
        let now = |key: &String, item| match self.outcome.items.get(key) {
            Some(changed) => changed.as_ref(),
            None => Some(item),
        };
        let all = self.before.items.iter().filter_map(|(key, item)| now(key, item)).filter(may_go);
        let rank = |item: &&Item| {
            let last = match item.fate.state {
                ItemState::Dropped => 0,
                ItemState::Archived => 1,
                _ => 2,
            };
            (last, item.fate.since_ms, item.what.key.clone())
        };
        let Some(key) = all.min_by_key(rank).map(|item| item.what.key.clone()) else { return false };
        self.outcome.items.insert(key, None);
        self.count -= 1;
        true
    }
}

/// Kinds of which a table was never worked in before.
fn first_kinds(before: &HostItems, looked: &Looked<'_>) -> BTreeSet<&'static str> {
    let now = seen(looked);
    let is_first = |number: &u8| now.contains_key(number) && !before.row.seen.contains_key(number);
    let of = |kind: &&kinds::ItemKind| numbers(kind.tables).any(|number| is_first(&number));
    KINDS.iter().filter(of).map(|kind| kind.name).collect()
}

/// The tables that kinds read, as they are now.
pub(crate) fn seen(looked: &Looked<'_>) -> BTreeMap<u8, SeenTable> {
    let host = looked.snapshot.host(looked.host);
    let tables: BTreeSet<u8> = KINDS.iter().flat_map(|kind| numbers(kind.tables)).collect();
    let known = tables.into_iter().filter_map(|number| {
        let table = muster_common::inventory::numbered(number)?;
        let known = host?.table(table)?;
        known.known_from_ms?;
        let is_whole = known.problem.is_empty() && known.dropped == 0;
        Some((number, SeenTable { digest: known.digest.0, is_whole }))
    });
    known.collect()
}

fn numbers(tables: &'static [&'static str]) -> impl Iterator<Item = u8> {
    tables.iter().filter_map(|name| muster_common::inventory::named(name)).map(|table| table.number)
}
