//! Gathers the lines of some streams within some times, as many as memory may hold at once, for the orders of answers.
//!
//! Lines are copied out of their groups, so that a thousand streams that interleave need not hold a thousand groups.

use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;
use muster_common::label::LabelSet;

use super::delete::Cuts;
use super::group::RowsBlock;
use super::head::HeadStream;
use super::segment::LogSegment;
use super::select::{LabelsRef, LogEntryRef, LogSelect, is_before};
use crate::error::{FileError, SelectError};
use crate::shared::{Shared, add};

/// A segment or a head of one class, lowest precedence first.
pub(crate) enum Origin {
    Segment {
        segment: Arc<LogSegment>,
        /// Groups that may have the needles.
        groups: Option<std::collections::BTreeSet<u32>>,
    },
    Head(Vec<HeadStream>),
}

/// A stream of one origin that passes the matchers.
pub(crate) struct Found {
    pub(crate) labels: Arc<LabelSet>,
    pub(crate) origin: u32,
    /// Its number in the segment, or its place in the head's list.
    pub(crate) number: u32,
    pub(crate) cuts: Cuts,
}

/// What was gathered.
#[derive(Default)]
pub(crate) struct Gathered {
    bytes: Vec<u8>,
    lines: Vec<Line>,
    /// Bytes of lines and fields that were looked at.
    pub(crate) looked_at: u64,
}

struct Line {
    at_ns: i64,
    /// Its stream, by place among the label sets.
    stream: u32,
    start: usize,
    line_end: usize,
    end: usize,
}

/// What gathering reads from and what it is asked.
pub(crate) struct Gatherer<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) request: &'a LogSelect<'a>,
    pub(crate) origins: Vec<Origin>,
    pub(crate) finders: Vec<Finder<'a>>,
    /// Origins that turned out to be damaged.
    pub(crate) damaged: Vec<bool>,
}

/// There is more than may be held.
pub(crate) struct Overflow;

impl Gathered {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.lines.clear();
        self.looked_at = 0;
    }

    /// Bytes that it holds.
    pub(crate) fn held(&self) -> usize {
        self.bytes.len() + self.lines.len() * size_of::<Line>()
    }

    fn push(&mut self, at_ns: i64, stream: u32, line: &[u8], fields: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        let line_end = self.bytes.len();
        self.bytes.extend_from_slice(fields);
        self.lines.push(Line { at_ns, stream, start, line_end, end: self.bytes.len() });
    }

    /// Stable sorts: of equal keys what was pushed first has arrived first.
    pub(crate) fn sort_by_stream(&mut self) {
        self.lines.sort_by_key(|line| (line.stream, line.at_ns));
    }

    pub(crate) fn sort_by_time(&mut self) {
        self.lines.sort_by_key(|line| (line.at_ns, line.stream));
    }

    /// The lines, each with its stream's place.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, LogEntryRef<'_>)> {
        self.lines.iter().map(|line| {
            let fields = LabelsRef::new(&self.bytes[line.line_end..line.end]);
            let entry = LogEntryRef { at_ns: line.at_ns, line: &self.bytes[line.start..line.line_end], fields };
            (line.stream, entry)
        })
    }
}

