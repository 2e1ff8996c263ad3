//! Times as people write and read them. Zone: UTC, and said so.

use muster_common::time::{Span, parse_span};

use crate::error::Failure;

/// `2026-01-31 14:00:05 UTC`.
pub fn moment(millis: i64) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => millis.to_string(),
    }
}

/// `3s ago`, `2h5m ago`, in two units at most; `in 5m` for what lies ahead.
pub fn relative(millis: i64, now_ms: i64) -> String {
    let distance = now_ms.saturating_sub(millis);
    let span = coarse(distance.unsigned_abs());
    if distance >= 0 { format!("{span} ago") } else { format!("in {span}") }
}

/// A span in its two largest units: a clock of seconds under an age of days says nothing.
pub fn coarse(millis: u64) -> String {
    const UNITS: [u64; 3] = [86_400_000, 3_600_000, 60_000];
    // Days show hours, hours minutes, all below whole seconds.
    let grain = match UNITS.iter().position(|unit| millis >= *unit) {
        Some(0) => 3_600_000,
        Some(1) => 60_000,
        _ => 1_000,
    };
    Span(std::time::Duration::from_millis(millis / grain * grain)).to_string()
}

/// `--at`: RFC 3339, seconds since 1970, or how long ago (`5m`, `-5m`).
///
/// # Errors
/// None of these.
pub fn parse_moment(text: &str, now_ms: i64) -> Result<i64, Failure> {
    if text == "now" {
        return Ok(now_ms);
    }
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.abs() < 9e15
    {
        return Ok((seconds * 1_000.0).round() as i64);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    match parse_span(text.trim_start_matches('-')) {
        Ok(span) => Ok(now_ms.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))),
        Err(_) => Err(Failure::Usage(format!(
            "--at `{text}` is no time: write 2026-01-31T14:00:00Z, seconds since 1970, or how long ago, such as 5m"
        ))),
    }
}

/// A span argument in milliseconds, over zero.
///
/// # Errors
/// It is none; `flag` says whose value it is.
pub fn parse_positive_span(flag: &str, text: &str) -> Result<i64, Failure> {
    let span = parse_span(text).map_err(|error| Failure::Usage(format!("{flag}: {error}")))?;
    match i64::try_from(span.as_millis()) {
        Ok(millis) if millis > 0 => Ok(millis),
        _ => Err(Failure::Usage(format!("{flag} `{text}` must be longer than nothing, such as 5m"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_in_every_form_and_others_are_refused() {
        let now = 1_700_000_000_000;
        for (text, expect) in [
            ("now", now),
            ("1435781451.781", 1_435_781_451_781),
            ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
            ("5m", now - 300_000),
            ("-1h30m", now - 5_400_000),
        ] {
            assert_eq!(parse_moment(text, now).unwrap(), expect, "{text}");
        }
        for text in ["", "yesterday", "2015-07-01", "5 m"] {
            assert_eq!(parse_moment(text, now).unwrap_err().exit_code(), 2, "{text}");
        }
        assert_eq!(parse_positive_span("--since", "1h").unwrap(), 3_600_000);
        let told = parse_positive_span("--since", "0").unwrap_err().to_string();
        assert_eq!(told, "--since `0` must be longer than nothing, such as 5m");
    }

    #[test]
    fn ages_show_two_units_at_most() {
        let now = 1_700_000_000_000;
        for (ago, expect) in [
            (0, "0s ago"),
            (3_999, "3s ago"),
            (61_000, "1m1s ago"),
            (7_505_000, "2h5m ago"),
            (93_784_000, "1d2h ago"),
            (-300_000, "in 5m"),
        ] {
            assert_eq!(relative(now - ago, now), expect);
        }
        assert_eq!(moment(now), "2023-11-14 22:13:20 UTC");
    }
}
