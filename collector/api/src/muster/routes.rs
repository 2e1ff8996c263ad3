//! Who is told of an alert, or why nobody is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use muster_alert::desk::Desk;
use muster_alert::dispatch::{Group, Plan, RoutePlan};
use muster_alert::{Alert, AlertId, Held, HeldReason, Origin};
use muster_common::label::LabelSet;
use muster_common::time::Span;
use serde::Deserialize;
use serde_json::{Value, json};

use super::alerts::{common_holds, find, labels_json, told_ms};
use super::body::{answer, bad, read};
use super::holds;
use crate::error::{ApiError, MusterError};
use crate::state::State;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// An alert's id.
    alert: Option<String>,
    /// The labels of one that fires, or of one that might.
    labels: Option<BTreeMap<String, String>>,
}

pub(super) async fn explain(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let asked: Asked = read(request).await?;
    let now_ms = state.now().millis();
    let explanation = state.alerting.ask(|desk| {
        let alert = alert(desk, &asked, now_ms)?;
        Ok::<_, ApiError>(explanation(desk, &alert, now_ms))
    })?;
    Ok(answer(StatusCode::OK, json!({"explanation": explanation})))
}

fn alert(desk: &Desk, asked: &Asked, now_ms: i64) -> Result<Alert, ApiError> {
    match (&asked.alert, &asked.labels) {
        (Some(id), None) => find(desk, id).cloned(),
        (None, Some(labels)) => {
            let set =
                LabelSet::new(labels).map_err(|error| bad("field `labels`", error.to_string(), "correct the label"))?;
            if set.is_empty() {
                return Err(bad("field `labels`", "an alert has at least one label", "give such as alertname=Disk"));
            }
            let known = desk.dispatch().alerts().find(|alert| alert.labels == set);
            Ok(known.cloned().unwrap_or_else(|| made_up(set, now_ms)))
        }
        _ => Err(bad("the request's body", "which alert is asked for is not clear", "give either `alert` or `labels`")),
    }
}

fn made_up(labels: LabelSet, now_ms: i64) -> Alert {
    Alert {
        id: AlertId::of_labels(&labels),
        labels,
        annotations: BTreeMap::new(),
        origin: Origin::Pushed { by: String::new() },
        active_ms: now_ms,
        starts_ms: now_ms,
        ends_ms: None,
        updated_ms: now_ms,
        value: None,
        expression: String::new(),
        again: false,
        holds: Vec::new(),
        is_quiet_end: false,
        is_one_of_many: false,
    }
}

/// What holds an alert back on each of its routes: the route with its group's key, and the reasons.
fn held_ways(desk: &Desk, alert: &Alert, now_ms: i64) -> Vec<(RoutePlan, Vec<Held>)> {
    let ways = desk.routing().routes(&alert.labels).into_iter();
    let held = |way: &RoutePlan| desk.dispatch().holds(alert, &way.route, desk.routing(), now_ms);
    ways.map(|way| (held(&way), way)).map(|(held, way)| (way, held)).collect()
}

fn explanation(desk: &Desk, alert: &Alert, now_ms: i64) -> Value {
    let ways = held_ways(desk, alert, now_ms);
    let common = common_holds(&ways);
    let mut routes: Vec<Value> = ways
        .iter()
        .map(|(way, held)| route_json(desk, alert, way, held.iter().filter(|held| !common.contains(held))))
        .collect();
    // Groups that it stands in although no route of now leads there: a storm's, or one of before whose end is to be told.
    let is_other = |group: &Group| !ways.iter().any(|(way, _)| is_group_of(group, way));
    let others = desk.dispatch().groups_of(alert.id).filter(|(_, group)| is_other(group));
    routes.extend(others.map(|(key, group)| {
        let note = match group.is_mass {
            true => "gathered with others, since too many incidents began at once".to_owned(),
            false => "no route leads here any more; its end is told here".to_owned(),
        };
        in_group(desk, alert.id, (key, group), vec![note])
    }));
    let is_known = desk.dispatch().alert(alert.id).is_some();
    json!({
        "alert": is_known.then(|| alert.id.to_string()),
        "labels": labels_json(&alert.labels),
        "is_firing": is_known && alert.is_firing(),
        "holds": holds::of_alert(&common),
        "routes": routes,
    })
}

