//! JSON written straight into a buffer, in the very form that Prometheus writes: its clients compare bytes.
//!
//! A query answer may hold millions of samples, so nothing here builds a tree of values first.

use std::io::Write as _;

use muster_common::label::LabelSet;
use muster_query::{Point, Series};

/// Appends a quoted JSON string. Control characters, quotes and backslashes are escaped; all else stays as it is.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        push_escape(out, byte);
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// As [`push_string`], and `<`, `>`, `&` as `\u003c` and so on: Prometheus writes its messages and plain lists so.
pub(crate) fn push_html_safe_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_html_safe_text(out, text);
    out.push(b'"');
}

/// As [`push_html_safe_string`], of any bytes: each that is no part of UTF-8 becomes `\ufffd`, as Go writes it.
pub(crate) fn push_html_safe_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        push_html_safe_text(out, chunk.valid());
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn push_html_safe_text(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => push_unicode_escape(out, u32::from(character)),
            '\0'..='\u{1f}' | '"' | '\\' => {
                // All of these are below 128, so this one byte is the whole character.
                let mut byte = [0; 4];
                character.encode_utf8(&mut byte);
                push_escape(out, byte[0]);
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Appends a label set as an object.
pub(crate) fn push_labels(out: &mut Vec<u8>, labels: &LabelSet) {
    push_pairs(out, labels.iter());
}

/// Appends names and values as an object.
pub(crate) fn push_pairs<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'{');
    for (index, (name, value)) in pairs.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_string(out, name);
        out.push(b':');
        push_string(out, value);
    }
    out.push(b'}');
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => push_unicode_escape(out, u32::from(byte)),
    }
}

fn push_unicode_escape(out: &mut Vec<u8>, code: u32) {
    out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
}

/// Appends a sample's value as Prometheus does: quoted, shortest digits that read back the same, an exponent only below
/// 1e-6 and from 1e21, `NaN`, `+Inf`, `-Inf`.
pub(crate) fn push_value(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    push_float(out, value);
    out.push(b'"');
}

/// The unquoted form of [`push_value`].
pub(crate) fn push_float(out: &mut Vec<u8>, value: f64) {
    // Whole numbers below 2^53 are the most frequent values by far, and exact in an i64.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value.abs() < WHOLE_MAX && value.fract() == 0.0 {
        if value.is_sign_negative() {
            out.push(b'-');
        }
        // Whole, positive and below 2^53: nothing is lost.
        push_digits(out, value.abs() as u64);
    } else if value.abs() < 1e-6 || value.abs() >= 1e21 {
        push_exponent_form(out, value);
    } else if value.abs() >= WHOLE_MAX {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{value}");
    } else {
        let start = out.len();
        // Ten times as fast as `Display`; it turns to exponents earlier than Go does, and then Display writes the digits.
        let written = serde_json::to_writer(&mut *out, &value);
        if written.is_err() || out[start..].contains(&b'e') {
            out.truncate(start);
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{value}");
        }
    }
}

/// A value as Prometheus writes those of alerts: always in Go's `e` form.
pub(crate) fn exponent_form(value: f64) -> String {
    let mut out = Vec::new();
    if value.is_finite() {
        push_exponent_form(&mut out, value)
    } else {
        push_float(&mut out, value)
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A time (ms) as RFC 3339 in UTC; one that no calendar has becomes the nearest that it has.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    let nearest = if at_ms < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at_ms).unwrap_or(nearest).to_string()
}

