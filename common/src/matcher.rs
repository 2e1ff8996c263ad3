//! The four matchers of PromQL, LogQL, routes and silences, once for all of them.

use regex::Regex;

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

impl LabelRegex {
    /// Compiles a pattern, anchored at both ends; `.` matches newlines, as in Prometheus.
    ///
    /// # Errors
    /// [`RegexError`] says what the pattern does wrong or that it grows too large.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let build =
            |text: &str| {
                let mut builder = regex::RegexBuilder::new(text);
                builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
                    RegexError { pattern: pattern.chars().take(200).collect(), reason: error.to_string() }
                })
            };
        // By itself first: `a)|(b` would close the anchoring group.
        build(pattern)?;
        let regex = build(&format!("^(?s:{pattern})$"))?;
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
    fn absent_matches_as_empty() {
        let not = Matcher { name: "a".into(), test: Test::NotEqual("x".into()) };
        assert!(not.matches_absent() && !Matcher::equal("a", "x").matches_absent());
    }
}
