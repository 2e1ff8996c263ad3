//! Absence: one series of ones where there is nothing.

use std::collections::BTreeMap;

use muster_common::label::NAME;
use muster_common::matcher::{Matcher, Test};

use crate::error::QueryError;
use crate::promql::ast::{Call, Expr, Kind};
use crate::promql::eval::{ABSENT, Evaluator, Grid, Out, Row, Rows, SeriesLabels};

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
    let labels = SeriesLabels::none().with(&known(matchers))?;
    Ok(Out::Rows(Rows::new(Row::cut(labels, ones).into_iter().collect())))
}

/// The labels that the missing series would have: what is matched to be equal, and by one matcher only. (As in
/// Prometheus, only matchers after the equal one make it doubtful.)
fn known(matchers: &[Matcher]) -> Vec<(&str, &str)> {
    let mut labels: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != NAME) {
        match (&matcher.test, labels.get_mut(matcher.name.as_str())) {
            (_, Some(known)) => *known = None,
            (Test::Equal(value), None) => drop(labels.insert(&matcher.name, Some(value))),
            _ => {}
        }
    }
    labels.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
