//! The values of literals: numbers, spans of time and texts in quotes, in Go's forms as PromQL has them.

use muster_common::time::parse_span;

/// The longest span: what fits Go's nanoseconds (292 years). Keeps every sum of times far from overflow.
pub(crate) const SPAN_MS_MAX: i64 = i64::MAX / 1_000_000;

/// The value of a number: decimal, with exponent, octal by a leading zero, hexadecimal; `_` may part digits.
pub(crate) fn number(text: &str) -> Option<f64> {
    let parted = text.as_bytes().windows(2).all(|pair| match pair {
        [b'_', after] => after.is_ascii_hexdigit(),
        [before, b'_'] => before.is_ascii_hexdigit() || matches!(before, b'x' | b'X'),
        _ => true,
    });
    if !parted || text.ends_with('_') || text.starts_with('_') {
        return None;
    }
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        let fold = |sum: f64, digit: u32| sum.mul_add(16.0, f64::from(digit));
        let digits: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(16)).collect();
        return digits.filter(|digits| !digits.is_empty()).map(|digits| digits.into_iter().fold(0.0, fold));
    }
    if plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
        return Some(plain.bytes().fold(0.0, |sum: f64, byte| sum.mul_add(8.0, f64::from(byte - b'0'))));
    }
    let decimal = plain.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let value = if decimal { plain.parse().ok() } else { None };
    value.filter(|value: &f64| value.is_finite())
}

pub(crate) fn is_number(text: &str) -> bool {
    number(text).is_some()
}

/// Whether this is digits and units by turns; whether the units fall and fit is [`span_ms`]'s question.
pub(crate) fn is_span(text: &str) -> bool {
    let mut bytes = text.bytes().peekable();
    let mut any = false;
    while bytes.peek().is_some() {
        let mut digits = 0;
        while bytes.next_if(u8::is_ascii_digit).is_some() {
            digits += 1;
        }
        let unit = bytes.next();
        let known = matches!(unit, Some(b's' | b'm' | b'h' | b'd' | b'w' | b'y'));
        if unit == Some(b'm') {
            bytes.next_if_eq(&b's');
        }
        if digits == 0 || !known {
            return false;
        }
        any = true;
    }
    any
}

/// Milliseconds of a span such as `1h30m`.
pub(crate) fn span_ms(text: &str) -> Result<i64, String> {
    let wrong = || {
        format!(
            "not a valid duration string: {text:?}: write each unit once, in the order y w d h m s ms, such as 1h30m"
        )
    };
    let span = parse_span(text).map_err(|_| wrong())?;
    i64::try_from(span.as_millis()).ok().filter(|ms| *ms <= SPAN_MS_MAX).ok_or_else(|| "duration out of range".into())
}

/// Milliseconds of a number of seconds; `None` where no span is that long.
pub(crate) fn seconds_ms(seconds: f64) -> Option<i64> {
    let ms = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the range is checked first")]
    (ms.abs() <= SPAN_MS_MAX as f64).then_some(ms as i64)
}

/// The text in these quotes, with Go's escapes read.
pub(crate) fn unquote(quoted: &str) -> Result<String, String> {
    let quote = quoted.chars().next().unwrap_or('"');
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
    if quote == '`' || !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    // Bytes, since `\xNN` writes one byte, and several may make one character.
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], quote, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| "string is not UTF-8 after its escapes are read".to_owned())
}

/// Reads one escape (after its backslash) and answers what follows it.
fn escape<'a>(text: &'a str, quote: char, out: &mut Vec<u8>) -> Result<&'a str, String> {
    let first = text.chars().next().ok_or("escape sequence not terminated")?;
    let rest = &text[first.len_utf8()..];
    let plain = match first {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '0'..='7' => return digits(text, 3, 8, out, true),
        'x' => return digits(rest, 2, 16, out, true),
        'u' => return digits(rest, 4, 16, out, false),
        'U' => return digits(rest, 8, 16, out, false),
        _ if first == quote => {
            out.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(rest);
        }
        _ => return Err(format!("unknown escape sequence \\{first}: write \\\\ for a backslash, or quote with `")),
    };
    out.push(plain);
    Ok(rest)
}

fn digits<'a>(text: &'a str, count: usize, base: u32, out: &mut Vec<u8>, byte: bool) -> Result<&'a str, String> {
    let own = text.get(..count).filter(|own| own.chars().all(|c| c.is_digit(base)));
    let own = own.ok_or_else(|| format!("escape sequence needs {count} digits"))?;
    let code = u32::from_str_radix(own, base).map_err(|_| "escape sequence is out of range")?;
    if byte {
        out.push(u8::try_from(code).map_err(|_| "escape sequence is above 255")?);
    } else {
        let c = char::from_u32(code).ok_or("escape sequence is an invalid Unicode code point")?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(&text[count..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_gos_forms() {
        let cases = [
            ("0", 0.0),
            ("1_000", 1000.0),
            ("1.5e3", 1500.0),
            ("1e-2", 0.01),
            (".5", 0.5),
            ("5.", 5.0),
            ("0x1F", 31.0),
            ("0x_ff", 255.0),
            ("017", 15.0),
            ("089", 89.0),
        ];
        for (text, value) in cases {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["0x", "1__0", "1_", "1e", "1.2.3", "0xfg", "inf", "", "1e999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn spans_fall_and_fit() {
        assert_eq!(span_ms("1h30m"), Ok(5_400_000));
        assert_eq!(span_ms("250ms"), Ok(250));
        for text in ["5m5m", "1m1h", "300y", "99999999999999999999s"] {
            assert!(is_span(text) && span_ms(text).is_err(), "{text}");
        }
        for text in ["5", "m", "5x", "5mm", ""] {
            assert!(!is_span(text), "{text}");
        }
    }

    #[test]
    fn quotes_read_gos_escapes() {
        let cases = [
            (r#""a\n\"b\\""#, "a\n\"b\\"),
            (r"'it\'s \t'", "it's \t"),
            (r"`raw\n`", r"raw\n"),
            (r#""\x41\101\u00e9\U0001F600""#, "AA\u{e9}\u{1f600}"),
            (r#""\xc3\xa9""#, "\u{e9}"),
        ];
        for (quoted, text) in cases {
            assert_eq!(unquote(quoted).as_deref(), Ok(text), "{quoted}");
        }
        for quoted in [r#""\q""#, r#""\x4""#, r#""\ud800""#, r#""\777""#, r#""\xff""#, r#""\'""#] {
            assert!(unquote(quoted).is_err(), "{quoted}");
        }
    }
}
