//! Order by value. A range answer is always by labels, so there it has no effect.

use crate::error::QueryError;
use crate::promql::ast::Call;
use crate::promql::eval::{Evaluator, Grid, Out};
use crate::vector::sort::by_value;

pub(crate) fn sort(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    Ok(Out::Rows(by_value(evaluator.vector(&call.args[0], grid)?, grid.steps, false)))
}

pub(crate) fn sort_desc(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    Ok(Out::Rows(by_value(evaluator.vector(&call.args[0], grid)?, grid.steps, true)))
}
