//! Alertmanager's text of matchers, for routes, inhibit rules, silences and downtimes.
//!
//! Two forms are read, as Alertmanager does by default: the classic one first, whose values need no quotes and keep unknown escapes
//! (`a=~"\d+"`), and where that fails the newer one, whose names may be quoted and hold any character (`"host name"="a"`).

use std::fmt::Write;

use crate::label::LabelSet;
use crate::matcher::{LabelRegex, Matcher, Test};

/// Matchers of one text or one silence: twenty times what the longest seen have.
pub const MATCHERS_MAX: usize = 100;
/// Bytes of one text of matchers: an alternation of some thousand hosts.
const TEXT_BYTES_MAX: usize = 1 << 16;

/// Why a text is no list of matchers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct MatcherError {
    pub what: String,
}

impl MatcherError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

/// Reads `a="b"`, `a="b",c!~"d"` or `{a="b",c!~"d"}`.
///
/// # Errors
/// What is wrong with the text, in its classic form if it is neither.
pub fn read_matchers(text: &str) -> Result<Vec<Matcher>, MatcherError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(MatcherError::new(format!("it has {} bytes, but at most {TEXT_BYTES_MAX} are read", text.len())));
    }
    let read = classic(text).or_else(|error| Utf8 { rest: text }.list().map_err(|_| error))?;
    if read.len() > MATCHERS_MAX {
        return Err(MatcherError::new(format!("there are {} matchers, but at most {MATCHERS_MAX}", read.len())));
    }
    read.into_iter().map(Parts::matcher).collect()
}

/// A matcher of its parts; `operator` is one of `=`, `!=`, `=~`, `!~`.
///
/// # Errors
/// An empty name, or a pattern that cannot be used.
pub fn make_matcher(name: &str, operator: &str, value: &str) -> Result<Matcher, MatcherError> {
    Parts { name: name.to_owned(), operator: operator_of(operator)?, value: value.to_owned() }.matcher()
}

/// Whether all of them match; a missing label is an empty text.
pub fn all_match(matchers: &[Matcher], labels: &LabelSet) -> bool {
    all_match_by(matchers, |name| labels.get(name))
}

/// As [`all_match`], of labels that are no set yet.
pub fn all_match_by<'a>(matchers: &[Matcher], label: impl Fn(&str) -> Option<&'a str>) -> bool {
    matchers.iter().all(|matcher| matcher.is_match(label(&matcher.name).unwrap_or_default()))
}

/// Operator and value of a matcher, as Alertmanager writes and sorts them.
pub fn parts_of(matcher: &Matcher) -> (&'static str, &str) {
    match &matcher.test {
        Test::Equal(value) => ("=", value),
        Test::NotEqual(value) => ("!=", value),
        Test::Regex(regex) => ("=~", regex.pattern()),
        Test::NotRegex(regex) => ("!~", regex.pattern()),
    }
}

/// `{a="b",c!~"d"}`: what a route's id is made of, and what can be read again.
pub fn written_matchers(matchers: &[Matcher]) -> String {
    let mut out = String::from("{");
    for (index, matcher) in matchers.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let (operator, value) = parts_of(matcher);
        let is_plain = !matcher.name.is_empty() && !matcher.name.contains(is_reserved);
        let name = if is_plain { matcher.name.clone() } else { format!("\"{}\"", escaped(&matcher.name)) };
        // A String takes every write.
        let _ = write!(out, "{name}{operator}\"{}\"", escaped(value));
    }
    out.push('}');
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

struct Parts {
    name: String,
    operator: Operator,
    value: String,
}

impl Parts {
    fn matcher(self) -> Result<Matcher, MatcherError> {
        if self.name.is_empty() {
            return Err(MatcherError::new("a matcher has no label name"));
        }
        let regex = |value: &str| {
            LabelRegex::new(value).map_err(|error| {
                // The last of its lines says what is wrong, the others draw the pattern.
                let reason = error.reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                MatcherError::new(format!("regular expression `{}` cannot be used: {reason}", error.pattern))
            })
        };
        let test = match self.operator {
            Operator::Equal => Test::Equal(self.value),
            Operator::NotEqual => Test::NotEqual(self.value),
            Operator::Regex => Test::Regex(regex(&self.value)?),
            Operator::NotRegex => Test::NotRegex(regex(&self.value)?),
        };
        Ok(Matcher { name: self.name, test })
    }
}

