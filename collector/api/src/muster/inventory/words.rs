//! Parameters that several questions have, and rows as JSON.

use muster_common::host::HostId;
use muster_common::inventory::{Kind, Row, TABLES, Table, Value as Cell, named};
use muster_fleet::{Fleet, FleetError, HostRow};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::muster::body::bad;

/// The table of this name.
pub(super) fn table(name: &str) -> Result<&'static Table, ApiError> {
    named(name).ok_or_else(|| {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        bad("the table", format!("there is no table `{name}`"), format!("ask one of {}", names.join(", ")))
    })
}

/// The host of this name or id.
pub(super) fn host(fleet: &Fleet, asked: &str) -> Result<HostRow, FleetError> {
    let id: HostId = fleet.find(asked)?;
    fleet.host(id).ok_or_else(|| FleetError::NoHost { asked: asked.to_owned() })
}

/// Times are seconds since 1970, as in SQL.
pub(super) fn cell(value: &Cell) -> Value {
    match value {
        Cell::Null => Value::Null,
        Cell::Integer(number) => (*number).into(),
        Cell::Text(text) => text.as_str().into(),
    }
}

/// With a null for each column that the row does not have.
pub(super) fn row(table: &Table, row: &[Cell]) -> Value {
    (0..table.columns.len()).map(|at| row.get(at).map_or(Value::Null, cell)).collect()
}

pub(in crate::muster) fn cells(row: &Row) -> Value {
    row.iter().map(cell).collect()
}

pub(in crate::muster) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "integer",
        Kind::Time => "time",
    }
}

/// What a table is, to programs that show it.
pub(in crate::muster) fn shape(table: &Table) -> Value {
    let columns: Vec<Value> =
        table.columns.iter().map(|column| json!({"name": column.name, "kind": kind(column.kind)})).collect();
    json!({"table": table.name, "one": table.one, "columns": columns, "keys": table.keys})
}
