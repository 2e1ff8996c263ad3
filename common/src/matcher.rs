//! The four matchers of PromQL, LogQL, routes and silences, once for all of them.

use regex::Regex;

use crate::re2;

/// One condition on one label. An absent label matches as an empty text, as in Prometheus.
#[derive(Clone, Debug)]
pub struct Matcher {
    pub name: String,
    pub test: Test,
}

/// What a matcher asks of the value.
#[derive(Clone, Debug)]
pub enum Test {
    Equal(String),
    NotEqual(String),
    Regex(LabelRegex),
    NotRegex(LabelRegex),
}

/// A regular expression that must match a label's whole value. Linear in time, bounded in size.
#[derive(Clone, Debug)]
pub struct LabelRegex {
    pattern: String,
    regex: Regex,
    /// The values it can have when it is only a list of texts (`a|b|c`): lets an index look them up instead of scanning.
    literals: Option<Vec<String>>,
}

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("regular expression `{pattern}` cannot be used: {reason}")]
pub struct RegexError {
    pub pattern: String,
    pub reason: String,
}

/// Compiled size of one pattern. Ten times what the longest alternation seen in dashboards needs.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A pattern in RE2's dialect as one of the crate `regex`: for expressions that match anywhere.
///
/// # Errors
/// [`RegexError`] says what RE2 does not take.
pub fn re2_pattern(pattern: &str) -> Result<String, RegexError> {
    re2::rewrite(pattern).map_err(|reason| RegexError::new(pattern, reason))
}

/// Compiles a pattern in RE2's dialect, anchored at both ends; `.` matches newlines, as in Prometheus.
///
/// # Errors
/// [`RegexError`] says what the pattern does wrong or that it grows too large.
pub fn anchored_regex(pattern: &str) -> Result<Regex, RegexError> {
    let rewritten = re2_pattern(pattern)?;
    // By itself first: `a)|(b` would close the anchoring group.
    build(pattern, &rewritten)?;
    build(pattern, &format!("^(?s:{rewritten})$"))
}

/// Compiles a pattern in RE2's dialect that matches anywhere, as LogQL's line filters do.
///
/// # Errors
/// As [`anchored_regex`].
pub fn re2_regex(pattern: &str) -> Result<Regex, RegexError> {
    build(pattern, &re2_pattern(pattern)?)
}

fn build(pattern: &str, rewritten: &str) -> Result<Regex, RegexError> {
    let mut builder = regex::RegexBuilder::new(rewritten);
    let built = builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build();
    built.map_err(|error| RegexError::new(pattern, error.to_string()))
}

impl RegexError {
    fn new(pattern: &str, reason: String) -> Self {
        Self { pattern: pattern.chars().take(200).collect(), reason }
    }
}

impl LabelRegex {
    /// Compiles a pattern, anchored at both ends; `.` matches newlines, as in Prometheus.
    ///
    /// # Errors
    /// [`RegexError`] says what the pattern does wrong or that it grows too large.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let regex = anchored_regex(pattern)?;
        let plain = |text: &str| !text.bytes().any(|byte| b"\\.+*?()[]{}^$".contains(&byte));
        let literals = plain(pattern).then(|| pattern.split('|').map(str::to_owned).collect());
        Ok(Self { pattern: pattern.to_owned(), regex, literals })
    }

    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The only values that can match, when the pattern is a plain list of texts.
    pub fn literals(&self) -> Option<&[String]> {
        self.literals.as_deref()
    }

    pub fn is_match(&self, value: &str) -> bool {
        match &self.literals {
            Some(list) => list.iter().any(|one| one == value),
            None => self.regex.is_match(value),
        }
    }
}

