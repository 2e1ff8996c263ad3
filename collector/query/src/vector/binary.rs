//! Binary operators on scalars and between a vector and a scalar. Two vectors are `matching`'s.

use crate::error::QueryError;
use crate::vector::matching;
use crate::vector::meter::Meter;
use crate::vector::ops::{BinaryOp, Matching};
use crate::vector::rows::{Out, Rows, Scalar};

/// One operator between two sides.
pub(crate) struct Operator<'a> {
    pub(crate) op: BinaryOp,
    pub(crate) operate: Operate,
    /// `bool`: compare to 0 or 1 instead of filtering.
    pub(crate) as_bool: bool,
    pub(crate) matching: &'a Matching,
}

/// What an operator does with two values.
#[derive(Clone, Copy)]
pub(crate) enum Operate {
    Arithmetic(fn(f64, f64) -> f64),
    Comparison(fn(&f64, &f64) -> bool),
    Set,
}

impl Operate {
    pub(crate) fn of(op: BinaryOp) -> Self {
        match op {
            BinaryOp::Add => Self::Arithmetic(|a, b| a + b),
            BinaryOp::Sub => Self::Arithmetic(|a, b| a - b),
            BinaryOp::Mul => Self::Arithmetic(|a, b| a * b),
            BinaryOp::Div => Self::Arithmetic(|a, b| a / b),
            BinaryOp::Mod => Self::Arithmetic(|a, b| a % b),
            BinaryOp::Pow => Self::Arithmetic(f64::powf),
            BinaryOp::Atan2 => Self::Arithmetic(f64::atan2),
            BinaryOp::Equal => Self::Comparison(f64::eq),
            BinaryOp::NotEqual => Self::Comparison(f64::ne),
            BinaryOp::Less => Self::Comparison(f64::lt),
            BinaryOp::LessEqual => Self::Comparison(f64::le),
            BinaryOp::Greater => Self::Comparison(f64::gt),
            BinaryOp::GreaterEqual => Self::Comparison(f64::ge),
            BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => Self::Set,
        }
    }

    /// As LogQL operates: what is divided by zero is no number.
    pub(crate) fn of_log(op: BinaryOp) -> Self {
        match op {
            BinaryOp::Div => Self::Arithmetic(|a, b| if b == 0.0 { f64::NAN } else { a / b }),
            BinaryOp::Mod => Self::Arithmetic(|a, b| if b == 0.0 { f64::NAN } else { a % b }),
            op => Self::of(op),
        }
    }

    /// The result for two values; `None` where a comparison filters it out. A filter keeps `kept`.
    #[inline]
    pub(crate) fn apply(self, a: f64, b: f64, kept: f64, as_bool: bool) -> Option<f64> {
        match self {
            Self::Arithmetic(operate) => Some(operate(a, b)),
            Self::Comparison(holds) if as_bool => Some(f64::from(u8::from(holds(&a, &b)))),
            Self::Comparison(holds) => holds(&a, &b).then_some(kept),
            Self::Set => None,
        }
    }
}

/// The value of an operator from the values of its sides.
pub(crate) fn operate(
    operator: &Operator<'_>,
    left: Out,
    right: Out,
    steps: usize,
    meter: &mut dyn Meter,
) -> Result<Out, QueryError> {
    meter.control().check()?;
    let operate = operator.operate;
    match (left, right) {
        (Out::Scalar(left), Out::Scalar(right)) => {
            Ok(Out::Scalar(left.zip(&right, |a, b| operate.apply(a, b, a, true).unwrap_or(f64::NAN))))
        }
        (Out::Rows(rows), Out::Scalar(scalar)) => with_scalar(operator, rows, &scalar, false).map(Out::Rows),
        (Out::Scalar(scalar), Out::Rows(rows)) => with_scalar(operator, rows, &scalar, true).map(Out::Rows),
        (Out::Rows(left), Out::Rows(right)) => matching::combine(meter, operator, left, right, steps).map(Out::Rows),
        _ => Err(QueryError::execution("internal error: an operand is a string; please report the query")),
    }
}

/// `swapped`: the scalar stands on the left.
fn with_scalar(binary: &Operator<'_>, mut rows: Rows, scalar: &Scalar, swapped: bool) -> Result<Rows, QueryError> {
    let operate = binary.operate;
    rows.map(|step, value| {
        let (a, b) = if swapped { (scalar.at(step), value) } else { (value, scalar.at(step)) };
        operate.apply(a, b, value, binary.as_bool)
    });
    if binary.as_bool || matches!(operate, Operate::Arithmetic(_)) {
        rows.drop_names_merging()?;
    }
    Ok(rows)
}
