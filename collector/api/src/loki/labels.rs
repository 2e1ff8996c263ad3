//! `labels`, `label/<name>/values`, `series` and `index/stats`: of streams, not of what pipelines make.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::{Path, Request, State as Shared};
use axum::response::Response;
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_query::parse_log_selector;
use muster_store::{LogLimits, LogOrder, LogSelect, SelectError, View};

use super::parameters::{SINCE_NS, SINCE_OF_LABELS_NS, bad, bounds, refusal};
use super::response::json;
use crate::error::{ApiError, ErrorKind, LokiError, chain};
use crate::form::Parameters;
use crate::json::{push_labels, push_list, push_string};
use crate::state::State;

/// Streams and times.
pub(super) struct Asked {
    matchers: Vec<Matcher>,
    times: (i64, i64),
}

pub(super) async fn names(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let asked = asked(&state, &Parameters::of(request).await?, SINCE_OF_LABELS_NS)?;
    Ok(texts(&over(&state, vec![asked], |view, select| view.log_label_names(select)).await?))
}

pub(super) async fn values(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, LokiError> {
    let asked = asked(&state, &Parameters::of(request).await?, SINCE_OF_LABELS_NS)?;
    Ok(texts(&over(&state, vec![asked], move |view, select| view.log_label_values(&name, select)).await?))
}

pub(super) async fn series(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let form = Parameters::of(request).await?;
    let times = bounds(&form, state.now(), SINCE_OF_LABELS_NS)?;
    let selectors = form.all("match[]").chain(form.all("match"));
    let asked =
        selectors.map(|text| Ok(Asked { matchers: selector(text)?, times })).collect::<Result<Vec<_>, ApiError>>()?;
    if asked.is_empty() {
        return Err(bad("0 matcher groups supplied").into());
    }
    let mut found: Vec<Arc<LabelSet>> = over(&state, asked, |view, select| view.log_streams(select)).await?.concat();
    let compare = |a: &Arc<LabelSet>, b: &Arc<LabelSet>| -> Ordering { a.iter().cmp(b.iter()) };
    found.sort_by(compare);
    found.dedup();
    let mut out = b"{\"status\":\"success\",\"data\":".to_vec();
    push_list(&mut out, &found, |out, labels| push_labels(out, labels));
    out.extend_from_slice(b"}\n");
    Ok(json(out))
}

pub(super) async fn stats(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let form = Parameters::of(request).await?;
    let mut asked = asked(&state, &form, SINCE_NS)?;
    asked.matchers = selector(form.first("query").unwrap_or(""))?;
    let volumes = over(&state, vec![asked], |view, select| view.log_volume(select)).await?;
    let volume = volumes.into_iter().next().unwrap_or_default();
    let text = format!(
        "{{\"streams\":{},\"chunks\":{},\"bytes\":{},\"entries\":{}}}\n",
        volume.streams, volume.chunks, volume.bytes, volume.entries
    );
    Ok(json(text.into_bytes()))
}

/// The times and, where `query` stands, its selector.
pub(super) fn asked(state: &State, form: &Parameters, since_ns: i64) -> Result<Asked, ApiError> {
    let times = bounds(form, state.now(), since_ns)?;
    let matchers = form.first("query").map(selector).transpose()?.unwrap_or_default();
    Ok(Asked { matchers, times })
}

pub(super) fn selector(text: &str) -> Result<Vec<Matcher>, ApiError> {
    parse_log_selector(text).map_err(|error| refusal(&error))
}

/// Asks the store for each selector.
pub(super) async fn over<T: Send + 'static>(
    state: &Arc<State>,
    asked: Vec<Asked>,
    ask: impl Fn(&View, &LogSelect<'_>) -> Result<T, SelectError> + Send + 'static,
) -> Result<Vec<T>, ApiError> {
    let shared = Arc::clone(state);
    let work = move |cancelled: &Arc<AtomicBool>| {
        let (view, engine) = (shared.reader.view(), shared.engine.load());
        let limits = engine.limits();
        let limits = LogLimits { streams_max: limits.series_max, bytes_max: limits.log_bytes_max };
        let one = |asked: &Asked| {
            let select = LogSelect {
                matchers: &asked.matchers,
                from_ns: asked.times.0,
                to_ns: asked.times.1,
                order: LogOrder::ByStream,
                needles: &[],
                limits,
                cancelled: Some(cancelled),
            };
            ask(&view, &select).map_err(|error| shared.pool.refused(unread(&error)))
        };
        asked.iter().map(one).collect()
    };
    state.pool.run(work).await?
}

/// A list of texts; Loki leaves an empty one out.
fn texts(found: &[Vec<String>]) -> Response {
    let mut out = b"{\"status\":\"success\"".to_vec();
    if found.iter().any(|texts| !texts.is_empty()) {
        out.extend_from_slice(b",\"data\":");
        push_list(&mut out, found.iter().flatten(), |out, text| push_string(out, text));
    }
    out.extend_from_slice(b"}\n");
    json(out)
}

fn unread(error: &SelectError) -> ApiError {
    let kind = match error {
        SelectError::Cancelled => ErrorKind::Canceled,
        SelectError::Io(_) | SelectError::Damaged { .. } => {
            tracing::error!("streams could not be read: {}", chain(error));
            ErrorKind::Internal
        }
        _ => ErrorKind::Execution,
    };
    ApiError::new(kind, chain(error))
}
