//! The values of Loki's parameters: times, spans, limits, directions. Messages are Loki's own.

use axum::http::HeaderMap;
use muster_common::time::{Timestamp, parse_span};
use muster_query::{Direction, LogMark, LogPage, QueryError};

use crate::error::{ApiError, ErrorKind};
use crate::form::Parameters;

const NS_PER_SECOND: i64 = 1_000_000_000;
/// Loki's own, so that its clients' pages have the size that they expect.
const LIMIT: usize = 100;
/// Loki's own (`max_entries_limit_per_query`). Lines of one answer are held whole, and again as JSON.
const LIMIT_MAX: usize = 5_000;
/// How far queries look back that name no time.
pub(super) const SINCE_NS: i64 = 3_600 * NS_PER_SECOND;
/// The same of labels and series.
pub(super) const SINCE_OF_LABELS_NS: i64 = 6 * SINCE_NS;
/// Integers of more digits are nanoseconds, others seconds.
const SECONDS_DIGITS_MAX: usize = 10;
/// Points of a series that the default step aims at.
const POINTS_WANTED: i64 = 250;

pub(super) fn bad(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorKind::BadData, message)
}

/// The engine's error as Loki would answer it.
pub(super) fn refusal(error: &QueryError) -> ApiError {
    match error {
        QueryError::Timeout => ApiError::new(
            ErrorKind::Timeout,
            "request timed out, decrease the duration of the request or add more label matchers (prefer exact match over \
             regex match) to reduce the amount of data processed",
        ),
        QueryError::Cancelled => ApiError::new(ErrorKind::Canceled, "the request was cancelled by the client"),
        QueryError::Execution { .. } | QueryError::TooMuch { .. } => {
            ApiError::new(ErrorKind::Execution, error.to_string())
        }
        QueryError::Source { .. } => {
            tracing::error!("a log query could not read: {error}");
            ApiError::new(ErrorKind::Internal, error.to_string())
        }
        _ => bad(error.to_string()),
    }
}

/// Nanoseconds since 1970 of a time: seconds with a point, an integer of seconds or (from 11 digits on) nanoseconds, or RFC 3339.
pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let out_of_range = || format!("strconv.ParseInt: parsing {text:?}: value out of range");
    if text.contains('.')
        && let Some(seconds) = number(text)
    {
        // Go rounds to milliseconds: below that a float has no digits left.
        let millis = (seconds * 1_000.0).round();
        // `as` saturates; what does not fit in nanoseconds is refused next.
        return (millis as i64).checked_mul(1_000_000).ok_or_else(out_of_range);
    }
    if let Ok(number) = text.parse::<i64>() {
        return if text.len() <= SECONDS_DIGITS_MAX { Ok(number * NS_PER_SECOND) } else { Ok(number) };
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return i64::try_from(time.as_nanosecond()).map_err(|_| out_of_range());
    }
    if !text.is_empty() && text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(out_of_range());
    }
    Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
}

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if plain { text.parse().ok() } else { None }
}

/// Nanoseconds of a span: seconds as a number, or Prometheus' form.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = number(text) {
        let nanos = seconds * NS_PER_SECOND as f64;
        return if nanos.abs() > i64::MAX as f64 || nanos.is_nan() {
            Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"))
        } else {
            Ok(nanos as i64)
        };
    }
    let span = parse_span(text).ok().and_then(|span| i64::try_from(span.as_nanos()).ok());
    span.ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}

/// `start` and `end` (excluded), or `since` that long before the end or now, whichever is earlier.
pub(super) fn bounds(form: &Parameters, now: Timestamp, since_ns: i64) -> Result<(i64, i64), ApiError> {
    let time = |name: &str, default: i64| match form.first(name) {
        None => Ok(default),
        Some(text) => parse_time(text).map_err(|why| bad(format!("could not parse '{name}' parameter: {why}"))),
    };
    let since_ns = match form.first("since") {
        None => since_ns,
        Some(text) => {
            let span = parse_span(text).ok().and_then(|span| i64::try_from(span.as_nanos()).ok());
            span.ok_or_else(|| {
                bad(format!("could not parse 'since' parameter: not a valid duration string: {text:?}"))
            })?
        }
    };
    let end_ns = time("end", now.nanos())?;
    let start_ns = time("start", end_ns.min(now.nanos()).saturating_sub(since_ns))?;
    if end_ns < start_ns {
        return Err(bad("end timestamp must not be before or equal to start time"));
    }
    Ok((start_ns, end_ns))
}

/// `step`, by default a share of the time.
pub(super) fn step(form: &Parameters, (start_ns, end_ns): (i64, i64)) -> Result<i64, ApiError> {
    match form.first("step") {
        None => Ok((end_ns.saturating_sub(start_ns) / NS_PER_SECOND / POINTS_WANTED).max(1) * NS_PER_SECOND),
        Some(text) => parse_duration(text).map_err(bad),
    }
}

