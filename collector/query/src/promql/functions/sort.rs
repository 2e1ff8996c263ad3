//! Order by value. A range answer is always by labels, so there it has no effect.

use std::cmp::Ordering;

use crate::error::QueryError;
use crate::promql::ast::Call;
use crate::promql::eval::{Evaluator, Grid, Out, Row};

pub(crate) fn sort(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    ordered(evaluator, call, grid, |a, b| a.partial_cmp(&b))
}

pub(crate) fn sort_desc(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    ordered(evaluator, call, grid, |a, b| b.partial_cmp(&a))
}

/// NaN comes last either way.
fn ordered(
    evaluator: &mut Evaluator<'_>,
    call: &Call,
    grid: Grid,
    compare: fn(f64, f64) -> Option<Ordering>,
) -> Result<Out, QueryError> {
    let mut rows = evaluator.vector(&call.args[0], grid)?;
    if grid.steps == 1 {
        let value = |row: &Row| row.get(0).unwrap_or(f64::NAN);
        rows.rows.sort_by(|a, b| {
            let (a, b) = (value(a), value(b));
            a.is_nan().cmp(&b.is_nan()).then(compare(a, b).unwrap_or(Ordering::Equal))
        });
        rows.ordered = true;
    }
    Ok(Out::Rows(rows))
}
