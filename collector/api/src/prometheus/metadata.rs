//! `metadata` and `status/buildinfo`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_common::sample::MetricKind;

use super::response::{json, success};
use crate::error::{ApiError, ErrorKind, PrometheusError};
use crate::form::Parameters;
use crate::json::{push_html_safe_string, push_list};
use crate::state::State;

/// The version of Prometheus' HTTP API that these routes follow. Clients choose their requests by it (Grafana asks label values
/// with `match[]` only from 2.24 on); what runs stands behind the `+`, as semantic versions have it.
const SPOKEN_VERSION: &str = "3.0.0";

pub(crate) async fn metadata(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PrometheusError> {
    let form = Parameters::of(request).await?;
    let limit = number(&form, "limit")?;
    // Unlike the limit of metrics, a zero here is none.
    let per_metric = number(&form, "limit_per_metric")?.filter(|count| *count > 0);
    let metric = form.first("metric").map(str::to_owned);
    let shared = Arc::clone(&state);
    let own: HashMap<&str, &str> = state.stats().iter().map(|stat| (stat.name, stat.help)).collect();
    let mut known = state.pool.run(move |_| shared.reader.view().metadata()).await?;
    for (name, kind) in &mut known {
        name.truncate(family(name, *kind).len());
    }
    known.retain(|(name, _)| metric.as_ref().is_none_or(|metric| metric == name));
    known.sort_by(|a, b| (&a.0, a.1.name()).cmp(&(&b.0, b.1.name())));
    known.dedup();
    // The store knows one kind a name; a family has several entries where its names do not agree.
    let mut metrics = 0;
    let bytes = success(
        |out| {
            out.push(b'{');
            for group in known.chunk_by(|a, b| a.0 == b.0) {
                if limit.is_some_and(|limit| metrics >= limit) {
                    break;
                }
                if metrics > 0 {
                    out.push(b',');
                }
                metrics += 1;
                push_html_safe_string(out, &group[0].0);
                let shown = &group[..group.len().min(per_metric.unwrap_or(usize::MAX))];
                out.push(b':');
                push_list(&mut *out, shown, |out, (_, kind)| {
                    out.extend_from_slice(b"{\"type\":\"");
                    out.extend_from_slice(kind.name().as_bytes());
                    out.extend_from_slice(b"\",\"help\":");
                    // The collector's own numbers have their words here. Neither agents nor remote write version 1 send any, and nobody a unit.
                    push_html_safe_string(out, own.get(group[0].0.as_str()).copied().unwrap_or(""));
                    out.extend_from_slice(b",\"unit\":\"\"}");
                });
            }
            out.push(b'}');
        },
        &[],
        &[],
    );
    Ok(json(bytes))
}

/// The metric that this series is a part of, as clients know it: without what a histogram or summary adds to its name.
fn family(name: &str, kind: MetricKind) -> &str {
    let parts: &[&str] = match kind {
        MetricKind::Histogram => &["_bucket", "_sum", "_count"],
        MetricKind::Summary => &["_sum", "_count"],
        MetricKind::Untyped | MetricKind::Counter | MetricKind::Gauge => &[],
    };
    parts.iter().find_map(|part| name.strip_suffix(part)).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// A limit of metadata: negative and absent are no limit.
fn number(form: &Parameters, name: &str) -> Result<Option<usize>, ApiError> {
    match form.first(name).map(str::parse::<i64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(usize::try_from(number).ok()),
        Some(Err(_)) => Err(ApiError::new(ErrorKind::BadData, format!("{name} must be a number"))),
    }
}

pub(crate) async fn build(Shared(state): Shared<Arc<State>>) -> Response {
    json(success(
        |out| {
            out.extend_from_slice(b"{\"version\":");
            push_html_safe_string(out, &format!("{SPOKEN_VERSION}+muster.{}", state.version));
            for name in ["revision", "branch", "buildUser", "buildDate", "goVersion"] {
                out.extend_from_slice(format!(",\"{name}\":\"\"").as_bytes());
            }
            out.push(b'}');
        },
        &[],
        &[],
    ))
}
