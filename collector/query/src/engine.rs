//! The engine: parses, evaluates, and makes the answer. With `log_engine` the only file that knows the store.

use muster_store::{Select, SelectError, SelectLimits, SeriesColumns, View};

use crate::error::QueryError;
use crate::limits::{Control, Limits};
use crate::memory::MemorySeries;
use crate::parse::parse;
use crate::prepared::Prepared;
use crate::promql::ast::{Expr, ValueType};
use crate::promql::eval::{Evaluator, Grid, Out, Row, Rows, SeriesLabels, compare};
use crate::source::{Columns, Fetch, Request, SourceError};
use crate::value::{Answer, Point, Series, Value};

/// Times beyond this many milliseconds (some 290,000 years) are refused, so that no sum of times overflows.
const TIME_MS_MAX: i64 = i64::MAX / 1_000;

/// Answers PromQL and LogQL over views of the store. Holds limits only; any number of queries may run at a time.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    limits: Limits,
}

impl Engine {
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The value of an expression at one time. A range vector answers with its samples as they are.
    ///
    /// # Errors
    /// [`QueryError`], with Prometheus' texts and kinds.
    pub fn instant(&self, view: &View, query: &str, at_ms: i64, control: &Control) -> Result<Answer, QueryError> {
        let fetch = |request: &Request<'_>| select(view, request, control);
        self.instant_over(&fetch, query, at_ms, control).map(|answer| warned(answer, view))
    }

    /// As [`Engine::instant`], of an expression that was read before, with series of `over` in the answer that the view does not have yet.
    ///
    /// # Errors
    /// [`QueryError`] of limits and of reading.
    pub fn instant_prepared(
        &self,
        view: &View,
        over: &MemorySeries,
        query: &Prepared,
        at_ms: i64,
        control: &Control,
    ) -> Result<Answer, QueryError> {
        let fetch = |request: &Request<'_>| over.overlay(request, select(view, request, control)?);
        let answer = self.evaluate_instant(&fetch, &query.text, &query.expr, at_ms, control)?;
        Ok(warned(answer, view))
    }

    /// As [`Engine::instant_prepared`], over series in memory instead of a view.
    ///
    /// # Errors
    /// [`QueryError`] of limits.
    pub fn instant_memory(
        &self,
        memory: &MemorySeries,
        over: &MemorySeries,
        query: &Prepared,
        at_ms: i64,
        control: &Control,
    ) -> Result<Answer, QueryError> {
        let fetch = |request: &Request<'_>| over.overlay(request, memory.fetch(request)?);
        self.evaluate_instant(&fetch, &query.text, &query.expr, at_ms, control)
    }

    /// The value of an expression at `start_ms`, and each `step_ms` after it up to `end_ms`.
    ///
    /// # Errors
    /// [`QueryError`], with Prometheus' texts and kinds; more steps than [`Limits::points_max`] are refused.
    pub fn range(
        &self,
        view: &View,
        query: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
        control: &Control,
    ) -> Result<Answer, QueryError> {
        let fetch = |request: &Request<'_>| select(view, request, control);
        self.range_over(&fetch, query, (start_ms, end_ms, step_ms), control).map(|answer| warned(answer, view))
    }

    pub(crate) fn instant_over(
        &self,
        fetch: &Fetch<'_>,
        query: &str,
        at_ms: i64,
        control: &Control,
    ) -> Result<Answer, QueryError> {
        self.evaluate_instant(fetch, query, &parse(query)?, at_ms, control)
    }

    fn evaluate_instant(
        &self,
        fetch: &Fetch<'_>,
        query: &str,
        expr: &Expr,
        at_ms: i64,
        control: &Control,
    ) -> Result<Answer, QueryError> {
        in_time(at_ms)?;
        let grid = Grid::instant(at_ms);
        let mut evaluator = Evaluator::new(query, expr, grid, fetch, &self.limits, control.within(self.limits.timeout));
        let value = if expr.ty == ValueType::Matrix {
            Value::Matrix(by_labels(samples(&mut evaluator, expr, grid)?))
        } else {
            instant_value(evaluator.eval(expr, grid)?, at_ms)
        };
        let read = evaluator.reads();
        let (warnings, infos) = evaluator.notes.into_texts();
        Ok(Answer { value, warnings, infos, read })
    }

