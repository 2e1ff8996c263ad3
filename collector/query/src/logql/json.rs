//! Reads JSON of lines without building it: values are found where they stand. Depth is bounded, hostile bytes end in
//! an error with the place, never in a panic.

use std::borrow::Cow;

/// How deep objects and arrays may nest: each level of an object is one recursion.
const DEPTH_MAX: usize = 64;

/// A value as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Without its quotes, escapes unread.
    Text(&'a [u8]),
    /// A number, `true` or `false`.
    Plain(&'a [u8]),
    Null,
    Object(&'a [u8]),
    Array(&'a [u8]),
}

/// What is wrong, and at which byte.
pub(crate) type Read<T> = Result<T, String>;

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn wrong<T>(&self, what: &str) -> Read<T> {
        Err(format!("Malformed JSON error: {what} at byte {}", self.at))
    }

    fn blank(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        self.blank();
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Shows each pair of the object that begins here, the outermost or the one that `each` was shown.
    pub(crate) fn object(&mut self, each: &mut dyn FnMut(&'a [u8], Value<'a>) -> Read<()>) -> Read<()> {
        if !self.take(b'{') {
            return self.wrong("expected an object");
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.wrong("expected a key in quotes");
            }
            let key = self.text()?;
            if !self.take(b':') {
                return self.wrong("expected ':'");
            }
            let value = self.value()?;
            each(key, value)?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return self.wrong("expected ',' or '}'");
            }
        }
    }

    /// The element of the array that begins here, if it has so many.
    pub(crate) fn element(&mut self, wanted: usize) -> Read<Option<Value<'a>>> {
        if !self.take(b'[') {
            return self.wrong("expected an array");
        }
        if self.take(b']') {
            return Ok(None);
        }
        for index in 0.. {
            let value = self.value()?;
            if index == wanted {
                return Ok(Some(value));
            }
            if self.take(b']') {
                return Ok(None);
            }
            if !self.take(b',') {
                return self.wrong("expected ',' or ']'");
            }
        }
        Ok(None)
    }

    fn value(&mut self) -> Read<Value<'a>> {
        let start = match self.peek() {
            Some(_) => self.at,
            None => return self.wrong("the line ends inside"),
        };
        match self.bytes[start] {
            b'"' => self.text().map(Value::Text),
            b'{' => self.skip().map(|()| Value::Object(&self.bytes[start..self.at])),
            b'[' => self.skip().map(|()| Value::Array(&self.bytes[start..self.at])),
            _ => {
                let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(*byte);
                let length = self.bytes[start..].iter().take_while(plain).count();
                let own = &self.bytes[start..start + length];
                let number = own.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
                if !number && !matches!(own, b"true" | b"false" | b"null") {
                    return self.wrong("Unknown value type");
                }
                self.at += length;
                Ok(if own == b"null" { Value::Null } else { Value::Plain(own) })
            }
        }
    }

    /// The text in quotes that begins here.
    fn text(&mut self) -> Read<&'a [u8]> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            match memchr::memchr2(b'"', b'\\', self.bytes.get(at..).unwrap_or_default()) {
                None => return self.wrong("a text is not closed"),
                Some(length) if self.bytes[at + length] == b'"' => {
                    self.at = at + length + 1;
                    return Ok(&self.bytes[start..at + length]);
                }
                Some(length) => at += length + 2,
            }
        }
    }

    /// Passes an object or array by its brackets alone: what is inside is tested by whoever reads it.
    fn skip(&mut self) -> Read<()> {
        let (mut open, mut depth) = ([0u8; DEPTH_MAX], 0);
        loop {
            match self.bytes.get(self.at) {
                None => return self.wrong("Value looks like object, but can't find closing '}' symbol"),
                Some(b'"') => {
                    self.text()?;
                    continue;
                }
                Some(b'{' | b'[') if depth == DEPTH_MAX => {
                    return self.wrong(&format!("nested deeper than {DEPTH_MAX} levels"));
                }
                Some(byte @ (b'{' | b'[')) => {
                    open[depth] = byte + 2;
                    depth += 1;
                }
                Some(byte @ (b'}' | b']')) => {
                    depth -= 1;
                    if open[depth] != *byte {
                        return self.wrong("brackets do not match");
                    }
                }
                Some(_) => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// The text of a value, its escapes read; bytes that are no UTF-8 and half surrogates are left out.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none()
        && let Ok(text) = std::str::from_utf8(raw)
    {
        return Cow::Borrowed(text);
    }
    let clean: String = raw.utf8_chunks().map(|chunk| chunk.valid()).collect();
    let mut out = String::with_capacity(clean.len());
    let mut rest = &*clean;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = escape(&rest[at + 1..], &mut out);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads one escape (after its backslash) and answers what follows it.
fn escape<'a>(text: &'a str, out: &mut String) -> &'a str {
    let Some(first) = text.chars().next() else { return text };
    let rest = &text[first.len_utf8()..];
    let plain = match first {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let Some(high) = code(rest) else { return rest };
            let after = &rest[4..];
            let low = after.strip_prefix("\\u").and_then(code).filter(|low| (0xdc00..0xe000).contains(low));
            return match (high, low) {
                (0xd800..0xdc00, Some(low)) => {
                    out.extend(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)));
                    &after[6..]
                }
                _ => {
                    out.extend(char::from_u32(high));
                    after
                }
            };
        }
        other => other,
    };
    out.push(plain);
    rest
}

fn code(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let line = br#" { "a" : "x\"y", "b":-1.5e3,"c":{"d":[1,{"e":"]"}]}, "f":null,"g":[],"h":true } tail"#;
        let mut found = Vec::new();
        let read = Reader::new(line).object(&mut |key, value| {
            found.push((String::from_utf8_lossy(key).into_owned(), value));
            Ok(())
        });
        assert_eq!(read, Ok(()));
        assert_eq!(found[0].1, Value::Text(br#"x\"y"#));
        assert_eq!((found[1].1, found[3].1, found[5].1), (Value::Plain(b"-1.5e3"), Value::Null, Value::Plain(b"true")));
        assert_eq!(found[2].1, Value::Object(br#"{"d":[1,{"e":"]"}]}"#));
        assert_eq!(Reader::new(br#"[1, "b" ,{}]"#).element(1), Ok(Some(Value::Text(b"b"))));
        assert_eq!(Reader::new(b"[1]").element(1), Ok(None));
    }

    #[test]
    fn hostile_bytes_are_errors_with_their_place() {
        let deep = "{\"a\":".repeat(100_000);
        let lines: [&[u8]; 12] = [
            b"",
            b"x",
            b"{",
            b"{\"a",
            b"{\"a\":",
            b"{\"a\":}",
            b"{\"a\":1,",
            b"{a:1}",
            b"{\"a\":tru}",
            b"{\"a\":[1}}",
            b"{\"a\":\"\\",
            deep.as_bytes(),
        ];
        for line in lines {
            let error = Reader::new(line).object(&mut |_, _| Ok(())).unwrap_err();
            assert!(error.contains(" at byte "), "{error}");
        }
    }

    #[test]
    fn escapes_are_read_and_halves_left_out() {
        let cases: [(&[u8], &str); 5] = [
            (br"a\n\u00e9\/", "a\n\u{e9}/"),
            (br"\ud83d\ude00x", "\u{1f600}x"),
            (br"\ud83dx\u12", "x12"),
            (b"a\xffb", "ab"),
            (b"plain", "plain"),
        ];
        for (raw, text) in cases {
            assert_eq!(unescape(raw), text);
        }
    }
}
