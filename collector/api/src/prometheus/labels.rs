//! `series`, `labels` and `label/<name>/values`.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::{Path, Request, State as Shared};
use axum::response::Response;
use muster_common::label::LabelSet;
use muster_common::matcher::Matcher;
use muster_store::{Select, SelectError, SelectLimits, View};

use super::parameters::{invalid, limit, optional_time};
use super::response::{json, success};
use crate::error::{ApiError, ErrorKind, PrometheusError, chain};
use crate::form::Parameters;
use crate::json::{push_html_safe_string, push_labels, push_list};
use crate::state::State;

const TRUNCATED: &str = "results truncated due to limit";

/// What all three take: selectors, a time range, a limit.
struct Asked {
    /// One list of matchers for each `match[]`; several are alternatives.
    selectors: Vec<Vec<Matcher>>,
    from_ms: i64,
    to_ms: i64,
    limit: Option<usize>,
}

pub(crate) async fn series(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PrometheusError> {
    let form = Parameters::of(request).await?;
    if form.all("match[]").next().is_none() {
        return Err(ApiError::new(ErrorKind::BadData, "no match[] parameter provided").into());
    }
    let asked = asked(&form)?;
    let Found { items, warnings } =
        over_selectors(&state, asked, by_labels, |view, select| view.series(select)).await?;
    Ok(json(success(|out| push_list(out, &items, |out, labels| push_labels(out, labels)), &warnings, &[])))
}

pub(crate) async fn names(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, PrometheusError> {
    let asked = asked(&Parameters::of(request).await?)?;
    Ok(texts(&over_selectors(&state, asked, String::cmp, |view, select| view.label_names(select)).await?))
}

pub(crate) async fn values(
    Shared(state): Shared<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, PrometheusError> {
    if name.is_empty() {
        return Err(ApiError::new(ErrorKind::BadData, "invalid label name: \"\"").into());
    }
    let name = unescaped(&name).unwrap_or(name);
    let asked = asked(&Parameters::of(request).await?)?;
    Ok(texts(&over_selectors(&state, asked, String::cmp, move |view, select| view.label_values(&name, select)).await?))
}

/// The name that Prometheus' clients write as `U__` and its characters, `__` for `_` and `_hex_` for what is not of an identifier; `None` when
/// this is no such form, which then is a name like any other.
fn unescaped(name: &str) -> Option<String> {
    /// Hexadecimal digits of the highest character.
    const DIGITS_MAX: usize = 6;
    let mut rest = name.strip_prefix("U__")?;
    let mut out = String::with_capacity(rest.len());
    // Each turn takes at least one character.
    while let Some((plain, coded)) = rest.split_once('_') {
        let (digits, after) = coded.split_once('_')?;
        out.push_str(plain);
        match digits.len() {
            0 => out.push('_'),
            1..=DIGITS_MAX if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                out.push(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?);
            }
            _ => return None,
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn asked(form: &Parameters) -> Result<Asked, ApiError> {
    let limit = limit(form)?;
    let from_ms = optional_time(form, "start", i64::MIN)?;
    let to_ms = optional_time(form, "end", i64::MAX)?;
    if to_ms < from_ms {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let selectors = form
        .all("match[]")
        .map(|text| muster_query::parse_selector(text).map_err(|error| invalid("match[]", error)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Asked { selectors, from_ms, to_ms, limit })
}

/// Prometheus' order: by the first pair that differs. (That of the canonical bytes puts shorter names first.)
fn by_labels(a: &Arc<LabelSet>, b: &Arc<LabelSet>) -> Ordering {
    a.iter().cmp(b.iter())
}

/// What was found, sorted, and what is to be said about it.
struct Found<T> {
    items: Vec<T>,
    warnings: Vec<String>,
}

/// Asks the store for each selector (for everything, when there is none) and joins the answers, cut to the limit.
async fn over_selectors<T: Send + 'static>(
    state: &Arc<State>,
    asked: Asked,
    compare: fn(&T, &T) -> Ordering,
    ask: impl Fn(&View, &Select<'_>) -> Result<Vec<T>, SelectError> + Send + 'static,
) -> Result<Found<T>, ApiError> {
    let shared = Arc::clone(state);
    let work = move |cancelled: &Arc<AtomicBool>| {
        let (view, engine) = (shared.reader.view(), shared.engine.load());
        let limits = SelectLimits { series_max: engine.limits().series_max, samples_max: engine.limits().samples_max };
        let everything = [Vec::new()];
        let selectors = if asked.selectors.is_empty() { &everything[..] } else { &asked.selectors };
        let mut items = Vec::new();
        for matchers in selectors {
            let select =
                Select { matchers, from_ms: asked.from_ms, to_ms: asked.to_ms, limits, cancelled: Some(cancelled) };
            items.extend(ask(&view, &select).map_err(|error| shared.pool.refused(refusal(error)))?);
        }
        items.sort_by(compare);
        items.dedup_by(|a, b| compare(a, b).is_eq());
        // Segments that turned out to be damaged were left out.
        let mut warnings = view.warnings();
        if asked.limit.is_some_and(|limit| items.len() > limit) {
            items.truncate(asked.limit.unwrap_or_default());
            warnings.push(TRUNCATED.to_owned());
        }
        Ok(Found { items, warnings })
    };
    state.pool.run(work).await?
}

fn texts(found: &Found<String>) -> Response {
    let push = |out: &mut Vec<u8>| push_list(out, &found.items, |out, text| push_html_safe_string(out, text));
    json(success(push, &found.warnings, &[]))
}

fn refusal(error: SelectError) -> ApiError {
    let kind = match &error {
        SelectError::TooManySeries { .. }
        | SelectError::TooManySamples { .. }
        | SelectError::TooManyStreams { .. }
        | SelectError::TooManyBytes { .. } => ErrorKind::Execution,
        SelectError::Cancelled => ErrorKind::Canceled,
        SelectError::Io(_) | SelectError::Damaged { .. } => {
            tracing::error!("labels could not be read: {}", chain(&error));
            ErrorKind::Internal
        }
    };
    ApiError::new(kind, chain(&error))
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn escaped_names_are_read_and_others_left() {
        for (name, expect) in [
            ("U__a_2e_b__c", Some("a.b_c")),
            ("U___1F600_", Some("\u{1f600}")),
            ("U__", Some("")),
            ("U__a_", None),
            ("U__a_2e", None),
            ("U__a_xy_", None),
            ("U__a_D800_", None),
            ("U__a_0000041_", None),
            ("a__b", None),
        ] {
            assert_eq!(unescaped(name).as_deref(), expect, "{name}");
        }
    }
}
