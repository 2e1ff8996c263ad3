//! Byte parsers for the kernel's text. They allocate nothing, never panic, and skip what they do not understand.

/// The lines, without their ends.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The words of a line, between runs of blanks and tabs.
pub(crate) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|word| !word.is_empty())
}

/// A decimal number: an integer of up to 15 digits exactly and fast, anything else that is a number as Rust reads it.
pub(crate) fn number(word: &[u8]) -> Option<f64> {
    if word.len() <= 15
        && !word.is_empty()
        && let Some(value) =
            word.iter().try_fold(0u64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
    {
        // Below 2^53, so exact.
        return Some(value as f64);
    }
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.');
    if !word.iter().all(plain) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A hexadecimal number, with or without `0x`.
pub(crate) fn hex(word: &[u8]) -> Option<u64> {
    let digits = word.strip_prefix(b"0x").unwrap_or(word);
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = (*byte as char).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

/// The first line without blanks around it: what most files of /sys and /proc/sys hold.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii()
}

/// A byte that a label may not hold as it is becomes the replacement character.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_exactly_and_garbage_is_none() {
        for (word, value) in [
            ("0", 0.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("18446744073709551615", 18_446_744_073_709_551_615.0),
            ("99999999999999999999999999", 1e26),
            ("-1", -1.0),
            ("0.05", 0.05),
        ] {
            assert_eq!(number(word.as_bytes()), Some(value), "{word}");
        }
        for word in ["", "x", "1x", "0x10", "1e9", "nan", "inf", "-", "1 2", "\u{e4}"] {
            assert_eq!(number(word.as_bytes()), None, "{word:?}");
        }
    }

    #[test]
    fn hexadecimal_numbers_read_with_and_without_their_mark() {
        for (word, value) in [
            ("0x1003", Some(4099)),
            ("00001291", Some(4753)),
            ("ffffffffffffffff", Some(u64::MAX)),
            ("", None),
            ("0x", None),
            ("g", None),
            ("11111111111111111", None),
        ] {
            assert_eq!(hex(word.as_bytes()), value, "{word}");
        }
    }

    #[test]
    fn words_and_lines_bear_any_blanks() {
        let split: Vec<Vec<&[u8]>> = lines(b"\n a\t b \n\n\xff c\r\n").map(|line| words(line).collect()).collect();
        assert_eq!(split, vec![vec![&b"a"[..], b"b"], vec![&b"\xff"[..], b"c"]]);
        assert_eq!(trimmed(b" up \nrest"), b"up");
    }
}
