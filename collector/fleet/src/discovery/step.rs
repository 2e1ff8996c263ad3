//! Works in what hosts told, a transaction after the one of their inventories.
//!
//! A host is due when one of its tables is otherwise than when it was worked in, which is found out anew at opening: so a restart between the two
//! transactions leaves it to do, and what was done is not done again. That it waits for the next call, a second later at most, gathers the
//! parts of a first inventory, and holds no report up.

use muster_common::host::HostId;
use muster_common::inventory::numbered;
use muster_common::time::Timestamp;

use super::item::{Between, Item, ItemState};
use super::kinds::{Looked, What, text_of};
use super::look::{HostItems, HostRow, Tale, Went, look_at};
use super::words;
use crate::announcements::{AnnouncedBy, Announcer};
use crate::draft::Draft;
use crate::error::FleetError;
use crate::fleet::Fleet;
use crate::host::HostState;
use crate::inventory::{InventorySnapshot, last_change};
use crate::state::{Reading, State};

/// Hosts of one transaction: some 60 ms of work, so that changes of others do not wait for long.
const HOSTS_AT_ONCE: usize = 200;
/// Items that one round of the housekeeping archives or forgets at most.
const PASSED_AT_ONCE: usize = 10_000;

/// What one call did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Hosts looked at.
    pub looked: usize,
    /// Hosts that are left to the next call.
    pub left: usize,
}

/// Why a thing went, looked up once.
struct Witness<'f> {
    fleet: &'f Fleet,
    snapshot: &'f InventorySnapshot,
    reading: Option<Reading>,
    announcer: Option<Announcer<'f>>,
}

impl Fleet {
    /// To be called about once a second: proposes what hosts newly have, and tells what vanished. Only hosts whose tables changed are looked at, some
    /// hundred at a time.
    ///
    /// # Errors
    /// [`FleetError`] when the disk or the file fails; the next call does what this one did not.
    pub fn discover(&self, now: Timestamp) -> Result<Discovered, FleetError> {
        if self.discovery.lock().due() == 0 {
            return Ok(Discovered::default());
        }
        let mut state = self.sure_state()?;
        let due = self.discovery.lock().take_due(HOSTS_AT_ONCE);
        let looked = due.len();
        if let Err(error) = self.work_in(&mut state, &due, now) {
            self.discovery.lock().give_back_due(due);
            return Err(error);
        }
        let mut discovery = self.discovery.lock();
        discovery.counts.looks += looked as u64;
        Ok(Discovered { looked, left: discovery.due() })
    }

    fn work_in(&self, state: &mut State, due: &[HostId], now: Timestamp) -> Result<(), FleetError> {
        let snapshot = self.inventory.read().snapshot();
        let rules = self.discovery.lock().in_force();
        let mut witness = Witness { fleet: self, snapshot: &snapshot, reading: None, announcer: None };
        let (mut draft, mut saw): (Draft, Vec<(HostId, HostRow)>) = Default::default();
        let (mut budgets, mut untold) = (Vec::new(), 0);
        for host in due {
            let row = self.memory.read().host(*host).filter(|row| row.state == HostState::Active).cloned();
            let Some(row) = row else { continue };
            let before = self.discovery.lock().host(*host).cloned().unwrap_or_default();
            let known = |head: &str| keys_from(&before, head);
            let looked = Looked { snapshot: &snapshot, host: *host, known: &known };
            let went = |what: &What| witness.went(state, *host, what);
            let named = (row.name.as_str(), &row.labels);
            let outcome = look_at(&before, &looked, &rules, named, now.millis(), went)?;
            let mut budget = self.discovery.lock().budget(*host);
            let (events, left_out) = words::events((*host, &row.name), &outcome, &before.row.over, &mut budget, now);
            draft.events.extend(events);
            budgets.push((*host, budget));
            untold += left_out;
            let has_news = !outcome.items.is_empty()
                || outcome.row.over != before.row.over
                || outcome.row.seen.len() != before.row.seen.len();
            draft.discovery.items.extend(outcome.items.into_iter().map(|(key, item)| ((*host, key), item)));
            if has_news {
                draft.discovery.hosts.insert(*host, Some(outcome.row));
            } else {
                // No row is written: a look that is done again after a restart finds the same.
                saw.push((*host, outcome.row));
            }
        }
        drop(witness);
        self.commit(state, draft)?;
        let mut discovery = self.discovery.lock();
        saw.into_iter().for_each(|(host, row)| discovery.saw(host, row));
        budgets.into_iter().for_each(|(host, budget)| discovery.told(host, budget));
        discovery.counts.untold += untold;
        Ok(())
    }

