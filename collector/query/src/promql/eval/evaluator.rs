//! The walk over the tree.

use std::rc::Rc;

use crate::error::QueryError;
use crate::limits::{Control, Limits};
use crate::promql::ast::{At, Call, Expr, Kind, Shift, Unary};
use crate::promql::eval::notes::Notes;
use crate::promql::eval::select::Selections;
use crate::promql::functions::Run;
use crate::source::{Columns, Fetch};
use crate::vector::grid::{Grid, Moments};
use crate::vector::meter::Meter;
use crate::vector::rows::{Out, Rows, Scalar};
use crate::vector::window::Scratch;

/// One query in evaluation.
pub(crate) struct Evaluator<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) control: Control,
    pub(crate) notes: Notes,
    pub(crate) scratch: Scratch,
    selections: Selections<'a>,
    /// First and last step of the whole query: what `@ start()` and `@ end()` mean, in subqueries too.
    ends: (i64, i64),
    /// Cells of the rows held now; with the samples loaded it stays below the limit.
    cells: usize,
}

impl<'a> Evaluator<'a> {
    /// Plans what to read for this expression over this grid; reads nothing yet.
    pub(crate) fn new(
        query: &str,
        expr: &Expr,
        grid: Grid,
        fetch: &'a Fetch<'a>,
        limits: &'a Limits,
        control: Control,
    ) -> Self {
        let mut evaluator = Self {
            limits,
            control,
            notes: Notes::of(query),
            scratch: Scratch::default(),
            selections: Selections::new(fetch),
            ends: (grid.start, grid.last()),
            cells: 0,
        };
        let mut needs = Vec::new();
        evaluator.collect(expr, grid, &mut needs);
        evaluator.selections.plan(needs);
        evaluator
    }

    pub(crate) fn eval(&mut self, expr: &Expr, grid: Grid) -> Result<Out, QueryError> {
        self.control.check()?;
        if expr.invariant && grid.steps > 1 {
            let out = self.eval(expr, grid.first())?;
            return self.repeat(out, grid.steps);
        }
        let before = self.cells;
        let out = match &expr.kind {
            Kind::Number(value) => Out::Scalar(Scalar::Constant(*value)),
            Kind::Text(text) => Out::Text(text.clone()),
            Kind::Selector(selector) => Out::Rows(self.instant_rows(selector, grid)?),
            Kind::Call(call) => self.call(call, expr, grid)?,
            Kind::Aggregate(aggregate) => Out::Rows(self.aggregate(aggregate, grid)?),
            Kind::Binary(_) => self.binary_chain(expr, grid)?,
            Kind::Unary(unary) => self.unary(unary, grid)?,
            Kind::Paren(inner) => self.eval(inner, grid)?,
            Kind::Range(_) | Kind::Subquery(_) => return Err(misfit("a range vector")),
        };
        self.hold(before, &out)?;
        Ok(out)
    }

    pub(crate) fn vector(&mut self, expr: &Expr, grid: Grid) -> Result<Rows, QueryError> {
        match self.eval(expr, grid)? {
            Out::Rows(rows) => Ok(rows),
            _ => Err(misfit("no instant vector")),
        }
    }

    pub(crate) fn scalar(&mut self, expr: &Expr, grid: Grid) -> Result<Scalar, QueryError> {
        match self.eval(expr, grid)? {
            Out::Scalar(scalar) => Ok(scalar),
            _ => Err(misfit("no scalar")),
        }
    }

