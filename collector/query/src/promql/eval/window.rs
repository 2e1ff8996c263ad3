//! Windows over samples. For each series the bounds of all windows are found in one pass; a kernel then yields one
//! value a step from plain arrays.

use muster_common::sample::{MetricKind, is_stale};

use crate::error::QueryError;
use crate::limits::Control;
use crate::promql::ast::{Call, Expr, Kind, ValueType};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::eval::grid::{Grid, Moments};
use crate::promql::eval::labels::SeriesLabels;
use crate::promql::eval::rows::{ABSENT, Row, Rows, Scalar};
use crate::promql::functions::Run;

/// All windows of one series.
pub(crate) struct Windows<'a> {
    pub(crate) times: &'a [i64],
    /// As many as times; no stale markers.
    pub(crate) values: &'a [f64],
    /// For each step the samples in its window: from the first to before the second. Neither ever falls.
    pub(crate) bounds: &'a [(usize, usize)],
    pub(crate) moments: Moments,
    pub(crate) range_ms: i64,
    control: &'a Control,
}

/// The window of one step, at least one sample in it.
pub(crate) struct Window<'a> {
    pub(crate) step: usize,
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
}

/// One value a step from windows and scalar arguments, into cells that are absent at first.
pub(crate) type Kernel = fn(&Windows<'_>, &[Scalar], &mut Scratch, &mut [f64]);

/// Buffers that kernels use again from series to series.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) marks: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// Samples a kernel may look at between two looks at the clock: some milliseconds' worth.
const UNCHECKED_SAMPLES: usize = 1 << 22;

impl<'a> Windows<'a> {
    /// A value from each window by itself. Stops when the query must stop; the caller sees the same and fails.
    #[inline]
    pub(crate) fn each(&self, out: &mut [f64], mut value: impl FnMut(Window<'a>) -> Option<f64>) {
        let mut looked_at = 0;
        for (step, ((from, to), cell)) in self.bounds.iter().copied().zip(out).enumerate() {
            if from == to {
                continue;
            }
            looked_at += to - from;
            if looked_at > UNCHECKED_SAMPLES {
                looked_at = 0;
                if self.control.check().is_err() {
                    return;
                }
            }
            let window = Window { step, times: &self.times[from..to], values: &self.values[from..to] };
            if let Some(value) = value(window) {
                *cell = value;
            }
        }
    }

    /// The window of a step: open at the start, closed at the end.
    pub(crate) fn span(&self, step: usize) -> (i64, i64) {
        let end = self.moments.at(step);
        (end - self.range_ms, end)
    }
}

/// Finds each step's window.
fn bound(times: &[i64], moments: Moments, range_ms: i64, bounds: &mut Vec<(usize, usize)>) {
    bounds.clear();
    let Some(first) = (moments.grid.steps > 0).then(|| moments.at(0)) else { return };
    let mut from = times.partition_point(|time| *time <= first - range_ms);
    let mut to = times.partition_point(|time| *time <= first);
    for step in 0..moments.grid.steps {
        let end = moments.at(step);
        while times.get(to).is_some_and(|time| *time <= end) {
            to += 1;
        }
        while from < to && times[from] <= end - range_ms {
            from += 1;
        }
        bounds.push((from, to));
    }
}

#[derive(Default)]
struct Buffers {
    times: Vec<i64>,
    values: Vec<f64>,
    bounds: Vec<(usize, usize)>,
}

impl Evaluator<'_> {
    /// Shows the windows of each series of a range vector.
    pub(crate) fn each_series(
        &mut self,
        arg: &Expr,
        grid: Grid,
        mut see: impl FnMut(&mut Self, &SeriesLabels, MetricKind, &Windows<'_>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut buffers = Buffers::default();
        let control = self.control.clone();
        match &arg.bare().kind {
            Kind::Range(range) => {
                let moments = self.moments(range.selector.shift, grid);
                let columns = self.columns(range.selector.id)?;
                for one in columns.iter() {
                    let (times, values) = live(&one.millis, &one.values, &mut buffers.times, &mut buffers.values);
                    bound(times, moments, range.range_ms, &mut buffers.bounds);
                    let bounds = &buffers.bounds;
                    let windows =
                        Windows { times, values, bounds, moments, range_ms: range.range_ms, control: &control };
                    see(self, &SeriesLabels::new(one.labels.clone()), one.kind, &windows)?;
                    self.control.check()?;
                }
            }
            Kind::Subquery(subquery) => {
                let moments = self.moments(subquery.shift, grid);
                let (rows, inner) = self.subquery_rows(subquery, grid)?;
                for row in rows.rows {
                    buffers.times.clear();
                    buffers.values.clear();
                    for (step, value) in row.points() {
                        buffers.times.push(inner.at(step));
                        buffers.values.push(value);
                    }
                    bound(&buffers.times, moments, subquery.range_ms, &mut buffers.bounds);
                    let (times, values, bounds) = (&buffers.times[..], &buffers.values[..], &buffers.bounds);
                    let windows =
                        Windows { times, values, bounds, moments, range_ms: subquery.range_ms, control: &control };
                    see(self, &row.labels, MetricKind::Untyped, &windows)?;
                    self.control.check()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A function of windows.
    pub(crate) fn over_windows(&mut self, call: &Call, expr: &Expr, grid: Grid) -> Result<Rows, QueryError> {
        let (Run::Window(kernel) | Run::Counter(kernel) | Run::Quantile(kernel) | Run::Named(kernel)) =
            call.function.run
        else {
            return Ok(Rows::default());
        };
        let mut scalars = Vec::new();
        for arg in call.args.iter().filter(|arg| arg.ty == ValueType::Scalar) {
            scalars.push(self.scalar(arg, grid)?);
        }
        let Some(arg) = call.args.iter().find(|arg| arg.ty == ValueType::Matrix) else { return Ok(Rows::default()) };
        let mut rows = Vec::new();
        let mut cells = vec![ABSENT; grid.steps];
        let mut suspects = Vec::new();
        self.each_series(arg, grid, |evaluator, labels, kind, windows| {
            cells.fill(ABSENT);
            kernel(windows, &scalars, &mut evaluator.scratch, &mut cells);
            let Some(row) = Row::cut(labels.clone(), &cells) else { return Ok(()) };
            evaluator.grow(row.values.len())?;
            if matches!(call.function.run, Run::Counter(_)) && !is_counter(labels, kind) {
                note_name(labels, &mut suspects);
            }
            rows.push(row);
            Ok(())
        })?;
        for name in suspects {
            let text =
                format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}");
            self.notes.info(arg.span.start, &text);
        }
        if matches!(call.function.run, Run::Quantile(_)) && !rows.is_empty() {
            self.check_quantile(&scalars[0], grid, call.args.first().map_or(expr.span.start, |arg| arg.span.start));
        }
        let mut rows = Rows::new(rows);
        if !matches!(call.function.run, Run::Named(_)) {
            rows.drop_names_strictly()?;
        }
        Ok(rows)
    }

    /// Warns where a quantile is outside of 0 to 1.
    pub(crate) fn check_quantile(&mut self, quantile: &Scalar, grid: Grid, at: usize) {
        let steps = if matches!(quantile, Scalar::Constant(_)) { grid.steps.min(1) } else { grid.steps };
        for q in (0..steps).map(|step| quantile.at(step)).filter(|q| !(0.0..=1.0).contains(q)) {
            let got = crate::promql::print::Number(q);
            self.notes.warn(at, &format!("quantile value should be between 0 and 1, got {got}"));
        }
    }
}

/// The samples without stale markers: the columns themselves where there are none.
fn live<'a>(
    times: &'a [i64],
    values: &'a [f64],
    kept_times: &'a mut Vec<i64>,
    kept_values: &'a mut Vec<f64>,
) -> (&'a [i64], &'a [f64]) {
    if !values.iter().any(|value| is_stale(*value)) {
        return (times, values);
    }
    kept_times.clear();
    kept_values.clear();
    for (time, value) in times.iter().zip(values).filter(|(_, value)| !is_stale(**value)) {
        kept_times.push(*time);
        kept_values.push(*value);
    }
    (kept_times, kept_values)
}

/// Whether it is a counter by what its sender says, or by its name, as Prometheus judges.
fn is_counter(labels: &SeriesLabels, kind: MetricKind) -> bool {
    let name = labels.get(muster_common::label::NAME);
    matches!(kind, MetricKind::Counter | MetricKind::Histogram | MetricKind::Summary)
        || name.is_empty()
        || ["_total", "_sum", "_count", "_bucket"].iter().any(|ending| name.ends_with(ending))
}

fn note_name(labels: &SeriesLabels, names: &mut Vec<String>) {
    let name = labels.get(muster_common::label::NAME);
    if names.last().is_none_or(|last| last != name) {
        names.push(name.to_owned());
    }
}
