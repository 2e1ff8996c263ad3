//! Numbers for people, in Prometheus' forms.

use super::number::general;

fn short(value: f64) -> String {
    general(value, Some(4), false)
}

const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

/// `humanize`: a metric prefix.
pub(super) fn metric(mut value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return short(value);
    }
    if value.abs() < 1.0 {
        return below_one(value, "");
    }
    let mut prefix = "";
    for next in ["k", "M", "G", "T", "P", "E", "Z", "Y"] {
        if value.abs() < 1000.0 {
            break;
        }
        prefix = next;
        value /= 1000.0;
    }
    format!("{}{prefix}", short(value))
}

fn below_one(mut value: f64, unit: &str) -> String {
    let mut prefix = "";
    for next in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        prefix = next;
        value *= 1000.0;
    }
    format!("{}{prefix}{unit}", short(value))
}

/// `humanize1024`: a binary prefix.
pub(super) fn binary(mut value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return short(value);
    }
    let mut prefix = "";
    for next in ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"] {
        if value.abs() < 1024.0 {
            break;
        }
        prefix = next;
        value /= 1024.0;
    }
    format!("{}{prefix}", short(value))
}

/// `humanizeDuration` of seconds.
pub(super) fn duration(value: f64) -> String {
    if !value.is_finite() {
        return short(value);
    }
    if value == 0.0 {
        return "0s".into();
    }
    if value.abs() < 1.0 {
        return below_one(value, "s");
    }
    let (sign, value) = (if value < 0.0 { "-" } else { "" }, value.abs());
    #[expect(clippy::cast_possible_truncation, reason = "saturates, as the longest span that can be told")]
    let whole = value as i64;
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60);
    if days != 0 {
        format!("{sign}{days}d {hours}h {minutes}m {seconds}s")
    } else if hours != 0 {
        format!("{sign}{hours}h {minutes}m {seconds}s")
    } else if minutes != 0 {
        format!("{sign}{minutes}m {seconds}s")
    } else {
        format!("{sign}{}s", short(value))
    }
}

/// `humanizePercentage` of a ratio.
pub(super) fn percentage(value: f64) -> String {
    format!("{}%", short(value * 100.0))
}

/// Seconds since 1970 as Go prints a time in UTC, to the millisecond.
///
/// # Errors
/// A time beyond what nanoseconds in 64 bits hold.
pub(super) fn timestamp(seconds: f64) -> Result<String, String> {
    if !seconds.is_finite() {
        return Ok(short(seconds));
    }
    let nanos = seconds * 1e9;
    #[expect(clippy::cast_precision_loss, reason = "the bound itself need not be exact")]
    if nanos > i64::MAX as f64 || nanos < i64::MIN as f64 {
        let shown = super::number::show(seconds);
        return Err(format!("{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "in range, tested above")]
    let millis = (nanos as i64).div_euclid(1_000_000);
    let time = jiff::Timestamp::from_millisecond(millis).map_err(|error| error.to_string())?;
    let fraction = millis.rem_euclid(1000);
    let fraction =
        if fraction == 0 { String::new() } else { format!(".{fraction:03}").trim_end_matches('0').to_owned() };
    Ok(format!("{}{fraction} +0000 UTC", time.strftime("%Y-%m-%d %H:%M:%S")))
}

/// Seconds as Go prints a duration: `1h0m0s`, `1.5s`, `20ms`.
pub(super) fn go_duration(seconds: f64) -> String {
    let (sign, seconds) = (if seconds < 0.0 { "-" } else { "" }, seconds.abs());
    let plain = |value: f64| super::number::general(value, Some(12), false);
    if seconds == 0.0 {
        return "0s".into();
    }
    if seconds < 1.0 {
        let (scale, unit) =
            [(1e3, "ms"), (1e6, "us")].into_iter().find(|(s, _)| seconds * s >= 1.0).unwrap_or((1e9, "ns"));
        return format!("{sign}{}{unit}", plain(seconds * scale));
    }
    let minutes = (seconds / 60.0).floor();
    let left = plain(seconds - minutes * 60.0);
    if minutes < 1.0 {
        format!("{sign}{left}s")
    } else if minutes < 60.0 {
        format!("{sign}{minutes}m{left}s")
    } else {
        format!("{sign}{}h{}m{left}s", (minutes / 60.0).floor(), minutes % 60.0)
    }
}
