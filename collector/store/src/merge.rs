//! Merges neighbouring segments into one a UTC day, which covers all their generations (rule 24).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::monotonic;

use crate::catalog::{CatalogState, SegmentRow};
use crate::columns::Columns;
use crate::engine::Maintenance;
use crate::error::FileError;
use crate::flush::empty_header;
use crate::merge_plan::{Why, day_of, plan};
use crate::planted::{Planted, is_planted};
use crate::segment::Segment;
use crate::segment::blocks::SeriesBlock;
use crate::segment::cache::Cache;
use crate::segment::cursor::Cursor;
use crate::segment::format::BLOCK_SERIES;
use crate::segment::write::SegmentWriter;
use crate::shared::{Shared, add};

/// Decoded parts of the inputs: each is read once in order, so little is enough, and queries keep their own.
const CACHE_BYTES: usize = 16 << 20;
/// Days written side by side: each takes about half a megabyte of buffers. Backfill of more days takes several passes.
const DAYS_A_PASS: i32 = 64;

impl Maintenance<'_> {
    /// Merges until nothing is due any more; answers how many merges were made.
    pub(crate) fn merge(&mut self, why: Why) -> Result<usize, FileError> {
        let across_gaps = is_planted(&self.shared().config, Planted::MergeAcrossGap);
        let mut merges = 0;
        while let Some(numbers) = plan(self.catalog.state(), why, across_gaps) {
            if !self.merge_these(&numbers)? {
                break;
            }
            merges += 1;
        }
        Ok(merges)
    }

    /// Whether it came to an end; a damaged input is set aside, and the rest is planned anew next time.
    fn merge_these(&mut self, numbers: &[u64]) -> Result<bool, FileError> {
        let begun = monotonic();
        let shared = self.shared().clone();
        let snapshot = shared.published.load();
        let found =
            numbers.iter().map(|number| snapshot.segments.iter().find(|segment| segment.number == *number).cloned());
        let Some(inputs) = found.collect::<Option<Vec<Arc<Segment>>>>() else { return Ok(false) };
        drop(snapshot);
        let mut next = self.catalog.state().clone();
        let mut written = Vec::new();
        let merged = write_merged(&shared, &inputs, &mut next, &mut written);
        let done = match merged {
            Ok(()) => {
                numbers.iter().for_each(|&number| next.drop_segment(number));
                // Views hold the inputs as long as they need; this was the last use here.
                drop(inputs);
                self.commit(next)
            }
            Err((Some(damaged), error)) => {
                shared.quarantine(&inputs[damaged], &error);
                self.discard(&written);
                return Ok(false);
            }
            Err((None, error)) => Err(error),
        };
        if let Err(error) = done {
            self.discard(&written);
            return Err(error);
        }
        add(&shared.counters.merges, 1);
        add(&shared.counters.merge_micros, u64::try_from((monotonic() - begun).as_micros()).unwrap_or(u64::MAX));
        Ok(true)
    }
}

/// Why a merge failed, and the input that is damaged if that is why.
type MergeError = (Option<usize>, FileError);

/// One input, series by series.
struct Input<'a> {
    cursor: Cursor<'a>,
    /// The next series.
    number: u32,
    block: Option<Arc<SeriesBlock>>,
}

impl<'a> Input<'a> {
    fn new(segment: &'a Segment, cache: &'a Cache) -> Self {
        Self { cursor: Cursor::new(segment, cache), number: 0, block: None }
    }

    fn load(&mut self, cache: &Cache) -> Result<(), FileError> {
        let segment = self.cursor.segment;
        self.block = if u64::from(self.number) < segment.header.series {
            Some(segment.series_block(cache, self.number / BLOCK_SERIES as u32)?)
        } else {
            None
        };
        Ok(())
    }

    fn series(&self) -> Option<&(Arc<LabelSet>, MetricKind)> {
        self.block.as_ref()?.0.get(self.number as usize % BLOCK_SERIES)
    }

    fn advance(&mut self, cache: &Cache) -> Result<(), FileError> {
        self.number += 1;
        if (self.number as usize).is_multiple_of(BLOCK_SERIES) { self.load(cache) } else { Ok(()) }
    }
}

fn write_merged(
    shared: &Shared,
    inputs: &[Arc<Segment>],
    next: &mut CatalogState,
    written: &mut Vec<(u64, PathBuf)>,
) -> Result<(), MergeError> {
    let headers = inputs.iter().map(|segment| &segment.header);
    let first = headers.clone().map(|header| header.min_ms).min().map_or(0, day_of);
    let lo = headers.clone().map(|header| header.lo).min().unwrap_or(0);
    let hi = headers.map(|header| header.hi).max().unwrap_or(0);
    let mut days = Some(first);
    while let Some(from) = days {
        let pass = Pass { shared, inputs, lo, hi, from, to: from.saturating_add(DAYS_A_PASS - 1) };
        days = pass.run(next, written)?;
    }
    let folder = &shared.segment_folder;
    shared.disk.sync_dir(folder).map_err(|error| (None, FileError::disk("sync folder", folder)(error)))
}

