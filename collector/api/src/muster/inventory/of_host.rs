//! One host's tables, and two against each other.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::inventory::{TABLES, Table};
use muster_common::time::Timestamp;
use muster_fleet::{Fleet, FleetError, RowSince, TableKnown};
use serde_json::{Value, json};

use super::words::{cells, host, row, shape, table};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::form::Parameters;
use crate::muster::body::{answer, bad, moment, truth};
use crate::state::State;
use crate::work::blocking;

/// What is known of each table of a host.
pub(in crate::muster) async fn tables_of_host(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
) -> Result<Response, MusterError> {
    let (fleet, now_ms) = (Arc::clone(&state.fleet), state.now().millis());
    let work = move || {
        let row = host(&fleet, &asked)?;
        let tables = fleet.inventory_tables(row.id);
        Ok::<_, FleetError>((row, tables))
    };
    let (row, tables) = blocking("the inventory asked for", work).await?;
    let all: Vec<Value> = tables.iter().map(|known| one(known, now_ms)).collect();
    let mut object = json!({"host": row.name, "host_id": row.id.to_string(), "now_ms": now_ms, "tables": all});
    if all.is_empty() {
        let version = if row.agent_version.is_empty() { "not known" } else { &row.agent_version };
        object["note"] = format!(
            "nothing was told of what this host has: its agent (version {version}) is too old for it, does not look ([inventory] in agent.toml), or was not heard yet"
        )
        .into();
    }
    Ok(answer(StatusCode::OK, object))
}

fn one(known: &TableKnown, now_ms: i64) -> Value {
    json!({
        "table": known.table.name,
        "one": known.table.one,
        "rows": known.rows,
        "known_from_ms": known.known_from_ms,
        "seen_ms": known.seen_ms,
        "age_ms": now_ms.saturating_sub(known.seen_ms).max(0),
        "changed_ms": known.changed_ms,
        "dropped": known.dropped,
        "problem": (!known.problem.is_empty()).then_some(known.problem.as_str()),
    })
}

/// The rows of one table of a host, now or at `at`; with `since=true` since when each is as it is.
pub(in crate::muster) async fn rows(
    Shared(state): Shared<Arc<State>>,
    Path((asked, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let (table, at) = (table(&name)?, moment(&form, "at")?);
    let since = truth(&form, "since", false, "write since=true for the time since when each row is as it is")?;
    if since && at.is_some() {
        return Err(bad("parameter `since`", "since when is known of the present alone", "leave out `at`").into());
    }
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let host = host(&fleet, &asked)?;
        let rows = fleet.inventory_rows(host.id, table, at)?;
        let times = if since { fleet.inventory_since_all(host.id, table)? } else { Vec::new() };
        Ok::<_, FleetError>((host, rows, times))
    };
    let (host, rows, times) = blocking("the rows asked for", work).await?;
    let Some(rows) = rows else { return Err(unknown(table, &host.name, at).into()) };
    let mut object = shape(table);
    object["host"] = host.name.into();
    object["at_ms"] = at.map(Timestamp::millis).into();
    object["rows"] = rows.iter().map(|one| row(table, one)).collect();
    if since {
        // Both lists are in the order of the keys, unless a look came between: then a row has no time.
        let time =
            |one: &Vec<_>| times.iter().find(|(row, _)| row == one).map_or(Value::Null, |(_, since)| when(*since));
        object["since"] = if times.iter().map(|(row, _)| row).eq(rows.iter()) {
            times.iter().map(|(_, since)| when(*since)).collect()
        } else {
            rows.iter().map(time).collect()
        };
    }
    Ok(answer(StatusCode::OK, object))
}

fn when(since: RowSince) -> Value {
    match since {
        RowSince::Changed { since_ms, at_ms } => json!({"after_ms": since_ms, "until_ms": at_ms}),
        RowSince::AtLeast { at_ms } => json!({"after_ms": null, "until_ms": at_ms}),
    }
}

fn unknown(table: &Table, host: &str, at: Option<Timestamp>) -> ApiError {
    let when = if at.is_some() { " at that time" } else { "" };
    let message = format!("what {host} had in table {}{when} is not known", table.name);
    let remedy = format!("GET /api/muster/v1/hosts/{host}/inventory says which tables are known, and since when");
    ApiError::new(ErrorKind::NotFound, message).place("the inventory").remedy(remedy)
}

/// One side of a comparison.
struct Side {
    host: String,
    at: Option<Timestamp>,
}

impl Side {
    fn of(form: &Parameters, name: &str, at: &str) -> Result<Self, ApiError> {
        let host = form.first(name).map(str::to_owned).ok_or_else(|| {
            bad(
                &format!("parameter `{name}`"),
                "it is missing",
                "name a host, its time in the parameter that ends with `_at`",
            )
        })?;
        Ok(Self { host, at: moment(form, at)? })
    }
}

/// What leads from one host, or moment, to another: all tables, or one.
pub(in crate::muster) async fn compare(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let (one, other) = (Side::of(&form, "one", "one_at")?, Side::of(&form, "other", "other_at")?);
    let only = form.first("table").map(table).transpose()?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || differences(&fleet, &one, &other, only);
    Ok(answer(StatusCode::OK, blocking("the comparison", work).await?))
}

fn differences(fleet: &Fleet, one: &Side, other: &Side, only: Option<&'static Table>) -> Result<Value, FleetError> {
    let (first, second) = (host(fleet, &one.host)?, host(fleet, &other.host)?);
    let mut tables = Vec::new();
    for table in TABLES.iter().filter(|table| only.is_none_or(|only| only == *table)) {
        let found = fleet.inventory_difference((first.id, one.at), (second.id, other.at), table)?;
        let mut object = shape(table);
        object["known"] = found.is_some().into();
        let rows = found.unwrap_or_default();
        object["rows"] = rows
            .iter()
            .map(|change| json!({"key": cells(&change.key), "one": change.before.as_ref().map(|one| row(table, one)), "other": change.after.as_ref().map(|one| row(table, one))}))
            .collect();
        tables.push(object);
    }
    let side = |name: &str, at: Option<Timestamp>| json!({"host": name, "at_ms": at.map(Timestamp::millis)});
    Ok(json!({"one": side(&first.name, one.at), "other": side(&second.name, other.at), "tables": tables}))
}
