//! The values of Prometheus' parameters: times, durations, limits, names. Messages are Prometheus' own.

use muster_common::time::parse_span;

use crate::error::{ApiError, ErrorKind};
use crate::form::Parameters;

/// The ends of time as Prometheus' clients spell them when they mean "any".
const TIME_MIN: &str = "-292273086-05-16T16:47:06Z";
const TIME_MAX: &str = "292277025-08-18T07:12:54.999999999Z";

/// Points of one series that a range query may ask for.
const RANGE_POINTS_MAX: i64 = 11_000;

/// `invalid parameter "name": why`, as Prometheus says it.
pub(crate) fn invalid(name: &str, why: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorKind::BadData, format!("invalid parameter {name:?}: {why}"))
}

/// Milliseconds since 1970 of a time: seconds as a number, or RFC 3339.
pub(crate) fn parse_time(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_number(text) {
        return seconds_to_millis(seconds).ok_or_else(|| format!("cannot parse {text:?} to a valid timestamp"));
    }
    match text {
        TIME_MIN => return Ok(i64::MIN),
        TIME_MAX => return Ok(i64::MAX),
        _ => {}
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.as_nanosecond().div_euclid(1_000_000).try_into().unwrap_or(i64::MAX)),
        Err(_) => Err(format!("cannot parse {text:?} to a valid timestamp")),
    }
}

/// Milliseconds of a duration: seconds as a number, or Prometheus' form.
pub(crate) fn parse_duration(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_number(text) {
        // Go's durations are nanoseconds in an int64.
        return if seconds.is_nan() || seconds.abs() > 9_223_372_036.0 {
            Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"))
        } else {
            Ok((seconds * 1_000.0) as i64)
        };
    }
    let fail = || format!("cannot parse {text:?} to a valid duration");
    let span = parse_span(text).map_err(|_| fail())?;
    i64::try_from(span.as_millis()).map_err(|_| fail())
}

/// A number as Go's `ParseFloat` takes it. Words other than numbers (`inf`, `nan`) are no time and no duration.
fn parse_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if plain { text.parse().ok() } else { None }
}

fn seconds_to_millis(seconds: f64) -> Option<i64> {
    // Beyond this the milliseconds do not fit; a sample there cannot exist either.
    const SECONDS_MAX: f64 = 9.2e15;
    // `as` of what is checked to fit.
    (seconds.abs() <= SECONDS_MAX).then(|| (seconds * 1_000.0).round() as i64)
}

/// The time in this parameter, or `default` where it is absent (Prometheus: `time`, and `start`, `end` of metadata).
pub(crate) fn optional_time(form: &Parameters, name: &str, default: i64) -> Result<i64, ApiError> {
    match form.first(name) {
        None => Ok(default),
        Some(text) => parse_time(text).map_err(|why| invalid(name, format!("invalid time value for '{name}': {why}"))),
    }
}

/// `limit`: absent or 0 is no limit.
pub(crate) fn limit(form: &Parameters) -> Result<Option<usize>, ApiError> {
    let Some(text) = form.first("limit") else { return Ok(None) };
    let number: i64 =
        text.parse().map_err(|_| invalid("limit", format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?;
    match usize::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(invalid("limit", "limit must be non-negative")),
    }
}

/// `timeout` in milliseconds.
pub(crate) fn timeout(form: &Parameters) -> Result<Option<i64>, ApiError> {
    form.first("timeout").map(|text| parse_duration(text).map_err(|why| invalid("timeout", why))).transpose()
}

/// The grid of a range query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start_ms: i64,
    pub(crate) end_ms: i64,
    pub(crate) step_ms: i64,
}

