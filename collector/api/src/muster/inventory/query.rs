//! SQL over what all hosts have and are, read only.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_common::inventory::TABLES;
use muster_sql::{Answer, Cell, Limits, SqlError};
use serde_json::{Value, json};

use super::csv;
use super::relations::{OWN, database};
use super::words::{kind, shape};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::muster::body::{answer, bad, moment};
use crate::state::State;
use crate::work::{blocking, split};

/// Questions that are answered at once. They take processor time, and ingest needs a core as well.
static RUNNING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);

/// Which tables there are, with their columns.
pub(in crate::muster) async fn tables() -> Response {
    let mut all: Vec<Value> = TABLES.iter().map(shape).collect();
    for (name, columns) in OWN {
        let columns: Vec<Value> = columns.iter().map(|(name, one)| json!({"name": name, "kind": kind(*one)})).collect();
        all.push(json!({"table": name, "one": name.trim_end_matches('s'), "columns": columns, "keys": 1}));
    }
    answer(StatusCode::OK, json!({"tables": all}))
}

/// Answers `sql` over what is known now, or was at `at`; as JSON, or with `format=csv` as that.
pub(in crate::muster) async fn ask(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let Some(sql) = form.first("sql").map(str::to_owned) else {
        return Err(bad(
            "parameter `sql`",
            "it is missing",
            "write a SELECT; /api/muster/v1/inventory/tables lists the tables",
        )
        .into());
    };
    let is_csv = match form.first("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(other) => {
            return Err(bad("parameter `format`", format!("`{other}` is no format"), "write json or csv").into());
        }
    };
    let at = moment(&form, "at")?;
    let Ok(_turn) = RUNNING.acquire().await else {
        return Err(ApiError::new(ErrorKind::Unavailable, "the collector ends").remedy("ask again in a minute").into());
    };
    let made = blocking("the question", move || {
        let database = database(&state, &sql, at)?;
        Ok::<_, muster_fleet::FleetError>(database.ask(&sql, &Limits::default()))
    });
    let found = made.await?.map_err(|error| refused(&error))?;
    if is_csv {
        let cut = [("x-muster-cut", if found.is_cut { "true" } else { "false" })];
        let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")];
        return Ok((StatusCode::OK, kind, cut, csv::write(&found)).into_response());
    }
    Ok(answer(StatusCode::OK, shown(found, at.map(|at| at.millis()))))
}

fn refused(error: &SqlError) -> ApiError {
    let (kind, place) = match error {
        SqlError::Time { .. } | SqlError::Memory { .. } => (ErrorKind::Unavailable, "the question".to_owned()),
        SqlError::Syntax { at: Some(at), .. } => {
            (ErrorKind::BadData, format!("parameter `sql`, at character {}", at + 1))
        }
        _ => (ErrorKind::BadData, "parameter `sql`".to_owned()),
    };
    let (message, remedy) = split(&error.to_string());
    let remedy = if remedy.is_empty() {
        "write one SELECT as SQLite has it; /api/muster/v1/inventory/tables lists tables and columns".to_owned()
    } else {
        remedy
    };
    ApiError::new(kind, message).place(place).remedy(remedy)
}

fn shown(found: Answer, at_ms: Option<i64>) -> Value {
    let cell = |cell: Cell| match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => number.into(),
        // What JSON has no number for is null.
        Cell::Real(number) => serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number),
        Cell::Text(text) => text.into(),
        Cell::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    };
    let rows: Vec<Value> = found.rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect();
    json!({"columns": found.columns, "rows": rows, "cut": found.is_cut, "at_ms": at_ms})
}
