//! Merges neighbouring log segments into one a UTC day (rule 24), and rewrites those of which a tombstone hides lines.
//!
//! Lines are merged one by one, so that a stream of any length takes one group of memory an input.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use muster_common::label::LabelSet;
use muster_common::time::monotonic;

use super::catalog::{LogRow, Tombstone};
use super::delete::{Cuts, cuts, touching};
use super::group::RowsBlock;
use super::record::LogClass;
use super::segment::{LogSegment, TextBlock};
use super::write::{LogSegmentWriter, millis};
use crate::catalog::SegmentRow;
use crate::engine::Maintenance;
use crate::error::FileError;
use crate::flush::empty_header;
use crate::merge_plan::{Why, day_of, plan};
use crate::planted::{Planted, is_planted};
use crate::segment::blocks::SeriesBlock;
use crate::segment::cache::Cache;
use crate::segment::format::BLOCK_SERIES;
use crate::shared::add;

/// Decoded parts of the inputs: each is read once in order.
const CACHE_BYTES: usize = 8 << 20;
/// Days written side by side: each takes some 12 MiB of buffers, most of them its tokens.
const DAYS_A_PASS: i32 = 8;
/// Lines between two looks at what waits to be flushed: some tens of milliseconds.
const FLUSH_STEP: u64 = 64 << 10;

/// Why a merge failed, and the input that is damaged if that is why.
type MergeError = (Option<usize>, FileError);

/// One input, stream by stream.
struct Input {
    segment: Arc<LogSegment>,
    tombstones: Vec<Arc<Tombstone>>,
    /// The next stream.
    number: u32,
    block: Option<Arc<SeriesBlock>>,
}

/// The lines of one stream of one input, in order.
struct Lines {
    place: usize,
    cuts: Cuts,
    stream: u32,
    /// Groups that are still to be read.
    groups: Range<usize>,
    open: Option<(Arc<RowsBlock>, Arc<TextBlock>)>,
    rows: Range<usize>,
}

struct Output {
    number: u64,
    writer: LogSegmentWriter,
    /// Of which stream (by count) its last line was.
    stream: u64,
}

/// One merge under way.
struct Merge {
    class: LogClass,
    inputs: Vec<Input>,
    lo: u64,
    hi: u64,
    /// Finished segments.
    rows: Vec<(u64, SegmentRow)>,
    /// Every file that was begun.
    written: Vec<(u64, PathBuf)>,
    walked: u64,
    deleted: u64,
}

/// The days of one walk over all inputs.
struct Pass {
    from: i32,
    to: i32,
    outputs: BTreeMap<i32, Output>,
    /// The first day after `to` that has lines.
    later: Option<i32>,
}

