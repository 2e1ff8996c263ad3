//! The fact that separates hosts with a problem from those without.

use std::collections::{BTreeMap, HashMap};

use muster_common::host::HostId;
use muster_common::inventory::{Row, TABLES, Table, key_of};

use super::chance::{Chance, tests_that_count};
use super::essence;
use crate::inventory::{HostTable, InventorySnapshot, thing_words};

/// How probable chance may be as the reason of what is told: of a hundred problems without a common fact one is given a false one.
pub const CHANCE_MAX: f64 = 0.01;
/// Hosts of either side that are compared: more make no clearer difference.
const AFFECTED_MAX: usize = 256;
const UNAFFECTED_MAX: usize = 1_024;
/// With fewer there is nothing to compare.
const AFFECTED_MIN: usize = 2;
const OTHERS_FOR_ONE: usize = 5;
/// Nearly all, and nearly none.
const NEARLY_ALL: f64 = 0.8;
const NEARLY_NONE: f64 = 0.1;
/// Other facts of the same hosts that are named.
const ALSO_TOLD_MAX: usize = 3;
/// Of facts that separate alike, one of the first of these tables is told: what causes before what follows.
const TOLD_FIRST: [&str; 8] = ["packages", "kernel", "os", "files", "sysctl", "modules", "certificates", "units"];

/// What is known of a host beside its tables: `label env`, `prod`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trait {
    pub name: String,
    pub value: String,
}

/// A fact that hosts with the problem have and others have not, or the other way round.
#[derive(Clone, Debug, PartialEq)]
pub struct Separator {
    /// `package openssl 3.0.2`, `label ring = canary`.
    pub fact: String,
    /// Hosts with the problem do not have it, and others do.
    pub is_lacking: bool,
    /// Hosts with the problem, and how many of them have the fact (lack it, if that is what separates).
    pub affected: usize,
    pub affected_with: usize,
    pub unaffected: usize,
    pub unaffected_with: usize,
    /// At most so probable by chance alone, all facts that were compared taken into account.
    pub chance: f64,
    /// Facts of exactly the same hosts, some by name, all of them counted.
    pub also: Vec<String>,
    pub also_count: usize,
}

impl Separator {
    /// `all 7 hosts with the problem have package openssl 3.0.2, and none of 41 others`.
    pub fn words(&self) -> String {
        let verb = |hosts: usize| match (self.is_lacking, hosts) {
            (false, 1) => "has",
            (false, _) => "have",
            (true, 1) => "lacks",
            (true, _) => "lack",
        };
        let affected = match (self.affected_with, self.affected) {
            (1, 1) => "the host with the problem".to_owned(),
            (with, all) if with == all => format!("all {all} hosts with the problem"),
            (with, all) => format!("{with} of {all} hosts with the problem"),
        };
        let others = match self.unaffected_with {
            0 => format!("none of {} others", self.unaffected),
            with => format!("{with} of {} others", self.unaffected),
        };
        let also = match self.also_count {
            0 => String::new(),
            count if count <= self.also.len() => format!("; so it is with {}", self.also.join(", ")),
            count => format!("; so it is with {} and {} more", self.also.join(", "), count - self.also.len()),
        };
        format!("{affected} {} {}, and {others} {}{also}", verb(self.affected_with), self.fact, does(self))
    }
}

fn does(separator: &Separator) -> &'static str {
    if separator.unaffected_with == 1 || separator.unaffected == 1 { "does" } else { "do" }
}

/// Hosts as bits, those with the problem first.
type Hosts = Vec<u64>;

/// A fact of the hosts that have it, and which of several is told: by the place of its table in [`TOLD_FIRST`].
struct Fact {
    order: usize,
    what: What,
}

