//! The walk over the tree of a metric query.

use std::ops::ControlFlow;
use std::sync::Arc;

use muster_common::label::LabelSet;

use crate::error::QueryError;
use crate::limits::{Control, Limits};
use crate::logql::ast::{Aggregate, Kind, LogExpr, RangeAggregation, VectorOp};
use crate::logql::eval::aggregate::aggregate;
use crate::logql::eval::collect::{Collected, Collector};
use crate::logql::eval::range_ops::{OfLines, OfValues};
use crate::logql::pipeline::needles;
use crate::logql::source::{FetchLogs, LogLine, LogOrder, LogRequest, LogSourceError};
use crate::value::LogStats;
use crate::vector::binary::{Operate, Operator, operate};
use crate::vector::grid::{Grid, Moments};
use crate::vector::labels::{SeriesLabels, labels_sought};
use crate::vector::meter::Meter;
use crate::vector::ops::{AggregateOp, Grouping};
use crate::vector::relabel::Replacement;
use crate::vector::rows::{ABSENT, Out, Row, Rows, Scalar};
use crate::vector::window::{Scratch, Windows, bound};

/// Units of the grid in a second: it counts nanoseconds.
const PER_SECOND: f64 = 1e9;

/// One query in evaluation.
pub(crate) struct Evaluator<'a> {
    pub(crate) fetch: &'a FetchLogs<'a>,
    pub(crate) limits: &'a Limits,
    pub(crate) control: Control,
    pub(crate) stats: LogStats,
    /// Texts of labels were cut to the length that a label may have.
    pub(crate) values_cut: bool,
    /// Cells of the rows held now, and samples in the making.
    cells: usize,
}

