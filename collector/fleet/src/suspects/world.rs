//! Fleets that are made up by a seed, to judge suspects and separators on: faults with their true change among decoys, and groups of hosts with a
//! planted difference or none.

mod catalogue;
mod group;

use std::collections::BTreeSet;

use muster_common::host::HostId;
use muster_common::inventory::{Row, key_of, named};

use self::catalogue::{FAULTS, Thing, decoy, row_of};
pub use self::group::{Group, group};
use super::{Behind, FleetFacts, Onset, Suspect, essence, rank, thing_of};
use crate::inventory::{ChangeCursor, InventoryChange, thing_words};

/// Hosts of a made-up fleet.
pub const HOSTS: usize = 40;
/// Changes beside the true one.
pub const DECOYS: usize = 10;
const MINUTE_MS: i64 = 60_000;
/// How often a table is looked at that no event tells of.
const LOOK_MS: i64 = 15 * MINUTE_MS;
const ONSET_MS: i64 = 1_795_000_000_000;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(value: u64) -> u64 {
    let mut mixed = value;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// SplitMix64 (Steele, Lea, Flood 2014): a seed is a world, on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds that follow each other would else give the same numbers, one step on.
        Self(mix(seed.wrapping_mul(GOLDEN)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// From 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }
}

/// A problem of one host, and what changed before it.
pub struct Fault {
    pub onset: Onset,
    /// The true one and the decoys, by time.
    pub changes: Vec<InventoryChange>,
    pub facts: FleetFacts,
    /// Which thing is behind it.
    pub truth: (u8, Row),
}

impl Fault {
    /// The place of the true change in the rank, counted from 1; `None`: it is not in it.
    pub fn place(&self) -> Option<usize> {
        let suspects = rank(&self.onset, &self.changes, &[], &self.facts);
        let is_it = |suspect: &Suspect| match &suspect.behind {
            Behind::Change(change) => thing_of(change) == self.truth,
            Behind::Deploy(_) => false,
        };
        suspects.iter().position(is_it).map(|at| at + 1)
    }
}

/// Of how many of these seeds' faults the true change is among the first three.
pub fn found_among_three(seeds: impl Iterator<Item = u64>) -> usize {
    seeds.filter(|seed| fault(*seed).place().is_some_and(|place| place <= 3)).count()
}

pub(crate) fn host(number: usize) -> HostId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    HostId(id)
}

/// The fault of a seed: its kind in turn, its host, times and decoys by chance.
///
/// The true change came about before the first bad result by chance: half of them within 9 min, one in eight an hour and more before. Decoys are spread
/// over the day, half of them over its last four hours; a third of them came to most of the fleet, and some are only states.
pub fn fault(seed: u64) -> Fault {
    let mut dice = Dice::new(seed);
    let fault = &FAULTS[seed as usize % FAULTS.len()];
    let at = host(dice.below(HOSTS));
    let near = if fault.is_near { vec![host(HOSTS)] } else { Vec::new() };
    let of_truth = near.first().copied().unwrap_or(at);
    let mut facts = FleetFacts { hosts: HOSTS, ..FleetFacts::default() };
    facts.names = (0..=HOSTS).map(|number| (host(number), format!("host{number}"))).collect();
    // Exponential of a mean of 10 min, and of one in five of two hours.
    let mean_ms = if dice.chance(0.8) { 10.0 } else { 120.0 } * MINUTE_MS as f64;
    let age_ms = (-(1.0 - dice.share()).ln() * mean_ms) as i64 + 1_000;
    let truth = made(&mut dice, of_truth, &fault.thing, ONSET_MS - age_ms.min(20 * 60 * MINUTE_MS));
    spread(&mut dice, &mut facts, &truth, 0.06);
    let truth_is = thing_of(&truth);
    let mut things = BTreeSet::from([truth_is.clone()]);
    let mut changes = vec![truth];
    while changes.len() <= DECOYS {
        let hours = if dice.chance(0.5) { 4.0 } else { 23.0 };
        let age_ms = (dice.share() * hours * 60.0 * MINUTE_MS as f64) as i64;
        let (thing, share) = decoy(&mut dice);
        let change = made(&mut dice, at, &thing, ONSET_MS - age_ms);
        if things.insert(thing_of(&change)) {
            spread(&mut dice, &mut facts, &change, share);
            changes.push(change);
        }
    }
    changes.sort_by_key(|change| change.at_ms);
    let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let onset =
        Onset { at_ms: ONSET_MS, affected: vec![at], near, names: text(fault.names), output: text(fault.output) };
    Fault { onset, changes, facts, truth: truth_is }
}

/// A change that came about then, as looks find it: some tables are told of by events, others by the next look.
fn made(dice: &mut Dice, host: HostId, thing: &Thing, ms: i64) -> InventoryChange {
    let (table, before, after) = row_of(dice, thing);
    let is_event = matches!(table.name, "packages" | "units" | "files") && dice.chance(0.7);
    let phase = dice.below(LOOK_MS as usize) as i64;
    let look_ms = (ms - phase).div_euclid(LOOK_MS) * LOOK_MS + phase;
    let (since_ms, at_ms) = if is_event { (ms - 2_000, ms + 3_000) } else { (look_ms, look_ms + LOOK_MS) };
    let row = after.as_ref().or(before.as_ref()).cloned().unwrap_or_default();
    let quiet = |row: &Option<Row>| row.as_ref().map(|row| essence(table, row));
    InventoryChange {
        host,
        table,
        since_ms,
        at_ms,
        arrived_ms: at_ms + 500,
        key: key_of(table, &row),
        words: thing_words(table, &row, true),
        is_news: quiet(&before) != quiet(&after),
        before,
        after,
        cursor: cursor(),
    }
}

/// Lets the thing change on about this share of the other hosts too, and as many again have the row.
fn spread(dice: &mut Dice, facts: &mut FleetFacts, change: &InventoryChange, share: f64) {
    let hosts = |dice: &mut Dice| (0..HOSTS).map(host).filter(|_| dice.chance(share)).collect::<BTreeSet<HostId>>();
    let mut changed = hosts(dice);
    changed.insert(change.host);
    facts.changed_on.insert(thing_of(change), changed.clone());
    if let Some(row) = &change.after {
        let mut have = hosts(dice);
        have.extend(changed);
        facts.have_now.insert((change.table.number, essence(change.table, row)), have);
    }
}

fn cursor() -> ChangeCursor {
    const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000";
    ChangeCursor::parse(FIRST).unwrap_or_else(|| unreachable!("the first place of the log is one"))
}

/// The table of this name, which is one of [`muster_common::inventory::TABLES`].
pub(crate) fn table(name: &str) -> &'static muster_common::inventory::Table {
    named(name).unwrap_or(&muster_common::inventory::TABLES[0])
}