fn is_group_of(group: &Group, way: &RoutePlan) -> bool {
    !group.is_mass && group.route == way.route && group.receiver == way.receiver && group.labels == way.group_labels
}

fn route_json<'h>(desk: &Desk, alert: &Alert, way: &RoutePlan, held: impl Iterator<Item = &'h Held>) -> Value {
    let held: Vec<Held> = held.cloned().collect();
    let found = desk.dispatch().groups_of(alert.id).find(|(_, group)| is_group_of(group, way));
    let mut notes = receiver_notes(desk, &way.receiver);
    notes.extend(time_notes(desk, way, &held));
    let wait = || Span(std::time::Duration::from_millis(u64::try_from(way.waits.group_wait_ms).unwrap_or(0)));
    let mut json = match found {
        Some((key, group)) => {
            if told_ms(group, alert.id).is_none() && way.waits.group_wait_ms > 0 && group.last_ms.is_none() {
                notes.push(format!("a new group waits {} for more before it is told", wait()));
            }
            in_group(desk, alert.id, (key, group), notes)
        }
        None => {
            notes.push(match desk.dispatch().alert(alert.id) {
                Some(_) => "it stands in no group of this route now".to_owned(),
                None => format!("it does not fire: if it did, a new group would be told after {}", wait()),
            });
            json!({
                "route": way.route, "receiver": way.receiver, "group": way.group_labels.to_string(),
                "told_ms": null, "next_ms": null, "notes": notes,
            })
        }
    };
    json["holds"] = holds::of_alert(&held).into();
    json
}

fn in_group(desk: &Desk, id: AlertId, (key, group): (&str, &Group), mut notes: Vec<String>) -> Value {
    match group.members.len().saturating_sub(1) {
        0 => {}
        1 => notes.push("1 other alert in the group".to_owned()),
        count => notes.push(format!("{count} other alerts in the group")),
    }
    let next_ms = desk.dispatch().next_look_ms(key).filter(|at_ms| *at_ms > i64::MIN);
    json!({
        "route": group.route, "receiver": group.receiver, "group": group.labels.to_string(),
        "told_ms": told_ms(group, id), "next_ms": next_ms, "holds": [], "notes": notes,
    })
}

/// What of the receiver keeps a notice from being what its writer may think.
fn receiver_notes(desk: &Desk, name: &str) -> Vec<String> {
    let config = desk.config();
    let mut notes = Vec::new();
    let told = config.told_for(name);
    if let Some(own) = told.first().filter(|own| !own.foreign.is_empty()) {
        let instead = match told.get(1) {
            Some(fallback) => format!("receiver {} is told too", fallback.name),
            None => "nobody is told instead".to_owned(),
        };
        notes
            .push(format!("{} of receiver {name} cannot be sent by this collector: {instead}", own.foreign.join(", ")));
    }
    if told.iter().all(|receiver| receiver.emails.is_empty() && receiver.webhooks.is_empty()) {
        notes.push(format!("receiver {name} has no addresses: nobody is told"));
    }
    notes
}

/// The route's time intervals, where none of them holds it back now.
fn time_notes(desk: &Desk, way: &RoutePlan, held: &[Held]) -> Vec<String> {
    let Some(route) = desk.config().route.by_id(&way.route) else { return Vec::new() };
    if held.iter().any(|held| held.why == HeldReason::MuteTime) {
        return Vec::new();
    }
    let named = [("muted in", &route.mute), ("told only in", &route.active)];
    let named = named.into_iter().filter(|(_, names)| !names.is_empty());
    named.map(|(what, names)| format!("{what} {}", names.join(", "))).collect()
}
