//! Straight lines through windows, by least squares.

use crate::promql::eval::{Scalar, Scratch, Sum, Windows};

pub(crate) fn deriv(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| {
        // Times near the samples, so that their squares keep their precision.
        (window.values.len() >= 2).then(|| line(window.times, window.values, window.times[0]).0)
    });
}

pub(crate) fn predict_linear(windows: &Windows<'_>, scalars: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    windows.each(out, |window| {
        let ahead = scalars.first().map_or(f64::NAN, |scalar| scalar.at(window.step));
        let now = windows.moments.grid.at(window.step);
        (window.values.len() >= 2).then(|| {
            let (slope, value) = line(window.times, window.values, now);
            slope * ahead + value
        })
    });
}

/// Slope a second, and the value at `origin`.
fn line(times: &[i64], values: &[f64], origin: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let (mut x, mut y, mut xy, mut xx) = (Sum::default(), Sum::default(), Sum::default(), Sum::default());
    for (time, value) in times.iter().zip(values) {
        #[expect(clippy::cast_precision_loss, reason = "a range is far below 2^53 ms")]
        let seconds = (time - origin) as f64 / 1000.0;
        x.add(seconds);
        y.add(*value);
        xy.add(seconds * value);
        xx.add(seconds * seconds);
    }
    let whole = |sum: Sum| sum.high + sum.low;
    let (x, y, xy, xx) = (whole(x), whole(y), whole(xy), whole(xx));
    #[expect(clippy::cast_precision_loss, reason = "as many samples as fit in memory are far below 2^53")]
    let count = values.len() as f64;
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}
