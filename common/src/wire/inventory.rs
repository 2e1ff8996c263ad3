//! What hosts report of what they have and are: tables whole, and what changed in them.

use bincode::{Decode, Encode};

use super::message::Extension;

/// A value of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Value {
    /// Not known, or there is none.
    #[default]
    Null,
    /// Also a time, as seconds since 1970.
    Integer(i64),
    Text(String),
}

/// The values of one row, in the order of its table's columns.
pub type Row = Vec<Value>;

/// One look at a host, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct InventoryReport {
    /// When the look was taken, by the corrected clock.
    pub at_ms: i64,
    /// When these tables were looked at before; 0: never by this process. What changed did so after that and not after `at_ms`.
    pub since_ms: i64,
    /// Each table at most once, but for a whole one in parts.
    pub tables: Vec<TableReport>,
    pub extensions: Vec<Extension>,
}

/// What one look says of one table.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TableReport {
    /// [`crate::inventory::Table::number`].
    pub table: u8,
    /// [`crate::inventory::Digest`] of all rows after this report.
    pub digest: u64,
    /// Rows of the host that are left out everywhere, since there are too many.
    pub dropped: u64,
    pub word: InventoryWord,
}

/// How a table is told.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum InventoryWord {
    /// As it was told last.
    Unchanged,
    /// What leads to it from rows with the digest `from`.
    Changed { from: u64, gone: Vec<Row>, now: Vec<Row> },
    /// All rows: part `part` of `parts`, counted from 0, which follow each other.
    Whole { part: u16, parts: u16, rows: Vec<Row> },
    /// It could not be looked at; what was told last stands. The text names place and reason.
    Failed { problem: String },
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
