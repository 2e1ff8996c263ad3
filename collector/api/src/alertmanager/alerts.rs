//! Alerts that fire, one by one and in their groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_alert::desk::Desk;
use muster_alert::dispatch::Group;
use muster_alert::{Alert, HeldReason, Origin};
use muster_common::label::LabelSet;
use muster_common::matcher::{LabelRegex, Matcher};
use muster_common::matcher_text::all_match;
use serde_json::{Map, Value, json};

use super::body::{answer, bad, filters};
use super::push::GENERATOR_URL;
use crate::error::{AlertmanagerError, ApiError};
use crate::form::Parameters;
use crate::json::rfc3339;
use crate::state::State;

/// Which alerts are asked for.
struct Wanted {
    active: bool,
    silenced: bool,
    inhibited: bool,
    unprocessed: bool,
    muted: bool,
    filters: Vec<Matcher>,
    receiver: Option<LabelRegex>,
}

impl Wanted {
    async fn of(request: Request) -> Result<Self, ApiError> {
        let form = Parameters::of(request).await?;
        let receiver = form.first("receiver").map(|pattern| {
            LabelRegex::new(pattern)
                .map_err(|error| bad("parameter `receiver`", error.to_string(), "write a pattern of receivers' names"))
        });
        Ok(Self {
            active: form.truth("active", true)?,
            silenced: form.truth("silenced", true)?,
            inhibited: form.truth("inhibited", true)?,
            unprocessed: form.truth("unprocessed", true)?,
            muted: form.truth("muted", true)?,
            filters: filters(&form)?,
            receiver: receiver.transpose()?,
        })
    }

    fn has_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|pattern| pattern.is_match(name))
    }

    fn has_status(&self, status: &Status) -> bool {
        let kinds = [
            (self.active, status.state() == "active"),
            (self.unprocessed, status.state() == "unprocessed"),
            (self.silenced, !status.silenced.is_empty()),
            (self.inhibited, !status.inhibited.is_empty()),
            (self.muted, !status.muted.is_empty()),
        ];
        kinds.iter().all(|(wanted, is)| *wanted || !is)
    }
}

/// Why an alert is not told, sorted into Alertmanager's three kinds.
#[derive(Default)]
struct Status {
    is_unprocessed: bool,
    silenced: BTreeSet<String>,
    inhibited: BTreeSet<String>,
    /// Mute times by name; what status holds back (downtimes, acknowledgements, ...) stands here too, with its reason.
    muted: BTreeSet<String>,
}

impl Status {
    /// On these routes; none: nobody is to be told.
    fn of<'g>(desk: &Desk, alert: &Alert, groups: impl Iterator<Item = &'g Group>, now_ms: i64) -> Self {
        let mut status = Self { is_unprocessed: true, ..Self::default() };
        for group in groups {
            status.is_unprocessed = false;
            for held in desk.dispatch().holds(alert, &group.route, desk.routing(), now_ms) {
                let by = held.by;
                match held.why {
                    HeldReason::Silenced => status.silenced.insert(by),
                    HeldReason::Inhibited => status.inhibited.insert(by),
                    HeldReason::MuteTime => status.muted.insert(by),
                    why @ (HeldReason::Status(_) | HeldReason::NoData) => {
                        status.muted.insert(format!("{} ({by})", why.as_str()))
                    }
                };
            }
        }
        status
    }

    fn state(&self) -> &'static str {
        let is_held = [&self.silenced, &self.inhibited, &self.muted].iter().any(|by| !by.is_empty());
        match (self.is_unprocessed, is_held) {
            (true, _) => "unprocessed",
            (false, true) => "suppressed",
            (false, false) => "active",
        }
    }

    fn json(&self) -> Value {
        json!({
            "state": self.state(), "silencedBy": self.silenced, "inhibitedBy": self.inhibited, "mutedBy": self.muted,
        })
    }
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, AlertmanagerError> {
    let (wanted, now_ms) = (Wanted::of(request).await?, state.now().millis());
    let alerting = Arc::clone(&state.alerting);
    let alerts = state.pool.run(move |_| {
        alerting.ask(|desk| {
            let firing = desk.dispatch().alerts().filter(|alert| alert.is_firing());
            let matching = firing.filter(|alert| all_match(&wanted.filters, &alert.labels));
            let shown = matching.filter_map(|alert| {
                let groups = || desk.dispatch().groups_of(alert.id).map(|(_, group)| group);
                let receivers: BTreeSet<&str> = groups().map(|group| group.receiver.as_str()).collect();
                let is_wanted = wanted.receiver.is_none() || receivers.iter().any(|name| wanted.has_receiver(name));
                let status = Status::of(desk, alert, groups(), now_ms);
                (is_wanted && wanted.has_status(&status)).then(|| alert_json(desk, alert, &status, &receivers, now_ms))
            });
            shown.collect::<Vec<_>>()
        })
    });
    Ok(answer(&Value::Array(alerts.await?)))
}

pub(super) async fn groups(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, AlertmanagerError> {
    let (wanted, now_ms) = (Wanted::of(request).await?, state.now().millis());
    let alerting = Arc::clone(&state.alerting);
    let groups = state.pool.run(move |_| {
        alerting.ask(|desk| {
            let groups = desk.dispatch().groups().filter(|(_, group)| wanted.has_receiver(&group.receiver));
            groups.filter_map(|(_, group)| group_json(desk, group, &wanted, now_ms)).collect::<Vec<_>>()
        })
    });
    Ok(answer(&Value::Array(groups.await?)))
}

/// A group with its members that are wanted; `None`: there is none.
fn group_json(desk: &Desk, group: &Group, wanted: &Wanted, now_ms: i64) -> Option<Value> {
    let belonging = group.members.iter().filter(|(_, member)| member.belongs);
    let alerts = belonging.filter_map(|(id, _)| {
        let alert = desk.dispatch().alert(*id).filter(|alert| alert.is_firing())?;
        let status = Status::of(desk, alert, std::iter::once(group), now_ms);
        let is_wanted = all_match(&wanted.filters, &alert.labels) && wanted.has_status(&status);
        is_wanted.then(|| alert_json(desk, alert, &status, &BTreeSet::from([group.receiver.as_str()]), now_ms))
    });
    let alerts: Vec<Value> = alerts.collect();
    let labels = labels_json(&group.labels);
    (!alerts.is_empty()).then(|| json!({"labels": labels, "receiver": {"name": group.receiver}, "alerts": alerts}))
}

fn alert_json(desk: &Desk, alert: &Alert, status: &Status, receivers: &BTreeSet<&str>, now_ms: i64) -> Value {
    let mut annotations = alert.annotations.clone();
    let pushed_url = match alert.origin {
        Origin::Pushed { .. } => annotations.remove(GENERATOR_URL),
        Origin::Rule { .. } | Origin::Status(_) => None,
    };
    let timeout_ms = desk.config().global.resolve_timeout_ms;
    json!({
        "fingerprint": alert.id.to_string(),
        "labels": labels_json(&alert.labels),
        "annotations": annotations,
        "startsAt": rfc3339(alert.starts_ms),
        "updatedAt": rfc3339(alert.updated_ms),
        // As Prometheus sends it for one that goes on: over if nobody says so again.
        "endsAt": rfc3339(alert.ends_ms.unwrap_or(now_ms.saturating_add(timeout_ms))),
        "generatorURL": pushed_url.unwrap_or_default(),
        "receivers": receivers.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "status": status.json(),
    })
}

fn labels_json(labels: &LabelSet) -> Map<String, Value> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
