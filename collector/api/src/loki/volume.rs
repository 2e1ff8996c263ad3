//! `index/volume` and `detected_labels`: what Grafana's Logs Drilldown asks first. Both are exact, where Loki estimates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_common::time::monotonic;
use muster_query::{Control, LogValue, Point};

use super::labels::{asked, over, selector};
use super::parameters::{SINCE_NS, SINCE_OF_LABELS_NS, bad, bounds, limit, refusal};
use super::response::{answered, json};
use crate::error::{ApiError, LokiError};
use crate::form::Parameters;
use crate::gaps::log_warnings;
use crate::json::{push_list, push_string};
use crate::state::State;

/// Bytes of lines by labels: those of `targetLabels`, else those that the selector names.
pub(super) async fn volume(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let form = Parameters::of(request).await?;
    let times = bounds(&form, state.now(), SINCE_NS)?;
    let limit = limit(&form)?;
    let matchers = selector(form.first("query").unwrap_or(""))?;
    let by = match form.first("targetLabels").filter(|text| !text.is_empty()) {
        Some(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        None => matchers.iter().map(|matcher| matcher.name.clone()).collect::<Vec<_>>(),
    };
    match form.first("aggregateBy") {
        None | Some("" | "series") => {}
        Some(other) => {
            return Err(bad(format!("volumes are not aggregated by `{other}` in this version"))
                .place("parameter `aggregateBy`")
                .remedy("leave it out, or write series")
                .into());
        }
    }
    let shared = Arc::clone(&state);
    let work = move |cancelled: &Arc<std::sync::atomic::AtomicBool>| {
        let (begun, engine) = (monotonic(), shared.engine.load_full());
        let control = Control { cancelled: Arc::clone(cancelled), ..Control::new(engine.limits().timeout) };
        let answer = engine.log_volume(&shared.reader.view(), &matchers, times, &by, &control);
        let mut answer = answer.map_err(|error| shared.pool.refused(refusal(&error)))?;
        answer.warnings.extend(log_warnings(&shared.fleet, &answer.reads));
        if let LogValue::Vector(points) = &mut answer.value {
            largest(points, limit, times.1.div_euclid(1_000_000));
        }
        Ok(answered(&answer, false, monotonic().saturating_sub(begun)))
    };
    let bytes: Result<Vec<u8>, ApiError> = state.pool.run(work).await?;
    Ok(json(bytes?))
}

/// The largest first, as many as are asked for, all at the end of the time.
fn largest(points: &mut Vec<Point>, limit: usize, end_ms: i64) {
    points.sort_by(|a, b| b.value.total_cmp(&a.value));
    points.truncate(limit);
    for point in points {
        point.at_ms = end_ms;
    }
}

/// The labels of streams, each with how many values it has.
pub(super) async fn labels(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let asked = asked(&state, &Parameters::of(request).await?, SINCE_OF_LABELS_NS)?;
    let streams = over(&state, vec![asked], |view, select| view.log_streams(select)).await?.concat();
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in streams.iter().flat_map(|labels| labels.iter()) {
        values.entry(name).or_default().insert(value);
    }
    let mut out = b"{\"detectedLabels\":".to_vec();
    push_list(&mut out, &values, |out, (name, values)| {
        out.extend_from_slice(b"{\"label\":");
        push_string(out, name);
        out.extend_from_slice(format!(",\"cardinality\":{}}}", values.len()).as_bytes());
    });
    out.extend_from_slice(b"}\n");
    Ok(json(out))
}
