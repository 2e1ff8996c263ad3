//! Many problems acknowledged at once: all of them or none, and then why, row by row.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_fleet::status::Acknowledgement;
use muster_fleet::{Fleet, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, read};
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::state::State;
use crate::work::{blocking, by, refusal};

/// Rows of one request: a page of problems that somebody selects as a whole. Each is an event and a row of the audit.
const ROWS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ack {
    checks: Vec<One>,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    sticky: bool,
    until_ms: Option<i64>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    host: String,
    /// Absent: that the host is away.
    check: Option<String>,
}

/// What became of each row: why it hinders the others, if it does.
type Rows = Vec<(One, Option<ApiError>)>;

pub(super) async fn acknowledge(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let Ack { checks, comment, sticky, until_ms } = read(request).await?;
    if !(1..=ROWS_MAX).contains(&checks.len()) {
        let message = format!("{} checks are named", checks.len());
        return Err(bad("field `checks`", message, format!("name 1 to {ROWS_MAX}")).into());
    }
    if until_ms.is_some_and(|until_ms| until_ms <= now.millis()) {
        let remedy = "give a time in the future, or leave it out";
        return Err(bad("field `until_ms`", "an acknowledgement cannot end before it begins", remedy).into());
    }
    let acknowledgement =
        Acknowledgement { by: by.to_string(), comment, at_ms: now.millis(), until_ms, is_sticky: sticky };
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        all_or_none(&fleet, checks, |fleet, problems| fleet.acknowledge_all(problems, &acknowledgement, &by, now))
    };
    let rows = blocking("the request's body", work).await?;
    let hindered = rows.iter().filter(|(_, error)| error.is_some()).count();
    let count = rows.len();
    let rows: Vec<Value> = rows.iter().map(|(one, error)| row_json(one, error.as_ref())).collect();
    if hindered == 0 {
        return Ok(answer(StatusCode::OK, json!({"acknowledged": count, "rows": rows})));
    }
    let error = json!({
        "code": ErrorKind::Conflict.muster(),
        "message": format!("none is acknowledged, since {hindered} of {count} cannot be"),
        "where": "field `checks`",
        "remedy": "leave out the rows that have an error",
    });
    Ok(answer(StatusCode::CONFLICT, json!({"error": error, "rows": rows})))
}

/// Looks the hosts up, and does it if all are there.
fn all_or_none(
    fleet: &Fleet,
    checks: Vec<One>,
    work: impl FnOnce(&Fleet, &[(HostId, Option<String>)]) -> Result<Vec<(usize, FleetError)>, FleetError>,
) -> Result<Rows, FleetError> {
    let told = |error: FleetError| refusal(&error.into(), "the check asked for");
    let (mut rows, mut problems): (Rows, Vec<(HostId, Option<String>)>) = (Vec::new(), Vec::new());
    for one in checks {
        match fleet.find(&one.host) {
            Ok(host) => {
                problems.push((host, one.check.clone()));
                rows.push((one, None));
            }
            Err(error) => rows.push((one, Some(told(error)))),
        }
    }
    // Where a host is not known nothing is tried, and what else hinders is told once it is mended.
    if problems.len() == rows.len() {
        for (place, error) in work(fleet, &problems)? {
            rows[place].1 = Some(told(error));
        }
    }
    Ok(rows)
}

fn row_json(one: &One, error: Option<&ApiError>) -> Value {
    json!({"host": one.host, "check": one.check, "error": error.map(ApiError::message)})
}
