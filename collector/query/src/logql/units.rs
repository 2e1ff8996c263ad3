//! Durations and byte counts as Go's `time.ParseDuration` and go-humanize read them: what labels hold and filters name.

/// Nanoseconds of `1h15m30.5s`, `250us`, `-1.5h`; a bare `0` needs no unit.
pub(crate) fn duration_ns(text: &str) -> Result<f64, String> {
    let invalid = || format!("time: invalid duration {:?}", shown(text));
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Ok(0.0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1.0,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration {:?}", shown(text))),
            unit => return Err(format!("time: unknown unit {:?} in duration {:?}", shown(unit), shown(text))),
        };
        total += number * unit;
        rest = &rest[end..];
    }
    // Go counts in `int64` nanoseconds.
    if total < 9.223_372_036_854_776e18 { Ok(sign * total) } else { Err(invalid()) }
}

/// Bytes of `42`, `1.5KB` (thousands), `10MiB` (1,024s), `3k`; commas part digits.
pub(crate) fn bytes(text: &str) -> Result<f64, String> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let digits: String = text[..end].chars().filter(|c| *c != ',').collect();
    let number: f64 =
        digits.parse().map_err(|_| format!("strconv.ParseFloat: parsing {:?}: invalid syntax", shown(&digits)))?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let factor = match unit.as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "p" | "pb" => 1e15,
        "e" | "eb" => 1e18,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        "ti" | "tib" => 1_099_511_627_776.0,
        "pi" | "pib" => 1_125_899_906_842_624.0,
        "ei" | "eib" => 1_152_921_504_606_846_976.0,
        _ => return Err(format!("unhandled size name: {}", shown(&unit))),
    };
    let value = (number * factor).trunc();
    if value < 1.844_674_407_370_955e19 { Ok(value) } else { Err(format!("too large: {}", shown(text))) }
}

/// A number as Go's `strconv.ParseFloat` reads it, but for hexadecimal ones.
pub(crate) fn float(text: &str) -> Result<f64, String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte));
    let value = if plain { text.parse().ok() } else { None };
    value.ok_or_else(|| format!("strconv.ParseFloat: parsing {:?}: invalid syntax", shown(text)))
}

/// The start of a text from a line, short enough for an error label.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (text, ns) in [("1h30m", 5400e9), ("1.5s", 1.5e9), ("-2ms", -2e6), ("100\u{b5}s", 1e5), ("0", 0.0)] {
            assert_eq!(duration_ns(text), Ok(ns), "{text}");
        }
        for text in ["", "5", "1d", "s", "1..2s", "9999999999h", "1s2", "\u{e9}"] {
            assert!(duration_ns(text).is_err(), "{text}");
        }
    }

    #[test]
    fn byte_counts_have_both_kinds_of_units() {
        for (text, count) in
            [("42", 42.0), ("1.5KB", 1500.0), ("10MiB", 10_485_760.0), ("1,000 b", 1000.0), ("3k", 3e3)]
        {
            assert_eq!(bytes(text), Ok(count), "{text}");
        }
        for text in ["", "kb", "5 parsecs", "-1kb", "99999999eb"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert_eq!((float("1e3"), float("NaN").map(f64::is_nan)), (Ok(1000.0), Ok(true)));
        assert!(float("").is_err() && float("1 ").is_err() && float("x").is_err());
    }
}
