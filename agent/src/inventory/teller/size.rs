//! How large rows are once they are encoded, from above: lengths and numbers take at most 9 bytes there.

use muster_common::inventory::{Row, Rows, Value};
use muster_common::wire::inventory::InventoryWord;

/// A mark, and a number or a length behind it.
const MARK_BYTES: usize = 1;
const NUMBER_BYTES: usize = 9;
/// Lengths in front of texts and rows are below 65,536.
const LENGTH_BYTES: usize = 3;

fn row_bytes(row: &Row) -> usize {
    let value = |value: &Value| match value {
        Value::Null => MARK_BYTES,
        Value::Integer(_) => MARK_BYTES + NUMBER_BYTES,
        Value::Text(text) => MARK_BYTES + LENGTH_BYTES + text.len(),
    };
    LENGTH_BYTES + row.iter().map(value).sum::<usize>()
}

pub(super) fn rows_bytes(rows: &[Row]) -> usize {
    rows.iter().map(row_bytes).sum()
}

pub(super) fn table_bytes(rows: &Rows) -> usize {
    rows.iter().map(row_bytes).sum()
}

/// Of what one look says of a table, with number, digest and count.
pub(super) fn word_bytes(word: &InventoryWord) -> usize {
    let head = MARK_BYTES * 2 + NUMBER_BYTES * 3;
    head + match word {
        InventoryWord::Unchanged => 0,
        InventoryWord::Changed { gone, now, .. } => NUMBER_BYTES + rows_bytes(gone) + rows_bytes(now),
        InventoryWord::Whole { rows, .. } => rows_bytes(rows),
        InventoryWord::Failed { problem } => problem.len(),
    }
}
