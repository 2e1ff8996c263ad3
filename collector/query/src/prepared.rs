//! Expressions that are evaluated again and again: read once, with what can be told of them without data.

use std::sync::Arc;

use crate::error::QueryError;
use crate::logql::ast::LogExpr;
use crate::logql::parse::parse_log_query;
use crate::parse::parse;
use crate::promql::ast::{Expr, ValueType};
use crate::vector::ops::BinaryOp;

/// A PromQL expression with its tree.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) text: Arc<str>,
    pub(crate) expr: Arc<Expr>,
}

impl Prepared {
    /// # Errors
    /// As [`parse`].
    pub fn new(text: &str) -> Result<Self, QueryError> {
        Ok(Self { text: text.into(), expr: Arc::new(parse(text)?) })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn value_type(&self) -> ValueType {
        self.expr.ty
    }

    /// What is compared, where the expression compares a vector to a number and keeps what fits (`x > 5`, also on the left of `and` and
    /// `unless`): a series that is in it and not in the whole has data that do not fit, one that is in neither has none. `None`: cannot be told.
    pub fn compared(&self) -> Option<Self> {
        let (compared, ..) = self.expr.comparison()?;
        let text = compared.to_string();
        Some(Self { text: text.into(), expr: Arc::new(compared.clone()) })
    }

    /// The number that it is compared to, where one is written, and whether values above it fit; `None` for what is equal or not.
    pub fn limit(&self) -> Option<(f64, bool)> {
        let (_, op, to) = self.expr.comparison()?;
        let is_above = match op {
            BinaryOp::Greater | BinaryOp::GreaterEqual => true,
            BinaryOp::Less | BinaryOp::LessEqual => false,
            _ => return None,
        };
        to.number().map(|value| (value, is_above))
    }
}

/// A LogQL metric query with its tree.
#[derive(Clone, Debug)]
pub struct PreparedLog {
    pub(crate) text: Arc<str>,
    pub(crate) expr: Arc<LogExpr>,
}

impl PreparedLog {
    /// # Errors
    /// As [`parse_log_query`]; a query that answers lines is refused.
    pub fn new(text: &str) -> Result<Self, QueryError> {
        let expr = parse_log_query(text)?;
        if expr.is_metric() {
            return Ok(Self { text: text.into(), expr: Arc::new(expr) });
        }
        Err(QueryError::BadData {
            message: "the query answers lines, not numbers: put it into count_over_time(... [5m]) or rate(... [5m])"
                .into(),
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_found_where_it_can_be_told() {
        let compared = |text: &str| Prepared::new(text).unwrap().compared().map(|own| own.text().to_owned());
        assert_eq!(compared("rate(x[5m]) > 5").as_deref(), Some("rate(x[5m])"));
        assert_eq!(compared("(a / b < 0.1) and on (host) up == 1").as_deref(), Some("a / b"));
        assert_eq!(compared("5 < x unless y").as_deref(), Some("x"));
        for text in ["x", "x > bool 5", "x > y", "absent(x)", "x > 1 or y > 2"] {
            assert_eq!(compared(text), None, "{text}");
        }
    }

    #[test]
    fn a_limit_is_the_number_that_is_written() {
        let limit = |text: &str| Prepared::new(text).unwrap().limit();
        assert_eq!(limit("rate(x[5m]) > 5"), Some((5.0, true)));
        assert_eq!(limit("(a / b < -0.1) and up == 1"), Some((-0.1, false)));
        assert_eq!(limit("5 <= x"), Some((5.0, true)));
        for text in ["x", "x == 5", "x > 2 * 3", "x > y", "x > bool 5"] {
            assert_eq!(limit(text), None, "{text}");
        }
    }

    #[test]
    fn lines_are_no_numbers() {
        assert!(PreparedLog::new("rate({a=\"b\"} |= \"x\" [5m]) > 1").is_ok());
        assert!(PreparedLog::new("{a=\"b\"}").unwrap_err().to_string().contains("count_over_time"));
    }
}
