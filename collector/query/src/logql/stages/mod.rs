//! The stages of pipelines. A new one is a file here and a line in the table: it reads itself from the text, writes
//! itself, and runs on one line after the other.

pub(crate) mod decolorize;
pub(crate) mod drop;
pub(crate) mod extraction;
pub(crate) mod json;
pub(crate) mod keep;
pub(crate) mod label_filter;
pub(crate) mod label_format;
pub(crate) mod line_filter;
pub(crate) mod line_format;
pub(crate) mod logfmt;
pub(crate) mod pattern;
pub(crate) mod regexp;
pub(crate) mod unwrap;

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::sync::Arc;

use crate::logql::fields::Fields;
use crate::logql::lexer::TokenKind;
use crate::logql::nearest;
use crate::logql::parser::Parser;
use crate::text::fault::{Fault, Parsed};

/// One line on its way through a pipeline.
pub(crate) struct Line<'a> {
    pub(crate) at_ns: i64,
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// One stage. Writes itself with its `|`.
pub(crate) trait Stage: Debug + Display + Send + Sync {
    /// Whether the line stays.
    fn run(&self, line: &mut Line<'_>, fields: &mut Fields) -> bool;

    /// The labels it looks at.
    fn reads(&self, _names: &mut Vec<String>) {}

    /// It looks at the line alone and leaves it as it is.
    fn is_line_filter(&self) -> bool {
        false
    }

    /// It looks at labels alone and changes none.
    fn is_label_filter(&self) -> bool {
        false
    }

    fn changes_line(&self) -> bool {
        false
    }

    /// A text that every line that stays contains.
    fn needle(&self) -> Option<&[u8]> {
        None
    }
}

/// Reads what follows a stage's name.
type Read = fn(&mut Parser<'_>) -> Parsed<Arc<dyn Stage>>;

/// All stages that have a name. Line and label filters have none; `unwrap` belongs to the function around it.
const STAGES: [(&str, Read); 9] = [
    ("json", json::read),
    ("logfmt", logfmt::read),
    ("pattern", pattern::read),
    ("regexp", regexp::read),
    ("line_format", line_format::read),
    ("label_format", label_format::read),
    ("decolorize", decolorize::read),
    ("drop", drop::read),
    ("keep", keep::read),
];

/// What LogQL has and is not answered here, by name, and what to do instead.
const REFUSED: [(&str, &str); 2] = [
    ("unpack", "use json: packed labels are its fields, and the line is the field _entry"),
    ("distinct", "use count by (label) (count_over_time(...))"),
];

/// The next stage, if one follows.
pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Option<Arc<dyn Stage>>> {
    match parser.peek().kind {
        TokenKind::Sign("|=" | "!=" | "|~" | "!~") => return line_filter::read(parser).map(Some),
        TokenKind::Sign(sign @ ("|>" | "!>")) => {
            let what = format!("the pattern filter {sign}");
            return Err(Fault::refused(parser.peek().span.start, what, "use |= for texts or |~ for regexps"));
        }
        TokenKind::Sign("|") => parser.take(),
        _ => return Ok(None),
    };
    let token = parser.peek();
    if matches!(token.kind, TokenKind::Sign("(")) {
        return label_filter::read(parser).map(Some);
    }
    if token.kind != TokenKind::Word {
        return Err(parser.unexpected("a stage such as json, or a label filter such as status >= 500"));
    }
    if matches!(parser.ahead(1).kind, TokenKind::Sign("=" | "!=" | "=~" | "!~" | "==" | ">" | ">=" | "<" | "<=")) {
        return label_filter::read(parser).map(Some);
    }
    let (name, at) = (parser.own(token), token.span.start);
    if let Some((_, remedy)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(Fault::refused(at, format!("the stage {name:?}"), remedy));
    }
    match STAGES.iter().find(|(own, _)| *own == name) {
        Some((_, read)) => {
            parser.take();
            read(parser).map(Some)
        }
        None => {
            let near = nearest(name, STAGES.iter().map(|(own, _)| *own).chain(["unwrap"]));
            let hint = near.map_or_else(
                || "expecting a stage such as json, or a label filter such as status >= 500".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            Err(Fault::new(at, format!("syntax error: unexpected IDENTIFIER {name:?}: {hint}")))
        }
    }
}
