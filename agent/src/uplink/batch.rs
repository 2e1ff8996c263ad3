//! Rows to batches: each row coded against the context in force, contexts made anew when the dictionary changes or every 10 min.
//!
//! Pure. Contexts and batches are made without an epoch: ids rise for as long as the process lives, and the session frames both for the
//! epoch of the moment.

use std::time::Duration;

use muster_common::limits::BATCH_SCRAPES_MAX;
use muster_common::wire::message::{Context, MetricBatch, Scrape, SeriesEntry, WireLabel};
use muster_common::wire::metrics::{RowCoder, RowError, pick_scale};

use crate::rows::Series;

/// A context's life: after it the values have moved so far that a new row saves more than it costs.
pub const CONTEXT_EVERY: Duration = Duration::from_secs(600);
/// The first context of a dictionary guesses decimal places from one value; after this time it is made anew if that guess was poor.
const REFINE_AFTER: Duration = Duration::from_secs(60);
/// Values without a fitting decimal step in one row that make the guess poor.
const REFINE_RAW_VALUES: usize = 8;
/// Bytes of coded rows at which a batch is cut: well below a frame's limit, compressed or not.
const BATCH_BYTES: usize = 192 << 10;

/// One row of values as the sampler has it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// When it was read, ms since 1970, by the corrected clock.
    pub at_ms: i64,
    /// Moves whenever `series` changes in any way.
    pub generation: u64,
    pub series: &'a [Series],
    /// One a series; those without their bit in `present` mean nothing.
    pub values: &'a [f64],
    /// Bit i (bit i mod 8 of byte i div 8): series i has a value.
    pub present: &'a [u8],
}

/// A batch cut: its context's id, and the times of its first and last row.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    pub batch: MetricBatch,
    pub from_ms: i64,
    pub to_ms: i64,
}

struct Coding {
    id: u32,
    generation: u64,
    coder: RowCoder,
    /// Decimal places that the values seen so far need.
    scales: Vec<u8>,
    poor: bool,
    refined: bool,
    made_at: Duration,
}

/// Gathers rows. Holds one batch's rows at most.
#[derive(Default)]
pub struct Batcher {
    identity: Vec<(String, String)>,
    last_id: u32,
    coding: Option<Coding>,
    scrapes: Vec<Scrape>,
    spare: Vec<Scrape>,
    values: Vec<f64>,
    bytes: usize,
    since: Option<Duration>,
}

