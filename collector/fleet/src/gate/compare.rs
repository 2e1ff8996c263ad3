//! Whether hosts with a version do worse than hosts without it, or than the same hosts before it.
//!
//! Two kinds of numbers are compared. Rates: bad ones of all, a pair of counts a slot of time (lines that speak of errors of all lines; failed
//! requests of all). Patterns: in how many cells, which are a host's slots, lines of a kind were seen.
//!
//! A rate stands out by the conditional test of two rates: given how many bad ones there were on both sides, how many of them fall on one side
//! is binomial, whatever the rate is. Bad ones come in bursts, and hosts differ, so counts are divided by how much more they vary than chance
//! alone lets them (the quasi-Poisson way), and of slots that are pairs those that speak most against the canary do not count. A pattern is counted once a cell, so that a burst is one, and stands out by Fisher's exact test.
//! GATE.md tells why each number is what it is.

use serde::{Deserialize, Serialize};

use super::links::escaped;
use super::patterns::literal;
use super::tail::{binomial_at_least, factor_seen};
use crate::deploys::SERVICE_RATES_MAX;
use crate::suspects::chance::{Chance, tests_that_count};

/// Rates of one comparison: that of the lines, and those that the service lists.
pub const RATES_MAX: usize = SERVICE_RATES_MAX + 1;
/// Patterns of one comparison, those of most lines first: kept with their decision they are 20 kB.
pub const COMPARED_PATTERNS_MAX: usize = 100;
/// Slots of one side.
pub const SLOTS_MAX: usize = 60;
/// Cells of both sides: 60 hosts for 60 slots of each.
pub const CELLS_MAX: u64 = 7_200;
/// How often chance alone may make one comparison look worse, all its tests together, in millionths. A gate is asked again and again while a
/// version soaks, and is to cry wolf in less than one deploy of a hundred.
pub const CHANCE_MILLIONTHS: u64 = 2_000;
/// Slots that a side must have: bursts are told from a steady rate by them.
pub const SLOTS_MIN: usize = 10;
/// How many there must be in all on a side, bad or not: what is nearly never asked fails nearly never.
pub const OF_MIN: u64 = 100;
/// The least that counts as worse: half as much again, and so many more than the other side makes expect. Below it chance may be excluded and
/// still nobody would go back.
pub const FACTOR_MIN_PERCENT: u64 = 150;
pub const EXCESS_MIN: u64 = 5;
/// Baseline hosts from which on it is known how much hosts differ.
const HOSTS_MIN: usize = 3;
/// One slot in so many, those that speak most against the canary, does not count where slots are pairs: a burst is no change of the rate.
const TRIMMED_OF: usize = 10;
/// How surely the canary is worse than its own past. What chance brings is excluded against the baseline already: this tells hosts that differ.
const OWN_LEVEL: f64 = 0.2;
/// Cells with a pattern from which on it may be new: one may be anything.
const NEW_CELLS_MIN: u64 = 2;

/// Numbers of both sides. `canary` is the side with the version, `baseline` the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared with what, for people: `web1` with `web2, web3`.
    pub canary: String,
    pub baseline: String,
    /// Whether slots of both sides are the same times; else one side lies before the other.
    #[serde(default)]
    pub is_paired: bool,
    pub rates: Vec<Rate>,
    /// Cells of each side in which its host had lines at all; `None`: no lines are compared.
    pub cells: Option<[u64; 2]>,
    pub patterns: Vec<PatternCells>,
    /// Of the lines that are compared, as LogQL has it.
    #[serde(default)]
    pub selector: String,
    /// From when to when they are of the side with the version, milliseconds since 1970.
    #[serde(default)]
    pub lines_ms: (i64, i64),
    /// Kinds of lines, and lines, that did not fit and were not compared.
    #[serde(default)]
    pub left_out: u64,
}

impl Comparison {
    /// The page of its lines, or of those of a kind.
    pub fn logs_page(&self, pattern: Option<&str>) -> String {
        let literal = pattern.map(literal).filter(|text| !text.is_empty());
        let filter = literal.map(|text| format!(" |= `{}`", text.replace('`', ""))).unwrap_or_default();
        let (from, to) = self.lines_ms;
        format!("/logs?q={}&from={from}&to={to}", escaped(&format!("{}{filter}", self.selector)))
    }
}