/// Put into words only where it is told: most never are.
enum What {
    /// A row; whether all of it is meant, or the thing whatever is said of it.
    Row(&'static Table, Row, bool),
    Trait(Trait),
}

impl What {
    fn words(&self) -> String {
        match self {
            Self::Row(table, row, is_whole) => thing_words(table, row, *is_whole),
            Self::Trait(Trait { name, value }) => format!("{name} = {value}"),
        }
    }
}

/// What separates `affected` from `unaffected` hosts, if that is no chance. Hosts whose inventory is not known are left out,
/// unless too few are left.
///
/// Compared are rows, rows of a key whatever else they say, and traits. Facts of the same hosts are one test. The probability of each is the tail of
/// the hypergeometric distribution (Fisher's exact test), doubled since either side may have it, times the number of tests that could stand out at
/// all (Bonferroni as Tarone sharpened it); above [`CHANCE_MAX`] nothing is told. So of one affected host nothing ever is in a small fleet.
pub fn contrast(
    affected: &[HostId],
    unaffected: &[HostId],
    snapshot: &InventorySnapshot,
    traits: &BTreeMap<HostId, Vec<Trait>>,
) -> Option<Separator> {
    let groups = |is_known: &dyn Fn(&HostId) -> bool| {
        let mut hosts: Vec<HostId> = affected.iter().copied().filter(is_known).take(AFFECTED_MAX).collect();
        let with = hosts.len();
        let others = unaffected.iter().copied().filter(|host| !affected.contains(host)).filter(is_known);
        hosts.extend(others.take(UNAFFECTED_MAX));
        let without = hosts.len() - with;
        let is_enough = without > 0 && (with >= AFFECTED_MIN || (with == 1 && without >= OTHERS_FOR_ONE));
        is_enough.then_some((hosts, with))
    };
    // Where few have an inventory yet, labels and versions are what there is to compare.
    let inventoried = groups(&|host| snapshot.host(*host).is_some());
    let (hosts, with) = inventoried.or_else(|| groups(&|host| traits.contains_key(host)))?;
    let mut facts = Facts { hosts: &hosts, all: HashMap::new() };
    for table in &TABLES {
        facts.of_table(snapshot, table);
    }
    facts.of_traits(traits);
    judge(facts.all, with, hosts.len())
}

fn judge(all: HashMap<Hosts, Vec<Fact>>, affected: usize, hosts: usize) -> Option<Separator> {
    let chance = Chance::up_to(hosts);
    let unaffected = hosts - affected;
    // The side that has it more often is the one that is tested: as a fact, or as its lack.
    let tested = all.into_iter().filter_map(|(bits, facts)| {
        let count = |from: usize, to: usize| (from..to).filter(|at| has(&bits, *at)).count();
        let (of_affected, of_others) = (count(0, affected), count(affected, hosts));
        let have = of_affected + of_others;
        if have == 0 || have == hosts {
            return None;
        }
        let is_lacking = of_affected * unaffected < of_others * affected;
        let (found, others) =
            if is_lacking { (affected - of_affected, unaffected - of_others) } else { (of_affected, of_others) };
        let sizes = (affected, found + others, hosts);
        let least = chance.least((affected, have, hosts)).min(chance.least((affected, hosts - have, hosts)));
        Some((2.0 * chance.at_least(found, sizes), 2.0 * least, (found, others, is_lacking), facts))
    });
    let tested: Vec<_> = tested.collect();
    let tests = tests_that_count(tested.iter().map(|one| one.1).collect(), CHANCE_MAX) as f64;
    let is_clear = |found: usize, others: usize| {
        found as f64 >= NEARLY_ALL * affected as f64 && others as f64 <= NEARLY_NONE * unaffected as f64
    };
    let clear =
        tested.into_iter().filter(|(p, _, (found, others, _), _)| is_clear(*found, *others) && p * tests < CHANCE_MAX);
    // Of what is equally improbable, having something is easier to look at than lacking it; sums of logarithms are equal only nearly.
    let first = clear.min_by_key(|(p, _, (_, _, is_lacking), facts)| {
        let nearly = (p.ln() * 1e6).round() as i64;
        let told: Option<(usize, String)> = facts.iter().map(|fact| (fact.order, fact.what.words())).min();
        (nearly, *is_lacking, told)
    });
    let (p, _, (found, others, is_lacking), facts) = first?;
    let mut facts: Vec<(usize, String)> = facts.iter().map(|fact| (fact.order, fact.what.words())).collect();
    facts.sort();
    facts.dedup();
    let mut words = facts.into_iter().map(|(_, words)| words);
    let fact = words.next()?;
    let also_count = words.len();
    Some(Separator {
        fact,
        is_lacking,
        affected,
        affected_with: found,
        unaffected,
        unaffected_with: others,
        chance: p * tests,
        also: words.take(ALSO_TOLD_MAX).collect(),
        also_count,
    })
}

fn has(bits: &[u64], at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

struct Facts<'a> {
    hosts: &'a [HostId],
    /// Facts by the hosts that have them.
    all: HashMap<Hosts, Vec<Fact>>,
}

impl Facts<'_> {
    fn add(&mut self, bits: Hosts, order: usize, what: What) {
        self.all.entry(bits).or_default().push(Fact { order, what });
    }

