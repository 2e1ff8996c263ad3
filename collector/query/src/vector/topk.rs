//! `topk` and `bottomk`: the series with the greatest or least values at each step, with all their labels.

use std::cmp::Ordering;

use crate::error::QueryError;
use crate::limits::Control;
use crate::vector::aggregate::Groups;
use crate::vector::ops::AggregateOp;
use crate::vector::rows::{ABSENT, Row, Rows, Scalar};

/// How many to keep. Prometheus refuses what is no `int64`.
fn count_at(count: &Scalar, step: usize, rows: usize) -> Result<usize, QueryError> {
    let count = count.at(step);
    if !(-9_223_372_036_854_775_808.0..=9_223_372_036_854_774_784.0).contains(&count) {
        let count = crate::text::write::Number(count);
        return Err(QueryError::execution(format!("Scalar value {count} overflows int64")));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to 0..=2^32 first")]
    let count = count.clamp(0.0, 4_294_967_296.0) as usize;
    Ok(count.min(rows))
}

/// The better first, NaN last, of equals the earlier series first.
fn better(op: AggregateOp, a: (f64, usize), b: (f64, usize)) -> Ordering {
    let by_value = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
    let by_value = if op == AggregateOp::Topk { by_value.reverse() } else { by_value };
    a.0.is_nan().cmp(&b.0.is_nan()).then(by_value).then(a.1.cmp(&b.1))
}

pub(crate) fn select(
    rows: Rows,
    groups: &Groups,
    count: &Scalar,
    steps: usize,
    op: AggregateOp,
    control: &Control,
) -> Result<Rows, QueryError> {
    let mut kept: Vec<Option<Vec<f64>>> = vec![None; rows.rows.len()];
    let mut order = Vec::new();
    let mut candidates: Vec<(f64, usize)> = Vec::new();
    for members in &groups.members {
        for step in 0..steps {
            if step % 64 == 0 {
                control.check()?;
            }
            let wanted = count_at(count, step, rows.rows.len())?;
            if wanted == 0 {
                continue;
            }
            candidates.clear();
            candidates.extend(members.iter().filter_map(|index| Some((rows.rows[*index].get(step)?, *index))));
            if wanted < candidates.len() {
                candidates.select_nth_unstable_by(wanted - 1, |a, b| better(op, *a, *b));
                candidates.truncate(wanted);
            }
            if steps == 1 {
                candidates.sort_unstable_by(|a, b| better(op, *a, *b));
                order.extend(candidates.iter().map(|(_, index)| *index));
            }
            for (value, index) in &candidates {
                let row = &rows.rows[*index];
                let cells = kept[*index].get_or_insert_with(|| vec![ABSENT; row.values.len()]);
                cells[step - row.first] = *value;
            }
        }
    }
    if steps != 1 {
        order = (0..rows.rows.len()).collect();
    }
    let mut out = Vec::new();
    for index in order {
        let Some(cells) = kept[index].take() else { continue };
        let row = &rows.rows[index];
        out.extend(Row::cut(row.labels.clone(), &cells).map(|cut| Row { first: cut.first + row.first, ..cut }));
    }
    Ok(Rows { rows: out, ordered: true })
}
