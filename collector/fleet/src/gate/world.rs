//! Services that are made up by a seed, whose errors are known: how often hosts that are alike look worse by chance, and how often what is worse
//! is seen.

pub mod scenarios;

use std::ops::Range;

use super::compare::{Comparison, Count, Outcome, Rate, SLOTS_MIN, compare};
use crate::suspects::world::Dice;

/// How many there are where so many are expected: Poisson's, by its own definition up to a mean of 30, above it by the normal curve.
fn poisson(dice: &mut Dice, mean: f64) -> u64 {
    if mean > 30.0 {
        let normal = (0..12).map(|_| dice.share()).sum::<f64>() - 6.0;
        return (mean + mean.sqrt() * normal).max(0.0).round() as u64;
    }
    let (limit, mut product, mut count) = ((-mean).exp(), dice.share(), 0);
    while product > limit {
        product *= dice.share();
        count += 1;
    }
    count
}

/// How a service's errors come.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Of 1,000 lines.
    pub errors: f64,
    /// Lines of a host and minute.
    pub lines: f64,
    /// In a minute of a hundred a host has a burst of so many.
    pub burst: u64,
    /// All hosts have their trouble at once: a minute in ten has so many times the errors.
    pub shaken: f64,
    /// Each host has its own rate, up to half off.
    pub differs: bool,
    pub canaries: usize,
    pub baselines: usize,
}

pub const STEADY: Service =
    Service { errors: 10.0, lines: 100.0, burst: 0, shaken: 1.0, differs: false, canaries: 1, baselines: 3 };

/// Numbers of so many minutes; the canary's rate is `factor` times its own.
pub(crate) fn made(service: Service, minutes: usize, factor: f64, dice: &mut Dice) -> Comparison {
    let of_host = |dice: &mut Dice, shakes: &[f64], factor: f64, own: f64| -> Vec<Count> {
        let slot = |dice: &mut Dice, shake: f64| {
            let lines = poisson(dice, service.lines);
            let bad = poisson(dice, service.lines * service.errors / 1_000.0 * shake * factor * own);
            let burst = if service.burst > 0 && dice.below(100) == 0 { service.burst } else { 0 };
            Count(bad + burst, lines + bad + burst)
        };
        shakes.iter().map(|shake| slot(dice, *shake)).collect()
    };
    let shakes = |dice: &mut Dice| -> Vec<f64> {
        (0..minutes).map(|_| if dice.below(10) == 0 { service.shaken } else { 1.0 }).collect()
    };
    let (now, past) = (shakes(dice), shakes(dice));
    let rates: Vec<f64> = (0..service.canaries + service.baselines)
        .map(|_| if service.differs { 0.5 + dice.share() } else { 1.0 })
        .collect();
    let sum = |hosts: &[Vec<Count>]| -> Vec<Count> {
        (0..minutes).map(|at| added(&hosts.iter().map(|slots| slots[at]).collect::<Vec<_>>())).collect()
    };
    let (own_rates, others) = rates.split_at(service.canaries);
    let canary: Vec<_> = own_rates.iter().map(|own| of_host(dice, &now, factor, *own)).collect();
    let own: Vec<_> = own_rates.iter().map(|own| of_host(dice, &past, 1.0, *own)).collect();
    let baseline: Vec<_> = others.iter().map(|own| of_host(dice, &now, 1.0, *own)).collect();
    let rate = Rate {
        name: "errors".to_owned(),
        canary: sum(&canary),
        baseline: sum(&baseline),
        hosts: baseline.iter().map(|slots| added(slots)).collect(),
        own: sum(&own),
        evidence: "/".to_owned(),
        missing: String::new(),
    };
    Comparison { is_paired: true, rates: vec![rate], ..Comparison::default() }
}

/// How many of these seeds look worse.
pub fn look_worse(service: Service, minutes: usize, factor: f64, seeds: Range<u64>) -> usize {
    let is_worse = |seed: &u64| {
        let numbers = made(service, minutes, factor, &mut Dice::new(*seed));
        compare(&numbers).outcome == Outcome::Worse
    };
    seeds.filter(is_worse).count()
}

/// How many of these seeds look worse at any minute of an hour, though they are alike: hosts against others, or against what was there before.
pub fn cry_wolf(is_canary: bool, seeds: Range<u64>) -> usize {
    let cries = |seed: &u64| {
        let mut seen = made(Service { errors: 40.0, ..STEADY }, 60, 1.0, &mut Dice::new(*seed));
        seen.is_paired = is_canary;
        if !is_canary {
            seen.rates.iter_mut().for_each(|rate| (rate.hosts, rate.own) = (Vec::new(), Vec::new()));
        }
        let whole = seen.rates.clone();
        (SLOTS_MIN..=60).any(|minutes| {
            for (rate, whole) in seen.rates.iter_mut().zip(&whole) {
                rate.canary = whole.canary[..minutes].to_vec();
                if is_canary {
                    rate.baseline = whole.baseline[..minutes].to_vec();
                }
            }
            compare(&seen).outcome == Outcome::Worse
        })
    };
    seeds.filter(cries).count()
}

fn added(counts: &[Count]) -> Count {
    counts.iter().fold(Count::default(), |sum, one| Count(sum.0 + one.0, sum.1 + one.1))
}

/// Services whose hosts are alike, however their errors come.
pub const ALIKE: [(&str, Service); 10] = [
    ("steady", STEADY),
    ("rare", Service { errors: 0.5, ..STEADY }),
    ("frequent", Service { errors: 200.0, ..STEADY }),
    ("one against one", Service { baselines: 1, ..STEADY }),
    ("many canaries", Service { canaries: 5, baselines: 2, ..STEADY }),
    ("bursts", Service { burst: 200, ..STEADY }),
    ("bursts alone", Service { errors: 0.1, burst: 50, baselines: 1, ..STEADY }),
    ("shaken at once", Service { shaken: 5.0, ..STEADY }),
    ("unlike", Service { differs: true, ..STEADY }),
    ("unlike, bursts, shaken", Service { differs: true, burst: 100, shaken: 5.0, baselines: 5, ..STEADY }),
];

/// Services with errors enough that twice as many can be seen, and in how many minutes.
pub const SEEN: [(&str, Service, usize); 4] = [
    ("steady", Service { errors: 50.0, ..STEADY }, 30),
    ("one against one", Service { errors: 40.0, baselines: 1, ..STEADY }, 60),
    ("shaken at once", Service { errors: 100.0, shaken: 3.0, ..STEADY }, 60),
    ("unlike", Service { errors: 100.0, differs: true, baselines: 20, canaries: 10, ..STEADY }, 60),
];
