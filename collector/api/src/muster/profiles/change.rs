//! What a change of profiles would do, and doing it.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::{RuleDefaults, load_rules};
use muster_fleet::{Fleet, Plan, ProfileChange, RolloutState};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rollouts::rollout;
use crate::error::{ApiError, ErrorKind, MusterError};
use crate::muster::body::{answer, bad, read};
use crate::state::State;
use crate::work::{blocking, by};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// What mistakes call it.
    name: String,
    /// YAML, one document or several.
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default)]
    documents: Vec<Document>,
    #[serde(default)]
    remove: Vec<String>,
    /// The plan that is applied; absent: whatever holds now.
    base: Option<u64>,
    reason: Option<String>,
}

impl Change {
    fn wanted(&mut self) -> Result<ProfileChange, ApiError> {
        let documents = std::mem::take(&mut self.documents);
        let remove = std::mem::take(&mut self.remove);
        if documents.is_empty() && remove.is_empty() {
            return Err(bad("the request's body", "nothing is to change", "give `documents`, or names in `remove`"));
        }
        Ok(ProfileChange { documents: documents.into_iter().map(|one| (one.name, one.text)).collect(), remove })
    }
}

/// What it would do.
pub(in crate::muster) async fn plan(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let mut body: Change = read(request).await?;
    let (change, fleet) = (body.wanted()?, Arc::clone(&state.fleet));
    let plan = blocking("the request's documents", move || fleet.plan_profiles(&change)).await?;
    judge_rules(&plan)?;
    Ok(answer(StatusCode::OK, json!({"plan": planned(&state.fleet, &plan)})))
}

/// Does it. The rules that profiles bring are judged before anything is changed.
pub(in crate::muster) async fn apply(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let mut body: Change = read(request).await?;
    let (change, reason) = (body.wanted()?, body.reason.take().unwrap_or_default());
    let fleet = Arc::clone(&state.fleet);
    let planning = (Arc::clone(&fleet), change.clone());
    let plan = blocking("the request's documents", move || planning.0.plan_profiles(&planning.1)).await?;
    judge_rules(&plan)?;
    let base = body.base.unwrap_or(plan.base);
    let done =
        blocking("the request's documents", move || fleet.apply_profiles(&change, base, &by, &reason, now)).await?;
    let begun = done.rollout.as_ref().map(|row| rollout(&state.fleet, row));
    let object = json!({"set": done.version, "changed": done.is_changed, "rollout": begun});
    Ok(answer(StatusCode::OK, json!({"applied": object})))
}

/// Whether crate alert takes the rules as they would be.
fn judge_rules(plan: &Plan) -> Result<(), ApiError> {
    let wrong = load_rules(&plan.rule_files, RuleDefaults::default()).err().unwrap_or_default();
    if wrong.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    let remedy = "correct them; `muster rules lint` looks at a rule file by itself";
    Err(ApiError::new(ErrorKind::BadData, told.join("\n")).place("rules of profiles").remedy(remedy))
}

fn planned(fleet: &Fleet, plan: &Plan) -> Value {
    let hosts = plan.shown.iter().map(|one| json!({"id": one.host.to_string(), "name": one.name, "diff": one.diff}));
    json!({
        "base": plan.base,
        "added": plan.added,
        "changed": plan.changed,
        "removed": plan.removed,
        "hosts": plan.hosts,
        "shown": hosts.collect::<Vec<_>>(),
        "unable": plan.unable,
        "rules": plan.rules,
        "problems": plan.problems,
        // One that runs is taken over by what is applied.
        "rollout": fleet.rollouts().first().filter(|row| is_open(row.state)).map(|row| rollout(fleet, row)),
    })
}

fn is_open(state: RolloutState) -> bool {
    matches!(state, RolloutState::Running | RolloutState::Stopped)
}
