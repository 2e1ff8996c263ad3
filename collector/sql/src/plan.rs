//! Which rows a question can want: comparisons of columns with constants, judged on each different row once before SQLite sees any.
//!
//! SQLite judges every row again, so that a comparison which is left out here costs time alone.

use std::fmt::Write as _;

use muster_common::inventory::Value;
use rusqlite::types::ValueRef;
use rusqlite::vtab::IndexConstraintOp;

use crate::like::{glob, like};

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    Glob,
    IsNull,
    IsNotNull,
}

impl Operator {
    /// What can be judged here, and with which letter it stands in a plan.
    const LETTERS: [(Self, char); 9] = [
        (Self::Equal, '='),
        (Self::Less, '<'),
        (Self::LessOrEqual, 'l'),
        (Self::Greater, '>'),
        (Self::GreaterOrEqual, 'g'),
        (Self::Like, '~'),
        (Self::Glob, '*'),
        (Self::IsNull, 'n'),
        (Self::IsNotNull, '!'),
    ];

    pub(crate) fn of(operator: &IndexConstraintOp) -> Option<Self> {
        use IndexConstraintOp as Op;
        Some(match operator {
            Op::SQLITE_INDEX_CONSTRAINT_EQ => Self::Equal,
            Op::SQLITE_INDEX_CONSTRAINT_LT => Self::Less,
            Op::SQLITE_INDEX_CONSTRAINT_LE => Self::LessOrEqual,
            Op::SQLITE_INDEX_CONSTRAINT_GT => Self::Greater,
            Op::SQLITE_INDEX_CONSTRAINT_GE => Self::GreaterOrEqual,
            Op::SQLITE_INDEX_CONSTRAINT_LIKE => Self::Like,
            Op::SQLITE_INDEX_CONSTRAINT_GLOB => Self::Glob,
            Op::SQLITE_INDEX_CONSTRAINT_ISNULL => Self::IsNull,
            Op::SQLITE_INDEX_CONSTRAINT_ISNOTNULL => Self::IsNotNull,
            _ => return None,
        })
    }

    /// Whether the order of texts plays a part, which a collation may change.
    pub(crate) fn needs_order(self) -> bool {
        !matches!(self, Self::Like | Self::Glob | Self::IsNull | Self::IsNotNull)
    }

    /// Of how many rows one is left, about; for SQLite's choice between ways.
    pub(crate) fn selects(self) -> f64 {
        match self {
            Self::Equal => 1_000.0,
            Self::Like | Self::Glob => 20.0,
            _ => 2.0,
        }
    }
}

/// One comparison: the column's number, how, and with what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) column: usize,
    pub(crate) operator: Operator,
    pub(crate) with: Value,
}

/// One column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) column: usize,
    pub(crate) is_descending: bool,
}

impl Term {
    /// `column` as SQLite has it: -1 is the number of a row, which is no column here.
    pub(crate) fn of(column: i32, is_descending: bool) -> Option<Self> {
        Some(Self { column: usize::try_from(column).ok()?, is_descending })
    }
}

/// The comparisons and the order of a plan as SQLite keeps them between planning and asking, such as `1=,4~;2,3-`.
pub(crate) fn write(plan: &[(usize, Operator)], order: &[Term]) -> String {
    let mut text = String::new();
    for (column, operator) in plan {
        let letter = Operator::LETTERS.iter().find(|(known, _)| known == operator).map_or('=', |(_, letter)| *letter);
        let _ = write!(text, "{}{column}{letter}", if text.is_empty() { "" } else { "," });
    }
    text.push(';');
    for (at, term) in order.iter().enumerate() {
        let direction = if term.is_descending { "-" } else { "" };
        let _ = write!(text, "{}{}{direction}", if at == 0 { "" } else { "," }, term.column);
    }
    text
}

