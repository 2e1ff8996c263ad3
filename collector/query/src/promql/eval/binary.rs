//! Binary operators in a row. What each does with its two sides is `vector`'s.

use crate::error::QueryError;
use crate::promql::ast::{Expr, Kind};
use crate::promql::eval::evaluator::Evaluator;
use crate::vector::binary::{Operate, Operator, operate};
use crate::vector::grid::Grid;
use crate::vector::rows::Out;

impl Evaluator<'_> {
    /// Operators in a row: the tree leans to the left as deep as there are operators, so it is walked by a loop.
    pub(crate) fn binary_chain(&mut self, expr: &Expr, grid: Grid) -> Result<Out, QueryError> {
        let mut chain = Vec::new();
        let mut node = expr;
        while let Kind::Binary(binary) = &node.kind {
            // What does not change over the steps is left to `eval`, which evaluates it once.
            if !chain.is_empty() && node.invariant && grid.steps > 1 {
                break;
            }
            chain.push(binary);
            node = &binary.lhs;
        }
        let mut left = self.eval(node, grid)?;
        while let Some(binary) = chain.pop() {
            let right = self.eval(&binary.rhs, grid)?;
            let operator = Operator {
                op: binary.op,
                operate: Operate::of(binary.op),
                as_bool: binary.as_bool,
                matching: &binary.matching,
            };
            left = operate(&operator, left, right, grid.steps, self)?;
        }
        Ok(left)
    }
}
