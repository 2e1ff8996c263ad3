//! What an expression reads, and how: for those who judge it without data.

use muster_common::label::NAME;
use muster_common::matcher::{Matcher, Test};

use crate::promql::ast::{Expr, Kind, Selector};
use crate::vector::ops::BinaryOp;

/// One selector of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricUse {
    /// The metric; `None` where no name is matched exactly.
    pub name: Option<String>,
    /// The innermost function whose window it is: `rate` of `rate(x[5m])`.
    pub function: Option<&'static str>,
    /// Byte of the expression at which it begins.
    pub at: usize,
}

impl Expr {
    /// Every selector, in the order in which they stand.
    pub fn metric_uses(&self) -> Vec<MetricUse> {
        let mut uses = Vec::new();
        self.collect_uses(None, &mut uses);
        uses.sort_by_key(|one| one.at);
        uses
    }

    fn collect_uses(&self, function: Option<&'static str>, uses: &mut Vec<MetricUse>) {
        let mut add = |selector: &Selector| {
            uses.push(MetricUse { name: name_of(selector), function, at: self.span.start });
        };
        match &self.kind {
            Kind::Number(_) | Kind::Text(_) => {}
            Kind::Selector(selector) => add(selector),
            Kind::Range(range) => add(&range.selector),
            Kind::Subquery(subquery) => subquery.inner.collect_uses(None, uses),
            Kind::Call(call) => {
                call.args.iter().for_each(|arg| arg.collect_uses(Some(call.function.name), uses));
            }
            Kind::Aggregate(aggregate) => {
                aggregate.param.iter().for_each(|param| param.collect_uses(None, uses));
                aggregate.inner.collect_uses(None, uses);
            }
            Kind::Binary(binary) => {
                // Chains may be long: walked by a loop along the left, as the evaluator does.
                let mut binary = binary;
                loop {
                    binary.rhs.collect_uses(None, uses);
                    match &binary.lhs.kind {
                        Kind::Binary(left) => binary = left,
                        _ => break binary.lhs.collect_uses(None, uses),
                    }
                }
            }
            Kind::Unary(unary) => unary.inner.collect_uses(function, uses),
            Kind::Paren(inner) => inner.collect_uses(function, uses),
        }
    }

    /// The vector that the outermost filter compares to a number, how, and to what; the vector stands on the left.
    pub(crate) fn comparison(&self) -> Option<(&Self, BinaryOp, &Self)> {
        use crate::promql::ast::ValueType::{Scalar, Vector};
        let mut expr = self.bare();
        loop {
            let Kind::Binary(binary) = &expr.kind else { return None };
            match binary.op {
                BinaryOp::And | BinaryOp::Unless => expr = binary.lhs.bare(),
                op if op.is_comparison() && !binary.as_bool => {
                    return match (binary.lhs.ty, binary.rhs.ty) {
                        (Vector, Scalar) => Some((binary.lhs.bare(), op, binary.rhs.bare())),
                        (Scalar, Vector) => Some((binary.rhs.bare(), op.mirrored(), binary.lhs.bare())),
                        _ => None,
                    };
                }
                _ => return None,
            }
        }
    }

    /// The number that is written here.
    pub(crate) fn number(&self) -> Option<f64> {
        match &self.bare().kind {
            Kind::Number(value) => Some(*value),
            Kind::Unary(unary) => unary.inner.number().map(|value| if unary.minus { -value } else { value }),
            _ => None,
        }
    }
}

fn name_of(selector: &Selector) -> Option<String> {
    let named = |matcher: &Matcher| match &matcher.test {
        Test::Equal(value) if matcher.name == NAME => Some(value.clone()),
        _ => None,
    };
    selector.name.clone().or_else(|| selector.matchers.iter().find_map(named))
}

#[cfg(test)]
mod tests {
    use crate::parse::parse;

    #[test]
    fn every_selector_is_told_with_its_window_function() {
        let uses = parse("sum by (a) (rate(x[5m])) / on (a) group_left () (y + {__name__=\"z\"} offset 5m) > max_over_time({b=\"c\"}[1h])")
            .unwrap()
            .metric_uses();
        let own: Vec<_> = uses.iter().map(|one| (one.name.as_deref(), one.function)).collect();
        assert_eq!(
            own,
            [(Some("x"), Some("rate")), (Some("y"), None), (Some("z"), None), (None, Some("max_over_time"))]
        );
    }
}
