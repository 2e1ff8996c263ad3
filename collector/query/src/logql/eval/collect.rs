//! Lines into series: counts by step, or samples of unwrapped numbers. A line is counted where it falls; nothing is kept
//! of it. Its series is found by the stream's alone where the pipeline left the labels untouched.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use muster_common::label::LabelSet;

use crate::error::QueryError;
use crate::logql::ast::RangeAggregation;
use crate::logql::eval::evaluator::Evaluator;
use crate::logql::eval::range_ops::OfLines;
use crate::logql::fields::{Fields, Wanted};
use crate::logql::pipeline::Pipeline;
use crate::logql::source::LogLine;
use crate::logql::stages::Line;
use crate::logql::stages::unwrap::Unwrap;
use crate::vector::grid::Moments;
use crate::vector::labels::SeriesLabels;
use crate::vector::meter::Meter;
use crate::vector::ops::Grouping;
use crate::vector::rows::is_absent;

/// What one series gathers.
pub(super) struct Collected {
    pub(super) labels: SeriesLabels,
    /// The step of the first change.
    first: usize,
    /// By how much the lines in the window change from step to step, and their bytes.
    changes: Vec<(i64, i64)>,
    /// Of unwrapped numbers: nanoseconds, and as many values.
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f64>,
}

impl Collected {
    /// Counts a line at all steps from `from` to `to`. Answers how many cells that took.
    fn add(&mut self, from: usize, to: usize, bytes: i64) -> usize {
        let before = self.changes.len();
        if self.changes.is_empty() {
            self.first = from;
        } else if from < self.first {
            self.changes.splice(..0, std::iter::repeat_n((0, 0), self.first - from));
            self.first = from;
        }
        let end = to + 1 - self.first;
        if end >= self.changes.len() {
            self.changes.resize(end + 1, (0, 0));
        }
        let start = &mut self.changes[from - self.first];
        *start = (start.0 + 1, start.1 + bytes);
        let end = &mut self.changes[end];
        *end = (end.0 - 1, end.1 - bytes);
        self.changes.len() - before
    }

    /// Lines (or bytes) in the window of each step, in units of so many; steps without lines stay absent.
    pub(super) fn count(&self, of_bytes: bool, unit: f64, cells: &mut [f64]) {
        let (mut lines, mut bytes) = (0i64, 0i64);
        for (change, cell) in self.changes.iter().zip(&mut cells[self.first..]) {
            lines += change.0;
            bytes += change.1;
            if lines > 0 {
                #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
                let value = if of_bytes { bytes } else { lines } as f64;
                *cell = value / unit;
            }
        }
    }

    /// The steps whose window holds a line.
    pub(super) fn steps(&self, steps: usize) -> impl Iterator<Item = usize> {
        let mut cells = vec![crate::vector::rows::ABSENT; steps];
        self.count(false, 1.0, &mut cells);
        cells.into_iter().enumerate().filter(|(_, value)| !is_absent(*value)).map(|(step, _)| step)
    }

    /// Samples of several streams by time; equal times keep their order.
    pub(super) fn sort(&mut self) {
        if self.times.is_sorted() {
            return;
        }
        let mut order: Vec<usize> = (0..self.times.len()).collect();
        order.sort_by_key(|index| self.times[*index]);
        self.values = order.iter().map(|index| self.values[*index]).collect();
        self.times.sort_unstable();
    }
}

pub(super) struct Collector<'a> {
    pipeline: Pipeline,
    unwrap: Option<&'a Unwrap>,
    absence: bool,
    grouping: Option<Grouping>,
    moments: Moments,
    range_ns: i64,
    pub(super) series: Vec<Collected>,
    pub(super) values_cut: bool,
    places: HashMap<Box<[u8]>, usize>,
    /// The series of the last stream whose labels came out untouched.
    last: Option<(Arc<LabelSet>, usize)>,
    key: Vec<u8>,
}

impl<'a> Collector<'a> {
    /// `pushed`: how the aggregation around it groups.
    pub(super) fn new(range: &'a RangeAggregation, pushed: Option<&Grouping>, moments: Moments) -> Self {
        let absence = matches!(range.op.lines, Some(OfLines::Absence));
        let mut grouping =
            if absence { Some(Grouping::default()) } else { range.grouping.as_ref().or(pushed).cloned() };
        // The label that became the number is none of the series' any more.
        if let Some(unwrap) = &range.unwrap {
            let grouping = grouping.get_or_insert_with(|| Grouping { without: true, labels: Vec::new() });
            if grouping.without {
                grouping.labels.push(unwrap.label.clone());
                grouping.labels.sort_unstable();
            }
        }
        let pipeline = Pipeline::new(&range.log, wanted(range, grouping.as_ref()));
        Self {
            pipeline,
            unwrap: range.unwrap.as_ref(),
            absence,
            grouping,
            moments,
            range_ns: range.range_ns,
            series: Vec::new(),
            values_cut: false,
            places: HashMap::new(),
            last: None,
            key: Vec::new(),
        }
    }

