//! Silences: shown, set, changed and ended.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::response::Response;
use muster_alert::alerting::{Alerting, AlertingError};
use muster_alert::routing::{Silence, SilenceState};
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_common::matcher_text::{all_match, make_matcher, parts_of};
use muster_common::time::Timestamp;
use muster_fleet::By;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{answer, bad, filters, read, time};
use crate::error::{AlertmanagerError, ApiError, ErrorKind};
use crate::form::Parameters;
use crate::json::rfc3339;
use crate::state::State;
use crate::work::{blocking, by};

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, AlertmanagerError> {
    let filters = filters(&Parameters::of(request).await?)?;
    let now_ms = state.now().millis();
    let mut silences = state.alerting.ask(|desk| {
        let all = desk.routing().silences().iter();
        all.filter(|silence| is_about(silence, &filters)).cloned().collect::<Vec<_>>()
    });
    // Those that are on, those that end first before others; then those to come; then those that are over, the latest first.
    silences.sort_by_key(|silence| match silence.state(now_ms) {
        SilenceState::Active => (0, silence.ends_ms),
        SilenceState::Pending => (1, silence.starts_ms),
        SilenceState::Expired => (2, -silence.ends_ms),
    });
    Ok(answer(&silences.iter().map(|silence| silence_json(silence, now_ms)).collect()))
}

/// Whether filters match a silence: its matchers' values are taken for labels, as Alertmanager does.
fn is_about(silence: &Silence, filters: &[Matcher]) -> bool {
    if filters.is_empty() {
        return true;
    }
    let pairs = silence.matchers.iter().map(|matcher| (matcher.name.as_str(), parts_of(matcher).1));
    LabelSet::new(pairs).is_ok_and(|labels| all_match(filters, &labels))
}

pub(super) async fn one(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
) -> Result<Response, AlertmanagerError> {
    let found = known(&state.alerting, &id).ok_or_else(|| unknown(&id))?;
    Ok(answer(&silence_json(&found, state.now().millis())))
}

