//! Functions that change labels and leave values alone.

use crate::error::QueryError;
use crate::promql::ast::Call;
use crate::promql::eval::{Evaluator, Grid, Out};
use crate::vector::relabel::Replacement;

/// `label_replace(vector, "to", "replacement", "from", "pattern")`.
pub(crate) fn label_replace(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let (to, replacement) = (evaluator.text(&call.args[1])?, evaluator.text(&call.args[2])?);
    let (from, pattern) = (evaluator.text(&call.args[3])?, evaluator.text(&call.args[4])?);
    let rows = evaluator.vector(&call.args[0], grid)?;
    Replacement::new(to, replacement, from, pattern)?.apply(rows).map(Out::Rows)
}

/// `label_join(vector, "to", "separator", "from", ...)`.
pub(crate) fn label_join(evaluator: &mut Evaluator<'_>, call: &Call, grid: Grid) -> Result<Out, QueryError> {
    let (to, separator) = (evaluator.text(&call.args[1])?, evaluator.text(&call.args[2])?);
    let from = call.args[3..].iter().map(|arg| evaluator.text(arg)).collect::<Result<Vec<_>, _>>()?;
    if let Some(empty) = from.iter().find(|label| label.is_empty()) {
        return Err(QueryError::execution(format!("invalid source label name in label_join(): {empty:?}")));
    }
    if to.is_empty() {
        return Err(QueryError::execution("invalid destination label name in label_join(): it is empty"));
    }
    let mut rows = evaluator.vector(&call.args[0], grid)?;
    for row in &mut rows.rows {
        let values: Vec<&str> = from.iter().map(|label| row.labels.get(label)).collect();
        row.labels = row.labels.with(&[(to, &values.join(separator))])?;
    }
    rows.merge()?;
    Ok(Out::Rows(rows))
}