    /// What time brings about: what is gone for long is archived, what was remembered for long is forgotten.
    pub(crate) fn pass_discovery(&self, now: Timestamp) -> Result<(), FleetError> {
        let mut state = self.sure_state()?;
        let snapshot = self.inventory.read().snapshot();
        let mut witness = Witness { fleet: self, snapshot: &snapshot, reading: None, announcer: None };
        let mut draft = Draft::default();
        for (host, mut item) in self.passing(now) {
            let key = (host, item.what.key.clone());
            let row = self.memory.read().host(host).cloned();
            let heard = row.filter(|row| row.state == HostState::Active && row.absence.is_none());
            if item.fate.state != ItemState::Gone {
                draft.discovery.items.insert(key, None);
                continue;
            }
            // A host that is silent cannot show that it is back.
            let Some(row) = heard else { continue };
            let announced = item.fate.went.and_then(|went| witness.announced(host, went));
            let gone_days = self.discovery.lock().gone_days;
            if let Some(told) = item.fate.pass(gone_days, announced, now.millis()) {
                let tale = Tale { told, item };
                draft.events.push(words::of_item((host, &row.name), &tale, now));
                draft.discovery.items.insert(key, Some(tale.item));
            }
        }
        drop(witness);
        self.commit(&mut state, draft)?;
        self.discovery.lock().tidy();
        Ok(())
    }

    /// Items that are gone, and those to be forgotten.
    fn passing(&self, now: Timestamp) -> Vec<(HostId, Item)> {
        let memory = self.memory.read();
        let discovery = self.discovery.lock();
        let all = discovery.hosts().flat_map(|(host, known)| {
            let is_active = memory.host(host).is_some_and(|row| row.state == HostState::Active);
            let passes = move |item: &&Item| {
                item.fate.state == ItemState::Gone || item.fate.is_forgotten(!is_active, now.millis())
            };
            known.items.values().filter(passes).map(move |item| (host, item.clone()))
        });
        all.take(PASSED_AT_ONCE).collect()
    }

    /// For how many days what vanished is gone before it is archived by itself; 7 unless it is said otherwise.
    pub fn set_gone_days(&self, days: u32) {
        self.discovery.lock().gone_days = days.max(1);
    }
}

fn keys_from(known: &HostItems, head: &str) -> Vec<String> {
    let from = known.items.range(head.to_owned()..);
    from.take_while(|(key, _)| key.starts_with(head)).map(|(key, _)| key.clone()).collect()
}

impl Witness<'_> {
    /// Between which looks an accepted thing went, by the log of changes, and whether that was announced.
    fn went(&mut self, state: &State, host: HostId, what: &What) -> Result<Went, FleetError> {
        let between = self.between(state, host, what)?;
        Ok((between, self.announced(host, between)))
    }

    fn between(&mut self, state: &State, host: HostId, what: &What) -> Result<Between, FleetError> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            none => none.insert(state.reading()?),
        };
        let table = numbered(what.table);
        let is_its = |key: &[muster_common::inventory::Value]| key.iter().map(text_of).eq(what.row.iter().cloned());
        let logged = table.map(|table| last_change(reading, host, table, is_its)).transpose()?.flatten();
        let known = || self.snapshot.host(host).and_then(|known| known.table(table?));
        // Where the log does not have it any more the last look that found the table changed is it.
        let (after_ms, until_ms) =
            logged.unwrap_or_else(|| known().map_or((0, 0), |known| (known.changed_ms, known.changed_ms)));
        Ok(Between { after_ms, until_ms })
    }

    fn announced(&mut self, host: HostId, went: Between) -> Option<(String, String)> {
        let fleet = self.fleet;
        let announcer = self.announcer.get_or_insert_with(|| fleet.announcer());
        // A downtime says that things do not work, not that they are taken away: what does not come back after one is gone.
        let by = announcer.announced(host, went.after_ms, went.until_ms);
        by.filter(|by| by.kind != AnnouncedBy::Downtime).map(|by| (by.reason, by.by))
    }
}
