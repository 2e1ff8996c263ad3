//! The functions of windows. A new one is a line in the table.

use crate::vector::rows::Scalar;
use crate::vector::sum::Sum;
use crate::vector::window::{Kernel, Scratch, Windows};
use crate::vector::{over_time, rate};

#[derive(Debug)]
pub(crate) struct RangeOp {
    pub(crate) name: &'static str,
    /// A number before the selector.
    pub(crate) takes_param: bool,
    pub(crate) takes_grouping: bool,
    /// A sum of several series is the function of all their lines: so `sum by (...)` around it groups lines at once.
    pub(crate) adds_up: bool,
    /// What it makes of lines; `None` if it needs `unwrap`.
    pub(crate) lines: Option<OfLines>,
    /// What it makes of unwrapped numbers; `None` if it takes none.
    pub(crate) values: Option<OfValues>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfLines {
    /// How many there are, or how many bytes they have; a second or in all.
    Count { bytes: bool, per_second: bool },
    /// 1 where there are none.
    Absence,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum OfValues {
    Kernel(Kernel),
    Absence,
}

const fn of_lines(name: &'static str, bytes: bool, per_second: bool) -> RangeOp {
    RangeOp {
        name,
        takes_param: false,
        takes_grouping: false,
        adds_up: true,
        lines: Some(OfLines::Count { bytes, per_second }),
        values: None,
    }
}

const fn of_values(name: &'static str, kernel: Kernel) -> RangeOp {
    RangeOp {
        name,
        takes_param: false,
        takes_grouping: true,
        adds_up: false,
        lines: None,
        values: Some(OfValues::Kernel(kernel)),
    }
}

pub(crate) const RANGE_OPS: &[RangeOp] = &[
    of_lines("count_over_time", false, false),
    RangeOp { values: Some(OfValues::Kernel(sum_per_second)), ..of_lines("rate", false, true) },
    of_lines("bytes_over_time", true, false),
    of_lines("bytes_rate", true, true),
    RangeOp { takes_grouping: false, adds_up: true, ..of_values("sum_over_time", over_time::sum) },
    of_values("avg_over_time", over_time::avg),
    of_values("min_over_time", over_time::min),
    of_values("max_over_time", over_time::max),
    of_values("stddev_over_time", over_time::stddev),
    of_values("stdvar_over_time", over_time::stdvar),
    of_values("first_over_time", over_time::first),
    of_values("last_over_time", over_time::last),
    RangeOp { takes_param: true, ..of_values("quantile_over_time", over_time::quantile) },
    RangeOp { takes_grouping: false, ..of_values("rate_counter", rate::rate) },
    RangeOp {
        name: "absent_over_time",
        takes_param: false,
        takes_grouping: false,
        adds_up: false,
        lines: Some(OfLines::Absence),
        values: Some(OfValues::Absence),
    },
];

pub(crate) fn find(name: &str) -> Option<&'static RangeOp> {
    RANGE_OPS.iter().find(|op| op.name == name)
}

fn sum_per_second(windows: &Windows<'_>, _: &[Scalar], _: &mut Scratch, out: &mut [f64]) {
    let seconds = windows.seconds(windows.range);
    windows.each(out, |window| {
        let mut sum = Sum::default();
        window.values.iter().for_each(|value| sum.add(*value));
        Some(sum.value() / seconds)
    });
}