    /// Of a table that is known of all these hosts; else who lacks a row cannot be told from who was not asked.
    fn of_table(&mut self, snapshot: &InventorySnapshot, table: &'static Table) {
        let known = |host: &HostId| {
            snapshot.host(*host).and_then(|host| host.table(table)).filter(|table| table.known_from_ms.is_some())
        };
        let Some(tables) = self.hosts.iter().map(known).collect::<Option<Vec<&HostTable>>>() else { return };
        let book = snapshot.book(table);
        let words = self.hosts.len().div_ceil(64);
        let mut rows: HashMap<u32, Hosts> = HashMap::new();
        for (at, known) in tables.iter().enumerate() {
            for number in known.numbers() {
                let bits = rows.entry(*number).or_insert_with(|| vec![0; words]);
                bits[at / 64] |= 1 << (at % 64);
            }
        }
        // Rows that differ only in what changes all the time are one fact, and so is the thing itself, whatever is said of it.
        let mut facts: HashMap<(Row, bool), Hosts> = HashMap::new();
        for (number, bits) in rows {
            let row = book.row(number);
            let whole = (essence(table, row), true);
            let thing = (table.keys > 0).then(|| (key_of(table, row), false));
            for fact in Some(whole).into_iter().chain(thing) {
                let all = facts.entry(fact).or_insert_with(|| vec![0; words]);
                all.iter_mut().zip(&bits).for_each(|(all, one)| *all |= one);
            }
        }
        let order = TOLD_FIRST.iter().position(|name| *name == table.name).unwrap_or(TOLD_FIRST.len() + 1);
        for ((row, is_whole), bits) in facts {
            // The thing itself is told after its version.
            self.add(bits, 2 * order + usize::from(!is_whole), What::Row(table, row, is_whole));
        }
    }

    fn of_traits(&mut self, traits: &BTreeMap<HostId, Vec<Trait>>) {
        let words = self.hosts.len().div_ceil(64);
        let mut facts: BTreeMap<&Trait, Hosts> = BTreeMap::new();
        for (at, host) in self.hosts.iter().enumerate() {
            for one in traits.get(host).into_iter().flatten() {
                facts.entry(one).or_insert_with(|| vec![0; words])[at / 64] |= 1 << (at % 64);
            }
        }
        let order = 2 * TOLD_FIRST.len();
        for (one, bits) in facts {
            self.add(bits, order, What::Trait(one.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_a_sentence() {
        let mut one = Separator {
            fact: "package openssl 3.0.2".to_owned(),
            is_lacking: false,
            affected: 7,
            affected_with: 7,
            unaffected: 41,
            unaffected_with: 0,
            chance: 1e-6,
            also: Vec::new(),
            also_count: 0,
        };
        let told = "all 7 hosts with the problem have package openssl 3.0.2, and none of 41 others do";
        assert_eq!(one.words(), told);
        (one.affected_with, one.unaffected_with, one.is_lacking) = (6, 1, true);
        (one.also, one.also_count) = (vec!["kernel 6.1".to_owned()], 3);
        let told = "6 of 7 hosts with the problem lack package openssl 3.0.2, and 1 of 41 others does; so it is with kernel 6.1 and 2 more";
        assert_eq!(one.words(), told);
    }
}
