//! Subqueries: an instant expression evaluated over a grid of its own, whose rows are then windowed like samples.

use crate::error::QueryError;
use crate::promql::ast::Subquery;
use crate::promql::eval::evaluator::Evaluator;
use crate::vector::grid::Grid;
use crate::vector::rows::Rows;

impl Evaluator<'_> {
    /// The grid on which the inside is evaluated: multiples of its step, whatever the outer steps are, so that one
    /// evaluation serves all windows.
    pub(crate) fn subgrid(&self, subquery: &Subquery, grid: Grid) -> Grid {
        let usual = i64::try_from(self.limits.subquery_step.as_millis()).unwrap_or(60_000).max(1);
        let step = subquery.step_ms.unwrap_or(usual);
        self.moments(subquery.shift, grid).subgrid(subquery.range_ms, step)
    }

    /// The inside's rows with their grid.
    pub(crate) fn subquery_rows(&mut self, subquery: &Subquery, grid: Grid) -> Result<(Rows, Grid), QueryError> {
        let inner = self.subgrid(subquery, grid);
        if inner.steps > self.limits.samples_max {
            return Err(QueryError::TooMuch {
                message: format!(
                    "subquery has {} steps, more than the limit of {}: give it a longer step or a shorter range",
                    inner.steps, self.limits.samples_max
                ),
            });
        }
        Ok((self.vector(&subquery.inner, inner)?, inner))
    }
}