fn known(alerting: &Alerting, id: &str) -> Option<Silence> {
    alerting.ask(|desk| desk.routing().silences().get(id).cloned())
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(ErrorKind::NotFound, format!("silence {id} not found"))
        .place("silences")
        .remedy("`muster silence list` shows the ids")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Postable {
    id: Option<String>,
    matchers: Vec<PostableMatcher>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostableMatcher {
    name: String,
    value: String,
    is_regex: bool,
    /// Absent before Alertmanager 0.22.
    is_equal: Option<bool>,
}

impl PostableMatcher {
    fn matcher(&self) -> Result<Matcher, ApiError> {
        let operator = match (self.is_regex, self.is_equal.unwrap_or(true)) {
            (false, true) => "=",
            (false, false) => "!=",
            (true, true) => "=~",
            (true, false) => "!~",
        };
        let made = make_matcher(&self.name, operator, &self.value);
        made.map_err(|error| bad("field `matchers`", error.to_string(), "correct the matcher"))
    }
}

pub(super) async fn put(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, AlertmanagerError> {
    let (by, now) = (by(&request), state.now());
    let posted: Postable = read(request, "a silence").await?;
    let wanted = silence(&posted, now)?;
    let old = match posted.id.as_deref().filter(|id| !id.is_empty()) {
        None => None,
        Some(id) => Some(known(&state.alerting, id).ok_or_else(|| unknown(id))?),
    };
    let alerting = Arc::clone(&state.alerting);
    let id = blocking("the request's body", move || set(&alerting, old, wanted, &by, now)).await?;
    Ok(answer(&json!({"silenceID": id})))
}

/// Without an id yet. What should have begun before now begins now.
fn silence(posted: &Postable, now: Timestamp) -> Result<Silence, ApiError> {
    let now_ms = now.millis();
    let given = |field: &str, text: &str| {
        time(field, Some(text))?.ok_or_else(|| bad(&format!("field `{field}`"), "no time is given", "give one"))
    };
    let (starts_ms, ends_ms) = (given("startsAt", &posted.starts_at)?, given("endsAt", &posted.ends_at)?);
    if ends_ms <= now_ms {
        return Err(bad("field `endsAt`", "end time can't be in the past", "give an end in the future"));
    }
    if ends_ms <= starts_ms {
        return Err(bad("field `endsAt`", "end time must be after start time", "give an end after the start"));
    }
    let matchers = posted.matchers.iter().map(PostableMatcher::matcher).collect::<Result<Vec<_>, _>>()?;
    Ok(Silence {
        id: String::new(),
        matchers,
        starts_ms: starts_ms.max(now_ms),
        ends_ms,
        created_by: posted.created_by.clone(),
        comment: posted.comment.clone(),
        updated_ms: now_ms,
    })
}

/// Sets a silence in place of the old one. It keeps its id where the past stays as it was: what has silenced something is
/// not made to have silenced something else. The other ends then, and the answer is the id of the new one.
fn set(
    alerting: &Alerting,
    old: Option<Silence>,
    mut wanted: Silence,
    by: &By,
    now: Timestamp,
) -> Result<String, AlertingError> {
    let state = old.as_ref().map(|old| old.state(now.millis()));
    let kept = old.as_ref().filter(|old| match state {
        Some(SilenceState::Pending) => true,
        Some(SilenceState::Active) => is_same(&old.matchers, &wanted.matchers),
        Some(SilenceState::Expired) | None => false,
    });
    match kept {
        Some(kept) => {
            wanted.id.clone_from(&kept.id);
            if state == Some(SilenceState::Active) {
                wanted.starts_ms = kept.starts_ms;
            }
        }
        None => wanted.id = uuid::Uuid::new_v4().to_string(),
    }
    let id = wanted.id.clone();
    alerting.silence(wanted, by, now)?;
    if let Some(old) = old.filter(|old| old.id != id && state != Some(SilenceState::Expired)) {
        alerting.expire(&old.id, by, now)?;
    }
    Ok(id)
}

fn is_same(a: &[Matcher], b: &[Matcher]) -> bool {
    let parts = |matchers: &[Matcher]| {
        let mut all: Vec<(String, &str, String)> = matchers
            .iter()
            .map(|matcher| {
                let (operator, value) = parts_of(matcher);
                (matcher.name.clone(), operator, value.to_owned())
            })
            .collect();
        all.sort();
        all
    };
    parts(a) == parts(b)
}

pub(super) async fn expire(
    Shared(state): Shared<Arc<State>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, AlertmanagerError> {
    let (by, now) = (by(&request), state.now());
    let old = known(&state.alerting, &id).ok_or_else(|| unknown(&id))?;
    if old.state(now.millis()) == SilenceState::Expired {
        let message = format!("silence {id} already expired");
        return Err(ApiError::new(ErrorKind::Internal, message)
            .place("silences")
            .remedy("there is nothing to end")
            .into());
    }
    let alerting = Arc::clone(&state.alerting);
    blocking("the silence asked for", move || alerting.expire(&id, &by, now)).await?;
    Ok(answer(&json!({})))
}

pub(crate) fn silence_json(silence: &Silence, now_ms: i64) -> Value {
    let matcher = |matcher: &Matcher| {
        let (operator, value) = parts_of(matcher);
        json!({
            "name": matcher.name, "value": value, "isRegex": operator.ends_with('~'), "isEqual": !operator.starts_with('!'),
        })
    };
    json!({
        "id": silence.id,
        "status": {"state": silence.state(now_ms).name()},
        "matchers": silence.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "startsAt": rfc3339(silence.starts_ms),
        "endsAt": rfc3339(silence.ends_ms),
        "updatedAt": rfc3339(silence.updated_ms),
        "createdBy": silence.created_by,
        "comment": silence.comment,
    })
}
