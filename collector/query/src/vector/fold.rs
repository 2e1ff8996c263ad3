//! How the rows of one group become one value a step. Each runs row by row over plain arrays.

use crate::vector::ops::AggregateOp;
use crate::vector::rows::{Row, Scalar, is_absent};
use crate::vector::sum::{Mean, Sum};

/// Buffers used again from group to group.
#[derive(Default)]
pub(crate) struct Cells {
    lows: Vec<f64>,
    means: Vec<Option<Mean>>,
    spreads: Vec<Spread>,
}

/// Rows of one group into steps that are absent at first.
pub(crate) type Fold = fn(&[&Row], &mut Cells, &mut [f64]);

/// The fold of an aggregation that takes no parameter; those that take one have paths of their own.
pub(crate) fn of(op: AggregateOp) -> Fold {
    match op {
        AggregateOp::Sum => sum,
        AggregateOp::Avg => avg,
        AggregateOp::Min => min,
        AggregateOp::Max => max,
        AggregateOp::Count => count,
        AggregateOp::Stddev => stddev,
        AggregateOp::Stdvar => stdvar,
        _ => group,
    }
}

/// Folds each value into its step's cell; the first one as it is.
#[inline]
fn each(rows: &[&Row], out: &mut [f64], first: impl Fn(f64) -> f64, more: impl Fn(f64, f64) -> f64) {
    for row in rows {
        for (step, value) in row.points() {
            let cell = &mut out[step];
            *cell = if is_absent(*cell) { first(value) } else { more(*cell, value) };
        }
    }
}

pub(crate) fn sum(rows: &[&Row], cells: &mut Cells, out: &mut [f64]) {
    cells.lows.clear();
    cells.lows.resize(out.len(), 0.0);
    for row in rows {
        for (step, value) in row.points() {
            if is_absent(out[step]) {
                out[step] = value;
                continue;
            }
            let mut sum = Sum { high: out[step], low: cells.lows[step] };
            sum.add(value);
            (out[step], cells.lows[step]) = (sum.high, sum.low);
        }
    }
    for (cell, low) in out.iter_mut().zip(&cells.lows).filter(|(cell, _)| !is_absent(**cell)) {
        *cell = Sum { high: *cell, low: *low }.value();
    }
}

fn avg(rows: &[&Row], cells: &mut Cells, out: &mut [f64]) {
    cells.means.clear();
    cells.means.resize(out.len(), None);
    for row in rows {
        for (step, value) in row.points() {
            match &mut cells.means[step] {
                Some(mean) => mean.add(value),
                empty => *empty = Some(Mean::starting(value)),
            }
        }
    }
    for (cell, mean) in out.iter_mut().zip(&cells.means) {
        if let Some(mean) = mean {
            *cell = mean.value();
        }
    }
}

/// NaN only where all are NaN.
fn min(rows: &[&Row], _: &mut Cells, out: &mut [f64]) {
    each(rows, out, |value| value, |least, value| if value < least || least.is_nan() { value } else { least });
}

/// NaN only where all are NaN.
fn max(rows: &[&Row], _: &mut Cells, out: &mut [f64]) {
    each(rows, out, |value| value, |most, value| if value > most || most.is_nan() { value } else { most });
}

fn count(rows: &[&Row], _: &mut Cells, out: &mut [f64]) {
    each(rows, out, |_| 1.0, |count, _| count + 1.0);
}

fn group(rows: &[&Row], _: &mut Cells, out: &mut [f64]) {
    each(rows, out, |_| 1.0, |one, _| one);
}

/// Welford's running variance.
#[derive(Clone, Copy, Default)]
struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

fn spread(rows: &[&Row], cells: &mut Cells, out: &mut [f64], result: impl Fn(f64) -> f64) {
    cells.spreads.clear();
    cells.spreads.resize(out.len(), Spread::default());
    for row in rows {
        for (step, value) in row.points() {
            let spread = &mut cells.spreads[step];
            spread.count += 1.0;
            if spread.count == 1.0 {
                spread.mean = value;
                spread.squares = if value.is_finite() { 0.0 } else { f64::NAN };
                continue;
            }
            let delta = value - spread.mean;
            spread.mean += delta / spread.count;
            spread.squares += delta * (value - spread.mean);
        }
    }
    for (cell, spread) in out.iter_mut().zip(&cells.spreads).filter(|(_, spread)| spread.count > 0.0) {
        *cell = result(spread.squares / spread.count);
    }
}

fn stddev(rows: &[&Row], cells: &mut Cells, out: &mut [f64]) {
    spread(rows, cells, out, f64::sqrt);
}

fn stdvar(rows: &[&Row], cells: &mut Cells, out: &mut [f64]) {
    spread(rows, cells, out, |variance| variance);
}

pub(crate) fn quantiles(rows: &[&Row], q: &Scalar, out: &mut [f64]) {
    let mut values = Vec::with_capacity(rows.len());
    for (step, cell) in out.iter_mut().enumerate() {
        values.clear();
        values.extend(rows.iter().filter_map(|row| row.get(step)));
        if !values.is_empty() {
            *cell = quantile(q.at(step), &mut values);
        }
    }
}

/// The quantile of these values, between two of them by their distance. Sorts the values, NaN first.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| {
        b.is_nan().cmp(&a.is_nan()).then(a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    #[expect(clippy::cast_precision_loss, reason = "as many values as fit in memory are far below 2^53")]
    let rank = q * (values.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= rank < len")]
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}