fn operator_of(text: &str) -> Result<Operator, MatcherError> {
    match text {
        "=" => Ok(Operator::Equal),
        "!=" => Ok(Operator::NotEqual),
        "=~" => Ok(Operator::Regex),
        "!~" => Ok(Operator::NotRegex),
        _ => Err(MatcherError::new(format!("{text:?} is no operator: there are =, !=, =~ and !~"))),
    }
}

/// The operator at the beginning of a text, and what is behind it.
fn operator_at(text: &str) -> Option<(Operator, &str)> {
    for (sign, operator) in
        [("=~", Operator::Regex), ("!~", Operator::NotRegex), ("!=", Operator::NotEqual), ("=", Operator::Equal)]
    {
        if let Some(rest) = text.strip_prefix(sign) {
            return Some((operator, rest));
        }
    }
    None
}

fn classic(text: &str) -> Result<Vec<Parts>, MatcherError> {
    let text = text.trim();
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let mut parts = Vec::new();
    let mut start = 0;
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices().chain([(text.len(), ',')]) {
        match c {
            ',' if !is_quoted || at == text.len() => {
                let one = text[start..at].trim();
                let is_last = at == text.len();
                // A comma may stand behind the last one.
                if !(is_last && one.is_empty()) {
                    parts.push(classic_one(one)?);
                }
                start = (at + 1).min(text.len());
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    Ok(parts)
}

fn classic_one(text: &str) -> Result<Parts, MatcherError> {
    let wrong = |what: &str| {
        let shown: String = text.chars().take(80).collect();
        MatcherError::new(format!("{shown:?} is no matcher: {what}"))
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong("it must begin with a label's name"));
    }
    let (operator, value) =
        operator_at(rest.trim_start()).ok_or_else(|| wrong("=, !=, =~ or !~ must follow the label's name"))?;
    let value = value.trim();
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or_else(|| wrong("the closing quotation mark is missing"))?,
        None => value,
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Err(wrong("a quotation mark inside of a value needs a backslash")),
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('"') => out.push('"'),
                Some('\\') => out.push('\\'),
                // As the regular expressions that people write here need it.
                Some(other) => out.extend(['\\', other]),
                None if value.starts_with('"') => return Err(wrong("the closing quotation mark is missing")),
                None => out.push('\\'),
            },
            _ => out.push(c),
        }
    }
    Ok(Parts { name: name.to_owned(), operator, value: out })
}

fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

/// The form with quoted names.
struct Utf8<'a> {
    rest: &'a str,
}

impl Utf8<'_> {
    fn list(mut self) -> Result<Vec<Parts>, MatcherError> {
        let has_brace = self.take('{');
        let mut parts = Vec::new();
        loop {
            self.skip();
            if self.rest.is_empty() || self.rest.starts_with('}') {
                break;
            }
            let name = self.word()?;
            self.skip();
            let (operator, rest) = operator_at(self.rest).ok_or_else(|| MatcherError::new("no operator"))?;
            self.rest = rest;
            let value = self.word()?;
            parts.push(Parts { name, operator, value });
            if !self.take(',') {
                break;
            }
        }
        if self.take('}') != has_brace {
            return Err(MatcherError::new("the braces do not fit"));
        }
        self.skip();
        if self.rest.is_empty() { Ok(parts) } else { Err(MatcherError::new("a comma is missing")) }
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, c: char) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A word without reserved characters, or a quoted text with Go's escapes.
    fn word(&mut self) -> Result<String, MatcherError> {
        self.skip();
        let Some(inner) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(is_reserved).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return if word.is_empty() { Err(MatcherError::new("a word is missing")) } else { Ok(word.to_owned()) };
        };
        let mut out = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &inner[at + 1..];
                    return Ok(out);
                }
                '\\' => out.push(escape(&mut chars).ok_or_else(|| MatcherError::new("an unknown escape"))?),
                _ => out.push(c),
            }
        }
        Err(MatcherError::new("the closing quotation mark is missing"))
    }
}

