//! `query` and `query_range`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State as Shared};
use axum::response::Response;
use muster_query::{Answer, Control, Engine, Limits, QueryError, Value};

use super::parameters::{Range, invalid, limit, optional_time, parse_duration, range as range_of, timeout};
use super::response::{json, push_query_data, success};
use crate::error::{ApiError, ErrorKind, PrometheusError};
use crate::form::Parameters;
use crate::gaps;
use crate::state::State;

/// What is asked.
enum Asked {
    At(i64),
    Over(Range),
}

pub(crate) async fn instant(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PrometheusError> {
    let form = Parameters::of(request).await?;
    let limit = limit(&form)?;
    let at_ms = optional_time(&form, "time", state.now().millis())?;
    answer(state, &form, Asked::At(at_ms), limit).await
}

pub(crate) async fn range(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PrometheusError> {
    let form = Parameters::of(request).await?;
    let range = range_of(&form)?;
    let limit = limit(&form)?;
    answer(state, &form, Asked::Over(range), limit).await
}

/// None: the store keeps no exemplars, and Prometheus answers so where none were scraped. Grafana asks beside each query that wants them.
pub(crate) async fn exemplars(request: Request) -> Result<Response, PrometheusError> {
    let form = Parameters::of(request).await?;
    let start_ms = optional_time(&form, "start", i64::MIN)?;
    if optional_time(&form, "end", i64::MAX)? < start_ms {
        return Err(invalid("end", "end timestamp must not be before start time").into());
    }
    muster_query::parse(form.first("query").unwrap_or("")).map_err(|error| refusal(&error))?;
    Ok(json(success(|out| out.extend_from_slice(b"[]"), &[], &[])))
}

async fn answer(
    state: Arc<State>,
    form: &Parameters,
    asked: Asked,
    limit: Option<usize>,
) -> Result<Response, PrometheusError> {
    let engine = engine(&state, form)?;
    let wanted = timeout(form)?.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0)));
    let within = wanted.unwrap_or(engine.limits().timeout).min(engine.limits().timeout);
    let query = form.first("query").unwrap_or("").to_owned();
    let shared = Arc::clone(&state);
    let bytes = state
        .pool
        .run(move |cancelled| {
            let control = Control { cancelled: Arc::clone(cancelled), ..Control::new(within) };
            let view = shared.reader.view();
            let answer = match asked {
                Asked::At(at_ms) => engine.instant(&view, &query, at_ms, &control),
                Asked::Over(Range { start_ms, end_ms, step_ms }) => {
                    engine.range(&view, &query, start_ms, end_ms, step_ms, &control)
                }
            };
            let answer = answer.map_err(|error| shared.pool.refused(refusal(&error)))?;
            let Answer { mut value, mut warnings, infos, read } = answer;
            // Before the limit cuts series off, whose hosts count too.
            let lost = gaps::warnings(&shared.fleet, read, &value);
            if truncate(&mut value, limit) {
                warnings.push("results truncated due to limit".to_owned());
            }
            warnings.extend(lost);
            Ok(success(|out| push_query_data(out, &value), &warnings, &infos))
        })
        .await?;
    Ok(json(bytes.map_err(|error: ApiError| error)?))
}

/// The engine in force, or one like it that looks back as far as `lookback_delta` says.
fn engine(state: &State, form: &Parameters) -> Result<Arc<Engine>, ApiError> {
    let engine = state.engine.load_full();
    let Some(text) = form.first("lookback_delta") else { return Ok(engine) };
    let millis = parse_duration(text)
        .map_err(|why| ApiError::new(ErrorKind::BadData, format!("error parsing lookback delta duration: {why}")))?;
    match u64::try_from(millis) {
        Ok(millis) if millis > 0 => {
            let lookback = Duration::from_millis(millis);
            Ok(Arc::new(Engine::new(Limits { lookback, ..engine.limits().clone() })))
        }
        // Prometheus: what is not positive means the default.
        _ => Ok(engine),
    }
}

/// Cuts the answer to this many series; whether it had more.
fn truncate(value: &mut Value, limit: Option<usize>) -> bool {
    let Some(limit) = limit else { return false };
    let count = match value {
        Value::Vector(points) => {
            let count = points.len();
            points.truncate(limit);
            count
        }
        Value::Matrix(series) => {
            let count = series.len();
            series.truncate(limit);
            count
        }
        Value::Scalar { .. } | Value::String { .. } => return false,
    };
    count > limit
}

/// The engine's error as Prometheus would answer it.
pub(crate) fn refusal(error: &QueryError) -> ApiError {
    match error {
        QueryError::Parse { .. }
        | QueryError::Unsupported { .. }
        | QueryError::WrongType { .. }
        | QueryError::LogParse { .. }
        | QueryError::LogUnsupported { .. } => invalid("query", error),
        QueryError::BadData { .. } | QueryError::Pipeline { .. } => {
            ApiError::new(ErrorKind::BadData, error.to_string())
        }
        QueryError::Execution { .. } | QueryError::TooMuch { .. } => {
            ApiError::new(ErrorKind::Execution, error.to_string())
        }
        QueryError::Timeout => ApiError::new(ErrorKind::Timeout, error.to_string()),
        QueryError::Cancelled => ApiError::new(ErrorKind::Canceled, error.to_string()),
        QueryError::Source { .. } => {
            tracing::error!("a query could not read: {error}");
            ApiError::new(ErrorKind::Internal, error.to_string())
        }
    }
}
