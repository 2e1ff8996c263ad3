//! Canonical forms of what stands in expressions of both languages.

use std::fmt::{Display, Formatter, Result, Write};

use muster_common::label::NAME;
use muster_common::matcher::{Matcher, Test};

use crate::vector::ops::{Matching, Side};

impl Display for Matching {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.on || !self.labels.is_empty() || self.side != Side::OneToOne {
            write!(f, " {} ({})", if self.on { "on" } else { "ignoring" }, Names(&self.labels))?;
        }
        match self.side {
            Side::OneToOne => Ok(()),
            Side::ManyLeft => write!(f, " group_left ({})", Names(&self.include)),
            Side::ManyRight => write!(f, " group_right ({})", Names(&self.include)),
        }
    }
}

/// A matcher as PromQL writes it.
pub(crate) fn matcher_text(matcher: &Matcher) -> String {
    match &matcher.test {
        Test::Equal(value) if matcher.name == NAME => Quoted(value).to_string(),
        _ => log_matcher_text(matcher),
    }
}

/// A matcher as LogQL writes it: there `__name__` is a label like others.
pub(crate) fn log_matcher_text(matcher: &Matcher) -> String {
    let (operator, value) = match &matcher.test {
        Test::Equal(value) => ("=", value.as_str()),
        Test::NotEqual(value) => ("!=", value.as_str()),
        Test::Regex(regex) => ("=~", regex.pattern()),
        Test::NotRegex(regex) => ("!~", regex.pattern()),
    };
    format!("{}{operator}{}", Name(&matcher.name), Quoted(value))
}

/// A label's name, in quotes where it must be.
pub(crate) struct Name<'a>(pub(crate) &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let start = self.0.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        // `inf` and `nan` are numbers outside of braces.
        let number = self.0.eq_ignore_ascii_case("inf") || self.0.eq_ignore_ascii_case("nan");
        if start && !number && self.0.bytes().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "{}", Quoted(self.0))
        }
    }
}

/// Label names in a row.
pub(crate) struct Names<'a>(pub(crate) &'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index > 0 { ", " } else { "" }, Name(name))?;
        }
        Ok(())
    }
}

/// A text in double quotes, with escapes that Go's and our own reader know.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A number as Go's `FormatFloat(value, 'f', -1, 64)` writes it: shortest, without exponent.
pub(crate) struct Number(pub(crate) f64);

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

/// A span as Prometheus writes it: `1h30m`; weeks and years only where they are whole.
pub(crate) struct Millis(pub(crate) i64);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        const DAY: i64 = 86_400_000;
        let mut left = self.0;
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, ms, whole) in [
            ("y", 365 * DAY, true),
            ("w", 7 * DAY, true),
            ("d", DAY, false),
            ("h", 3_600_000, false),
            ("m", 60_000, false),
            ("s", 1_000, false),
            ("ms", 1, false),
        ] {
            if left >= ms && (!whole || left % ms == 0) {
                write!(f, "{}{unit}", left / ms)?;
                left %= ms;
            }
        }
        Ok(())
    }
}
