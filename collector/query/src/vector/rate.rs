//! Rates, differences and counts of changes over windows.

use crate::vector::rows::Scalar;
use crate::vector::window::{Scratch, Windows};

pub(crate) fn rate(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    let seconds = windows.seconds(windows.range);
    extrapolated(windows, scratch, out, true, Some(seconds));
}

pub(crate) fn increase(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    extrapolated(windows, scratch, out, true, None);
}

pub(crate) fn delta(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    extrapolated(windows, scratch, out, false, None);
}

/// Prometheus' extrapolation: the change between the first and last sample of the window, stretched to its ends if
/// samples stand near them (within 1.1 of their mean distance), else by half that distance; a counter is not
/// stretched below zero. Resets are found once for the series; each window adds those that lie in it.
fn extrapolated(
    windows: &Windows<'_>,
    scratch: &mut Scratch,
    out: &mut [f64],
    is_counter: bool,
    per_seconds: Option<f64>,
) {
    let values = windows.values;
    let resets = &mut scratch.marks;
    resets.clear();
    if is_counter {
        resets.extend((1..values.len()).filter(|index| values[*index] < values[index - 1]));
    }
    let (mut passed, mut seen) = (0, 0);
    for (step, ((from, to), cell)) in windows.bounds.iter().copied().zip(out).enumerate() {
        if to - from < 2 {
            continue;
        }
        let (first, last) = (from, to - 1);
        while resets.get(seen).is_some_and(|index| *index <= last) {
            seen += 1;
        }
        while passed < seen && resets[passed] <= first {
            passed += 1;
        }
        let mut change = values[last] - values[first];
        for index in &resets[passed..seen] {
            change += values[index - 1];
        }
        let (start, end) = windows.span(step);
        let between = windows.seconds(windows.times[last] - windows.times[first]);
        let mut to_start = windows.seconds(windows.times[first] - start);
        let mut to_end = windows.seconds(end - windows.times[last]);
        #[expect(clippy::cast_precision_loss, reason = "as many samples as fit in memory are far below 2^53")]
        let distance = between / (last - first) as f64;
        let near = distance * 1.1;
        if to_start >= near {
            to_start = distance / 2.0;
        }
        if is_counter && change > 0.0 && values[first] >= 0.0 {
            to_start = to_start.min(between * (values[first] / change));
        }
        if to_end >= near {
            to_end = distance / 2.0;
        }
        let mut factor = (between + to_start + to_end) / between;
        if let Some(seconds) = per_seconds {
            factor /= seconds;
        }
        *cell = change * factor;
    }
}

pub(crate) fn irate(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    last_two(windows, out, |before, last, between| {
        let change = if last < before { last } else { last - before };
        change / windows.seconds(between)
    });
}

pub(crate) fn idelta(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    last_two(windows, out, |before, last, _| last - before);
}

fn last_two(windows: &Windows<'_>, out: &mut [f64], change: impl Fn(f64, f64, i64) -> f64) {
    let (times, values) = (windows.times, windows.values);
    for ((from, to), cell) in windows.bounds.iter().copied().zip(out) {
        if to - from >= 2 {
            *cell = change(values[to - 2], values[to - 1], times[to - 1] - times[to - 2]);
        }
    }
}

pub(crate) fn resets(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    count_pairs(windows, scratch, out, |before, value| value < before);
}

pub(crate) fn changes(windows: &Windows<'_>, _: &[Scalar], scratch: &mut Scratch, out: &mut [f64]) {
    count_pairs(windows, scratch, out, |before, value| value != before && !(value.is_nan() && before.is_nan()));
}

/// Counts neighbours in the window; `marks` counts those up to each sample of the series.
fn count_pairs(windows: &Windows<'_>, scratch: &mut Scratch, out: &mut [f64], counts: impl Fn(f64, f64) -> bool) {
    let marks = &mut scratch.marks;
    marks.clear();
    let mut count = 0;
    for (index, value) in windows.values.iter().enumerate() {
        count += usize::from(index > 0 && counts(windows.values[index - 1], *value));
        marks.push(count);
    }
    for ((from, to), cell) in windows.bounds.iter().copied().zip(out) {
        if from < to {
            #[expect(clippy::cast_precision_loss, reason = "as many samples as fit in memory are far below 2^53")]
            let pairs = (marks[to - 1] - marks[from]) as f64;
            *cell = pairs;
        }
    }
}
