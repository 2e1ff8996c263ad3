//! The rows of one table of one host.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use xxhash_rust::xxh3::Xxh3;

use super::tables::Table;
use super::{Row, Value};
use crate::limits::{INVENTORY_ROWS_MAX, INVENTORY_TEXT_BYTES_MAX};

/// What both ends compare to know that they mean the same rows: the wrapping sum of [`row_hash`] over all of them, so that it follows a
/// difference without a look at the rest. It guards against loss and mistakes, not against a host that lies about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u64);

/// Rows by their key, each as long as its table's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    table: &'static Table,
    rows: BTreeMap<Vec<Value>, Row>,
    digest: Digest,
    dropped: u64,
}

/// Why a row is no row of its table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowsError {
    #[error("a row of table {table} has {values} values, and there are {columns} columns")]
    Length { table: &'static str, values: usize, columns: usize },
    #[error("column {column} of table {table} holds another kind of value")]
    Kind { table: &'static str, column: &'static str },
    #[error("column {column} of table {table} has a text of {bytes} bytes, more than {INVENTORY_TEXT_BYTES_MAX}")]
    Text { table: &'static str, column: &'static str, bytes: usize },
    #[error("table {table} has more than {INVENTORY_ROWS_MAX} rows")]
    TooMany { table: &'static str },
}

/// The values that say which thing a row is.
pub fn key_of(table: &Table, row: &[Value]) -> Vec<Value> {
    row.iter().take(table.keys).cloned().collect()
}

/// xxh3-64 of a row: for each value a byte 0 for null, 1 and eight bytes (little-endian) for an integer, 2, its length in four bytes and
/// its bytes for a text. Nulls at the end do not count, so that a column which only one side knows changes nothing while it is empty.
pub fn row_hash(row: &[Value]) -> u64 {
    let mut hasher = Xxh3::new();
    let length = row.iter().rposition(|value| *value != Value::Null).map_or(0, |last| last + 1);
    for value in row.iter().take(length) {
        match value {
            Value::Null => hasher.update(&[0]),
            Value::Integer(number) => {
                hasher.update(&[1]);
                hasher.update(&number.to_le_bytes());
            }
            Value::Text(text) => {
                hasher.update(&[2]);
                // Bounded by the limit of a text.
                hasher.update(&(text.len() as u32).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
    }
    hasher.digest()
}

impl Rows {
    pub fn new(table: &'static Table) -> Self {
        Self { table, rows: BTreeMap::new(), digest: Digest::default(), dropped: 0 }
    }

    /// Of foreign rows, which must keep to their table. The last of equal keys counts.
    ///
    /// # Errors
    /// [`RowsError`] for the first that does not.
    pub fn of(table: &'static Table, rows: impl IntoIterator<Item = Row>) -> Result<Self, RowsError> {
        let mut all = Self::new(table);
        rows.into_iter().try_for_each(|row| all.put(row))?;
        Ok(all)
    }

    /// Adds what a source found: a text that is too long is cut between letters, and rows beyond the limit are dropped and counted. The
    /// first of equal keys stays, as the first entry of a file is the one in force.
    pub fn add(&mut self, row: impl IntoIterator<Item = Value>) {
        let mut row: Row = row.into_iter().take(self.table.columns.len()).collect();
        row.iter_mut().for_each(cut);
        row.resize(self.table.columns.len(), Value::Null);
        let key = key_of(self.table, &row);
        if self.rows.len() >= INVENTORY_ROWS_MAX && !self.rows.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        if let Entry::Vacant(free) = self.rows.entry(key) {
            self.digest.0 = self.digest.0.wrapping_add(row_hash(&row));
            free.insert(row);
        }
    }

    /// A row takes the place of the one with its key.
    ///
    /// # Errors
    /// [`RowsError`] when it does not keep to the table.
    pub fn put(&mut self, mut row: Row) -> Result<(), RowsError> {
        check(self.table, &row)?;
        row.resize(self.table.columns.len(), Value::Null);
        let key = key_of(self.table, &row);
        if self.rows.len() >= INVENTORY_ROWS_MAX && !self.rows.contains_key(&key) {
            return Err(RowsError::TooMany { table: self.table.name });
        }
        self.digest.0 = self.digest.0.wrapping_add(row_hash(&row));
        if let Some(before) = self.rows.insert(key, row) {
            self.digest.0 = self.digest.0.wrapping_sub(row_hash(&before));
        }
        Ok(())
    }

    /// Takes the row of this key away.
    pub fn remove(&mut self, key: &[Value]) -> Option<Row> {
        let row = self.rows.remove(key)?;
        self.digest.0 = self.digest.0.wrapping_sub(row_hash(&row));
        Some(row)
    }

    pub fn table(&self) -> &'static Table {
        self.table
    }

    pub fn get(&self, key: &[Value]) -> Option<&Row> {
        self.rows.get(key)
    }

    /// In the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Rows that the host has and that are not here, since there were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn cut(value: &mut Value) {
    if let Value::Text(text) = value
        && text.len() > INVENTORY_TEXT_BYTES_MAX
    {
        text.truncate(text.floor_char_boundary(INVENTORY_TEXT_BYTES_MAX));
    }
}

/// Whether a foreign row keeps to its table. It may have fewer values than there are columns: it is of a host that knows no more.
fn check(table: &'static Table, row: &[Value]) -> Result<(), RowsError> {
    use super::tables::Kind;
    let (values, columns) = (row.len(), table.columns.len());
    if values > columns || values < table.keys {
        return Err(RowsError::Length { table: table.name, values, columns });
    }
    for (value, column) in row.iter().zip(table.columns) {
        let (table, name) = (table.name, column.name);
        match (value, column.kind) {
            (Value::Text(text), Kind::Text) if text.len() > INVENTORY_TEXT_BYTES_MAX => {
                return Err(RowsError::Text { table, column: name, bytes: text.len() });
            }
            (Value::Null, _) | (Value::Text(_), Kind::Text) | (Value::Integer(_), Kind::Integer | Kind::Time) => {}
            _ => return Err(RowsError::Kind { table, column: name }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::named;
    use super::*;

    fn users() -> &'static Table {
        named("users").unwrap()
    }

    fn user(name: &str, uid: i64) -> Row {
        vec![name.into(), uid.into()]
    }

    #[test]
    fn the_digest_follows_every_step_and_knows_no_order() {
        let mut one = Rows::of(users(), [user("a", 1), user("b", 2), user("c", 3)]).unwrap();
        let other = Rows::of(users(), [user("c", 3), user("a", 1), user("b", 2)]).unwrap();
        assert_eq!((one.digest(), one.len()), (other.digest(), 3));
        one.put(user("b", 7)).unwrap();
        assert_ne!(one.digest(), other.digest());
        one.put(user("b", 2)).unwrap();
        assert_eq!(one, other);
        let gone = one.remove(&["a".into()]).unwrap();
        assert_eq!((one.remove(&["a".into()]), one.get(&["a".into()])), (None, None));
        assert_eq!(one.digest(), Rows::of(users(), [user("b", 2), user("c", 3)]).unwrap().digest());
        one.put(gone).unwrap();
        assert_eq!(one, other);
        assert_eq!(Rows::new(users()).digest(), Digest(0));
    }

    #[test]
    fn a_column_that_one_side_does_not_know_changes_no_digest() {
        assert_eq!(row_hash(&user("a", 1)), row_hash(&["a".into(), 1.into(), Value::Null, Value::Null]));
        assert_ne!(row_hash(&[Value::Null, 1.into()]), row_hash(&[1.into(), Value::Null]));
        assert_ne!(row_hash(&["a".into(), "bc".into()]), row_hash(&["ab".into(), "c".into()]));
        // As the byte-level page tells it: of no bytes at all.
        assert_eq!(row_hash(&[]), 0x2d06_8005_38d3_94c2);
    }

    #[test]
    fn foreign_rows_keep_to_their_table_or_are_refused_by_name() {
        let long = "x".repeat(INVENTORY_TEXT_BYTES_MAX + 1);
        for (row, told) in [
            (vec![Value::Null; 7], "a row of table users has 7 values, and there are 6 columns"),
            (vec![], "a row of table users has 0 values"),
            (vec!["a".into(), "1".into()], "column uid of table users holds another kind"),
            (vec![5.into()], "column name of table users"),
            (vec![Value::Text(long)], "column name of table users has a text of 1025 bytes"),
        ] {
            let error = Rows::of(users(), [row]).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let many = (0..=INVENTORY_ROWS_MAX).map(|number| user(&format!("u{number}"), 1));
        assert_eq!(Rows::of(users(), many).unwrap_err(), RowsError::TooMany { table: "users" });
    }

    #[test]
    fn a_row_without_all_of_its_key_is_one_with_nulls() {
        let table = named("addresses").unwrap();
        let (mut added, mut put) = (Rows::new(table), Rows::new(table));
        added.add(["eth0".into()]);
        put.put(vec!["eth0".into(), Value::Null]).unwrap();
        assert_eq!(added, put);
    }

    #[test]
    fn what_a_source_finds_is_cut_and_counted_and_the_first_of_equal_keys_stays() {
        let mut rows = Rows::new(users());
        rows.add(user("a", 1));
        rows.add(user("a", 2));
        assert_eq!(rows.get(&["a".into()]).unwrap()[1], Value::Integer(1));
        // A letter of two bytes stands across the limit.
        rows.add([Value::Text("\u{e9}".repeat(INVENTORY_TEXT_BYTES_MAX / 2) + "\u{e9}")]);
        rows.add([Value::Text(format!("x{}", "\u{e9}".repeat(INVENTORY_TEXT_BYTES_MAX)))]);
        let lengths: Vec<usize> =
            rows.iter().map(|row| if let Value::Text(text) = &row[0] { text.len() } else { 0 }).collect();
        assert_eq!(lengths, [1, INVENTORY_TEXT_BYTES_MAX - 1, INVENTORY_TEXT_BYTES_MAX]);
        (0..=INVENTORY_ROWS_MAX).for_each(|number| rows.add(user(&format!("u{number}"), 1)));
        assert_eq!((rows.len(), rows.dropped()), (INVENTORY_ROWS_MAX, 4));
        assert!(Rows::of(users(), rows.iter().cloned()).is_ok());
    }
}