/// The comparisons of such a text, with the values that SQLite has for them now, and the order. What cannot be judged here is left out.
pub(crate) fn read<'v>(text: &str, values: impl Iterator<Item = ValueRef<'v>>) -> (Vec<Comparison>, Vec<Term>) {
    let (comparisons, order) = text.split_once(';').unwrap_or((text, ""));
    let order = order.split(',').filter_map(|part| {
        let column = part.trim_end_matches('-').parse().ok()?;
        Some(Term { column, is_descending: part.ends_with('-') })
    });
    (compared(comparisons, values), order.collect())
}

fn compared<'v>(text: &str, values: impl Iterator<Item = ValueRef<'v>>) -> Vec<Comparison> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .zip(values)
        .filter_map(|(part, value)| {
            let letter = part.chars().next_back()?;
            let (operator, _) = *Operator::LETTERS.iter().find(|(_, known)| *known == letter)?;
            let column = part.strip_suffix(letter)?.parse().ok()?;
            let with = match value {
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Text(bytes) => Value::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
                ValueRef::Null if matches!(operator, Operator::IsNull | Operator::IsNotNull) => Value::Null,
                _ => return None,
            };
            Some(Comparison { column, operator, with })
        })
        .collect()
}

impl Comparison {
    /// Whether SQLite could say yes to this value.
    pub(crate) fn allows(&self, value: &Value) -> bool {
        use Operator as Op;
        match (self.operator, value, &self.with) {
            (Op::IsNull, value, _) => *value == Value::Null,
            (Op::IsNotNull, value, _) => *value != Value::Null,
            // Nothing is like null, or less or more than it.
            (_, Value::Null, _) => false,
            (Op::Like, Value::Text(text), Value::Text(pattern)) => like(pattern, text),
            (Op::Glob, Value::Text(text), Value::Text(pattern)) => glob(pattern, text),
            (Op::Like | Op::Glob, ..) => true,
            (operator, Value::Text(one), Value::Text(other)) => ordered(operator, one.as_bytes().cmp(other.as_bytes())),
            (operator, Value::Integer(one), Value::Integer(other)) => ordered(operator, one.cmp(other)),
            // SQLite turns texts into numbers, or not, by rules that are its own.
            _ => true,
        }
    }
}

fn ordered(operator: Operator, order: std::cmp::Ordering) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_comes_back_as_it_was_written() {
        let plan: Vec<(usize, Operator)> =
            Operator::LETTERS.iter().enumerate().map(|(at, (operator, _))| (at * 7, *operator)).collect();
        let null = |operator| matches!(operator, Operator::IsNull | Operator::IsNotNull);
        let values = plan.iter().map(|(_, one)| if null(*one) { ValueRef::Null } else { ValueRef::Integer(3) });
        let order = [Term::of(3, false).unwrap(), Term::of(0, true).unwrap()];
        let (read, terms) = read(&write(&plan, &order), values);
        assert_eq!(terms, order);
        assert_eq!(read.iter().map(|one| (one.column, one.operator)).collect::<Vec<_>>(), plan);
        assert!(read.iter().all(|one| one.with == if null(one.operator) { Value::Null } else { 3.into() }));
        assert_eq!(super::read("", std::iter::empty()), (vec![], vec![]));
        // Reals and bytes are SQLite's to compare.
        assert_eq!(super::read("1=,2=;", [ValueRef::Real(1.5), ValueRef::Blob(b"x")].into_iter()).0, []);
    }

    #[test]
    fn what_only_sqlite_can_judge_is_allowed() {
        let one = |operator, with: Value| Comparison { column: 0, operator, with };
        assert!(one(Operator::Equal, "5".into()).allows(&5.into()));
        assert!(!one(Operator::Equal, "5".into()).allows(&Value::Null));
        assert!(one(Operator::Like, "5%".into()).allows(&53.into()));
        assert!(
            !one(Operator::Less, 5.into()).allows(&5.into()) && one(Operator::LessOrEqual, 5.into()).allows(&5.into())
        );
        // By bytes, as SQLite compares without a collation.
        assert!(one(Operator::Greater, "Z".into()).allows(&"a".into()));
    }
}
