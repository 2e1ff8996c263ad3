//! Rates that a service lists: counters of its hosts, counted by slots of time for a comparison.

use std::sync::atomic::{AtomicBool, Ordering};

use muster_common::label::LabelSet;
use muster_common::matcher::{LabelRegex, Matcher, Test};
use muster_fleet::gate::{COUNTER_GAP_MS, Count, Counter, Rate, Side, SlotTimes, escaped, increases};
use muster_fleet::{RateSpec, ServiceSpec, read_counters, shape_of, written_counters};
use muster_store::{Select, SelectError, SelectLimits, SeriesColumns, View};

use super::compared::named;
use super::lines::{Slots, quoted};

/// What one host may have for one selector of counters: with that many the page of metrics does not show it either.
const LIMITS: SelectLimits = SelectLimits { series_max: 5_000, samples_max: 5_000_000 };
/// Hosts that the expression of the evidence names; of more the first.
const SHOWN_MAX: usize = 10;

/// A rate with its selectors read.
struct Selectors {
    bad: Vec<Matcher>,
    all: Vec<Matcher>,
}

/// What was read of one side.
#[derive(Default)]
struct Counted {
    slots: Vec<Count>,
    hosts: Vec<Count>,
    has_all: bool,
    /// Whether counters are there that bad ones could be among.
    has_bad: bool,
}

