//! Tables as they lie in memory.

use std::sync::{Arc, OnceLock};

use muster_common::inventory::{Row, Value};

use crate::plan::Term;

pub use muster_common::inventory::Kind;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
}

impl Field {
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind }
    }
}

/// One table that can be asked.
#[derive(Clone, Debug)]
pub enum Relation {
    /// Rows as they are.
    Plain { fields: Vec<Field>, rows: Arc<Vec<Row>> },
    /// Rows that hosts share, with the host as the first column.
    Shared(Arc<Shared>),
    /// Each row of such a table once, with the number of its hosts as the first column.
    Counted(Arc<Shared>),
}

/// Rows of many hosts, each different row kept once: ten thousand hosts with the same packages have the same rows.
#[derive(Debug)]
pub struct Shared {
    /// Without the host. A row may have fewer values: nulls stand for those at its end.
    pub fields: Vec<Field>,
    pub rows: Vec<Arc<Row>>,
    pub hosts: Vec<HostRows>,
    counts: OnceLock<Vec<u32>>,
}

/// What one host has: numbers of rows.
#[derive(Clone, Debug)]
pub struct HostRows {
    pub host: Arc<str>,
    pub rows: Arc<[u32]>,
}

impl Shared {
    /// Numbers beyond `rows` are passed over.
    pub fn new(fields: Vec<Field>, rows: Vec<Arc<Row>>, mut hosts: Vec<(Arc<str>, Arc<[u32]>)>) -> Self {
        // So that what is grouped by host need not be sorted.
        hosts.sort_by(|one, other| one.0.cmp(&other.0));
        let hosts = hosts.into_iter().map(|(host, rows)| HostRows { host, rows }).collect();
        Self { fields, rows, hosts, counts: OnceLock::new() }
    }

    /// Of how many hosts each row is. Counted when first asked for: some millisecond for a million rows.
    pub(crate) fn counts(&self) -> &[u32] {
        self.counts.get_or_init(|| {
            let mut counts = vec![0_u32; self.rows.len()];
            for number in self.hosts.iter().flat_map(|host| host.rows.iter()) {
                if let Some(count) = counts.get_mut(*number as usize) {
                    *count += 1;
                }
            }
            counts
        })
    }
}

const NULL: &Value = &Value::Null;

/// A value of a row that may be shorter than its table.
pub(crate) fn value(row: &[Value], at: usize) -> &Value {
    row.get(at).unwrap_or(NULL)
}

impl Relation {
    /// All columns in the order in which `SELECT *` gives them.
    pub(crate) fn fields(&self) -> Vec<Field> {
        let first =
            |first: Field, shared: &Shared| std::iter::once(first).chain(shared.fields.iter().cloned()).collect();
        match self {
            Self::Plain { fields, .. } => fields.clone(),
            Self::Shared(shared) => first(Field::new("host", Kind::Text), shared),
            Self::Counted(shared) => first(Field::new("hosts", Kind::Integer), shared),
        }
    }

    /// Whether a cursor can give its rows in this order by itself: by host, or by columns of the row, which are sorted once for all hosts.
    pub(crate) fn keeps(&self, order: &[Term]) -> bool {
        let of_row = |term: &Term| term.column > 0;
        let of_host = |term: &Term| term.column == 0;
        matches!(self, Self::Shared(_))
            && !order.is_empty()
            && (order.iter().all(of_row) || matches!(order, [term] if of_host(term)))
    }

    /// Rows, about.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Plain { rows, .. } => rows.len(),
            Self::Shared(shared) => shared.hosts.iter().map(|host| host.rows.len()).sum(),
            Self::Counted(shared) => shared.rows.len(),
        }
    }
}