impl Matcher {
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), test: Test::Equal(value.into()) }
    }

    pub fn is_match(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::NotEqual(unwanted) => unwanted != value,
            Test::Regex(regex) => regex.is_match(value),
            Test::NotRegex(regex) => !regex.is_match(value),
        }
    }

    /// Whether an absent label passes: such a matcher cannot narrow by postings of its name.
    pub fn matches_absent(&self) -> bool {
        self.is_match("")
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (operator, value) = match &self.test {
            Test::Equal(value) => ("=", value.as_str()),
            Test::NotEqual(value) => ("!=", value.as_str()),
            Test::Regex(regex) => ("=~", regex.pattern()),
            Test::NotRegex(regex) => ("!~", regex.pattern()),
        };
        write!(f, "{}{operator}{value:?}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored_and_lists_are_known() {
        let list = LabelRegex::new("a|bc").unwrap();
        assert_eq!(list.literals().map(<[String]>::len), Some(2));
        assert!(list.is_match("bc") && !list.is_match("b"));
        let open = LabelRegex::new("a.*|b").unwrap();
        assert!(open.literals().is_none() && open.is_match("a\nx") && !open.is_match("xb"));
        assert!(LabelRegex::new("a(").unwrap_err().to_string().contains("a("));
        assert!(LabelRegex::new("a)|(b").is_err(), "the anchors cannot be escaped");
        assert!(LabelRegex::new("(?:x{1000}){1000}").is_err(), "a pattern that explodes is refused");
    }

    #[test]
    fn patterns_are_read_as_re2_reads_them() {
        for (pattern, yes, no) in [
            // Only text in RE2, operators in the dialect of the crate below.
            (r"[a&&b]", "&", "ab"),
            (r"[a&&b]", "a", "&&"),
            (r"[+--x]", ",", "y"),
            (r"[a~~b]", "~", "~~"),
            (r"[a[bc]]", "b]", "b"),
            (r"[[]", "[", "[]"),
            (r"[]a]+", "a]", "b"),
            (r"[^]a]", "b", "]"),
            (r"[a-c-e]", "-", "d"),
            (r"\<a\>", "<a>", "a"),
            (r"a{b}", "a{b}", "ab"),
            (r"a{,2}", "a{,2}", "aa"),
            (r"a{02}", "a{02}", "aa"),
            (r"a{2,3}?", "aaa", "a"),
            (r"{}", "{}", ""),
            (r"\Q.*\E+", ".**", "ab"),
            (r"a\Q(b", "a(b", "ab"),
            // ASCII in RE2.
            (r"\w+", "az_09", "\u{e9}"),
            (r"\d", "7", "\u{663}"),
            (r"\s", " ", "\u{a0}"),
            (r"[\s]", "\t", "\u{b}"),
            (r"\W\D\S", "\u{e9}\u{663}\u{a0}", "a1 "),
            (r"[^\W\d]", "a", "1"),
            ("\u{e9}\\ba", "\u{e9}a", "\u{e9} a"),
            (r"a\B.", "ab", "a\u{e9}"),
            // Classes and escapes that both have, or only RE2.
            (r"\p{L}+\pN", "\u{e9}a1", "a-"),
            (r"\p{^Greek}", "a", "\u{3b1}"),
            (r"[\P{Greek}x]", "a", "\u{3b1}"),
            (r"[[:alpha:]-]+", "a-b", "1"),
            (r"[[:^digit:]]", "a", "1"),
            (r"\101\x41\x{1F600}\_", "AA\u{1f600}_", "A"),
            (r"(?i)AB(?-i:c)", "abc", "abC"),
            (r"(?P<n>a)|(?<m>b)", "b", "ab"),
        ] {
            let regex = LabelRegex::new(pattern).unwrap_or_else(|error| panic!("{error}"));
            assert!(regex.is_match(yes), "{pattern} against {yes:?}");
            assert!(!regex.is_match(no), "{pattern} against {no:?}");
        }
        for pattern in [
            r"a**",
            r"a{2}{3}",
            r"a{1001}",
            r"(?x)a b",
            r"(?u:a)",
            r"\C",
            r"\E",
            r"\1",
            r"\u{41}",
            r"\",
            r"[a",
            r"[b-a]",
            r"[[:nope:]]",
            r"\p{Nope}",
            r"\xg",
        ] {
            assert!(LabelRegex::new(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn absent_matches_as_empty() {
        let not = Matcher { name: "a".into(), test: Test::NotEqual("x".into()) };
        assert!(not.matches_absent() && !Matcher::equal("a", "x").matches_absent());
    }
}
