//! Numbers of two sides, for the gate and for what is verified after a deploy.

use std::sync::atomic::AtomicBool;

use muster_fleet::ServiceSpec;
use muster_fleet::gate::{Comparison, Lines, SLOTS_MAX, SLOTS_MIN, Side};
use muster_store::View;

use super::lines::{Slots, count, selectors, shown};
use super::rates::rates;
use crate::state::State;

const MINUTE_MS: i64 = 60_000;
/// Hosts of a side that are looked at: with 60 slots each these are the most cells that are compared.
const HOSTS_MAX: usize = 60;
/// Hosts that are named for people.
const NAMED_MAX: usize = 3;
const ERRORS: &str = "errors in the log";

/// When the version was there, and when what brought it began. Milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// The end of the time before.
    pub(super) before_ms: i64,
}

impl Span {
    /// How many whole slots there are, and how long each is: minutes, and as many of them to one as keep the whole time within the bound.
    fn slots(self) -> (usize, i64) {
        let minutes = (self.to_ms.saturating_sub(self.from_ms) / MINUTE_MS).max(0);
        let each = ((minutes + SLOTS_MAX as i64 - 1) / SLOTS_MAX as i64).max(1);
        (usize::try_from(minutes / each).unwrap_or_default(), each * MINUTE_MS)
    }
}

/// Since the version came against the time before it, on the same hosts. The time before is as long as can be compared: the more of it, the
/// smaller a change is seen.
pub(super) fn since_then(
    state: &State,
    spec: &ServiceSpec,
    mut hosts: Vec<String>,
    span: Span,
    cancelled: &AtomicBool,
) -> Comparison {
    hosts.truncate(HOSTS_MAX);
    let (slots, slot_ms) = span.slots();
    let from_ms = span.before_ms.saturating_sub(slot_ms.saturating_mul(SLOTS_MAX as i64));
    let now =
        Slots { side: Side::Canary, hosts: &hosts, from_ms: span.from_ms, slot_ms, count: slots, is_before: false };
    let before = Slots { side: Side::Baseline, from_ms, count: SLOTS_MAX, is_before: true, ..now };
    let mut numbers = made(&state.reader.view(), spec, &[now, before], span, cancelled);
    // Hosts of the time before are those of the time after, which says nothing of how hosts differ.
    numbers.rates.iter_mut().for_each(|rate| rate.hosts.clear());
    numbers.canary = "since then".to_owned();
    numbers.baseline = "before".to_owned();
    numbers
}

/// Hosts that have the version against those that have not, in the same minutes, and against their own past.
pub(super) fn against_others(
    state: &State,
    spec: &ServiceSpec,
    [mut canary, mut others]: [Vec<String>; 2],
    span: Span,
    cancelled: &AtomicBool,
) -> Comparison {
    let names = [named(&canary), named(&others)];
    canary.truncate(HOSTS_MAX);
    others.truncate(HOSTS_MAX);
    let (slots, slot_ms) = span.slots();
    let own_ms = span.before_ms.saturating_sub(slot_ms.saturating_mul(SLOTS_MAX as i64));
    let now =
        Slots { side: Side::Canary, hosts: &canary, from_ms: span.from_ms, slot_ms, count: slots, is_before: false };
    let beside = Slots { side: Side::Baseline, hosts: &others, ..now };
    let own = Slots { side: Side::Own, from_ms: own_ms, count: SLOTS_MAX, is_before: true, ..now };
    let numbers = made(&state.reader.view(), spec, &[now, beside, own], span, cancelled);
    let [canary, baseline] = names;
    Comparison { is_paired: true, canary, baseline, ..numbers }
}

/// The numbers of these sides, the one with the version first. What is shorter than the least is not compared, so nothing is read for it.
fn made(view: &View, spec: &ServiceSpec, sides: &[Slots<'_>], span: Span, cancelled: &AtomicBool) -> Comparison {
    let is_long = sides.first().is_some_and(|side| side.count >= SLOTS_MIN);
    let slots = |side| sides.iter().find(|one| one.side == side).map_or(0, |one| one.count);
    let mut lines = Lines::new(slots(Side::Canary), slots(Side::Baseline), slots(Side::Own));
    if is_long {
        sides.iter().for_each(|side| count(view, spec, side, &mut lines, cancelled));
    }
    let counted = lines.counted(ERRORS);
    let listed = rates(view, spec, sides, is_long, cancelled);
    let has_lines =
        [&counted.rate.canary, &counted.rate.baseline, &counted.rate.own].into_iter().flatten().any(|one| one.1 > 0);
    let hosts = sides.first().map(|side| side.hosts).unwrap_or_default();
    let mut numbers = Comparison {
        cells: Some(counted.cells),
        rates: vec![counted.rate],
        patterns: counted.patterns,
        left_out: counted.left_out,
        selector: shown(&selectors(spec, hosts)),
        lines_ms: (span.from_ms, span.to_ms),
        ..Comparison::default()
    };
    // A service that never wrote a line is compared by the rates it lists; one whose streams are named ought to have some.
    if !has_lines && !listed.is_empty() && spec.streams.is_empty() {
        (numbers.rates, numbers.cells) = (Vec::new(), None);
    }
    numbers.rates.extend(listed);
    numbers
}

/// The first of some hosts, for people.
pub(super) fn named(hosts: &[String]) -> String {
    let mut text = hosts.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if hosts.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more hosts", hosts.len() - NAMED_MAX));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_minutes_until_there_would_be_too_many() {
        let slots = |minutes: i64| Span { from_ms: 5, to_ms: 5 + minutes * MINUTE_MS, before_ms: 0 }.slots();
        assert_eq!(slots(-1), (0, MINUTE_MS));
        assert_eq!(slots(10), (10, MINUTE_MS));
        assert_eq!(slots(60), (60, MINUTE_MS));
        assert_eq!(slots(61), (30, 2 * MINUTE_MS));
        assert_eq!(slots(100_000).0, 59);
    }
}
