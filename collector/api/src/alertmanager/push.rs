//! Alerts of others: Prometheus, amtool, scripts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_alert::desk::Desk;
use muster_alert::{Alert, AlertId, Origin};
use muster_common::label::LabelSet;
use serde::Deserialize;

use super::body::{answer, bad, read, time};
use crate::error::{AlertmanagerError, ApiError, ErrorKind};
use crate::state::State;
use crate::work::{blocking, by};

/// Alerts of one request.
const ALERTS_MAX: usize = 10_000;
/// Labels of one alert.
const LABELS_MAX: usize = 64;
/// Bytes of labels and annotations of one alert together.
const ALERT_BYTES_MAX: usize = 8 << 10;
/// Faults that one answer names.
const FAULTS_MAX: usize = 10;
/// The annotation that keeps where a pushed alert comes from.
pub(super) const GENERATOR_URL: &str = "generator_url";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Postable {
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

/// Takes those that are right, and names those that are not: one bad alert must not keep the others from being told.
pub(super) async fn push(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, AlertmanagerError> {
    let (by, now) = (by(&request).to_string(), state.now());
    let posted: Vec<Postable> = read(request, "a list of alerts").await?;
    if posted.len() > ALERTS_MAX {
        let message = format!("{} alerts at once, but at most {ALERTS_MAX} are taken", posted.len());
        let error = ApiError::new(ErrorKind::TooLarge, message).place("the request's body");
        return Err(error.remedy("send them in several requests").into());
    }
    let (mut alerts, mut faults) = (Vec::new(), Vec::new());
    for (index, one) in posted.into_iter().enumerate() {
        let made = state.alerting.ask(|desk| alert(desk, one, &by, now.millis()));
        match made {
            Ok(made) => alerts.push(made),
            Err(error) => faults.push(format!("alert {index}: {error}")),
        }
    }
    let taken = alerts.len();
    if taken > 0 {
        let alerting = Arc::clone(&state.alerting);
        blocking("the request's body", move || alerting.push(alerts, now)).await?;
    }
    if faults.is_empty() {
        return Ok(answer(&serde_json::json!({})));
    }
    let count = faults.len();
    faults.truncate(FAULTS_MAX);
    let message = format!("{count} alerts were not taken, {taken} were: {}", faults.join("; "));
    Err(bad("the request's body", message, "correct those and send them again").into())
}

/// The alert and its end, if it has one.
fn alert(desk: &Desk, posted: Postable, by: &str, now_ms: i64) -> Result<(Alert, Option<i64>), ApiError> {
    let labels = labels(&posted)?;
    let id = AlertId::of_labels(&labels);
    let known = desk.dispatch().alert(id);
    if let Some(Alert { origin: Origin::Rule { file, group, rule }, .. }) = known {
        let message = format!("rule `{rule}` of group `{group}` in `{file}` has an alert of these labels");
        return Err(bad("field `labels`", message, "give it another label"));
    }
    let going_on = known.filter(|alert| alert.is_firing());
    let ends_ms = time("endsAt", posted.ends_at.as_deref())?;
    let starts_ms = time("startsAt", posted.starts_at.as_deref())?;
    if let (Some(starts_ms), Some(ends_ms)) = (starts_ms, ends_ms)
        && starts_ms > ends_ms
    {
        return Err(bad("field `endsAt`", "start time must be before end time", "give an end after the start"));
    }
    // One that is told again goes on from where it began.
    let began_ms = [starts_ms, going_on.map(|alert| alert.starts_ms)].into_iter().flatten().min();
    let starts_ms = began_ms.unwrap_or(now_ms).min(ends_ms.unwrap_or(i64::MAX));
    let mut annotations = posted.annotations;
    annotations.retain(|_, text| !text.is_empty());
    if let Some(url) = posted.generator_url.filter(|url| !url.is_empty()) {
        annotations.insert(GENERATOR_URL.to_owned(), url);
    }
    let alert = Alert {
        id,
        labels,
        annotations,
        origin: Origin::Pushed { by: by.to_owned() },
        active_ms: starts_ms,
        starts_ms,
        ends_ms: None,
        updated_ms: now_ms,
        value: None,
        expression: String::new(),
        again: false,
        holds: Vec::new(),
        is_quiet_end: false,
        is_one_of_many: false,
    };
    Ok((alert, ends_ms))
}

fn labels(posted: &Postable) -> Result<LabelSet, ApiError> {
    let Postable { labels, annotations, generator_url, .. } = posted;
    let pairs = labels.iter().chain(annotations).map(|(name, value)| name.len() + value.len());
    let bytes = pairs.sum::<usize>() + generator_url.as_ref().map_or(0, String::len);
    if bytes > ALERT_BYTES_MAX {
        let message = format!("labels and annotations have {bytes} bytes, but at most {ALERT_BYTES_MAX} are taken");
        return Err(bad("field `annotations`", message, "shorten them"));
    }
    if labels.len() > LABELS_MAX {
        let message = format!("{} labels, but at most {LABELS_MAX} are taken", labels.len());
        return Err(bad("field `labels`", message, "drop some"));
    }
    let set = LabelSet::new(labels).map_err(|error| bad("field `labels`", error.to_string(), "correct the label"))?;
    if set.is_empty() {
        return Err(bad("field `labels`", "at least one label pair required", "give it an alertname"));
    }
    Ok(set)
}