impl Gatherer<'_> {
    /// The lines of these streams (each with its place) at or after `from_ns` and before `to_ns`, in the order of arrival for
    /// each stream. At most about `held_max` bytes of them.
    pub(crate) fn gather(
        &mut self,
        streams: &[(u32, &Found)],
        (from_ns, to_ns): (i64, i64),
        held_max: usize,
        out: &mut Gathered,
    ) -> Result<Result<(), Overflow>, SelectError> {
        out.clear();
        for origin in 0..self.origins.len() {
            let own: Vec<_> = streams.iter().filter(|(_, found)| found.origin as usize == origin).copied().collect();
            if own.is_empty() || self.damaged[origin] {
                continue;
            }
            let gathered = match &self.origins[origin] {
                Origin::Head(heads) => {
                    self.request.check_cancelled()?;
                    Ok(gather_head(heads, &own, (from_ns, to_ns), held_max, &self.finders, out))
                }
                Origin::Segment { segment, groups } => {
                    let wanted = |group: u32| groups.as_ref().is_none_or(|groups| groups.contains(&group));
                    self.gather_segment(segment, &wanted, own, (from_ns, to_ns), held_max, out)
                }
            };
            match gathered {
                Ok(Ok(())) => {}
                Ok(Err(Overflow)) => return Ok(Err(Overflow)),
                Err(GatherError::Cancelled) => return Err(SelectError::Cancelled),
                Err(GatherError::File(error)) => self.lenient(origin, error)?,
            }
        }
        Ok(Ok(()))
    }

    fn gather_segment(
        &self,
        segment: &LogSegment,
        wanted: &dyn Fn(u32) -> bool,
        mut own: Vec<(u32, &Found)>,
        (from_ns, to_ns): (i64, i64),
        held_max: usize,
        out: &mut Gathered,
    ) -> Result<Result<(), Overflow>, GatherError> {
        own.sort_by_key(|(_, found)| found.number);
        let (Some(first), Some(last)) = (own.first(), own.last()) else { return Ok(Ok(())) };
        let cache = &self.shared.log_cache;
        for group in segment.groups_with(first.1.number, last.1.number) {
            let row = &segment.groups[group];
            let none = own.partition_point(|(_, found)| found.number < row.first);
            let has_stream = own.get(none).is_some_and(|(_, found)| found.number <= row.last);
            if !has_stream || !wanted(group as u32) || row.max_ns < from_ns || !is_before(row.min_ns, to_ns) {
                continue;
            }
            if self.request.check_cancelled().is_err() {
                return Err(GatherError::Cancelled);
            }
            let rows = segment.rows(cache, group)?;
            let runs: Vec<(u32, &Found, Range<usize>)> = rows
                .runs()
                .filter_map(|(number, run)| {
                    let place = own.binary_search_by_key(&number, |(_, found)| found.number).ok()?;
                    let run = rows.within(run, from_ns, to_ns);
                    (!run.is_empty()).then_some((own[place].0, own[place].1, run))
                })
                .collect();
            if runs.is_empty() {
                continue;
            }
            add(&self.shared.counters.log_groups_read, 1);
            let text = segment.text(cache, group, &rows)?;
            for (stream, found, run) in runs {
                out.looked_at += rows.raw(&run);
                self.take_rows(&rows, &text.0, stream, &found.cuts, run, out);
            }
            if out.held() > held_max {
                return Ok(Err(Overflow));
            }
        }
        Ok(Ok(()))
    }

    /// Takes the rows that have all needles, as far as the text of many rows at once can tell.
    fn take_rows(
        &self,
        rows: &RowsBlock,
        text: &[u8],
        stream: u32,
        cuts: &Cuts,
        run: Range<usize>,
        out: &mut Gathered,
    ) {
        let mut take = |row: usize| {
            let at_ns = rows.times[row];
            if !cuts.hide(at_ns) {
                out.push(at_ns, stream, &text[rows.line(row)], &text[rows.fields(row)]);
            }
        };
        let Some((finder, others)) = self.finders.split_first() else {
            run.for_each(take);
            return;
        };
        let region = rows.lines(&run);
        let mut from = region.start;
        while let Some(hit) = finder.find(&text[from..region.end]) {
            let start = from + hit;
            let row = rows.row_at(start);
            let line = rows.line(row);
            // It may begin in one line and end in the next.
            if start + finder.needle().len() > line.end {
                from = start + 1;
                continue;
            }
            if others.iter().all(|other| other.find(&text[line.clone()]).is_some()) {
                take(row);
            }
            from = line.end;
        }
    }

    /// Damage sets the segment aside and the answer goes on without it; anything else is an error.
    pub(crate) fn lenient(&mut self, origin: usize, error: FileError) -> Result<(), SelectError> {
        match &self.origins[origin] {
            Origin::Segment { segment, .. } if error.is_damage() => {
                self.shared.quarantine_log(segment, &error);
                self.damaged[origin] = true;
                Ok(())
            }
            _ => Err(SelectError::Io(error)),
        }
    }
}

/// Why a segment was not read to the end.
enum GatherError {
    Cancelled,
    File(FileError),
}

impl From<FileError> for GatherError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

fn gather_head(
    heads: &[HeadStream],
    own: &[(u32, &Found)],
    (from_ns, to_ns): (i64, i64),
    held_max: usize,
    finders: &[Finder<'_>],
    out: &mut Gathered,
) -> Result<(), Overflow> {
    for (stream, found) in own {
        heads[found.number as usize].each(from_ns, to_ns, &mut |(at_ns, line, fields)| {
            out.looked_at += (line.len() + fields.len()) as u64;
            if finders.iter().all(|finder| finder.find(line).is_some()) && !found.cuts.hide(at_ns) {
                out.push(at_ns, *stream, line, fields);
            }
            out.held() <= held_max
        });
        if out.held() > held_max {
            return Err(Overflow);
        }
    }
    Ok(())
}
