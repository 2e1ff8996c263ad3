//! Windows over samples. For each series the bounds of all windows are found in one pass; a kernel then yields one
//! value a step from plain arrays.

use crate::limits::Control;
use crate::vector::grid::Moments;
use crate::vector::rows::Scalar;

/// All windows of one series.
pub(crate) struct Windows<'a> {
    pub(crate) times: &'a [i64],
    /// As many as times; no stale markers.
    pub(crate) values: &'a [f64],
    /// For each step the samples in its window: from the first to before the second. Neither ever falls.
    pub(crate) bounds: &'a [(usize, usize)],
    pub(crate) moments: Moments,
    /// In the unit of the times, as the moments are.
    pub(crate) range: i64,
    /// Units of the times in a second.
    pub(crate) per_second: f64,
    pub(crate) control: &'a Control,
}

/// The window of one step, at least one sample in it.
pub(crate) struct Window<'a> {
    pub(crate) step: usize,
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
}

/// One value a step from windows and scalar arguments, into cells that are absent at first.
pub(crate) type Kernel = fn(&Windows<'_>, &[Scalar], &mut Scratch, &mut [f64]);

/// Buffers that kernels use again from series to series.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) marks: Vec<usize>,
    pub(crate) values: Vec<f64>,
}

/// Samples a kernel may look at between two looks at the clock: some milliseconds' worth.
const UNCHECKED_SAMPLES: usize = 1 << 22;

impl<'a> Windows<'a> {
    /// A value from each window by itself. Stops when the query must stop; the caller sees the same and fails.
    #[inline]
    pub(crate) fn each(&self, out: &mut [f64], mut value: impl FnMut(Window<'a>) -> Option<f64>) {
        let mut looked_at = 0;
        for (step, ((from, to), cell)) in self.bounds.iter().copied().zip(out).enumerate() {
            if from == to {
                continue;
            }
            looked_at += to - from;
            if looked_at > UNCHECKED_SAMPLES {
                looked_at = 0;
                if self.control.check().is_err() {
                    return;
                }
            }
            let window = Window { step, times: &self.times[from..to], values: &self.values[from..to] };
            if let Some(value) = value(window) {
                *cell = value;
            }
        }
    }

    /// The window of a step: open at the start, closed at the end.
    pub(crate) fn span(&self, step: usize) -> (i64, i64) {
        let end = self.moments.at(step);
        (end - self.range, end)
    }

    #[expect(clippy::cast_precision_loss, reason = "spans between samples are far below 2^53")]
    pub(crate) fn seconds(&self, span: i64) -> f64 {
        span as f64 / self.per_second
    }
}

/// Finds each step's window.
pub(crate) fn bound(times: &[i64], moments: Moments, range: i64, bounds: &mut Vec<(usize, usize)>) {
    bounds.clear();
    let Some(first) = (moments.grid.steps > 0).then(|| moments.at(0)) else { return };
    let mut from = times.partition_point(|time| *time <= first - range);
    let mut to = times.partition_point(|time| *time <= first);
    for step in 0..moments.grid.steps {
        let end = moments.at(step);
        while times.get(to).is_some_and(|time| *time <= end) {
            to += 1;
        }
        while from < to && times[from] <= end - range {
            from += 1;
        }
        bounds.push((from, to));
    }
}
