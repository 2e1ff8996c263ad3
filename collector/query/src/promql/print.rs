//! The canonical form of an expression: what it prints parses to the same tree.

use std::fmt::{Display, Formatter, Result, Write};

use muster_common::label::NAME;
use muster_common::matcher::{Matcher, Test};

use crate::promql::ast::{Aggregate, At, Binary, Expr, Grouping, Kind, Matching, Selector, Shift, Side};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            // With its sign, infinity would print as a sign and a number.
            Kind::Number(f64::INFINITY) => f.write_str("Inf"),
            Kind::Number(value) => write!(f, "{}", Number(*value)),
            Kind::Text(text) => write!(f, "{}", Quoted(text)),
            Kind::Selector(selector) => write!(f, "{}{}", Bare(selector), selector.shift),
            Kind::Range(range) => {
                write!(f, "{}[{}]{}", Bare(&range.selector), Millis(range.range_ms), range.selector.shift)
            }
            Kind::Subquery(subquery) => {
                write!(f, "{}[{}:", subquery.inner, Millis(subquery.range_ms))?;
                if let Some(step) = subquery.step_ms {
                    write!(f, "{}", Millis(step))?;
                }
                write!(f, "]{}", subquery.shift)
            }
            Kind::Call(call) => {
                write!(f, "{}({})", call.function.name, Listed(&call.args))
            }
            Kind::Aggregate(aggregate) => print_aggregate(aggregate, f),
            Kind::Binary(_) => print_chain(self, f),
            Kind::Unary(unary) => write!(f, "{}{}", if unary.minus { '-' } else { '+' }, unary.inner),
            Kind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

fn print_aggregate(aggregate: &Aggregate, f: &mut Formatter<'_>) -> Result {
    f.write_str(aggregate.op.name())?;
    let Grouping { without, labels } = &aggregate.grouping;
    if *without || !labels.is_empty() {
        write!(f, " {} ({}) ", if *without { "without" } else { "by" }, Names(labels))?;
    }
    f.write_char('(')?;
    if let Some(param) = &aggregate.param {
        write!(f, "{param}, ")?;
    }
    write!(f, "{})", aggregate.inner)
}

/// Operators in a row by a loop, since the tree leans as deep as there are operators.
fn print_chain(expr: &Expr, f: &mut Formatter<'_>) -> Result {
    let mut chain: Vec<&Binary> = Vec::new();
    let mut node = expr;
    while let Kind::Binary(binary) = &node.kind {
        chain.push(binary);
        node = &binary.lhs;
    }
    write!(f, "{node}")?;
    for binary in chain.iter().rev() {
        let bool = if binary.as_bool { " bool" } else { "" };
        write!(f, " {}{bool}{} {}", binary.op.text(), binary.matching, binary.rhs)?;
    }
    Ok(())
}

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

impl Display for Shift {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.at {
            None => {}
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            Some(At::Millis(ms)) => {
                let sign = if ms < 0 { "-" } else { "" };
                write!(f, " @ {sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)?;
            }
        }
        match self.offset_ms {
            0 => Ok(()),
            ms => write!(f, " offset {}{}", if ms < 0 { "-" } else { "" }, Millis(ms.abs())),
        }
    }
}

/// A selector without its shift.
struct Bare<'a>(&'a Selector);

impl Display for Bare<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Selector { name, matchers, .. } = self.0;
        f.write_str(name.as_deref().unwrap_or(""))?;
        // The name before the braces stands last among the matchers.
        let shown = &matchers[..matchers.len() - usize::from(name.is_some())];
        if shown.is_empty() {
            return Ok(());
        }
        let mut texts: Vec<String> = shown.iter().map(print_matcher).collect();
        texts.sort_unstable();
        write!(f, "{{{}}}", texts.join(","))
    }
}

fn print_matcher(matcher: &Matcher) -> String {
    let (operator, value) = match &matcher.test {
        Test::Equal(value) => ("=", value.as_str()),
        Test::NotEqual(value) => ("!=", value.as_str()),
        Test::Regex(regex) => ("=~", regex.pattern()),
        Test::NotRegex(regex) => ("!~", regex.pattern()),
    };
    if matcher.name == NAME && operator == "=" {
        return Quoted(value).to_string();
    }
    format!("{}{operator}{}", Name(&matcher.name), Quoted(value))
}

/// A label's name, in quotes where it must be.
struct Name<'a>(&'a str);

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

struct Names<'a>(&'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}{}", if index > 0 { ", " } else { "" }, Name(name))?;
        }
        Ok(())
    }
}

struct Listed<'a>(&'a [Expr]);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, expr) in self.0.iter().enumerate() {
            write!(f, "{}{expr}", if index > 0 { ", " } else { "" })?;
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
