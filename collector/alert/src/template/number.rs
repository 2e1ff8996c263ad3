//! Numbers as Go reads and prints them.

/// A whole number of Go's syntax: decimal, `0x`, `0o`, `0b`, or octal by a leading zero.
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, &*lower)
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// Go's `%v` of a float: the shortest digits that give the number back, with an exponent where that is shorter.
pub(super) fn show(value: f64) -> String {
    general(value, None, false)
}

/// Go's `%g`: so many significant digits, or the shortest; with `keeps_zeros` zeros at the end stay.
pub(super) fn general(value: f64, precision: Option<usize>, keeps_zeros: bool) -> String {
    if let Some(text) = not_finite(value) {
        return text;
    }
    let digits = precision.map(|own| own.clamp(1, PRECISION_MAX));
    let scientific = match digits {
        Some(count) => format!("{value:.*e}", count - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let own_digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // Where the shortest digits are asked for Go decides as if there were six.
    let most = digits.map_or(6, |count| i32::try_from(count).unwrap_or(6));
    if exponent < -4 || exponent >= most {
        let mantissa = if keeps_zeros { mantissa } else { trimmed(mantissa) };
        return format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let decimals = i32::try_from(own_digits).unwrap_or(0) - 1 - exponent;
    let plain = format!("{value:.*}", usize::try_from(decimals.max(0)).unwrap_or(0));
    if keeps_zeros { plain } else { trimmed(&plain).to_owned() }
}

/// Go's `%e`.
pub(super) fn scientific(value: f64, precision: usize) -> String {
    if let Some(text) = not_finite(value) {
        return text;
    }
    let text = format!("{value:.*e}", precision.min(PRECISION_MAX));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Go's `%f`.
pub(super) fn fixed(value: f64, precision: usize) -> String {
    not_finite(value).unwrap_or_else(|| format!("{value:.*}", precision.min(PRECISION_MAX)))
}

/// Digits after the point; more are noise of a double.
pub(super) const PRECISION_MAX: usize = 350;

fn not_finite(value: f64) -> Option<String> {
    match value {
        _ if value.is_nan() => Some("NaN".into()),
        _ if value.is_infinite() => Some(if value > 0.0 { "+Inf" } else { "-Inf" }.into()),
        _ => None,
    }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_go_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (0.1, "0.1"),
        ] {
            assert_eq!(show(value), text);
        }
        for (value, text) in [(1234.5678, "1235"), (12_345.0, "1.234e+04"), (0.5, "0.5"), (99.99, "99.99"), (1.0, "1")]
        {
            assert_eq!(general(value, Some(4), false), text);
        }
        assert_eq!((scientific(12_345.678, 2), fixed(2.0 / 3.0, 3)), ("1.23e+04".to_owned(), "0.667".to_owned()));
        for (text, value) in [("12", Some(12)), ("-0x1f", Some(-31)), ("017", Some(15)), ("0", Some(0)), ("1.5", None)]
        {
            assert_eq!(parse_int(text), value, "{text}");
        }
    }
}
