//! `| status >= 500 and (level="error" or took > 1s)`: lines by their labels, as texts, numbers, durations and byte counts.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use muster_common::matcher::Matcher;

use crate::logql::fields::Fields;
use crate::logql::lexer::TokenKind;
use crate::logql::parser::Parser;
use crate::logql::stages::{Line, Stage};
use crate::logql::units;
use crate::text::fault::{Fault, Parsed};
use crate::text::literal::{number, span_ms};
use crate::text::write::{Number, log_matcher_text};

/// Conditions of one filter. They are walked by recursion as they were read.
const CONDITIONS_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct LabelFilter {
    test: Test,
}

#[derive(Debug)]
enum Test {
    Text(Matcher),
    Value(Comparison),
    All(Vec<Test>),
    Any(Vec<Test>),
}

#[derive(Debug)]
struct Comparison {
    label: String,
    sign: &'static str,
    value: f64,
    unit: Unit,
    /// As it was written.
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Number,
    Nanoseconds,
    Bytes,
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    let mut conditions = 0;
    let test = any(parser, &mut conditions)?;
    Ok(Arc::new(LabelFilter { test }))
}

fn any(parser: &mut Parser<'_>, conditions: &mut usize) -> Parsed<Test> {
    let mut tests = vec![all(parser, conditions)?];
    while parser.take_word("or").is_some() {
        tests.push(all(parser, conditions)?);
    }
    Ok(if tests.len() == 1 { tests.remove(0) } else { Test::Any(tests) })
}

fn all(parser: &mut Parser<'_>, conditions: &mut usize) -> Parsed<Test> {
    let mut tests = vec![one(parser, conditions)?];
    // A comma and two conditions in a row mean `and`, too.
    loop {
        let joined = parser.take_word("and").is_some() || parser.take_sign(",").is_some();
        let follows = parser.peek().kind == TokenKind::Word && !parser.is_word("or") && !parser.is_word("offset");
        let groups = parser.is_word("by") || parser.is_word("without");
        if !joined && (!follows || groups) {
            break;
        }
        tests.push(one(parser, conditions)?);
    }
    Ok(if tests.len() == 1 { tests.remove(0) } else { Test::All(tests) })
}

fn one(parser: &mut Parser<'_>, conditions: &mut usize) -> Parsed<Test> {
    *conditions += 1;
    let token = parser.peek();
    if *conditions > CONDITIONS_MAX {
        let message = format!("more than {CONDITIONS_MAX} conditions in a label filter: use a regexp");
        return Err(Fault::new(token.span.start, message));
    }
    if parser.take_sign("(").is_some() {
        let test = parser.nested(|parser| any(parser, conditions))?;
        parser.expect_sign(")")?;
        return Ok(test);
    }
    if token.kind != TokenKind::Word {
        return Err(parser.unexpected("a label filter such as status >= 500"));
    }
    let operand = parser.ahead(2);
    let is_text = operand.kind == TokenKind::Text;
    match parser.ahead(1).kind {
        TokenKind::Sign("=~" | "!~") => parser.matcher().map(Test::Text),
        TokenKind::Sign("=" | "!=") if is_text => parser.matcher().map(Test::Text),
        TokenKind::Sign("==" | ">" | ">=" | "<" | "<=") if is_text => {
            let message = "texts compare by =, !=, =~ and !~ only: leave the quotes out to compare a number".to_owned();
            Err(Fault::new(parser.ahead(1).span.start, message))
        }
        TokenKind::Sign(sign @ ("=" | "==" | "!=" | ">" | ">=" | "<" | "<=")) => {
            if parser.own(operand) == "ip" {
                let remedy = "use =~ with a regexp of the addresses";
                return Err(Fault::refused(operand.span.start, "ip()", remedy));
            }
            let label = parser.name("a label")?;
            parser.take();
            let sign = if sign == "=" { "==" } else { sign };
            comparison(parser, label, sign).map(Test::Value)
        }
        _ => {
            parser.take();
            Err(parser.unexpected("=, !=, =~, !~, ==, >, >=, < or <="))
        }
    }
}

