//! Order by value.

use std::cmp::Ordering;

use crate::vector::rows::{Row, Rows};

/// Rows of one step by their values, NaN last either way. Rows of several steps stay as they are.
pub(crate) fn by_value(mut rows: Rows, steps: usize, descending: bool) -> Rows {
    if steps == 1 {
        let value = |row: &Row| row.get(0).unwrap_or(f64::NAN);
        rows.rows.sort_by(|a, b| {
            let (a, b) = (value(a), value(b));
            let order = a.partial_cmp(&b).unwrap_or(Ordering::Equal);
            a.is_nan().cmp(&b.is_nan()).then(if descending { order.reverse() } else { order })
        });
        rows.ordered = true;
    }
    rows
}
