//! PromQL's aggregations. Grouping and folding are `vector`'s; `count_values` is PromQL's alone.

use crate::error::QueryError;
use crate::promql::ast::{Aggregate, AggregateOp};
use crate::promql::eval::evaluator::Evaluator;
use crate::vector::aggregate::{Groups, fold_groups};
use crate::vector::fold;
use crate::vector::grid::Grid;
use crate::vector::labels::Keys;
use crate::vector::rows::{ABSENT, Row, Rows, Scalar};
use crate::vector::topk;

impl Evaluator<'_> {
    pub(crate) fn aggregate(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Rows, QueryError> {
        let fold = match aggregate.op {
            AggregateOp::Quantile => {
                let quantile = self.param(aggregate, grid)?;
                let at = aggregate.param.as_ref().map_or(0, |param| param.span.start);
                self.check_quantile(&quantile, grid, at);
                let rows = self.vector(&aggregate.inner, grid)?;
                return fold_groups(&rows, &aggregate.grouping, grid.steps, self, |members, _, out| {
                    fold::quantiles(members, &quantile, out);
                });
            }
            AggregateOp::Topk | AggregateOp::Bottomk => {
                let count = self.param(aggregate, grid)?;
                let rows = self.vector(&aggregate.inner, grid)?;
                let groups = Groups::of(&rows, &aggregate.grouping);
                return topk::select(rows, &groups, &count, grid.steps, aggregate.op, &self.control);
            }
            AggregateOp::CountValues => return self.count_values(aggregate, grid),
            op => fold::of(op),
        };
        let rows = self.vector(&aggregate.inner, grid)?;
        fold_groups(&rows, &aggregate.grouping, grid.steps, self, fold)
    }

    fn param(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Scalar, QueryError> {
        aggregate.param.as_ref().map_or(Ok(Scalar::Constant(f64::NAN)), |param| self.scalar(param, grid))
    }

    /// `count_values("label", vector)`: a series for each value that occurs.
    fn count_values(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Rows, QueryError> {
        let Some(param) = &aggregate.param else { return Ok(Rows::default()) };
        let label = self.text(param)?;
        if label.is_empty() {
            return Err(QueryError::execution(format!("invalid label name {label:?}: give the label a name")));
        }
        let rows = self.vector(&aggregate.inner, grid)?;
        let groups = Groups::of(&rows, &aggregate.grouping);
        let listed = aggregate.grouping.labels.iter().any(|one| one == label);
        let mut out: Vec<Row> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (number, (labels, members)) in groups.labels.iter().zip(&groups.members).enumerate() {
            self.control.check()?;
            for (step, value) in members.iter().flat_map(|index| rows.rows[*index].points()) {
                let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
                let place = match places.get(&(number, bits)) {
                    Some(place) => *place,
                    None => {
                        // `without (label)` takes the label away again, so that all values count together.
                        let labels = if listed && aggregate.grouping.without {
                            labels.clone()
                        } else {
                            labels.with(&[(label, &crate::text::write::Number(value).to_string())])?
                        };
                        out.push(Row { labels, first: 0, values: Vec::new() });
                        places.insert((number, bits), out.len() - 1);
                        out.len() - 1
                    }
                };
                let count = out[place].get(step).unwrap_or(0.0);
                let grown = out[place].set(step, count + 1.0);
                self.grow(grown)?;
            }
        }
        let mut out = Rows::new(out);
        add_up(&mut out, grid.steps);
        Ok(out)
    }
}

/// Rows of one label set (values whose label was taken away again) count together.
fn add_up(rows: &mut Rows, steps: usize) {
    let groups = {
        let (mut keys, mut key) = (Keys::default(), Vec::new());
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (index, row) in rows.rows.iter().enumerate() {
            row.labels.subset(|_| true, &mut key);
            let (number, new) = keys.number(&key);
            if new {
                members.push(Vec::new());
            }
            members[number].push(index);
        }
        members
    };
    if groups.len() == rows.rows.len() {
        return;
    }
    let mut out = Vec::with_capacity(groups.len());
    for members in groups {
        let mut cells = vec![ABSENT; steps];
        let own: Vec<&Row> = members.iter().map(|index| &rows.rows[*index]).collect();
        fold::sum(&own, &mut fold::Cells::default(), &mut cells);
        out.extend(Row::cut(own[0].labels.clone(), &cells));
    }
    rows.rows = out;
}
