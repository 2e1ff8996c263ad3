//! What a question is answered with.

/// One value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    /// Bytes that are no text; only expressions make them.
    Bytes(Vec<u8>),
}

impl Cell {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// Rows in the order in which SQLite gave them, each as long as `columns`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    /// There are more rows than the limit allows.
    pub is_cut: bool,
}