    pub(crate) fn range_over(
        &self,
        fetch: &Fetch<'_>,
        query: &str,
        (start_ms, end_ms, step_ms): (i64, i64, i64),
        control: &Control,
    ) -> Result<Answer, QueryError> {
        let bad = |message: String| Err(QueryError::BadData { message });
        in_time(start_ms)?;
        in_time(end_ms)?;
        if end_ms < start_ms {
            return bad("end timestamp must not be before start time".into());
        }
        if step_ms <= 0 {
            return bad("zero or negative query resolution step widths are not accepted. Try a positive integer".into());
        }
        let points = self.limits.points_max;
        if usize::try_from((end_ms - start_ms) / step_ms).unwrap_or(usize::MAX) > points {
            return bad(format!(
                "exceeded maximum resolution of {} points per timeseries. Try decreasing the query resolution (?step=XX)",
                thousands(points)
            ));
        }
        let expr = parse(query)?;
        if !matches!(expr.ty, ValueType::Vector | ValueType::Scalar) {
            return Err(QueryError::WrongType { found: expr.ty.to_string() });
        }
        let grid = Grid::between(start_ms, end_ms, step_ms);
        let mut evaluator =
            Evaluator::new(query, &expr, grid, fetch, &self.limits, control.within(self.limits.timeout));
        let out = evaluator.eval(&expr, grid)?;
        let value = Value::Matrix(by_labels(series_of(out, grid.steps, |step| grid.at(step))));
        let read = evaluator.reads();
        let (warnings, infos) = evaluator.notes.into_texts();
        Ok(Answer { value, warnings, infos, read })
    }
}

/// Reads one selector's samples from a view of the store.
fn select(view: &View, request: &Request<'_>, control: &Control) -> Result<Vec<Columns>, SourceError> {
    let select = Select {
        matchers: request.matchers,
        from_ms: request.from_ms,
        to_ms: request.to_ms,
        limits: SelectLimits { series_max: request.series_max, samples_max: request.samples_max },
        cancelled: Some(&control.cancelled),
    };
    let columns =
        |one: SeriesColumns| Columns { labels: one.labels, kind: one.kind, millis: one.millis, values: one.values };
    match view.select(&select) {
        Ok(series) => Ok(series.into_iter().map(columns).collect()),
        Err(SelectError::Cancelled) => Err(SourceError::Cancelled),
        Err(error @ (SelectError::TooManySeries { .. } | SelectError::TooManySamples { .. })) => {
            Err(SourceError::TooMuch(error.to_string()))
        }
        Err(error) => Err(SourceError::Failed(error.to_string())),
    }
}

/// The answer, with what the store could not read of it.
fn warned(mut answer: Answer, view: &View) -> Answer {
    answer.warnings.extend(view.warnings());
    answer
}

fn in_time(ms: i64) -> Result<(), QueryError> {
    if ms.saturating_abs() <= TIME_MS_MAX {
        return Ok(());
    }
    Err(QueryError::BadData { message: format!("time {ms} ms is out of range: give seconds since 1970") })
}

pub(crate) fn instant_value(out: Out, at_ms: i64) -> Value {
    match out {
        Out::Scalar(scalar) => Value::Scalar { at_ms, value: scalar.at(0) },
        Out::Text(value) => Value::String { at_ms, value },
        Out::Rows(Rows { rows, ordered }) => {
            let point = |row: Row| Some(Point { value: row.get(0)?, at_ms, labels: row.labels.to_set() });
            let mut points: Vec<Point> = rows.into_iter().filter_map(point).collect();
            if !ordered {
                points.sort_by(|a, b| compare(&a.labels, &b.labels));
            }
            Value::Vector(points)
        }
    }
}

/// A range vector by itself: the samples of its one window as they are.
fn samples(evaluator: &mut Evaluator<'_>, expr: &Expr, grid: Grid) -> Result<Vec<Series>, QueryError> {
    let mut all = Vec::new();
    evaluator.each_series(expr, grid, |evaluator, labels, _, windows| {
        let (from, to) = windows.bounds.first().copied().unwrap_or_default();
        if from < to {
            evaluator.grow(to - from)?;
            let (millis, values) = (windows.times[from..to].to_vec(), windows.values[from..to].to_vec());
            all.push(Series { labels: labels.to_set(), millis, values });
        }
        Ok(())
    })?;
    Ok(all)
}

/// The rows as series, with the milliseconds that `at` gives each step.
pub(crate) fn series_of(out: Out, steps: usize, at: impl Fn(usize) -> i64) -> Vec<Series> {
    let series = |labels: &SeriesLabels, points: &mut dyn Iterator<Item = (usize, f64)>| {
        let (millis, values) = points.map(|(step, value)| (at(step), value)).unzip();
        Series { labels: labels.to_set(), millis, values }
    };
    match out {
        Out::Rows(rows) => rows.rows.iter().map(|row| series(&row.labels, &mut row.points())).collect(),
        Out::Scalar(scalar) => {
            vec![series(&SeriesLabels::none(), &mut (0..steps).map(|step| (step, scalar.at(step))))]
        }
        Out::Text(_) => Vec::new(),
    }
}

pub(crate) fn by_labels(mut series: Vec<Series>) -> Vec<Series> {
    series.sort_by(|a, b| compare(&a.labels, &b.labels));
    series
}

/// `11000` as `11,000`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
