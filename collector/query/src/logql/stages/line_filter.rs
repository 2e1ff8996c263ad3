//! `|= "text"`, `!= "text"`, `|~ "regexp"`, `!~ "regexp"`, each with `or "more"`: lines that contain, or do not contain.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use memchr::memmem::Finder;
use muster_common::matcher::re2_pattern;
use regex::bytes::{Regex, RegexBuilder};

use crate::logql::fields::Fields;
use crate::logql::parser::Parser;
use crate::logql::stages::{Line, Stage};
use crate::text::fault::{Fault, Parsed};
use crate::text::write::Quoted;

/// Compiled size of one pattern, as of label matchers.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Texts of one filter: each line is searched for all of them.
const ALTERNATIVES_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct LineFilter {
    /// Lines with any of the texts, rather than lines with none of them.
    wanted: bool,
    sign: &'static str,
    tests: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    Contains(Box<Finder<'static>>),
    Matches(LineRegex),
}

impl Test {
    fn is_match(&self, line: &[u8]) -> bool {
        match self {
            Self::Contains(finder) => finder.find(line).is_some(),
            Self::Matches(regex) => regex.compiled.is_match(line),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Contains(finder) => String::from_utf8_lossy(finder.needle()).into_owned(),
            Self::Matches(regex) => regex.pattern.clone(),
        }
    }
}

/// A regular expression on a line, in RE2's dialect: matches anywhere, linear in time, bounded in size.
#[derive(Debug)]
pub(crate) struct LineRegex {
    /// As it was written.
    pub(crate) pattern: String,
    pub(crate) compiled: Regex,
}

/// Compiles the pattern that stands at byte `at` of the query.
pub(crate) fn line_regex(pattern: &str, at: usize) -> Parsed<LineRegex> {
    let refuse = |why: String| {
        let pattern: String = pattern.chars().take(200).collect();
        Fault::new(at, format!("regular expression `{pattern}` cannot be used: {why}"))
    };
    let rewritten = re2_pattern(pattern).map_err(|error| refuse(error.reason))?;
    let mut builder = RegexBuilder::new(&rewritten);
    let built = builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build();
    let compiled = built.map_err(|error| refuse(error.to_string()))?;
    Ok(LineRegex { pattern: pattern.to_owned(), compiled })
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let own = parser.take();
    let (wanted, regex, sign) = match parser.own(own) {
        "|=" => (true, false, "|="),
        "!=" => (false, false, "!="),
        "|~" => (true, true, "|~"),
        _ => (false, true, "!~"),
    };
    let mut tests = Vec::new();
    loop {
        if parser.is_word("ip") {
            return Err(Fault::refused(parser.peek().span.start, "ip()", "use |~ with a regexp of the addresses"));
        }
        let (text, place) = parser.quoted("STRING")?;
        tests.push(if regex && !is_plain(&text) {
            Test::Matches(line_regex(&text, place.start)?)
        } else {
            Test::Contains(Box::new(Finder::new(text.as_bytes()).into_owned()))
        });
        if tests.len() > ALTERNATIVES_MAX {
            return Err(Fault::new(place.start, format!("more than {ALTERNATIVES_MAX} texts: use one regexp")));
        }
        if parser.take_word("or").is_none() {
            return Ok(Arc::new(LineFilter { wanted, sign, tests }));
        }
    }
}

/// A pattern that means itself.
fn is_plain(pattern: &str) -> bool {
    !pattern.bytes().any(|byte| b"\\.+*?()|[]{}^$".contains(&byte))
}

impl Stage for LineFilter {
    fn run(&self, line: &mut Line<'_>, _: &mut Fields) -> bool {
        self.tests.iter().any(|test| test.is_match(&line.bytes)) == self.wanted
    }

    fn is_line_filter(&self) -> bool {
        true
    }

    fn needle(&self) -> Option<&[u8]> {
        match &self.tests[..] {
            [Test::Contains(finder)] if self.wanted && !finder.needle().is_empty() => Some(finder.needle()),
            _ => None,
        }
    }
}

impl Display for LineFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sign)?;
        for (index, test) in self.tests.iter().enumerate() {
            f.write_str(if index > 0 { " or " } else { " " })?;
            write!(f, "{}", Quoted(&test.text()))?;
        }
        Ok(())
    }
}
