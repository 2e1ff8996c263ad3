//! `| drop a, b="x"` takes labels away, those with a matcher only where it holds.

use std::fmt::{Display, Formatter};
use std::sync::Arc;

use muster_common::matcher::Matcher;

use crate::logql::fields::Fields;
use crate::logql::lexer::TokenKind;
use crate::logql::parser::Parser;
use crate::logql::stages::{Line, Stage};
use crate::text::fault::{Fault, Parsed};
use crate::text::write::log_matcher_text;

#[derive(Debug)]
pub(crate) struct Drop {
    labels: Vec<Named>,
}

/// A label, or a label with a condition.
#[derive(Debug)]
pub(crate) enum Named {
    Label(String),
    Match(Matcher),
}

/// Labels that one stage may name.
const NAMED_MAX: usize = 256;

/// `a, b="x"`: what `drop` and `keep` list.
pub(crate) fn names(parser: &mut Parser<'_>) -> Parsed<Vec<Named>> {
    let mut names = Vec::new();
    loop {
        let place = parser.peek().span;
        names.push(match parser.ahead(1).kind {
            TokenKind::Sign("=" | "!=" | "=~" | "!~") if parser.peek().kind == TokenKind::Word => {
                Named::Match(parser.matcher()?)
            }
            _ => Named::Label(parser.name("a label name")?),
        });
        if names.len() > NAMED_MAX {
            return Err(Fault::new(place.start, format!("more than {NAMED_MAX} labels: use keep for the needed ones")));
        }
        if parser.take_sign(",").is_none() {
            return Ok(names);
        }
    }
}

pub(crate) fn read(parser: &mut Parser<'_>) -> Parsed<Arc<dyn Stage>> {
    Ok(Arc::new(Drop { labels: names(parser)? }))
}

impl Named {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Label(name) => name,
            Self::Match(matcher) => &matcher.name,
        }
    }

    /// Whether it means the label with this value.
    pub(crate) fn holds(&self, name: &str, value: &str) -> bool {
        match self {
            Self::Label(own) => own == name,
            Self::Match(matcher) => matcher.name == name && matcher.is_match(value),
        }
    }
}

impl Display for Named {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(name) => f.write_str(name),
            Self::Match(matcher) => f.write_str(&log_matcher_text(matcher)),
        }
    }
}

/// Writes a list behind the name of its stage.
pub(crate) struct Listed<'a>(pub(crate) &'a [Named]);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            write!(f, "{} {one}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl Stage for Drop {
    fn run(&self, _: &mut Line<'_>, fields: &mut Fields) -> bool {
        for named in &self.labels {
            let value = fields.get(named.name()).unwrap_or("");
            if named.holds(named.name(), value) {
                fields.remove(named.name());
            }
        }
        true
    }

    fn reads(&self, names: &mut Vec<String>) {
        let matched = self.labels.iter().filter(|named| matches!(named, Named::Match(_)));
        names.extend(matched.map(|named| named.name().to_owned()));
    }
}

impl Display for Drop {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "| drop{}", Listed(&self.labels))
    }
}
