//! Aggregations over series, by what both languages share.

use crate::error::QueryError;
use crate::logql::ast::{Aggregate, VectorOp};
use crate::logql::eval::evaluator::Evaluator;
use crate::vector::aggregate::{Groups, fold_groups};
use crate::vector::ops::AggregateOp;
use crate::vector::rows::{Rows, Scalar};
use crate::vector::{fold, sort, topk};

pub(super) fn aggregate(
    aggregate: &Aggregate,
    rows: Rows,
    steps: usize,
    evaluator: &mut Evaluator<'_>,
) -> Result<Rows, QueryError> {
    let grouping = aggregate.grouping.clone().unwrap_or_default();
    match aggregate.op {
        VectorOp::Sort { descending } => Ok(sort::by_value(rows, steps, descending)),
        VectorOp::Fold(op @ (AggregateOp::Topk | AggregateOp::Bottomk)) => {
            let count = Scalar::Constant(f64::from(aggregate.count.unwrap_or(0)));
            let groups = Groups::of(&rows, &grouping);
            topk::select(rows, &groups, &count, steps, op, &evaluator.control)
        }
        VectorOp::Fold(op) => fold_groups(&rows, &grouping, steps, evaluator, fold::of(op)),
    }
}