impl Meter for Evaluator<'_> {
    fn control(&self) -> &Control {
        &self.control
    }

    fn grow(&mut self, cells: usize) -> Result<(), QueryError> {
        self.cells = self.cells.saturating_add(cells);
        if self.cells <= self.limits.samples_max {
            return Ok(());
        }
        Err(QueryError::TooMuch {
            message: format!(
                "query processing would load too many samples into memory in query execution: more than {}; select \
                 fewer streams or a shorter time, or write sum by (...) around the function",
                self.limits.samples_max
            ),
        })
    }
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(fetch: &'a FetchLogs<'a>, limits: &'a Limits, control: Control) -> Self {
        Self { fetch, limits, control, stats: LogStats::default(), values_cut: false, cells: 0 }
    }

    /// The value at each step of a grid in nanoseconds.
    pub(crate) fn eval(&mut self, expr: &LogExpr, grid: Grid) -> Result<Out, QueryError> {
        self.control.check()?;
        let before = self.cells;
        let out = match &expr.kind {
            Kind::Number(value) => Out::Scalar(Scalar::Constant(*value)),
            Kind::Vector(value) => {
                self.grow(grid.steps)?;
                let row = Row::cut(SeriesLabels::none(), &vec![*value; grid.steps]);
                Out::Rows(Rows::new(row.into_iter().collect()))
            }
            Kind::Paren(inner) => self.eval(inner, grid)?,
            Kind::Range(range) => Out::Rows(self.range(range, None, grid)?),
            Kind::Aggregate(own) => {
                let rows = self.grouped(own, grid)?;
                Out::Rows(aggregate(own, rows, grid.steps, self)?)
            }
            Kind::Binary(_) => self.chain(expr, grid)?,
            Kind::Replace(replace) => {
                let [to, replacement, from, pattern] = &replace.texts;
                let rows = self.rows(&replace.inner, grid)?;
                Out::Rows(Replacement::new(to, replacement, from, pattern)?.apply(rows)?)
            }
            Kind::Lines(_) => return Err(QueryError::execution("internal error: lines where numbers belong")),
        };
        self.cells = before;
        self.grow(out.cells())?;
        Ok(out)
    }

    fn rows(&mut self, expr: &LogExpr, grid: Grid) -> Result<Rows, QueryError> {
        match self.eval(expr, grid)? {
            Out::Rows(rows) => Ok(rows),
            _ => Err(QueryError::execution("internal error: a number where a vector belongs")),
        }
    }

    /// The inside of an aggregation. `sum by (...)` of counts groups lines at once: fewer series, and fewer labels to
    /// extract.
    fn grouped(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Rows, QueryError> {
        match &aggregate.inner.bare().kind {
            Kind::Range(range)
                if aggregate.op == VectorOp::Fold(AggregateOp::Sum) && range.op.adds_up && range.grouping.is_none() =>
            {
                let grouping = aggregate.grouping.clone().unwrap_or_default();
                self.range(range, Some(&grouping), grid)
            }
            _ => self.rows(&aggregate.inner, grid),
        }
    }

    /// Operators in a row: the tree leans to the left as deep as there are operators, so it is walked by a loop.
    fn chain(&mut self, expr: &LogExpr, grid: Grid) -> Result<Out, QueryError> {
        let mut chain = Vec::new();
        let mut node = expr;
        while let Kind::Binary(binary) = &node.kind {
            chain.push(binary);
            node = &binary.lhs;
        }
        let mut left = self.eval(node, grid)?;
        while let Some(binary) = chain.pop() {
            let right = self.eval(&binary.rhs, grid)?;
            let operator = Operator {
                op: binary.op,
                operate: Operate::of_log(binary.op),
                as_bool: binary.as_bool,
                matching: &binary.matching,
            };
            left = operate(&operator, left, right, grid.steps, self)?;
        }
        Ok(left)
    }

    fn range(&mut self, range: &RangeAggregation, pushed: Option<&Grouping>, grid: Grid) -> Result<Rows, QueryError> {
        let moments = Moments { grid, fixed: None, offset: range.offset_ns };
        let (from_ns, to_ns) = reading(range, grid)?;
        let mut collector = Collector::new(range, pushed, moments);
        let needles = needles(&range.log);
        let request = LogRequest {
            matchers: &range.log.matchers,
            from_ns,
            to_ns,
            order: LogOrder::ByStream,
            needles: &needles,
            streams_max: self.limits.series_max,
            bytes_max: self.limits.log_bytes_max,
        };
        self.read(&request, |evaluator, labels, line| collector.take(labels, line, evaluator))?;
        self.values_cut |= collector.values_cut;
        let absence = matches!(range.op.lines, Some(OfLines::Absence));
        if absence {
            let mut ones = vec![1.0; grid.steps];
            for step in collector.series.iter().flat_map(|series| series.steps(grid.steps)) {
                ones[step] = ABSENT;
            }
            let labels = SeriesLabels::none().with(&labels_sought(&range.log.matchers))?;
            return Ok(Rows::new(Row::cut(labels, &ones).into_iter().collect()));
        }
        self.made_rows(range, collector.series, moments)
    }

    fn made_rows(
        &mut self,
        range: &RangeAggregation,
        series: Vec<Collected>,
        moments: Moments,
    ) -> Result<Rows, QueryError> {
        let mut rows = Vec::with_capacity(series.len());
        let mut cells = vec![ABSENT; moments.grid.steps];
        let (mut bounds, mut scratch) = (Vec::new(), Scratch::default());
        let param = [Scalar::Constant(range.param.unwrap_or(f64::NAN))];
        let control = self.control.clone();
        for mut one in series {
            self.control.check()?;
            cells.fill(ABSENT);
            match (&range.unwrap, range.op.values, range.op.lines) {
                (Some(_), Some(OfValues::Kernel(kernel)), _) => {
                    one.sort();
                    bound(&one.times, moments, range.range_ns, &mut bounds);
                    let windows = Windows {
                        times: &one.times,
                        values: &one.values,
                        bounds: &bounds,
                        moments,
                        range: range.range_ns,
                        per_second: PER_SECOND,
                        control: &control,
                    };
                    kernel(&windows, &param, &mut scratch, &mut cells);
                }
                (_, _, Some(OfLines::Count { bytes, per_second })) => {
                    #[expect(clippy::cast_precision_loss, reason = "a range is far below 2^53 ms")]
                    let unit = if per_second { range.range_ns as f64 / PER_SECOND } else { 1.0 };
                    one.count(bytes, unit, &mut cells);
                }
                _ => {}
            }
            if let Some(row) = Row::cut(one.labels, &cells) {
                self.grow(row.values.len())?;
                rows.push(row);
            }
        }
        self.control.check()?;
        Ok(Rows::new(rows))
    }

    /// Reads lines until there are no more or `take` fails.
    pub(crate) fn read(
        &mut self,
        request: &LogRequest<'_>,
        mut take: impl FnMut(&mut Self, &Arc<LabelSet>, &LogLine<'_>) -> Result<ControlFlow<()>, QueryError>,
    ) -> Result<(), QueryError> {
        let mut failure = None;
        let fetch = self.fetch;
        let mut last: Option<Arc<LabelSet>> = None;
        let fetched = fetch(request, &mut |labels, line| {
            self.stats.lines += 1;
            self.stats.bytes += line.line.len() as u64;
            if last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, labels)) {
                self.stats.changes += 1;
                last = Some(Arc::clone(labels));
            }
            let taken = if self.stats.lines.is_multiple_of(UNCHECKED_LINES) { self.control.check() } else { Ok(()) };
            match taken.and_then(|()| take(self, labels, line)) {
                Ok(flow) => flow,
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        fetched.map_err(|error| match error {
            LogSourceError::TooMuch(message) => QueryError::TooMuch { message },
            // The source sees the flag alone; whether the time is over only the control knows.
            LogSourceError::Cancelled => self.control.check().err().unwrap_or(QueryError::Cancelled),
            LogSourceError::Failed(message) => QueryError::Source { message },
        })
    }
}

/// Lines between two looks at the clock: about a millisecond's worth.
const UNCHECKED_LINES: u64 = 4_096;

/// The times of the lines that any step looks at: first included, last excluded.
fn reading(range: &RangeAggregation, grid: Grid) -> Result<(i64, i64), QueryError> {
    let from = grid
        .start
        .checked_sub(range.offset_ns)
        .and_then(|at| at.checked_sub(range.range_ns))
        .and_then(|at| at.checked_add(1));
    let to = grid.last().checked_sub(range.offset_ns).and_then(|at| at.checked_add(1));
    from.zip(to).ok_or_else(|| QueryError::BadData {
        message: "the window or offset reaches beyond the years 1677 to 2262: make it shorter".into(),
    })
}
