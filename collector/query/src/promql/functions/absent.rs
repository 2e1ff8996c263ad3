//! Absence: one series of ones where there is nothing.

use crate::error::QueryError;
use crate::promql::ast::{Call, Expr, Kind};
use crate::promql::eval::{ABSENT, Evaluator, Grid, Out, Row, Rows, SeriesLabels};
use crate::vector::labels::labels_sought;

pub(crate) fn absent(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let rows = evaluator.vector(&call.args[0], grid)?;
    let mut ones = vec![1.0; grid.steps];
    rows.rows.iter().flat_map(Row::points).for_each(|(step, _)| ones[step] = ABSENT);
    answer(&call.args[0], &ones)
}

pub(crate) fn absent_over_time(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let mut ones = vec![1.0; grid.steps];
    evaluator.each_series(&call.args[0], grid, |_, _, _, windows| {
        for ((from, to), one) in windows.bounds.iter().zip(&mut ones) {
            if from < to {
                *one = ABSENT;
            }
        }
        Ok(())
    })?;
    answer(&call.args[0], &ones)
}

fn answer(arg: &Expr, ones: &[f64]) -> Result<Out, QueryError> {
    let matchers = match &arg.bare().kind {
        Kind::Selector(selector) => &selector.matchers[..],
        Kind::Range(range) => &range.selector.matchers[..],
        _ => &[],
    };
    let labels = SeriesLabels::none().with(&labels_sought(matchers))?;
    Ok(Out::Rows(Rows::new(Row::cut(labels, ones).into_iter().collect())))
}
