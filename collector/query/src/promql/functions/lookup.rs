//! What a line of the function table says, and finding it by name.

use crate::error::QueryError;
use crate::promql::ast::{Call, ValueType};
use crate::promql::eval::{Evaluator, Grid, Kernel, Out};
use crate::promql::functions::time::Date;
use crate::promql::functions::{FUNCTIONS, REFUSED};
use crate::text::near;

/// One function of PromQL.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [ValueType],
    pub(crate) arity: Arity,
    pub(crate) result: ValueType,
    /// Its result depends on the time of the step even where its arguments do not.
    pub(crate) follows_time: bool,
    pub(crate) run: Run,
}

/// How many arguments there may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    Exact,
    LastOptional,
    /// The last may stand never or many times.
    LastRepeats,
}

pub(crate) type Whole = fn(&mut Evaluator<'_>, &Call, Grid) -> Result<Out, QueryError>;

/// How a function is evaluated. All but `Named` and `Whole` drop the metric name.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Each value by itself.
    Map(fn(f64) -> f64),
    /// Each value with the scalars of its step; `None` leaves it out.
    MapWith(fn(f64, &[f64]) -> Option<f64>),
    /// A scalar from the time of the step.
    Moment(fn(i64) -> f64),
    /// A part of a date.
    Date(fn(Date) -> f64),
    /// A window at a time.
    Window(Kernel),
    /// As `Window`, with a hint where the metric is no counter.
    Counter(Kernel),
    /// As `Window`, with a warning where the first scalar is no quantile.
    Quantile(Kernel),
    /// As `Window`, and the name stays.
    Named(Kernel),
    Whole(Whole),
}

/// A function of one instant vector that changes each value by itself.
pub(crate) const fn map(name: &'static str, run: fn(f64) -> f64) -> Function {
    Function {
        name,
        args: &[ValueType::Vector],
        arity: Arity::Exact,
        result: ValueType::Vector,
        follows_time: false,
        run: Run::Map(run),
    }
}

/// A function of one range vector that sees one window at a time.
pub(crate) const fn window(name: &'static str, args: &'static [ValueType], run: Run) -> Function {
    Function { name, args, arity: Arity::Exact, result: ValueType::Vector, follows_time: false, run }
}

/// A part of the date of each value, or of the time of the step.
pub(crate) const fn date(name: &'static str, run: fn(Date) -> f64) -> Function {
    Function {
        name,
        args: &[ValueType::Vector],
        arity: Arity::LastOptional,
        result: ValueType::Vector,
        follows_time: true,
        run: Run::Date(run),
    }
}

/// A function that sees whole vectors.
pub(crate) const fn whole(name: &'static str, args: &'static [ValueType], run: Whole) -> Function {
    Function { name, args, arity: Arity::Exact, result: ValueType::Vector, follows_time: false, run: Run::Whole(run) }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// What a known but unanswered function is called in an error, and what helps.
pub(crate) fn refusal(name: &str) -> Option<(String, &'static str)> {
    let (name, remedy) = REFUSED.iter().find(|(refused, _)| *refused == name)?;
    Some((format!("the function {name:?}"), remedy))
}

/// A suggestion for a name that no function has, or nothing.
pub(crate) fn nearest(name: &str) -> String {
    let near = near::nearest(name, FUNCTIONS.iter().map(|function| function.name));
    near.map_or_else(String::new, |near| format!(": did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_refused_ones_are_not_answered() {
        for (index, function) in FUNCTIONS.iter().enumerate() {
            assert!(FUNCTIONS[index + 1..].iter().all(|other| other.name != function.name), "{function:?}");
            assert!(refusal(function.name).is_none(), "{function:?}");
        }
    }

    #[test]
    fn slips_get_a_suggestion() {
        assert_eq!(nearest("raet"), ": did you mean rate?");
        assert_eq!(nearest("sum_overtime"), ": did you mean sum_over_time?");
        assert_eq!(nearest("nothing_like_it"), "");
    }
}