    pub(super) fn take(
        &mut self,
        labels: &Arc<LabelSet>,
        line: &LogLine<'_>,
        evaluator: &mut Evaluator<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let Some((from, to)) = self.steps(line.at_ns) else { return Ok(ControlFlow::Continue(())) };
        let Some(bytes) = self.pipeline.run(labels, line) else { return Ok(ControlFlow::Continue(())) };
        let Some(value) = self.unwrapped(line.at_ns) else { return Ok(ControlFlow::Continue(())) };
        evaluator.stats.kept += 1;
        let place = self.place(labels)?;
        let series = &mut self.series[place];
        let grown = if self.unwrap.is_some() && !self.absence {
            series.times.push(line.at_ns);
            series.values.push(value);
            1
        } else {
            series.add(from, to, i64::try_from(bytes.len()).unwrap_or(i64::MAX))
        };
        if grown > 0 {
            evaluator.grow(grown)?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The steps whose window holds this time: those at or after it, and before it is a range old.
    fn steps(&self, at_ns: i64) -> Option<(usize, usize)> {
        let grid = self.moments.grid;
        let after = at_ns.saturating_add(self.moments.offset).saturating_sub(grid.start);
        let step = grid.step.unsigned_abs();
        let from = if after <= 0 { 0 } else { after.unsigned_abs().div_ceil(step) };
        let old = after.saturating_add(self.range_ns);
        if old <= 0 {
            return None;
        }
        let to = (old.unsigned_abs() - 1) / step;
        let from = usize::try_from(from).ok()?;
        let to = usize::try_from(to).unwrap_or(usize::MAX).min(grid.steps.checked_sub(1)?);
        (from <= to).then_some((from, to))
    }

    /// The number of the line that just came out; 0 without `unwrap`. `None` where it has none or is filtered out.
    fn unwrapped(&mut self, at_ns: i64) -> Option<f64> {
        let Some(unwrap) = self.unwrap else { return Some(0.0) };
        let fields = &mut self.pipeline.fields;
        let value = unwrap.value(fields)?;
        let mut line = Line { at_ns, bytes: std::borrow::Cow::Borrowed(b"") };
        unwrap.filters.iter().all(|filter| filter.run(&mut line, fields)).then_some(value)
    }

    /// The series of the line that just came out.
    fn place(&mut self, labels: &Arc<LabelSet>) -> Result<usize, QueryError> {
        let fields = &mut self.pipeline.fields;
        if fields.is_fatal() {
            return Err(pipeline_error(fields, &mut self.key));
        }
        let untouched = fields.untouched();
        if let Some((stream, place)) = &self.last
            && untouched
            && Arc::ptr_eq(stream, labels)
        {
            return Ok(*place);
        }
        let cut = fields.finish(self.grouping.as_ref(), &mut self.key);
        if cut.labels {
            return Err(QueryError::TooMuch {
                message: format!(
                    "lines have more than {} labels: group by those you need, as in sum by (...), or name them, as in \
                     json a=\"b\"",
                    muster_common::limits::LABELS_MAX
                ),
            });
        }
        self.values_cut |= cut.values;
        let place = match self.places.get(&*self.key) {
            Some(place) => *place,
            None => {
                let place = self.series.len();
                self.places.insert(self.key.as_slice().into(), place);
                self.series.push(Collected {
                    labels: SeriesLabels::of_subset(&self.key),
                    first: 0,
                    changes: Vec::new(),
                    times: Vec::new(),
                    values: Vec::new(),
                });
                place
            }
        };
        if untouched {
            self.last = Some((Arc::clone(labels), place));
        }
        Ok(place)
    }
}

/// The labels that anyone looks at, where that is known.
fn wanted(range: &RangeAggregation, grouping: Option<&Grouping>) -> Wanted {
    let Some(grouping) = grouping.filter(|grouping| !grouping.without) else { return Wanted::All };
    let mut names = grouping.labels.clone();
    range.log.stages.iter().for_each(|stage| stage.reads(&mut names));
    if let Some(unwrap) = &range.unwrap {
        names.push(unwrap.label.clone());
        unwrap.filters.iter().for_each(|filter| filter.reads(&mut names));
    }
    names.sort_unstable();
    names.dedup();
    Wanted::Only(names)
}

fn pipeline_error(fields: &mut Fields, key: &mut Vec<u8>) -> QueryError {
    let error = fields.error();
    fields.finish(None, key);
    let labels = SeriesLabels::of_subset(key);
    QueryError::Pipeline {
        message: format!(
            "pipeline error: '{error}' for series: '{labels}'.\n\
             Use a label filter to intentionally skip this error. (e.g | __error__!=\"{error}\").\n\
             To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
             The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
        ),
    }
}
