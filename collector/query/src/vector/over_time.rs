//! Aggregations over the samples of each window.

use crate::vector::fold::quantile as quantile_of;
use crate::vector::rows::Scalar;
use crate::vector::sum::{Mean, Sum};
use crate::vector::window::{Scratch, Windows};

pub(crate) fn avg(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| {
        let mut mean = Mean::starting(window.values[0]);
        window.values[1..].iter().for_each(|value| mean.add(*value));
        Some(mean.value())
    });
}

pub(crate) fn sum(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| {
        let mut sum = Sum::default();
        window.values.iter().for_each(|value| sum.add(*value));
        Some(sum.value())
    });
}

/// NaN only where all are NaN.
pub(crate) fn min(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    best(windows, scratch, out, |value, best| value < best);
}

/// NaN only where all are NaN.
pub(crate) fn max(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    best(windows, scratch, out, |value, best| value > best);
}

/// The best value of each window in one pass: `marks` holds the samples that are or may still become the best, each
/// worse than the one before it; the first inside the window is its best.
fn best(windows: &Windows<'_>, scratch: &mut Scratch, out: &mut [f64], better: impl Fn(f64, f64) -> bool) {
    let queue = &mut scratch.marks;
    queue.clear();
    let (mut head, mut seen) = (0, 0);
    for ((from, to), cell) in windows.bounds.iter().copied().zip(out) {
        while seen < to {
            let value = windows.values[seen];
            if !value.is_nan() {
                while queue.len() > head && better(value, windows.values[queue[queue.len() - 1]]) {
                    queue.pop();
                }
                queue.push(seen);
            }
            seen += 1;
        }
        while queue.get(head).is_some_and(|index| *index < from) {
            head += 1;
        }
        if from < to {
            *cell = queue.get(head).map_or(f64::NAN, |index| windows.values[*index]);
        }
    }
}

pub(crate) fn count(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    #[expect(clippy::cast_precision_loss, reason = "as many samples as fit in memory are far below 2^53")]
    windows.each(out, |window| Some(window.values.len() as f64));
}

pub(crate) fn first(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| window.values.first().copied());
}

pub(crate) fn last(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| window.values.last().copied());
}

pub(crate) fn present(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |_| Some(1.0));
}

pub(crate) fn quantile(windows: &Windows<'_>, scalars: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| {
        let q = scalars.first().map_or(f64::NAN, |scalar| scalar.at(window.step));
        scratch.values.clear();
        scratch.values.extend_from_slice(window.values);
        Some(quantile_of(q, &mut scratch.values))
    });
}

pub(crate) fn stddev(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| Some(variance(window.values).sqrt()));
}

pub(crate) fn stdvar(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| Some(variance(window.values)));
}

fn variance(values: &[f64]) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, Sum::default(), Sum::default());
    for value in values {
        count += 1.0;
        let delta = value - (mean.high + mean.low);
        mean.add(delta / count);
        squares.add(delta * (value - (mean.high + mean.low)));
    }
    (squares.high + squares.low) / count
}

/// The median of the distances from the median.
pub(crate) fn mad(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| {
        scratch.values.clear();
        scratch.values.extend_from_slice(window.values);
        let median = quantile_of(0.5, &mut scratch.values);
        scratch.values.iter_mut().for_each(|value| *value = (*value - median).abs());
        Some(quantile_of(0.5, &mut scratch.values))
    });
}
