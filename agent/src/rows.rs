//! One tick's numbers: a dictionary of series that rarely changes, and a flat row of values that always does.
//!
//! Sources register a series once and keep its handle; each tick they only store numbers, so sampling allocates nothing.
//! The uplink codes the row against a wire context made of [`Rows::series`]; when [`Rows::generation`] has moved since,
//! it makes a new context first. A series that a source no longer gives gets one stale marker, in the row of that tick.

use muster_common::limits::CONTEXT_SERIES_MAX;
use muster_common::sample::{MetricKind, stale};

/// Series of one host. A host with more has a runaway source (a mount or device a container, thousands of them): what
/// comes beyond is refused and counted, the rest goes on.
pub const SERIES_MAX: usize = 20_000;
const _: () = assert!(SERIES_MAX <= CONTEXT_SERIES_MAX);

/// Ended series are taken out of the dictionary only when this many have gathered, since a new dictionary costs a context.
const ENDED_MIN: usize = 64;
const NOWHERE: u32 = u32::MAX;

/// One entry of the dictionary. The labels are in the order of registration, without host, instance and job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub kind: MetricKind,
}

/// What a source keeps of a series it registered. Void after [`Rows::retire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeriesHandle(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Without a value at its source's last run.
    Quiet,
    /// With a value at its source's last run: its absence at the next one is an end.
    Live,
    /// Retired in this tick: ends with it.
    Leaving,
    /// Its place may be given to a new series.
    Ended,
}

#[derive(Debug)]
struct Slot {
    owner: u16,
    state: State,
    handle: u32,
}

/// The dictionary and the newest row. See the module's page.
#[derive(Debug, Default)]
pub struct Rows {
    at_ms: i64,
    generation: u64,
    series: Vec<Series>,
    slots: Vec<Slot>,
    values: Vec<f64>,
    present: Vec<u8>,
    /// Handle to place in the dictionary, so that compaction leaves the sources' handles alone.
    places: Vec<u32>,
    free_handles: Vec<u32>,
    ended: Vec<u32>,
    owner: u16,
    due: Vec<bool>,
    refused: u64,
}

impl Rows {
    /// When the row was read, in ms since 1970 by the corrected clock.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Moves whenever [`Rows::series`] changes in any way.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The dictionary, in the order of [`Rows::values`]. Places of ended series may stand in it, never present again.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// One value a series. Only those whose bit is set in [`Rows::present`] mean anything.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Bit i (bit i mod 8 of byte i div 8) tells whether series i has a value in this row: the wire's form.
    pub fn present(&self) -> &[u8] {
        &self.present
    }