impl Maintenance<'_> {
    /// Merges what is due in both classes, then rewrites segments with hidden lines: when asked all, else one.
    pub(crate) fn merge_logs(&mut self, why: Why) -> Result<usize, FileError> {
        let mut merges = 0;
        for class in LogClass::ALL {
            let across_gaps = is_planted(&self.shared().config, Planted::MergeAcrossGap);
            while let Some(numbers) = plan(&self.catalog.state().logs.class(class).as_metrics(), why, across_gaps) {
                if !self.merge_log_segments(class, &numbers)? {
                    return Ok(merges);
                }
                merges += 1;
            }
            while let Some(number) = self.with_hidden_lines(class) {
                if !self.merge_log_segments(class, &[number])? {
                    return Ok(merges);
                }
                merges += 1;
                if why != Why::Asked {
                    break;
                }
            }
        }
        let mut next = self.catalog.state().clone();
        next.logs.drop_done_tombstones(next.flushed_through);
        if next != *self.catalog.state() {
            self.commit(next)?;
        }
        Ok(merges)
    }

    /// A segment that was written before a tombstone which covers it.
    fn with_hidden_lines(&self, class: LogClass) -> Option<u64> {
        let logs = &self.catalog.state().logs;
        let touched = |row: &LogRow| logs.tombstones.values().any(|one| one.touches(row.row.hi, row.cleaned));
        logs.class(class).segments.iter().find(|(_, row)| touched(row)).map(|(number, _)| *number)
    }

    /// Whether it came to an end; a damaged input is set aside, and the rest is planned anew next time.
    fn merge_log_segments(&mut self, class: LogClass, numbers: &[u64]) -> Result<bool, FileError> {
        let begun = monotonic();
        let shared = self.shared().clone();
        let snapshot = shared.published.load();
        let open = &snapshot.logs[class as usize];
        let find = |number: &u64| open.iter().find(|segment| segment.base.number == *number).cloned();
        let Some(segments) = numbers.iter().map(find).collect::<Option<Vec<Arc<LogSegment>>>>() else {
            return Ok(false);
        };
        let input = |segment: Arc<LogSegment>| {
            let tombstones = touching(&snapshot, segment.base.header.hi, segment.cleaned);
            Input { segment, tombstones, number: 0, block: None }
        };
        let inputs: Vec<Input> = segments.into_iter().map(input).collect();
        drop(snapshot);
        let mut merge = Merge::new(class, inputs);
        let merged = merge.run(self);
        let Merge { rows, written, inputs, deleted, .. } = merge;
        let done = match merged {
            Ok(()) => {
                let mut next = self.catalog.state().clone();
                // Every tombstone there is was applied to the inputs that it covers.
                let cleaned = next.logs.tombstones.keys().next_back().copied().unwrap_or(0);
                let state = next.logs.class_mut(class);
                state.segments.extend(rows.into_iter().map(|(number, row)| (number, LogRow { row, cleaned })));
                numbers.iter().for_each(|&number| state.drop_segment(number));
                next.logs.drop_done_tombstones(next.flushed_through);
                // Views hold the inputs as long as they need; this was the last use here.
                drop(inputs);
                self.commit(next)
            }
            Err((Some(damaged), error)) => {
                shared.quarantine_log(&inputs[damaged].segment, &error);
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
        add(&shared.counters.lines_deleted, deleted);
        add(&shared.counters.merge_micros, u64::try_from((monotonic() - begun).as_micros()).unwrap_or(u64::MAX));
        Ok(true)
    }
}

impl Input {
    fn load(&mut self, cache: &Cache) -> Result<(), FileError> {
        let base = &self.segment.base;
        self.block = if u64::from(self.number) < base.header.series {
            Some(base.series_block(cache, self.number / BLOCK_SERIES as u32)?)
        } else {
            None
        };
        Ok(())
    }

    fn labels(&self) -> Option<&Arc<LabelSet>> {
        self.block.as_ref()?.0.get(self.number as usize % BLOCK_SERIES).map(|(labels, _)| labels)
    }

    fn advance(&mut self, cache: &Cache) -> Result<(), FileError> {
        self.number += 1;
        if (self.number as usize).is_multiple_of(BLOCK_SERIES) { self.load(cache) } else { Ok(()) }
    }

    /// The lines of the stream that it stands at.
    fn lines(&self, place: usize, labels: &LabelSet) -> Lines {
        Lines {
            place,
            cuts: cuts(&self.tombstones, labels),
            stream: self.number,
            groups: self.segment.groups_with(self.number, self.number),
            open: None,
            rows: 0..0,
        }
    }
}

impl Lines {
    /// The time of the next line, its group read; none: there is no more.
    fn peek(&mut self, segment: &LogSegment, cache: &Cache) -> Result<Option<i64>, FileError> {
        while self.rows.is_empty() {
            let Some(group) = self.groups.next() else { return Ok(None) };
            let rows = segment.rows(cache, group)?;
            if let Some(run) = rows.run_of(self.stream) {
                self.open = Some((rows.clone(), segment.text(cache, group, &rows)?));
                self.rows = run;
            }
        }
        Ok(self.open.as_ref().map(|(rows, _)| rows.times[self.rows.start]))
    }
}

impl Merge {
    fn new(class: LogClass, inputs: Vec<Input>) -> Self {
        let headers = inputs.iter().map(|input| &input.segment.base.header);
        let lo = headers.clone().map(|header| header.lo).min().unwrap_or(0);
        let hi = headers.map(|header| header.hi).max().unwrap_or(0);
        Self { class, inputs, lo, hi, rows: Vec::new(), written: Vec::new(), walked: 0, deleted: 0 }
    }

    fn run(&mut self, maintenance: &mut Maintenance<'_>) -> Result<(), MergeError> {
        let mut from = self.inputs.iter().map(|input| day_of(input.segment.base.header.min_ms)).min();
        while let Some(first) = from {
            let to = first.saturating_add(DAYS_A_PASS - 1);
            let mut pass = Pass { from: first, to, outputs: BTreeMap::new(), later: None };
            self.walk(&mut pass, maintenance)?;
            for output in pass.outputs.into_values() {
                let header = output.writer.finish().map_err(|error| (None, error))?;
                self.rows.push((output.number, SegmentRow::of(&header)));
            }
            from = pass.later;
        }
        let shared = maintenance.shared();
        let folder = &shared.log_folders[self.class as usize];
        shared.disk.sync_dir(folder).map_err(|error| (None, FileError::disk("sync folder", folder)(error)))
    }

    fn walk(&mut self, pass: &mut Pass, maintenance: &mut Maintenance<'_>) -> Result<(), MergeError> {
        let (cache, mut stream) = (Cache::new(CACHE_BYTES), 0u64);
        for (place, input) in self.inputs.iter_mut().enumerate() {
            input.number = 0;
            input.load(&cache).map_err(|error| blame(place, error))?;
        }
        while let Some(labels) = self.inputs.iter().filter_map(Input::labels).min().cloned() {
            stream += 1;
            let mut lines = Vec::new();
            for (place, input) in self.inputs.iter_mut().enumerate() {
                if input.labels() == Some(&labels) {
                    lines.push(input.lines(place, &labels));
                    input.advance(&cache).map_err(|error| blame(place, error))?;
                }
            }
            self.merge_stream(&labels, stream, lines, &cache, pass, maintenance)?;
        }
        Ok(())
    }

    /// Writes the lines of one stream by (time, generation, arrival).
    fn merge_stream(
        &mut self,
        labels: &LabelSet,
        stream: u64,
        mut lines: Vec<Lines>,
        cache: &Cache,
        pass: &mut Pass,
        maintenance: &mut Maintenance<'_>,
    ) -> Result<(), MergeError> {
        loop {
            let mut next: Option<(i64, usize)> = None;
            for (which, one) in lines.iter_mut().enumerate() {
                let segment = &self.inputs[one.place].segment;
                let at_ns = one.peek(segment, cache).map_err(|error| blame(one.place, error))?;
                // Of equal times the earlier generation's comes first: inputs stand in that order.
                if let Some(at_ns) = at_ns.filter(|at_ns| next.is_none_or(|(first, _)| *at_ns < first)) {
                    next = Some((at_ns, which));
                }
            }
            let Some((at_ns, which)) = next else { return Ok(()) };
            let one = &mut lines[which];
            let Some(row) = one.rows.next() else { return Ok(()) };
            let day = day_of(millis(at_ns));
            if day > pass.to {
                pass.later = Some(pass.later.map_or(day, |known| known.min(day)));
                // Times do not fall: nothing more of this stream is of this pass.
                return Ok(());
            }
            if day < pass.from {
                continue;
            }
            if one.cuts.hide(at_ns) {
                self.deleted += 1;
                continue;
            }
            let Some((rows, text)) = &one.open else { continue };
            let (line, fields) = (&text.0[rows.line(row)], &text.0[rows.fields(row)]);
            self.put(pass, (labels, stream), at_ns, line, fields, maintenance).map_err(|error| (None, error))?;
            self.walked += 1;
            if self.walked.is_multiple_of(FLUSH_STEP) {
                maintenance.let_flush_pass().map_err(|error| (None, error))?;
            }
        }
    }

    fn put(
        &mut self,
        pass: &mut Pass,
        (labels, stream): (&LabelSet, u64),
        at_ns: i64,
        line: &[u8],
        fields: &[u8],
        maintenance: &mut Maintenance<'_>,
    ) -> Result<(), FileError> {
        let day = day_of(millis(at_ns));
        let output = match pass.outputs.entry(day) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.begin(day, maintenance)?),
        };
        if output.stream != stream {
            output.writer.stream(labels)?;
            output.stream = stream;
        }
        output.writer.entry(at_ns, line, fields)
    }

    fn begin(&mut self, day: i32, maintenance: &mut Maintenance<'_>) -> Result<Output, FileError> {
        let number = maintenance.catalog.take_number();
        let header = empty_header(maintenance.catalog.state().store_id, self.lo, self.hi, Some(day));
        let shared = maintenance.shared();
        let path = shared.log_folders[self.class as usize].join(SegmentRow::of(&header).file_name(number));
        self.written.push((number, path.clone()));
        let writer = LogSegmentWriter::new(&*shared.disk, &path, self.class, header)?;
        Ok(Output { number, writer, stream: 0 })
    }
}

fn blame(place: usize, error: FileError) -> MergeError {
    (error.is_damage().then_some(place), error)
}