fn comparison(parser: &mut Parser<'_>, label: String, sign: &'static str) -> Parsed<Comparison> {
    let minus = parser.take_sign("-").is_some();
    let token = parser.peek();
    let own = parser.own(token);
    let (value, unit) = match token.kind {
        TokenKind::Number => (number(own), Unit::Number),
        TokenKind::Duration => {
            #[expect(clippy::cast_precision_loss, reason = "a span is far below 2^53 ms")]
            let days = || span_ms(own).ok().map(|ms| ms as f64 * 1e6);
            (units::duration_ns(own).ok().or_else(days), Unit::Nanoseconds)
        }
        TokenKind::Bytes => (units::bytes(own).ok(), Unit::Bytes),
        _ => return Err(parser.unexpected("STRING, NUMBER, DURATION or BYTES")),
    };
    parser.take();
    let value = value.unwrap_or(f64::NAN);
    let (value, text) = match unit {
        Unit::Number => {
            let value = if minus { -value } else { value };
            (value, Number(value).to_string())
        }
        _ if minus => (-value, format!("-{own}")),
        _ => (value, own.to_owned()),
    };
    Ok(Comparison { label, sign, value, unit, text })
}

impl Comparison {
    /// A value that is none is an error, which does not remove the line.
    fn is_match(&self, fields: &mut Fields) -> bool {
        let Some(text) = fields.get(&self.label) else { return false };
        let value = match self.unit {
            Unit::Number => units::float(text),
            Unit::Nanoseconds => units::duration_ns(text),
            Unit::Bytes => units::bytes(text),
        };
        match value {
            Ok(value) => match self.sign {
                "==" => value == self.value,
                "!=" => value != self.value,
                ">" => value > self.value,
                ">=" => value >= self.value,
                "<" => value < self.value,
                _ => value <= self.value,
            },
            Err(reason) => {
                if fields.error().is_empty() {
                    fields.fail("LabelFilterErr", &reason);
                }
                true
            }
        }
    }
}

impl Test {
    fn is_match(&self, fields: &mut Fields) -> bool {
        match self {
            Self::Text(matcher) => matcher.is_match(fields.get(&matcher.name).unwrap_or("")),
            Self::Value(comparison) => comparison.is_match(fields),
            // As in Loki, all of them are tested, since each may tell an error.
            Self::All(tests) => tests.iter().filter(|test| !test.is_match(fields)).count() == 0,
            Self::Any(tests) => tests.iter().any(|test| test.is_match(fields)),
        }
    }

    fn reads(&self, names: &mut Vec<String>) {
        match self {
            Self::Text(matcher) => names.push(matcher.name.clone()),
            Self::Value(comparison) => names.push(comparison.label.clone()),
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.reads(names)),
        }
    }
}

impl Stage for LabelFilter {
    fn run(&self, _: &mut Line<'_>, fields: &mut Fields) -> bool {
        self.test.is_match(fields)
    }

    fn reads(&self, names: &mut Vec<String>) {
        self.test.reads(names);
    }

    fn is_label_filter(&self) -> bool {
        true
    }
}

impl Display for LabelFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| {}", self.test)
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (tests, joint) = match self {
            Self::Text(matcher) => return f.write_str(&log_matcher_text(matcher)),
            Self::Value(Comparison { label, sign, text, .. }) => return write!(f, "{label}{sign}{text}"),
            Self::All(tests) => (tests, " and "),
            Self::Any(tests) => (tests, " or "),
        };
        f.write_str("(")?;
        for (index, test) in tests.iter().enumerate() {
            write!(f, "{}{test}", if index > 0 { joint } else { "" })?;
        }
        f.write_str(")")
    }
}
