//! `rules` and `alerts`: rule groups in force, with how they did last and what of them fires.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_alert::{Alert, Rule, RuleHealth, RunningGroup};
use serde_json::{Map, Value, json};

use super::response::{json as answer, success};
use crate::error::{ApiError, ErrorKind, PrometheusError};
use crate::form::Parameters;
use crate::json::{exponent_form, rfc3339};
use crate::state::State;

/// Go's zero time: never.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Which rules are asked for; empty lists: all.
struct Wanted {
    /// `Some(true)`: alerting rules only, `Some(false)`: recording rules only.
    alerting: Option<bool>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    without_alerts: bool,
}

impl Wanted {
    fn of(form: &Parameters) -> Result<Self, ApiError> {
        let alerting = match form.first("type") {
            None => None,
            Some("alert") => Some(true),
            Some("record") => Some(false),
            Some(other) => {
                return Err(ApiError::new(ErrorKind::BadData, format!("not supported value {other:?}"))
                    .place("parameter `type`")
                    .remedy("write alert or record"));
            }
        };
        let all = |name: &str| form.all(name).map(str::to_owned).collect();
        Ok(Self {
            alerting,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            without_alerts: form.truth("exclude_alerts", false)?,
        })
    }

    fn has_group(&self, group: &RunningGroup) -> bool {
        is_among(&self.groups, &group.spec().name) && is_among(&self.files, &group.spec().file)
    }

    fn has_rule(&self, rule: &Rule) -> bool {
        self.alerting.is_none_or(|alerting| alerting == rule.alert().is_some()) && is_among(&self.names, &rule.name)
    }
}

fn is_among(all: &[String], one: &str) -> bool {
    all.is_empty() || all.iter().any(|own| own == one)
}

pub(crate) async fn rules(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PrometheusError> {
    let wanted = Wanted::of(&Parameters::of(request).await?)?;
    let alerting = Arc::clone(&state.alerting);
    // Off the runtime's threads: a group under way is waited for.
    let groups = state.pool.run(move |_| {
        alerting.ask_rules(|ruler| {
            let groups = ruler.groups().iter().filter(|group| wanted.has_group(group));
            groups.filter_map(|group| group_json(group, &wanted)).collect::<Vec<_>>()
        })
    });
    Ok(respond(&json!({"groups": groups.await?})))
}

pub(crate) async fn alerts(Shared(state): Shared<Arc<State>>) -> Result<Response, PrometheusError> {
    let alerting = Arc::clone(&state.alerting);
    let alerts = state.pool.run(move |_| {
        alerting.ask_rules(|ruler| {
            let rules = ruler.groups().iter().flat_map(RunningGroup::rules);
            let alerts = rules.flat_map(|(_, _, alerts)| alerts);
            alerts.map(|(state, alert)| alert_json(state, &alert)).collect::<Vec<_>>()
        })
    });
    Ok(respond(&json!({"alerts": alerts.await?})))
}

fn respond(data: &Value) -> Response {
    answer(success(|out| out.extend_from_slice(data.to_string().as_bytes()), &[], &[]))
}

/// A group with those of its rules that are wanted; `None`: it has none, although some were asked for.
fn group_json(group: &RunningGroup, wanted: &Wanted) -> Option<Value> {
    let spec = group.spec();
    let own = group.rules().filter(|(rule, ..)| wanted.has_rule(rule));
    let rules: Vec<Value> =
        own.map(|(rule, health, alerts)| rule_json(rule, health, &alerts, wanted.without_alerts)).collect();
    if rules.is_empty() {
        return None;
    }
    let last_ms = group.rules().filter_map(|(_, health, _)| health.evaluated_ms).max();
    Some(json!({
        "name": spec.name,
        "file": spec.file,
        "rules": rules,
        "interval": seconds(spec.interval_ms),
        "limit": spec.limit,
        "evaluationTime": group.times().0.as_secs_f64(),
        "lastEvaluation": time(last_ms),
    }))
}

fn rule_json(rule: &Rule, health: &RuleHealth, alerts: &[(&str, Alert)], without_alerts: bool) -> Value {
    let labels: Map<String, Value> =
        rule.labels.iter().map(|(name, template)| (name.clone(), template.text().into())).collect();
    let mut json = json!({
        "name": rule.name,
        "query": rule.expr.text(),
        "labels": labels,
        "health": match (&health.error, health.evaluated_ms) {
            (Some(_), _) => "err",
            (None, Some(_)) => "ok",
            (None, None) => "unknown",
        },
        "lastEvaluation": time(health.evaluated_ms),
        "type": if rule.alert().is_some() { "alerting" } else { "recording" },
    });
    if let Some(error) = &health.error {
        json["lastError"] = error.as_str().into();
    }
    let Some(spec) = rule.alert() else { return json };
    let annotations: Map<String, Value> =
        spec.annotations.iter().map(|(name, template)| (name.clone(), template.text().into())).collect();
    let state = ["firing", "pending"].into_iter().find(|state| alerts.iter().any(|(own, _)| own == state));
    json["state"] = state.unwrap_or("inactive").into();
    json["duration"] = seconds(spec.for_ms).into();
    json["keepFiringFor"] = seconds(spec.keep_firing_for_ms).into();
    json["annotations"] = annotations.into();
    if !without_alerts {
        json["alerts"] = alerts.iter().map(|(state, alert)| alert_json(state, alert)).collect();
    }
    json
}

fn alert_json(state: &str, alert: &Alert) -> Value {
    let labels: Map<String, Value> = alert.labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "labels": labels,
        "annotations": alert.annotations,
        "state": state,
        "activeAt": rfc3339(alert.active_ms),
        "value": exponent_form(alert.value.unwrap_or(f64::NAN)),
    })
}

fn seconds(millis: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "spans of rules are far below 2^53 ms")]
    let seconds = millis as f64 / 1_000.0;
    seconds
}

fn time(at_ms: Option<i64>) -> String {
    at_ms.map_or_else(|| NEVER.to_owned(), rfc3339)
}