    pub(crate) fn text<'e>(&self, expr: &'e Expr) -> Result<&'e str, QueryError> {
        match &expr.bare().kind {
            Kind::Text(text) => Ok(text),
            _ => Err(misfit("no string")),
        }
    }

    /// The times that a selector or subquery shifted so looks from.
    pub(crate) fn moments(&self, shift: Shift, grid: Grid) -> Moments {
        let fixed = shift.at.map(|at| match at {
            At::Millis(ms) => ms,
            At::Start => self.ends.0,
            At::End => self.ends.1,
        });
        Moments { grid, fixed, offset: shift.offset_ms }
    }

    /// First and last time of the samples that the query looks at; `None` when it needs none.
    pub(crate) fn reads(&self) -> Option<(i64, i64)> {
        self.selections.ends()
    }

    /// The samples of a selector, read at its first use and let go with its last.
    pub(crate) fn columns(&mut self, selector: usize) -> Result<Rc<Vec<Columns>>, QueryError> {
        let room = self.limits.samples_max.saturating_sub(self.cells);
        self.selections.columns(selector, self.limits.series_max, room)
    }

    /// Counts cells in the making.
    pub(crate) fn grow(&mut self, cells: usize) -> Result<(), QueryError> {
        self.cells = self.cells.saturating_add(cells);
        self.check_cells()
    }

    /// Counts what a node leaves behind instead of what it used.
    pub(crate) fn hold(&mut self, before: usize, out: &Out) -> Result<(), QueryError> {
        self.cells = before + out.cells();
        self.check_cells()
    }

    fn check_cells(&self) -> Result<(), QueryError> {
        if self.cells.saturating_add(self.selections.loaded()) <= self.limits.samples_max {
            return Ok(());
        }
        Err(QueryError::TooMuch {
            message: format!(
                "query processing would load too many samples into memory in query execution: more than {}; \
                 select fewer series or a shorter time",
                self.limits.samples_max
            ),
        })
    }

    /// One step's value at every step.
    fn repeat(&mut self, out: Out, steps: usize) -> Result<Out, QueryError> {
        Ok(match out {
            Out::Rows(mut rows) => {
                self.grow(rows.rows.len().saturating_mul(steps))?;
                for row in &mut rows.rows {
                    let value = row.values[0];
                    row.values.resize(steps, value);
                }
                Out::Rows(rows)
            }
            Out::Scalar(scalar) => Out::Scalar(Scalar::Constant(scalar.at(0))),
            text @ Out::Text(_) => text,
        })
    }

    fn unary(&mut self, unary: &Unary, grid: Grid) -> Result<Out, QueryError> {
        let mut out = self.eval(&unary.inner, grid)?;
        if unary.minus {
            match &mut out {
                Out::Scalar(scalar) => *scalar = scalar.zip(&Scalar::Constant(0.0), |value, _| -value),
                Out::Rows(rows) => {
                    rows.map(|_, value| Some(-value));
                    rows.drop_names_strictly()?;
                }
                Out::Text(_) => return Err(misfit("no number")),
            }
        }
        Ok(out)
    }

    fn call(&mut self, call: &Call, expr: &Expr, grid: Grid) -> Result<Out, QueryError> {
        match call.function.run {
            Run::Map(run) => {
                let mut rows = self.vector(&call.args[0], grid)?;
                rows.map(|_, value| Some(run(value)));
                rows.drop_names_merging()?;
                Ok(Out::Rows(rows))
            }
            Run::MapWith(run) => {
                let mut rows = self.vector(&call.args[0], grid)?;
                let scalars = call.args[1..].iter().map(|arg| self.scalar(arg, grid));
                let scalars = scalars.collect::<Result<Vec<_>, _>>()?;
                let mut now = vec![0.0; scalars.len()];
                rows.map(|step, value| {
                    now.iter_mut().zip(&scalars).for_each(|(now, scalar)| *now = scalar.at(step));
                    run(value, &now)
                });
                rows.drop_names_merging()?;
                Ok(Out::Rows(rows))
            }
            Run::Moment(run) => {
                Ok(Out::Scalar(Scalar::Steps((0..grid.steps).map(|step| run(grid.at(step))).collect())))
            }
            Run::Date(run) => self.date(call, run, grid),
            Run::Window(_) | Run::Counter(_) | Run::Quantile(_) | Run::Named(_) => {
                Ok(Out::Rows(self.over_windows(call, expr, grid)?))
            }
            Run::Whole(run) => run(self, call, grid),
        }
    }
}

impl Meter for Evaluator<'_> {
    fn control(&self) -> &Control {
        &self.control
    }

    fn grow(&mut self, cells: usize) -> Result<(), QueryError> {
        Self::grow(self, cells)
    }
}

/// The types of every tree were tested before; this says so instead of panicking if a test is missing.
fn misfit(what: &str) -> QueryError {
    QueryError::execution(format!("internal error: {what} where another type belongs; please report the query"))
}
