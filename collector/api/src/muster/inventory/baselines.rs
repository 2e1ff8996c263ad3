//! Baselines: what hosts ought to have, as it was pinned.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::inventory::Table;
use muster_fleet::{Baseline, BaselineSpec, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::words::{host, table};
use crate::error::{ApiError, MusterError};
use crate::muster::body::{answer, read};
use crate::muster::downtimes::matchers;
use crate::state::State;
use crate::work::{blocking, by};

/// All, by name.
pub(in crate::muster) async fn baselines(Shared(state): Shared<Arc<State>>) -> Response {
    let all: Vec<Value> = state.fleet.baselines().iter().map(shown).collect();
    answer(StatusCode::OK, json!({"baselines": all}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    /// None: the host of the baseline's name.
    #[serde(default)]
    matchers: Vec<String>,
    /// Whose rows are right; absent: those that most have.
    host: Option<String>,
    #[serde(default)]
    tables: Vec<String>,
}

/// Pins what hosts have now.
pub(in crate::muster) async fn pin(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let tables: Vec<&'static Table> = body.tables.iter().map(|name| table(name)).collect::<Result<_, ApiError>>()?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        // A baseline of one host is what it had itself.
        let is_of_one = body.matchers.is_empty() && body.host.as_deref().is_none_or(|asked| asked == name);
        let whose = if is_of_one { Some(name.as_str()) } else { body.host.as_deref() };
        let whose = whose.map(|asked| host(&fleet, asked)).transpose()?;
        let matchers = match &whose {
            Some(row) if is_of_one => format!("host={:?}", row.name),
            _ => body.matchers.join(", "),
        };
        let spec = BaselineSpec { matchers, host: whose.map(|row| row.id), tables };
        let made = fleet.pin_baseline(&name, &spec, &by, now)?;
        Ok::<_, FleetError>(json!({"baseline": shown(&made)}))
    };
    Ok(answer(StatusCode::OK, blocking("the request's body", work).await?))
}

/// Drops a baseline.
pub(in crate::muster) async fn unpin(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let fleet = Arc::clone(&state.fleet);
    let work = move || fleet.unpin_baseline(&name, &by, now);
    let gone = blocking("the baseline asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"baseline": shown(&gone)})))
}

fn shown(one: &Baseline) -> Value {
    json!({
        "name": one.name,
        "matchers": matchers(&one.matchers),
        "host": (!one.host.is_empty()).then_some(&one.host),
        "tables": one.tables,
        "rows": one.rows,
        "made_ms": one.made_ms,
        "by": one.by,
    })
}
