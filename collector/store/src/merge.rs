//! Merges neighbouring segments into one a UTC day, which covers all their generations (rule 24).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::sample::MetricKind;
use muster_common::time::monotonic;

use crate::catalog::SegmentRow;
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
use crate::shared::add;

/// Decoded parts of the inputs: each is read once in order, so little is enough, and queries keep their own.
const CACHE_BYTES: usize = 16 << 20;
/// Days written side by side: each takes about half a megabyte of buffers. Backfill of more days takes several passes.
const DAYS_A_PASS: i32 = 64;
/// Series between two looks at what waits to be flushed: tens of milliseconds.
const FLUSH_STEP: usize = 4_096;

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
        Ok(merges + self.merge_logs(why)?)
    }

    /// Whether it came to an end; a damaged input is set aside, and the rest is planned anew next time.
    fn merge_these(&mut self, numbers: &[u64]) -> Result<bool, FileError> {
        let begun = monotonic();
        let shared = self.shared().clone();
        let snapshot = shared.published.load();
        let find = |number: &u64| snapshot.segments.iter().find(|segment| segment.number == *number).cloned();
        let Some(inputs) = numbers.iter().map(find).collect::<Option<Vec<Arc<Segment>>>>() else { return Ok(false) };
        drop(snapshot);
        let mut merge = Merge::new(&inputs);
        let merged = merge.run(self);
        let Merge { rows, written, .. } = merge;
        let done = match merged {
            Ok(()) => {
                let mut next = self.catalog.state().clone();
                next.segments.extend(rows);
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

    /// A merge may take a minute: what was sealed meanwhile does not wait for its end.
    pub(crate) fn let_flush_pass(&mut self) -> Result<(), FileError> {
        if self.shared().published.load().heads.len() > 1 {
            self.flush_sealed()?;
        }
        Ok(())
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

/// One merge under way.
struct Merge<'a> {
    inputs: &'a [Arc<Segment>],
    lo: u64,
    hi: u64,
    /// Finished segments.
    rows: Vec<(u64, SegmentRow)>,
    /// Every file that was begun.
    written: Vec<(u64, PathBuf)>,
}

/// The days of one walk over all inputs, and what is being written for them.
struct Pass {
    from: i32,
    to: i32,
    outputs: BTreeMap<i32, (u64, SegmentWriter)>,
    /// The first day after `to` that has samples.
    later: Option<i32>,
}

impl<'a> Merge<'a> {
    fn new(inputs: &'a [Arc<Segment>]) -> Self {
        let headers = inputs.iter().map(|segment| &segment.header);
        let lo = headers.clone().map(|header| header.lo).min().unwrap_or(0);
        let hi = headers.map(|header| header.hi).max().unwrap_or(0);
        Self { inputs, lo, hi, rows: Vec::new(), written: Vec::new() }
    }

    fn run(&mut self, maintenance: &mut Maintenance<'_>) -> Result<(), MergeError> {
        let mut from = self.inputs.iter().map(|segment| day_of(segment.header.min_ms)).min();
        while let Some(first) = from {
            let to = first.saturating_add(DAYS_A_PASS - 1);
            let mut pass = Pass { from: first, to, outputs: BTreeMap::new(), later: None };
            self.walk(&mut pass, maintenance)?;
            for (number, writer) in pass.outputs.into_values() {
                let header = writer.finish().map_err(|error| (None, error))?;
                self.rows.push((number, SegmentRow::of(&header)));
            }
            from = pass.later;
        }
        let shared = maintenance.shared();
        let folder = &shared.segment_folder;
        shared.disk.sync_dir(folder).map_err(|error| (None, FileError::disk("sync folder", folder)(error)))
    }

    fn walk(&mut self, pass: &mut Pass, maintenance: &mut Maintenance<'_>) -> Result<(), MergeError> {
        let cache = Cache::new(CACHE_BYTES);
        let mut inputs: Vec<Input<'_>> = self.inputs.iter().map(|segment| Input::new(segment, &cache)).collect();
        for (place, input) in inputs.iter_mut().enumerate() {
            input.load(&cache).map_err(|error| blame(place, error))?;
        }
        let (mut columns, mut walked) = (Columns::default(), 0usize);
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
            let written = self.put(pass, &labels, kind, &columns, doubles, maintenance);
            written.map_err(|error| (None, error))?;
            walked += 1;
            if walked.is_multiple_of(FLUSH_STEP) {
                maintenance.let_flush_pass().map_err(|error| (None, error))?;
            }
        }
        Ok(())
    }

    /// Writes one series' samples of the pass' days.
    fn put(
        &mut self,
        pass: &mut Pass,
        labels: &LabelSet,
        kind: MetricKind,
        columns: &Columns,
        doubles: u64,
        maintenance: &mut Maintenance<'_>,
    ) -> Result<(), FileError> {
        let mut start = 0;
        while let Some(&first_ms) = columns.millis.get(start) {
            let day = day_of(first_ms);
            if day > pass.to {
                pass.later = Some(pass.later.map_or(day, |known| known.min(day)));
                break;
            }
            let end = start + columns.millis[start..].partition_point(|&ms| day_of(ms) == day);
            if day >= pass.from {
                let writer = match pass.outputs.entry(day) {
                    Entry::Occupied(entry) => &mut entry.into_mut().1,
                    Entry::Vacant(entry) => &mut entry.insert(self.begin(day, maintenance)?).1,
                };
                // What was dropped counts where the series begins.
                let doubles = if start == 0 { doubles } else { 0 };
                writer.series(labels, kind, &columns.millis[start..end], &columns.values[start..end], doubles)?;
            }
            start = end;
        }
        Ok(())
    }

    fn begin(&mut self, day: i32, maintenance: &mut Maintenance<'_>) -> Result<(u64, SegmentWriter), FileError> {
        let number = maintenance.catalog.take_number();
        let header = empty_header(maintenance.catalog.state().store_id, self.lo, self.hi, Some(day));
        let shared = maintenance.shared();
        let path = shared.segment_folder.join(SegmentRow::of(&header).file_name(number));
        self.written.push((number, path.clone()));
        Ok((number, SegmentWriter::new(&*shared.disk, &path, header)?))
    }
}

fn blame(place: usize, error: FileError) -> MergeError {
    (error.is_damage().then_some(place), error)
}