/// `limit`, over 0.
pub(super) fn limit(form: &Parameters) -> Result<usize, ApiError> {
    let Some(text) = form.first("limit") else { return Ok(LIMIT) };
    let number: i64 = text.parse().map_err(|_| bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
    match usize::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(bad("limit must be a positive value")),
    }
}

/// A limit of lines.
pub(super) fn within_max(limit: usize) -> Result<usize, ApiError> {
    if limit <= LIMIT_MAX {
        return Ok(limit);
    }
    Err(bad(format!("max entries limit per query exceeded, limit > max_entries_limit ({limit} > {LIMIT_MAX})")))
}

/// What of a log query's lines is asked for.
pub(super) fn page(form: &Parameters, headers: &HeaderMap) -> Result<LogPage, ApiError> {
    let direction = match form.first("direction") {
        None => Direction::Backward,
        Some(text) if text.eq_ignore_ascii_case("backward") => Direction::Backward,
        Some(text) if text.eq_ignore_ascii_case("forward") => Direction::Forward,
        Some(text) => return Err(bad(format!("invalid direction '{text}'"))),
    };
    let interval_ns = form.first("interval").map_or(Ok(0), parse_duration).map_err(bad)?;
    if interval_ns < 0 {
        return Err(bad("interval must be >= 0"));
    }
    let after = form.first("after").map(|text| {
        text.parse::<LogMark>().map_err(|()| {
            bad(format!("`{text}` is no place in an answer"))
                .place("parameter `after`")
                .remedy("write `data.next` of the page before as it stands there")
        })
    });
    Ok(LogPage {
        interval_ns,
        after: after.transpose()?,
        categorized: is_categorized(headers),
        ..LogPage::new(limit(form)?, direction)
    })
}

/// Whether the client wants labels told apart by where they come from.
pub(super) fn is_categorized(headers: &HeaderMap) -> bool {
    let values = headers.get_all("x-loki-response-encoding-flags").iter();
    values.filter_map(|value| value.to_str().ok()).any(is_flagged)
}

/// Whether a list of flags wants that.
pub(super) fn is_flagged(flags: &str) -> bool {
    flags.split(',').any(|flag| flag.trim() == "categorize-labels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_nanoseconds_seconds_or_rfc_3339() {
        for (text, expect) in [
            ("0", 0),
            ("1700000000", 1_700_000_000 * NS_PER_SECOND),
            ("1700000000000000001", 1_700_000_000_000_000_001),
            ("17000000000", 17_000_000_000),
            ("1700000000.1234", 1_700_000_000_123_000_000),
            ("-1.5", -1_500_000_000),
            ("2023-11-14T22:13:20.000000001Z", 1_700_000_000_000_000_001),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000_000),
        ] {
            assert_eq!(parse_time(text), Ok(expect), "{text}");
        }
        for text in ["", "now", "1.2.3", "nan", "2023-11-14"] {
            assert_eq!(parse_time(text), Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")), "{text}");
        }
        for text in ["99999999999999999999", "1e300.", "1.e300", "9000-01-01T00:00:00Z"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_seconds_or_prometheus_form() {
        for (text, expect) in
            [("15", 15 * NS_PER_SECOND), ("0.5", 500_000_000), ("1m", 60 * NS_PER_SECOND), ("-1", -NS_PER_SECOND)]
        {
            assert_eq!(parse_duration(text), Ok(expect), "{text}");
        }
        assert_eq!(parse_duration("soon"), Err("cannot parse \"soon\" to a valid duration".to_owned()));
        assert_eq!(
            parse_duration("1e19"),
            Err("cannot parse \"1e19\" to a valid duration. It overflows int64".to_owned())
        );
    }

    #[test]
    fn a_time_range_comes_from_start_end_and_since() {
        let (now, second) = (Timestamp::from_millis(100_000_000), NS_PER_SECOND);
        let of = |text: &str| bounds(&Parameters::parse(text).unwrap(), now, SINCE_NS);
        for (text, expect) in [
            ("", (96_400 * second, 100_000 * second)),
            ("since=10s", (99_990 * second, 100_000 * second)),
            ("since=10s&end=50000", (49_990 * second, 50_000 * second)),
            // An end to come does not move the start.
            ("since=10s&end=200000", (99_990 * second, 200_000 * second)),
            ("start=5&end=6", (5 * second, 6 * second)),
        ] {
            assert_eq!(of(text), Ok(expect), "{text}");
        }
        for (text, expect) in [
            ("since=x", "could not parse 'since' parameter: not a valid duration string: \"x\""),
            ("end=x", "could not parse 'end' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("start=x", "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("start=6&end=5", "end timestamp must not be before or equal to start time"),
        ] {
            assert_eq!(of(text).unwrap_err().message(), expect, "{text}");
        }
        assert_eq!(step(&Parameters::default(), (0, 1_000 * second)), Ok(4 * second));
        assert_eq!(step(&Parameters::default(), (0, second)), Ok(second));
    }
}
