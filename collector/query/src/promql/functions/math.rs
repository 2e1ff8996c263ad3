//! Functions of single values, and the ways between vectors and scalars.

use crate::error::QueryError;
use crate::promql::ast::Call;
use crate::promql::eval::{ABSENT, Evaluator, Grid, Out, Row, Rows, Scalar, SeriesLabels};

pub(crate) fn sgn(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

pub(crate) fn rad(value: f64) -> f64 {
    value * std::f64::consts::PI / 180.0
}

pub(crate) fn deg(value: f64) -> f64 {
    value * 180.0 / std::f64::consts::PI
}

pub(crate) fn pi(_: i64) -> f64 {
    std::f64::consts::PI
}

/// An empty vector where the bounds have no room between them.
pub(crate) fn clamp(value: f64, scalars: &[f64]) -> Option<f64> {
    let (least, most) = (scalars[0], scalars[1]);
    if most < least { None } else { Some(greater(least, less(most, value))) }
}

pub(crate) fn clamp_min(value: f64, scalars: &[f64]) -> Option<f64> {
    Some(greater(scalars[0], value))
}

pub(crate) fn clamp_max(value: f64, scalars: &[f64]) -> Option<f64> {
    Some(less(scalars[0], value))
}

/// As Go's `math.Min` and `math.Max`, and unlike Rust's: the infinity on its own side where either is it, else NaN where either is NaN.
fn less(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

fn greater(a: f64, b: f64) -> f64 {
    -less(-a, -b)
}

/// To the nearest multiple, halves upwards. Multiplies by the inverse, which loses less.
pub(crate) fn round(value: f64, scalars: &[f64]) -> Option<f64> {
    let inverse = 1.0 / scalars.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

/// The value of the only series; NaN where there is none or more than one.
pub(crate) fn scalar(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let rows = evaluator.vector(&call.args[0], grid)?;
    let mut values = vec![f64::NAN; grid.steps];
    let mut counts = vec![0u8; grid.steps];
    for (step, value) in rows.rows.iter().flat_map(Row::points) {
        values[step] = if counts[step] == 0 { value } else { f64::NAN };
        counts[step] = 1;
    }
    Ok(Out::Scalar(Scalar::Steps(values)))
}

pub(crate) fn vector(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let scalar = evaluator.scalar(&call.args[0], grid)?;
    evaluator.grow(grid.steps)?;
    let mut values = vec![ABSENT; grid.steps];
    values.iter_mut().enumerate().for_each(|(step, value)| *value = scalar.at(step));
    Ok(Out::Rows(Rows::new(Row::cut(SeriesLabels::none(), &values).into_iter().collect())))
}
