//! `query` and `query_range`.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_common::time::monotonic;
use muster_query::{Control, LogPage, parse_log_query};

use super::parameters::{SINCE_NS, bad, bounds, page, parse_time, refusal, step, within_max};
use super::response::{answered, json};
use crate::error::{ApiError, LokiError};
use crate::form::Parameters;
use crate::gaps::log_warnings;
use crate::state::State;

/// What is asked.
enum Asked {
    /// Nanoseconds.
    At(i64),
    /// Start, end, step.
    Over(i64, i64, i64),
}

pub(super) async fn instant(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let (headers, now) = (request.headers().clone(), state.now());
    let form = Parameters::of(request).await?;
    let page = page(&form, &headers)?;
    let at_ns = form.first("time").map_or(Ok(now.nanos()), parse_time).map_err(bad)?;
    Ok(answer(state, &form, Asked::At(at_ns), page).await?)
}

pub(super) async fn range(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, LokiError> {
    let (headers, now) = (request.headers().clone(), state.now());
    let form = Parameters::of(request).await?;
    let (start_ns, end_ns) = bounds(&form, now, SINCE_NS)?;
    let page = page(&form, &headers)?;
    let step_ns = step(&form, (start_ns, end_ns))?;
    Ok(answer(state, &form, Asked::Over(start_ns, end_ns, step_ns), page).await?)
}

async fn answer(state: Arc<State>, form: &Parameters, asked: Asked, page: LogPage) -> Result<Response, ApiError> {
    let query = form.first("query").unwrap_or("").to_owned();
    let shared = Arc::clone(&state);
    let work = move |cancelled: &Arc<std::sync::atomic::AtomicBool>| {
        let (begun, engine) = (monotonic(), shared.engine.load_full());
        let control = Control { cancelled: Arc::clone(cancelled), ..Control::new(engine.limits().timeout) };
        let refused = |error| shared.pool.refused(refusal(&error));
        // The limit of lines is none of series.
        if matches!(asked, Asked::Over(..)) && !parse_log_query(&query).map_err(refused)?.is_metric() {
            within_max(page.limit)?;
        }
        let view = shared.reader.view();
        let answer = match asked {
            Asked::At(at_ns) => engine.log_instant(&view, &query, at_ns, &control),
            Asked::Over(start_ns, end_ns, step_ns) => {
                engine.log_range(&view, &query, (start_ns, end_ns, step_ns), &page, &control)
            }
        };
        let mut answer = answer.map_err(refused)?;
        answer.warnings.extend(log_warnings(&shared.fleet, &answer.reads));
        Ok(answered(&answer, page.categorized, monotonic().saturating_sub(begun)))
    };
    let bytes: Result<Vec<u8>, ApiError> = state.pool.run(work).await?;
    Ok(json(bytes?))
}