/// Bad ones of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count(pub u64, pub u64);

/// A rate on both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// For people: `errors in the log`.
    pub name: String,
    /// One a slot.
    pub canary: Vec<Count>,
    /// One a slot.
    pub baseline: Vec<Count>,
    /// Of each baseline host, all its slots.
    #[serde(default)]
    pub hosts: Vec<Count>,
    /// Of the canary hosts before they had the version, one a slot; empty: the baseline is that.
    #[serde(default)]
    pub own: Vec<Count>,
    /// Path and query of the page where it is seen; empty: that of the comparison's lines.
    #[serde(default)]
    pub evidence: String,
    /// Why it is not known: `no counter x_total of web1 is there`; empty: it is.
    #[serde(default)]
    pub missing: String,
}

/// In how many cells lines of a kind were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternCells {
    pub pattern: String,
    pub canary: u64,
    pub baseline: u64,
    /// On the canary hosts before they had the version.
    #[serde(default)]
    pub own: u64,
}

/// How a comparison, or one number of it, came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Worse,
    /// No worse than chance makes it.
    NotWorse,
    /// There is too little to say.
    NotEnough,
}

/// A number that is worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worse {
    pub is_pattern: bool,
    /// One sentence.
    pub text: String,
    pub evidence: String,
}

/// What a comparison says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub outcome: Outcome,
    pub worse: Vec<Worse>,
    /// What there is too little of, or, where nothing is worse, what would have been seen.
    pub text: String,
}

/// Compares. The same numbers give the same answer.
pub fn compare(numbers: &Comparison) -> Compared {
    let rates = &numbers.rates[..numbers.rates.len().min(RATES_MAX)];
    // Each of the two kinds may fail by chance half as often as both together.
    let level = CHANCE_MILLIONTHS as f64 / 2e6;
    let of_a_rate = level / rates.len().max(1) as f64;
    let mut worse = Vec::new();
    let (mut lacking, mut seen) = (Vec::new(), Vec::new());
    for rate in rates {
        match judged(rate, numbers.is_paired, of_a_rate) {
            (Outcome::Worse, text) => {
                let of_lines = || numbers.logs_page(None);
                let evidence = Some(rate.evidence.clone()).filter(|page| !page.is_empty()).unwrap_or_else(of_lines);
                worse.push(Worse { is_pattern: false, text, evidence });
            }
            (Outcome::NotWorse, text) => seen.push(text),
            (Outcome::NotEnough, text) => lacking.push(text),
        }
    }
    if let Some([canary, baseline]) = numbers.cells {
        let least = canary.min(baseline);
        if least < SLOTS_MIN as u64 {
            lacking
                .push(format!("kinds of lines: {least} minutes of hosts with lines on one side, {SLOTS_MIN} wanted"));
        } else {
            worse.extend(new_patterns(numbers, [canary, baseline], level));
        }
    }
    let has_nothing = rates.is_empty() && numbers.cells.is_none();
    let outcome = match (worse.is_empty(), lacking.is_empty() && !has_nothing) {
        (false, _) => Outcome::Worse,
        (true, true) => Outcome::NotWorse,
        (true, false) => Outcome::NotEnough,
    };
    let text = match outcome {
        Outcome::NotEnough if has_nothing => "nothing is there that could be compared".to_owned(),
        Outcome::NotEnough => lacking.join("; "),
        _ => seen.join("; "),
    };
    Compared { outcome, worse, text }
}

