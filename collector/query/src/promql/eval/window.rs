//! The windows of range selectors and subqueries.

use muster_common::sample::{MetricKind, is_stale};

use crate::error::QueryError;
use crate::promql::ast::{Call, Expr, Kind, ValueType};
use crate::promql::eval::evaluator::Evaluator;
use crate::promql::functions::Run;
use crate::vector::grid::Grid;
use crate::vector::labels::SeriesLabels;
use crate::vector::rows::{ABSENT, Row, Rows, Scalar};
use crate::vector::window::{Windows, bound};

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
                    let windows = Windows {
                        times,
                        values,
                        bounds,
                        moments,
                        range: range.range_ms,
                        per_second: 1000.0,
                        control: &control,
                    };
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
                    let windows = Windows {
                        times,
                        values,
                        bounds,
                        moments,
                        range: subquery.range_ms,
                        per_second: 1000.0,
                        control: &control,
                    };
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
            let got = crate::text::write::Number(q);
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