/// Go's `e` form: at least two digits of exponent, always with a sign.
fn push_exponent_form(out: &mut Vec<u8>, value: f64) {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

/// Appends a time as Prometheus does: seconds, with three decimals only where there are milliseconds.
pub(crate) fn push_millis(out: &mut Vec<u8>, millis: i64) {
    if millis < 0 {
        out.push(b'-');
    }
    let millis = millis.unsigned_abs();
    push_digits(out, millis / 1_000);
    let fraction = (millis % 1_000) as u16;
    if fraction != 0 {
        let digit = |number: u16| b'0' + (number % 10) as u8;
        out.extend_from_slice(&[b'.', digit(fraction / 100), digit(fraction / 10), digit(fraction)]);
    }
}

fn push_digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// How a dialect writes a time (ms) with its value.
pub(crate) type PushSample = fn(&mut Vec<u8>, i64, f64);

/// Appends a vector as Prometheus and Loki have it: each element its labels and one sample.
pub(crate) fn push_points(out: &mut Vec<u8>, points: &[Point], push_sample: PushSample) {
    push_list(out, points, |out, point| {
        out.extend_from_slice(b"{\"metric\":");
        push_labels(out, &point.labels);
        out.extend_from_slice(b",\"value\":");
        push_sample(out, point.at_ms, point.value);
        out.push(b'}');
    });
}

/// Appends a matrix: each element its labels and its samples.
pub(crate) fn push_series(out: &mut Vec<u8>, all: &[Series], push_sample: PushSample) {
    push_list(out, all, |out, series| {
        out.extend_from_slice(b"{\"metric\":");
        push_labels(out, &series.labels);
        out.extend_from_slice(b",\"values\":");
        push_list(out, series.millis.iter().zip(&series.values), |out, (at_ms, value)| {
            push_sample(out, *at_ms, *value);
        });
        out.push(b'}');
    });
}

/// Appends `[a,b,...]`, each element by `push`.
pub(crate) fn push_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_read_as_go_writes_them() {
        let cases: [(f64, &str); 24] = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-17.0, "-17"),
            (0.1, "0.1"),
            (1.5, "1.5"),
            (-2.25, "-2.25"),
            (0.000_001, "0.000001"),
            (0.000_012_34, "0.00001234"),
            (0.000_000_1, "1e-07"),
            (1.234e-7, "1.234e-07"),
            (5e-324, "5e-324"),
            (1e15, "1000000000000000"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1e20, "100000000000000000000"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (-1e21, "-1e+21"),
            (1_700_000_000.123, "1700000000.123"),
            (0.300_000_000_000_000_04, "0.30000000000000004"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expect) in cases {
            assert_eq!(written(|out| push_float(out, value)), expect, "{value:e}");
        }
        assert_eq!(written(|out| push_value(out, 1.5)), "\"1.5\"");
    }

    #[test]
    fn every_value_reads_back_the_same() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = f64::from_bits(state);
            if value.is_finite() {
                let text = written(|out| push_float(out, value));
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            }
        }
    }

    #[test]
    fn times_have_three_decimals_or_none() {
        for (millis, expect) in [
            (0, "0"),
            (1_435_781_451_781, "1435781451.781"),
            (1_500, "1.500"),
            (1_005, "1.005"),
            (1_050, "1.050"),
            (-1, "-0.001"),
            (-1_500, "-1.500"),
            (60_000, "60"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(written(|out| push_millis(out, millis)), expect, "{millis}");
        }
    }

    #[test]
    fn strings_are_escaped_as_their_readers_expect() {
        assert_eq!(
            written(|out| push_string(out, "a\"b\\c\n\r\t\u{1}<&>\u{e9}")),
            "\"a\\\"b\\\\c\\n\\r\\t\\u0001<&>\u{e9}\""
        );
        assert_eq!(
            written(|out| push_html_safe_string(out, "a\"<&>\u{e9}\u{2028}\n")),
            "\"a\\\"\\u003c\\u0026\\u003e\u{e9}\\u2028\\n\""
        );
        assert_eq!(
            written(|out| push_html_safe_bytes(out, b"a<\xff\xc3\x00\xe9\x28")),
            "\"a\\u003c\\ufffd\\ufffd\\u0000\\ufffd(\""
        );
        assert_eq!(written(|out| push_list(out, ["a", "b"], push_string)), "[\"a\",\"b\"]");
    }
}
