//! How available hosts, or a check of each, were in a month, by the values of a label. The sums are `muster_fleet::availability`'s; here they
//! are asked for, read for, and written as JSON, CSV or a page.

mod gather;
mod report;

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_common::matcher::Matcher;
use muster_common::matcher_text::read_matchers;
use muster_fleet::availability::{PlannedAs, Span, UnknownAs, month_before, month_span};

use super::body::{answer, bad};
use crate::error::{ApiError, MusterError};
use crate::form::Parameters;
use crate::state::State;

/// No script, nothing from elsewhere, and no frame but the collector's own.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; sandbox; frame-ancestors 'self'";

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    month: String,
    zone: String,
    /// The month, as far as it is over.
    window: Span,
    is_over: bool,
    /// The label by whose values hosts are grouped; `None`: they are one group.
    group: Option<String>,
    /// Of this check instead of the hosts themselves.
    check: Option<String>,
    matchers: Vec<Matcher>,
    planned: PlannedAs,
    unknown: UnknownAs,
}

/// A form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Html,
}

pub(super) async fn availability(Shared(state): Shared<Arc<State>>, request: Request) -> Result<Response, MusterError> {
    let form = Parameters::of(request).await?;
    let asked = asked(&form, state.now().millis())?;
    let shape = match form.first("format") {
        None | Some("json") => Form::Json,
        Some("csv") => Form::Csv,
        Some("html") => Form::Html,
        Some(other) => return Err(wrong("format", other, "write json, csv or html").into()),
    };
    let shared = Arc::clone(&state);
    // It reads the store, as a query does.
    let found = state.pool.run(move |cancelled| gather::gather(&shared, asked, cancelled)).await??;
    let kind = |kind: &'static str| (header::CONTENT_TYPE, kind);
    Ok(match shape {
        Form::Json => answer(StatusCode::OK, report::json(&found)),
        Form::Csv => ([kind("text/csv; charset=utf-8; header=present")], report::csv(&found)).into_response(),
        Form::Html => {
            let policy = (header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
            ([kind("text/html; charset=utf-8"), policy], report::html(&found)).into_response()
        }
    })
}

fn asked(form: &Parameters, now_ms: i64) -> Result<Asked, ApiError> {
    let zone = form.first("zone").unwrap_or("UTC").to_owned();
    let text = |place: &'static str| {
        move |what: String| {
            let (what, remedy) = crate::work::split(&what);
            bad(place, what, remedy)
        }
    };
    let last = month_before(now_ms, &zone).map_err(text("parameter `zone`"))?;
    let month = form.first("month").map_or(last, str::to_owned);
    let (from_ms, to_ms) = month_span(&month, &zone).map_err(text("parameter `month`"))?;
    if from_ms >= now_ms {
        return Err(wrong("month", &month, "it has not begun: ask for one that has"));
    }
    let matchers: Vec<&str> = form.all("match").filter(|text| !text.is_empty()).collect();
    let matchers = read_matchers(&matchers.join(", ")).map_err(|error| {
        bad("parameter `match`", error.to_string(), "write matchers over host and the host's labels, such as role=web")
    })?;
    let planned = match form.first("planned") {
        None | Some("excluded") => PlannedAs::Excluded,
        Some("counted") => PlannedAs::Counted,
        Some("ignored") => PlannedAs::Ignored,
        Some(other) => return Err(wrong("planned", other, "write counted, excluded or ignored")),
    };
    let unknown = match form.first("unknown") {
        None | Some("excluded") => UnknownAs::Excluded,
        Some("down") => UnknownAs::Down,
        Some(other) => return Err(wrong("unknown", other, "write excluded or down")),
    };
    Ok(Asked {
        month,
        zone,
        window: (from_ms, to_ms.min(now_ms)),
        is_over: to_ms <= now_ms,
        group: form.first("group").map(str::to_owned),
        check: form.first("check").map(str::to_owned),
        matchers,
        planned,
        unknown,
    })
}

fn wrong(name: &str, given: &str, remedy: &str) -> ApiError {
    let given: String = given.chars().take(100).collect();
    bad(&format!("parameter `{name}`"), format!("`{given}` cannot be taken"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-15.
    const NOW_MS: i64 = 1_794_700_800_000;

    fn parse(text: &str) -> Result<Asked, ApiError> {
        asked(&Parameters::parse(text).unwrap(), NOW_MS)
    }

    #[test]
    fn the_last_month_that_is_over_is_asked_for_and_a_month_that_goes_on_ends_now() {
        let usual = parse("").unwrap();
        assert_eq!((usual.month.as_str(), usual.is_over, usual.planned), ("2026-10", true, PlannedAs::Excluded));
        let this = parse("month=2026-11&zone=Europe/Berlin&planned=ignored&unknown=down&group=role").unwrap();
        assert_eq!((this.window.1, this.is_over, this.group.as_deref()), (NOW_MS, false, Some("role")));
        assert_eq!((this.planned, this.unknown), (PlannedAs::Ignored, UnknownAs::Down));
        for (bad, place) in [
            ("month=2026-12", "month"),
            ("month=november", "month"),
            ("zone=Mars", "zone"),
            ("planned=no", "planned"),
            ("unknown=up", "unknown"),
            ("match=role", "match"),
        ] {
            assert_eq!(parse(bad).unwrap_err().problem().place, format!("parameter `{place}`"), "{bad}");
        }
    }
}