/// All slots of a side together.
fn total(counts: &[Count]) -> Count {
    counts.iter().fold(Count::default(), |sum, one| Count(sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
}

fn judged(rate: &Rate, is_paired: bool, level: f64) -> (Outcome, String) {
    let (canary, baseline) = (total(&rate.canary), total(&rate.baseline));
    let slots = |counts: &[Count]| counts.iter().filter(|one| one.1 > 0).count();
    let (slots, of) = (slots(&rate.canary).min(slots(&rate.baseline)), canary.1.min(baseline.1));
    let name = &rate.name;
    if !rate.missing.is_empty() {
        return (Outcome::NotEnough, format!("{name}: {}", rate.missing));
    }
    if slots < SLOTS_MIN || of < OF_MIN {
        let text = format!("{name}: {of} in {slots} minutes on one side, {OF_MIN} in {SLOTS_MIN} wanted");
        return (Outcome::NotEnough, text);
    }
    let told = format!("{name}: {} of {} against {} of {}", canary.0, canary.1, baseline.0, baseline.1);
    let test = Test::of(rate, is_paired);
    if is_much(canary, baseline) && test.chance() <= level && !was_so_before(rate) {
        return (Outcome::Worse, told);
    }
    let factor = factor_seen(baseline.0.max(1) as f64, test.share, test.spread, level);
    let factor = factor.map_or_else(String::new, |factor| format!(", {factor} times as many would have been seen"));
    (Outcome::NotWorse, told + &factor)
}

/// Whether it is worth going back for.
fn is_much(canary: Count, baseline: Count) -> bool {
    let expected = baseline.0 as f64 * canary.1 as f64 / baseline.1.max(1) as f64;
    let bad = canary.0 as f64;
    bad * 100.0 >= expected * FACTOR_MIN_PERCENT as f64 && bad - expected >= EXCESS_MIN as f64
}

/// The conditional test of two rates.
struct Test {
    /// Bad ones.
    canary: u64,
    baseline: u64,
    /// The share of bad ones that falls on the canary if both sides are alike.
    share: f64,
    /// By how much counts vary more than chance alone lets them; 1 or more.
    spread: f64,
}

impl Test {
    fn of(rate: &Rate, is_paired: bool) -> Self {
        let own = spread_of_hosts(&rate.hosts);
        if !is_paired || rate.canary.len() != rate.baseline.len() {
            let (canary, baseline) = (total(&rate.canary), total(&rate.baseline));
            let share = canary.1 as f64 / canary.1.saturating_add(baseline.1).max(1) as f64;
            let spread = spread(&rate.canary).max(spread(&rate.baseline)).max(own).max(1.0);
            return Self { canary: canary.0, baseline: baseline.0, share, spread };
        }
        // What happens to both sides at once weighs on neither.
        let pairs = trimmed(rate.canary.iter().copied().zip(rate.baseline.iter().copied()).collect());
        let (mut canary, mut baseline, mut expected) = (0_u64, 0_u64, 0.0);
        for (one, other) in &pairs {
            canary = canary.saturating_add(one.0);
            baseline = baseline.saturating_add(other.0);
            expected += one.0.saturating_add(other.0) as f64 * share_of(*one, *other);
        }
        // The sum of binomials with different shares has no heavier tail than the binomial with their mean (Hoeffding 1956).
        let all = canary.saturating_add(baseline) as f64;
        let share = if all > 0.0 { (expected / all).clamp(1e-9, 1.0 - 1e-9) } else { 0.5 };
        Self { canary, baseline, share, spread: spread_of_pairs(&pairs, (canary, baseline, share)).max(own).max(1.0) }
    }

    /// How easily chance alone gives so many or more.
    fn chance(&self) -> f64 {
        let bad = self.canary as f64;
        binomial_at_least(bad / self.spread, (bad + self.baseline as f64) / self.spread, self.share)
    }
}

/// The canary's share of a slot, if both are alike.
fn share_of(one: Count, other: Count) -> f64 {
    match one.1.saturating_add(other.1) {
        0 => 0.5,
        of => one.1 as f64 / of as f64,
    }
}

/// Without the slots that speak most against the canary.
fn trimmed(mut pairs: Vec<(Count, Count)>) -> Vec<(Count, Count)> {
    pairs.retain(|(one, other)| one.1 > 0 && other.1 > 0);
    let excess =
        |(one, other): &(Count, Count)| one.0 as f64 - one.0.saturating_add(other.0) as f64 * share_of(*one, *other);
    pairs.sort_by(|one, other| excess(one).total_cmp(&excess(other)));
    pairs.truncate(pairs.len() - pairs.len().div_ceil(TRIMMED_OF).min(pairs.len()));
    pairs
}

/// By how much the canary's part of each pair varies more than chance alone lets it, whatever it is in the mean.
fn spread_of_pairs(pairs: &[(Count, Count)], (canary, baseline, share): (u64, u64, f64)) -> f64 {
    // How many times the other side's rate it is; halves keep it finite where one side has none.
    let times = (canary as f64 + 0.5) / (baseline as f64 + 0.5) * (1.0 - share) / share;
    let of = |(one, other): &(Count, Count)| {
        let all = one.0.saturating_add(other.0) as f64;
        let weight = times * one.1 as f64;
        let part = weight / (weight + other.1 as f64);
        (all > 0.0).then(|| (one.0 as f64 - all * part).powi(2) / (all * part * (1.0 - part)))
    };
    let all: Vec<f64> = pairs.iter().filter_map(of).collect();
    if all.len() < 2 { 1.0 } else { all.iter().sum::<f64>() / (all.len() - 1) as f64 }
}

/// By how much counts vary more than chance alone lets them: Pearson's statistic by its degrees of freedom.
fn spread(counts: &[Count]) -> f64 {
    let all = total(counts);
    let heard = counts.iter().filter(|one| one.1 > 0);
    if all.0 == 0 || all.1 == 0 {
        return 1.0;
    }
    let rate = all.0 as f64 / all.1 as f64;
    let of = |one: &Count| {
        let expected = rate * one.1 as f64;
        (one.0 as f64 - expected).powi(2) / expected
    };
    let slots = heard.clone().count();
    if slots < 2 { 1.0 } else { heard.map(of).sum::<f64>() / (slots - 1) as f64 }
}

fn spread_of_hosts(hosts: &[Count]) -> f64 {
    if hosts.len() < HOSTS_MIN { 1.0 } else { spread(hosts) }
}

/// Whether the canary hosts were no better before they had the version: then it is the hosts that differ.
fn was_so_before(rate: &Rate) -> bool {
    let (canary, own) = (total(&rate.canary), total(&rate.own));
    if rate.own.len() < SLOTS_MIN || own.1 < OF_MIN {
        return false;
    }
    let past = Rate { canary: rate.canary.clone(), baseline: rate.own.clone(), ..Rate::default() };
    !is_much(canary, own) || Test::of(&past, false).chance() > OWN_LEVEL
}

/// Kinds of lines that the canary has and its own past has not, and the baseline so rarely that chance is no good explanation.
fn new_patterns(numbers: &Comparison, [canary, baseline]: [u64; 2], level: f64) -> Vec<Worse> {
    let all = usize::try_from(canary.saturating_add(baseline).min(CELLS_MAX)).unwrap_or_default();
    let with = usize::try_from(canary).unwrap_or(all).min(all);
    let chance = Chance::up_to(all);
    let sizes = |one: &PatternCells| {
        let marked = usize::try_from(one.canary.saturating_add(one.baseline)).unwrap_or(all).min(all);
        (marked, with, all)
    };
    let compared = || numbers.patterns.iter().take(COMPARED_PATTERNS_MAX);
    let tests = tests_that_count(compared().map(|one| chance.least(sizes(one))).collect(), level);
    let is_new = |one: &&PatternCells| {
        let found = usize::try_from(one.canary).unwrap_or(all).min(all);
        // As frequent, by cell, as the least that counts.
        let times = |one: u64, other: u64, more: u64| (u128::from(one) * u128::from(other)).saturating_mul(more.into());
        let is_much = times(one.canary, baseline, 100) >= times(one.baseline, canary, FACTOR_MIN_PERCENT);
        one.own == 0
            && one.canary >= NEW_CELLS_MIN
            && is_much
            && chance.at_least(found, sizes(one)) * tests as f64 <= level
    };
    let worse = |one: &PatternCells| {
        let (pattern, found, before) = (&one.pattern, one.canary, one.baseline);
        let text = format!("`{pattern}` in {found} of {canary} minutes of hosts, against {before} of {baseline}");
        Worse { is_pattern: true, text, evidence: numbers.logs_page(Some(pattern)) }
    };
    compared().filter(is_new).map(worse).collect()
}

#[cfg(test)]
mod tests;
