//! The label set of a stream as its text in LogQL's selector syntax: `{app="x", env="y"}`.

use std::borrow::Cow;

use muster_common::limits::LABELS_MAX;

use super::intake::{Pairs, StreamFault};

/// Reads the whole text. Of more labels than a set may have only the number is kept.
///
/// # Errors
/// [`StreamFault::Selector`] names the byte.
pub fn parse(text: &str) -> Result<Pairs<'_>, StreamFault> {
    let mut cursor = Cursor { text, at: 0 };
    let mut pairs = Pairs::default();
    cursor.expect('{')?;
    loop {
        cursor.skip_space();
        if cursor.take('}') {
            break;
        }
        let name = cursor.name()?;
        cursor.expect('=')?;
        cursor.skip_space();
        let value = cursor.quoted()?;
        pairs.count += 1;
        if pairs.count <= LABELS_MAX {
            pairs.list.push((Cow::Borrowed(name), value));
        }
        cursor.skip_space();
        if cursor.take('}') {
            break;
        }
        cursor.expect(',')?;
    }
    cursor.skip_space();
    if cursor.at < text.len() { Err(cursor.fault("something stands after `}`")) } else { Ok(pairs) }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fault(&self, what: &'static str) -> StreamFault {
        StreamFault::Selector { at: self.at, what }
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), StreamFault> {
        self.skip_space();
        let found = self.take(wanted);
        let what = match wanted {
            '{' => "a `{` is expected",
            '=' => "a `=` is expected: only equality names a stream",
            _ => "a `,` or `}` is expected",
        };
        if found { Ok(()) } else { Err(self.fault(what)) }
    }

    fn name(&mut self) -> Result<&'a str, StreamFault> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            return Err(self.fault("a label's name is expected"));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    /// A text in double quotes with Go's escapes, or in backquotes as it stands.
    fn quoted(&mut self) -> Result<Cow<'a, str>, StreamFault> {
        let raw = self.rest().starts_with('`');
        if !raw && !self.rest().starts_with('"') {
            return Err(self.fault("a value in quotes is expected"));
        }
        let quote = if raw { '`' } else { '"' };
        self.at += 1;
        let rest = self.rest();
        let plain = rest.find(|c: char| c == quote || (!raw && c == '\\'));
        let Some(end) = plain else { return Err(self.fault("the value has no closing quote")) };
        self.at += end;
        if self.take(quote) {
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        let mut bytes = rest.as_bytes()[..end].to_vec();
        let begin = self.at;
        while !self.take('"') {
            let Some(next) = self.rest().chars().next() else {
                return Err(self.fault("the value has no closing quote"));
            };
            if next == '\\' {
                self.escape(&mut bytes)?;
            } else {
                bytes.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                self.at += next.len_utf8();
            }
        }
        let not_text = StreamFault::Selector { at: begin, what: "the value is not UTF-8" };
        String::from_utf8(bytes).map(Cow::Owned).map_err(|_| not_text)
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), StreamFault> {
        let rest = self.rest().as_bytes();
        let fault = self.fault("this is no escape");
        let (digits, radix, from) = match rest.get(1) {
            Some(b'x') => (2, 16, 2),
            Some(b'u') => (4, 16, 2),
            Some(b'U') => (8, 16, 2),
            Some(b'0'..=b'7') => (3, 8, 1),
            Some(plain) => {
                let byte = match plain {
                    b'a' => 7,
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    b'\\' | b'"' => *plain,
                    _ => return Err(fault),
                };
                out.push(byte);
                self.at += 2;
                return Ok(());
            }
            None => return Err(fault),
        };
        let text = rest.get(from..from + digits).filter(|text| text.iter().all(u8::is_ascii_alphanumeric));
        let text = text.and_then(|text| std::str::from_utf8(text).ok()).ok_or_else(|| fault.clone())?;
        let number = u32::from_str_radix(text, radix).map_err(|_| fault.clone())?;
        if matches!(digits, 2 | 3) {
            out.push(u8::try_from(number).map_err(|_| fault)?);
        } else {
            let letter = char::from_u32(number).ok_or(fault)?;
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.at += from + digits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, String)>, (usize, &'static str)> {
        match parse(text) {
            Ok(pairs) => Ok(pairs.list.into_iter().map(|(n, v)| (n.into_owned(), v.into_owned())).collect()),
            Err(StreamFault::Selector { at, what }) => Err((at, what)),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn selectors_are_read_with_gos_quotes() {
        let is = |text: &str, expect: &[(&str, &str)]| {
            let expect = expect.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            assert_eq!(parsed(text), Ok(expect), "{text}");
        };
        is("{}", &[]);
        is(r#"{app="x"}"#, &[("app", "x")]);
        is(r#" { app = "x" , env=`a\b"`, } "#, &[("app", "x"), ("env", r#"a\b""#)]);
        is(r#"{a="\"\\\n\x41\101\u00e9\U0001F600"}"#, &[("a", "\"\\\nAA\u{e9}\u{1f600}")]);
        is(r#"{a="{}=,"}"#, &[("a", "{}=,")]);
    }

    #[test]
    fn what_is_no_selector_is_refused_with_its_byte() {
        let cases = [
            ("", 0),
            ("app", 0),
            ("{", 1),
            (r#"{app}"#, 4),
            (r#"{app!="x"}"#, 4),
            (r#"{app=x}"#, 5),
            (r#"{app="x}"#, 6),
            (r#"{app="x\"#, 7),
            (r#"{app="x\q"}"#, 7),
            (r#"{app="x\u00"}"#, 7),
            (r#"{app="\777"}"#, 6),
            (r#"{app="\xff"}"#, 6),
            (r#"{app="x" env="y"}"#, 9),
            (r#"{app="x"} |= "y""#, 10),
            (r#"{="x"}"#, 1),
        ];
        for (text, at) in cases {
            assert_eq!(parsed(text).map_err(|(at, _)| at), Err(at), "{text}");
        }
    }

    #[test]
    fn a_million_labels_are_counted_and_not_kept() {
        let text = format!("{{{}}}", r#"a="",b="c","#.repeat(500_000));
        let pairs = parse(&text).unwrap();
        assert_eq!((pairs.count, pairs.list.len()), (1_000_000, LABELS_MAX));
    }
}
