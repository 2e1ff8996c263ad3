//! The functions of PromQL. A new one is a line in the table and its evaluator in the file of its kind.

pub(crate) mod absent;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod lookup;
pub(crate) mod math;
pub(crate) mod regression;
pub(crate) mod sort;
pub(crate) mod time;

pub(crate) use lookup::{Arity, Function, Run, find, nearest, refusal};

use crate::promql::ast::ValueType::{Matrix, Scalar, Text, Vector};
use crate::vector::{over_time, rate};
use Arity::{LastOptional, LastRepeats};
use lookup::{date, map, whole, window};

pub(crate) const FUNCTIONS: &[Function] = &[
    // Rates.
    window("rate", &[Matrix], Run::Counter(rate::rate)),
    window("increase", &[Matrix], Run::Counter(rate::increase)),
    window("delta", &[Matrix], Run::Window(rate::delta)),
    window("irate", &[Matrix], Run::Window(rate::irate)),
    window("idelta", &[Matrix], Run::Window(rate::idelta)),
    window("resets", &[Matrix], Run::Window(rate::resets)),
    window("changes", &[Matrix], Run::Window(rate::changes)),
    window("deriv", &[Matrix], Run::Window(regression::deriv)),
    Function {
        follows_time: true,
        ..window("predict_linear", &[Matrix, Scalar], Run::Window(regression::predict_linear))
    },
    // Over time.
    window("avg_over_time", &[Matrix], Run::Window(over_time::avg)),
    window("min_over_time", &[Matrix], Run::Window(over_time::min)),
    window("max_over_time", &[Matrix], Run::Window(over_time::max)),
    window("sum_over_time", &[Matrix], Run::Window(over_time::sum)),
    window("count_over_time", &[Matrix], Run::Window(over_time::count)),
    window("first_over_time", &[Matrix], Run::Named(over_time::first)),
    window("last_over_time", &[Matrix], Run::Named(over_time::last)),
    window("present_over_time", &[Matrix], Run::Window(over_time::present)),
    window("quantile_over_time", &[Scalar, Matrix], Run::Quantile(over_time::quantile)),
    window("stddev_over_time", &[Matrix], Run::Window(over_time::stddev)),
    window("stdvar_over_time", &[Matrix], Run::Window(over_time::stdvar)),
    window("mad_over_time", &[Matrix], Run::Window(over_time::mad)),
    // Mathematics.
    map("abs", f64::abs),
    map("ceil", f64::ceil),
    map("floor", f64::floor),
    map("exp", f64::exp),
    map("ln", f64::ln),
    map("log2", f64::log2),
    map("log10", f64::log10),
    map("sqrt", f64::sqrt),
    map("sgn", math::sgn),
    map("sin", f64::sin),
    map("cos", f64::cos),
    map("tan", f64::tan),
    map("asin", f64::asin),
    map("acos", f64::acos),
    map("atan", f64::atan),
    map("sinh", f64::sinh),
    map("cosh", f64::cosh),
    map("tanh", f64::tanh),
    map("asinh", f64::asinh),
    map("acosh", f64::acosh),
    map("atanh", f64::atanh),
    map("rad", math::rad),
    map("deg", math::deg),
    window("clamp", &[Vector, Scalar, Scalar], Run::MapWith(math::clamp)),
    window("clamp_min", &[Vector, Scalar], Run::MapWith(math::clamp_min)),
    window("clamp_max", &[Vector, Scalar], Run::MapWith(math::clamp_max)),
    Function { arity: LastOptional, ..window("round", &[Vector, Scalar], Run::MapWith(math::round)) },
    Function { result: Scalar, ..window("pi", &[], Run::Moment(math::pi)) },
    // Absence.
    whole("absent", &[Vector], absent::absent),
    whole("absent_over_time", &[Matrix], absent::absent_over_time),
    // Labels.
    whole("label_replace", &[Vector, Text, Text, Text, Text], labels::label_replace),
    Function { arity: LastRepeats, ..whole("label_join", &[Vector, Text, Text, Text], labels::label_join) },
    // Between vectors and scalars.
    Function { result: Scalar, ..whole("scalar", &[Vector], math::scalar) },
    whole("vector", &[Scalar], math::vector),
    // Order.
    whole("sort", &[Vector], sort::sort),
    whole("sort_desc", &[Vector], sort::sort_desc),
    // Time.
    Function { result: Scalar, follows_time: true, ..window("time", &[], Run::Moment(time::time)) },
    Function { follows_time: true, ..whole("timestamp", &[Vector], time::timestamp) },
    date("minute", time::minute),
    date("hour", time::hour),
    date("day_of_week", time::day_of_week),
    date("day_of_month", time::day_of_month),
    date("day_of_year", time::day_of_year),
    date("days_in_month", time::days_in_month),
    date("month", time::month),
    date("year", time::year),
    // Histograms.
    whole("histogram_quantile", &[Scalar, Vector], histogram::histogram_quantile),
];

/// What PromQL has and we do not answer: refused by name, with what helps.
const REFUSED: &[(&str, &str)] = &[
    ("histogram_avg", NATIVE),
    ("histogram_count", NATIVE),
    ("histogram_sum", NATIVE),
    ("histogram_fraction", NATIVE),
    ("histogram_stddev", NATIVE),
    ("histogram_stdvar", NATIVE),
    ("histogram_quantiles", "call histogram_quantile once for each quantile"),
    ("info", "join the info metric with * on (...) group_left (...)"),
    ("holt_winters", SMOOTHING),
    ("double_exponential_smoothing", SMOOTHING),
    ("sort_by_label", "vectors come sorted by their labels"),
    ("sort_by_label_desc", "vectors come sorted by their labels"),
    ("ts_of_first_over_time", TIMES),
    ("ts_of_last_over_time", TIMES),
    ("ts_of_min_over_time", TIMES),
    ("ts_of_max_over_time", TIMES),
    ("start", RANGE),
    ("end", RANGE),
    ("step", RANGE),
    ("range", RANGE),
];

const NATIVE: &str = "only classic histograms (series with the label le) are stored; use their _sum and _count";
const SMOOTHING: &str = "use avg_over_time, or predict_linear for a trend";
const TIMES: &str = "use timestamp in a subquery";
const RANGE: &str = "write the time or duration as a number";
