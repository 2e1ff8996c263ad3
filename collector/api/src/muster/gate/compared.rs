//! Numbers of two sides, for the gate and for what is verified after a deploy.

use std::sync::atomic::AtomicBool;

use muster_fleet::ServiceSpec;
use muster_fleet::gate::{Comparison, Lines, SLOTS_MAX, SLOTS_MIN, Side};

use super::lines::{Slots, count, selectors, shown};
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
    let (slots, slot_ms) = span.slots();
    hosts.truncate(HOSTS_MAX);
    let mut lines = Lines::new(slots, SLOTS_MAX, 0);
    let view = state.reader.view();
    // What is shorter than the least is not compared, so nothing is read for it.
    if slots >= SLOTS_MIN {
        let now = Slots { side: Side::Canary, hosts: &hosts, from_ms: span.from_ms, slot_ms, count: slots };
        count(&view, spec, &now, &mut lines, cancelled);
        let from_ms = span.before_ms.saturating_sub(slot_ms.saturating_mul(SLOTS_MAX as i64));
        let before = Slots { side: Side::Baseline, hosts: &hosts, from_ms, slot_ms, count: SLOTS_MAX };
        count(&view, spec, &before, &mut lines, cancelled);
    }
    let mut numbers = made(lines, spec, &hosts, span);
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
    let (slots, slot_ms) = span.slots();
    let names = [named(&canary), named(&others)];
    canary.truncate(HOSTS_MAX);
    others.truncate(HOSTS_MAX);
    let mut lines = Lines::new(slots, slots, SLOTS_MAX);
    let view = state.reader.view();
    if slots >= SLOTS_MIN {
        let own_ms = span.before_ms.saturating_sub(slot_ms.saturating_mul(SLOTS_MAX as i64));
        for (side, hosts, from_ms, slots) in [
            (Side::Canary, &canary, span.from_ms, slots),
            (Side::Baseline, &others, span.from_ms, slots),
            (Side::Own, &canary, own_ms, SLOTS_MAX),
        ] {
            let slots = Slots { side, hosts, from_ms, slot_ms, count: slots };
            count(&view, spec, &slots, &mut lines, cancelled);
        }
    }
    let mut numbers = Comparison { is_paired: true, ..made(lines, spec, &canary, span) };
    [numbers.canary, numbers.baseline] = names;
    numbers
}

fn made(lines: Lines, spec: &ServiceSpec, hosts: &[String], span: Span) -> Comparison {
    let counted = lines.counted(ERRORS);
    Comparison {
        rates: vec![counted.rate],
        cells: Some(counted.cells),
        patterns: counted.patterns,
        left_out: counted.left_out,
        selector: shown(&selectors(spec, hosts)),
        lines_ms: (span.from_ms, span.to_ms),
        ..Comparison::default()
    }
}

fn named(hosts: &[String]) -> String {
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
