//! Rules that decide of proposals by themselves.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_fleet::{DiscoveryRule, FleetError, RuleAction, RuleMatches, RuleSource, RuleSpec, RuleView};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::MusterError;
use crate::muster::body::{answer, read};
use crate::muster::downtimes::matchers;
use crate::state::State;
use crate::work::{blocking, by};

/// All, by name; where a file hides one, the file's first.
pub(in crate::muster) async fn list(Shared(state): Shared<Arc<State>>) -> Response {
    let all: Vec<Value> = state.fleet.discovery_rules().iter().map(shown).collect();
    answer(StatusCode::OK, json!({"rules": all}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    /// Of a test alone; absent there: any name.
    name: Option<String>,
    /// Absent: any.
    kind: Option<String>,
    #[serde(default)]
    items: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    action: RuleAction,
}

impl New {
    fn rule(self, name: Option<String>) -> RuleSpec {
        let Self { name: own, kind, items, hosts, action } = self;
        RuleSpec {
            name: name.or(own).unwrap_or_else(|| "test".to_owned()),
            kind: kind.unwrap_or_default(),
            items: items.join(", "),
            hosts: hosts.join(", "),
            action,
        }
    }
}

/// Makes a rule, or gives it in place of the one of its name.
pub(in crate::muster) async fn put(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let body: New = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || {
        let (rule, matched) = fleet.put_discovery_rule(body.rule(Some(name)), &by, now)?;
        Ok::<_, FleetError>(json!({"rule": own(rule), "matched": matched_json(&matched)}))
    };
    Ok(answer(StatusCode::OK, blocking("the request's body", work).await?))
}

/// Removes a rule; what it decided stays.
pub(in crate::muster) async fn remove(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, MusterError> {
    let (by, now) = (by(&request), state.now());
    let fleet = Arc::clone(&state.fleet);
    let work = move || fleet.remove_discovery_rule(&name, &by, now);
    let gone = blocking("the rule asked for", work).await?;
    Ok(answer(StatusCode::OK, json!({"rule": own(gone)})))
}

/// Which of the proposals that wait a rule would decide; nothing is changed.
pub(in crate::muster) async fn test(
    Shared(state): Shared<Arc<State>>,
    request: Request,
) -> Result<Response, MusterError> {
    let body: New = read(request).await?;
    let fleet = Arc::clone(&state.fleet);
    let work = move || Ok::<_, FleetError>(matched_json(&fleet.test_discovery_rule(body.rule(None))?));
    Ok(answer(StatusCode::OK, json!({"matched": blocking("the request's body", work).await?})))
}

fn own(rule: DiscoveryRule) -> Value {
    let DiscoveryRule { rule, by, made_ms } = rule;
    shown(&RuleView { rule, source: RuleSource::Api, is_hidden: false, by, made_ms })
}

fn shown(one: &RuleView) -> Value {
    let (source, file) = match &one.source {
        RuleSource::Api => ("api", None),
        RuleSource::File(path) => ("file", Some(path)),
    };
    json!({
        "name": one.rule.name,
        "kind": (!one.rule.kind.is_empty()).then_some(&one.rule.kind),
        "items": matchers(&one.rule.items),
        "hosts": matchers(&one.rule.hosts),
        "action": one.rule.action.as_str(),
        "source": source,
        "file": file,
        "is_hidden": one.is_hidden,
        "by": (!one.by.is_empty()).then_some(&one.by),
        "made_ms": (one.made_ms > 0).then_some(one.made_ms),
    })
}

fn matched_json(matched: &RuleMatches) -> Value {
    let first = matched.first.iter().map(|(host, key, words)| json!({"host": host, "key": key, "words": words}));
    json!({"items": matched.items, "hosts": matched.hosts, "first": first.collect::<Vec<_>>()})
}