/// `start`, `end` and `step`, checked in Prometheus' order.
pub(crate) fn range(form: &Parameters) -> Result<Range, ApiError> {
    let time = |name: &str| parse_time(form.first(name).unwrap_or("")).map_err(|why| invalid(name, why));
    let start_ms = time("start")?;
    let end_ms = time("end")?;
    if end_ms < start_ms {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let step_ms = parse_duration(form.first("step").unwrap_or("")).map_err(|why| invalid("step", why))?;
    if step_ms <= 0 {
        return Err(invalid(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if end_ms.saturating_sub(start_ms) / step_ms > RANGE_POINTS_MAX {
        return Err(ApiError::new(
            ErrorKind::BadData,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    Ok(Range { start_ms, end_ms, step_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_or_rfc_3339() {
        for (text, expect) in [
            ("0", 0),
            ("1435781451.781", 1_435_781_451_781),
            ("1.7e9", 1_700_000_000_000),
            ("-1.5", -1_500),
            ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
            ("2015-07-01T22:10:51.781+02:00", 1_435_781_451_781),
            (TIME_MIN, i64::MIN),
            (TIME_MAX, i64::MAX),
        ] {
            assert_eq!(parse_time(text), Ok(expect), "{text}");
        }
        for text in ["", "now", "NaN", "inf", "1e300", "2015-13-01T00:00:00Z", "2015-07-01", "0x10", "1_000"] {
            assert_eq!(parse_time(text), Err(format!("cannot parse {text:?} to a valid timestamp")), "{text}");
        }
    }

    #[test]
    fn durations_are_numbers_or_prometheus_form() {
        for (text, expect) in
            [("15", 15_000), ("0.5", 500), ("1h30m", 5_400_000), ("100ms", 100), ("-5", -5_000), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Ok(expect), "{text}");
        }
        for text in ["", "abc", "5x", "m5", "1m1h"] {
            assert_eq!(parse_duration(text), Err(format!("cannot parse {text:?} to a valid duration")), "{text}");
        }
        assert_eq!(
            parse_duration("1e19"),
            Err("cannot parse \"1e19\" to a valid duration. It overflows int64".to_owned())
        );
    }

    fn range_error(text: &str) -> String {
        range(&Parameters::parse(text).unwrap()).unwrap_err().message().to_owned()
    }

    #[test]
    fn each_wrong_range_parameter_has_prometheus_text() {
        for (text, expect) in [
            ("end=1&step=1", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
            ("start=1&end=x&step=1", "invalid parameter \"end\": cannot parse \"x\" to a valid timestamp"),
            ("start=2&end=1&step=1", "invalid parameter \"end\": end timestamp must not be before start time"),
            ("start=1&end=2", "invalid parameter \"step\": cannot parse \"\" to a valid duration"),
            (
                "start=1&end=2&step=0",
                "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
            ),
            ("start=1&end=2&step=-1s", "invalid parameter \"step\": cannot parse \"-1s\" to a valid duration"),
            (
                "start=0&end=11001&step=1",
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            ),
        ] {
            assert_eq!(range_error(text), expect, "{text}");
        }
        let grid = range(&Parameters::parse("start=0&end=11000&step=1").unwrap()).unwrap();
        assert_eq!(grid, Range { start_ms: 0, end_ms: 11_000_000, step_ms: 1_000 });
    }

    #[test]
    fn limits_and_timeouts_say_what_is_wrong_with_them() {
        let form = |text: &str| Parameters::parse(text).unwrap();
        assert_eq!(limit(&form("")), Ok(None));
        assert_eq!(limit(&form("limit=0")), Ok(None));
        assert_eq!(limit(&form("limit=3")), Ok(Some(3)));
        assert_eq!(
            limit(&form("limit=x")).unwrap_err().message(),
            "invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax"
        );
        assert_eq!(
            limit(&form("limit=-1")).unwrap_err().message(),
            "invalid parameter \"limit\": limit must be non-negative"
        );
        assert_eq!(timeout(&form("timeout=2m")), Ok(Some(120_000)));
        assert_eq!(
            timeout(&form("timeout=soon")).unwrap_err().message(),
            "invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration"
        );
        assert_eq!(
            optional_time(&form("time=soon"), "time", 0).unwrap_err().message(),
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"soon\" to a valid timestamp"
        );
    }
}
