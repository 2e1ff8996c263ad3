//! Lines of hosts, counted by slots of time for a comparison.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use muster_common::label::LabelSet;
use muster_common::matcher::{LabelRegex, Matcher, Test};
use muster_common::matcher_text::{read_matchers, written_matchers};
use muster_fleet::ServiceSpec;
use muster_fleet::gate::{Lines, Side};
use muster_store::{LogEntryRef, LogLimits, LogOrder, LogSelect, View};

const NS_PER_MS: i64 = 1_000_000;
/// Lines of one slot and selector that are read: with 60 slots of three sides a million, which takes seconds. The first ones of the slot on
/// all sides alike, and rates are by line, so that what is left out makes neither side worse.
const SLOT_LINES_MAX: u64 = 5_000;
/// Bytes of one slot: lines of 50 kB are no log.
const SLOT_BYTES_MAX: u64 = 256 << 20;
/// Streams of one selector.
const STREAMS_MAX: usize = 10_000;

/// Slots of one side.
#[derive(Clone, Copy)]
pub(super) struct Slots<'h> {
    pub(super) side: Side,
    pub(super) hosts: &'h [String],
    pub(super) from_ms: i64,
    pub(super) slot_ms: i64,
    pub(super) count: usize,
    /// Whether they lie before what they are compared with.
    pub(super) is_before: bool,
}

/// The selectors of a service's lines on these hosts. Events of the collector stand in streams with the label `event`, and tell of deploys themselves.
pub(super) fn selectors(spec: &ServiceSpec, hosts: &[String]) -> Vec<Vec<Matcher>> {
    let pattern = hosts.iter().map(|name| quoted(name)).collect::<Vec<_>>().join("|");
    let Ok(names) = LabelRegex::new(&pattern) else { return Vec::new() };
    let own = || {
        let host = Matcher { name: "host".to_owned(), test: Test::Regex(names.clone()) };
        let event = Matcher { name: "event".to_owned(), test: Test::Equal(String::new()) };
        vec![host, event]
    };
    if spec.streams.is_empty() {
        return vec![own()];
    }
    // They were read when the service was declared.
    let declared = spec.streams.iter().filter_map(|text| read_matchers(text).ok());
    declared.map(|matchers| [matchers, own()].concat()).collect()
}

/// A name as a pattern that matches it alone. Names of hosts have no other character that a pattern would read than the dot.
pub(super) fn quoted(name: &str) -> String {
    name.replace('\\', "\\\\").replace('.', "\\.")
}

/// The selector that people are shown: of the first of them.
pub(super) fn shown(selectors: &[Vec<Matcher>]) -> String {
    selectors.first().map(|matchers| written_matchers(matchers)).unwrap_or_default()
}

/// Counts the lines of a side. What cannot be read has no lines, so that there is too little to say.
pub(super) fn count(view: &View, spec: &ServiceSpec, slots: &Slots<'_>, lines: &mut Lines, cancelled: &AtomicBool) {
    let places: HashMap<&str, usize> =
        slots.hosts.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    for selector in selectors(spec, slots.hosts) {
        for slot in 0..slots.count {
            if cancelled.load(Ordering::Relaxed) {
                return;
            }
            let from_ms = slots.from_ms.saturating_add(slots.slot_ms.saturating_mul(slot as i64));
            one_slot(view, &selector, from_ms, slots.slot_ms, cancelled, |host, level, line| {
                if let Some(place) = places.get(host) {
                    lines.take(slots.side, *place, slot, level, line);
                }
            });
        }
    }
}

fn one_slot(
    view: &View,
    selector: &[Matcher],
    from_ms: i64,
    slot_ms: i64,
    cancelled: &AtomicBool,
    mut each: impl FnMut(&str, Option<&str>, &str),
) {
    let enough = AtomicBool::new(false);
    let select = LogSelect {
        matchers: selector,
        from_ns: from_ms.saturating_mul(NS_PER_MS),
        to_ns: from_ms.saturating_add(slot_ms).saturating_mul(NS_PER_MS),
        order: LogOrder::Forward,
        needles: &[],
        limits: LogLimits { streams_max: STREAMS_MAX, bytes_max: SLOT_BYTES_MAX },
        cancelled: Some(&enough),
    };
    let mut read = 0;
    let mut line = |labels: &Arc<LabelSet>, entry: &LogEntryRef<'_>| {
        read += 1;
        if read > SLOT_LINES_MAX || cancelled.load(Ordering::Relaxed) {
            enough.store(true, Ordering::Relaxed);
            return std::ops::ControlFlow::Break(());
        }
        let of_line = || entry.fields.iter().find(|(name, _)| is_level(name)).map(|(_, value)| value);
        let level = labels.iter().find(|(name, _)| is_level(name)).map(|(_, value)| value).or_else(of_line);
        each(labels.get("host").unwrap_or_default(), level, &String::from_utf8_lossy(entry.line));
        std::ops::ControlFlow::Continue(())
    };
    if let Err(error) = view.logs(&select, &mut line)
        && !enough.load(Ordering::Relaxed)
    {
        tracing::warn!("lines for the gate cannot be read: {error}");
    }
}

fn is_level(name: &str) -> bool {
    matches!(name, "level" | "detected_level")
}
