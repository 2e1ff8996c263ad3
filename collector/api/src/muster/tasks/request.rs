//! Asking for a task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_common::host::HostId;
use muster_common::matcher_text::{all_match_by, read_matchers};
use muster_fleet::{Fleet, HostRow, HostState, OnTrouble, TaskCall, TaskSpec, WaveSize};
use serde::Deserialize;
use serde_json::json;

use super::rows::order_json;
use crate::error::{ApiError, MusterError};
use crate::muster::body::{answer, bad, read, span};
use crate::state::State;
use crate::work::{blocking, by};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    task: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    task: String,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    back: Option<Call>,
    /// Names or ids, in the order of their turns.
    #[serde(default)]
    hosts: Vec<String>,
    /// Over `host` and labels: active hosts that match them all, by name, after those of `hosts`.
    #[serde(default)]
    matchers: Vec<String>,
    canary: Option<u32>,
    /// A number of hosts, or a share of all: `25%`.
    batch: Option<String>,
    failures_max: Option<u32>,
    on_trouble: Option<String>,
    soak: Option<String>,
    return_within: Option<String>,
    within: Option<String>,
    back_within: Option<String>,
    #[serde(default)]
    reason: String,
}

/// Somebody asks for a task on hosts.
pub(in crate::muster) async fn request(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: Wanted = read(request).await?;
    let matchers = read_matchers(&body.matchers.join(", ")).map_err(|error| {
        bad("field `matchers`", error.to_string(), "write matchers such as role=web or env=~\"prod|test\"")
    })?;
    let mut spec = spec_of(&body)?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let mut hosts: Vec<HostId> = body.hosts.iter().map(|asked| fleet.find(asked)).collect::<Result<_, _>>()?;
        if !matchers.is_empty() {
            let named: BTreeSet<HostId> = hosts.iter().copied().collect();
            hosts.extend(matching(&fleet, &matchers).into_iter().filter(|host| !named.contains(host)));
        }
        spec.hosts = hosts;
        fleet.request_task(&spec, &by, now)
    };
    let view = blocking("the request's body", work).await?;
    Ok(answer(StatusCode::CREATED, json!({"order": order_json(&view)})))
}

fn matching(fleet: &Fleet, matchers: &[muster_common::matcher::Matcher]) -> Vec<HostId> {
    let is_meant = |row: &HostRow| {
        let label = |name: &str| match name {
            "host" => Some(row.name.as_str()),
            name => row.labels.get(name).map(String::as_str),
        };
        row.state == HostState::Active && all_match_by(matchers, label)
    };
    let mut rows: Vec<HostRow> = fleet.hosts().into_iter().filter(is_meant).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows.into_iter().map(|row| row.id).collect()
}

fn spec_of(body: &Wanted) -> Result<TaskSpec, ApiError> {
    let call = |task: &str, parameters: &BTreeMap<String, String>| TaskCall {
        task: task.to_owned(),
        parameters: parameters.clone(),
    };
    let usual = TaskSpec::new(Vec::new(), call(&body.task, &body.parameters));
    let millis = |field: &str, text: Option<&str>, otherwise: i64| match text {
        Some(text) => span(field, text).map(|span| i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        None => Ok(otherwise),
    };
    let batch = body.batch.as_deref().map(batch).transpose()?;
    let on_trouble = match body.on_trouble.as_deref() {
        None => usual.on_trouble,
        Some("pause") => OnTrouble::Pause,
        Some("stop") => OnTrouble::Stop,
        Some("roll_back") if body.back.is_some() => OnTrouble::RollBack,
        Some("roll_back") => {
            return Err(bad("field `on_trouble`", "nothing takes the task back", "name a task in `back`"));
        }
        Some(other) => {
            let remedy = "write pause, stop or roll_back";
            return Err(bad("field `on_trouble`", format!("`{other}` is nothing that can be done"), remedy));
        }
    };
    Ok(TaskSpec {
        back: body.back.as_ref().map(|back| call(&back.task, &back.parameters)),
        canary: body.canary.unwrap_or(usual.canary),
        batch: batch.unwrap_or(usual.batch),
        failures_max: body.failures_max.unwrap_or(usual.failures_max),
        on_trouble,
        soak_ms: millis("soak", body.soak.as_deref(), usual.soak_ms)?,
        return_ms: millis("return_within", body.return_within.as_deref(), usual.return_ms)?,
        within_ms: millis("within", body.within.as_deref(), usual.within_ms)?,
        back_within_ms: millis("back_within", body.back_within.as_deref(), usual.back_within_ms)?,
        reason: body.reason.clone(),
        ..usual
    })
}

fn batch(text: &str) -> Result<WaveSize, ApiError> {
    let read = match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(WaveSize::Percent),
        None => text.parse().ok().map(WaveSize::Hosts),
    };
    read.ok_or_else(|| {
        bad(
            "field `batch`",
            format!("`{text}` is no size of a wave"),
            "write a number of hosts, or a share such as 25%",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_a_number_or_a_share() {
        assert_eq!(batch("7").unwrap(), WaveSize::Hosts(7));
        assert_eq!(batch("25%").unwrap(), WaveSize::Percent(25));
        for wrong in ["", "%", "-1", "a", "300%"] {
            assert!(batch(wrong).is_err(), "{wrong}");
        }
    }
}
