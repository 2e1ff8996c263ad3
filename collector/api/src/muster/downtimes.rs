//! Downtimes: those that are not over, and who asks gets those that ended lately.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_fleet::status::{Downtime, DowntimeSpec};
use muster_fleet::{Fleet, FleetError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, numbered, read, truth};
use crate::error::MusterError;
use crate::form::Parameters;
use crate::state::State;
use crate::work::{blocking, by};

/// A calendar looks back at a month.
const ENDED_SHOWN_MS: i64 = 30 * 86_400_000;

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let ended = truth(&form, "ended", false, "write ended=true to see those of the last 30 days too")?;
    let now_ms = state.now().millis();
    let mut downtimes = state.fleet.downtimes();
    if ended {
        let since_ms = now_ms.saturating_sub(ENDED_SHOWN_MS);
        downtimes.extend(state.fleet.ended_downtimes().into_iter().filter(|one| one.spec.ends_ms > since_ms));
        downtimes.sort_by_key(|one| one.id);
    }
    let downtimes: Vec<Value> = downtimes.iter().map(|one| downtime_json(&state.fleet, one, now_ms)).collect();
    Ok(answer(StatusCode::OK, json!({"downtimes": downtimes})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    matchers: Vec<String>,
    #[serde(default)]
    reason: String,
    /// Absent: from now on.
    starts_ms: Option<i64>,
    ends_ms: i64,
    every: Option<String>,
    zone: Option<String>,
}

pub(super) async fn add(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let spec = DowntimeSpec {
        matchers: body.matchers.join(", "),
        starts_ms: body.starts_ms.unwrap_or(now.millis()),
        ends_ms: body.ends_ms,
        recurrence: body.every.unwrap_or_default(),
        zone: body.zone.unwrap_or_default(),
        owner: by.to_string(),
        reason: body.reason,
        hosts: Vec::new(),
    };
    if spec.ends_ms <= now.millis() {
        return Err(bad("field `ends_ms`", "this downtime is over already", "give an end in the future").into());
    }
    let (fleet, wanted) = (Arc::clone(&state.fleet), spec.clone());
    let id = blocking("the request's body", move || fleet.add_downtime(wanted, &by, now)).await?;
    let json = downtime_json(&state.fleet, &Downtime { id, spec }, now.millis());
    Ok(answer(StatusCode::CREATED, json!({"downtime": json})))
}

pub(super) async fn end(
    Shared(state): Shared<Arc<State>>,
    Path(asked): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let id = numbered(&asked, "a downtime", "muster checks downtime list")?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let before = fleet.downtimes().into_iter().find(|one| one.id == id).ok_or(FleetError::NoDowntime { id })?;
        fleet.end_downtime(id, &by, now)?;
        Ok::<_, FleetError>(before)
    };
    let mut ended = blocking("the downtime asked for", work).await?;
    ended.spec.ends_ms = ended.spec.ends_ms.min(now.millis());
    Ok(answer(StatusCode::OK, json!({"downtime": downtime_json(&state.fleet, &ended, now.millis())})))
}

/// `every` and `zone` are null where it does not recur.
pub(crate) fn downtime_json(fleet: &Fleet, downtime: &Downtime, now_ms: i64) -> Value {
    let spec = &downtime.spec;
    let state = match (now_ms >= spec.ends_ms, downtime.is_on(now_ms)) {
        (true, _) => "ended",
        (false, true) => "active",
        (false, false) => "pending",
    };
    let recurs = !spec.recurrence.is_empty();
    let zone = if spec.zone.is_empty() { "UTC" } else { &spec.zone };
    json!({
        "id": downtime.id,
        "state": state,
        "matchers": matchers(&spec.matchers),
        "starts_ms": spec.starts_ms,
        "ends_ms": spec.ends_ms,
        "every": recurs.then_some(&spec.recurrence),
        "zone": recurs.then_some(zone),
        "by": spec.owner,
        "reason": spec.reason,
        "hosts": spec.hosts.iter().map(|id| named(fleet, id)).collect::<Vec<_>>(),
    })
}

/// A host by the name that it has now; one that is gone by its id.
pub(super) fn named(fleet: &Fleet, id: &str) -> String {
    let row = HostId::parse(id).and_then(|id| fleet.host(id));
    row.map_or_else(|| id.to_owned(), |row| row.name)
}

/// The matchers of a text that was taken, one by one: commas inside of double quotes part none.
pub(super) fn matchers(text: &str) -> Vec<String> {
    let (mut all, mut one, mut is_quoted, mut is_escaped) = (Vec::new(), String::new(), false, false);
    for character in text.chars() {
        match character {
            ',' if !is_quoted => all.push(std::mem::take(&mut one)),
            _ => one.push(character),
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
    }
    all.push(one);
    all.iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_part_matchers_outside_of_quotes_only() {
        assert_eq!(matchers(r#"host="a,b\",c", env=p,x!="\\" ,"#), [r#"host="a,b\",c""#, "env=p", r#"x!="\\""#]);
        assert!(matchers("").is_empty());
    }
}