    pub fn is_present(&self, index: usize) -> bool {
        self.present.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// Registrations that were refused because of [`SERIES_MAX`].
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Series that may still get values.
    pub fn active(&self) -> usize {
        self.series.len() - self.ended.len()
    }

    /// Opens the next row, with no values.
    pub(crate) fn begin(&mut self, at_ms: i64) {
        self.at_ms = at_ms;
        self.present.fill(0);
        self.due.fill(false);
        if self.ended.len() > ENDED_MIN && self.ended.len() * 2 > self.series.len() {
            self.compact();
        }
    }

    /// What is registered and stored from here on is this source's, and the source counts as having run in this row.
    pub(crate) fn source(&mut self, owner: u16) {
        self.owner = owner;
        let index = usize::from(owner);
        if self.due.len() <= index {
            self.due.resize(index + 1, false);
        }
        self.due[index] = true;
    }

    /// Enters a series; `None` beyond [`SERIES_MAX`].
    pub(crate) fn add(&mut self, name: &str, labels: &[(&str, &str)], kind: MetricKind) -> Option<SeriesHandle> {
        let labels = labels.iter().filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let series = Series { name: name.to_owned(), labels, kind };
        let reused = self.ended.pop();
        if reused.is_none() && self.series.len() >= SERIES_MAX {
            self.refused += 1;
            return None;
        }
        let handle = self.free_handles.pop().unwrap_or_else(|| {
            self.places.push(NOWHERE);
            // SERIES_MAX keeps every count far below u32::MAX.
            (self.places.len() - 1) as u32
        });
        let slot = Slot { owner: self.owner, state: State::Quiet, handle };
        let place = if let Some(place) = reused {
            self.series[place as usize] = series;
            self.slots[place as usize] = slot;
            place
        } else {
            self.series.push(series);
            self.slots.push(slot);
            self.values.push(0.0);
            self.present.resize(self.series.len().div_ceil(8), 0);
            (self.series.len() - 1) as u32
        };
        self.places[handle as usize] = place;
        self.generation += 1;
        Some(SeriesHandle(handle))
    }

    /// Stores a value in the open row.
    pub(crate) fn set(&mut self, handle: SeriesHandle, value: f64) {
        let place = self.places[handle.0 as usize] as usize;
        self.values[place] = value;
        self.present[place / 8] |= 1 << (place % 8);
    }

    /// Adds to what the open row has for this series.
    pub(crate) fn accumulate(&mut self, handle: SeriesHandle, value: f64) {
        let place = self.places[handle.0 as usize] as usize;
        let before = if self.is_present(place) { self.values[place] } else { 0.0 };
        self.set(handle, before + value);
    }

    /// The value stored last, in this row or an earlier one.
    pub(crate) fn last(&self, handle: SeriesHandle) -> f64 {
        self.values[self.places[handle.0 as usize] as usize]
    }

    /// Ends a series with this row; the handle is void.
    pub(crate) fn retire(&mut self, handle: SeriesHandle) {
        let place = self.places[handle.0 as usize] as usize;
        let was_live = self.slots[place].state == State::Live;
        self.slots[place].state = State::Leaving;
        self.present[place / 8] &= !(1 << (place % 8));
        if was_live {
            self.set(handle, stale());
        }
        self.places[handle.0 as usize] = NOWHERE;
        self.free_handles.push(handle.0);
    }

    /// Closes the row: what a source that ran gave last time and not this time gets its stale marker.
    pub(crate) fn finish(&mut self) {
        for place in 0..self.slots.len() {
            let present = self.is_present(place);
            let slot = &mut self.slots[place];
            match slot.state {
                State::Leaving => {
                    slot.state = State::Ended;
                    self.ended.push(place as u32);
                }
                State::Quiet if present => slot.state = State::Live,
                State::Live if !present && self.due.get(usize::from(slot.owner)).is_some_and(|due| *due) => {
                    slot.state = State::Quiet;
                    self.values[place] = stale();
                    self.present[place / 8] |= 1 << (place % 8);
                }
                State::Quiet | State::Live | State::Ended => {}
            }
        }
    }

    /// Takes ended series out of the dictionary; order and handles of the others stay.
    fn compact(&mut self) {
        let mut kept = 0usize;
        for place in 0..self.slots.len() {
            if self.slots[place].state == State::Ended {
                continue;
            }
            self.series.swap(kept, place);
            self.slots.swap(kept, place);
            self.values.swap(kept, place);
            self.places[self.slots[kept].handle as usize] = kept as u32;
            kept += 1;
        }
        self.series.truncate(kept);
        self.slots.truncate(kept);
        self.values.truncate(kept);
        self.present.truncate(kept.div_ceil(8));
        self.ended.clear();
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::sample::is_stale;

    fn row(rows: &Rows) -> Vec<(String, f64)> {
        let named = rows.series().iter().zip(rows.values()).enumerate().filter(|(i, _)| rows.is_present(*i));
        named.map(|(_, (series, value))| (series.name.clone(), *value)).collect()
    }

    #[test]
    fn a_row_holds_only_what_its_tick_stored() {
        let mut rows = Rows::default();
        rows.begin(1_000);
        rows.source(0);
        let a = rows.add("a", &[], MetricKind::Gauge).unwrap();
        let b = rows.add("b", &[("device", "x"), ("gone", "")], MetricKind::Counter).unwrap();
        rows.set(a, 1.5);
        rows.finish();
        assert_eq!((rows.at_ms(), row(&rows)), (1_000, vec![("a".to_owned(), 1.5)]));
        assert_eq!(rows.series()[1].labels, vec![("device".to_owned(), "x".to_owned())]);
        let generation = rows.generation();
        rows.begin(2_000);
        rows.source(0);
        rows.set(a, 2.0);
        rows.accumulate(b, 3.0);
        rows.accumulate(b, 4.0);
        rows.finish();
        assert_eq!(row(&rows), vec![("a".to_owned(), 2.0), ("b".to_owned(), 7.0)]);
        assert_eq!(rows.generation(), generation);
    }

    #[test]
    fn a_series_that_its_source_no_longer_gives_gets_one_stale_marker() {
        let mut rows = Rows::default();
        rows.begin(0);
        rows.source(0);
        let a = rows.add("a", &[], MetricKind::Gauge).unwrap();
        rows.set(a, 1.0);
        rows.finish();
        rows.begin(1);
        rows.source(1);
        rows.finish();
        assert!(row(&rows).is_empty(), "a slow source that did not run ends nothing");
        rows.begin(2);
        rows.source(0);
        rows.finish();
        assert!(is_stale(row(&rows)[0].1));
        rows.begin(3);
        rows.source(0);
        rows.finish();
        assert!(row(&rows).is_empty());
    }

    #[test]
    fn a_retired_series_ends_with_a_marker_and_its_place_is_used_again() {
        let mut rows = Rows::default();
        rows.begin(0);
        rows.source(0);
        let a = rows.add("a", &[], MetricKind::Gauge).unwrap();
        let b = rows.add("b", &[], MetricKind::Gauge).unwrap();
        rows.set(a, 1.0);
        rows.set(b, 1.0);
        rows.finish();
        rows.begin(1);
        rows.source(0);
        rows.retire(a);
        let c = rows.add("c", &[], MetricKind::Gauge).unwrap();
        rows.set(b, 2.0);
        rows.set(c, 3.0);
        rows.finish();
        let seen = row(&rows);
        assert!(seen[0].0 == "a" && is_stale(seen[0].1), "the marker goes out under the old dictionary");
        assert_eq!(&seen[1..], &[("b".to_owned(), 2.0), ("c".to_owned(), 3.0)]);
        let generation = rows.generation();
        rows.begin(2);
        rows.source(0);
        let d = rows.add("d", &[], MetricKind::Gauge).unwrap();
        rows.set(d, 4.0);
        rows.set(b, 5.0);
        rows.set(c, 6.0);
        rows.finish();
        assert_eq!(rows.series().len(), 3);
        assert!(rows.generation() > generation);
        assert_eq!(row(&rows), vec![("d".to_owned(), 4.0), ("b".to_owned(), 5.0), ("c".to_owned(), 6.0)]);
    }

    #[test]
    fn many_ended_series_leave_the_dictionary_and_handles_stay_true() {
        let mut rows = Rows::default();
        rows.begin(0);
        rows.source(0);
        let handles: Vec<_> = (0..200).map(|i| rows.add(&format!("s{i}"), &[], MetricKind::Gauge).unwrap()).collect();
        handles.iter().for_each(|handle| rows.set(*handle, 1.0));
        rows.finish();
        rows.begin(1);
        rows.source(0);
        for (i, handle) in handles.iter().enumerate() {
            if i % 4 == 0 { rows.set(*handle, i as f64) } else { rows.retire(*handle) }
        }
        rows.finish();
        assert_eq!(row(&rows).len(), 200);
        rows.begin(2);
        rows.source(0);
        for (i, handle) in handles.iter().enumerate().filter(|(i, _)| i % 4 == 0) {
            rows.set(*handle, i as f64);
        }
        rows.finish();
        assert_eq!((rows.series().len(), rows.active()), (50, 50));
        assert!(row(&rows).iter().all(|(name, value)| *name == format!("s{value}")));
    }

    #[test]
    fn series_beyond_the_limit_are_refused_and_counted() {
        let mut rows = Rows::default();
        rows.begin(0);
        rows.source(0);
        for i in 0..SERIES_MAX {
            assert!(rows.add(&format!("s{i}"), &[], MetricKind::Gauge).is_some());
        }
        assert!(rows.add("more", &[], MetricKind::Gauge).is_none());
        assert_eq!((rows.refused(), rows.active()), (1, SERIES_MAX));
    }
}