impl Batcher {
    /// `identity`: labels that every series gets beside its own (`instance` and `job`, where they are set).
    pub fn new(identity: Vec<(String, String)>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// Whether this row must go under a new context: cut what is gathered, then call [`Batcher::start_context`].
    pub fn needs_context(&self, row: &Row<'_>, now: Duration) -> bool {
        let Some(coding) = &self.coding else { return true };
        let age = now.saturating_sub(coding.made_at);
        coding.generation != row.generation
            || coding.coder.series() != row.series.len()
            || age >= CONTEXT_EVERY
            || (coding.poor && !coding.refined && age >= REFINE_AFTER)
    }

    /// Makes a context of this row's dictionary and values, and codes by it from now on.
    ///
    /// # Errors
    /// [`RowError`] when the row contradicts itself; the context before it stays in force.
    pub fn start_context(&mut self, row: &Row<'_>, now: Duration) -> Result<Context, RowError> {
        let before = self.coding.as_ref().filter(|coding| coding.generation == row.generation);
        let mut values = Vec::with_capacity(row.series.len());
        let mut scales = Vec::with_capacity(row.series.len());
        for index in 0..row.series.len() {
            let value = if is_present(row.present, index) { row.values.get(index) } else { None };
            let value = value.copied().unwrap_or(0.0);
            let known = before.and_then(|coding| coding.scales.get(index)).copied().unwrap_or(0);
            values.push(value);
            scales.push(known.max(pick_scale(value)));
        }
        let entries = row.series.iter().zip(&scales).map(|(series, scale)| self.entry(series, *scale)).collect();
        let id = self.last_id.wrapping_add(1).max(1);
        let context = Context { id, series: entries, row: values, extensions: Vec::new() };
        let coder = RowCoder::new(&context)?;
        let (generation, refined) = (row.generation, before.is_some());
        self.coding = Some(Coding { id, generation, coder, scales, poor: false, refined, made_at: now });
        self.last_id = id;
        Ok(context)
    }

    fn entry(&self, series: &Series, scale: u8) -> SeriesEntry {
        let label = |(name, value): &(String, String)| WireLabel { name: name.clone(), value: value.clone() };
        // A series that has the label already keeps its own.
        let own = |name: &str| series.labels.iter().any(|(known, _)| known == name);
        let identity = self.identity.iter().filter(|(name, _)| !own(name));
        let labels = series.labels.iter().chain(identity).map(label).collect();
        SeriesEntry { name: series.name.clone(), labels, kind: series.kind as u8, scale }
    }

    /// Adds a row under the context in force.
    ///
    /// # Errors
    /// [`RowError`] when it does not fit the context; it is left out then.
    pub fn push(&mut self, row: &Row<'_>, now: Duration) -> Result<(), RowError> {
        let Some(coding) = &mut self.coding else {
            return Err(RowError::Context { series: row.series.len(), row: 0 });
        };
        self.values.clear();
        let present = row.values.iter().enumerate().filter(|(index, _)| is_present(row.present, *index));
        self.values.extend(present.map(|(_, value)| *value));
        let mut scrape = self.spare.pop().unwrap_or_else(empty_scrape);
        if let Err(error) = coding.coder.encode(row.at_ms, Some(row.present), &self.values, &mut scrape) {
            self.spare.push(scrape);
            return Err(error);
        }
        if !scrape.raw.is_empty() {
            coding.poor |= scrape.raw.len() >= REFINE_RAW_VALUES;
            for (index, scale) in coding.scales.iter_mut().enumerate().filter(|(at, _)| is_present(row.present, *at)) {
                *scale = (*scale).max(pick_scale(row.values[index]));
            }
        }
        self.bytes += scrape.present.len() * 2 + scrape.changes.len() + scrape.raw.len() * 8 + 24;
        self.scrapes.push(scrape);
        self.since.get_or_insert(now);
        Ok(())
    }

    /// When the oldest row gathered came.
    pub fn since(&self) -> Option<Duration> {
        self.since
    }

    /// Whether no further row may be added.
    pub fn is_full(&self) -> bool {
        self.scrapes.len() >= BATCH_SCRAPES_MAX || self.bytes >= BATCH_BYTES
    }

    /// Rows gathered.
    pub fn rows(&self) -> usize {
        self.scrapes.len()
    }

    /// Takes what is gathered.
    pub fn cut(&mut self) -> Option<Cut> {
        let context = self.coding.as_ref()?.id;
        let (first, last) = (self.scrapes.first()?, self.scrapes.last()?);
        let (from_ms, to_ms) = (first.at_ms.min(last.at_ms), first.at_ms.max(last.at_ms));
        self.bytes = 0;
        self.since = None;
        let scrapes = std::mem::take(&mut self.scrapes);
        Some(Cut { batch: MetricBatch { context, scrapes, extensions: Vec::new() }, from_ms, to_ms })
    }

    /// Gives back the lists of an encoded batch, so that the next one allocates less.
    pub fn recycle(&mut self, mut batch: MetricBatch) {
        batch.scrapes.truncate(4);
        self.spare.append(&mut batch.scrapes);
        self.spare.truncate(4);
    }
}

fn is_present(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
}

fn empty_scrape() -> Scrape {
    Scrape { at_ms: 0, present: Vec::new(), differs: Vec::new(), changes: Vec::new(), raw: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_common::sample::MetricKind;

    fn series(count: usize) -> Vec<Series> {
        let one = |i: usize| Series {
            name: format!("metric_{i}"),
            labels: vec![("device".into(), format!("d{i}"))],
            kind: MetricKind::Gauge,
        };
        (0..count).map(one).collect()
    }

    fn row<'a>(at_ms: i64, generation: u64, series: &'a [Series], values: &'a [f64], present: &'a [u8]) -> Row<'a> {
        Row { at_ms, generation, series, values, present }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rows_come_out_of_a_batch_bit_for_bit() {
        let names = series(3);
        let mut batcher = Batcher::default();
        let first = row(1_000, 1, &names, &[1.0, 2.25, f64::NAN], &[0b111]);
        let context = batcher.start_context(&first, SECOND).unwrap();
        batcher.push(&first, SECOND).unwrap();
        batcher.push(&row(2_000, 1, &names, &[5.0, -0.0, 7.5], &[0b101]), SECOND * 2).unwrap();
        assert_eq!((batcher.since(), batcher.rows()), (Some(SECOND), 2));
        let cut = batcher.cut().unwrap();
        assert_eq!((cut.from_ms, cut.to_ms, cut.batch.context), (1_000, 2_000, context.id));
        let coder = RowCoder::new(&context).unwrap();
        let decode = |at: usize| {
            let mut values = Vec::new();
            coder.decode(&cut.batch.scrapes[at], &mut values).unwrap();
            values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(decode(0), [1.0, 2.25, f64::NAN].map(f64::to_bits));
        assert_eq!(decode(1), [5.0, 7.5].map(f64::to_bits));
        assert_eq!((batcher.cut(), batcher.since()), (None, None));
    }

    #[test]
    fn a_context_lasts_until_the_dictionary_changes_or_ten_minutes_pass() {
        let names = series(9);
        let mut batcher = Batcher::default();
        let values = [1.0; 9];
        let first = row(0, 7, &names, &values, &[0xff, 1]);
        assert!(batcher.needs_context(&first, SECOND));
        assert_eq!(batcher.start_context(&first, SECOND).unwrap().id, 1);
        assert!(!batcher.needs_context(&first, CONTEXT_EVERY));
        assert!(batcher.needs_context(&first, CONTEXT_EVERY + SECOND));
        assert!(batcher.needs_context(&row(0, 8, &names, &values, &[0xff, 1]), SECOND));
        assert_eq!(batcher.start_context(&first, SECOND * 2).unwrap().id, 2);
    }

    #[test]
    fn identity_labels_stand_on_every_series_that_has_none_of_its_own() {
        let mut names = series(2);
        names[1].labels.push(("instance".to_owned(), "other:80".to_owned()));
        let mut batcher = Batcher::new(vec![("instance".to_owned(), "web1:9100".to_owned())]);
        let context = batcher.start_context(&row(0, 1, &names, &[1.0; 2], &[0b11]), SECOND).unwrap();
        let of = |at: usize| context.series[at].labels.iter().map(|label| label.value.clone()).collect::<Vec<_>>();
        assert_eq!((of(0), of(1)), (vec!["d0".into(), "web1:9100".into()], vec!["d1".into(), "other:80".into()]));
    }

    #[test]
    fn a_poor_guess_of_decimal_places_is_corrected_after_a_minute() {
        let names = series(16);
        let mut batcher = Batcher::default();
        let (whole, parts) = ([3.0; 16], [3.25; 16]);
        batcher.start_context(&row(0, 1, &names, &whole, &[0xff, 0xff]), Duration::ZERO).unwrap();
        let second = row(1, 1, &names, &parts, &[0xff, 0xff]);
        batcher.push(&second, SECOND).unwrap();
        assert!(!batcher.needs_context(&second, SECOND * 59) && batcher.needs_context(&second, SECOND * 60));
        let context = batcher.start_context(&second, SECOND * 60).unwrap();
        assert!(context.series.iter().all(|entry| entry.scale == 2));
        batcher.push(&row(2, 1, &names, &[3.5; 16], &[0xff, 0xff]), SECOND * 61).unwrap();
        assert!(batcher.cut().unwrap().batch.scrapes[1].raw.is_empty());
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused_and_nothing_else_is_lost() {
        let names = series(3);
        let mut batcher = Batcher::default();
        let good = row(0, 1, &names, &[1.0; 3], &[0b111]);
        assert!(batcher.push(&good, SECOND).is_err(), "there is no context yet");
        batcher.start_context(&good, SECOND).unwrap();
        batcher.push(&good, SECOND).unwrap();
        assert!(batcher.push(&row(0, 1, &names, &[1.0; 3], &[0b1111, 0]), SECOND).is_err());
        assert!(batcher.push(&row(0, 1, &names, &[1.0; 2], &[0b111]), SECOND).is_err());
        assert_eq!(batcher.rows(), 1);
    }

    #[test]
    fn a_batch_is_full_before_it_passes_what_a_frame_takes() {
        let names = series(2);
        let mut batcher = Batcher::default();
        let good = row(0, 1, &names, &[1.0, 2.0], &[0b11]);
        batcher.start_context(&good, SECOND).unwrap();
        let mut rows = 0;
        while !batcher.is_full() {
            batcher.push(&good, SECOND).unwrap();
            rows += 1;
        }
        assert_eq!(rows, BATCH_SCRAPES_MAX);
    }
}