fn escape(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    let digits = match chars.next()?.1 {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'a' => return Some('\u{7}'),
        'b' => return Some('\u{8}'),
        'f' => return Some('\u{c}'),
        'v' => return Some('\u{b}'),
        '\\' => return Some('\\'),
        '"' => return Some('"'),
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut code = 0u32;
    for _ in 0..digits {
        code = code.checked_mul(16)?.checked_add(chars.next()?.1.to_digit(16)?)?;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        read_matchers(text).map_or_else(|error| format!("error: {error}"), |matchers| written_matchers(&matchers))
    }

    #[test]
    fn both_forms_are_read_and_written_again() {
        for (text, expected) in [
            (r#"foo=~"bar|baz""#, r#"{foo=~"bar|baz"}"#),
            ("foo=bar", r#"{foo="bar"}"#),
            (" foo != a b ", r#"{foo!="a b"}"#),
            ("foo=", r#"{foo=""}"#),
            ("1a=b", r#"{1a="b"}"#),
            ("{}", "{}"),
            ("", "{}"),
            (r#"{a="b",c!="d",}"#, r#"{a="b",c!="d"}"#),
            (r#"a="x,y",b!~"z}""#, r#"{a="x,y",b!~"z}"}"#),
            (r#"a=~"\d+\.x""#, r#"{a=~"\\d+\\.x"}"#),
            (r#"a="q\"\n\\""#, r#"{a="q\"\n\\"}"#),
            (r#""host name"="a""#, r#"{"host name"="a"}"#),
            (r#"{"a,b"=~"x.*", c=d}"#, r#"{"a,b"=~"x.*",c="d"}"#),
            ("gr\u{f6}\u{df}e=\"\\u00e9\"", "{gr\u{f6}\u{df}e=\"\u{e9}\"}"),
        ] {
            assert_eq!(again(text), expected, "{text}");
            let written = again(text);
            assert_eq!(again(&written), written, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, expected) in [
            ("foo", "must follow"),
            ("=a", "must begin"),
            (r#"a="b"#, "closing"),
            (r#"a="b" c"#, "closing"),
            (r#"a="b\""#, "closing"),
            (r#"a=b"c"#, "backslash"),
            (r#"a=~"(""#, "cannot be used"),
            ("a=b,,c=d", "must begin"),
            (r#"""="a""#, "no label name"),
        ] {
            let told = again(text);
            assert!(told.contains(expected), "{text}: {told}");
        }
        assert!(again(&"a=b,".repeat(101)).contains("at most 100"));
        assert!(again(&"a".repeat(70_000)).contains("bytes"));
        assert!(make_matcher("a", "==", "b").is_err());
    }

    #[test]
    fn a_missing_label_is_an_empty_text() {
        let labels = LabelSet::new([("a", "b")]).unwrap();
        for (text, expected) in [
            ("a=b", true),
            ("c=\"\"", true),
            ("c!=x", true),
            ("c=~\".*\"", true),
            ("c=~\".+\"", false),
            ("a!=b", false),
        ] {
            assert_eq!(all_match(&read_matchers(text).unwrap(), &labels), expected, "{text}");
        }
    }

    #[test]
    fn matchers_read_as_people_write_them_for_downtimes() {
        for (text, shown) in [
            ("host=web1", &["host=\"web1\""][..]),
            (" host = \"web 1\" , check=~disk.* ", &["host=\"web 1\"", "check=~\"disk.*\""]),
            (r#"a!="x,\"y\\",b!~"c|d","#, &[r#"a!="x,\"y\\""#, "b!~\"c|d\""]),
            (r#"a=~"\d+""#, &[r#"a=~"\\d+""#]),
            ("a=", &["a=\"\""]),
        ] {
            let read: Vec<_> = read_matchers(text).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(read, shown, "{text}");
        }
        for bad in ["=x", "a", "a>1", "a=~(", "a=\"x", "a=\"x\" b=y", "a=x\"", "a=\"\\"] {
            assert!(read_matchers(bad).is_err(), "{bad}");
        }
        let labels = |name: &str| (name == "host").then_some("web1");
        for (text, is_match) in [("host=web1", true), ("host=web1,check=disk", false), ("host=~web.*,check=", true)] {
            assert_eq!(all_match_by(&read_matchers(text).unwrap(), labels), is_match, "{text}");
        }
    }
}