/// The rates that a service lists, of these sides. Sides that are not long enough are not read, so that there is too little to say.
pub(super) fn rates(
    view: &View,
    spec: &ServiceSpec,
    sides: &[Slots<'_>],
    is_long: bool,
    cancelled: &AtomicBool,
) -> Vec<Rate> {
    // They were read when the service was declared.
    let read = |rate: &RateSpec| {
        let (bad, all) = (read_counters(&rate.bad).ok()?, read_counters(&rate.all).ok()?);
        let selectors = Selectors { bad, all };
        if is_long {
            return Some(one_rate(view, rate, &selectors, sides, cancelled));
        }
        Some(Rate { name: rate.name.clone(), evidence: page(&selectors, sides), ..Rate::default() })
    };
    spec.rates.iter().filter_map(read).collect()
}

fn one_rate(view: &View, spec: &RateSpec, selectors: &Selectors, sides: &[Slots<'_>], cancelled: &AtomicBool) -> Rate {
    let mut rate = Rate { name: spec.name.clone(), evidence: page(selectors, sides), ..Rate::default() };
    for slots in sides {
        let counted = match one_side(view, selectors, slots, cancelled) {
            Ok(counted) => counted,
            Err(error) => {
                tracing::warn!("counters for the gate cannot be read: {error}");
                rate.missing = format!("its counters cannot be read ({error})");
                Counted { slots: vec![Count::default(); slots.count], ..Counted::default() }
            }
        };
        // Its own past may be unknown.
        if slots.side != Side::Own && rate.missing.is_empty() {
            rate.missing = missing(&counted, selectors, slots);
        }
        match slots.side {
            Side::Canary => rate.canary = counted.slots,
            Side::Baseline => (rate.baseline, rate.hosts) = (counted.slots, counted.hosts),
            Side::Own => rate.own = counted.slots,
        }
    }
    rate
}

/// Why a side cannot be counted; empty: it can.
fn missing(counted: &Counted, selectors: &Selectors, slots: &Slots<'_>) -> String {
    let counters = match (counted.has_all, counted.has_bad) {
        (false, _) => &selectors.all,
        (true, false) => &selectors.bad,
        (true, true) => return String::new(),
    };
    let when = if slots.is_before { " before" } else { "" };
    format!("no counter {} of {} was there{when}", written_counters(counters), named(slots.hosts))
}

fn one_side(
    view: &View,
    selectors: &Selectors,
    slots: &Slots<'_>,
    cancelled: &AtomicBool,
) -> Result<Counted, SelectError> {
    let times = SlotTimes { from_ms: slots.from_ms, slot_ms: slots.slot_ms, count: slots.count };
    let mut counted = Counted { slots: vec![Count::default(); slots.count], ..Counted::default() };
    let shape = shape_of(&selectors.bad);
    // Host by host, so that what is in memory at once is bounded.
    for host in slots.hosts {
        if cancelled.load(Ordering::Relaxed) {
            return Err(SelectError::Cancelled);
        }
        let of_host = |matchers: &[Matcher]| [matchers, &[Matcher::equal("host", host)]].concat();
        let (all, bad) = (of_host(&selectors.all), of_host(&selectors.bad));
        let all: Vec<Counter> = view.select(&select(&all, times, cancelled))?.into_iter().map(counter).collect();
        let bad: Vec<Counter> = view.select(&select(&bad, times, cancelled))?.into_iter().map(counter).collect();
        counted.has_all |= !all.is_empty();
        counted.has_bad |= !bad.is_empty();
        if !counted.has_bad {
            counted.has_bad = !view.series(&select(&of_host(&shape), times, cancelled))?.is_empty();
        }
        let (bad_of, all_of) = (increases(&bad, &all, times), increases(&all, &all, times));
        let mut sum = Count::default();
        for (slot, (bad, all)) in counted.slots.iter_mut().zip(bad_of.into_iter().zip(all_of)) {
            for count in [slot, &mut sum] {
                *count = Count(count.0.saturating_add(bad), count.1.saturating_add(all));
            }
        }
        counted.hosts.push(sum);
    }
    Ok(counted)
}

fn select<'a>(matchers: &'a [Matcher], times: SlotTimes, cancelled: &'a AtomicBool) -> Select<'a> {
    let length_ms = times.slot_ms.saturating_mul(i64::try_from(times.count).unwrap_or(i64::MAX));
    Select {
        matchers,
        from_ms: times.from_ms.saturating_sub(COUNTER_GAP_MS),
        to_ms: times.from_ms.saturating_add(length_ms),
        limits: LIMITS,
        cancelled: Some(cancelled),
    }
}

fn counter(series: SeriesColumns) -> Counter {
    let label = |labels: &LabelSet, name| labels.get(name).unwrap_or_default().to_owned();
    let target = format!("{} {}", label(&series.labels, "job"), label(&series.labels, "instance"));
    Counter { target, millis: series.millis, values: series.values }
}

/// The page where the rate of each host is seen, from as long before as the version is there.
fn page(selectors: &Selectors, sides: &[Slots<'_>]) -> String {
    let mut hosts: Vec<&String> =
        sides.iter().filter(|slots| slots.side != Side::Own).flat_map(|slots| slots.hosts).collect();
    let mut seen = std::collections::BTreeSet::new();
    hosts.retain(|host| seen.insert(*host));
    let pattern = hosts.into_iter().take(SHOWN_MAX).map(|name| quoted(name)).collect::<Vec<_>>().join("|");
    let of_hosts =
        LabelRegex::new(&pattern).ok().map(|hosts| Matcher { name: "host".to_owned(), test: Test::Regex(hosts) });
    let rose = |counters: &[Matcher]| {
        let counters: Vec<Matcher> = counters.iter().cloned().chain(of_hosts.clone()).collect();
        format!("sum by (host) (increase({}[5m]))", written_counters(&counters))
    };
    let expression = format!("{} / {}", rose(&selectors.bad), rose(&selectors.all));
    let Some(canary) = sides.iter().find(|slots| slots.side == Side::Canary) else { return String::new() };
    let length_ms = canary.slot_ms.saturating_mul(i64::try_from(canary.count).unwrap_or(i64::MAX));
    let (from, to) = (canary.from_ms.saturating_sub(length_ms), canary.from_ms.saturating_add(length_ms));
    format!("/explore?q={}&from={from}&to={to}", escaped(&expression))
}