/// One walk over all inputs that writes some days.
struct Pass<'a> {
    shared: &'a Shared,
    inputs: &'a [Arc<Segment>],
    lo: u64,
    hi: u64,
    from: i32,
    to: i32,
}

/// A segment of the pass, with its number.
type Output = (u64, SegmentWriter);

impl Pass<'_> {
    /// Answers the first day after those of this pass that has samples.
    fn run(&self, next: &mut CatalogState, written: &mut Vec<(u64, PathBuf)>) -> Result<Option<i32>, MergeError> {
        let cache = Cache::new(CACHE_BYTES);
        let mut inputs: Vec<Input<'_>> = self.inputs.iter().map(|segment| Input::new(segment, &cache)).collect();
        for (place, input) in inputs.iter_mut().enumerate() {
            input.load(&cache).map_err(|error| blame(place, error))?;
        }
        let mut outputs: BTreeMap<i32, Output> = BTreeMap::new();
        let (mut columns, mut later) = (Columns::default(), None::<i32>);
        while let Some(labels) = inputs.iter().filter_map(|input| Some(&input.series()?.0)).min().cloned() {
            columns.clear();
            let (mut kind, mut doubles) = (MetricKind::Untyped, 0);
            // In the order of generations: the last one added wins.
            for (place, input) in inputs.iter_mut().enumerate() {
                let Some((_, own)) = input.series().filter(|(own, _)| *own == labels) else { continue };
                kind = if *own == MetricKind::Untyped { kind } else { *own };
                let mut take = || {
                    input.cursor.read(input.number, i64::MIN, i64::MAX, &mut columns)?;
                    doubles += input.cursor.doubles(input.number)?;
                    input.advance(&cache)
                };
                take().map_err(|error| blame(place, error))?;
            }
            doubles += columns.settle() as u64;
            let beyond = columns.millis.partition_point(|&ms| day_of(ms) <= self.to);
            if let Some(&ms) = columns.millis.get(beyond) {
                later = Some(later.map_or(day_of(ms), |known| known.min(day_of(ms))));
            }
            self.put(&labels, kind, &columns, doubles, &mut outputs, next, written).map_err(|error| (None, error))?;
        }
        for (number, writer) in outputs.into_values() {
            let header = writer.finish().map_err(|error| (None, error))?;
            next.segments.insert(number, SegmentRow::of(&header));
        }
        Ok(later)
    }

    #[expect(clippy::too_many_arguments, reason = "one straight step of `run`, cut out for its length")]
    fn put(
        &self,
        labels: &LabelSet,
        kind: MetricKind,
        columns: &Columns,
        doubles: u64,
        outputs: &mut BTreeMap<i32, Output>,
        next: &mut CatalogState,
        written: &mut Vec<(u64, PathBuf)>,
    ) -> Result<(), FileError> {
        let mut start = 0;
        while let Some(&first_ms) = columns.millis.get(start) {
            let day = day_of(first_ms);
            let end = start + columns.millis[start..].partition_point(|&ms| day_of(ms) == day);
            if (self.from..=self.to).contains(&day) {
                let writer = match outputs.entry(day) {
                    std::collections::btree_map::Entry::Occupied(entry) => &mut entry.into_mut().1,
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        &mut entry.insert(self.begin(day, next, written)?).1
                    }
                };
                // What was dropped counts where the series begins.
                let doubles = if start == 0 { doubles } else { 0 };
                writer.series(labels, kind, &columns.millis[start..end], &columns.values[start..end], doubles)?;
            }
            start = end;
        }
        Ok(())
    }

    fn begin(&self, day: i32, next: &mut CatalogState, written: &mut Vec<(u64, PathBuf)>) -> Result<Output, FileError> {
        let number = next.next_segment;
        next.next_segment += 1;
        let header = empty_header(next.store_id, self.lo, self.hi, Some(day));
        let name = SegmentRow::of(&header).file_name(number);
        let path = self.shared.segment_folder.join(name);
        written.push((number, path.clone()));
        Ok((number, SegmentWriter::new(&*self.shared.disk, &path, header)?))
    }
}

fn blame(place: usize, error: FileError) -> MergeError {
    (error.is_damage().then_some(place), error)
}
